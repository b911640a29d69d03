//! Models by name: found, loaded at first use, kept, and loaded again when they change.
//!
//! Not shared between threads: an engine owns one and calls it from the thread that runs models.

use crate::cancel::Cancel;
use crate::directory::{self, Directory, Stamp};
use crate::family::{self, Family, Model};
use crate::limits;
use crate::manifest::Manifest;
use crate::options::{Device, Options};
use protocol::{
    CountTokens, Embed, Embeddings, Fault, ModelStatus, Reply, Request, Rerank, Scores, TokenCount,
};
use std::collections::HashMap;
use std::path::PathBuf;

/// The models of one engine.
#[derive(Default)]
pub struct Registry {
    entries: HashMap<String, Entry>,
    loads: u64,
}

struct Entry {
    /// Counts loads, so that no two of them are taken for each other.
    number: u64,
    directory: Directory,
    stamp: Stamp,
    manifest: Manifest,
    fingerprint: String,
    /// Settings that a loaded session depends on.
    placement: Placement,
    family: Box<dyn Family>,
}

#[derive(PartialEq)]
struct Placement {
    runtime: PathBuf,
    device: Device,
    intra_op_threads: usize,
}

impl Placement {
    fn of(options: &Options) -> Self {
        Self {
            runtime: options.runtime.clone(),
            device: options.device,
            intra_op_threads: options.intra_op_threads,
        }
    }
}

impl Registry {
    /// Answers one request.
    pub fn answer(
        &mut self,
        request: &Request,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Reply, Fault> {
        match request {
            Request::Embed(embed) => self.embed(embed, options, cancel).map(Reply::Embeddings),
            Request::Rerank(rerank) => self.rerank(rerank, options, cancel).map(Reply::Scores),
            Request::CountTokens(count) => {
                self.count_tokens(count, options, cancel).map(Reply::TokenCount)
            }
            Request::Dimensions(model) => {
                let directory = Directory::find(&options.model_path, model)?;
                let manifest = directory.manifest(&options.checksums, cancel)?;
                manifest.vector_dimensions().map(Reply::Dimensions)
            }
            Request::Models => self.models(options, cancel).map(Reply::Models),
        }
    }

    /// The number of the load that serves `name` now: another number, perhaps other vectors.
    ///
    /// `None` where the model is not held, or has changed on disk or in its settings. Cheap enough
    /// for every call.
    pub fn load_number(&self, name: &str, options: &Options) -> Option<u64> {
        let entry = self.entries.get(name)?;
        let directory = Directory::find(&options.model_path, name).ok()?;
        let unchanged =
            entry.stamp == directory.stamp() && entry.placement == Placement::of(options);
        unchanged.then_some(entry.number)
    }

    fn embed(
        &mut self,
        request: &Embed,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Embeddings, Fault> {
        let Entry { directory, manifest, fingerprint, family, .. } =
            self.entry(&request.model, options, cancel)?;
        let dimensions = manifest.dimensions_for(request.dimensions)?;
        limits::check_embed(request, dimensions, options)?;
        let model = Model { directory, manifest, options };
        let vectors = family.embed(&model, request, dimensions, cancel)?;
        Ok(Embeddings { vectors, fingerprint: fingerprint.clone() })
    }

    fn rerank(
        &mut self,
        request: &Rerank,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Scores, Fault> {
        let Entry { directory, manifest, fingerprint, family, .. } =
            self.entry(&request.model, options, cancel)?;
        limits::check_rerank(request, options)?;
        let model = Model { directory, manifest, options };
        let scores = family.rerank(&model, request, cancel)?;
        Ok(Scores { scores, fingerprint: fingerprint.clone() })
    }

    fn count_tokens(
        &mut self,
        request: &CountTokens,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault> {
        limits::check_text("The input", &request.input, options)?;
        let Entry { directory, manifest, family, .. } =
            self.entry(&request.model, options, cancel)?;
        family.count_tokens(&Model { directory, manifest, options }, &request.input, cancel)
    }

    /// The entry of `name`, read again if its directory or its settings have changed.
    fn entry(
        &mut self,
        name: &str,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<&mut Entry, Fault> {
        let directory = Directory::find(&options.model_path, name)?;
        let stamp = directory.stamp();
        let placement = Placement::of(options);
        let known = self.entries.remove(name);
        let entry = match known.filter(|e| e.stamp == stamp && e.placement == placement) {
            Some(entry) => entry,
            None => {
                let manifest = directory.manifest(&options.checksums, cancel)?;
                let fingerprint = manifest.fingerprint();
                // Before the tokenizer is read: a wrong one would give wrong vectors silently.
                directory.verify(&manifest, &options.checksums, cancel)?;
                let family = family::of(&manifest);
                self.loads += 1;
                let number = self.loads;
                Entry { number, directory, stamp, manifest, fingerprint, placement, family }
            }
        };
        Ok(self.entries.entry(name.to_owned()).insert_entry(entry).into_mut())
    }

    fn models(&self, options: &Options, cancel: &Cancel) -> Result<Vec<ModelStatus>, Fault> {
        let names = directory::list(&options.model_path).into_iter();
        names.map(|name| self.status(name, options, cancel)).collect()
    }

    fn status(
        &self,
        name: String,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<ModelStatus, Fault> {
        cancel.check()?;
        let described = Directory::find(&options.model_path, &name).and_then(|directory| {
            let manifest = directory.manifest(&options.checksums, cancel)?;
            for file in manifest.files.keys() {
                directory.file(file)?;
            }
            Ok((directory, manifest))
        });
        // A stop is the caller's, not the model's problem.
        cancel.check()?;
        let (directory, manifest) = match described {
            Ok(described) => described,
            Err(fault) => {
                let problem = [Some(fault.message), fault.detail].into_iter().flatten();
                let problem = Some(problem.collect::<Vec<_>>().join(": "));
                return Ok(ModelStatus { name, problem, ..ModelStatus::default() });
            }
        };
        let loaded = self.entries.get(&name).filter(|entry| entry.stamp == directory.stamp());
        let device = loaded.and_then(|entry| entry.family.device()).map(str::to_owned);
        Ok(ModelStatus {
            kind: Some(manifest.architecture.as_str().to_owned()),
            modalities: manifest.modalities().into_iter().map(str::to_owned).collect(),
            dimensions: manifest.dimensions,
            max_tokens: Some(manifest.max_tokens),
            precision: Some(manifest.precision.as_str().to_owned()),
            loaded: device.is_some(),
            device,
            bytes: Some(directory.bytes(&manifest)),
            fingerprint: Some(manifest.fingerprint()),
            problem: None,
            name,
        })
    }
}
