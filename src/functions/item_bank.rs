//! The models of an item bank by name: `qwen_embed`, `kure_embed`, `siglip_embed_text`,
//! `siglip_embed_image`, `combined_embed`. Which model stands behind each is a setting.

use crate::engine;
use crate::functions::named_model::which_model;
use crate::functions::rows::{INPUTS, one, pair, positive, texts};
use crate::postgres::array::{ByteaArray, TextArray};
use crate::postgres::error::raise;
use crate::postgres::settings::{self, NamedModel};
use crate::postgres::text::Text;
use crate::postgres::vector::{Vector, VectorArray};
use pgrx::prelude::*;
use protocol::{Embed, Fault, Input, Task};

type Vectors = Vec<Option<Vec<f32>>>;

/// Text, image or both to one vector of Qwen3-VL-Embedding (2048 dimensions, or fewer).
#[pg_extern(immutable, parallel_restricted, cost = 100000)]
fn qwen_embed(
    input: Option<Text>,
    image: default!(Option<&[u8]>, "NULL"),
    instruction: default!(Option<Text>, "NULL"),
    dimensions: default!(Option<i32>, "NULL"),
) -> Option<Vector> {
    let vectors = qwen(vec![one(input, image)], instruction, dimensions);
    first(vectors.unwrap_or_else(raise))
}

/// Many rows of texts and images at once, batched, in the same order.
#[pg_extern(immutable, parallel_restricted, cost = 1000000, name = "qwen_embed")]
fn qwen_embed_many(
    inputs: Option<TextArray>,
    images: default!(Option<ByteaArray>, "NULL"),
    instruction: default!(Option<Text>, "NULL"),
    dimensions: default!(Option<i32>, "NULL"),
) -> Option<VectorArray> {
    let rows = pair(inputs, images, INPUTS).unwrap_or_else(raise)?;
    Some(VectorArray(qwen(rows, instruction, dimensions).unwrap_or_else(raise)))
}

/// A text to one vector of KURE-v1 (1024 dimensions).
#[pg_extern(immutable, parallel_restricted, cost = 10000)]
fn kure_embed(input: Option<Text>) -> Option<Vector> {
    first(plain(NamedModel::Kure, vec![one(input, None)]).unwrap_or_else(raise))
}

/// Many texts at once, batched, in the same order.
#[pg_extern(immutable, parallel_restricted, cost = 100000, name = "kure_embed")]
fn kure_embed_many(inputs: Option<TextArray>) -> Option<VectorArray> {
    Some(VectorArray(plain(NamedModel::Kure, texts(inputs?)).unwrap_or_else(raise)))
}

/// A text to one vector of SigLIP's text tower, comparable with those of its image tower.
#[pg_extern(immutable, parallel_restricted, cost = 10000)]
fn siglip_embed_text(input: Option<Text>) -> Option<Vector> {
    first(plain(NamedModel::Siglip, vec![one(input, None)]).unwrap_or_else(raise))
}

/// Many texts at once, batched, in the same order.
#[pg_extern(immutable, parallel_restricted, cost = 100000, name = "siglip_embed_text")]
fn siglip_embed_text_many(inputs: Option<TextArray>) -> Option<VectorArray> {
    Some(VectorArray(plain(NamedModel::Siglip, texts(inputs?)).unwrap_or_else(raise)))
}

/// An image to one vector of SigLIP's image tower.
#[pg_extern(immutable, parallel_restricted, cost = 10000)]
fn siglip_embed_image(image: Option<&[u8]>) -> Option<Vector> {
    first(plain(NamedModel::Siglip, vec![one(None, image)]).unwrap_or_else(raise))
}

/// Many images at once, batched, in the same order.
#[pg_extern(immutable, parallel_restricted, cost = 100000, name = "siglip_embed_image")]
fn siglip_embed_image_many(images: Option<ByteaArray>) -> Option<VectorArray> {
    let rows = pair(None, images, INPUTS).unwrap_or_else(raise)?;
    Some(VectorArray(plain(NamedModel::Siglip, rows).unwrap_or_else(raise)))
}

/// KURE-v1's vector of the text followed by SigLIP's of the image, of length 1 as a whole.
///
/// A side that is NULL is zeros.
#[pg_extern(immutable, parallel_restricted, cost = 100000)]
fn combined_embed(input: Option<Text>, image: Option<&[u8]>) -> Option<Vector> {
    first(combined(vec![one(input, image)]).unwrap_or_else(raise))
}

/// Many rows of texts and images at once, batched, in the same order.
#[pg_extern(immutable, parallel_restricted, cost = 1000000, name = "combined_embed")]
fn combined_embed_many(
    inputs: Option<TextArray>,
    images: Option<ByteaArray>,
) -> Option<VectorArray> {
    let rows = pair(inputs, images, INPUTS).unwrap_or_else(raise)?;
    Some(VectorArray(combined(rows).unwrap_or_else(raise)))
}

fn qwen(
    inputs: Vec<Input>,
    instruction: Option<Text>,
    dimensions: Option<i32>,
) -> Result<Vectors, Fault> {
    let mut request = request(NamedModel::Qwen, inputs)?;
    request.instruction = instruction.map(Text::into_string);
    request.dimensions = dimensions.map(positive).transpose()?;
    engine::embed(request).map_err(|fault| which_model(fault, NamedModel::Qwen))
}

fn plain(model: NamedModel, inputs: Vec<Input>) -> Result<Vectors, Fault> {
    engine::embed(request(model, inputs)?).map_err(|fault| which_model(fault, model))
}

fn combined(inputs: Vec<Input>) -> Result<Vectors, Fault> {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for Input { text, images: pictures } in inputs {
        texts.push(Input { text, images: Vec::new() });
        images.push(Input { text: None, images: pictures });
    }
    let texts = request(NamedModel::Kure, texts)?;
    let images = request(NamedModel::Siglip, images)?;
    engine::embed_combined(texts, images).map_err(|(fault, is_image)| {
        which_model(fault, if is_image { NamedModel::Siglip } else { NamedModel::Kure })
    })
}

fn request(model: NamedModel, inputs: Vec<Input>) -> Result<Embed, Fault> {
    Ok(Embed {
        model: settings::model_name(model)?,
        task: Task::Document,
        instruction: None,
        dimensions: None,
        inputs,
    })
}

fn first(vectors: Vectors) -> Option<Vector> {
    vectors.into_iter().next().flatten().map(Vector)
}
