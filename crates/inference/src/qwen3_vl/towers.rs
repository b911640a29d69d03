//! The two towers and the tokenizer: rows of tokens and pictures in, what the text graph gives out.

use super::positions::{Grid, positions};
use super::vision::{Features, Picture, Sketch, Vision};
use crate::cancel::Cancel;
use crate::family::Spec;
use crate::image::SmartResize;
use crate::lazy::Lazy;
use crate::loading;
use crate::manifest::{ImageFiles, ImageTokens, Sizing};
use crate::place::Place;
use crate::registry::Residence;
use crate::session::{Element, Graph};
use crate::text::{TextEncoder, pad_right};
use ndarray::{Array3, ArrayD};
use protocol::{Fault, FaultCode, Input};
use std::fmt::Display;
use std::sync::Arc;

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
pub struct Row {
    /// All tokens.
    pub ids: Vec<u32>,
    /// Of every picture among the tokens, in order.
    pub grids: Vec<Grid>,
    /// Those whose features are still to be computed: all, or all behind the shared ones.
    pub pictures: Vec<Picture>,
}

impl Towers {
    /// Where the model runs, if any of it is loaded.
    pub fn device(&self) -> Option<String> {
        let text = self.text_graph.get().map(|graph| graph.device().to_owned());
        text.or_else(|| self.vision.get().map(|vision| vision.device().to_owned()))
    }

    /// Loads tokenizer and text graph, and for an engine that many wait for the image tower, too: later it would
    /// be loaded by a run, and thrown away with it by whoever cancels that.
    pub fn load(&self, spec: &Spec, output: &str, cancel: &Cancel) -> Result<(), Fault> {
        if self.text.get().is_none() {
            loading::begin(spec)?;
        }
        self.text_graph(spec, output, cancel)?;
        if spec.residence == Residence::Engine {
            self.vision(spec, cancel)?;
        }
        self.encoder(spec, cancel).map(drop)
    }

