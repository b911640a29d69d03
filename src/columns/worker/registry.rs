//! Which columns of this database a worker is to keep fresh.

use crate::postgres::spi::{self, Parameter, Rows};
use crate::postgres::transaction::{self, Problem};
use pgrx::pg_sys;
use pgrx::spi::Spi;
use protocol::Fault;

/// Rows that are looked at together: any table's owner may register many, and they are held in memory.
pub const PAGE: usize = 1000;

/// What is registered now, or a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// The schema of the extension, quoted.
    pub schema: String,
    /// The columns of mode queue.
    pub columns: Vec<Registered>,
    /// What comes before them; `None` where this is the beginning.
    pub after: Option<Place>,
    /// Where the next part begins; `None` where nothing is left.
    pub next: Option<Place>,
}

/// A table and the name of a column.
pub type Place = (pg_sys::Oid, String);

impl Registry {
    /// Whether it is all that is registered.
    pub fn is_whole(&self) -> bool {
        self.after.is_none() && self.next.is_none()
    }
}

/// A column of mode queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its table.
    pub table: pg_sys::Oid,
    /// Its name.
    pub target: String,
    /// For people: both.
    pub name: String,
    /// For those who listen: both, as JSON.
    pub payload: String,
}

/// The worker is a superuser: what it reads and calls must be the extension's own, and not something of the same name that
/// somebody has put there where an older version of the extension has none.
const SCHEMA: &str = "\
SELECT pg_catalog.quote_ident(n.nspname) \
FROM pg_catalog.pg_extension AS e \
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace \
WHERE e.extname = 'itembank_embed' \
AND EXISTS (SELECT FROM pg_catalog.pg_class AS c \
    JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
        AND d.objid = c.oid AND d.objsubid = 0 \
    WHERE c.relname = 'embedding_columns' AND c.relnamespace = n.oid AND c.relkind = 'r' \
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid \
        AND d.deptype = 'e') \
AND EXISTS (SELECT FROM pg_catalog.pg_proc AS p \
    JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid \
    WHERE p.proname = 'embedding_drain' AND p.pronamespace = n.oid \
        AND p.proargtypes[0] = 'pg_catalog.regclass'::pg_catalog.regtype \
        AND p.proargtypes[1] = 'pg_catalog.name'::pg_catalog.regtype \
        AND p.proargtypes[2] = 'pg_catalog.int4'::pg_catalog.regtype AND p.pronargs = 3 \
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid \
        AND d.deptype = 'e')";

/// Reads the part that comes after a place, or the first; without the extension there is nothing.
///
/// # Errors
/// Where it cannot be read now.
pub fn read(after: Option<Place>) -> Result<Registry, Problem> {
    transaction::run(|| {
        Spi::connect(|_| {
            let Some(schema) = spi::query(SCHEMA, &[])?.text(0, 1) else {
                return Ok(Registry::default());
            };
            let (columns, next) = part(&schema, after.clone())?;
            Ok(Registry { schema, columns, after, next })
        })
    })
}

/// Some columns, and where others follow. The tables' rows alone: the queues belong to others, whose indexes and types a
/// superuser must not touch. Rows of columns that are not there are nothing to work on.
fn part(schema: &str, after: Option<Place>) -> Result<(Vec<Registered>, Option<Place>), Fault> {
    let sql = format!(
        "SELECT r.tbl::pg_catalog.oid, r.target::pg_catalog.text, \
         pg_catalog.format('%I of %s', r.target, r.tbl), \
         pg_catalog.json_build_object('table', r.tbl::pg_catalog.text, 'target', r.target)::pg_catalog.text, \
         r.mode = 'queue' AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS a \
             WHERE a.attrelid = r.tbl AND a.attname = r.target AND NOT a.attisdropped) \
         FROM (SELECT c.tbl, c.target, c.mode FROM {schema}.embedding_columns AS c \
               WHERE (c.tbl, c.target) > ($1, $2::pg_catalog.name) ORDER BY c.tbl, c.target LIMIT {PAGE}) AS r \
         ORDER BY r.tbl, r.target"
    );
    // Before all tables; 0 would be taken for NULL.
    let (table, target) = after.unwrap_or((pg_sys::Oid::from(1), String::new()));
    let rows = spi::query(&sql, &[Parameter::Oid(table), Parameter::Text(Some(&target))])?;
    let is_there = |row: &usize| rows.value(*row, 5).unwrap_or(false);
    let columns = (0..rows.count()).filter(is_there);
    let columns = columns.filter_map(|row| registered(&rows, row)).collect();
    let last = rows.count().checked_sub(1).filter(|_| rows.count() >= PAGE);
    let next = last.and_then(|row| Some((rows.value(row, 1)?, rows.text(row, 2)?)));
    Ok((columns, next))
}

fn registered(rows: &Rows, row: usize) -> Option<Registered> {
    Some(Registered {
        table: rows.value(row, 1)?,
        target: rows.text(row, 2)?,
        name: rows.text(row, 3)?,
        payload: rows.text(row, 4)?,
    })
}
