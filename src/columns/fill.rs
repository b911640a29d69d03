//! Rows to vectors: reads what rows hold now, embeds what is not fresh, writes it where the row is still the same.
//!
//! Nothing is locked while a model runs. A row is known by its place (`ctid`), which every change moves; the
//! snapshot of the statement around keeps a place from being used again meanwhile.

use crate::columns::definition::Definition;
use crate::columns::inference::{Made, embed_each};
use crate::postgres::spi::{self, Parameter, Rows};
use crate::postgres::trigger;
use crate::postgres::varlena::Bytes;
use crate::postgres::vector::Vector;
use pgrx::pg_sys;
use protocol::{Fault, Input, Urgency};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

/// Where a version of a row lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    table: pg_sys::Oid,
    ctid: String,
}

impl Place {
    /// From two columns, tableoid and ctid as text.
    pub fn of(rows: &Rows, row: usize, column: i32) -> Self {
        Self {
            table: rows.value(row, column).unwrap_or(pg_sys::InvalidOid),
            ctid: rows.text(row, column + 1).unwrap_or_default(),
        }
    }
}

/// Places as the parameters $1 and $2, for [`AT_PLACE`].
pub fn places<'a>(places: impl Iterator<Item = &'a Place> + Clone) -> [Parameter<'a>; 2] {
    [
        Parameter::Oids(places.clone().map(|place| place.table).collect()),
        Parameter::Texts(places.map(|place| Some(place.ctid.as_str())).collect()),
    ]
}

/// Whether the row `t` of a table lies at the place `v`.
pub const AT_PLACE: &str = "t.ctid OPERATOR(pg_catalog.=) v.place::pg_catalog.tid \
    AND t.tableoid OPERATOR(pg_catalog.=) v.tbl";

/// A row whose vector is not of what it holds.
pub struct Row {
    place: Place,
    /// Of its content, in hexadecimal digits; `None` where there is nothing to embed.
    hash: Option<String>,
    input: Input,
    /// Its key as text, for messages.
    pub key: String,
}

impl Row {
    /// Where it lay when it was read.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Bytes of its content.
    pub fn bytes(&self) -> usize {
        let images: usize = self.input.images.iter().map(Vec::len).sum();
        self.input.text.as_ref().map_or(0, String::len) + images
    }
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The model made its vector, or there was nothing to embed.
    Embedded,
    /// It got the vector of a row of the same content.
    Shared,
    /// Its vector was fresh.
    Unchanged,
    /// There is no such row.
    Gone,
    /// Somebody else is changing it, or just has.
    Busy,
    /// It cannot be embedded.
    Failed(Fault),
}

/// What a read of rows says of each, of [`source`]: its state, and the content where that is needed.
pub const CONTENT: &str = "\
    CASE WHEN x.ctid IS NULL THEN 'gone' WHEN x.fresh THEN 'unchanged' ELSE 'stale' END, \
    x.tableoid, x.ctid::pg_catalog.text, pg_catalog.encode(x.hash, 'hex'), \
    CASE WHEN NOT x.fresh THEN x.input END, CASE WHEN NOT x.fresh THEN x.image END, x.key";

/// A FROM clause: rows of `from`, each with `x`, the row of the table for which `which` holds, and whether it is fresh.
///
/// `fingerprint` is an expression for the model's; where that is NULL, vectors of other models count as fresh. OFFSET 0
/// keeps expressions from being evaluated more than once.
pub fn source(definition: &Definition, from: &str, which: &str, fingerprint: &str) -> String {
    let (sql, schema) = (&definition.sql, &definition.schema);
    format!(
        "{from} LEFT JOIN LATERAL (
           SELECT y.*, y.hash IS NOT DISTINCT FROM y.hash_before AND (y.hash IS NULL) = y.empty
                  AND (y.hash IS NULL OR {fingerprint} IS NULL OR y.fingerprint IS NOT DISTINCT FROM {fingerprint}) AS fresh
           FROM (SELECT z.*, {schema}.embedding_hash(z.input, z.image) AS hash
                 FROM (SELECT t.tableoid, t.ctid, ({input}
)::pg_catalog.text AS input, ({image}
)::pg_catalog.bytea AS image, t.{hash} AS hash_before, t.{print} AS fingerprint, t.{target} IS NULL AS empty,
                       pg_catalog.concat_ws(', ', {key}) AS key
                       FROM {table} AS t WHERE {which} OFFSET 0) AS z OFFSET 0) AS y) AS x ON true",
        input = sql.input,
        image = sql.image,
        hash = sql.hash,
        print = sql.fingerprint,
        target = sql.target,
        key = sql.key,
        table = sql.table,
    )
}

