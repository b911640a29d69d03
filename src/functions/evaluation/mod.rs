//! Retrieval evaluation: aggregates over ranked rows, whole runs, agreement of assessors.
//!
//! Thin over `retrieval-metrics`. The declarations stand in `sql/evaluation.sql`.

mod aggregates;
mod agreement;
mod given_rows;
mod held;
mod report;
mod runs;

use protocol::{Fault, FaultCode};

/// What cannot be evaluated: the error is the message.
fn invalid(error: &impl std::fmt::Display, hint: &str) -> Fault {
    Fault::new(FaultCode::InvalidParameter, error.to_string())
        .detail("Nothing was computed.")
        .hint(hint)
}

/// The value of an argument that must not be NULL.
fn given<T>(name: &str, argument: Option<T>) -> Result<T, Fault> {
    argument.ok_or_else(|| invalid(&format!("{name} must not be null"), "Give a value for it."))
}
