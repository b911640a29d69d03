//! `rerank_batch`: `rerank_score` of all rows of a window in one batch.

use crate::functions::rerank::Asked;
use crate::postgres::error::raise;
use crate::postgres::text::Text;
use crate::postgres::window::Partition;
use pgrx::prelude::*;
use protocol::{Fault, FaultCode, Input};
use std::collections::HashMap;
use std::ffi::c_int;
use std::rc::Rc;

// Arguments, in the order of the declaration below.
const QUERY: c_int = 0;
const CANDIDATE: c_int = 1;
const QUERY_IMAGE: c_int = 2;
const CANDIDATE_IMAGE: c_int = 3;
const INSTRUCTION: c_int = 4;
const MODEL: c_int = 5;

/// Of all that is held of a window at once, as of an array: PostgreSQL's own limit for one value.
const MAX_BYTES: usize = (1 << 30) - 1;

/// As `rerank_score`, for all rows of a window's partition in one batch.
#[pg_extern(sql = r#"
CREATE FUNCTION "rerank_batch"(
    "query" text, "candidate" text, "query_image" bytea DEFAULT NULL,
    "candidate_image" bytea DEFAULT NULL, "instruction" text DEFAULT NULL, "model" text DEFAULT NULL
) RETURNS real
LANGUAGE c WINDOW STABLE PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn rerank_batch(fcinfo: pg_sys::FunctionCallInfo) -> Option<f32> {
    let partition = Partition::of(fcinfo).unwrap_or_else(raise);
    partition.number(|| score(&partition)).unwrap_or_else(raise)
}

/// Rows that ask the same.
struct Group {
    asked: Rc<Asked>,
    rows: Vec<usize>,
    candidates: Vec<Input>,
}

/// The scores of all rows; rows that ask the same are scored together.
fn score(partition: &Partition) -> Result<Vec<Option<f32>>, Fault> {
    let groups = groups(partition)?;
    let several = groups.len() > 1;
    let mut scores = vec![None; partition.rows()];
    for Group { asked, rows, candidates } in groups {
        let found = Rc::unwrap_or_clone(asked)
            .score(candidates)
            .map_err(|fault| if several { of_some(fault) } else { fault })?;
        for (row, score) in rows.into_iter().zip(found) {
            scores[row] = score;
        }
    }
    Ok(scores)
}

/// In the order of their first rows.
fn groups(partition: &Partition) -> Result<Vec<Group>, Fault> {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_asked: HashMap<Rc<Asked>, usize> = HashMap::new();
    let mut last: Option<(Vec<Vec<u8>>, usize)> = None;
    let mut bytes = 0;
    // Allocations that fail would end the process, so that it is counted as rows come.
    let mut hold = |row: usize, more: usize| {
        bytes += more;
        if bytes > MAX_BYTES { Err(too_large(row, partition.rows())) } else { Ok(()) }
    };
    for row in 0..partition.rows() {
        // A query's image may be large, and is the same in most rows: it is read where it differs.
        let found = match &last {
            Some((stored, group)) if same(partition, row, stored) => *group,
            _ => {
                let asked = Rc::new(asked(partition, row));
                let next = groups.len();
                let group = *by_asked.entry(Rc::clone(&asked)).or_insert(next);
                if group == next {
                    hold(row, size_of::<Group>() + asked.bytes())?;
                    groups.push(Group { asked, rows: Vec::new(), candidates: Vec::new() });
                }
                last = Some((stored(partition, row), group));
                group
            }
        };
        let candidate = Input {
            text: partition.text(CANDIDATE, row).map(Text::into_string),
            images: partition.bytea(CANDIDATE_IMAGE, row).into_iter().collect(),
        };
        let text = candidate.text.as_ref().map_or(0, String::len);
        let images = candidate.images.iter().map(Vec::len).sum::<usize>();
        hold(row, size_of::<Input>() + text + images)?;
        groups[found].rows.push(row);
        groups[found].candidates.push(candidate);
    }
    Ok(groups)
}

const ASKED: [c_int; 4] = [QUERY, QUERY_IMAGE, INSTRUCTION, MODEL];

/// All that a row asks but its candidate, as it is stored.
fn stored(partition: &Partition, row: usize) -> Vec<Vec<u8>> {
    let bytes =
        |argument| partition.stored(argument, row, |bytes| bytes.unwrap_or_default().to_vec());
    ASKED.map(bytes).to_vec()
}

/// Equal bytes are equal values; a stored value has a header, so that none are those of NULL.
fn same(partition: &Partition, row: usize, last: &[Vec<u8>]) -> bool {
    let same = |(argument, last): (c_int, &Vec<u8>)| {
        partition.stored(argument, row, |bytes| bytes.unwrap_or_default() == last)
    };
    ASKED.into_iter().zip(last).all(same)
}

fn asked(partition: &Partition, row: usize) -> Asked {
    let query = Input {
        text: partition.text(QUERY, row).map(Text::into_string),
        images: partition.bytea(QUERY_IMAGE, row).into_iter().collect(),
    };
    Asked::of(query, partition.text(INSTRUCTION, row), partition.text(MODEL, row))
}

fn of_some(mut fault: Fault) -> Fault {
    let note = "Candidates are counted among the rows of one query, instruction and model.";
    fault.detail = Some([fault.detail.as_deref().unwrap_or_default(), note].join(" "));
    fault
}

fn too_large(row: usize, rows: usize) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "the rows of one window are too large")
        .detail(format!(
            "The first {} of {rows} take more than {MAX_BYTES} bytes, queries and candidates.",
            row + 1
        ))
        .hint("Rerank the best hits of a search: SELECT ... FROM (SELECT ... LIMIT 50) AS hits.")
}
