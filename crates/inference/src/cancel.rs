//! A request to stop, shared between the thread that works and the one that waits for it.
//!
//! Work checks the token between steps; for the length of one long step it lends the token a way
//! to interrupt that step (ONNX Runtime's `terminate`), so that a stop is heard inside it too.

use protocol::{Fault, FaultCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

type Interrupt = Box<dyn Fn() + Send>;

/// How soon a stop is heard while a step runs apart.
const LISTEN: Duration = Duration::from_millis(5);

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

    /// Runs a step that cannot be interrupted on a thread of its own; a stop leaves it behind there.
    ///
    /// For steps that only compute in memory: one left behind ends by itself, and its result is dropped.
    pub fn apart<T: Send + 'static>(
        &self,
        step: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, result) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("itembank_load".into());
        // Nobody listens any more where the caller was stopped.
        let spawned = thread.spawn(move || drop(reply.send(step())));
        spawned.map_err(|error| {
            Fault::new(FaultCode::InsufficientResources, "a thread cannot be started")
                .detail(format!("{error}."))
                .hint("Check the limits on processes and memory of the server's user.")
        })?;
        loop {
            self.check()?;
            match result.recv_timeout(LISTEN) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Fault::new(FaultCode::Internal, "a loading step panicked")
                        .detail("It ended without a result.")
                        .hint("This is a bug; please report it with the model's files."));
                }
            }
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Interrupt>> {
        self.interrupt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn a_stop_leaves_a_step_apart_behind() {
        let cancel = Arc::new(Cancel::default());
        assert_eq!(cancel.apart(|| Ok(7)), Ok(7));
        let for_step = Arc::clone(&cancel);
        let (end, wait) = mpsc::channel::<()>();
        let outcome = cancel.apart(move || {
            for_step.request();
            wait.recv().ok();
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().code, FaultCode::Canceled);
        drop(end);
        let fresh = Cancel::default();
        let panicked = fresh.apart(|| -> Result<(), Fault> { panic!("planted") });
        assert_eq!(panicked.unwrap_err().code, FaultCode::Internal);
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
