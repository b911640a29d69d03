//! Embedding columns: what SQL needs of Rust to keep them fresh, and a query's vector for them.

use crate::columns::{self, Outcome};
use crate::functions::rows::one;
use crate::postgres::error::{code, raise, required};
use crate::postgres::expression;
use crate::postgres::text::{Text, name};
use crate::postgres::trigger::Statement;
use crate::postgres::vector::Vector;
use pgrx::prelude::*;
use protocol::Fault;

/// The sha256 of what a row embeds; NULL where that is nothing.
///
/// Hashed are, for the text if there is one, the letter t, its length in bytes as eight bytes, and its UTF-8; then for the
/// image the same with the letter i. Lengths have the most significant byte first.
#[pg_extern(immutable, parallel_safe, cost = 10)]
fn embedding_hash(input: Option<Text>, image: default!(Option<&[u8]>, "NULL")) -> Option<Vec<u8>> {
    columns::content_hash(input.as_ref().map(Text::as_str), image)
}

/// Nothing, or an error where `expression`, given as `argument`, is not one SQL expression.
#[pg_extern(immutable, parallel_safe)]
fn embedding_check_expression(expression: Text, argument: Text) {
    expression::check(argument.as_str(), expression.as_str()).unwrap_or_else(raise);
}

/// Whether an error may be of one row, by its SQLSTATE.
#[pg_extern(immutable, parallel_safe)]
fn embedding_is_row_fault(code: Text) -> bool {
    columns::may_be_of_row(code.as_str())
}

/// The fingerprint of an installed model: which vectors it gives.
#[pg_extern(stable, parallel_restricted, cost = 1000)]
fn model_fingerprint(model: Text) -> Text {
    Text::from(columns::fingerprint(model.as_str()).unwrap_or_else(raise))
}

/// How many elements the vectors of a model have.
#[pg_extern(stable, parallel_restricted, cost = 1000)]
fn model_dimensions(model: Text) -> i32 {
    let dimensions = columns::dimensions(model.as_str()).unwrap_or_else(raise);
    i32::try_from(dimensions).unwrap_or(i32::MAX)
}

/// Keeps the embedding columns of a table fresh, after each statement.
#[pg_extern(sql = r#"
CREATE FUNCTION "embedding_trigger"() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn embedding_trigger(fcinfo: pg_sys::FunctionCallInfo) {
    Statement::of(fcinfo).and_then(|statement| columns::after(&statement)).unwrap_or_else(raise);
}

/// Embeds the rows that entries of a column's queue name; one outcome an entry.
#[pg_extern(sql = r#"
CREATE FUNCTION "embedding_fill"("tbl" regclass, "target" name, "ids" bigint[])
RETURNS TABLE ("id" bigint, "outcome" text, "code" text, "error" text)
LANGUAGE c STRICT COST 100000 AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn embedding_fill(
    tbl: pg_sys::Oid,
    target: &std::ffi::CStr,
    ids: Vec<Option<i64>>,
) -> TableIterator<
    'static,
    (name!(id, i64), name!(outcome, Text), name!(code, Option<Text>), name!(error, Option<Text>)),
> {
    let ids = ids.into_iter().map(|id| required(id, "an id")).collect::<Result<Vec<_>, _>>();
    let ids = ids.unwrap_or_else(raise);
    let _filling = columns::worker::time::Filling::begin();
    let outcomes = columns::fill_queued(tbl, &name(target), &ids).unwrap_or_else(raise);
    TableIterator::new(outcomes.into_iter().map(|(id, outcome)| {
        let (name, fault) = match outcome {
            Outcome::Embedded => ("embedded", None),
            Outcome::Shared => ("shared", None),
            Outcome::Unchanged => ("unchanged", None),
            Outcome::Gone => ("gone", None),
            Outcome::Busy => ("busy", None),
            Outcome::Failed(fault) => ("failed", Some(fault)),
        };
        let text = |text: &str| Text::from(text.to_owned());
        let code = fault.as_ref().map(code).map(Text::from);
        let error = fault.as_ref().map(|fault| text(&described(fault)));
        (id, text(name), code, error)
    }))
}

