//! A request to stop, shared between the thread that works and the one that waits for it.
//!
//! Work checks the token between steps; for the length of one long step it lends the token a way
//! to interrupt that step (ONNX Runtime's `terminate`), so that a stop is heard inside it too.

use protocol::Fault;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

type Interrupt = Box<dyn Fn() + Send>;

/// Set once, heard everywhere.
#[derive(Default)]
pub struct Cancel {
    requested: AtomicBool,
    interrupt: Mutex<Option<Interrupt>>,
}

impl Cancel {
    /// Asks the work to stop. Never blocks for longer than an interrupt takes.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
        let interrupt = self.interrupt.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(interrupt) = interrupt.as_ref() {
            interrupt();
        }
    }

    /// `Err` once a stop was asked for.
    pub fn check(&self) -> Result<(), Fault> {
        if self.requested.load(Ordering::SeqCst) {
            return Err(Fault::canceled());
        }
        Ok(())
    }

    /// Runs one long step that `interrupt` can break off; a broken-off step counts as cancelled.
    pub fn during<T>(
        &self,
        interrupt: impl Fn() + Send + 'static,
        step: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        *self.slot() = Some(Box::new(interrupt));
        // The interrupt is in place before the check, so a request can fall between no two chairs.
        let result = self.check().and_then(|()| step());
        *self.slot() = None;
        self.check()?;
        result
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Interrupt>> {
        self.interrupt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::FaultCode;
    use std::sync::Arc;

    #[test]
    fn a_request_interrupts_the_step_under_way() {
        let cancel = Arc::new(Cancel::default());
        let (hit, heard) = std::sync::mpsc::channel();
        let outcome = cancel.during(
            move || hit.send(()).unwrap(),
            || {
                cancel.request();
                Ok(heard.try_recv().is_ok())
            },
        );
        assert_eq!(outcome.unwrap_err().code, FaultCode::Canceled);
    }

    #[test]
    fn an_earlier_request_keeps_the_step_from_starting() {
        let cancel = Cancel::default();
        assert_eq!(cancel.during(|| (), || Ok(1)), Ok(1));
        cancel.request();
        let started = cancel.during(|| (), || -> Result<(), Fault> { unreachable!() });
        assert!(started.is_err());
    }
}
