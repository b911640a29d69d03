//! What goes over the socket between a session and the engine process.
//!
//! A session says [`ToEngine::Hello`], gets [`FromEngine::Welcome`] or a refusal, says its options, and
//! then asks one question at a time. It may drop a question at any moment and ask the next one;
//! answers carry the number of their question, so that a late one is told from the one awaited.

use crate::{Fault, Options, Reply, Request};
use serde::{Deserialize, Serialize};

/// Number of this protocol; engine and session must have the same.
pub const PROTOCOL: u32 = 1;

/// From a session to the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToEngine {
    /// The first message.
    Hello(Version),
    /// The session's settings, from here on.
    Options(Options),
    /// A question; the one before is answered or dropped.
    Ask {
        /// Counts up.
        id: u64,
        /// Who may wait.
        urgency: Urgency,
        /// What is asked.
        request: Request,
    },
    /// Nobody waits for the answer any more.
    Drop {
        /// The question.
        id: u64,
    },
}

/// From the engine to a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromEngine {
    /// To a greeting of the same version.
    Welcome {
        /// The engine's process.
        pid: u32,
    },
    /// To any other greeting, or where there is no room; the connection is closed.
    Refused(Fault),
    /// To a question.
    Answer {
        /// The question.
        id: u64,
        /// What was asked for, or why there is none.
        result: Result<Reply, Fault>,
    },
}

/// From the supervisor to the engine, over a pipe; the pipe's end is the engine's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Control {
    /// The first message, and again whenever a setting has changed.
    Settings(Box<EngineSettings>),
    /// Asks for a sign of life: one line [`PONG`] among the log lines.
    Ping,
    /// End in order: nothing new, what runs is stopped.
    Stop,
}

/// The engine's sign of life, a line of its own.
pub const PONG: &str = "pong";
/// The engine's line when sessions can connect.
pub const READY: &str = "ready";

/// Settings of the engine as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineSettings {
    /// The server's own, without those of databases and roles: what models are preloaded with.
    pub options: Options,
    /// Models that are loaded at start.
    pub preload: Vec<String>,
    /// Bytes of model files that are held at once; `None` for no bound.
    pub memory_limit: Option<u64>,
    /// Requests that may wait for one model; more are refused.
    pub max_queue: usize,
    /// Requests that are prepared (tokenized, decoded) at the same time.
    pub prepare_threads: usize,
    /// Whether requests of several sessions run together.
    pub batching: bool,
    /// Fixed cost of a run in tokens; `None` is measured for each model.
    pub fixed_cost_tokens: Option<f64>,
}

/// What must be the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The extension's version.
    pub release: String,
}

impl Version {
    /// Of this build.
    pub fn current() -> Self {
        Self { protocol: PROTOCOL, release: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Who may wait for whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Urgency {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// Many rows at once: runs when nobody waits, or when it has waited for long.
    Background,
}
