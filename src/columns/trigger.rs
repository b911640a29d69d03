//! What a statement changed: embedded at its end, or noted for the worker.

use crate::columns::definition::{Definition, Mode};
use crate::columns::fault::may_be_of_row;
use crate::columns::fill::{self, AT_PLACE, CONTENT, Outcome, Place, Row};
use crate::columns::{self, worker};
use crate::postgres::spi::{self, Cursor};
use crate::postgres::subtransaction;
use crate::postgres::trigger::Statement;
use protocol::{Fault, FaultCode};
use std::ffi::c_long;
use std::panic::AssertUnwindSafe;

/// The statement's rows as they are now.
const CHANGED: &str = "embedding_new AS n";

/// Sees to a column that a statement concerns; runs as the table's owner, SPI connected.
pub fn after(definition: &Definition) -> Result<(), Fault> {
    match definition.mode {
        Mode::Statement => embed(definition),
        Mode::Queue => queue(definition),
        Mode::Manual => Ok(()),
    }
}

/// Whether the statement may have changed a content. A trigger before rows may change any column.
pub fn concerns(statement: &Statement, definition: &Definition) -> bool {
    statement.may_change_any() || definition.watches(|column| statement.changed(column))
}

/// Embeds the rows whose content is another now.
fn embed(definition: &Definition) -> Result<(), Fault> {
    let from =
        fill::source(definition, CHANGED, &definition.sql.is_changed, "NULL::pg_catalog.text");
    let sql =
        format!("SELECT NULL::pg_catalog.int8, {CONTENT} FROM {from} WHERE x.fresh IS NOT TRUE");
    if definition.is_partitioned() {
        // All locks that the UPDATE takes, before the first that reading does: who has one of a partition would else wait
        // for us, and we for him.
        spi::execute(&format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", definition.sql.table), &[])?;
    }
    let cursor = Cursor::open(&sql, &[], false)?;
    let mut fingerprint: Option<String> = None;
    while let Some(rows) = cursor.fetch(c_long::try_from(definition.batch()).unwrap_or(1)) {
        let stale: Vec<Row> =
            (0..rows.count()).filter_map(|row| fill::row(&rows, row).ok()).collect();
        drop(rows);
        if stale.is_empty() {
            continue;
        }
        // Asked for where it is needed: most statements change no content.
        if fingerprint.is_none() {
            fingerprint = Some(columns::fingerprint(&definition.model)?);
        }
        let known = fingerprint.as_deref().unwrap_or_default();
        let outcomes = fill::fill(definition, &stale, known, None)?;
        let mut left = Vec::new();
        for (row, outcome) in stale.iter().zip(outcomes) {
            match outcome {
                Outcome::Failed(fault) => return Err(of_row(definition, row, fault)),
                Outcome::Busy => left.push(row),
                _ => {}
            }
        }
        written(definition, &left)?;
    }
    cursor.close();
    Ok(())
}

/// Whether rows that were not written have changed meanwhile, and so were seen to by the trigger of that change. Where one is
/// as it was, something has kept its vector from being stored.
fn written(definition: &Definition, rows: &[&Row]) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT pg_catalog.concat_ws(', ', {}) FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) \
             AS v (tbl, place) JOIN {} AS t ON {AT_PLACE} LIMIT 1",
        definition.sql.key, definition.sql.table
    );
    let found = spi::execute(&sql, &fill::places(rows.iter().map(|row| row.place())))?;
    match found.text(0, 1) {
        None => Ok(()),
        Some(key) => Err(suppressed(definition, &key)),
    }
}

fn suppressed(definition: &Definition, key: &str) -> Fault {
    let target = &definition.sql.target;
    Fault::new(FaultCode::NotInPrerequisiteState, "a vector could not be stored")
        .detail(format!("Embedding column {target}, row ({key}): a trigger or rule suppressed its UPDATE."))
        .hint("Let triggers pass updates of the embedding's columns, or use mode 'queue' or 'manual'.")
}

/// Puts the rows whose content is another now on the work list. Where a row's content cannot even be told, that is for the
/// work list, too, and not for the statement: all its rows are put there unseen.
fn queue(definition: &Definition) -> Result<(), Fault> {
    let sql = &definition.sql;
    let (queue, into) = (&sql.queue, &sql.queue_key);
    // In a subtransaction that only reads, which costs no transaction number.
    match subtransaction::attempt(AssertUnwindSafe(|| changed(definition))) {
        Ok(places) => {
            let places = places?;
            if places.is_empty() {
                return Ok(());
            }
            let statement = format!(
                "INSERT INTO {queue} ({into}) SELECT {} FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) \
                     AS v (tbl, place) JOIN {} AS t ON {AT_PLACE}",
                sql.key, sql.table
            );
            spi::execute(&statement, &fill::places(places.iter()))?;
        }
        Err(error) if may_wait(&subtransaction::code(&error)) => {
            let key = &sql.changed_key;
            let statement = format!("INSERT INTO {queue} ({into}) SELECT {key} FROM {CHANGED}");
            spi::execute(&statement, &[])?;
        }
        Err(error) => error.rethrow(),
    }
    worker::wake_at_commit();
    Ok(())
}

/// Where the rows lie whose content is another now.
fn changed(definition: &Definition) -> Result<Vec<Place>, Fault> {
    let which = &definition.sql.is_changed;
    let from = fill::source(definition, CHANGED, which, "NULL::pg_catalog.text");
    let sql =
        format!("SELECT x.tableoid, x.ctid::pg_catalog.text FROM {from} WHERE x.fresh IS FALSE");
    let rows = spi::execute(&sql, &[])?;
    Ok((0..rows.count()).map(|row| Place::of(&rows, row, 1)).collect())
}

/// Whether an error may be a row's. One of the server itself is told to whoever made the statement, who can still do
/// something about it; a worker that stopped at it would never get past the row.
fn may_wait(code: &str) -> bool {
    may_be_of_row(code) && !code.starts_with("XX")
}

/// The fault of a row within a statement of many.
fn of_row(definition: &Definition, row: &Row, mut fault: Fault) -> Fault {
    let whole = fault.detail.unwrap_or_default();
    let (target, key) = (&definition.sql.target, &row.key);
    fault.detail = Some(format!("{whole} Embedding column {target}, row ({key})."));
    fault
}
