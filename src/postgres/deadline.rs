//! How long others' code may run in a transaction of a worker.
//!
//! A cancel alone is not enough: code may catch it and go on. So it is repeated, and at last the process ends, as by
//! `pg_terminate_backend`, which nothing can catch.

use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Between a cancel that was caught and the next.
const AGAIN: Duration = Duration::from_secs(5);
/// After so many cancels the process ends.
const CANCELS: u32 = 3;
/// At least `USER_TIMEOUT` of timeout.h in every version, which stands for the next that is free.
const NEXT_FREE: c_int = 13;

// timeout.h, which pgrx does not bind; so since PostgreSQL 15.
unsafe extern "C-unwind" {
    fn RegisterTimeout(id: c_int, handler: unsafe extern "C-unwind" fn()) -> c_int;
    fn enable_timeout_every(id: c_int, first: pg_sys::TimestampTz, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
}

/// Cancels since the deadline has passed.
static PASSED: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Copy)]
struct Running {
    left: Duration,
    since: Instant,
}

thread_local! {
    /// Of the main thread.
    static TIMEOUT: Cell<Option<c_int>> = const { Cell::new(None) };
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
}

/// Called by the signal's handler: sets flags and the latch, no more.
unsafe extern "C-unwind" fn passed() {
    let cancels = PASSED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: as Postgres' own handlers of a cancel and of a termination do.
    unsafe {
        match cancels {
            0..CANCELS => pg_sys::QueryCancelPending = 1,
            _ => pg_sys::ProcDiePending = 1,
        }
        pg_sys::InterruptPending = 1;
        pg_sys::SetLatch(pg_sys::MyLatch);
    }
}

/// From now on so long, in a worker's process; none is running.
pub fn begin(limit: Duration) {
    PASSED.store(0, Ordering::Relaxed);
    go_on(limit);
}

/// It does not matter any more. Says whether it has passed.
pub fn end() -> bool {
    if RUNNING.take().is_some() {
        disable();
    }
    PASSED.swap(0, Ordering::Relaxed) > 0
}

/// Whether it has passed, cancels were in vain, and this process was told to end.
pub fn is_last_word() -> bool {
    PASSED.load(Ordering::Relaxed) > CANCELS
}

/// Whether one is running.
pub fn is_running() -> bool {
    RUNNING.get().is_some()
}

/// Runs `work`, whose time does not count, where a deadline is running.
pub fn without<T>(work: impl FnOnce() -> T) -> T {
    let _paused = RUNNING.take().map(|running| {
        disable();
        Paused(running.left.saturating_sub(running.since.elapsed()))
    });
    work()
}

/// What is left of the time goes on when this is dropped, by an error too.
struct Paused(Duration);

impl Drop for Paused {
    fn drop(&mut self) {
        go_on(self.0);
    }
}

fn go_on(left: Duration) {
    let id = TIMEOUT.get().unwrap_or_else(|| {
        // SAFETY: once in a process whose timeouts are in place, as every background worker's are.
        let id = unsafe { RegisterTimeout(NEXT_FREE, passed) };
        TIMEOUT.set(Some(id));
        id
    });
    RUNNING.set(Some(Running { left, since: Instant::now() }));
    let microseconds = i64::try_from(left.as_micros()).unwrap_or(i64::MAX / 2).max(1000);
    // SAFETY: the timeout is registered, and not enabled.
    unsafe {
        let first = pg_sys::GetCurrentTimestamp().saturating_add(microseconds);
        enable_timeout_every(id, first, AGAIN.as_millis() as c_int);
    }
}

fn disable() {
    if let Some(id) = TIMEOUT.get() {
        // SAFETY: the timeout is registered.
        unsafe { disable_timeout(id, false) };
    }
}
