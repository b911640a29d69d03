//! The engine inside a backend: models are loaded once per session, at first use.

use crate::postgres::{settings, worker};
use inference::Registry;
use protocol::{Fault, Reply, Request};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// The worker thread holds the lock while it answers; this thread waits for it, so the lock is
/// never contended.
static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// Answers a request on the worker thread, while this thread listens for cancel and termination.
pub fn ask(request: Request) -> Result<Reply, Fault> {
    let options = settings::options()?;
    let reply = worker::run(move |cancel| registry().answer(&request, &options, cancel));
    settings::log_to_server(inference::take_messages());
    reply
}

/// Fingerprint of a model that this backend holds, unless it has changed on disk.
pub fn fingerprint(model: &str) -> Result<Option<String>, Fault> {
    let options = settings::options()?;
    Ok(registry().fingerprint(model, &options).map(str::to_owned))
}

/// After a panic the registry is still whole: entries leave it before they are worked on.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}
