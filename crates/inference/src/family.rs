//! What every family of models does, and which family a manifest asks for.
//!
//! A new family is one module that implements [`Family`] and one arm in [`of`].

use crate::cancel::Cancel;
use crate::cross_encoder::CrossEncoder;
use crate::directory::Directory;
use crate::encoder::Encoder;
use crate::manifest::{Architecture, Manifest, Precision};
use crate::options::Options;
use crate::qwen3_vl::{Qwen3VlEmbedder, Qwen3VlReranker};
use crate::session::{Graph, LoadOptions, MaxSim, TextGraph};
use crate::siglip::Siglip;
use protocol::{Embed, Fault, FaultCode, Rerank, TokenCount};

/// Padded tokens of one run where the setting is left to us: what a CPU's caches like, what a GPU
/// needs to be busy (measured: a CPU's throughput falls beyond 1–2 thousand).
const CPU_BATCH_TOKENS: usize = 512;
const GPU_BATCH_TOKENS: usize = 16_384;

/// A model in memory; parts are loaded when first needed.
pub trait Family: Send {
    /// Where the model runs; `None` until a graph is loaded.
    fn device(&self) -> Option<&str>;

    /// Tokens of `text` under the prompt for documents.
    fn count_tokens(
        &mut self,
        model: &Model,
        text: &str,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault>;

    /// One vector an input, in order; `None` for a null input.
    fn embed(
        &mut self,
        model: &Model,
        _request: &Embed,
        _dimensions: usize,
        _cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        Err(model.manifest.gives_scores())
    }

    /// One score a candidate, in order; `None` for a null candidate, and for one without anything
    /// that could be compared.
    fn rerank(
        &mut self,
        model: &Model,
        _request: &Rerank,
        _cancel: &Cancel,
    ) -> Result<Vec<Option<f32>>, Fault> {
        Err(not_a_reranker(model))
    }
}

/// A model without what reranking takes.
pub fn not_a_reranker(model: &Model) -> Fault {
    let Manifest { name, architecture, .. } = model.manifest;
    Fault::new(FaultCode::InvalidParameter, format!("model {name:?} is not a reranker"))
        .detail(format!("Its kind is {}.", architecture.as_str()))
        .hint(
            "Rerankers are models of the kinds cross-encoder and qwen3_vl_reranker, and text \
             encoders by their token vectors.",
        )
}

/// The family that a manifest asks for; its files are read when they are needed.
pub fn of(manifest: &Manifest) -> Box<dyn Family> {
    match manifest.architecture {
        Architecture::Bert | Architecture::XlmRoberta | Architecture::Encoder => {
            Box::new(Encoder::default())
        }
        Architecture::Siglip | Architecture::Siglip2 => Box::new(Siglip::default()),
        Architecture::Qwen3Vl => Box::new(Qwen3VlEmbedder::default()),
        Architecture::CrossEncoder => Box::new(CrossEncoder::default()),
        Architecture::Qwen3VlReranker => Box::new(Qwen3VlReranker::default()),
    }
}

/// What a family needs to know of its model at each call.
pub struct Model<'a> {
    /// Where its files are.
    pub directory: &'a Directory,
    /// What it is.
    pub manifest: &'a Manifest,
    /// The engine's settings.
    pub options: &'a Options,
}

impl Model<'_> {
    /// Loads one of the model's graphs.
    pub fn graph(&self, file: &str, cancel: &Cancel) -> Result<Graph, Fault> {
        let load = self.load_options(cancel)?;
        let path = self.directory.file(file)?;
        Graph::load(&path, &load, cancel).map_err(|fault| self.name_in(fault))
    }

    /// Loads the model's text graph as an encoder of tokens and mask.
    pub fn text_graph(&self, cancel: &Cancel) -> Result<TextGraph, Fault> {
        let load = self.load_options(cancel)?;
        let path = self.directory.file(&self.manifest.text.graph)?;
        TextGraph::load(&path, &load, self.manifest.pooling, cancel)
            .map_err(|fault| self.name_in(fault))
    }

    /// Loads the graph that compares token states.
    pub fn max_sim(&self, cancel: &Cancel) -> Result<MaxSim, Fault> {
        MaxSim::load(&self.load_options(cancel)?, cancel)
    }

    /// A fault of the model's files, with the model's name.
    pub fn name_in(&self, mut fault: Fault) -> Fault {
        if fault.code == FaultCode::ConfigFile {
            fault.message = format!("model {:?}: {}", self.directory.name(), fault.message);
        }
        fault
    }

    /// How rows run together: padded tokens of a run, and whether each row runs alone.
    pub fn batching(&self, on_cpu: bool) -> (usize, bool) {
        (self.batch_tokens(on_cpu), !self.manifest.batch_invariant)
    }

    /// Padded tokens of one run.
    pub fn batch_tokens(&self, on_cpu: bool) -> usize {
        let default = if on_cpu { CPU_BATCH_TOKENS } else { GPU_BATCH_TOKENS };
        self.options.max_batch_tokens.unwrap_or(default)
    }

    /// How to load a graph, after its files were found to be those of the manifest.
    fn load_options(&self, cancel: &Cancel) -> Result<LoadOptions<'_>, Fault> {
        let Model { directory, manifest, options } = self;
        directory.verify(manifest, &options.checksums, cancel)?;
        Ok(LoadOptions {
            runtime: &options.runtime,
            device: options.device,
            intra_op_threads: options.intra_op_threads,
            // Without it, packed formats run 20× slower; plain floats would be copied into every
            // backend instead of being mapped once for all.
            prepack: matches!(manifest.precision, Precision::Int8 | Precision::Int4),
        })
    }
}
