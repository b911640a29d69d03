//! Qwen3-VL as an embedder: images and text in one sequence, one vector.
//!
//! Source: Qwen3-VL-Embedding (QwenLM, 2026): prompts, sizes and pooling as its reference code.

mod chat;
mod positions;
mod vision;

use crate::batch;
use crate::cancel::Cancel;
use crate::family::{Family, Model};
use crate::image::SmartResize;
use crate::lazy::Lazy;
use crate::limits;
use crate::loading;
use crate::manifest::{ImageFiles, ImageTokens, Sizing};
use crate::session::{Element, Graph};
use crate::text::{TextEncoder, pad_right};
use crate::vectors;
use chat::Chat;
use ndarray::{Array2, Array3};
use positions::{Grid, positions};
use protocol::{Embed, Fault, FaultCode, Input, Task, TokenCount};
use vision::{Features, Picture, Vision};

/// Rows that are tokenized and sorted together; bounds memory for arrays of any length.
const WINDOW: usize = 2048;

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const POSITIONS: &str = "position_ids";
const FEATURES: &str = "image_embeds";
const DEEPSTACK: &str = "deepstack";
const OUTPUT: &str = "sentence_embedding";

/// A Qwen3-VL embedder; each tower is loaded when it is first needed.
#[derive(Default)]
pub struct Qwen3Vl {
    text: Lazy<TextEncoder>,
    text_graph: Lazy<Graph>,
    vision: Lazy<Vision>,
}

/// The image part of a checked manifest.
#[derive(Clone, Copy)]
struct Images<'a> {
    files: &'a ImageFiles,
    rule: &'a SmartResize,
    deepstack: usize,
    tokens: ImageTokens,
}

/// A row that has something to embed.
struct Row<'a> {
    index: usize,
    ids: Vec<u32>,
    pictures: Vec<Picture<'a>>,
}

impl Family for Qwen3Vl {
    fn device(&self) -> Option<&str> {
        let text = self.text_graph.get().map(Graph::device);
        text.or_else(|| self.vision.get().map(Vision::device))
    }

