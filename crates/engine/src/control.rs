//! The supervisor's side: settings, signs of life, the end.
//!
//! Frames come over standard input, whose end is the engine's end. Runs on the main thread, and does nothing that
//! could take long: a sign of life must come at once.

use crate::engine::Engine;
use crate::log;
use protocol::{Control, EngineSettings, MAX_FRAME, PONG};
use std::io::{self, Read};
use std::sync::Arc;

/// Why the engine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The supervisor asked for it.
    Asked,
    /// The supervisor is gone.
    Alone,
    /// What it sends is no message.
    Garbled,
}

/// The settings that come first.
pub fn first_settings(from: &mut impl Read) -> Result<EngineSettings, End> {
    match receive(from)? {
        Control::Settings(settings) => Ok(*settings),
        Control::Stop => Err(End::Asked),
        Control::Ping => Err(End::Garbled),
    }
}

/// Does as it is told, until the end.
pub fn obey(from: &mut impl Read, engine: &Engine) -> End {
    loop {
        match receive(from) {
            Ok(Control::Settings(settings)) => apply(*settings, engine),
            Ok(Control::Ping) => log::signal(PONG),
            Ok(Control::Stop) => return End::Asked,
            Err(end) => return end,
        }
    }
}

/// Loads what is to be loaded at start.
pub fn preload(engine: &Engine) {
    let settings = engine.settings.current();
    engine.models.preload(&settings.preload, &Arc::new(settings.options.clone()));
}

fn apply(settings: EngineSettings, engine: &Engine) {
    engine.settings.replace(settings);
    engine.models.shrink();
    preload(engine);
}

fn receive(from: &mut impl Read) -> Result<Control, End> {
    match protocol::read(from, MAX_FRAME) {
        Ok(Some(control)) => Ok(control),
        Ok(None) => Err(End::Alone),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(End::Alone),
        Err(error) => {
            log::warning(format_args!("the supervisor cannot be understood: {error}"));
            Err(End::Garbled)
        }
    }
}
