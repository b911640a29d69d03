//! The engine inside a backend: models are loaded once per session, at first use.

use crate::postgres::{settings, worker};
use inference::{Options, Registry};
use protocol::{Fault, Reply, Request};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// The worker thread holds the lock while it answers; this thread waits for it, so the lock is
/// never contended.
static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// Answers a request on the worker thread, while this thread listens for cancel and termination.
pub fn ask(request: Request, options: Options) -> Result<Reply, Fault> {
    let reply = worker::run(move |cancel| registry().answer(&request, &options, cancel));
    settings::log_to_server(inference::take_messages());
    reply
}

/// The number of the load that serves `model` in this backend, unless something about it has changed.
pub fn load_number(model: &str, options: &Options) -> Option<u64> {
    registry().load_number(model, options)
}

/// After a panic the registry is still whole: entries are replaced, never half-written.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}
