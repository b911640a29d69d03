//! An embedding column as it is registered, in pieces of SQL that are quoted already.

use crate::postgres::snapshot::Latest;
use crate::postgres::spi::{self, Parameter, Rows};
use pgrx::pg_sys;
use protocol::{Fault, FaultCode};

/// The expression of what a column does not embed.
const NOTHING: &str = "NULL";
/// Before a table that has no partitions.
const ONLY: &str = "ONLY ";

/// When a changed row is embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// At the end of the statement that changes it.
    Statement,
    /// By the background worker, soon.
    Queue,
    /// When somebody says so.
    Manual,
}

/// One embedding column.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The table that it is registered for; of a partition, the partitioned one.
    pub table: pg_sys::Oid,
    /// Name of the model.
    pub model: String,
    /// Shorter vectors, where they were asked for.
    pub dimensions: Option<usize>,
    /// When rows are embedded.
    pub mode: Mode,
    /// Numbers of the columns that its content and its key depend on, in the relation asked for; 0 for a generated
    /// one, which may change with any.
    pub watched: Vec<i32>,
    /// Schema of the extension, quoted.
    pub schema: String,
    /// pgvector's type `vector`.
    pub vector_type: pg_sys::Oid,
    /// Pieces of statements.
    pub sql: Pieces,
}

/// Pieces of SQL. The table goes by the name `t`, its queue by `q`, changed rows by `n`.
#[derive(Debug, Clone)]
pub struct Pieces {
    /// The table, without its inheritance children.
    pub table: String,
    /// Column of the vectors.
    pub target: String,
    /// Column of the content hashes.
    pub hash: String,
    /// Column of the models' fingerprints.
    pub fingerprint: String,
    /// Expression of the text.
    pub input: String,
    /// Expression of the image.
    pub image: String,
    /// The queue table.
    pub queue: String,
    /// Whether `t` is the row that `q` names.
    pub is_queued: String,
    /// Whether `t` is the row `n`.
    pub is_changed: String,
    /// The key's columns of `t`.
    pub key: String,
    /// The same of `n`.
    pub changed_key: String,
    /// The same of the queue table, for an INSERT.
    pub queue_key: String,
}

impl Definition {
    /// The column `target` of a table.
    ///
    /// # Errors
    /// `UndefinedObject` where it is no embedding column.
    pub fn find(schema: &str, table: pg_sys::Oid, target: &str) -> Result<Self, Fault> {
        let rows = load(schema, table, "c.tbl = $1 AND c.target = $2", Some(target))?;
        rows.into_iter().next().ok_or_else(|| {
            let message = format!("column {target:?} is not an embedding column");
            Fault::new(FaultCode::UndefinedObject, message)
                .detail("It is not registered for this table.")
                .hint("embeddings() lists those that are; add_embedding makes one.")
        })
    }

    /// Those that a trigger of `table` keeps fresh; `table` may be a partition.
    pub fn triggered(schema: &str, table: pg_sys::Oid) -> Result<Vec<Self>, Fault> {
        const OF_TABLE: &str = "c.mode <> 'manual' AND (c.tbl = $1 OR c.tbl IN \
             (SELECT a.relid FROM pg_catalog.pg_partition_ancestors($1) AS a))";
        load(schema, table, OF_TABLE, None)
    }

    /// Rows that are embedded together; fewer where images are held in memory meanwhile.
    pub fn batch(&self) -> usize {
        if self.sql.image == NOTHING { 512 } else { 32 }
    }

    /// Whether it is partitioned.
    pub fn is_partitioned(&self) -> bool {
        !self.sql.table.starts_with(ONLY)
    }

    /// Whether any column that matters is among `changed`.
    pub fn watches(&self, mut changed: impl FnMut(i32) -> bool) -> bool {
        self.watched.iter().any(|column| changed(*column))
    }
}

