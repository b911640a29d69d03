//! The manifest of a model: what it is, which files it is made of, how texts and images go in.
//!
//! Parses and checks `model.toml`; knows nothing of ONNX Runtime or of where the directory lies.
//! A manifest is foreign input: unknown keys, absurd values and file names that leave the
//! directory are refused here, before anything is opened.

mod check;
mod fingerprint;
mod image;
mod kinds;
mod prompts;

pub use image::{ImageFiles, ImageTokens, Sizing};
pub use kinds::{Activation, Architecture, Pooling, Precision};
pub use prompts::{Part, Prompt, Prompts, pair_parts, parts};

use protocol::{Fault, FaultCode};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Name of the manifest in a model's directory.
pub const FILE_NAME: &str = "model.toml";
/// A manifest is a page of text; anything larger is not one.
pub const MAX_BYTES: u64 = 64 * 1024;

/// A checked manifest.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format; 1.
    pub manifest_version: u32,
    /// The model's name, equal to its directory's.
    pub name: String,
    /// Which graph contract the files follow.
    pub architecture: Architecture,
    /// Where the weights come from.
    #[serde(default)]
    pub source: String,
    /// Licence of the weights.
    #[serde(default)]
    pub license: String,
    /// How the weights are stored.
    pub precision: Precision,
    /// Elements of a vector; `None` for a reranker, which gives scores.
    pub dimensions: Option<usize>,
    /// Longest input in tokens, special tokens included; the rest is cut from the right.
    pub max_tokens: usize,
    /// How token states become one vector; `None` where the architecture leaves no choice.
    pub pooling: Option<Pooling>,
    /// What makes a reranker's output a score; `None` for a model that gives vectors.
    pub activation: Option<Activation>,
    /// Whether vectors are scaled to length 1.
    #[serde(default = "yes")]
    pub normalize: bool,
    /// Shorter sizes that `dimensions =>` may ask for (Kusupati et al. 2022).
    #[serde(default)]
    pub matryoshka: Vec<usize>,
    /// Any size from this one up may be asked for.
    pub matryoshka_from: Option<usize>,
    /// Whether a row's vector is independent of the rows that it runs with.
    #[serde(default = "yes")]
    pub batch_invariant: bool,
    /// What stands around a text.
    #[serde(default)]
    pub prompts: Prompts,
    /// The text tower.
    pub text: TextFiles,
    /// The image tower, where the model has one.
    pub image: Option<ImageFiles>,
    /// sha256 of every file of the model, by path inside the directory.
    pub files: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

/// Files of the text tower, by path inside the directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextFiles {
    /// The ONNX graph.
    pub graph: String,
    /// The Hugging Face `tokenizer.json`.
    pub tokenizer: String,
    /// Fills rows up to the batch's length; found in the tokenizer where it is not given.
    pub pad_token_id: Option<u32>,
}

impl Manifest {
    /// Parses and checks the manifest of the model `name`.
    pub fn parse(name: &str, toml: &str) -> Result<Self, Fault> {
        let manifest: Manifest = toml::from_str(toml).map_err(|error| {
            invalid(name, error.message()).detail(match error.span() {
                Some(span) => format!("In line {} of {FILE_NAME}.", line_of(toml, span.start)),
                None => format!("In {FILE_NAME}."),
            })
        })?;
        manifest.check(name)?;
        Ok(manifest)
    }

    /// What can be embedded, as `models()` names it.
    pub fn modalities(&self) -> Vec<&'static str> {
        if self.image.is_some() { vec!["text", "image"] } else { vec!["text"] }
    }

    /// Every graph of the model, by path inside the directory.
    pub fn graphs(&self) -> impl Iterator<Item = &str> {
        let image = self.image.as_ref().map(|image| image.graph.as_str());
        std::iter::once(self.text.graph.as_str()).chain(image)
    }

    /// Elements of the model's vectors; a fault for a reranker, which has none.
    pub fn vector_dimensions(&self) -> Result<usize, Fault> {
        self.dimensions.ok_or_else(|| self.gives_scores())
    }

    /// Vectors were asked of a reranker.
    pub fn gives_scores(&self) -> Fault {
        let message = format!("model {:?} gives scores, not vectors", self.name);
        Fault::new(FaultCode::InvalidParameter, message)
            .detail(format!("It is a reranker ({}).", self.architecture.as_str()))
            .hint("Call rerank with it, or embed with a model that models() lists with dimensions.")
    }

    /// How many dimensions a request gets: the model's own, or an allowed shorter size.
    pub fn dimensions_for(&self, wanted: Option<usize>) -> Result<usize, Fault> {
        let dimensions = self.vector_dimensions()?;
        let Some(n) = wanted else { return Ok(dimensions) };
        let in_range = self.matryoshka_from.is_some_and(|from| (from..=dimensions).contains(&n));
        if n == dimensions || in_range || self.matryoshka.contains(&n) {
            return Ok(n);
        }
        let mut sizes = self.matryoshka.clone();
        sizes.push(dimensions);
        sizes.sort_unstable();
        sizes.dedup();
        let listed: Vec<String> = sizes.iter().map(usize::to_string).collect();
        let allowed = match self.matryoshka_from {
            Some(from) => format!("any size from {from} to {dimensions}"),
            None => listed.join(", "),
        };
        Err(Fault::new(
            FaultCode::InvalidParameter,
            format!("model {:?} does not give vectors of {n} dimensions", self.name),
        )
        .detail(format!("It gives: {allowed}."))
        .hint("Leave dimensions out, or ask for one of these sizes."))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

/// A manifest that cannot be used.
fn invalid(name: &str, what: &str) -> Fault {
    let what = what.lines().collect::<Vec<_>>().join("; ");
    Fault::new(FaultCode::ConfigFile, format!("manifest of model {name:?} is not valid: {what}"))
        .hint("Correct the file, or make the model again; models/README.md describes every key.")
}

#[cfg(test)]
mod tests;
