//! When a row is due: the order that all of one urgency wait in.

use crate::costs::Costs;
use protocol::Urgency;
use std::time::Duration;

/// As good as never.
const FAR: Duration = Duration::from_secs(86_400);

/// A clock that shows how much of the engine each request has had if all were treated alike.
///
/// It moves with the work that is done, divided by those who share the engine: the virtual time of weighted fair
/// queueing (Demers, Keshav and Shenker 1989). A request is due when the clock shows what it showed at its
/// arrival, and each further row of it when those before it would have run. So a long array takes turns with
/// what comes meanwhile, however many arrays there are, and however wrong the costs may be.
///
/// It has a face for those in a hurry and one for the others, who are treated alike among themselves only: by one
/// clock for both, requests in no hurry would fall behind it, and all rows of an older one go before a newer one.
#[derive(Debug, Clone, Default)]
pub struct FairClock {
    now: Arrival,
    requests: u32,
}

/// When a request came: what the clock showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    interactive: Duration,
    background: Duration,
}

impl FairClock {
    /// A request comes: when it arrived, on this clock.
    pub fn join(&mut self) -> Arrival {
        self.requests = self.requests.saturating_add(1);
        self.now
    }

    /// A request is done.
    pub fn leave(&mut self) {
        self.requests = self.requests.saturating_sub(1);
    }

    /// How many requests share the engine.
    pub fn requests(&self) -> usize {
        self.requests as usize
    }

    /// Rows of so many tokens were run.
    pub fn serve(&mut self, urgency: Urgency, tokens: usize, costs: &Costs) {
        let now = match urgency {
            Urgency::Interactive => &mut self.now.interactive,
            Urgency::Background => &mut self.now.background,
        };
        *now = now.saturating_add(work(tokens, costs) / self.requests.max(1));
    }

    /// When a row is due, among those of its urgency, of a request that came at `arrival`, behind its rows of so
    /// many tokens.
    pub fn due(
        &self,
        arrival: Arrival,
        urgency: Urgency,
        tokens_before: usize,
        costs: &Costs,
    ) -> Duration {
        let arrival = match urgency {
            Urgency::Interactive => arrival.interactive,
            Urgency::Background => arrival.background,
        };
        arrival.saturating_add(work(tokens_before, costs))
    }
}

/// What so many tokens take, without the fixed cost of their runs.
fn work(tokens: usize, costs: &Costs) -> Duration {
    let seconds = (costs.token * tokens as f64).max(0.0);
    Duration::try_from_secs_f64(seconds).unwrap_or(FAR).min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Urgency::{Background, Interactive};

    const COSTS: Costs = Costs { fixed: 1.0, token: 0.5 };

    #[test]
    fn rows_take_turns() {
        let mut clock = FairClock::default();
        let arrival = clock.join();
        for urgency in [Interactive, Background] {
            let at = |before| clock.due(arrival, urgency, before, &COSTS);
            assert_eq!(at(0), Duration::ZERO);
            assert_eq!(at(8), Duration::from_secs(4));
            assert!(at(usize::MAX) < Duration::from_secs(100_000));
        }
    }

    #[test]
    fn the_clock_moves_by_a_share_of_the_work() {
        let mut clock = FairClock::default();
        let shows =
            |arrival: Arrival| (arrival.interactive.as_secs(), arrival.background.as_secs());
        clock.join();
        clock.serve(Interactive, 8, &COSTS);
        assert_eq!(shows(clock.join()), (4, 0));
        clock.serve(Interactive, 8, &COSTS);
        clock.serve(Background, 4, &COSTS);
        assert_eq!(shows(clock.join()), (6, 1));
        clock.leave();
        clock.leave();
        clock.serve(Interactive, 8, &COSTS);
        assert_eq!((shows(clock.join()), clock.requests()), ((10, 1), 2));
    }

    #[test]
    fn odd_costs_do_no_harm() {
        for token in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let (mut clock, costs) = (FairClock::default(), Costs { fixed: 0.0, token });
            clock.leave();
            let far = Duration::MAX;
            for urgency in [Interactive, Background] {
                clock.serve(urgency, usize::MAX, &costs);
                clock.serve(urgency, usize::MAX, &costs);
                clock.due(Arrival { interactive: far, background: far }, urgency, 9, &costs);
            }
        }
    }
}
