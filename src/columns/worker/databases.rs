//! Looking which databases there are, by a worker that has none: each of them gets one, which leaves at once
//! where there is nothing to do.
//!
//! At the start of the server, when there are to be more workers, and after a worker has ended before its time.

use crate::postgres::background;
use crate::postgres::transaction::{self, Problem};
use crate::postgres::worker_slots::{self, NONE, Slot};
use pgrx::pg_sys;
use std::time::Duration;

/// Until the next look, where somebody has a database for himself; doubles with each look that finds so.
const FIRST: Duration = Duration::from_secs(3);
const MOST: Duration = Duration::from_secs(60);
/// Until workers of other databases have left, where there is no room for more.
const FULL: Duration = Duration::from_secs(1);

/// The whole work of this process.
pub fn look(slot: &Slot) {
    loop {
        let seen = slot.wakes();
        match ask_for_all() {
            Ok(None) if !slot.leave(seen) => {}
            Ok(None) => return,
            Ok(Some(later)) => return slot.resign(Some(later)),
            Err(problem) => {
                super::warn("itembank_embed cannot look which databases there are", &problem);
                return slot.resign(Some(MOST));
            }
        }
        background::serve();
        if background::terminated() {
            return;
        }
    }
}

/// Asks for a worker for each database; the rest is to be done after so long.
fn ask_for_all() -> Result<Option<Duration>, Problem> {
    let mut locked = false;
    let from = worker_slots::cursor().to_u32();
    let databases = transaction::run(|| Ok(transaction::databases()))?;
    for database in databases.into_iter().filter(|database| database.to_u32() >= from) {
        if worker_slots::exists(database, 0) {
            continue;
        }
        if is_locked(database)? {
            locked = true;
        } else if !worker_slots::ask(database, 0, Duration::ZERO) {
            worker_slots::set_cursor(database);
            return Ok(Some(FULL));
        }
    }
    worker_slots::set_cursor(NONE);
    let before = worker_slots::count_delays(locked);
    Ok(locked.then(|| (FIRST * 2_u32.saturating_pow(before)).min(MOST)))
}

/// Whether a worker would only wait there, for a database that may be gone then.
fn is_locked(database: pg_sys::Oid) -> Result<bool, Problem> {
    transaction::run(|| Ok(transaction::database_is_locked(database)))
}
