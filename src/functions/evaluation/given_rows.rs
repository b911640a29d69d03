//! Rows of runs and judgements that a caller's SELECT gives, and what of memory they and their evaluation take.

use super::held::{meter, too_large};
use super::invalid;
use crate::postgres::query::{self, Row};
use crate::postgres::text::Text;
use protocol::{Fault, FaultCode};
use retrieval_metrics::{Held, Judgement, Retrieved, Rows};
use std::collections::HashSet;

/// Bytes that evaluating a row takes meanwhile, besides the row itself: its place in several orders.
const WORK: usize = 64;
/// The hint of errors about rows.
pub const ROWS: &str = "A run is one row a query and document with its score, judgements are one row each with the relevance.";

/// The rows of a caller's SELECT; those without a number are left out where that is allowed.
pub fn triples(name: &str, sql: &Text, number: &str, null_allowed: bool) -> Result<Rows, Fault> {
    let mut found = Rows::new(&meter());
    let missing = |what: &str| {
        Fault::new(FaultCode::InvalidParameter, format!("{name} has a row whose {what} is NULL"))
            .detail("Which query, document or number it is cannot be told.")
            .hint(ROWS)
    };
    query::for_each(name, sql.as_str(), |(query, item, value): Row| {
        let query = query.ok_or_else(|| missing("query_id"))?;
        let item = item.ok_or_else(|| missing("item_id"))?;
        match value {
            Some(value) => found.push(query.as_str(), item.as_str(), value).map_err(too_large),
            None if null_allowed => Ok(()),
            None => Err(missing(number)),
        }
    })?;
    Ok(found)
}

/// Counts what evaluating so many rows takes, until it is dropped.
pub fn work(rows: usize) -> Result<Held, Fault> {
    let mut held = Held::nothing(&meter());
    held.set(rows.saturating_mul(WORK)).map_err(too_large)?;
    Ok(held)
}

/// Counts the values of every judged query, until it is dropped.
pub fn values(judgements: &[Judgement], metrics: usize) -> Result<Held, Fault> {
    /// Of a query, besides its id and its values.
    const QUERY: usize = 64;
    let queries: HashSet<&str> = judgements.iter().map(|row| row.query).collect();
    let ids: usize = queries.iter().map(|id| id.len()).sum();
    let each = QUERY + metrics * size_of::<f64>();
    let mut held = Held::nothing(&meter());
    held.set(queries.len().saturating_mul(each).saturating_add(ids)).map_err(too_large)?;
    Ok(held)
}

pub fn retrieved(rows: &Rows) -> Vec<Retrieved<'_>> {
    rows.iter().map(|(query, document, score)| Retrieved { query, document, score }).collect()
}

/// Grades are whole numbers, of whichever type.
pub fn judged(rows: &Rows) -> Result<Vec<Judgement<'_>>, Fault> {
    let judgement = |(query, document, number): (_, _, f64)| {
        let grade = number as i32;
        match f64::from(grade) == number {
            true => Ok(Judgement { query, document, grade }),
            false => Err(invalid(
                &format!("the relevance of document {document:?} to query {query:?} is {number}"),
                "Relevance is a whole number: 0 or less for not relevant, 1 and more for how relevant.",
            )),
        }
    };
    rows.iter().map(judgement).collect()
}

pub fn judged_once(rows: &Rows) -> Result<Vec<i32>, Fault> {
    let _work = work(rows.len())?;
    let mut seen = HashSet::new();
    let mut grades = Vec::with_capacity(rows.len());
    for one in judged(rows)? {
        if !seen.insert((one.query, one.document)) {
            let (query, document) = (one.query, one.document);
            let message =
                format!("query {query:?}: document {document:?} occurs twice in the judgements");
            return Err(invalid(&message, ROWS));
        }
        grades.push(one.grade);
    }
    Ok(grades)
}
