//! Which models are loaded or being loaded, and who finds his way to them.
//!
//! Locks are taken in one order: this table, then an [`Opening`], then an [`Actor`]; and never held while
//! files are read, a model is loaded or runs.

use crate::actor::{Actor, Reason, Registration};
use crate::aside::no_thread;
use crate::memory::{self, Holder, Room};
use crate::opening::{Opening, Place};
use crate::settings::Settings;
use crate::statistics::Statistics;
use crate::waker::Waker;
use inference::{Model, Registry, Residence};
use protocol::{Device, Fault, FaultCode, ModelStatistics, Options};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The models of this process.
pub struct Models {
    /// Files and what is made of them.
    pub registry: Registry,
    pub(crate) settings: Arc<Settings>,
    pub(crate) statistics: Arc<Statistics>,
    table: Mutex<Table>,
    /// An actor, a load or a thread is gone.
    pub(crate) gone: Condvar,
}

#[derive(Default)]
pub(crate) struct Table {
    pub openings: HashMap<Key, Arc<Opening<Model>>>,
    /// By the number of their load.
    pub actors: HashMap<u64, Arc<Actor<Model>>>,
    /// Of loads under way, by their number.
    pub reserved: HashMap<u64, u64>,
    /// Of models, loading or running.
    pub threads: usize,
    pub stopping: bool,
}

/// Requests that agree in it are served by one load.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub name: String,
    model_path: Vec<PathBuf>,
    runtime: PathBuf,
    device: Device,
    intra_op_threads: usize,
    gpu_memory_limit: Option<u64>,
}

/// Where a request finds its model.
pub enum Seat {
    /// It is loaded.
    Here(Registration<Model>),
    /// It is being loaded.
    Loading(Place<Model>),
}

impl Key {
    fn of(name: &str, options: &Options) -> Self {
        Self {
            name: name.to_owned(),
            model_path: options.model_path.clone(),
            runtime: options.runtime.clone(),
            device: options.device,
            intra_op_threads: options.intra_op_threads,
            gpu_memory_limit: options.gpu_memory_limit,
        }
    }
}

impl Models {
    /// None yet.
    pub fn new(settings: Arc<Settings>, statistics: Arc<Statistics>) -> Self {
        Self {
            registry: Registry::new(Residence::Engine),
            settings,
            statistics,
            table: Mutex::default(),
            gone: Condvar::new(),
        }
    }

    /// A place at the model, which begins to load where it is not here; the waker is called when it is.
    ///
    /// # Errors
    /// `InsufficientResources` where too many wait, or there is no thread to be had.
    pub fn seat(
        self: &Arc<Self>,
        name: &str,
        options: &Arc<Options>,
        waker: &Arc<Waker>,
    ) -> Result<Seat, Fault> {
        if let Some(model) = self.registry.known(name, options) {
            let actor = self.table().actors.get(&model.number()).cloned();
            if let Some(actor) = actor
                && let Some(registration) = actor.register()?
            {
                return Ok(Seat::Here(registration));
            }
        }
        let most = self.settings.current().max_queue;
        let mut table = self.table();
        let opening = self.opening(&mut table, name, options)?;
        opening.join(waker, name, most).map(Seat::Loading)
    }

    /// Begins to load what is not here.
    pub fn preload(self: &Arc<Self>, names: &[String], options: &Arc<Options>) {
        for name in names {
            let known = self.registry.known(name, options).map(|model| model.number());
            let mut table = self.table();
            if known.is_some_and(|number| table.actors.contains_key(&number)) {
                continue;
            }
            if let Err(fault) = self.opening(&mut table, name, options) {
                drop(table);
                crate::log::warning(format_args!("model {name:?} is not preloaded: {fault}"));
            }
        }
    }

    /// The load under way, or a new one. Nobody who holds the table can miss its end.
    fn opening(
        self: &Arc<Self>,
        table: &mut Table,
        name: &str,
        options: &Arc<Options>,
    ) -> Result<Arc<Opening<Model>>, Fault> {
        if table.stopping {
            return Err(stopping());
        }
        let key = Key::of(name, options);
        if let Some(opening) = table.openings.get(&key) {
            return Ok(Arc::clone(opening));
        }
        let opening = Arc::new(Opening::default());
        let (models, options) = (Arc::clone(self), Arc::clone(options));
        let (its_key, its_opening) = (key.clone(), Arc::clone(&opening));
        let live = move || models.live(&its_key, &options, &its_opening);
        std::thread::Builder::new().name("model".to_owned()).spawn(live).map_err(no_thread)?;
        table.threads += 1;
        table.openings.insert(key, Arc::clone(&opening));
        Ok(opening)
    }

