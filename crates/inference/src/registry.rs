//! Models by name: found, kept, and loaded again when they change.

use crate::batch;
use crate::cancel::Cancel;
use crate::checksum::Checksums;
use crate::directory::{self, Directory, Stamp};
use crate::family;
use crate::limits;
use crate::model::Model;
use crate::work::{Output, Window};
use protocol::{
    CountTokens, Device, Embed, Embeddings, Fault, FaultCode, ModelStatus, Options, Reply, Request,
    Rerank, Scores, TokenCount,
};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who holds the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residence {
    /// One session: one load of a model, as much of it as possible mapped from its files.
    Session,
    /// An engine for many sessions, whose settings may differ: one load for each placement, and
    /// weights rearranged for speed.
    Engine,
}

/// The models of one engine; shared by its threads.
pub struct Registry {
    residence: Residence,
    models: Mutex<Vec<Arc<Model>>>,
    loads: AtomicU64,
}

/// Settings that a loaded model depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placement {
    runtime: PathBuf,
    device: Device,
    intra_op_threads: usize,
    gpu_memory_limit: Option<u64>,
}

impl Placement {
    fn of(options: &Options) -> Self {
        Self {
            runtime: options.runtime.clone(),
            device: options.device,
            intra_op_threads: options.intra_op_threads,
            gpu_memory_limit: options.gpu_memory_limit,
        }
    }
}

/// Changes whenever `name` may give other vectors: its files, where it is found, where it runs.
///
/// `None` where there is no such model. Cheap enough for every call.
pub fn version(name: &str, options: &Options) -> Option<u64> {
    let directory = Directory::find(&options.model_path, name).ok()?;
    let mut hasher = DefaultHasher::new();
    (directory.path(), directory.stamp(), Placement::of(options)).hash(&mut hasher);
    Some(hasher.finish())
}

impl Registry {
    /// Without models yet.
    pub fn new(residence: Residence) -> Self {
        Self { residence, models: Mutex::default(), loads: AtomicU64::new(0) }
    }

    /// The model, if it is held, and neither its files nor the settings it depends on differ.
    pub fn known(&self, name: &str, options: &Options) -> Option<Arc<Model>> {
        let directory = Directory::find(&options.model_path, name).ok()?;
        let (stamp, placement) = (directory.stamp(), Placement::of(options));
        self.same(&directory, &stamp, &placement)
    }

