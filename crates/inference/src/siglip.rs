//! SigLIP and SigLIP 2 (fixed resolution): a text tower and an image tower in one space.
//!
//! Texts are padded to the model's length and take no mask; pictures are squashed to one size.
//! Source: Zhai et al. 2023 (arXiv:2303.15343), Tschannen et al. 2025 (arXiv:2502.14786).

use crate::cancel::Cancel;
use crate::family::{Family, Spec};
use crate::lazy::Lazy;
use crate::loading;
use crate::manifest::{ImageFiles, Prompt, Sizing};
use crate::pictures;
use crate::place::Place;
use crate::session::{Element, Graph};
use crate::text::{TextEncoder, pad_right};
use crate::vectors;
use crate::work::{Outcomes, Plan, Planned, window};
use ndarray::{Array3, Array4, s};
use protocol::{Embed, Fault, FaultCode, Input, TokenCount};
use std::sync::Arc;

/// A picture counts as one token for so many pixels: the patch of SigLIP's base size.
const PIXELS_A_TOKEN: usize = 16 * 16;

const IDS: &str = "input_ids";
const PIXELS: &str = "pixels";
const TEXT_OUTPUT: &str = "sentence_embedding";
const IMAGE_OUTPUT: &str = "image_embedding";

/// Each tower runs rows of its own.
const TEXTS: u64 = 1;
const IMAGES: u64 = 2;

/// A SigLIP model; each tower is loaded when it is first needed.
#[derive(Default)]
pub struct Siglip {
    text: Lazy<TextEncoder>,
    text_graph: Lazy<Graph>,
    image_graph: Lazy<Graph>,
}

/// A text or a picture that is ready to run, and the dimensions of the vector that was asked for.
pub struct Row {
    side: Side,
    dimensions: usize,
}

enum Side {
    Text(Vec<u32>),
    /// Height × width × 3.
    Image(Array3<u8>),
}

impl Family for Siglip {
    type Row = Row;

    fn device(&self) -> Option<String> {
        let graph = self.image_graph.get().or_else(|| self.text_graph.get());
        graph.map(|graph| graph.device().to_owned())
    }

    fn load(&self, spec: &Spec, cancel: &Cancel) -> Result<(), Fault> {
        if self.text.get().is_none() {
            loading::begin(spec)?;
        }
        self.text_graph(spec, cancel)?;
        self.image_graph(spec, cancel)?;
        self.text(spec, cancel).map(drop)
    }

    fn count_tokens(&self, spec: &Spec, text: &str, cancel: &Cancel) -> Result<TokenCount, Fault> {
        self.text(spec, cancel)?.count(spec.manifest, text)
    }

    fn embed_rows(
        &self,
        spec: &Spec,
        request: &Embed,
        dimensions: usize,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Plan<Row>, Fault> {
        check_rows(spec, &request.inputs)?;
        let prompt = spec.manifest.prompt(request.task, request.instruction.as_deref())?;
        let total = request.inputs.len();
        window(&request.inputs, from, |index, input| {
            cancel.check()?;
            if let Some(text) = &input.text {
                return self.plan_text(spec, &prompt, text, cancel).map(|side| {
                    let (tokens, class) = (spec.manifest.max_tokens, TEXTS);
                    Some((Planned { index, tokens, class, row: Row { side, dimensions } }, 0))
                });
            }
            let (Some(bytes), Some((files, size))) = (input.images.first(), fixed(spec)) else {
                return Ok(None);
            };
            self.image_graph(spec, cancel)?;
            let picture = pictures::pixels(bytes, files, size, spec.options)
                .map_err(|fault| pictures::of_row(fault, Place::Input(index, total)))?;
            let bytes = picture.len();
            let tokens = (size.0 * size.1).div_ceil(PIXELS_A_TOKEN);
            let row = Row { side: Side::Image(picture), dimensions };
            Ok(Some((Planned { index, tokens, class: IMAGES, row }, bytes)))
        })
    }

    fn run(&self, spec: &Spec, rows: &[&Row], cancel: &Cancel) -> Result<Outcomes, Fault> {
        let (mut texts, mut images) = (Vec::new(), Vec::new());
        for row in rows {
            match &row.side {
                Side::Text(ids) => texts.push(ids.as_slice()),
                Side::Image(pixels) => images.push(pixels),
            }
        }
        // Rows of one class are all of one kind.
        let found = match images.is_empty() {
            true => self.run_texts(spec, &texts, cancel)?,
            false => self.run_images(spec, &images, cancel)?,
        };
        let dimensions: Vec<usize> = rows.iter().map(|row| row.dimensions).collect();
        vectors::finish(found, &dimensions, spec)
    }
}

impl Siglip {
    fn plan_text(
        &self,
        spec: &Spec,
        prompt: &Prompt,
        text: &str,
        cancel: &Cancel,
    ) -> Result<Side, Fault> {
        self.text_graph(spec, cancel)?;
        let encoder = self.text(spec, cancel)?;
        Ok(Side::Text(encoder.encode(&prompt.around(text))?.ids))
    }

