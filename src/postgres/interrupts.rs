//! Waiting for something outside while Postgres' own wishes are served: cancel, timeout, termination,
//! the postmaster's death, barriers of other sessions.

use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::time::Duration;

/// What a descriptor is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or its end.
    Read,
    /// Room to write, or nobody who reads.
    Write,
}

/// Waits for the latch, the descriptor, or the time; whichever it was, the caller looks for itself.
///
/// Ends the process where the postmaster is gone.
pub fn wait(on: Option<(BorrowedFd<'_>, Interest)>, timeout: Option<Duration>) {
    static EVENT: OnceLock<u32> = OnceLock::new();
    wait_as(*EVENT.get_or_init(|| wait_event(c"ItembankEngine")), on, timeout);
}

/// Waits for the latch, or the time, because there is nothing to do.
pub fn rest(time: Duration) {
    static EVENT: OnceLock<u32> = OnceLock::new();
    wait_as(*EVENT.get_or_init(|| wait_event(c"ItembankWorker")), None, Some(time));
}

fn wait_as(event: u32, on: Option<(BorrowedFd<'_>, Interest)>, timeout: Option<Duration>) {
    let mut events = pg_sys::WL_LATCH_SET | pg_sys::WL_EXIT_ON_PM_DEATH;
    events |= match on {
        Some((_, Interest::Read)) => pg_sys::WL_SOCKET_READABLE,
        Some((_, Interest::Write)) => pg_sys::WL_SOCKET_WRITEABLE,
        None => 0,
    };
    if timeout.is_some() {
        events |= pg_sys::WL_TIMEOUT;
    }
    let descriptor = on.map_or(pg_sys::PGINVALID_SOCKET, |(descriptor, _)| descriptor.as_raw_fd());
    // Rounded up, so that a wait of less than a millisecond is none that spins.
    let timeout = timeout
        .map_or(-1, |time| time.as_micros().div_ceil(1000).min(3_600_000) as std::ffi::c_long);
    // SAFETY: this is the main thread, MyLatch is its own, and the descriptor is open.
    unsafe {
        let happened =
            pg_sys::WaitLatchOrSocket(pg_sys::MyLatch, events as i32, descriptor, timeout, event);
        if happened as u32 & pg_sys::WL_LATCH_SET != 0 {
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
    }
}

/// Does what Postgres wants of this process: a cancel is raised as an error, a termination ends it.
pub fn serve() {
    check_for_interrupts!();
}

/// Whether Postgres would end the statement or the session now.
pub fn stop_requested() -> bool {
    // SAFETY: plain reads of variables that Postgres' handlers set for this thread.
    unsafe {
        let held = pg_sys::InterruptHoldoffCount != 0 || pg_sys::CritSectionCount != 0;
        let cancel = pg_sys::QueryCancelPending != 0 && pg_sys::QueryCancelHoldoffCount == 0;
        !held && (cancel || pg_sys::ProcDiePending != 0)
    }
}

/// What `pg_stat_activity` shows as the reason of the wait.
#[cfg(any(feature = "pg17", feature = "pg18"))]
fn wait_event(name: &'static CStr) -> u32 {
    // SAFETY: a constant name, known to the server from the first use on.
    unsafe { pg_sys::WaitEventExtensionNew(name.as_ptr()) }
}

/// Before PostgreSQL 17 extensions have one event for all.
#[cfg(not(any(feature = "pg17", feature = "pg18")))]
fn wait_event(_name: &'static CStr) -> u32 {
    pg_sys::PG_WAIT_EXTENSION
}
