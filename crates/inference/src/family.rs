//! What every family of models does, and which family a manifest asks for.
//!
//! A new family is one module that implements [`Family`] and one arm in [`of`].

use crate::cancel::Cancel;
use crate::checksum::Checksums;
use crate::cross_encoder::CrossEncoder;
use crate::directory::Directory;
use crate::encoder::Encoder;
use crate::manifest::{Architecture, Manifest, Precision};
use crate::qwen3_vl::{Qwen3VlEmbedder, Qwen3VlReranker};
use crate::registry::Residence;
use crate::session::{Graph, LoadOptions, MaxSim, TextGraph};
use crate::siglip::Siglip;
use crate::work::{Outcomes, Plan, Row, Window};
use protocol::{Embed, Fault, FaultCode, Options, Rerank, TokenCount};

/// Padded tokens of one run where the setting is left to us: what a CPU's caches like, what a GPU
/// needs to be busy (measured: a CPU's throughput falls beyond 1–2 thousand).
const CPU_BATCH_TOKENS: usize = 512;
const GPU_BATCH_TOKENS: usize = 16_384;

/// A model in memory; parts are loaded when first needed, and used by several threads.
///
/// What prepares rows may run on many threads at once; runs of a graph wait for each other.
pub trait Family: Send + Sync + 'static {
    /// A row that is ready to run.
    type Row: Send + Sync + 'static;

    /// Where the model runs; `None` until a graph is loaded.
    fn device(&self) -> Option<String>;

    /// Loads what a request with text takes.
    fn load(&self, spec: &Spec, cancel: &Cancel) -> Result<(), Fault>;

    /// Tokens of `text` under the prompt for documents.
    fn count_tokens(&self, spec: &Spec, text: &str, cancel: &Cancel) -> Result<TokenCount, Fault>;

    /// Prepares a window of the request's rows, from number `from` on.
    fn embed_rows(
        &self,
        spec: &Spec,
        _request: &Embed,
        _dimensions: usize,
        _from: usize,
        _cancel: &Cancel,
    ) -> Result<Plan<Self::Row>, Fault> {
        Err(spec.manifest.gives_scores())
    }

    /// Prepares a window of the request's candidates, from number `from` on; one without anything
    /// that could be compared gets no row, and no score.
    fn rerank_rows(
        &self,
        spec: &Spec,
        _request: &Rerank,
        _from: usize,
        _cancel: &Cancel,
    ) -> Result<Plan<Self::Row>, Fault> {
        Err(not_a_reranker(spec))
    }

    /// Runs rows of one class together.
    fn run(&self, spec: &Spec, rows: &[&Self::Row], cancel: &Cancel) -> Result<Outcomes, Fault>;
}

