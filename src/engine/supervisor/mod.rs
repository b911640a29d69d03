//! Keeps the engine process: starts it, watches it, starts it again, passes settings on, stops it. And
//! starts the workers that keep columns fresh.
//!
//! Runs in a background worker and never loads ONNX Runtime: whatever happens to the engine, the
//! worker lives, and with it every session. Waits for nothing without serving Postgres' interrupts.

mod backoff;
mod launch;
mod lines;
mod process;

pub use process::SOCKET;

use crate::postgres::shared::{self, Phase, Supervision};
use crate::postgres::{background, interrupts, log, settings};
use backoff::Backoff;
use interrupts::Interest;
use launch::Launcher;
use process::{Ended, Engine};
use protocol::{EngineSettings, Fault};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two turns at most.
const TURN: Duration = Duration::from_secs(2);

/// Called while the server preloads the library.
pub fn register() {
    shared::request();
    background::register(run);
}

/// The worker, until it is told to end.
fn run() {
    background::at_exit(leave);
    let mut supervisor = Supervisor::new();
    let mut launcher = Launcher::new();
    while !supervisor.turn(Instant::now()) {
        if !background::shutdown_requested() {
            launcher.turn();
        }
        supervisor.wait(Instant::now());
        interrupts::serve();
        if background::reloaded() {
            supervisor.reload(Instant::now());
        }
    }
}

/// Whatever ended the worker: the engine goes with it, and nobody may think that it is there.
fn leave() {
    let mut left = shared::read().unwrap_or_default();
    if left.pid != 0 {
        left.ended = "was ended with its supervisor".to_owned();
    }
    shared::write(&Supervision { phase: Phase::Stopped, pid: 0, ..left });
}

/// Settings that the engine is run with.
#[derive(Clone, PartialEq)]
struct Wanted {
    executable: PathBuf,
    settings: EngineSettings,
}

impl Wanted {
    fn now() -> Result<Self, Fault> {
        Ok(Self { executable: settings::engine_path()?, settings: settings::engine_settings()? })
    }

    /// Whether a running engine cannot take these settings.
    fn needs_restart(&self, before: &Self) -> bool {
        self.executable != before.executable
            || self.settings.options.runtime != before.settings.options.runtime
    }
}

struct Supervisor {
    engine: Option<Engine>,
    wanted: Option<Wanted>,
    backoff: Backoff,
    start_at: Instant,
    /// As sessions see it.
    shown: Supervision,
    /// Starts of this server so far.
    starts: u64,
}

impl Supervisor {
    fn new() -> Self {
        // Not the first supervisor of this server where the one before was ended.
        let shown = shared::read().unwrap_or_default();
        let starts = if shown.ended.is_empty() { 0 } else { shown.restarts + 1 };
        let mut supervisor = Self {
            engine: None,
            wanted: None,
            backoff: Backoff::default(),
            start_at: Instant::now(),
            shown,
            starts,
        };
        supervisor.read_settings();
        supervisor
    }

    /// Does what is to be done now; true when all is done.
    fn turn(&mut self, now: Instant) -> bool {
        let stopping = background::shutdown_requested();
        match &mut self.engine {
            Some(engine) => {
                if stopping {
                    engine.stop("was stopped by its supervisor", now);
                }
                if let Some(ended) = engine.turn(now, settings::hang_timeout()) {
                    self.engine = None;
                    self.bury(ended, now);
                }
            }
            None if stopping => {}
            None if self.start_at <= now => self.start(now),
            None => {}
        }
        self.show();
        stopping && self.engine.is_none()
    }

    fn wait(&self, now: Instant) {
        let start = self.start_at.saturating_duration_since(now);
        let patience = self
            .engine
            .as_ref()
            .map_or(start, |engine| engine.patience(now, settings::hang_timeout()));
        let output = self.engine.as_ref().and_then(Engine::output);
        interrupts::wait(output.map(|output| (output, Interest::Read)), Some(patience.min(TURN)));
    }

    fn start(&mut self, now: Instant) {
        let Some(wanted) = &self.wanted else {
            self.fail("its settings cannot be read".to_owned(), now);
            return;
        };
        let restarts = self.starts;
        match Engine::start(&wanted.executable, restarts, &wanted.settings, now) {
            Ok(engine) => {
                log::engine(false, &format!("started as process {}", engine.pid()));
                self.starts += 1;
                self.shown.restarts = restarts;
                self.engine = Some(engine);
            }
            Err(how) => {
                let path = wanted.executable.display();
                log::engine(true, &format!("{how} (itembank_embed.engine_path is {path})"));
                self.fail(how, now);
            }
        }
    }

    /// After an end.
    fn bury(&mut self, ended: Ended, now: Instant) {
        let Ended { how, in_order, was_ready, lived } = ended;
        log::engine(!in_order, &format!("{how}, after {:.1} s", lived.as_secs_f64()));
        self.shown.ended = how;
        self.start_at = match in_order {
            true => now,
            false => now + self.backoff.after(was_ready, lived),
        };
    }

    /// After a start that was none.
    fn fail(&mut self, how: String, now: Instant) {
        self.shown.ended = how;
        self.start_at = now + self.backoff.after(false, Duration::ZERO);
    }

    /// The configuration was read again.
    fn reload(&mut self, now: Instant) {
        let before = self.wanted.clone();
        self.read_settings();
        // What was wrong may be right now.
        self.backoff.forget();
        self.start_at = self.start_at.min(now);
        let (Some(engine), Some(wanted)) = (&mut self.engine, &self.wanted) else { return };
        engine.listen_anew();
        match before {
            Some(before) if before == *wanted => {}
            Some(before) if !wanted.needs_restart(&before) => engine.set(&wanted.settings),
            _ => engine.stop("was stopped for another engine_path or onnxruntime_path", now),
        }
    }

    /// Where they cannot be read, those of before hold.
    fn read_settings(&mut self) {
        match Wanted::now() {
            Ok(wanted) => self.wanted = Some(wanted),
            Err(fault) => log::engine(true, &fault.message),
        }
    }

    /// Tells the sessions, where there is news.
    fn show(&mut self) {
        let ready = self.engine.as_ref().is_some_and(Engine::is_ready);
        if ready {
            self.backoff.succeeded();
        }
        let shown = Supervision {
            phase: match &self.engine {
                Some(_) if ready => Phase::Running,
                Some(_) => Phase::Starting,
                None => Phase::BackingOff,
            },
            pid: self.engine.as_ref().map_or(0, Engine::pid),
            restarts: self.shown.restarts,
            failures: self.backoff.failures(),
            ended: self.shown.ended.clone(),
        };
        if shared::read().as_ref() != Some(&shown) {
            shared::write(&shown);
        }
        self.shown = shown;
    }
}
