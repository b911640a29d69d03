//! A part of a model that is loaded when it is first needed, and shared by the threads that use it.

use protocol::Fault;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Empty until the first load that succeeds.
pub struct Lazy<T> {
    part: OnceLock<Arc<T>>,
    loading: Mutex<()>,
}

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self { part: OnceLock::new(), loading: Mutex::new(()) }
    }
}

impl<T> Lazy<T> {
    /// The part, if it is loaded; never waits for a load.
    pub fn get(&self) -> Option<Arc<T>> {
        self.part.get().cloned()
    }

    /// The part, loaded now where it is not yet; after a failure the next call tries again.
    ///
    /// Others that want it meanwhile wait for the load's end.
    pub fn get_or_load(&self, load: impl FnOnce() -> Result<T, Fault>) -> Result<Arc<T>, Fault> {
        if let Some(part) = self.get() {
            return Ok(part);
        }
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = self.get() {
            return Ok(part);
        }
        let part = load()?;
        Ok(Arc::clone(self.part.get_or_init(|| Arc::new(part))))
    }
}
