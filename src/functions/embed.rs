//! `embed` and `count_tokens`.

use crate::engine;
use crate::functions::rows::{INPUTS, one, pair, positive};
use crate::postgres::array::{ByteaArray, TextArray};
use crate::postgres::error::{raise, required};
use crate::postgres::text::Text;
use crate::postgres::vector::{Vector, VectorArray};
use pgrx::prelude::*;
use protocol::{CountTokens, Embed, Fault, Input};

/// Text, image or both to one vector of the model; NULL where there is nothing to embed.
#[pg_extern(immutable, parallel_restricted, cost = 10000)]
fn embed(
    model: Option<Text>,
    input: Option<Text>,
    image: default!(Option<&[u8]>, "NULL"),
    task: default!(Option<Text>, "'document'"),
    instruction: default!(Option<Text>, "NULL"),
    dimensions: default!(Option<i32>, "NULL"),
) -> Option<Vector> {
    let rows = vec![one(input, image)];
    let vectors = embed_rows(model, rows, task, instruction, dimensions).unwrap_or_else(raise);
    vectors.into_iter().next().flatten().map(Vector)
}

/// Many rows to as many vectors, in the same order, batched; a NULL input gives a NULL vector.
#[pg_extern(immutable, parallel_restricted, cost = 100000, name = "embed")]
fn embed_many(
    model: Option<Text>,
    inputs: Option<TextArray>,
    images: default!(Option<ByteaArray>, "NULL"),
    task: default!(Option<Text>, "'document'"),
    instruction: default!(Option<Text>, "NULL"),
    dimensions: default!(Option<i32>, "NULL"),
) -> Option<VectorArray> {
    let rows = pair(inputs, images, INPUTS).unwrap_or_else(raise)?;
    let vectors = embed_rows(model, rows, task, instruction, dimensions).unwrap_or_else(raise);
    Some(VectorArray(vectors))
}

/// The length of a text in tokens as the model counts, under the `document` prompt and with
/// special tokens: before truncation, after it, and whether anything is cut.
#[pg_extern(stable, parallel_restricted, cost = 1000)]
fn count_tokens(
    model: Text,
    input: Text,
) -> TableIterator<'static, (name!(tokens, i32), name!(used, i32), name!(truncated, bool))> {
    let request = CountTokens { model: model.into_string(), input: input.into_string() };
    let count = engine::count_tokens(request).unwrap_or_else(raise);
    let as_int = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let row = (as_int(count.tokens), as_int(count.used), count.used < count.tokens);
    TableIterator::once(row)
}

fn embed_rows(
    model: Option<Text>,
    inputs: Vec<Input>,
    task: Option<Text>,
    instruction: Option<Text>,
    dimensions: Option<i32>,
) -> Result<Vec<Option<Vec<f32>>>, Fault> {
    let request = Embed {
        model: required(model, "model")?.into_string(),
        task: required(task, "task")?.as_str().parse()?,
        instruction: instruction.map(Text::into_string),
        dimensions: dimensions.map(positive).transpose()?,
        inputs,
    };
    engine::embed(request)
}
