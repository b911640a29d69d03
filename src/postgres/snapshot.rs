//! Snapshots that are newer than the statement's.

use pgrx::pg_sys;

/// While it lives, queries see what is committed by now, whatever the transaction's isolation.
pub struct Latest;

impl Latest {
    /// From here on.
    pub fn snapshot() -> Self {
        // SAFETY: within a transaction; popped by `drop`, or by Postgres after an error.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        Self
    }
}

impl Drop for Latest {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the one that was pushed.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}