    /// Lets all loads of a model go. Those that are used still, to wait for, and whether anything changes by it.
    pub fn unload(&self, name: &str) -> (Vec<Arc<Actor<Model>>>, bool) {
        let (actors, loading) = {
            let table = self.table();
            let actors = table.actors.values().filter(|actor| actor.model.name() == name).cloned();
            let openings = table.openings.iter().filter(|(key, _)| key.name == name);
            let loading = openings.map(|(_, opening)| opening.unload()).count() > 0;
            (actors.collect::<Vec<_>>(), loading)
        };
        let mut news = loading;
        for actor in &actors {
            news |= self.close(actor, Reason::Requested);
        }
        self.forget_unused(|model| model.name() == name);
        (actors, news)
    }

    /// Takes no more requests for this load. Whether that is news.
    pub(crate) fn close(&self, actor: &Actor<Model>, reason: Reason) -> bool {
        // In this order: who finds the actor closed finds another load under its name.
        self.registry.forget(&actor.model);
        actor.close(reason)
    }

    /// Lets tokenizers go that were only counted with.
    pub(crate) fn forget_unused(&self, which: impl Fn(&Model) -> bool) {
        /// The registry's, and the one here: nobody else has just opened it.
        const UNUSED: usize = 2;
        for model in self.registry.held() {
            let number = model.number();
            let table = self.table();
            let used = table.actors.contains_key(&number) || table.reserved.contains_key(&number);
            drop(table);
            if !used && Arc::strong_count(&model) <= UNUSED && which(&model) {
                self.registry.forget(&model);
            }
        }
    }

    /// Closes what a lower memory limit has no room for.
    pub fn shrink(&self) {
        let Some(limit) = self.settings.current().memory_limit else { return };
        let going = self.table().room(0, limit).1;
        for actor in &going {
            self.close(actor, Reason::MemoryLimit);
        }
    }

    /// Statistics of every model, with what is loaded of it.
    pub fn statistics(&self) -> Vec<ModelStatistics> {
        let actors: Vec<_> = self.table().actors.values().cloned().collect();
        let mut rows = self.statistics.models();
        for row in &mut rows {
            for actor in actors.iter().filter(|actor| actor.model.name() == row.name) {
                row.loaded = true;
                row.bytes += actor.model.bytes();
                row.queued += actor.snapshot().queued;
                let device = actor.model.device();
                row.device = row.device.take().into_iter().chain(device).reduce(|all, device| {
                    if all.contains(&device) { all } else { format!("{all}, {device}") }
                });
            }
        }
        rows
    }

    /// Sets statistics to zero.
    pub fn reset_statistics(&self) {
        let actors: Vec<_> = self.table().actors.values().cloned().collect();
        self.statistics.reset(|name| actors.iter().any(|actor| actor.model.name() == name));
    }

    /// Ends all loads and runs. Whether they had ended by the deadline.
    pub fn stop(&self, deadline: Instant) -> bool {
        let mut table = self.table();
        table.stopping = true;
        let openings: Vec<_> = table.openings.values().cloned().collect();
        let actors: Vec<_> = table.actors.values().cloned().collect();
        drop(table);
        openings.iter().for_each(|opening| opening.cancel.request());
        actors.iter().for_each(|actor| actor.stop());
        table = self.table();
        self.gone.notify_all();
        while table.threads > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            let waited = self.gone.wait_timeout(table, left);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Room for `need` bytes, and the actors that would have to go.
    pub fn room(&self, need: u64, limit: u64) -> (Room, Vec<Arc<Actor<Model>>>) {
        let holders = self.actors.iter().map(|(number, actor)| {
            let snapshot = actor.snapshot();
            let (idle, closing, used) = (snapshot.idle, snapshot.closing, snapshot.used);
            Holder { number: *number, bytes: actor.model.bytes(), idle, closing, used }
        });
        let reserved = self.reserved.values().sum();
        let room = memory::room(&holders.collect::<Vec<_>>(), reserved, need, limit);
        let going = match &room {
            Room::After(numbers) => {
                numbers.iter().filter_map(|number| self.actors.get(number)).cloned().collect()
            }
            _ => Vec::new(),
        };
        (room, going)
    }
}

pub(crate) fn stopping() -> Fault {
    Fault::new(FaultCode::ConnectionFailure, "the engine is being stopped")
        .detail("It takes no more requests.")
        .hint("Repeat the statement when the server is up again.")
}