fn load(
    schema: &str,
    table: pg_sys::Oid,
    which: &str,
    target: Option<&str>,
) -> Result<Vec<Definition>, Fault> {
    let sql = format!("{} WHERE {which} ORDER BY c.target", select(schema));
    // Names mean what the catalog says now, in an older snapshot, too.
    let _latest = Latest::snapshot();
    let rows = spi::query(&sql, &[Parameter::Oid(table), Parameter::Text(target)])?;
    Ok((0..rows.count()).map(|row| definition(schema, &rows, row)).collect())
}

/// Identifiers are quoted here, once.
fn select(schema: &str) -> String {
    format!(
        "SELECT c.tbl::pg_catalog.oid, c.model, c.dimensions, c.mode,
           ARRAY(SELECT CASE a.attgenerated WHEN '' THEN a.attnum ELSE 0 END::pg_catalog.int4 FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = $1 AND a.attname = ANY (c.input_columns || c.key_columns)),
           (SELECT y.oid FROM pg_catalog.pg_type AS y JOIN pg_catalog.pg_extension AS x
                ON x.extnamespace = y.typnamespace AND x.extname = 'vector' WHERE y.typname = 'vector'),
           pg_catalog.format('%s%I.%I', CASE r.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, s.nspname, r.relname),
           pg_catalog.quote_ident(c.target), pg_catalog.quote_ident(c.hash_column),
           pg_catalog.quote_ident(c.fingerprint_column),
           coalesce(c.input_expression, 'NULL'), coalesce(c.image_expression, 'NULL'),
           pg_catalog.format('%I.%I', ws.nspname, w.relname), k.queued, k.changed, k.own, k.new, k.queue
         FROM {schema}.embedding_columns AS c
           JOIN pg_catalog.pg_class AS r ON r.oid = c.tbl
           JOIN pg_catalog.pg_namespace AS s ON s.oid = r.relnamespace
           JOIN pg_catalog.pg_class AS w ON w.oid = c.queue
           JOIN pg_catalog.pg_namespace AS ws ON ws.oid = w.relnamespace
           CROSS JOIN LATERAL (
             SELECT pg_catalog.string_agg(pg_catalog.format('t.%I %s q.key_%s', u.k, u.e, u.o), ' AND '),
                    pg_catalog.string_agg(pg_catalog.format('t.%I %s n.%I', u.k, u.e, u.k), ' AND '),
                    pg_catalog.string_agg(pg_catalog.format('t.%I', u.k), ', ' ORDER BY u.o),
                    pg_catalog.string_agg(pg_catalog.format('n.%I', u.k), ', ' ORDER BY u.o),
                    pg_catalog.string_agg(pg_catalog.format('key_%s', u.o), ', ' ORDER BY u.o)
             FROM ROWS FROM (pg_catalog.unnest(c.key_columns), pg_catalog.unnest(c.key_equals))
                  WITH ORDINALITY AS u (k, e, o)) AS k (queued, changed, own, new, queue)"
    )
}

fn definition(schema: &str, rows: &Rows, row: usize) -> Definition {
    let text = |column| rows.text(row, column).unwrap_or_default();
    let oid = |column| rows.value(row, column).unwrap_or(pg_sys::InvalidOid);
    Definition {
        table: oid(1),
        model: text(2),
        dimensions: size(rows.value(row, 3)),
        mode: match text(4).as_str() {
            "statement" => Mode::Statement,
            "queue" => Mode::Queue,
            _ => Mode::Manual,
        },
        watched: rows.value(row, 5).unwrap_or_default(),
        vector_type: oid(6),
        schema: schema.to_owned(),
        sql: Pieces {
            table: text(7),
            target: text(8),
            hash: text(9),
            fingerprint: text(10),
            input: text(11),
            image: text(12),
            queue: text(13),
            is_queued: text(14),
            is_changed: text(15),
            key: text(16),
            changed_key: text(17),
            queue_key: text(18),
        },
    }
}

/// `dimensions` as it is registered.
pub fn size(dimensions: Option<i32>) -> Option<usize> {
    dimensions.and_then(|n| usize::try_from(n).ok())
}
