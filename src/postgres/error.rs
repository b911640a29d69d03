//! Faults as PostgreSQL errors: the one match from class to SQLSTATE.

use crate::postgres::text;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use protocol::{Fault, FaultCode};

/// Raises `fault` as the error of the current statement.
pub fn raise<T>(fault: Fault) -> T {
    report(fault).report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// A fault as the error of the current statement, in the database's encoding.
pub fn report(fault: Fault) -> ErrorReport {
    let report = ErrorReport::new(sqlstate(fault.code), text::to_server(&fault.message), "");
    let report = match &fault.detail {
        Some(detail) => report.set_detail(text::to_server(detail)),
        None => report,
    };
    match &fault.hint {
        Some(hint) => report.set_hint(text::to_server(hint)),
        None => report,
    }
}

/// The five characters of the SQLSTATE that a fault is raised with.
pub fn code(fault: &Fault) -> String {
    characters(sqlstate(fault.code))
}

/// The five characters of an SQLSTATE.
pub fn characters(code: PgSqlErrorCode) -> String {
    // elog.h: six bits a character.
    let packed = code as u32;
    (0..5).map(|place| char::from((packed >> (6 * place) & 0x3F) as u8 + b'0')).collect()
}

fn sqlstate(code: FaultCode) -> PgSqlErrorCode {
    match code {
        FaultCode::UndefinedObject => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        FaultCode::InvalidParameter => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        FaultCode::InvalidBinary => PgSqlErrorCode::ERRCODE_INVALID_BINARY_REPRESENTATION,
        FaultCode::LimitExceeded => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        FaultCode::ConfigFile => PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR,
        FaultCode::NotInPrerequisiteState => {
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
        }
        FaultCode::InsufficientResources => PgSqlErrorCode::ERRCODE_INSUFFICIENT_RESOURCES,
        FaultCode::ConnectionFailure => PgSqlErrorCode::ERRCODE_CONNECTION_FAILURE,
        FaultCode::Canceled => PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
        FaultCode::Internal => PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
    }
}

/// The value of an argument that must not be NULL.
pub fn required<T>(argument: Option<T>, name: &str) -> Result<T, Fault> {
    argument.ok_or_else(|| {
        Fault::new(FaultCode::InvalidParameter, format!("{name} must not be null"))
            .detail("A null here would leave open how the vector is made.")
            .hint(format!("Give a value for {name}."))
    })
}