    fn run_texts(
        &self,
        spec: &Spec,
        texts: &[&[u32]],
        cancel: &Cancel,
    ) -> Result<ndarray::ArrayD<f32>, Fault> {
        let pad = self.text(spec, cancel)?.pad_token_id();
        let (ids, _) = pad_right(texts, spec.manifest.max_tokens, pad);
        let graph = self.text_graph(spec, cancel)?;
        let [found] = graph.run(vec![(IDS, ids.into())], [TEXT_OUTPUT], cancel)?;
        Ok(found)
    }

    fn run_images(
        &self,
        spec: &Spec,
        images: &[&Array3<u8>],
        cancel: &Cancel,
    ) -> Result<ndarray::ArrayD<f32>, Fault> {
        let (height, width, _) = images.first().map_or((0, 0, 3), |image| image.dim());
        let mut pixels = Array4::zeros((images.len(), height, width, 3));
        for (slot, image) in images.iter().enumerate() {
            pixels.slice_mut(s![slot, .., .., ..]).assign(image);
        }
        let graph = self.image_graph(spec, cancel)?;
        let [found] = graph.run(vec![(PIXELS, pixels.into())], [IMAGE_OUTPUT], cancel)?;
        Ok(found)
    }

    fn text(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<TextEncoder>, Fault> {
        self.text.get_or_load(|| loading::text_encoder(spec, cancel))
    }

    fn text_graph(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<Graph>, Fault> {
        self.text_graph.get_or_load(|| text_graph(spec, cancel))
    }

    fn image_graph(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<Graph>, Fault> {
        self.image_graph.get_or_load(|| {
            let (files, size) = fixed(spec).ok_or_else(|| {
                spec.directory.broken("its manifest has no image size").detail("SigLIP has one.")
            })?;
            image_graph(spec, files, size, cancel)
        })
    }
}

fn text_graph(spec: &Spec, cancel: &Cancel) -> Result<Graph, Fault> {
    let graph = spec.graph(&spec.manifest.text.graph, cancel)?;
    let shape = [None, Some(spec.manifest.max_tokens)];
    let inputs = [(IDS, Element::I64, shape.as_slice())];
    graph.expect(&inputs, &[TEXT_OUTPUT]).map_err(|fault| spec.name_in(fault))?;
    Ok(graph)
}

fn image_graph(
    spec: &Spec,
    files: &ImageFiles,
    (width, height): (usize, usize),
    cancel: &Cancel,
) -> Result<Graph, Fault> {
    let graph = spec.graph(&files.graph, cancel)?;
    let shape = [None, Some(height), Some(width), Some(3)];
    let inputs = [(PIXELS, Element::U8, shape.as_slice())];
    graph.expect(&inputs, &[IMAGE_OUTPUT]).map_err(|fault| spec.name_in(fault))?;
    Ok(graph)
}

/// The size that every picture is brought to; a checked manifest has one.
fn fixed<'a>(spec: &Spec<'a>) -> Option<(&'a ImageFiles, (usize, usize))> {
    let files = spec.manifest.image.as_ref()?;
    match files.sizing {
        Sizing::Fixed { width, height } => Some((files, (width, height))),
        Sizing::Smart { .. } => None,
    }
}

/// A row is a text or a picture: the towers give two vectors, and one was asked for.
fn check_rows(spec: &Spec, inputs: &[Input]) -> Result<(), Fault> {
    let name = &spec.manifest.name;
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
