//! The life of one load: from opening the model's files to the end of the thread that ran it.

use crate::actor::{Actor, Reason};
use crate::log;
use crate::memory::Room;
use crate::models::{Key, Models, stopping};
use crate::opening::Opening;
use crate::runner::{self, described, panicked};
use inference::Model;
use protocol::{Fault, FaultCode, Options};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

type Loading = Opening<Model>;

/// Whose work an opened model is.
enum Claim {
    /// This thread's: it is loaded nowhere yet.
    Ours,
    /// Another's, who serves those that waited here.
    Served,
    /// Another's, who is about to end.
    Ending,
}

impl Models {
    /// The model's thread: loads, runs, ends.
    pub(crate) fn live(self: &Arc<Self>, key: &Key, options: &Arc<Options>, opening: &Loading) {
        let open = || self.open(key, options, opening);
        match catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err(panicked())) {
            Ok(Some(actor)) => {
                self.run(&actor);
                drop(actor);
                inference::give_memory_back();
            }
            Ok(None) => {}
            Err(fault) => {
                self.fail(key, opening, fault);
            }
        }
        runner::messages();
        self.table().threads -= 1;
        self.gone.notify_all();
    }

    fn run(&self, actor: &Arc<Actor<Model>>) {
        let run = || runner::run(actor);
        let panicked = catch_unwind(AssertUnwindSafe(run)).is_err();
        if panicked {
            self.registry.forget(&actor.model);
        }
        self.table().actors.remove(&actor.model.number());
        // Before anybody hears of it, for the server's log may be read right then.
        let name = actor.model.name();
        match actor.end() {
            _ if panicked => {
                log::warning(format_args!("model {name:?} unloaded: its thread failed"))
            }
            Some(reason) => log::line(format_args!("model {name:?} unloaded: {reason}")),
            None => {}
        }
        actor.tell();
    }

    /// Nobody gets the model.
    fn fail(&self, key: &Key, opening: &Loading, fault: Fault) {
        use FaultCode::{Canceled, InvalidParameter, UndefinedObject};
        // Of what is a caller's mistake only the caller is told, where there was one.
        let mistaken = matches!(fault.code, UndefinedObject | InvalidParameter | Canceled);
        if !mistaken || !opening.was_asked_for() {
            log::warning(format_args!("model {:?} is not loaded: {}", key.name, described(&fault)));
        }
        let mut table = self.table();
        table.openings.remove(key);
        opening.resolve(Err(if table.stopping { stopping() } else { fault }));
    }

    /// The loaded model, after those who wait have their places at it; `None` where it is another thread's.
    fn open(
        self: &Arc<Self>,
        key: &Key,
        options: &Arc<Options>,
        opening: &Loading,
    ) -> Result<Option<Arc<Actor<Model>>>, Fault> {
        self.retire(&key.name);
        loop {
            let model = self.registry.open(&key.name, options, &opening.cancel)?;
            match self.claim(key, opening, &model)? {
                Claim::Served => return Ok(None),
                Claim::Ending => {}
                Claim::Ours => {
                    let load = || self.load(key, options, opening, &model);
                    let caught = catch_unwind(AssertUnwindSafe(load));
                    let loaded = caught.unwrap_or_else(|_| Err(panicked()));
                    if loaded.is_err() {
                        self.registry.forget(&model);
                        self.table().reserved.remove(&model.number());
                        self.gone.notify_all();
                    }
                    return loaded.map(Some);
                }
            }
        }
    }

    /// Closes loads of the model whose files are others now.
    fn retire(&self, name: &str) {
        let actors: Vec<_> = self.table().actors.values().cloned().collect();
        for actor in actors.iter().filter(|actor| actor.model.name() == name) {
            let now = self.registry.known(name, &actor.options).map(|model| model.number());
            if now != Some(actor.model.number()) {
                self.close(actor, Reason::Changed);
            }
        }
    }

    /// Another path may lead to a model that is here already, or on its way.
    fn claim(&self, key: &Key, opening: &Loading, model: &Arc<Model>) -> Result<Claim, Fault> {
        let number = model.number();
        let mut table = self.table();
        while table.reserved.contains_key(&number) {
            opening.cancel.check()?;
            table = self.gone.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
        if table.stopping {
            return Err(stopping());
        }
        let Some(actor) = table.actors.get(&number).cloned() else {
            table.reserved.insert(number, 0);
            return Ok(Claim::Ours);
        };
        if actor.snapshot().closing || !opening.resolve(Ok(&actor)) {
            return Ok(Claim::Ending);
        }
        table.openings.remove(key);
        Ok(Claim::Served)
    }

    fn load(
        &self,
        key: &Key,
        options: &Arc<Options>,
        opening: &Loading,
        model: &Arc<Model>,
    ) -> Result<Arc<Actor<Model>>, Fault> {
        self.make_room(model, opening)?;
        let began = Instant::now();
        model.load(options, &opening.cancel)?;
        let took = began.elapsed();
        runner::messages();
        let counters = self.statistics.of(model.name());
        counters.loaded(took);
        let (options, settings) = (Arc::clone(options), Arc::clone(&self.settings));
        let actor = Arc::new(Actor::new(Arc::clone(model), options, settings, counters));
        let mut table = self.table();
        if table.stopping {
            return Err(stopping());
        }
        table.reserved.remove(&model.number());
        table.actors.insert(model.number(), Arc::clone(&actor));
        table.openings.remove(key);
        opening.resolve(Ok(&actor));
        drop(table);
        self.gone.notify_all();
        let device = model.device().unwrap_or_else(|| "no device".to_owned());
        let (name, size) = (model.name(), model.bytes() / 1_000_000);
        let seconds = took.as_secs_f64();
        log::line(format_args!("model {name:?} loaded on {device} in {seconds:.2} s ({size} MB)"));
        if opening.is_to_go() {
            self.close(&actor, Reason::Requested);
        }
        Ok(actor)
    }

    /// Waits until the model fits below the limit; others go for it.
    fn make_room(&self, model: &Arc<Model>, opening: &Loading) -> Result<(), Fault> {
        let (number, need) = (model.number(), model.bytes());
        let mut table = self.table();
        loop {
            opening.cancel.check()?;
            let limit = self.settings.current().memory_limit;
            let (room, going) = table.room(need, limit.unwrap_or(u64::MAX));
            match room {
                Room::Here => {
                    table.reserved.insert(number, need);
                    return Ok(());
                }
                Room::Never => return Err(too_large(model, limit.unwrap_or(u64::MAX))),
                Room::After(_) if going.is_empty() => {
                    table = self.gone.wait(table).unwrap_or_else(PoisonError::into_inner);
                }
                Room::After(_) => {
                    drop(table);
                    self.forget_unused(|_| true);
                    for actor in &going {
                        self.close(actor, Reason::MemoryLimit);
                    }
                    table = self.table();
                }
            }
        }
    }
}

fn too_large(model: &Model, limit: u64) -> Fault {
    let message = format!("model {:?} is larger than the engine's memory limit", model.name());
    Fault::new(FaultCode::InsufficientResources, message)
        .detail(format!("Its files have {} bytes, and the limit is {limit}.", model.bytes()))
        .hint("Raise itembank_embed.memory_limit, or use a smaller model.")
}
