//! Kept-fresh embedding columns: what changed is embedded, in the statement itself or from a work list.
//!
//! Everything is done with the rights of the table's owner, and through the SQL that users see: an
//! ordinary queue table, ordinary columns. What is registered, by whom and how, is in `sql/columns`.

mod definition;
mod fault;
mod fill;
pub mod guard;
mod hash;
mod inference;
mod known;
mod model;
mod query;
mod trigger;
pub mod worker;

pub use fault::may_be_of_row;
pub use fill::Outcome;
pub use hash::content_hash;
pub use model::{dimensions, fingerprint};
pub use query::embed_query;

use crate::postgres::owner::{AsOwner, AsRegistrar, Caller, lock_for_writing, require_rights_now};
use crate::postgres::spi::{self, Parameter, Rows};
use crate::postgres::text::Text;
use crate::postgres::{extension, registry, relation, trigger::Statement};
use definition::Definition;
use fill::{CONTENT, Row};
use pgrx::pg_sys;
use pgrx::spi::Spi;
use protocol::{Fault, FaultCode, Urgency};

/// Entries of a queue whose rows are read together: few, as a row may hold any number of bytes.
const READ: usize = 32;
/// Bytes of content from which on no further rows are read before those are embedded.
const HELD: usize = 16 << 20;

/// Does what is to be done after a statement that changed rows.
pub fn after(statement: &Statement) -> Result<(), Fault> {
    let table = statement.table();
    if fill::is_writing(table) {
        return Ok(());
    }
    let definitions = known::of(table, || {
        let schema = extension::schema()?;
        let root = relation::ancestors(table).last().copied().unwrap_or(table);
        let _owner = AsOwner::of(root, Caller::Trigger);
        Spi::connect(|_| Definition::triggered(&schema, table))
    })?;
    let concerned = |definition: &&Definition| trigger::concerns(statement, definition);
    let concerned: Vec<&Definition> = definitions.iter().filter(concerned).collect();
    if concerned.is_empty() {
        return Ok(());
    }
    Spi::connect(|_| {
        statement.register();
        concerned.into_iter().try_for_each(|definition| {
            // Of a partition the owner may be another: the expressions are of who owns the table that is registered.
            let _owner = AsOwner::of(definition.table, Caller::Trigger);
            trigger::after(definition)
        })
    })
}

/// Embeds the rows that entries of a queue name, and says what came of each.
///
/// # Errors
/// Faults that are no row's own; raises 42501 without the owner's rights.
pub fn fill_queued(
    table: pg_sys::Oid,
    target: &str,
    entries: &[i64],
) -> Result<Vec<(i64, Outcome)>, Fault> {
    let schema = extension::schema()?;
    // A lock is for who may write: others would stop the writers with it.
    let _owner = AsOwner::of(table, Caller::Member);
    // Before the column is looked up: a swap of columns under way is waited for.
    lock_for_writing(table);
    Spi::connect(|_| {
        let definition = Definition::find(&schema, table, target)?;
        let fingerprint = fingerprint(&definition.model)?;
        let mut all = Vec::with_capacity(entries.len());
        let (mut ids, mut rows): (Vec<i64>, Vec<Row>) = (Vec::new(), Vec::new());
        let mut parts = entries.chunks(READ).peekable();
        while let Some(part) = parts.next() {
            let (known, stale) = read(&definition, part, &fingerprint)?;
            all.extend(known);
            ids.extend(stale.iter().map(|(id, _)| *id));
            rows.extend(stale.into_iter().map(|(_, row)| row));
            let held: usize = rows.iter().map(Row::bytes).sum();
            let full = rows.len() + READ > definition.batch() || held >= HELD;
            if full || parts.peek().is_none() {
                let outcomes =
                    fill::fill(&definition, &rows, &fingerprint, Some(Urgency::Background))?;
                rows.clear();
                all.extend(ids.drain(..).zip(outcomes));
            }
        }
        Ok(all)
    })
}

