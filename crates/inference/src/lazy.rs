//! A part of a model that is loaded when it is first needed, and shared by the threads that use it.

use protocol::Fault;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

/// Empty until the first load that succeeds.
pub struct Lazy<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Lazy<T> {
    /// The part, if it is loaded; never waits for a load.
    pub fn get(&self) -> Option<Arc<T>> {
        match self.0.try_lock() {
            Ok(part) => part.clone(),
            Err(TryLockError::Poisoned(part)) => part.into_inner().clone(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The part, loaded now where it is not yet; after a failure the next call tries again.
    ///
    /// Others that want it meanwhile wait for the load's end.
    pub fn get_or_load(&self, load: impl FnOnce() -> Result<T, Fault>) -> Result<Arc<T>, Fault> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = slot.as_ref() {
            return Ok(Arc::clone(part));
        }
        let part = Arc::new(load()?);
        *slot = Some(Arc::clone(&part));
        Ok(part)
    }
}
