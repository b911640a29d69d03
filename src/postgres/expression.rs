//! Whether a text is one SQL expression: by Postgres' own grammar, before it becomes a part of a statement.

use crate::postgres::text::to_server;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::prelude::*;
use protocol::{Fault, FaultCode};
use std::ffi::{CStr, CString};

const HINT: &str = "Give one expression over the columns of the table, such as a column's name.";

/// Checks that `text`, given as the argument `name`, is one expression and nothing else.
///
/// Such a text can be put between parentheses, with a line break behind it for the sake of comments.
///
/// # Errors
/// `InvalidParameter` where it is something else. Raises 42601 where it does not parse at all.
pub fn check(name: &str, text: &str) -> Result<(), Fault> {
    let source = CString::new(to_server(text)).map_err(|_| refused(name, "It has a NUL byte"))?;
    // SAFETY: the text is NUL-terminated. What is parsed as an expression of PL/pgSQL is a list of one raw
    // statement, a SELECT without its keyword; its parts are checked for their kinds before they are read.
    unsafe {
        let statements = parsed(name, &source);
        if statements.is_null() || (*statements).length != 1 {
            return Err(refused(name, "It is not one expression"));
        }
        let statement = (*pg_sys::list_nth(statements, 0).cast::<pg_sys::RawStmt>()).stmt;
        if statement.is_null() || (*statement).type_ != pg_sys::NodeTag::T_SelectStmt {
            return Err(refused(name, "It is a statement"));
        }
        one_target(name, &*statement.cast::<pg_sys::SelectStmt>())
    }
}

/// As the grammar has it; what it refuses is said with what it should be.
fn parsed(name: &str, source: &CStr) -> *mut pg_sys::List {
    let kind = pg_sys::RawParseMode::RAW_PARSE_PLPGSQL_EXPR;
    // SAFETY: the text is NUL-terminated; the grammar holds nothing but memory when it fails.
    PgTryBuilder::new(|| unsafe { pg_sys::raw_parser(source.as_ptr(), kind) })
        .catch_when(PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, |error| {
            let said = match &error {
                CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
                    report.message().to_owned()
                }
                CaughtError::RustPanic { .. } => error.rethrow(),
            };
            let message = format!("{name} is not an SQL expression");
            ErrorReport::new(PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, message, "")
                .set_detail(format!("{said}."))
                .set_hint(HINT)
                .report(PgLogLevel::ERROR);
            unreachable!("an ERROR does not return")
        })
        .execute()
}

/// # Safety
/// `select` is of the parser.
unsafe fn one_target(name: &str, select: &pg_sys::SelectStmt) -> Result<(), Fault> {
    let others = [
        select.distinctClause,
        select.fromClause,
        select.groupClause,
        select.windowClause,
        select.valuesLists,
        select.sortClause,
        select.lockingClause,
    ];
    let clauses = [select.whereClause, select.havingClause, select.limitOffset, select.limitCount];
    let plain = others.iter().all(|list| list.is_null())
        && clauses.iter().all(|node| node.is_null())
        && select.intoClause.is_null()
        && select.withClause.is_null()
        && select.op == pg_sys::SetOperation::SETOP_NONE;
    if !plain {
        return Err(refused(name, "It has clauses of a query"));
    }
    // SAFETY: the caller's promise; a target list holds targets.
    unsafe {
        let targets = select.targetList;
        if targets.is_null() || (*targets).length != 1 {
            return Err(refused(name, "It is not one expression"));
        }
        let target = pg_sys::list_nth(targets, 0).cast::<pg_sys::ResTarget>();
        if !(*target).name.is_null() {
            return Err(refused(name, "It has a name of its own"));
        }
    }
    Ok(())
}

fn refused(name: &str, what: &str) -> Fault {
    Fault::new(FaultCode::InvalidParameter, format!("{name} is not an SQL expression"))
        .detail(format!("{what}."))
        .hint(HINT)
}
