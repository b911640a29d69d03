//! When a row is due: the one order that everybody waits in.

use crate::costs::Costs;
use protocol::Urgency;
use std::time::Duration;

/// So long, of a busy engine's time, those who are in no hurry let everybody else go first.
pub const AGEING: Duration = Duration::from_secs(2);
/// As good as never.
const FAR: Duration = Duration::from_secs(86_400);

/// A clock that shows how much of the engine each request has had if all were treated alike.
///
/// It moves with the work that is done, divided by those who share the engine: the virtual time of weighted fair
/// queueing (Demers, Keshav and Shenker 1989). A request is due when the clock shows what it showed at its
/// arrival, and each further row of it when those before it would have run. So a long array takes turns with
/// what comes meanwhile, however many arrays there are, and however wrong the costs may be.
#[derive(Debug, Clone, Default)]
pub struct FairClock {
    now: Duration,
    requests: u32,
}

impl FairClock {
    /// A request comes: when it arrived, on this clock.
    pub fn join(&mut self) -> Duration {
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

    /// Rows of so many tokens run.
    pub fn serve(&mut self, tokens: usize, costs: &Costs) {
        self.now = self.now.saturating_add(work(tokens, costs) / self.requests.max(1));
    }

    /// When a row is due of a request that came at `arrival`, behind its rows of so many tokens.
    pub fn due(
        &self,
        arrival: Duration,
        urgency: Urgency,
        tokens_before: usize,
        costs: &Costs,
    ) -> Duration {
        let ageing = match urgency {
            Urgency::Interactive => Duration::ZERO,
            Urgency::Background => AGEING / self.requests.max(1),
        };
        arrival.saturating_add(work(tokens_before, costs)).saturating_add(ageing)
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

    const COSTS: Costs = Costs { fixed: 1.0, token: 0.5 };

    #[test]
    fn rows_take_turns_and_background_waits() {
        let mut clock = FairClock::default();
        let arrival = clock.join();
        let at = |urgency, before| clock.due(arrival, urgency, before, &COSTS);
        assert_eq!(at(Urgency::Interactive, 0), Duration::ZERO);
        assert_eq!(at(Urgency::Interactive, 8), Duration::from_secs(4));
        assert_eq!(at(Urgency::Background, 8), Duration::from_secs(4) + AGEING);
        assert!(at(Urgency::Background, usize::MAX) < Duration::from_secs(100_000));
    }

    #[test]
    fn the_clock_moves_by_a_share_of_the_work() {
        let mut clock = FairClock::default();
        clock.join();
        clock.serve(8, &COSTS);
        assert_eq!(clock.join(), Duration::from_secs(4));
        clock.serve(8, &COSTS);
        assert_eq!(clock.join(), Duration::from_secs(6));
        clock.leave();
        clock.leave();
        clock.serve(8, &COSTS);
        assert_eq!((clock.join(), clock.requests()), (Duration::from_secs(10), 2));
    }

    #[test]
    fn odd_costs_do_no_harm() {
        for token in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let (mut clock, costs) = (FairClock::default(), Costs { fixed: 0.0, token });
            clock.leave();
            clock.serve(usize::MAX, &costs);
            clock.serve(usize::MAX, &costs);
            clock.due(Duration::MAX, Urgency::Background, usize::MAX, &costs);
        }
    }
}
