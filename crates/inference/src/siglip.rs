//! SigLIP and SigLIP 2 (fixed resolution): a text tower and an image tower in one space.
//!
//! Texts are padded to the model's length and take no mask; pictures are squashed to one size.
//! Source: Zhai et al. 2023 (arXiv:2303.15343), Tschannen et al. 2025 (arXiv:2502.14786).

use crate::batch::{self, WINDOW};
use crate::cancel::Cancel;
use crate::family::{Family, Model};
use crate::lazy::Lazy;
use crate::loading;
use crate::manifest::{ImageFiles, Sizing};
use crate::pictures;
use crate::place::Place;
use crate::session::{Element, Graph};
use crate::text::{TextEncoder, pad_right};
use crate::vectors;
use ndarray::{Array4, s};
use protocol::{Embed, Fault, FaultCode, Input, TokenCount};

/// A picture counts as one token for so many pixels: the patch of SigLIP's base size.
const PIXELS_A_TOKEN: usize = 16 * 16;

const IDS: &str = "input_ids";
const PIXELS: &str = "pixels";
const TEXT_OUTPUT: &str = "sentence_embedding";
const IMAGE_OUTPUT: &str = "image_embedding";

/// A SigLIP model; each tower is loaded when it is first needed.
#[derive(Default)]
pub struct Siglip {
    text: Lazy<TextEncoder>,
    text_graph: Lazy<Graph>,
    image_graph: Lazy<Graph>,
}

impl Family for Siglip {
    fn device(&self) -> Option<&str> {
        self.image_graph.get().or(self.text_graph.get()).map(Graph::device)
    }

    fn count_tokens(
        &mut self,
        model: &Model,
        text: &str,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault> {
        self.text.get_or_load(|| loading::text_encoder(model, cancel))?.count(model.manifest, text)
    }

    fn embed(
        &mut self,
        model: &Model,
        request: &Embed,
        dimensions: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        check_rows(model, &request.inputs)?;
        let mut vectors = vec![None; request.inputs.len()];
        self.embed_texts(model, request, dimensions, &mut vectors, cancel)?;
        self.embed_images(model, request, dimensions, &mut vectors, cancel)?;
        Ok(vectors)
    }
}

impl Siglip {
    fn embed_texts(
        &mut self,
        model: &Model,
        request: &Embed,
        dimensions: usize,
        vectors: &mut [Option<Vec<f32>>],
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        let prompt = model.manifest.prompt(request.task, request.instruction.as_deref())?;
        let texts = request.inputs.iter().enumerate();
        let texts: Vec<(usize, &str)> =
            texts.filter_map(|(row, input)| Some((row, input.text.as_deref()?))).collect();
        let length = model.manifest.max_tokens;
        for window in texts.chunks(WINDOW) {
            let text = self.text.get_or_load(|| loading::text_encoder(model, cancel))?;
            let pad = text.pad_token_id();
            let mut tokens = Vec::with_capacity(window.len());
            for (_, text_of_row) in window {
                cancel.check()?;
                tokens.push(text.encode(&prompt.around(text_of_row))?);
            }
            let graph = self.text_graph.get_or_load(|| text_graph(model, cancel))?;
            let batching = model.batching(graph.on_cpu());
            let found = batch::run(
                &tokens,
                |_| length,
                batching,
                |members| {
                    let ids: Vec<&[u32]> =
                        members.iter().map(|tokens| tokens.ids.as_slice()).collect();
                    let (ids, _) = pad_right(&ids, length, pad);
                    let [found] = graph.run(vec![(IDS, ids.into())], [TEXT_OUTPUT], cancel)?;
                    vectors::finish(found, members.len(), model, dimensions)
                },
            )?;
            for ((row, _), vector) in window.iter().zip(found) {
                vectors[*row] = Some(vector);
            }
        }
        Ok(())
    }

    fn embed_images(
        &mut self,
        model: &Model,
        request: &Embed,
        dimensions: usize,
        vectors: &mut [Option<Vec<f32>>],
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        let rows = request.inputs.len();
        let images = request.inputs.iter().enumerate();
        let images: Vec<(usize, &[u8])> = images
            .filter_map(|(row, input)| Some((row, input.images.first()?.as_slice())))
            .collect();
        let Some((files, (width, height))) = fixed(model).filter(|_| !images.is_empty()) else {
            return Ok(());
        };
        let size = (width, height);
        let graph = self.image_graph.get_or_load(|| image_graph(model, files, size, cancel))?;
        let tokens = (width * height).div_ceil(PIXELS_A_TOKEN);
        let batching = model.batching(graph.on_cpu());
        let found = batch::run(
            &images,
            |_| tokens,
            batching,
            |members| {
                let mut pixels = Array4::zeros((members.len(), height, width, 3));
                for (slot, (row, bytes)) in members.iter().enumerate() {
                    cancel.check()?;
                    let picture = pictures::pixels(bytes, files, size, model.options)
                        .map_err(|fault| pictures::of_row(fault, Place::Input(*row, rows)))?;
                    pixels.slice_mut(s![slot, .., .., ..]).assign(&picture);
                }
                let [found] = graph.run(vec![(PIXELS, pixels.into())], [IMAGE_OUTPUT], cancel)?;
                vectors::finish(found, members.len(), model, dimensions)
            },
        )?;
        for ((row, _), vector) in images.iter().zip(found) {
            vectors[*row] = Some(vector);
        }
        Ok(())
    }
}

fn text_graph(model: &Model, cancel: &Cancel) -> Result<Graph, Fault> {
    let graph = model.graph(&model.manifest.text.graph, cancel)?;
    let shape = [None, Some(model.manifest.max_tokens)];
    let inputs = [(IDS, Element::I64, shape.as_slice())];
    graph.expect(&inputs, &[TEXT_OUTPUT]).map_err(|fault| model.name_in(fault))?;
    Ok(graph)
}

fn image_graph(
    model: &Model,
    files: &ImageFiles,
    (width, height): (usize, usize),
    cancel: &Cancel,
) -> Result<Graph, Fault> {
    let graph = model.graph(&files.graph, cancel)?;
    let shape = [None, Some(height), Some(width), Some(3)];
    let inputs = [(PIXELS, Element::U8, shape.as_slice())];
    graph.expect(&inputs, &[IMAGE_OUTPUT]).map_err(|fault| model.name_in(fault))?;
    Ok(graph)
}

/// The size that every picture is brought to; a checked manifest has one.
fn fixed<'a>(model: &Model<'a>) -> Option<(&'a ImageFiles, (usize, usize))> {
    let files = model.manifest.image.as_ref()?;
    match files.sizing {
        Sizing::Fixed { width, height } => Some((files, (width, height))),
        Sizing::Smart { .. } => None,
    }
}

/// A row is a text or a picture: the towers give two vectors, and one was asked for.
fn check_rows(model: &Model, inputs: &[Input]) -> Result<(), Fault> {
    let name = &model.manifest.name;
    for (row, input) in inputs.iter().enumerate() {
        let message = match (input.text.is_some(), input.images.len()) {
            (_, 2..) => format!("model {name:?} takes one image a row"),
            (true, 1) => format!("model {name:?} takes a text or an image, not both"),
            _ => continue,
        };
        let place = Place::Input(row, inputs.len());
        return Err(Fault::new(FaultCode::InvalidParameter, message)
            .detail(format!("{place} has more; text and image have a vector each."))
            .hint("Embed them in two calls, or use combined_embed or qwen_embed for both in one vector."));
    }
    Ok(())
}