/// Reads a row of [`CONTENT`], which begins at column 2. An outcome where there is nothing to do.
pub fn row(rows: &Rows, row: usize) -> Result<Row, Outcome> {
    match rows.text(row, 2).as_deref() {
        Some("unchanged") => return Err(Outcome::Unchanged),
        Some("stale") => {}
        _ => return Err(Outcome::Gone),
    }
    let place = Place::of(rows, row, 3);
    let images = rows.value::<Bytes>(row, 7).map(|image| image.0).into_iter().collect();
    let input = Input { text: rows.text(row, 6), images };
    Ok(Row { place, hash: rows.text(row, 5), input, key: rows.text(row, 8).unwrap_or_default() })
}

/// Embeds rows and writes what came of it; one outcome a row, in order.
///
/// `fingerprint` is the model's, by which vectors of rows with the same content are found.
///
/// # Errors
/// Faults that are no row's own: the engine is away, the model is not installed.
pub fn fill(
    definition: &Definition,
    rows: &[Row],
    fingerprint: &str,
    urgency: Option<Urgency>,
) -> Result<Vec<Outcome>, Fault> {
    let mut contents: Vec<(&str, &Input)> = Vec::new();
    let mut seen = HashSet::new();
    for row in rows {
        if let Some(hash) = row.hash.as_deref()
            && seen.insert(hash)
        {
            contents.push((hash, &row.input));
        }
    }
    let mut made = known(definition, &contents, fingerprint)?;
    contents.retain(|(hash, _)| !made.contains_key(*hash));
    let new: HashSet<&str> = contents.iter().map(|(hash, _)| *hash).collect();
    made.extend(embed_each(definition, &contents, urgency)?);
    let written = write(definition, rows, &made)?;
    let mut first = HashSet::new();
    Ok(rows.iter().map(|row| outcome(row, &made, &written, &new, &mut first)).collect())
}

fn outcome<'a>(
    row: &'a Row,
    made: &HashMap<String, Result<Made, Fault>>,
    written: &HashSet<Place>,
    new: &HashSet<&str>,
    first: &mut HashSet<&'a str>,
) -> Outcome {
    let hash = row.hash.as_deref();
    if let Some(Err(fault)) = hash.and_then(|hash| made.get(hash)) {
        return Outcome::Failed(fault.clone());
    }
    if !written.contains(&row.place) {
        return Outcome::Busy;
    }
    match hash {
        Some(hash) if !new.contains(hash) || !first.insert(hash) => Outcome::Shared,
        _ => Outcome::Embedded,
    }
}

/// Vectors that rows of the same content have already.
fn known(
    definition: &Definition,
    contents: &[(&str, &Input)],
    fingerprint: &str,
) -> Result<HashMap<String, Result<Made, Fault>>, Fault> {
    if contents.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = &definition.sql;
    let statement = format!(
        "SELECT h.hash, x.vector FROM pg_catalog.unnest($1) AS h (hash) CROSS JOIN LATERAL (
           SELECT t.{target}::{vector} AS vector FROM {table} AS t
           WHERE t.{hash} OPERATOR(pg_catalog.=) pg_catalog.decode(h.hash, 'hex')
             AND t.{print} OPERATOR(pg_catalog.=) $2 AND t.{target} IS NOT NULL LIMIT 1) AS x",
        target = sql.target,
        vector = vector_type(definition)?,
        table = sql.table,
        hash = sql.hash,
        print = sql.fingerprint,
    );
    let hashes = contents.iter().map(|(hash, _)| Some(*hash)).collect();
    let found =
        spi::execute(&statement, &[Parameter::Texts(hashes), Parameter::Text(Some(fingerprint))])?;
    let made = |row| {
        let vector = found.value::<Vector>(row, 2).map(|vector| vector.0);
        let made = Made { vector, fingerprint: fingerprint.to_owned() };
        (found.text(row, 1).unwrap_or_default(), Ok(made))
    };
    Ok((0..found.count()).map(made).collect())
}

