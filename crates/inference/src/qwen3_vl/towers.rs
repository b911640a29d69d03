//! The two towers and the tokenizer: rows of tokens and pictures in, what the text graph gives out.

use super::positions::{Grid, positions};
use super::vision::{Features, Picture, Vision};
use crate::cancel::Cancel;
use crate::family::Model;
use crate::image::SmartResize;
use crate::lazy::Lazy;
use crate::loading;
use crate::manifest::{ImageFiles, ImageTokens, Sizing};
use crate::place::Place;
use crate::session::{Element, Graph};
use crate::text::{TextEncoder, pad_right};
use ndarray::{Array3, ArrayD};
use protocol::{Fault, FaultCode, Input};
use std::fmt::Display;

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const POSITIONS: &str = "position_ids";
const FEATURES: &str = "image_embeds";
const DEEPSTACK: &str = "deepstack";

/// What is loaded of a model, each part when it is first needed.
#[derive(Default)]
pub struct Towers {
    text: Lazy<TextEncoder>,
    text_graph: Lazy<Graph>,
    vision: Lazy<Vision>,
}

/// The image part of a checked manifest.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    /// The graph, and how pictures are read.
    pub files: &'a ImageFiles,
    /// The sizes allowed.
    pub rule: &'a SmartResize,
    /// How many layers of the text tower get features of their own.
    pub deepstack: usize,
    /// What stands for a picture.
    pub tokens: ImageTokens,
    /// Numbers of one feature.
    pub width: usize,
}

/// One sequence.
pub struct Row<'a> {
    /// Which row of the request it is.
    pub index: usize,
    /// All tokens.
    pub ids: Vec<u32>,
    /// Of every picture among the tokens, in order.
    pub grids: Vec<Grid>,
    /// Those whose features are still to be computed: all, or all behind the shared ones.
    pub pictures: Vec<Picture<'a>>,
}

impl Towers {
    /// Where the model runs, if any of it is loaded.
    pub fn device(&self) -> Option<&str> {
        let text = self.text_graph.get().map(Graph::device);
        text.or_else(|| self.vision.get().map(Vision::device))
    }

    /// The tokenizer.
    pub fn encoder(&mut self, model: &Model, cancel: &Cancel) -> Result<&TextEncoder, Fault> {
        Ok(self.text.get_or_load(|| text_encoder(model, cancel))?)
    }

    /// How rows run together.
    pub fn batching(
        &mut self,
        model: &Model,
        output: &str,
        cancel: &Cancel,
    ) -> Result<(usize, bool), Fault> {
        let graph = self.text_graph.get_or_load(|| text_graph(model, output, cancel))?;
        Ok(model.batching(graph.on_cpu()))
    }

    /// The features of pictures, one behind the other.
    pub fn features(
        &mut self,
        model: &Model,
        pictures: &[Picture],
        cancel: &Cancel,
    ) -> Result<Features, Fault> {
        let images = images(model)?;
        if pictures.is_empty() {
            return Ok(Features::none(&images));
        }
        let vision = self.vision.get_or_load(|| Vision::load(model, images.files, cancel))?;
        vision.features(pictures, &images, model, cancel)
    }

    /// Runs rows together: `output` of each, in order.
    ///
    /// `shared` are the features of the first pictures of every row, computed once.
    pub fn run(
        &mut self,
        model: &Model,
        rows: &[&Row],
        shared: Option<&Features>,
        output: &str,
        cancel: &Cancel,
    ) -> Result<ArrayD<f32>, Fault> {
        let pictures: Vec<Picture> =
            rows.iter().flat_map(|row| row.pictures.iter().copied()).collect();
        let mut features = self.features(model, &pictures, cancel)?;
        if let Some(shared) = shared {
            let counts: Vec<usize> = rows.iter().map(|row| count(&row.pictures)).collect();
            features = shared.before_each(&features, &counts);
        }
        let pad = self.encoder(model, cancel)?.pad_token_id();
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let longest = ids.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let (ids, mask) = pad_right(&ids, longest, pad);
        let inputs = vec![
            (IDS, ids.into()),
            (MASK, mask.into()),
            (POSITIONS, position_ids(rows, longest, images(model)?.tokens.pad).into()),
            (FEATURES, features.embeds.into()),
            (DEEPSTACK, features.deepstack.into()),
        ];
        let graph = self.text_graph.get_or_load(|| text_graph(model, output, cancel))?;
        let [found] = graph.run(inputs, [output], cancel)?;
        Ok(found)
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

fn text_graph(model: &Model, output: &str, cancel: &Cancel) -> Result<Graph, Fault> {
    let graph = model.graph(&model.manifest.text.graph, cancel)?;
    let images = images(model)?;
    let (width, deepstack) = (Some(images.width), Some(images.deepstack));
    let inputs = [
        (IDS, Element::I64, [None; 2].as_slice()),
        (MASK, Element::I64, &[None; 2]),
        (POSITIONS, Element::I64, &[Some(3), None, None]),
        (FEATURES, Element::F32, &[None, width]),
        (DEEPSTACK, Element::F32, &[deepstack, None, width]),
    ];
    graph.expect(&inputs, &[output]).map_err(|fault| model.name_in(fault))?;
    Ok(graph)
}

/// What the manifest says of images.
pub fn images<'a>(model: &Model<'a>) -> Result<Images<'a>, Fault> {
    let broken = || model.directory.broken("its manifest has no image sizes");
    let files = model.manifest.image.as_ref().ok_or_else(broken)?;
    let Sizing::Smart { rule, deepstack, tokens, feature_size } = &files.sizing else {
        return Err(broken());
    };
    let width = feature_size.or(model.manifest.dimensions).ok_or_else(broken)?;
    Ok(Images { files, rule, deepstack: *deepstack, tokens: *tokens, width })
}

/// The pictures of one input, and how many features each has.
pub fn plan<'a>(
    model: &Model,
    input: &'a Input,
    place: Place,
) -> Result<(Vec<Picture<'a>>, Vec<usize>), Fault> {
    let Images { files, rule, .. } = images(model)?;
    let pictures = input.images.iter();
    let pictures = pictures.map(|bytes| Picture::plan(bytes, place, model, files, rule));
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
    let wanted = count(&pictures);
    // Before so many tokens are written down.
    if wanted > model.manifest.max_tokens {
        return Err(too_long(model, place, wanted));
    }
    let features = pictures.iter().map(Picture::features).collect();
    Ok((pictures, features))
}

/// Features of all pictures.
fn count(pictures: &[Picture]) -> usize {
    pictures.iter().map(Picture::features).sum()
}

/// Images are never cut.
pub fn too_long(model: &Model, place: impl Display, wanted: usize) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "the images do not fit into the model")
        .detail(format!(
            "{place} has images of {wanted} tokens; with the prompt the model takes {}.",
            model.manifest.max_tokens
        ))
        .hint("Give fewer or smaller images, or a shorter instruction.")
}

/// 3 × B × S; 1 where a row is padded, as in the reference.
fn position_ids(rows: &[&Row], length: usize, pad: u32) -> Array3<i64> {
    let mut ids = Array3::from_elem((3, rows.len(), length), 1);
    for (index, row) in rows.iter().enumerate() {
        for (at, place) in positions(&row.ids, &row.grids, pad).iter().enumerate().take(length) {
            for (axis, position) in place.iter().enumerate() {
                ids[[axis, index, at]] = *position;
            }
        }
    }
    ids
}
