//! Columns that are kept fresh.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::time::Duration;

static WORKERS: GucSetting<i32> = GucSetting::<i32>::new(1);
static WORKER_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(60_000);

pub(super) fn define() {
    GucRegistry::define_int_guc(
        c"itembank_embed.workers",
        c"Background workers for each database that has embedding columns of mode queue.",
        c"0 starts none. They need itembank_embed in shared_preload_libraries, and count in \
          max_worker_processes.",
        &WORKERS,
        0,
        16,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"itembank_embed.worker_timeout",
        c"How long expressions and triggers of a table may keep a worker busy, for each batch.",
        c"Then the batch is canceled, and the column waits; the time of models does not count. 0 sets no limit.",
        &WORKER_TIMEOUT,
        0,
        86_400_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
}

/// How long users' code may take in a batch of a worker; `None` where there is no limit.
pub fn worker_timeout() -> Option<Duration> {
    let milliseconds = u64::try_from(WORKER_TIMEOUT.get()).unwrap_or(0);
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

/// How many workers a database has that has something for them to do.
pub fn workers() -> u32 {
    u32::try_from(WORKERS.get()).unwrap_or(0)
}
