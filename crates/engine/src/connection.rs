//! One connected session: it greets, says its settings, and asks one question after the other.

use crate::engine::Engine;
use crate::log;
use crate::peer::{Lost, Peer};
use crate::question::{Question, out_of_turn};
use crate::runner::described;
use protocol::{Fault, FaultCode, FromEngine, Options, ToEngine, Version};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// A greeting comes at once, or never.
const GREETING: Duration = Duration::from_secs(10);

/// Serves the session until it goes.
pub fn serve(socket: UnixStream, engine: &Engine) {
    match converse(socket, engine) {
        Ok(()) | Err(Lost::Ended) => {}
        Err(Lost::Silent) => log::warning("a connection without a greeting is closed"),
        Err(Lost::Garbage(fault)) => {
            log::warning(format_args!("a connection is closed: {}", described(&fault)));
        }
        Err(Lost::Failed(error)) => log::warning(format_args!("a connection is closed: {error}")),
    }
}

fn converse(socket: UnixStream, engine: &Engine) -> Result<(), Lost> {
    let mut peer = Peer::new(socket)?;
    if !greet(&mut peer)? {
        return Ok(());
    }
    let mut options: Option<Arc<Options>> = None;
    loop {
        match peer.receive(None)? {
            ToEngine::Hello(_) => return Err(Lost::Garbage(out_of_turn())),
            ToEngine::Options(new) => options = Some(Arc::new(new)),
            // Answered already.
            ToEngine::Drop { .. } => {}
            ToEngine::Ask { id, urgency, request } => {
                let (peer, options) = (&mut peer, &mut options);
                let mut question = Question { engine, peer, options, id, urgency };
                let result = question.answer(request)?;
                question.peer.send(&FromEngine::Answer { id, result })?;
            }
        }
    }
}

/// Whether engine and session are of one version.
fn greet(peer: &mut Peer) -> Result<bool, Lost> {
    let ToEngine::Hello(version) = peer.receive(Some(GREETING))? else {
        return Err(Lost::Garbage(out_of_turn()));
    };
    let own = Version::current();
    if version != own {
        peer.send(&FromEngine::Refused(other_version(&version, &own)))?;
        return Ok(false);
    }
    peer.trust();
    peer.send(&FromEngine::Welcome { pid: std::process::id() })?;
    Ok(true)
}

fn other_version(session: &Version, engine: &Version) -> Fault {
    let message = "the engine is of another version than the session";
    Fault::new(FaultCode::NotInPrerequisiteState, message)
        .detail(format!(
            "The engine is itembank_embed {} with protocol {}, the session has {} with protocol {}.",
            engine.release, engine.protocol, session.release, session.protocol
        ))
        .hint("Restart the server: it loads the installed version, and starts the engine that belongs to it.")
}
