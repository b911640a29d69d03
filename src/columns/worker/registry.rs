//! Which columns of this database a worker is to keep fresh.

use crate::postgres::spi::{self, Rows};
use crate::postgres::transaction::{self, Problem};
use pgrx::pg_sys;
use pgrx::spi::Spi;
use protocol::Fault;

/// What is registered now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// The schema of the extension, quoted.
    pub schema: String,
    /// The columns of mode queue.
    pub columns: Vec<Registered>,
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

/// Reads it; without the extension there is nothing.
///
/// # Errors
/// Where it cannot be read now.
pub fn read() -> Result<Registry, Problem> {
    transaction::run(|| {
        Spi::connect(|_| {
            let Some(schema) = spi::query(SCHEMA, &[])?.text(0, 1) else {
                return Ok(Registry::default());
            };
            let columns = columns(&schema)?;
            Ok(Registry { schema, columns })
        })
    })
}

/// The tables' rows alone: the queues belong to others, whose indexes and types a superuser must not touch.
fn columns(schema: &str) -> Result<Vec<Registered>, Fault> {
    let sql = format!(
        "SELECT t.oid, r.target::pg_catalog.text, \
         pg_catalog.format('%I of %s', r.target, r.tbl), \
         pg_catalog.json_build_object('table', r.tbl::pg_catalog.text, 'target', r.target)::pg_catalog.text \
         FROM {schema}.embedding_columns AS r \
         JOIN pg_catalog.pg_class AS t ON t.oid = r.tbl \
         WHERE r.mode = 'queue' ORDER BY t.oid, r.target"
    );
    let rows = spi::query(&sql, &[])?;
    Ok((0..rows.count()).filter_map(|row| registered(&rows, row)).collect())
}

fn registered(rows: &Rows, row: usize) -> Option<Registered> {
    Some(Registered {
        table: rows.value(row, 1)?,
        target: rows.text(row, 2)?,
        name: rows.text(row, 3)?,
        payload: rows.text(row, 4)?,
    })
}
