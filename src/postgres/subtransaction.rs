//! An attempt whose failure undoes what it did, and nothing else.

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Runs `work` in a subtransaction; an error that Postgres raises meanwhile is given back, and what was done is undone.
///
/// What only reads costs no transaction number.
pub fn attempt<T>(
    work: impl FnOnce() -> T + UnwindSafe + RefUnwindSafe,
) -> Result<T, Box<CaughtError>> {
    // SAFETY: within a transaction, as every function call is; memory context and resource owner are those of
    // before in any case, as PL/pgSQL does it for a block with EXCEPTION.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let outcome =
            PgTryBuilder::new(|| Ok(work())).catch_others(|error| Err(Box::new(error))).execute();
        match &outcome {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => {
                pg_sys::MemoryContextSwitchTo(context);
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        outcome
    }
}

/// The SQLSTATE of an error that was caught, as five characters.
pub fn code(error: &CaughtError) -> String {
    let report = match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report,
        CaughtError::RustPanic { ereport, .. } => ereport,
    };
    crate::postgres::error::characters(report.sql_error_code())
}