/// Takes at most `batch` entries out of a column's queue and embeds their rows, as the table's owner.
#[pg_extern(sql = r#"
CREATE FUNCTION "embedding_drain"("tbl" regclass, "target" name, "batch" int)
RETURNS TABLE ("taken" int, "embedded" int, "shared" int, "unchanged" int, "failed" int, "busy" int)
LANGUAGE c STRICT COST 100000 AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn embedding_drain(
    tbl: pg_sys::Oid,
    target: &std::ffi::CStr,
    batch: i32,
) -> TableIterator<
    'static,
    (
        name!(taken, i32),
        name!(embedded, i32),
        name!(shared, i32),
        name!(unchanged, i32),
        name!(failed, i32),
        name!(busy, i32),
    ),
> {
    let [taken, embedded, shared, unchanged, failed, busy] =
        columns::drain(tbl, &name(target), batch).unwrap_or_else(raise);
    TableIterator::once((taken, embedded, shared, unchanged, failed, busy))
}

/// Has all sessions look again at a table's embedding columns; for who has the rights of its owner.
#[pg_extern(volatile, parallel_restricted)]
fn embedding_announce(tbl: pg_sys::Oid) {
    crate::postgres::owner::require_rights(tbl);
    crate::postgres::invalidation::announce(tbl);
}

/// Whether the statement is one of several of a transaction, so that a procedure cannot commit.
#[pg_extern(volatile, parallel_restricted)]
fn embedding_in_transaction_block() -> bool {
    crate::postgres::transaction::is_block()
}

/// The rows of a query, run as the table's owner: for what evaluates his expressions.
#[pg_extern(sql = r#"
CREATE FUNCTION "embedding_text_as_owner"("tbl" regclass, "statement" text) RETURNS SETOF text
LANGUAGE c STRICT COST 100000 AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
CREATE FUNCTION "embedding_as_owner"("tbl" regclass, "statement" text) RETURNS SETOF jsonb
LANGUAGE sql VOLATILE COST 100000 SET search_path = pg_catalog, pg_temp
AS 'SELECT r::jsonb FROM @extschema@.embedding_text_as_owner($1, $2) AS r';
"#)]
fn embedding_as_owner(tbl: pg_sys::Oid, statement: Text) -> SetOfIterator<'static, Text> {
    let rows = columns::rows_as_owner(tbl, statement.as_str()).unwrap_or_else(raise);
    SetOfIterator::new(rows)
}

/// Changes what is registered about a table, for who has its owner's rights.
#[pg_extern(sql = r#"
CREATE FUNCTION "embedding_record"("tbl" regclass, "what" text, "given" text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn embedding_record(tbl: pg_sys::Oid, what: Text, given: Text) {
    columns::record(tbl, what.as_str(), given.as_str()).unwrap_or_else(raise);
}

/// What is searched with, by the model that a column has now; NULL where there is nothing to embed.
#[pg_extern(sql = r#"
CREATE FUNCTION "embed_query"("tbl" regclass, "target" name, "input" text, "image" bytea DEFAULT NULL,
    "instruction" text DEFAULT NULL) RETURNS vector
LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn embed_query(
    tbl: Option<pg_sys::Oid>,
    target: Option<&std::ffi::CStr>,
    input: Option<Text>,
    image: Option<&[u8]>,
    instruction: Option<Text>,
) -> Option<Vector> {
    let vector = || -> Result<Option<Vec<f32>>, Fault> {
        let table = required(tbl, "tbl")?;
        let target = name(required(target, "target")?);
        columns::embed_query(table, &target, one(input, image), instruction.map(Text::into_string))
    };
    vector().unwrap_or_else(raise).map(Vector)
}

/// A fault in one line.
fn described(fault: &Fault) -> String {
    match &fault.detail {
        Some(detail) => format!("{}: {detail}", fault.message),
        None => fault.message.clone(),
    }
}