    /// The tokenizer.
    pub fn encoder(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<TextEncoder>, Fault> {
        self.text.get_or_load(|| text_encoder(spec, cancel))
    }

    fn text_graph(&self, spec: &Spec, output: &str, cancel: &Cancel) -> Result<Arc<Graph>, Fault> {
        self.text_graph.get_or_load(|| text_graph(spec, output, cancel))
    }

    fn vision(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<Vision>, Fault> {
        self.vision.get_or_load(|| Vision::load(spec, images(spec)?.files, cancel))
    }

    /// The features of pictures, one behind the other.
    pub fn features(
        &self,
        spec: &Spec,
        pictures: &[&Picture],
        cancel: &Cancel,
    ) -> Result<Features, Fault> {
        let images = images(spec)?;
        if pictures.is_empty() {
            return Ok(Features::none(&images));
        }
        self.vision(spec, cancel)?.features(pictures, &images, spec, cancel)
    }

    /// Runs rows together: `output` of each, in order.
    ///
    /// `shared` are the features of the first pictures of every row, computed once.
    pub fn run(
        &self,
        spec: &Spec,
        rows: &[&Row],
        shared: Option<&Features>,
        output: &str,
        cancel: &Cancel,
    ) -> Result<ArrayD<f32>, Fault> {
        let pictures: Vec<&Picture> = rows.iter().flat_map(|row| &row.pictures).collect();
        let mut features = self.features(spec, &pictures, cancel)?;
        if let Some(shared) = shared {
            let counts = rows.iter().map(|row| row.pictures.iter().map(Picture::features).sum());
            features = shared.before_each(&features, &counts.collect::<Vec<usize>>());
        }
        let pad = self.encoder(spec, cancel)?.pad_token_id();
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let longest = ids.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let (ids, mask) = pad_right(&ids, longest, pad);
        let inputs = vec![
            (IDS, ids.into()),
            (MASK, mask.into()),
            (POSITIONS, position_ids(rows, longest, images(spec)?.tokens.pad).into()),
            (FEATURES, features.embeds.into()),
            (DEEPSTACK, features.deepstack.into()),
        ];
        let [found] = self.text_graph(spec, output, cancel)?.run(inputs, [output], cancel)?;
        Ok(found)
    }
}

/// The tokenizer, which has to know the image tokens of the manifest as special ones: others could
/// be spelt by a text, or be outside of the model's vocabulary.
fn text_encoder(spec: &Spec, cancel: &Cancel) -> Result<TextEncoder, Fault> {
    let encoder = loading::text_encoder(spec, cancel)?;
    let ImageTokens { start, pad, end } = images(spec)?.tokens;
    let special = encoder.special_tokens();
    let unknown = |id: &u32| !special.iter().any(|(known, _)| known == id);
    if let Some(id) = [start, pad, end, encoder.pad_token_id()].iter().find(|id| unknown(id)) {
        return Err(spec
            .directory
            .broken("its manifest names a token that its tokenizer lacks")
            .detail(format!("Token {id} is no special token of the tokenizer.")));
    }
    if encoder.pad_token_id() == pad {
        return Err(spec
            .directory
            .broken("its manifest has one token for padding and for images")
            .detail(format!("Both are {pad}.")));
    }
    Ok(encoder)
}

fn text_graph(spec: &Spec, output: &str, cancel: &Cancel) -> Result<Graph, Fault> {
    let graph = spec.graph(&spec.manifest.text.graph, cancel)?;
    let images = images(spec)?;
    let (width, deepstack) = (Some(images.width), Some(images.deepstack));
    let inputs = [
        (IDS, Element::I64, [None; 2].as_slice()),
        (MASK, Element::I64, &[None; 2]),
        (POSITIONS, Element::I64, &[Some(3), None, None]),
        (FEATURES, Element::F32, &[None, width]),
        (DEEPSTACK, Element::F32, &[deepstack, None, width]),
    ];
    graph.expect(&inputs, &[output]).map_err(|fault| spec.name_in(fault))?;
    Ok(graph)
}

/// What the manifest says of images.
pub fn images<'a>(spec: &Spec<'a>) -> Result<Images<'a>, Fault> {
    let broken = || spec.directory.broken("its manifest has no image sizes");
    let files = spec.manifest.image.as_ref().ok_or_else(broken)?;
    let Sizing::Smart { rule, deepstack, tokens, feature_size } = &files.sizing else {
        return Err(broken());
    };
    let width = feature_size.or(spec.manifest.dimensions).ok_or_else(broken)?;
    Ok(Images { files, rule, deepstack: *deepstack, tokens: *tokens, width })
}

/// The pictures of one input, and how many features each has.
pub fn plan<'a>(
    spec: &Spec,
    input: &'a Input,
    place: Place,
) -> Result<(Vec<Sketch<'a>>, Vec<usize>), Fault> {
    let Images { files, rule, .. } = images(spec)?;
    let sketches = input.images.iter();
    let sketches = sketches.map(|bytes| Sketch::of(bytes, place, spec, files, rule));
    let sketches = sketches.collect::<Result<Vec<_>, _>>()?;
    let features: Vec<usize> = sketches.iter().map(Sketch::features).collect();
    let wanted = features.iter().sum();
    // Before so many tokens are written down.
    if wanted > spec.manifest.max_tokens {
        return Err(too_long(spec, place, wanted));
    }
    Ok((sketches, features))
}

/// The pictures themselves.
pub fn decode(sketches: &[Sketch], spec: &Spec) -> Result<Vec<Picture>, Fault> {
    let files = images(spec)?.files;
    sketches.iter().map(|sketch| sketch.decode(spec, files)).collect()
}

/// Bytes of pixels.
pub fn bytes(pictures: &[Picture]) -> usize {
    pictures.iter().map(|picture| picture.pixels.len()).sum()
}

/// Images are never cut.
pub fn too_long(spec: &Spec, place: impl Display, wanted: usize) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "the images do not fit into the model")
        .detail(format!(
            "{place} has images of {wanted} tokens; with the prompt the model takes {}.",
            spec.manifest.max_tokens
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
