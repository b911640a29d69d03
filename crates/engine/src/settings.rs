//! The engine's settings: replaced as a whole, read by every thread.

use protocol::EngineSettings;
use std::sync::{Arc, PoisonError, RwLock};

/// Shared by all threads.
#[derive(Debug)]
pub struct Settings(RwLock<Arc<EngineSettings>>);

impl Settings {
    /// As the supervisor sent them first.
    pub fn new(settings: EngineSettings) -> Self {
        Self(RwLock::new(Arc::new(settings)))
    }

    /// As they are now.
    pub fn current(&self) -> Arc<EngineSettings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// As they are from here on.
    pub fn replace(&self, settings: EngineSettings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}
