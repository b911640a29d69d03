//! Starting the workers that keep columns fresh, whoever asked for them.
//!
//! The supervisor is the one process that is always there and never waits: a session that has just committed leaves the
//! starting to it. It opens no catalog itself, where somebody's lock could keep it from the engine: at the start of the
//! server it has a worker look which databases there are.

use crate::postgres::{background, log, settings, worker_slots};
use std::time::Duration;

/// Until the next try, where the postmaster has no room for a worker. The first is soon: one that ends may still
/// be in the way.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(10);

/// What it keeps in mind.
#[derive(Debug, Default)]
pub struct Launcher {
    /// The number of workers that databases were looked at for.
    looked_for: u32,
    /// How often in a row there was no room.
    failures: u32,
}

impl Launcher {
    /// Called once, by the supervisor.
    pub fn new() -> Self {
        worker_slots::supervise();
        Self::default()
    }

    /// Starts those that are wanted now.
    pub fn turn(&mut self) {
        if !background::may_start() {
            return;
        }
        let workers = settings::workers();
        let before = std::mem::replace(&mut self.looked_for, workers);
        if workers == 0 {
            return;
        }
        if workers > before {
            worker_slots::ask(worker_slots::NONE, 0, Duration::ZERO);
        }
        while let Some(job) = worker_slots::next() {
            if background::start(&job) {
                self.failures = 0;
                continue;
            }
            self.failures = self.failures.saturating_add(1);
            let retry = if self.failures == 1 { FIRST_RETRY } else { RETRY };
            worker_slots::postpone(&job, retry);
            if self.failures == 2 {
                log::supervisor(
                    "itembank_embed cannot start a worker: no background worker slot is free",
                    "Raise max_worker_processes; the start is tried again every 10 s.",
                );
            }
            return;
        }
    }
}
