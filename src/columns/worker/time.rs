//! Whose time counts against a worker: that of users' code, but not that of models, however slow they are.
//!
//! Users' code may call what runs a model, too; that is its own time. So models' time is only what lies where no user's
//! code can be around it.

use crate::postgres::{deadline, trigger};
use std::cell::Cell;

thread_local! {
    /// Calls of `embedding_fill`, one within the other; of the main thread.
    static FILLING: Cell<u32> = const { Cell::new(0) };
}

/// While it lives entries of a queue are being embedded: contents are read, run, and written.
pub struct Filling(());

impl Filling {
    /// From here on.
    pub fn begin() -> Self {
        FILLING.set(FILLING.get() + 1);
        Self(())
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        FILLING.set(FILLING.get() - 1);
    }
}

/// Looks up a model before entries are embedded.
pub fn of_look_up<T>(work: impl FnOnce() -> T) -> T {
    uncounted(0, work)
}

/// Runs a model for entries.
pub fn of_run<T>(work: impl FnOnce() -> T) -> T {
    uncounted(1, work)
}

fn uncounted<T>(depth: u32, work: impl FnOnce() -> T) -> T {
    let counts = !deadline::is_running() || FILLING.get() != depth || trigger::depth() > 0;
    if counts { work() } else { deadline::without(work) }
}
