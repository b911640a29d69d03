//! One loaded model: its queue, who uses it, what runs now, and whether it is to end.
//!
//! Connections' threads put rows in and take jobs back (here); the model's own thread ([`crate::runner`]) takes
//! them out (`work`).
//! The lock is never held while a model runs, a message is written or a line is logged.

mod work;

use crate::calibration::Calibration;
use crate::job::Job;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::statistics::Counters;
use crate::waker::Waker;
use batching::{Arrival, FairClock, Item, Queue};
use inference::Cancel;
use protocol::{Fault, FaultCode, Options, Urgency};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use work::Step;

/// Why a model is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Others need the memory.
    MemoryLimit,
    /// Somebody asked for it.
    Requested,
    /// Its files are others now.
    Changed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::MemoryLimit => "memory_limit",
            Reason::Requested => "unload_model",
            Reason::Changed => "its files changed",
        })
    }
}

/// A row in the queue.
pub struct Waiting<R> {
    /// Whose it is.
    pub job: Arc<Job>,
    /// Its number in the request.
    pub index: usize,
    /// The row.
    pub row: R,
    /// Since when it waits.
    pub since: Instant,
}

/// Rows of a job for the queue.
pub struct Load<R> {
    /// Their numbers in the request, and the rows.
    pub rows: Vec<(usize, R)>,
    /// Who may wait for whom.
    pub urgency: Urgency,
    /// When the request came, by the model's fair clock.
    pub arrival: Arrival,
    /// Of the request's rows before these.
    pub tokens_before: usize,
}

/// One loaded model.
pub struct Actor<M: Runs> {
    /// What runs.
    pub model: Arc<M>,
    /// What it was opened with.
    pub options: Arc<Options>,
    /// What is counted under its name.
    pub counters: Arc<Counters>,
    settings: Arc<Settings>,
    state: Mutex<State<M>>,
    changed: Condvar,
}

struct State<M: Runs> {
    queue: Queue<Waiting<M::Row>>,
    running: Option<UnderWay>,
    probing: Option<Arc<Cancel>>,
    calibration: Calibration,
    /// Of the requests under way, whether their rows are queued or not yet.
    clock: FairClock,
    used: Instant,
    closing: Option<Reason>,
    stopping: bool,
    /// Nobody gets a place any more.
    ended: bool,
    /// The thread is done, and those who wait for that know.
    told: bool,
    watchers: Vec<Arc<Waker>>,
}

/// A run, and the jobs that still want it.
struct UnderWay {
    wanted_by: Vec<u64>,
    cancel: Arc<Cancel>,
    way: Way,
}

/// Whether a run is broken off for somebody who is in a hurry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is not: somebody waits for it, or it is a turn that others have waited long for.
    Stays,
    /// It would be.
    CanBeMade,
    /// It was.
    Made,
}

/// How an actor fares.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// Rows in the queue.
    pub queued: usize,
    /// Whether no request is under way.
    pub idle: bool,
    /// Whether it takes no more requests.
    pub closing: bool,
    /// When the last request ended.
    pub used: Instant,
}

