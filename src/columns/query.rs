//! A query's vector by the model of the column that it is compared with.

use crate::columns::definition::size;
use crate::columns::model;
use crate::postgres::snapshot::Latest;
use crate::postgres::spi::{self, Parameter};
use crate::postgres::{extension, invalidation};
use pgrx::pg_sys;
use pgrx::spi::Spi;
use protocol::{Fault, FaultCode, Input};
use std::cell::RefCell;

/// Embeds what is searched with as the column is embedded now.
///
/// # Errors
/// `UndefinedObject` where the column is no embedding column; those of the model.
pub fn embed_query(
    table: pg_sys::Oid,
    target: &str,
    input: Input,
    instruction: Option<String>,
) -> Result<Option<Vec<f32>>, Fault> {
    let (model, dimensions) = model_of(table, target)?;
    model::embed_query(&model, dimensions, input, instruction)
}

/// What a column's queries are embedded by.
type Model = (String, Option<usize>);

thread_local! {
    /// With the count of changes at which it was looked up: a plan without an index calls for each row. Of the main thread.
    static LAST: RefCell<Option<(u64, pg_sys::Oid, String, Model)>> = const { RefCell::new(None) };
}

/// As it is at this moment: a name means what the catalog says now, in an older snapshot, too.
fn model_of(table: pg_sys::Oid, target: &str) -> Result<Model, Fault> {
    // Taken before the look: what changes meanwhile is looked up again.
    let changes = invalidation::changes();
    let last = LAST.with_borrow(|last| last.clone());
    if let Some((at, of, column, model)) = last
        && (at, of, column.as_str()) == (changes, table, target)
    {
        return Ok(model);
    }
    let model = look_up(table, target)?;
    LAST.set(Some((changes, table, target.to_owned(), model.clone())));
    Ok(model)
}

fn look_up(table: pg_sys::Oid, target: &str) -> Result<Model, Fault> {
    let schema = extension::schema()?;
    Spi::connect(|_| {
        let _latest = Latest::snapshot();
        let sql = format!(
            "SELECT c.model, c.dimensions FROM {schema}.embedding_columns AS c \
             WHERE c.tbl OPERATOR(pg_catalog.=) $1 AND c.target OPERATOR(pg_catalog.=) $2"
        );
        let column = [Parameter::Oid(table), Parameter::Text(Some(target))];
        let found = spi::query(&sql, &column)?;
        match found.text(0, 1) {
            Some(model) => Ok((model, size(found.value(0, 2)))),
            None => Err(unknown(target)),
        }
    })
}

fn unknown(target: &str) -> Fault {
    Fault::new(FaultCode::UndefinedObject, format!("column {target:?} is not an embedding column"))
        .detail("So its model is not known.")
        .hint("embeddings() lists those that are. For another column use embed(model, …, task => 'query').")
}