/// Entries of a queue: those with nothing to do, and those whose rows are to be embedded.
#[expect(clippy::type_complexity, reason = "two lists")]
fn read(
    definition: &Definition,
    entries: &[i64],
    fingerprint: &str,
) -> Result<(Vec<(i64, Outcome)>, Vec<(i64, Row)>), Fault> {
    let sql = &definition.sql;
    let from = format!("{} AS q", sql.queue);
    let from = fill::source(definition, &from, &sql.is_queued, "$2");
    let statement =
        format!("SELECT q.id, {CONTENT} FROM {from} WHERE q.id = ANY ($1) ORDER BY q.id");
    let entries = [Parameter::Numbers(entries), Parameter::Text(Some(fingerprint))];
    let found = spi::execute(&statement, &entries)?;
    let (mut known, mut rows) = (Vec::new(), Vec::new());
    for number in 0..found.count() {
        let id = found.value(number, 1).unwrap_or_default();
        match fill::row(&found, number) {
            Ok(row) => rows.push((id, row)),
            Err(outcome) => known.push((id, outcome)),
        }
    }
    Ok((known, rows))
}

/// Runs a query of the extension's SQL as the table's owner; its rows as texts of JSON.
///
/// # Errors
/// Raises 42501 without the owner's rights, who could do the same by himself.
pub fn rows_as_owner(table: pg_sys::Oid, query: &str) -> Result<Vec<Text>, Fault> {
    let _owner = AsOwner::of(table, Caller::Member);
    Spi::connect(|_| {
        let sql = format!("SELECT pg_catalog.to_jsonb(r)::pg_catalog.text FROM ({query}\n) AS r");
        let rows = spi::execute(&sql, &[])?;
        Ok((0..rows.count()).filter_map(|row| rows.value(row, 1)).collect())
    })
}

/// What may be done to what is registered about a table: the ends of names of SQL functions that its owner may not call.
const RECORDS: [&str; 4] = ["removed", "keys", "progress", "swapped"];

/// Changes what is registered about a table, for who has its owner's rights.
///
/// # Errors
/// Raises 42501 without these rights.
pub fn record(table: pg_sys::Oid, what: &str, given: &str) -> Result<(), Fault> {
    let Some(what) = RECORDS.into_iter().find(|known| *known == what) else {
        return Err(Fault::new(
            FaultCode::InvalidParameter,
            format!("unrecognized record \"{what}\""),
        )
        .detail("It is what has become of an embedding column.")
        .hint(format!("Those known are: {}.", RECORDS.join(", "))));
    };
    let schema = extension::schema()?;
    let registry = registry::table().ok_or_else(extension::missing)?;
    let registrar = AsRegistrar::of(registry, table);
    Spi::connect(|_| {
        let sql = format!(
            "SELECT {schema}.embedding_record_{what}($1::pg_catalog.regclass, $2::pg_catalog.jsonb)"
        );
        spi::execute(&sql, &[Parameter::Oid(table), Parameter::Text(Some(given))]).map(drop)
    })?;
    drop(registrar);
    // A table that was being made or given away meanwhile is in what the statement has seen.
    require_rights_now(table);
    Ok(())
}

/// What draining a queue by one batch came to: taken, embedded, shared, unchanged, failed, busy.
pub type Drained = [i32; 6];

/// Takes a batch out of a queue, as the table's owner.
///
/// # Errors
/// Faults that are no row's own; 42501 without the owner's rights.
pub fn drain(table: pg_sys::Oid, target: &str, batch: i32) -> Result<Drained, Fault> {
    let schema = extension::schema()?;
    let _owner = AsOwner::of(table, Caller::Member);
    Spi::connect(|_| {
        let sql = format!(
            "SELECT d.taken, d.embedded, d.shared, d.unchanged, d.failed, d.busy \
             FROM {schema}.embedding_drain_batch($1::pg_catalog.regclass, $2::pg_catalog.name, $3) AS d"
        );
        let parameters =
            [Parameter::Oid(table), Parameter::Text(Some(target)), Parameter::Int(batch)];
        let rows: Rows = spi::execute(&sql, &parameters)?;
        Ok([1, 2, 3, 4, 5, 6].map(|column| rows.value(0, column).unwrap_or_default()))
    })
}
