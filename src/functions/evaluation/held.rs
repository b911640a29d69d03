//! What evaluations of this session hold in memory: rows of runs and judgements, values, states of aggregates.
//!
//! It lies outside of Postgres' memory contexts, where a failed allocation ends the process: so it is bounded.

use protocol::{Fault, FaultCode};
use retrieval_metrics::{Held, Meter, OverLimit};
use std::rc::Rc;

/// Of all evaluations of a session that are under way. Some 30 million rows of a run with short ids.
const MOST: usize = 2 << 30;

thread_local! {
    /// Of the main thread.
    static METER: Rc<Meter> = Meter::new(MOST);
}

/// The session's.
pub fn meter() -> Rc<Meter> {
    METER.with(Rc::clone)
}

/// As an error of the statement.
pub fn too_large(over: OverLimit) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "the evaluation is too large")
        .detail(format!(
            "A session holds at most {} MiB of runs, judgements and values at a time.",
            over.limit >> 20
        ))
        .hint("Evaluate fewer queries at a time, or only the best of each query's documents: ... WHERE rank <= 1000.")
}

/// Rows that are handed out one by one, and count until they are gone.
pub struct Counted<I> {
    rows: I,
    _held: Held,
}

impl<I: Iterator> Counted<I> {
    /// Rows that `held` counts.
    pub fn new(rows: I, held: Held) -> Self {
        Self { rows, _held: held }
    }
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.rows.next()
    }
}