    /// The model; where it is not known, its manifest is read and its files are checked, which may
    /// take seconds.
    pub fn open(
        &self,
        name: &str,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Arc<Model>, Fault> {
        let directory = Directory::find(&options.model_path, name)?;
        let (stamp, placement) = (directory.stamp(), Placement::of(options));
        if let Some(model) = self.same(&directory, &stamp, &placement) {
            return Ok(model);
        }
        if self.residence == Residence::Session {
            // Before the other is loaded: a session holds one of a name.
            self.models().retain(|model| model.name() != name);
        }
        let checksums = Checksums::new(options.checksums.clone());
        let manifest = directory.manifest(&checksums, cancel)?;
        // Before the tokenizer is read: a wrong one would give wrong vectors silently.
        directory.verify(&manifest, &checksums, cancel)?;
        let model = Arc::new(Model {
            number: self.loads.fetch_add(1, Ordering::Relaxed) + 1,
            bytes: directory.bytes(&manifest),
            fingerprint: manifest.fingerprint(),
            family: family::of(&manifest),
            residence: self.residence,
            complete: AtomicBool::new(false),
            directory,
            stamp,
            manifest,
            placement,
        });
        let mut models = self.models();
        let same_place = |other: &Arc<Model>| {
            other.directory == model.directory && other.placement == model.placement
        };
        // Another thread may have been here first: there is one load of a model.
        if let Some(first) =
            models.iter().find(|other| same_place(other) && other.stamp == model.stamp)
        {
            return Ok(Arc::clone(first));
        }
        models.retain(|other| !same_place(other));
        models.push(Arc::clone(&model));
        Ok(model)
    }

    /// All that are held.
    pub fn held(&self) -> Vec<Arc<Model>> {
        self.models().clone()
    }

    /// Lets a model go; its memory is freed when nobody uses it any more. Whether it was held.
    pub fn forget(&self, model: &Arc<Model>) -> bool {
        let mut models = self.models();
        let before = models.len();
        models.retain(|other| !Arc::ptr_eq(other, model));
        models.len() < before
    }

    /// Answers one request on this thread.
    pub fn answer(
        &self,
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
                let checksums = Checksums::new(options.checksums.clone());
                let manifest = directory.manifest(&checksums, cancel)?;
                manifest.vector_dimensions().map(Reply::Dimensions)
            }
            Request::Models => self.statuses(options, cancel).map(Reply::Models),
            Request::Load(name) => {
                let model = self.open(name, options, cancel)?;
                model.load(options, cancel).map(Reply::Changed)
            }
            Request::Unload(name) => {
                let held = self.held().into_iter().filter(|model| model.name() == name);
                Ok(Reply::Changed(held.filter(|model| self.forget(model)).count() > 0))
            }
            Request::Status | Request::ResetStatistics => Err(no_process()),
        }
    }

    fn embed(
        &self,
        request: &Embed,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Embeddings, Fault> {
        let model = self.open(&request.model, options, cancel)?;
        let mut vectors = vec![None; request.inputs.len()];
        let prepare = |from| model.prepare_embed(request, from, options, cancel);
        each(&model, vectors.len(), prepare, options, cancel, |row, output| {
            if let Output::Vector(vector) = output {
                vectors[row] = Some(vector);
            }
        })?;
        Ok(Embeddings { vectors, fingerprint: model.fingerprint.clone() })
    }

    fn rerank(
        &self,
        request: &Rerank,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Scores, Fault> {
        let model = self.open(&request.model, options, cancel)?;
        let mut scores = vec![None; request.candidates.len()];
        let prepare = |from| model.prepare_rerank(request, from, options, cancel);
        each(&model, scores.len(), prepare, options, cancel, |row, output| {
            if let Output::Score(score) = output {
                scores[row] = Some(score);
            }
        })?;
        Ok(Scores { scores, fingerprint: model.fingerprint.clone() })
    }

    fn count_tokens(
        &self,
        request: &CountTokens,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault> {
        limits::check_text("The input", &request.input, options)?;
        let model = self.open(&request.model, options, cancel)?;
        model.count_tokens(&request.input, options, cancel)
    }

    fn statuses(&self, options: &Options, cancel: &Cancel) -> Result<Vec<ModelStatus>, Fault> {
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
            let checksums = Checksums::new(options.checksums.clone());
            let manifest = directory.manifest(&checksums, cancel)?;
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
        let loaded = self.same(&directory, &directory.stamp(), &Placement::of(options));
        let device = loaded.and_then(|model| model.device());
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

    fn same(
        &self,
        directory: &Directory,
        stamp: &Stamp,
        placement: &Placement,
    ) -> Option<Arc<Model>> {
        let models = self.models();
        let same = models.iter().find(|model| {
            model.directory == *directory && model.stamp == *stamp && model.placement == *placement
        });
        same.cloned()
    }

    /// After a panic the list is still whole: it is changed in single steps.
    fn models(&self) -> MutexGuard<'_, Vec<Arc<Model>>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prepares and runs all rows of a request, window by window, batch by batch.
fn each(
    model: &Model,
    rows: usize,
    mut prepare: impl FnMut(usize) -> Result<Window, Fault>,
    options: &Options,
    cancel: &Cancel,
    mut take: impl FnMut(usize, Output),
) -> Result<(), Fault> {
    let mut from = 0;
    loop {
        let window = prepare(from)?;
        let max_tokens = model.batch_tokens(options);
        for batch in batch::plan(&window.rows, max_tokens, model.one_by_one()) {
            let members: Vec<_> = batch.iter().map(|member| &window.rows[*member].1).collect();
            for (member, outcome) in batch.iter().zip(model.run(&members, options, cancel)?) {
                take(window.rows[*member].0, outcome?);
            }
        }
        from = window.next;
        if from >= rows {
            return Ok(());
        }
    }
}

fn no_process() -> Fault {
    Fault::new(FaultCode::NotInPrerequisiteState, "there is no engine process")
        .detail("Models of this session live in its own process.")
        .hint("Add itembank_embed to shared_preload_libraries and restart PostgreSQL.")
}
