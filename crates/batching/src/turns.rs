//! Whose turn it is: that of somebody in a hurry, or that of those who are in none.
//!
//! Somebody in a hurry goes first, and what runs for the others meanwhile is broken off, as often as it takes. What
//! was done of it is lost, so that two things are seen to here. There is no clock: runs and their costs tell enough.
//!
//! - Runs that are broken off become shorter, and longer again when they are not, until they fit between the calls
//!   of those in a hurry. With nobody in a hurry they are as long as they may be.
//! - Those in no hurry are passed over only so often. Then they have a run to its end, a short one, and whoever calls
//!   meanwhile waits for it.

use crate::costs::Costs;

/// One call in so many waits for a run that is not broken off, at most.
///
/// A 95th percentile shows one in twenty. Calls whose own run takes longer than that run notice it less, and may wait
/// for it more often, as much as theirs takes longer.
pub const PATIENCE: f64 = 40.0;
/// Padded tokens of such a run, as a multiple of the fixed cost: a sixth of it is lost on that.
const SHORT: f64 = 5.0;
/// The least that a run's fixed cost is taken for, in tokens: with less, the shortest call would seem a long one.
const LEAST: f64 = 8.0;
/// The most, so that there is something to count with.
const MOST: f64 = 1e6;
/// After a run that was broken off, the next is so much shorter.
const SHRINK: f64 = 0.5;
/// After one that was not, so much longer: where calls come steadily, about three end for each that is broken off.
const GROW: f64 = 1.25;

/// Who had how many turns.
#[derive(Debug, Clone)]
pub struct Turns {
    /// Calls that were let go first since those in no hurry had a run to its end.
    passed_over: f64,
    /// Calls that waited for that run, one at least.
    delayed: f64,
    /// What they waited for it, in tokens.
    delay: f64,
    /// Padded tokens of a run for those in no hurry.
    budget: f64,
    /// The last run, where it is one of those and was not broken off by now.
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    padded_tokens: f64,
    yields: bool,
}

/// Whom a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Somebody in a hurry.
    Interactive,
    /// Those in none.
    Background {
        /// Whether it is broken off for somebody in a hurry.
        yields: bool,
        /// Most padded tokens, where it has more than one row.
        most: usize,
    },
}

impl Default for Turns {
    fn default() -> Self {
        let (passed_over, delayed, delay, budget) = (0.0, 1.0, 0.0, f64::INFINITY);
        Self { passed_over, delayed, delay, budget, last: None }
    }
}

impl Turns {
    /// Whose turn it is, where so many calls of those in a hurry wait, and perhaps others. The last run is over.
    pub fn next(&mut self, calls: usize, others: bool, costs: &Costs) -> Turn {
        let fixed = fixed_tokens(costs);
        if let Some(last) = self.last.take() {
            // One that could have been broken off and was not made nobody wait.
            let owed = !last.yields;
            self.delayed = if owed { calls.max(1) as f64 } else { 1.0 };
            self.delay = if owed { fixed + last.padded_tokens } else { 0.0 };
            self.passed_over = 0.0;
            self.budget *= GROW;
        }
        if !others {
            self.passed_over = 0.0;
        }
        let overdue = self.passed_over >= PATIENCE * self.delayed.max(calls as f64);
        match (calls > 0, overdue) {
            (true, false) => Turn::Interactive,
            (_, true) => Turn::Background { yields: false, most: (SHORT * fixed) as usize },
            _ => Turn::Background { yields: true, most: self.budget.max(fixed) as usize },
        }
    }

    /// A run of so many padded tokens begins, with rows of so many calls of those in a hurry.
    pub fn begin(&mut self, turn: Turn, padded_tokens: usize, calls: usize, costs: &Costs) {
        let (fixed, padded_tokens) = (fixed_tokens(costs), padded_tokens as f64);
        match turn {
            Turn::Interactive => {
                let delay = self.delay.max(fixed + SHORT * fixed);
                let longer = ((fixed + padded_tokens) / delay).clamp(1.0, PATIENCE);
                self.passed_over += calls as f64 * longer;
            }
            Turn::Background { yields, .. } => self.last = Some(Last { padded_tokens, yields }),
        }
    }

    /// The last run was broken off: it was no turn.
    pub fn broken_off(&mut self) {
        if let Some(last) = self.last.take() {
            self.budget = SHRINK * last.padded_tokens;
        }
    }
}

