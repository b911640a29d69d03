//! Columns that are kept fresh.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

static WORKERS: GucSetting<i32> = GucSetting::<i32>::new(1);

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
}

/// How many workers a database has that has something for them to do.
pub fn workers() -> u32 {
    u32::try_from(WORKERS.get()).unwrap_or(0)
}
