//! One load of one model, shared by all threads of an engine: prepares rows and runs them.

use crate::cancel::Cancel;
use crate::directory::{Directory, Stamp};
use crate::family::{AnyFamily, Spec};
use crate::limits;
use crate::manifest::Manifest;
use crate::registry::{Placement, Residence};
use crate::work::{Outcomes, Row, Window};
use protocol::{Embed, Fault, FaultCode, Input, Options, Request, Rerank, Task, TokenCount};
use std::sync::atomic::{AtomicBool, Ordering};

/// A model whose files were found to be those of its manifest; its parts are loaded when needed.
pub struct Model {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    pub(crate) directory: Directory,
    pub(crate) stamp: Stamp,
    pub(crate) manifest: Manifest,
    pub(crate) fingerprint: String,
    pub(crate) placement: Placement,
    pub(crate) residence: Residence,
    pub(crate) family: Box<dyn AnyFamily>,
    pub(crate) complete: AtomicBool,
}

impl Model {
    /// Name of its directory.
    pub fn name(&self) -> &str {
        self.directory.name()
    }

    /// Counts loads, so that no two of them are taken for each other.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// sha256 over all that decides its vectors.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Bytes of its files, as they were when it was opened.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it runs; `None` until a graph is loaded.
    pub fn device(&self) -> Option<String> {
        self.family.device()
    }

    /// Loads what a request with text takes: tokenizer and graph. Whether anything was loaded now.
    pub fn load(&self, options: &Options, cancel: &Cancel) -> Result<bool, Fault> {
        if self.complete.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.family.load(&self.spec(options), cancel)?;
        Ok(!self.complete.swap(true, Ordering::AcqRel))
    }

    /// Whether rows must run alone, since their batch mates would change the result.
    pub fn one_by_one(&self) -> bool {
        !self.manifest.batch_invariant
    }

    /// Padded tokens of one run.
    pub fn batch_tokens(&self, options: &Options) -> usize {
        let on_cpu = self.device().is_none_or(|device| device.starts_with("cpu"));
        self.spec(options).batch_tokens(on_cpu)
    }

    /// Prepares rows of an [`Embed`] or [`Rerank`] request from number `from` on, as many as one window
    /// holds. The request as a whole is checked with its first window.
    pub fn prepare(
        &self,
        request: &Request,
        from: usize,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Window, Fault> {
        match request {
            Request::Embed(embed) => self.prepare_embed(embed, from, options, cancel),
            Request::Rerank(rerank) => self.prepare_rerank(rerank, from, options, cancel),
            _ => Err(Fault::new(FaultCode::Internal, "the request has no rows to prepare")
                .detail("Only embedding and reranking have.")
                .hint("This is a bug; please report it.")),
        }
    }

    pub(crate) fn prepare_embed(
        &self,
        request: &Embed,
        from: usize,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Window, Fault> {
        let dimensions = self.manifest.dimensions_for(request.dimensions)?;
        if from == 0 {
            limits::check_embed(request, dimensions, options)?;
        }
        self.family.embed_rows(&self.spec(options), request, dimensions, from, cancel)
    }

    pub(crate) fn prepare_rerank(
        &self,
        request: &Rerank,
        from: usize,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Window, Fault> {
        if from == 0 {
            limits::check_rerank(request, options)?;
        }
        self.family.rerank_rows(&self.spec(options), request, from, cancel)
    }

    /// Runs rows of one class together: one outcome a row. A fault is one of the run as a whole.
    pub fn run(
        &self,
        rows: &[&Row],
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Outcomes, Fault> {
        self.family.run(&self.spec(options), rows, cancel)
    }

    /// A row of about so many tokens, to time runs with; `None` where the model takes no text.
    pub fn probe(
        &self,
        tokens: usize,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Option<Row>, Fault> {
        // A number is a token of its own in the usual vocabularies.
        let input = Input { text: Some("1 ".repeat(tokens)), images: Vec::new() };
        let model = self.name().to_owned();
        let window = if self.manifest.dimensions.is_some() {
            let (task, instruction, dimensions) = (Task::Document, None, None);
            let embed = Embed { model, task, instruction, dimensions, inputs: vec![input] };
            self.prepare_embed(&embed, 0, options, cancel)?
        } else {
            let query = Input { text: Some("1".to_owned()), images: Vec::new() };
            let rerank = Rerank { model, instruction: None, query, candidates: vec![input] };
            self.prepare_rerank(&rerank, 0, options, cancel)?
        };
        Ok(window.rows.into_iter().next().map(|(_, row)| row))
    }

    pub(crate) fn count_tokens(
        &self,
        text: &str,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault> {
        self.family.count_tokens(&self.spec(options), text, cancel)
    }

    fn spec<'a>(&'a self, options: &'a Options) -> Spec<'a> {
        let Self { directory, manifest, residence, .. } = self;
        Spec { directory, manifest, options, residence: *residence }
    }
}
