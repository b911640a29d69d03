//! Lines for the server's log, and only there: they may name files.

use crate::postgres::text;
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

fn write(level: PgLogLevel, message: &str) {
    let code = match level {
        PgLogLevel::LOG => PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        _ => PgSqlErrorCode::ERRCODE_WARNING,
    };
    ErrorReport::new(code, text::to_server(message), "").report(level);
}
