//! Lines for the server's log, and only there: they may name files.

use crate::postgres::text;
use crate::postgres::transaction::Problem;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Messages of ONNX Runtime in this session.
pub fn onnxruntime(messages: Vec<String>) {
    for message in messages {
        write(PgLogLevel::LOG_SERVER_ONLY, &format!("onnxruntime: {message}"));
    }
}

/// A line of the engine process, or about it.
pub fn engine(warning: bool, text: &str) {
    let level = if warning { PgLogLevel::WARNING } else { PgLogLevel::LOG };
    write(level, &format!("itembank-engine: {text}"));
}

/// What keeps a worker of the columns from its work. Within a transaction.
pub fn worker(text: &str, problem: &Problem) {
    let message = text::to_server(&format!("{text}: {}", problem.message));
    let report = ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "");
    let report = match &problem.detail {
        Some(detail) => report.set_detail(text::to_server(detail)),
        None => report,
    };
    let report = match &problem.hint {
        Some(hint) => report.set_hint(text::to_server(hint)),
        None => report,
    };
    report.report(PgLogLevel::WARNING);
}

/// What keeps the supervisor from starting workers.
pub fn supervisor(message: &'static str, hint: &str) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "")
        .set_hint(hint)
        .report(PgLogLevel::WARNING);
}

fn write(level: PgLogLevel, message: &str) {
    let code = match level {
        PgLogLevel::LOG => PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        _ => PgSqlErrorCode::ERRCODE_WARNING,
    };
    ErrorReport::new(code, text::to_server(message), "").report(level);
}
