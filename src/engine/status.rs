//! How the engine fares, for people and for monitoring: answered at once, whatever state it is in.

use super::{client, is_server, mismatch};
use crate::postgres::settings;
use crate::postgres::shared::{self, Phase};
use protocol::{EngineStatus, Fault, FaultCode, Reply, Request};
use std::time::Duration;

/// Who asks for a state does not want to wait for one.
const PATIENCE: Duration = Duration::from_secs(2);

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Running,
    /// It has been started and is not ready yet.
    Starting,
    /// There is none.
    Stopped,
    /// It runs and does not answer.
    Unresponsive,
    /// Models live in this backend.
    Backend,
}

/// The engine as it was found.
#[derive(Debug)]
pub struct EngineState {
    /// In one word.
    pub state: State,
    /// What it says of itself, where it runs.
    pub status: Option<EngineStatus>,
    /// How often it was started again.
    pub restarts: Option<u64>,
    /// How it last ended, where it has.
    pub last_exit: Option<String>,
}

impl State {
    /// As SQL shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Starting => "starting",
            State::Stopped => "stopped",
            State::Unresponsive => "unresponsive",
            State::Backend => "backend",
        }
    }
}

/// How the engine fares that this session's settings choose.
pub fn engine_state() -> Result<EngineState, Fault> {
    let none = EngineState { state: State::Backend, status: None, restarts: None, last_exit: None };
    if !is_server()? {
        return Ok(none);
    }
    let supervision = shared::read().unwrap_or_default();
    let (state, status) = match supervision.phase {
        Phase::Stopped | Phase::BackingOff => (State::Stopped, None),
        // It may take connections before the supervisor has heard of it.
        phase => match ask()? {
            Some(status) => (State::Running, Some(status)),
            None if phase == Phase::Starting => (State::Starting, None),
            None => (State::Unresponsive, None),
        },
    };
    Ok(EngineState {
        state,
        status,
        restarts: Some(supervision.restarts),
        last_exit: Some(supervision.ended).filter(|how| !how.is_empty()),
    })
}

/// Sets the statistics of the engine process to zero.
pub fn reset_statistics() -> Result<(), Fault> {
    if !is_server()? {
        return Err(Fault::new(
            FaultCode::NotInPrerequisiteState,
            "models inside a backend have no statistics",
        )
        .detail("The engine process keeps them, and this session does not use it.")
        .hint("Set itembank_embed.engine to 'server'."));
    }
    match client::ask(Request::ResetStatistics, &settings::options()?, None)? {
        Reply::Reset => Ok(()),
        other => Err(mismatch(&other)),
    }
}

fn ask() -> Result<Option<EngineStatus>, Fault> {
    match client::ask_within(PATIENCE, Request::Status, &settings::options()?)? {
        Some(Reply::Status(status)) => Ok(Some(*status)),
        Some(other) => Err(mismatch(&other)),
        None => Ok(None),
    }
}