/// A family whose rows are of a type that only it knows.
pub trait AnyFamily: Send + Sync {
    /// As [`Family::device`].
    fn device(&self) -> Option<String>;
    /// As [`Family::load`].
    fn load(&self, spec: &Spec, cancel: &Cancel) -> Result<(), Fault>;
    /// As [`Family::count_tokens`].
    fn count_tokens(&self, spec: &Spec, text: &str, cancel: &Cancel) -> Result<TokenCount, Fault>;
    /// As [`Family::embed_rows`].
    fn embed_rows(
        &self,
        spec: &Spec,
        request: &Embed,
        dimensions: usize,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Window, Fault>;
    /// As [`Family::rerank_rows`].
    fn rerank_rows(
        &self,
        spec: &Spec,
        request: &Rerank,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Window, Fault>;
    /// As [`Family::run`].
    fn run(&self, spec: &Spec, rows: &[&Row], cancel: &Cancel) -> Result<Outcomes, Fault>;
}

struct Erased<F>(F);

impl<F: Family> AnyFamily for Erased<F> {
    fn device(&self) -> Option<String> {
        self.0.device()
    }

    fn load(&self, spec: &Spec, cancel: &Cancel) -> Result<(), Fault> {
        self.0.load(spec, cancel)
    }

    fn count_tokens(&self, spec: &Spec, text: &str, cancel: &Cancel) -> Result<TokenCount, Fault> {
        self.0.count_tokens(spec, text, cancel)
    }

    fn embed_rows(
        &self,
        spec: &Spec,
        request: &Embed,
        dimensions: usize,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Window, Fault> {
        self.0.embed_rows(spec, request, dimensions, from, cancel).map(erased)
    }

    fn rerank_rows(
        &self,
        spec: &Spec,
        request: &Rerank,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Window, Fault> {
        self.0.rerank_rows(spec, request, from, cancel).map(erased)
    }

    fn run(&self, spec: &Spec, rows: &[&Row], cancel: &Cancel) -> Result<Outcomes, Fault> {
        let known = rows.iter().map(|row| row.payload::<F::Row>());
        let known = known.collect::<Option<Vec<_>>>().ok_or_else(|| {
            Fault::new(FaultCode::Internal, "a row was given to another model's family")
                .detail("Rows run on the model that prepared them.")
                .hint("This is a bug; please report it.")
        })?;
        self.0.run(spec, &known, cancel)
    }
}

fn erased<R: Send + Sync + 'static>((rows, next): Plan<R>) -> Window {
    let rows = rows.into_iter().map(|planned| (planned.index, Row::new(planned))).collect();
    Window { rows, next }
}

/// A model without what reranking takes.
pub fn not_a_reranker(spec: &Spec) -> Fault {
    let Manifest { name, architecture, .. } = spec.manifest;
    Fault::new(FaultCode::InvalidParameter, format!("model {name:?} is not a reranker"))
        .detail(format!("Its kind is {}.", architecture.as_str()))
        .hint(
            "Rerankers are models of the kinds cross-encoder and qwen3_vl_reranker, and text \
             encoders by their token vectors.",
        )
}

/// The family that a manifest asks for; its files are read when they are needed.
pub fn of(manifest: &Manifest) -> Box<dyn AnyFamily> {
    match manifest.architecture {
        Architecture::Bert | Architecture::XlmRoberta | Architecture::Encoder => {
            Box::new(Erased(Encoder::default()))
        }
        Architecture::Siglip | Architecture::Siglip2 => Box::new(Erased(Siglip::default())),
        Architecture::Qwen3Vl => Box::new(Erased(Qwen3VlEmbedder::default())),
        Architecture::CrossEncoder => Box::new(Erased(CrossEncoder::default())),
        Architecture::Qwen3VlReranker => Box::new(Erased(Qwen3VlReranker::default())),
    }
}

/// What a family needs to know of its model at each call.
pub struct Spec<'a> {
    /// Where its files are.
    pub directory: &'a Directory,
    /// What it is.
    pub manifest: &'a Manifest,
    /// The session's settings.
    pub options: &'a Options,
    /// Who holds it.
    pub residence: Residence,
}

impl Spec<'_> {
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

    /// Padded tokens of one run.
    pub fn batch_tokens(&self, on_cpu: bool) -> usize {
        let default = if on_cpu { CPU_BATCH_TOKENS } else { GPU_BATCH_TOKENS };
        self.options.max_batch_tokens.unwrap_or(default)
    }

    /// How to load a graph, after its files were found to be those of the manifest.
    fn load_options(&self, cancel: &Cancel) -> Result<LoadOptions<'_>, Fault> {
        let Spec { directory, manifest, options, residence } = self;
        directory.verify(manifest, &Checksums::new(options.checksums.clone()), cancel)?;
        let packed = matches!(manifest.precision, Precision::Int8 | Precision::Int4);
        Ok(LoadOptions {
            runtime: &options.runtime,
            device: options.device,
            intra_op_threads: options.intra_op_threads,
            gpu_memory_limit: options.gpu_memory_limit,
            // Without it, packed formats run 20× slower; plain floats would be copied into every
            // session's process instead of being mapped once for all.
            prepack: packed || *residence == Residence::Engine,
            usual_tokens: self.batch_tokens(true),
        })
    }
}
