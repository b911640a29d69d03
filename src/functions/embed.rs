//! `embed` and `count_tokens`.

use crate::engine;
use crate::postgres::array::{ByteaArray, TextArray};
use crate::postgres::error::{raise, required};
use crate::postgres::text::Text;
use crate::postgres::vector::{Vector, VectorArray};
use pgrx::prelude::*;
use protocol::{CountTokens, Embed, Fault, FaultCode, Input};

/// One text to one vector of the model; NULL where there is nothing to embed.
#[pg_extern(immutable, parallel_restricted, cost = 10000)]
fn embed(
    model: Option<Text>,
    input: Option<Text>,
    image: default!(Option<&[u8]>, "NULL"),
    task: default!(Option<Text>, "'document'"),
    instruction: default!(Option<Text>, "NULL"),
    dimensions: default!(Option<i32>, "NULL"),
) -> Option<Vector> {
    let images = image.map(<[u8]>::to_vec).into_iter().collect();
    let input = Input { text: input.map(Text::into_string), images };
    let vectors =
        embed_rows(model, vec![input], task, instruction, dimensions).unwrap_or_else(raise);
    vectors.into_iter().next().flatten().map(Vector)
}

/// Many texts to as many vectors, in the same order, batched; a NULL input gives a NULL vector.
#[pg_extern(immutable, parallel_restricted, cost = 100000, name = "embed")]
fn embed_many(
    model: Option<Text>,
    inputs: Option<TextArray>,
    images: default!(Option<ByteaArray>, "NULL"),
    task: default!(Option<Text>, "'document'"),
    instruction: default!(Option<Text>, "NULL"),
    dimensions: default!(Option<i32>, "NULL"),
) -> Option<VectorArray> {
    let rows =
        pair(inputs.map(|texts| texts.0), images.map(|images| images.0)).unwrap_or_else(raise);
    let rows = rows?;
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
    if request.inputs.iter().all(Input::is_null) {
        return Ok(vec![None; request.inputs.len()]);
    }
    engine::embed(request)
}

fn positive(dimensions: i32) -> Result<usize, Fault> {
    usize::try_from(dimensions).ok().filter(|n| *n > 0).ok_or_else(|| {
        Fault::new(FaultCode::InvalidParameter, "dimensions must be positive")
            .detail(format!("It is {dimensions}."))
            .hint("Leave dimensions out for the model's own size.")
    })
}

/// Rows from texts and images of the same length; `None` where both arrays are NULL.
fn pair(
    texts: Option<Vec<Option<String>>>,
    images: Option<Vec<Option<Vec<u8>>>>,
) -> Result<Option<Vec<Input>>, Fault> {
    let rows = match (&texts, &images) {
        (None, None) => return Ok(None),
        (Some(texts), Some(images)) if texts.len() != images.len() => {
            return Err(Fault::new(
                FaultCode::InvalidParameter,
                "inputs and images differ in length",
            )
            .detail(format!("There are {} inputs and {} images.", texts.len(), images.len()))
            .hint("Give one image a row, NULL where a row has none."));
        }
        (Some(texts), _) => texts.len(),
        (None, Some(images)) => images.len(),
    };
    let texts = texts.unwrap_or_else(|| vec![None; rows]);
    let images = images.unwrap_or_else(|| vec![None; rows]);
    let row = |(text, image): (_, Option<_>)| Input { text, images: image.into_iter().collect() };
    Ok(Some(texts.into_iter().zip(images).map(row).collect()))
}
