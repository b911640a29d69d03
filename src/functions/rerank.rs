//! `rerank` and `rerank_score`: how well candidates match a query.
//!
//! `STABLE`, not immutable: which model answers may be a setting, and no column is made of scores.

use crate::engine;
use crate::functions::named_model::which_model;
use crate::functions::rows::{one, pair};
use crate::postgres::array::{ByteaArray, TextArray};
use crate::postgres::error::raise;
use crate::postgres::settings::{self, NamedModel};
use crate::postgres::text::Text;
use pgrx::prelude::*;
use protocol::{Fault, Input, Rerank};
use std::cmp::Ordering;

/// Candidates by score, best first: their numbers from 1, themselves, and their scores.
///
/// A NULL candidate has a NULL score and comes last; equal scores keep the order given.
#[pg_extern(stable, parallel_restricted, cost = 1000000)]
fn rerank(
    query: Option<Text>,
    candidates: Option<TextArray>,
    query_image: default!(Option<&[u8]>, "NULL"),
    candidate_images: default!(Option<ByteaArray>, "NULL"),
    instruction: default!(Option<Text>, "NULL"),
    model: default!(Option<Text>, "NULL"),
) -> TableIterator<
    'static,
    (name!(index, i32), name!(candidate, Option<Text>), name!(score, Option<f32>)),
> {
    let names = ["candidates", "candidate_images"];
    let candidates = pair(candidates, candidate_images, names).unwrap_or_else(raise);
    let candidates = candidates.unwrap_or_default();
    let texts: Vec<_> = candidates.iter().map(|candidate| candidate.text.clone()).collect();
    let asked = Asked::of(one(query, query_image), instruction, model);
    let scores = asked.score(candidates).unwrap_or_else(raise);
    let rows = (1..).zip(texts).zip(scores);
    let rows = rows.map(|((index, text), score)| (index, text.map(Text::from), score));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|(.., a), (.., b)| best_first(*a, *b));
    TableIterator::new(rows)
}

/// How well one candidate matches the query; NULL where either is.
#[pg_extern(stable, parallel_restricted, cost = 10000)]
fn rerank_score(
    query: Option<Text>,
    candidate: Option<Text>,
    query_image: default!(Option<&[u8]>, "NULL"),
    candidate_image: default!(Option<&[u8]>, "NULL"),
    instruction: default!(Option<Text>, "NULL"),
    model: default!(Option<Text>, "NULL"),
) -> Option<f32> {
    let asked = Asked::of(one(query, query_image), instruction, model);
    let scores = asked.score(vec![one(candidate, candidate_image)]).unwrap_or_else(raise);
    scores.into_iter().next().flatten()
}

/// All that is asked of candidates but they themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    query: Input,
    instruction: Option<String>,
    model: Option<String>,
}

impl Asked {
    /// From the arguments; an empty instruction is none.
    pub fn of(query: Input, instruction: Option<Text>, model: Option<Text>) -> Self {
        let instruction = instruction.map(Text::into_string).filter(|text| !text.is_empty());
        Self { query, instruction, model: model.map(Text::into_string) }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let texts = [&self.query.text, &self.instruction, &self.model].into_iter().flatten();
        let images = self.query.images.iter().map(Vec::len).sum::<usize>();
        size_of::<Self>() + images + texts.map(String::len).sum::<usize>()
    }

    /// One score a candidate, in order.
    pub fn score(self, candidates: Vec<Input>) -> Result<Vec<Option<f32>>, Fault> {
        let Self { query, instruction, model } = self;
        let named = model.is_some();
        let model = model.map_or_else(|| settings::model_name(NamedModel::Rerank), Ok)?;
        let request = Rerank { model, instruction, query, candidates };
        engine::rerank(request).map_err(|fault| match named {
            true => fault,
            false => which_model(fault, NamedModel::Rerank),
        })
    }
}

/// Larger scores first, none last; the engine gives no NaN.
fn best_first(a: Option<f32>, b: Option<f32>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        _ => b.is_some().cmp(&a.is_some()),
    }
}
