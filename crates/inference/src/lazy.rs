//! A part of a model that is loaded when it is first needed.

use protocol::Fault;

/// Empty until the first load that succeeds.
pub struct Lazy<T>(Option<T>);

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Lazy<T> {
    /// The part, if it is loaded.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// The part, loaded now where it is not yet; after a failure the next call tries again.
    pub fn get_or_load(
        &mut self,
        load: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<&mut T, Fault> {
        let part = match self.0.take() {
            Some(part) => part,
            None => load()?,
        };
        Ok(self.0.insert(part))
    }
}
