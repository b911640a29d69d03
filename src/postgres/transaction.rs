//! Transactions: those of a background worker, whose errors are values, and what is done after a session's.

use crate::postgres::deadline;
use crate::postgres::error::raise;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use protocol::Fault;
use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// An error that has ended a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its SQLSTATE.
    pub code: String,
    /// What it said.
    pub message: String,
    /// And in detail.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// What holds in every transaction of a worker, whatever the database, or code of a table's owner in the
/// transaction before, has set. A lock that somebody holds for long must not keep all columns waiting.
const SETTINGS: &[(&CStr, &CStr)] = &[
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"lock_timeout", c"2s"),
    (c"statement_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    (c"transaction_timeout", c"0"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_deferrable", c"off"),
];

/// Runs `work` in a transaction of its own and commits it.
///
/// # Errors
/// What was raised, by the commit too; the transaction is rolled back.
pub fn run<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Problem> {
    run_within(None, work).map_err(|error| match error {
        Ended::Problem(problem) | Ended::Overdue(problem) => problem,
    })
}

/// Why a transaction has ended.
#[derive(Debug)]
pub enum Ended {
    /// By an error.
    Problem(Problem),
    /// It has taken too long; as an error of its own.
    Overdue(Problem),
}

/// As [`run`], where others' code may take so long, but for the time of [`deadline::without`].
///
/// # Errors
/// As there.
pub fn run_within<T>(
    limit: Option<Duration>,
    work: impl FnOnce() -> Result<T, Fault>,
) -> Result<T, Ended> {
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        begin();
        if let Some(limit) = limit {
            deadline::begin(limit);
        }
        let value = work().unwrap_or_else(raise);
        commit();
        Ok(value)
    }))
    .catch_others(|error| Err(Problem::from(error)))
    .execute();
    let overdue = deadline::end();
    if result.is_err() {
        // SAFETY: ends the transaction after its error, as every process of Postgres does.
        unsafe { pg_sys::AbortCurrentTransaction() };
    }
    if result.is_err() || overdue {
        // SAFETY: a flag of this process. A cancel that came meanwhile was meant for this transaction, and not for the next.
        unsafe { pg_sys::QueryCancelPending = 0 };
    }
    result.map_err(|problem: Problem| match limit {
        Some(limit) if overdue && problem.code == CANCELED => Ended::Overdue(too_long(limit)),
        _ => Ended::Problem(problem),
    })
}

/// `query_canceled`
const CANCELED: &str = "57014";

fn too_long(limit: Duration) -> Problem {
    Problem {
        code: CANCELED.to_owned(),
        message: "it took too long".to_owned(),
        detail: Some(format!(
            "Expressions and triggers of a batch may take {} s; the model's time does not count.",
            limit.as_secs_f64()
        )),
        hint: Some(
            "Make the expression faster, or raise itembank_embed.worker_timeout.".to_owned(),
        ),
    }
}

fn begin() {
    for (name, value) in SETTINGS {
        set(name, value);
    }
    // SAFETY: no transaction is open; balanced by `commit`, or by the abort in `run`.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
}

fn commit() {
    // SAFETY: ends what `begin` has begun.
    unsafe {
        pg_sys::PopActiveSnapshot();
        pg_sys::CommitTransactionCommand();
    }
}

/// Sets it for this process, over whatever was set before.
fn set(name: &CStr, value: &CStr) {
    // SAFETY: both are NUL-terminated and copied.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SET,
            true,
            0,
            false,
        );
    }
}

impl From<CaughtError> for Problem {
    fn from(error: CaughtError) -> Self {
        let report = match error {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report,
            CaughtError::RustPanic { ereport, .. } => ereport,
        };
        // SAFETY: gives a static buffer of five letters and a NUL.
        let code = unsafe {
            CStr::from_ptr(pg_sys::unpack_sql_state(report.sql_error_code() as i32))
                .to_string_lossy()
                .into_owned()
        };
        Self {
            code,
            message: report.message().to_owned(),
            detail: report.detail().map(str::to_owned),
            hint: report.hint().map(str::to_owned),
        }
    }
}

/// Whether somebody has this database for himself, or waits for that: to drop or rename it, or to copy it. Within a
/// transaction.
pub fn database_is_locked(database: pg_sys::Oid) -> bool {
    // As every session does when it connects.
    let tag = pg_sys::LOCKTAG {
        locktag_field1: pg_sys::InvalidOid.to_u32(),
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: does not wait; a lock that is had goes with the transaction.
    let result = unsafe { pg_sys::LockAcquire(&tag, pg_sys::RowExclusiveLock as i32, false, true) };
    result == pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// The databases that take connections, in order. Within a transaction; needs no database itself.
pub fn databases() -> Vec<pg_sys::Oid> {
    /// Of one whose DROP was interrupted.
    const INVALID: i32 = -2;
    let mut databases = Vec::new();
    // SAFETY: a scan of a shared catalog, as autovacuum's launcher makes it; the tuples are only looked at.
    unsafe {
        let lock = pg_sys::AccessShareLock as i32;
        let catalog = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let scan = pg_sys::table_beginscan_catalog(catalog, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let row = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            if (*row).datallowconn && (*row).datconnlimit != INVALID {
                databases.push((*row).oid);
            }
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(catalog, lock);
    }
    databases.sort_unstable_by_key(|database| database.to_u32());
    databases
}

thread_local! {
    /// What is to be done when the transaction under way has committed.
    static AFTER_COMMIT: Cell<Option<fn(pg_sys::Oid)>> = const { Cell::new(None) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// Has `call` called with this session's database once the transaction has committed; no more than once for it, and
/// not where it is rolled back or prepared.
///
/// It must not raise an error: there is nothing to roll back any more.
pub fn after_commit(call: fn(pg_sys::Oid)) {
    AFTER_COMMIT.set(Some(call));
    if !LISTENING.replace(true) {
        // SAFETY: the callback is guarded, and registered once in a session.
        unsafe { pg_sys::RegisterXactCallback(Some(ended), std::ptr::null_mut()) };
    }
}

/// A transaction has ended, or is about to.
#[pg_guard]
unsafe extern "C-unwind" fn ended(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    match event {
        pg_sys::XactEvent::XACT_EVENT_COMMIT => {
            if let Some(call) = AFTER_COMMIT.take() {
                // SAFETY: reads a variable of this process.
                call(unsafe { pg_sys::MyDatabaseId });
            }
        }
        pg_sys::XactEvent::XACT_EVENT_ABORT | pg_sys::XactEvent::XACT_EVENT_PREPARE => {
            AFTER_COMMIT.set(None);
        }
        _ => {}
    }
}

/// Whether the transaction was begun by BEGIN, or has several statements.
pub fn is_block() -> bool {
    // SAFETY: reads this process' own state.
    unsafe { pg_sys::IsTransactionBlock() }
}