fn fixed_tokens(costs: &Costs) -> f64 {
    let tokens = costs.fixed_tokens();
    if tokens.is_nan() { LEAST } else { tokens.clamp(LEAST, MOST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fixed cost is worth 20 tokens.
    const COSTS: Costs = Costs { fixed: 0.02, token: 0.001 };
    const OWED: Turn = Turn::Background { yields: false, most: 100 };

    fn yielding(most: usize) -> Turn {
        Turn::Background { yields: true, most }
    }

    /// One run of so many padded tokens, where those in no hurry wait, and so many calls of others.
    fn run(turns: &mut Turns, calls: usize, padded_tokens: usize) -> Turn {
        let turn = turns.next(calls, true, &COSTS);
        turns.begin(turn, padded_tokens, calls, &COSTS);
        turn
    }

    /// How many runs are for so many calls before it is the others' turn; theirs is one of so many tokens.
    fn runs_before(turns: &mut Turns, calls: usize, padded_tokens: usize, theirs: usize) -> usize {
        for runs in 0..2000 {
            if turns.next(calls, true, &COSTS) == OWED {
                turns.begin(OWED, theirs, 0, &COSTS);
                return runs;
            }
            turns.begin(Turn::Interactive, padded_tokens, calls, &COSTS);
        }
        unreachable!("they are passed over for ever")
    }

    #[test]
    fn nobody_in_a_hurry_means_no_bound() {
        let mut turns = Turns::default();
        for _ in 0..1000 {
            assert_eq!(run(&mut turns, 0, 512), yielding(usize::MAX));
        }
    }

    #[test]
    fn runs_shrink_as_they_are_broken_off_and_grow_again() {
        let mut turns = Turns::default();
        for most in [usize::MAX, 256, 128, 64, 32, 20, 20] {
            assert_eq!(run(&mut turns, 0, most.min(512)), yielding(most));
            turns.broken_off();
            assert_eq!(run(&mut turns, 1, 16), Turn::Interactive);
        }
        let mut last = 0;
        for _ in 0..20 {
            let Turn::Background { yields: true, most } = run(&mut turns, 0, 20) else {
                unreachable!("nobody else is here")
            };
            assert!(most >= last);
            last = most;
        }
        assert!(last > 512, "{last}");
    }

    #[test]
    fn who_was_passed_over_so_often_has_a_short_run_to_its_end() {
        let mut turns = Turns::default();
        for _ in 0..3 {
            for _ in 0..PATIENCE as usize {
                // Broken off in between, which is no turn.
                assert!(matches!(run(&mut turns, 0, 90), Turn::Background { yields: true, .. }));
                turns.broken_off();
                assert_eq!(run(&mut turns, 1, 16), Turn::Interactive);
            }
            assert_eq!(run(&mut turns, 1, 90), OWED);
        }
        assert_eq!(run(&mut turns, 1, 16), Turn::Interactive);
    }

    #[test]
    fn it_is_also_their_turn_where_nobody_calls_just_then() {
        let mut turns = Turns::default();
        for _ in 0..PATIENCE as usize {
            assert_eq!(run(&mut turns, 1, 16), Turn::Interactive);
        }
        assert_eq!(run(&mut turns, 0, 90), OWED);
        assert_eq!(run(&mut turns, 0, 90), yielding(usize::MAX));
    }

    #[test]
    fn where_many_wait_for_a_run_more_are_let_go_first() {
        let mut turns = Turns::default();
        let passed_over = |turns: &mut Turns| (0..).find(|_| run(turns, 2, 32) == OWED);
        assert_eq!(passed_over(&mut turns), Some(40), "one of forty: two each time, and two wait");
        assert_eq!(turns.next(5, true, &COSTS), Turn::Interactive);
        assert_eq!(passed_over(&mut turns), Some(100), "five have waited for the last");
        assert_eq!(passed_over(&mut turns), Some(40), "two have waited for the last");
        assert_eq!(turns.next(5, true, &COSTS), Turn::Interactive);
        assert!(matches!(run(&mut turns, 0, 90), Turn::Background { yields: true, .. }));
        assert_eq!(passed_over(&mut turns), Some(40), "nobody has waited for the last");
    }

    #[test]
    fn calls_that_take_long_are_let_go_first_less_often() {
        let mut turns = Turns::default();
        // As long as 532 tokens, where a short run is as long as 120.
        assert_eq!(runs_before(&mut turns, 1, 512, 512), 10);
        assert_eq!(runs_before(&mut turns, 1, 512, 100), 40, "the last run was as long as theirs");
        assert_eq!(runs_before(&mut turns, 1, 512, 100), 10);
    }

    #[test]
    fn who_does_not_wait_is_not_passed_over() {
        let mut turns = Turns::default();
        for _ in 0..1000 {
            assert_eq!(turns.next(1, false, &COSTS), Turn::Interactive);
            turns.begin(Turn::Interactive, 16, 1, &COSTS);
        }
        assert_eq!(runs_before(&mut turns, 1, 16, 90), 39, "they came during the last one");
    }

    #[test]
    fn odd_costs_do_no_harm() {
        for (fixed, token) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (f64::NAN, 1.0), (-1.0, 1.0)] {
            let (costs, mut turns) = (Costs { fixed, token }, Turns::default());
            let theirs = (0..200).filter(|_| {
                let turn = turns.next(1, true, &costs);
                turns.begin(turn, 16, 1, &costs);
                turn != Turn::Interactive
            });
            assert_eq!(theirs.count(), 4, "{costs:?}");
        }
    }
}