    fn count_tokens(
        &mut self,
        model: &Model,
        text: &str,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault> {
        let tokens = images(model)?.tokens;
        let instruction = model.manifest.instruction(Task::Document, None)?;
        let encoder = self.text.get_or_load(|| text_encoder(model, cancel))?;
        let chat = Chat::parse(model.manifest.template(Task::Document), &encoder.special_tokens());
        Ok(encoder.encode_segments(&chat.segments(instruction, text, &[], tokens))?.count())
    }

    fn embed(
        &mut self,
        model: &Model,
        request: &Embed,
        dimensions: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        let given = request.instruction.as_deref().and_then(chat::instruction);
        let instruction = model.manifest.instruction(request.task, given.as_deref())?;
        let total = request.inputs.len();
        let mut vectors = vec![None; total];
        for (number, window) in request.inputs.chunks(WINDOW).enumerate() {
            let first = number * WINDOW;
            let encoder = self.text.get_or_load(|| text_encoder(model, cancel))?;
            let template = model.manifest.template(request.task);
            let chat = Chat::parse(template, &encoder.special_tokens());
            let mut rows = Vec::new();
            for (index, input) in window.iter().enumerate() {
                cancel.check()?;
                if !input.is_null() {
                    let place = (first + index, total);
                    rows.push(row(encoder, &chat, instruction, model, input, place)?);
                }
            }
            self.embed_rows(model, &rows, dimensions, &mut vectors, cancel)?;
        }
        Ok(vectors)
    }
}

impl Qwen3Vl {
    fn embed_rows(
        &mut self,
        model: &Model,
        rows: &[Row],
        dimensions: usize,
        vectors: &mut [Option<Vec<f32>>],
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        let budget =
            model.batch_tokens(self.text_graph.get_or_load(|| text_graph(model, cancel))?.on_cpu());
        let lengths: Vec<usize> = rows.iter().map(|row| row.ids.len()).collect();
        for batch in batch::plan(&lengths, budget, !model.manifest.batch_invariant) {
            let members: Vec<&Row> = batch.iter().map(|member| &rows[*member]).collect();
            let found = self.run(model, &members, cancel)?;
            let finished = vectors::finish(found, members.len(), model, dimensions)?;
            for (row, vector) in members.iter().zip(finished) {
                vectors[row.index] = Some(vector);
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        model: &Model,
        rows: &[&Row],
        cancel: &Cancel,
    ) -> Result<ndarray::ArrayD<f32>, Fault> {
        let images = images(model)?;
        let pictures: Vec<Picture> =
            rows.iter().flat_map(|row| row.pictures.iter().copied()).collect();
        let Features { embeds, deepstack } = match pictures.as_slice() {
            [] => none(images.deepstack, model.manifest.dimensions),
            pictures => {
                let load = || Vision::load(model, images.files, cancel);
                let vision = self.vision.get_or_load(load)?;
                vision.features(pictures, images.deepstack, model, images.files, cancel)?
            }
        };
        let pad = self.text.get_or_load(|| text_encoder(model, cancel))?.pad_token_id();
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let longest = ids.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let (ids, mask) = pad_right(&ids, longest, pad);
        let inputs = vec![
            (IDS, ids.into()),
            (MASK, mask.into()),
            (POSITIONS, position_ids(rows, longest, images.tokens.pad).into()),
            (FEATURES, embeds.into()),
            (DEEPSTACK, deepstack.into()),
        ];
        let graph = self.text_graph.get_or_load(|| text_graph(model, cancel))?;
        let [vectors] = graph.run(inputs, [OUTPUT], cancel)?;
        Ok(vectors)
    }
}

/// The tokenizer, which has to know the image tokens of the manifest as special ones: others could
/// be spelt by a text, or be outside of the model's vocabulary.
fn text_encoder(model: &Model, cancel: &Cancel) -> Result<TextEncoder, Fault> {
    let encoder = loading::text_encoder(model, cancel)?;
    let ImageTokens { start, pad, end } = images(model)?.tokens;
    let special = encoder.special_tokens();
    let unknown = |id: &u32| !special.iter().any(|(known, _)| known == id);
    if let Some(id) = [start, pad, end, encoder.pad_token_id()].iter().find(|id| unknown(id)) {
        return Err(model
            .directory
            .broken("its manifest names a token that its tokenizer lacks")
            .detail(format!("Token {id} is no special token of the tokenizer.")));
    }
    if encoder.pad_token_id() == pad {
        return Err(model
            .directory
            .broken("its manifest has one token for padding and for images")
            .detail(format!("Both are {pad}.")));
    }
    Ok(encoder)
}

fn text_graph(model: &Model, cancel: &Cancel) -> Result<Graph, Fault> {
    let graph = model.graph(&model.manifest.text.graph, cancel)?;
    let (width, deepstack) = (Some(model.manifest.dimensions), Some(images(model)?.deepstack));
    let inputs = [
        (IDS, Element::I64, [None; 2].as_slice()),
        (MASK, Element::I64, &[None; 2]),
        (POSITIONS, Element::I64, &[Some(3), None, None]),
        (FEATURES, Element::F32, &[None, width]),
        (DEEPSTACK, Element::F32, &[deepstack, None, width]),
    ];
    graph.expect(&inputs, &[OUTPUT]).map_err(|fault| model.name_in(fault))?;
    Ok(graph)
}

fn images<'a>(model: &Model<'a>) -> Result<Images<'a>, Fault> {
    let files = model.manifest.image.as_ref();
    match files.map(|files| (files, &files.sizing)) {
        Some((files, Sizing::Smart { rule, deepstack, tokens })) => {
            Ok(Images { files, rule, deepstack: *deepstack, tokens: *tokens })
        }
        _ => Err(model.directory.broken("its manifest has no image sizes")),
    }
}

fn none(deepstack: usize, width: usize) -> Features {
    Features { embeds: Array2::zeros((0, width)), deepstack: Array3::zeros((deepstack, 0, width)) }
}

/// Tokens and pictures of one input; `place` is its number and how many there are.
fn row<'a>(
    encoder: &TextEncoder,
    chat: &Chat,
    instruction: &str,
    model: &Model,
    input: &'a Input,
    place: (usize, usize),
) -> Result<Row<'a>, Fault> {
    let Images { files, rule, tokens, .. } = images(model)?;
    let pictures = input.images.iter();
    let pictures = pictures.map(|bytes| Picture::plan(bytes, place, model, files, rule));
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
    let features: Vec<usize> = pictures.iter().map(Picture::features).collect();
    let wanted: usize = features.iter().sum();
    let too_long = || {
        let place = limits::place(place.0, place.1);
        Fault::new(FaultCode::LimitExceeded, "the images do not fit into the model")
            .detail(format!(
                "{place} has images of {wanted} tokens; with the prompt the model takes {}.",
                model.manifest.max_tokens
            ))
            .hint("Give fewer or smaller images, or a shorter instruction.")
    };
    // Before so many tokens are written down.
    if wanted > model.manifest.max_tokens {
        return Err(too_long());
    }
    let text = input.text.as_deref().unwrap_or_default();
    let encoded = encoder.encode_segments(&chat.segments(instruction, text, &features, tokens))?;
    if encoded.ids.iter().filter(|id| **id == tokens.pad).count() != wanted {
        return Err(too_long());
    }
    Ok(Row { index: place.0, ids: encoded.ids, pictures })
}

/// 3 × B × S; 1 where a row is padded, as in the reference.
fn position_ids(rows: &[&Row], length: usize, pad: u32) -> Array3<i64> {
    let mut ids = Array3::from_elem((3, rows.len(), length), 1);
    for (index, row) in rows.iter().enumerate() {
        let grids: Vec<Grid> = row.pictures.iter().map(|picture| picture.grid).collect();
        for (at, place) in positions(&row.ids, &grids, pad).iter().enumerate().take(length) {
            for (axis, position) in place.iter().enumerate() {
                ids[[axis, index, at]] = *position;
            }
        }
    }
    ids
}
