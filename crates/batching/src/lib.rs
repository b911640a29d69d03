//! Which rows of which requests run together, and which come first.
//!
//! A pure scheduler: rows go in, batches come out. It knows lengths, classes and when rows are due, and nothing
//! of what they are; it has no threads, no clock and no I/O. It never waits: what is in the queue when a run
//! ends is what the next run is made of.
//!
//! The rule: a run costs a fixed sum and a sum for each token, padding included.
//! Joining a row to a run saves the fixed sum and costs padding; it is worth it while the padding that it adds is
//! well below the fixed sum.
//!
//! Somebody in a hurry goes before those who are in none, whose runs are broken off for it; see `turns`.

mod costs;
mod fair;
mod queue;
mod turns;

pub use costs::{Costs, fit};
pub use fair::{Arrival, FairClock};
pub use queue::{Batch, Item, Queue, Rules};
pub use turns::PATIENCE;
