//! A model without ONNX Runtime, for tests: a row's outcome is its number, unless it is poison.

use crate::actor::{Actor, Load};
use crate::job::Job;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::statistics::Counters;
use crate::waker::Waker;
use batching::Arrival;
use inference::{Cancel, Outcomes, Output};
use protocol::{Device, EngineSettings, Fault, FaultCode, ImageLimits, Options, Urgency};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A session's settings, of no importance.
pub fn options() -> Options {
    Options {
        model_path: Vec::new(),
        runtime: "none".into(),
        device: Device::Cpu,
        intra_op_threads: 1,
        gpu_memory_limit: None,
        max_input_bytes: 1 << 20,
        image_limits: ImageLimits { max_bytes: 1 << 20, max_pixels: 1 << 20 },
        max_batch_tokens: None,
        checksums: None,
    }
}

/// The engine's settings, of no importance.
pub fn settings() -> EngineSettings {
    EngineSettings {
        options: options(),
        preload: Vec::new(),
        memory_limit: None,
        max_queue: 100,
        prepare_threads: 2,
        batching: true,
        fixed_cost_tokens: None,
    }
}

/// Whether somebody called it; it is calm again afterwards.
pub fn is_awake(waker: &Waker) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(waker, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let awake = poll(&mut fds, Some(&now)).unwrap() > 0;
    waker.clear();
    awake
}

/// What a run takes that has a slow row.
pub const SLOW: Duration = Duration::from_millis(100);

/// A row of the fake model.
#[derive(Debug, Clone, Copy)]
pub struct FakeRow {
    /// What comes of it.
    pub number: f32,
    /// What happens to a run that has it.
    pub nature: Nature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    Harmless,
    /// Longer than the others, so that it does not run together with them, and its runs last for [`SLOW`].
    Slow,
    Poison,
    Panics,
}

/// Remembers its runs, and can be held up.
#[derive(Default)]
pub struct Fake {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    held_up: bool,
    begun: usize,
    runs: Vec<Vec<f32>>,
    broken_off: usize,
}

impl Fake {
    /// Runs wait, unless they are broken off, until it is let go.
    pub fn hold_up(&self) {
        self.state.lock().unwrap().held_up = true;
    }

    pub fn let_go(&self) {
        self.state.lock().unwrap().held_up = false;
        self.changed.notify_all();
    }

    /// Waits until so many runs have begun.
    pub fn begun(&self, runs: usize) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.begun < runs).unwrap());
    }

    /// The rows of all runs that were finished.
    pub fn runs(&self) -> Vec<Vec<f32>> {
        self.state.lock().unwrap().runs.clone()
    }

    pub fn broken_off(&self) -> usize {
        self.state.lock().unwrap().broken_off
    }
}

impl Runs for Fake {
    type Row = FakeRow;

    fn name(&self) -> &str {
        "fake"
    }

    fn one_by_one(&self) -> bool {
        false
    }

    fn batch_tokens(&self, _options: &Options) -> usize {
        512
    }

    fn shape(row: &FakeRow) -> (usize, u64) {
        (if row.nature == Nature::Slow { 256 } else { 8 }, 0)
    }

    fn run(
        &self,
        rows: &[&FakeRow],
        _options: &Options,
        cancel: &Cancel,
    ) -> Result<Outcomes, Fault> {
        let mut state = self.state.lock().unwrap();
        state.begun += 1;
        self.changed.notify_all();
        let slow = rows.iter().any(|row| row.nature == Nature::Slow);
        let end = Instant::now() + if slow { SLOW } else { Duration::ZERO };
        while state.held_up || Instant::now() < end {
            if cancel.check().is_err() {
                state.broken_off += 1;
                return Err(Fault::canceled());
            }
            state = self.changed.wait_timeout(state, Duration::from_millis(1)).unwrap().0;
        }
        state.runs.push(rows.iter().map(|row| row.number).collect());
        drop(state);
        assert!(rows.iter().all(|row| row.nature != Nature::Panics), "a row that panics");
        if rows.iter().any(|row| row.nature == Nature::Poison) {
            return Err(Fault::new(FaultCode::Internal, "poison"));
        }
        Ok(rows.iter().map(|row| Ok(Output::Score(row.number))).collect())
    }

    fn probe(
        &self,
        _tokens: usize,
        _options: &Options,
        _cancel: &Cancel,
    ) -> Result<Option<FakeRow>, Fault> {
        Ok(None)
    }
}

/// An actor of the fake model with its thread.
pub struct Stage {
    pub actor: Arc<Actor<Fake>>,
    pub thread: Option<JoinHandle<()>>,
}

impl Stage {
    pub fn new(settings: EngineSettings) -> Self {
        let (model, options) = (Arc::new(Fake::default()), Arc::new(options()));
        let (settings, counters) = (Arc::new(Settings::new(settings)), Arc::<Counters>::default());
        let actor = Arc::new(Actor::new(model, options, settings, counters));
        let running = Arc::clone(&actor);
        let thread = std::thread::spawn(move || {
            crate::runner::run(&running);
            running.end();
            running.tell();
        });
        Self { actor, thread: Some(thread) }
    }

    /// A job with rows of these numbers, queued.
    pub fn ask(&self, numbers: &[f32]) -> Arc<Job> {
        let row = |number: &f32| FakeRow { number: *number, nature: Nature::Harmless };
        self.ask_rows(numbers.iter().map(row).collect())
    }

    /// The same, by somebody in no hurry.
    pub fn ask_some_time(&self, numbers: &[f32]) -> Arc<Job> {
        let row = |number: &f32| FakeRow { number: *number, nature: Nature::Harmless };
        self.queue(numbers.iter().map(row).collect(), Urgency::Background)
    }

    /// The same, with slow rows.
    pub fn ask_slow_some_time(&self, numbers: &[f32]) -> Arc<Job> {
        let row = |number: &f32| FakeRow { number: *number, nature: Nature::Slow };
        self.queue(numbers.iter().map(row).collect(), Urgency::Background)
    }

    pub fn ask_rows(&self, rows: Vec<FakeRow>) -> Arc<Job> {
        self.queue(rows, Urgency::Interactive)
    }

    fn queue(&self, rows: Vec<FakeRow>, urgency: Urgency) -> Arc<Job> {
        let waker = Arc::new(Waker::new().unwrap());
        let job = Arc::new(Job::new(rows.len(), Arc::new(options()), waker));
        let rows = rows.into_iter().enumerate().collect();
        let load = Load { rows, urgency, arrival: Arrival::default(), tokens_before: 0 };
        self.actor.push(&job, load).unwrap();
        job
    }

    pub fn model(&self) -> &Fake {
        &self.actor.model
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.actor.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// What comes of a job.
pub fn result(job: &Job) -> Result<Vec<Option<f32>>, Fault> {
    let patience = Instant::now() + Duration::from_secs(10);
    while !job.down_to(0)? {
        assert!(Instant::now() < patience, "nothing comes");
        std::thread::sleep(Duration::from_millis(1));
    }
    let scores = job.take().into_iter().map(|output| match output {
        Some(Output::Score(score)) => Some(score),
        _ => None,
    });
    Ok(scores.collect())
}
