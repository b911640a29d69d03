//! Background workers: the supervisor, which keeps the engine process and starts the others, and those
//! that keep columns fresh. Known to the postmaster, visible in `pg_stat_activity`, asked to stop and to
//! read their settings again by signals.
//!
//! A worker that dies by a signal makes the postmaster restart every session; so nothing runs in the
//! supervisor that could crash, and above all no ONNX Runtime.

use crate::postgres::interrupts;
use crate::postgres::worker_slots::{self, Job, Slot};
use pgrx::bgworkers::{BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::{CString, c_char};
use std::sync::OnceLock;
use std::time::Duration;

/// What the supervisor does; set in the postmaster, inherited by the worker.
static MAIN: OnceLock<fn()> = OnceLock::new();
/// What a worker of the columns does; likewise.
static WORKER: OnceLock<fn(Slot)> = OnceLock::new();

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
    fn StatementCancelHandler(signal: i32);
    fn die(signal: i32);
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

/// What the workers of the columns do; only while libraries are preloaded.
pub fn set_worker(main: fn(Slot)) {
    // Set once: the library is preloaded once.
    let _ = WORKER.set(main);
}

/// Whether this server may have workers of the columns now: not while it is a standby.
pub fn may_start() -> bool {
    // SAFETY: reads shared memory.
    worker_slots::available() && unsafe { !pg_sys::RecoveryInProgress() }
}

/// Has the postmaster start a worker of the columns; false where it has no room for one more.
pub fn start(job: &Job) -> bool {
    let (name, kind) = match job.database() {
        worker_slots::NONE => ("itembank_embed launcher".to_owned(), "itembank_embed launcher"),
        database => (
            format!("itembank_embed worker for database {}", database.to_u32()),
            "itembank_embed worker",
        ),
    };
    let mut worker = pg_sys::BackgroundWorker {
        bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION)
            as i32,
        bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished,
        // The supervisor starts it again where it is needed: the postmaster would even where its database
        // is gone.
        bgw_restart_time: pg_sys::BGW_NEVER_RESTART,
        bgw_main_arg: job.argument(),
        ..Default::default()
    };
    fill(&mut worker.bgw_name, &name);
    fill(&mut worker.bgw_type, kind);
    fill(&mut worker.bgw_library_name, "itembank_embed");
    fill(&mut worker.bgw_function_name, "itembank_embed_worker");
    // SAFETY: the description is copied.
    unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, std::ptr::null_mut()) }
}

/// Into zeroes, of which the last stays.
fn fill(to: &mut [c_char], text: &str) {
    let length = to.len().saturating_sub(1);
    for (to, from) in to[..length].iter_mut().zip(text.bytes()) {
        *to = from as c_char;
    }
}

/// Where the postmaster enters a worker of the columns.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn itembank_embed_worker(argument: pg_sys::Datum) {
    // As in a session: a batch under way ends by an error, or with the process.
    signal(libc::SIGTERM, Some(die));
    signal(libc::SIGINT, Some(StatementCancelHandler));
    signal(libc::SIGHUP, Some(SignalHandlerForConfigReload));
    let slot = Slot::take(argument);
    // SAFETY: the handlers are in place.
    unsafe { pg_sys::BackgroundWorkerUnblockSignals() };
    if let (Some(slot), Some(main)) = (slot, WORKER.get()) {
        connect(slot.database());
        main(slot);
    }
    // SAFETY: nothing of ours is held that its callbacks could miss. With 0 nothing is said in the log.
    unsafe { pg_sys::proc_exit(0) };
}

/// As the superuser that the cluster was made with, like autovacuum. Ends the process where that database is gone.
fn connect(database: pg_sys::Oid) {
    // SAFETY: called once, from the worker's own main function.
    unsafe {
        match database {
            worker_slots::NONE => {
                pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
            }
            database => {
                let user = pg_sys::InvalidOid;
                pg_sys::BackgroundWorkerInitializeConnectionByOid(database, user, 0);
            }
        }
    }
}

/// Whether a worker of the columns is to end. Outside of transactions.
pub fn terminated() -> bool {
    // SAFETY: reads a variable that the handler sets.
    unsafe { pg_sys::ProcDiePending != 0 }
}

/// Waits for the latch, or the time, and does what Postgres wants of this process in between two transactions. A cancel
/// has nothing to cancel there.
pub fn idle(time: Duration) {
    interrupts::rest(time);
    serve();
}

/// Does what Postgres wants of this process in between two transactions, but for its end, which [`terminated`] tells.
pub fn serve() {
    // SAFETY: a variable of this process; and what was counted goes to the statistics, once a second at most, for
    // autovacuum to see.
    unsafe {
        pg_sys::QueryCancelPending = 0;
        pg_sys::pgstat_report_stat(false);
    }
    if !terminated() {
        interrupts::serve();
    }
}

/// What `pg_stat_activity` shows: the statement under way, or with `None` that there is none.
pub fn show(statement: Option<&str>) {
    let statement = statement.and_then(|statement| CString::new(statement).ok());
    // SAFETY: the text is copied.
    unsafe {
        match &statement {
            Some(statement) => pg_sys::pgstat_report_activity(
                pg_sys::BackendState::STATE_RUNNING,
                statement.as_ptr(),
            ),
            None => {
                pg_sys::pgstat_report_stat(true);
                pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
            }
        }
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

/// Whether pg_upgrade runs this server, for its own ends.
pub fn is_binary_upgrade() -> bool {
    // SAFETY: reads a variable that is set when the process starts.
    unsafe { pg_sys::IsBinaryUpgrade }
}
