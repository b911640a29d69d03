//! The background worker that keeps the engine process: registered with the postmaster, visible in
//! `pg_stat_activity`, asked to stop and to read its settings again by signals.
//!
//! A worker that dies by a signal makes the postmaster restart every session; so nothing runs in it
//! that could crash, and above all no ONNX Runtime.

use pgrx::bgworkers::{BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::sync::OnceLock;
use std::time::Duration;

/// What the worker does; set in the postmaster, inherited by the worker.
static MAIN: OnceLock<fn()> = OnceLock::new();

/// Whether the library is being loaded by `shared_preload_libraries`: the one time at which workers and
/// shared memory can be had.
pub fn preloading() -> bool {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Has the postmaster run `main` in a worker of its own, on a standby too, again 5 s after it ended.
pub fn register(main: fn()) {
    if MAIN.set(main).is_err() {
        return;
    }
    // A restart time makes sure that it comes back; it exits with 1 in any case, for a worker that
    // exits with 0 never does.
    BackgroundWorkerBuilder::new("itembank_embed supervisor")
        .set_type("itembank_embed supervisor")
        .set_library("itembank_embed")
        .set_function("itembank_embed_supervisor")
        .enable_spi_access() // also what makes it visible; it opens no database
        .set_start_time(BgWorkerStartTime::ConsistentState)
        .set_restart_time(Some(Duration::from_secs(5)))
        .load();
}

/// Where the postmaster enters the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn itembank_embed_supervisor(_argument: pg_sys::Datum) {
    listen();
    // SAFETY: called once, from the worker's own main function.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
    if let Some(main) = MAIN.get() {
        main();
    }
    // SAFETY: nothing of ours is held that its callbacks could miss.
    unsafe { pg_sys::proc_exit(1) };
}

// Postgres' own handlers as they are: pgrx's functions of these names save and restore more than a signal
// handler may.
unsafe extern "C-unwind" {
    fn SignalHandlerForConfigReload(signal: i32);
    fn SignalHandlerForShutdownRequest(signal: i32);
}

/// Signals set a flag and the latch, no more. A cancel, which would end the worker, is not heard.
fn listen() {
    signal(libc::SIGTERM, Some(SignalHandlerForShutdownRequest));
    signal(libc::SIGHUP, Some(SignalHandlerForConfigReload));
    // SAFETY: the disposition of this process, which has one thread.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

fn signal(number: i32, handler: pg_sys::pqsigfunc) {
    // SAFETY: the handlers are Postgres' own, made for this.
    #[cfg(feature = "pg18")]
    unsafe {
        pg_sys::pqsignal_be(number, handler);
    }
    // SAFETY: as above.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        pg_sys::pqsignal(number, handler);
    }
}

/// Whether the worker is to end.
pub fn shutdown_requested() -> bool {
    // SAFETY: reads a variable that the handler sets.
    unsafe { pg_sys::ShutdownRequestPending != 0 }
}

/// Reads the configuration again where that was asked for; says whether it was.
pub fn reloaded() -> bool {
    // SAFETY: the variable is this process' own; the file is read as every process of Postgres does.
    unsafe {
        if pg_sys::ConfigReloadPending == 0 {
            return false;
        }
        pg_sys::ConfigReloadPending = 0;
        pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
    }
    true
}

/// Calls `callback` when this process ends in an orderly way, by an error too.
pub fn at_exit(callback: fn()) {
    static CALLBACK: OnceLock<fn()> = OnceLock::new();

    #[pg_guard]
    unsafe extern "C-unwind" fn call(_code: i32, _argument: pg_sys::Datum) {
        if let Some(callback) = CALLBACK.get() {
            callback();
        }
    }
    if CALLBACK.set(callback).is_ok() {
        // SAFETY: the callback is guarded.
        unsafe { pg_sys::before_shmem_exit(Some(call), pg_sys::Datum::null()) };
    }
}
