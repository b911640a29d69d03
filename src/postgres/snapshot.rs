//! Snapshots that are newer than the statement's.

use pgrx::pg_sys;

/// While it lives, queries see what is committed by now, whatever the transaction's isolation; but where a plan runs in
/// parallel, when no new snapshot can be had, what the statement sees.
pub struct Latest {
    pushed: bool,
}

impl Latest {
    /// From here on.
    pub fn snapshot() -> Self {
        // SAFETY: within a transaction; popped by `drop`, or by Postgres after an error.
        unsafe {
            let pushed = !pg_sys::IsInParallelMode();
            if pushed {
                pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
            }
            Self { pushed }
        }
    }
}

impl Drop for Latest {
    fn drop(&mut self) {
        if self.pushed && !std::thread::panicking() {
            // SAFETY: the one that was pushed.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}
