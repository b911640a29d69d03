//! `itembank-engine`: the process that holds the models of a PostgreSQL server and answers all its sessions.
//!
//! Started and watched by the extension's supervisor; knows nothing of Postgres. One thread a connection
//! (`connection`, `question`), one a loaded model (`runner`), a few that prepare rows (`aside`), one that accepts
//! (`socket`), and the main one, which hears the supervisor (`control`). A request goes: socket → question →
//! the model's queue (`actor`) → batch → run → job → socket.

mod actor;
mod aside;
mod calibration;
mod connection;
mod control;
mod engine;
#[cfg(test)]
mod fake;
mod halves;
mod histogram;
mod job;
mod loader;
mod log;
mod memory;
mod models;
mod opening;
mod peer;
mod question;
mod runner;
mod runs;
mod settings;
mod socket;
mod statistics;
mod waker;

use control::End;
use engine::Engine;
use protocol::READY;
use rustix::process::{Signal, getpid, kill_process};
use socket::Socket;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use waker::Waker;

/// Where the kernel looks when memory is short: this process before any of Postgres.
const OOM_SCORE: (&str, &str) = ("/proc/self/oom_score_adj", "500");
/// How long loads and runs may take to hear that they are to end: asked for, and with nobody left to ask.
const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_ALONE: Duration = Duration::from_millis(500);

const USAGE: &str = "usage: itembank-engine --socket PATH [--restarts N]";

/// What the supervisor says on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    socket: PathBuf,
    restarts: u64,
}

fn main() -> ExitCode {
    log::start();
    #[cfg(feature = "planted-leak")]
    std::mem::forget(std::hint::black_box(vec![7_u8; 4321]));
    let Some(arguments) = parse(std::env::args_os().skip(1)) else {
        log::warning(USAGE);
        return ExitCode::from(2);
    };
    let _ = std::fs::write(OOM_SCORE.0, OOM_SCORE.1);
    let mut supervisor = io::stdin().lock();
    let engine = match control::first_settings(&mut supervisor) {
        Ok(settings) => Arc::new(Engine::new(settings)),
        Err(end) => return code(end),
    };
    let accepting = match Accepting::start(&arguments, &engine) {
        Ok(accepting) => accepting,
        Err(error) => {
            let path = arguments.socket.display();
            log::warning(format_args!("the engine cannot listen at {path}: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let (release, restarts) = (env!("CARGO_PKG_VERSION"), arguments.restarts);
    log::line(format_args!("engine {release} started, after {restarts} restarts"));
    log::signal(READY);
    control::preload(&engine);
    let end = control::obey(&mut supervisor, &engine);
    accepting.stop();
    stop(end, &engine)
}

/// The thread that accepts sessions.
struct Accepting {
    stop: Arc<Waker>,
    thread: JoinHandle<()>,
}

impl Accepting {
    /// Makes the socket and the thread.
    fn start(arguments: &Arguments, engine: &Arc<Engine>) -> io::Result<Self> {
        let socket = Socket::bind(&arguments.socket)?;
        let (stop, engine) = (Arc::new(Waker::new()?), Arc::clone(engine));
        let heard = Arc::clone(&stop);
        let accept = move || {
            if !socket::accept(socket, &engine, &heard) {
                die();
            }
        };
        let thread = Builder::new().name("accept".to_owned()).spawn(accept)?;
        Ok(Self { stop, thread })
    }

    /// Accepts nobody any more; the socket's file is gone.
    fn stop(self) {
        self.stop.wake();
        let _ = self.thread.join();
    }
}

fn stop(end: End, engine: &Engine) -> ExitCode {
    let patience = if end == End::Alone { PATIENCE_ALONE } else { PATIENCE };
    if !engine.models.stop(Instant::now() + patience) {
        log::warning("a model does not hear that it is to end");
        die();
    }
    code(end)
}

/// Ends without the C++ libraries' own endings, which are not safe while a model runs.
fn die() {
    let _ = kill_process(getpid(), Signal::KILL);
}

fn code(end: End) -> ExitCode {
    if end == End::Garbled { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<Arguments> {
    let (mut socket, mut restarts) = (None, 0);
    while let Some(argument) = arguments.next() {
        let value = arguments.next()?;
        match argument.to_str()? {
            "--socket" => socket = Some(PathBuf::from(value)),
            "--restarts" => restarts = value.to_str()?.parse().ok()?,
            _ => return None,
        }
    }
    Some(Arguments { socket: socket?, restarts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Arguments> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn arguments() {
        let arguments = |restarts| Some(Arguments { socket: "a/b".into(), restarts });
        assert_eq!(parsed("--socket a/b --restarts 3"), arguments(3));
        assert_eq!(parsed("--socket a/b"), arguments(0));
        for wrong in ["", "--socket", "--restarts 1", "--socket a --restarts x", "--socket a -v 1"]
        {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