impl<M: Runs> Actor<M> {
    /// Of a loaded model, without jobs.
    pub fn new(
        model: Arc<M>,
        options: Arc<Options>,
        settings: Arc<Settings>,
        counters: Arc<Counters>,
    ) -> Self {
        let state = State {
            queue: Queue::new(),
            running: None,
            probing: None,
            calibration: Calibration::default(),
            clock: FairClock::default(),
            used: Instant::now(),
            closing: None,
            stopping: false,
            ended: false,
            told: false,
            watchers: Vec::new(),
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Self { model, options, counters, settings, state, changed }
    }

    /// A place for one request; `None` where the model is about to go.
    ///
    /// # Errors
    /// `InsufficientResources` where too many are here already.
    pub fn register(self: &Arc<Self>) -> Result<Option<Registration<M>>, Fault> {
        let most = self.settings.current().max_queue;
        let mut state = self.state();
        if state.closing.is_some() || state.ended {
            return Ok(None);
        }
        if state.clock.requests() >= most {
            return Err(too_many(self.model.name(), most));
        }
        Ok(Some(self.admit(&mut state)))
    }

    /// Places for requests that have waited for the load, however many and whatever has been decided
    /// meanwhile; `None` where the actor has ended.
    pub fn register_waiting(self: &Arc<Self>, count: usize) -> Option<Vec<Registration<M>>> {
        let mut state = self.state();
        (!state.ended).then(|| (0..count).map(|_| self.admit(&mut state)).collect())
    }

    fn admit(self: &Arc<Self>, state: &mut State<M>) -> Registration<M> {
        if let Some(probing) = state.probing.take() {
            probing.request();
        }
        Registration { actor: Arc::clone(self), arrival: state.clock.join() }
    }

    /// Queues rows of a job.
    ///
    /// # Errors
    /// Where the model's thread has ended.
    pub fn push(&self, job: &Arc<Job>, load: Load<M::Row>) -> Result<(), Fault> {
        let Load { rows, urgency, arrival, mut tokens_before } = load;
        let max_batch_tokens = self.model.batch_tokens(job.options());
        let fixed = self.settings.current().fixed_cost_tokens;
        job.expect(rows.len());
        let mut state = self.state();
        if state.ended {
            return Err(gone(self.model.name()));
        }
        let costs = state.calibration.costs(fixed);
        let since = Instant::now();
        for (index, row) in rows {
            let (tokens, class) = M::shape(&row);
            let due = state.clock.due(arrival, urgency, tokens_before, &costs);
            tokens_before += tokens;
            let value = Waiting { job: Arc::clone(job), index, row, since };
            let job = job.id();
            state.queue.push(Item { job, class, tokens, max_batch_tokens, urgency, due, value });
        }
        let in_the_way = match urgency {
            Urgency::Interactive => state.running.as_mut().and_then(UnderWay::make_way),
            Urgency::Background => None,
        };
        drop(state);
        if let Some(cancel) = in_the_way {
            cancel.request();
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Nobody wants the job any more: its rows leave the queue, and a run that is only for such jobs ends.
    pub fn withdraw(&self, job: &Job) {
        let mut state = self.state();
        let removed = state.queue.remove(job.id());
        let unwanted = state.running.as_mut().and_then(|running| running.without(job.id()));
        drop(state);
        drop(removed);
        if let Some(cancel) = unwanted {
            cancel.request();
        }
    }

    /// Takes no more requests, finishes those it has, and ends. Whether that is news.
    pub fn close(&self, reason: Reason) -> bool {
        let mut state = self.state();
        let news = state.closing.is_none() && !state.ended;
        state.closing.get_or_insert(reason);
        let probing = state.probing.take();
        drop(state);
        if let Some(probing) = probing {
            probing.request();
        }
        self.changed.notify_one();
        news
    }

    /// Ends now: what runs is broken off, what waits is left.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        let cancels = [state.probing.take(), state.running.as_ref().map(|run| run.cancel.clone())];
        drop(state);
        cancels.into_iter().flatten().for_each(|cancel| cancel.request());
        self.changed.notify_one();
    }

    /// Whether the model's thread has ended; where not, the waker is called when it does.
    pub fn ended(&self, waker: &Arc<Waker>) -> bool {
        let mut state = self.state();
        if !state.told {
            state.watchers.retain(|watcher| !Arc::ptr_eq(watcher, waker));
            state.watchers.push(Arc::clone(waker));
        }
        state.told
    }

    /// How it fares.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.state();
        let (queued, idle) = (state.queue.len(), state.clock.requests() == 0);
        let closing = state.closing.is_some() || state.ended;
        Snapshot { queued, idle, closing, used: state.used }
    }

    fn leave(&self) {
        let mut state = self.state();
        state.clock.leave();
        state.used = Instant::now();
        let idle = state.clock.requests() == 0;
        let heard = idle && (state.closing.is_some() || state.calibration.is_due());
        drop(state);
        if heard {
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's place at a model, which stays loaded as long.
pub struct Registration<M: Runs> {
    actor: Arc<Actor<M>>,
    arrival: Arrival,
}

impl<M: Runs> Registration<M> {
    /// The model's.
    pub fn actor(&self) -> &Arc<Actor<M>> {
        &self.actor
    }

    /// When the request came, by the model's fair clock.
    pub fn arrival(&self) -> Arrival {
        self.arrival
    }
}

impl<M: Runs> Drop for Registration<M> {
    fn drop(&mut self) {
        self.actor.leave();
    }
}

impl UnderWay {
    /// How to break the run off for somebody in a hurry, where it is one that can wait.
    fn make_way(&mut self) -> Option<Arc<Cancel>> {
        let can = self.way == Way::CanBeMade;
        can.then(|| {
            self.way = Way::Made;
            Arc::clone(&self.cancel)
        })
    }

    /// A job less; how to break the run off, where it was the last.
    fn without(&mut self, job: u64) -> Option<Arc<Cancel>> {
        let before = self.wanted_by.len();
        self.wanted_by.retain(|wanted| *wanted != job);
        let last = before > 0 && self.wanted_by.is_empty();
        last.then(|| Arc::clone(&self.cancel))
    }
}

/// More requests than may wait.
pub fn too_many(model: &str, most: usize) -> Fault {
    let message = format!("too many requests wait for model {model:?}");
    Fault::new(FaultCode::InsufficientResources, message)
        .detail(format!("At most {most} requests may wait for one model."))
        .hint("Try again later, use fewer sessions at a time, or raise itembank_embed.max_queue.")
}

fn gone(model: &str) -> Fault {
    let message = format!("the engine let go of model {model:?} while it was used");
    Fault::new(FaultCode::ConnectionFailure, message)
        .detail("The thread that runs the model has ended.")
        .hint("Repeat the statement; the server's log may say more.")
}