/// The name of pgvector's type, wherever it is installed.
fn vector_type(definition: &Definition) -> Result<String, Fault> {
    let kind = [Parameter::Oid(definition.vector_type)];
    let name = spi::execute("SELECT pg_catalog.format_type($1, NULL)", &kind)?;
    Ok(name.text(0, 1).unwrap_or_default())
}

/// Writes vectors to the rows that are still where they were, and that nobody else has locked: never waits.
fn write(
    definition: &Definition,
    rows: &[Row],
    made: &HashMap<String, Result<Made, Fault>>,
) -> Result<HashSet<Place>, Fault> {
    let writable: Vec<(&Row, Option<&Made>)> = rows
        .iter()
        .filter_map(|row| match row.hash.as_deref().map(|hash| made.get(hash)) {
            None => Some((row, None)),
            Some(Some(Ok(made))) => Some((row, Some(made))),
            Some(_) => None,
        })
        .collect();
    if writable.is_empty() {
        return Ok(HashSet::new());
    }
    let vectors = writable.iter().map(|(_, made)| made.and_then(|made| made.vector.as_deref()));
    let [tables, ctids] = places(writable.iter().map(|(row, _)| &row.place));
    let parameters = [
        tables,
        ctids,
        Parameter::Vectors(vectors.collect(), definition.vector_type),
        Parameter::Texts(writable.iter().map(|(row, _)| row.hash.as_deref()).collect()),
        Parameter::Texts(
            writable.iter().map(|(_, made)| made.map(|made| made.fingerprint.as_str())).collect(),
        ),
    ];
    let _writing = Writing::to(definition.table);
    let written = spi::execute(&update(definition), &parameters)?;
    Ok((0..written.count()).map(|row| Place::of(&written, row, 1)).collect())
}

fn update(definition: &Definition) -> String {
    let sql = &definition.sql;
    format!(
        "WITH v AS (
           SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),
                                    pg_catalog.unnest($4), pg_catalog.unnest($5))
                         AS v (tbl, place, vector, hash, fingerprint)
         ), locked AS (
           SELECT t.tableoid AS tbl, t.ctid AS place, v.vector, v.hash, v.fingerprint
           FROM {table} AS t JOIN v ON {AT_PLACE}
           FOR NO KEY UPDATE OF t SKIP LOCKED
         )
         UPDATE {table} AS t SET {target} = l.vector, {hash} = pg_catalog.decode(l.hash, 'hex'),
                {print} = l.fingerprint
         FROM locked AS l
         WHERE t.ctid OPERATOR(pg_catalog.=) l.place AND t.tableoid OPERATOR(pg_catalog.=) l.tbl
         RETURNING l.tbl, l.place::pg_catalog.text",
        table = sql.table,
        target = sql.target,
        hash = sql.hash,
        print = sql.fingerprint,
    )
}

thread_local! {
    /// The table that is being written to by this file, and the depth of the triggers around; of the main thread.
    static WRITING: Cell<(pg_sys::Oid, i32)> = const { Cell::new((pg_sys::InvalidOid, 0)) };
}

/// While it lives a trigger can tell that a statement is ours.
struct Writing((pg_sys::Oid, i32));

impl Writing {
    fn to(table: pg_sys::Oid) -> Self {
        Self(WRITING.replace((table, trigger::depth())))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        WRITING.set(self.0);
    }
}

/// Whether the statement that a trigger of this table follows is one of ours, which changes nothing that is embedded. What
/// other triggers of the table do meanwhile is not ours.
pub fn is_writing(table: pg_sys::Oid) -> bool {
    WRITING.get() == (table, trigger::depth() - 1)
}
