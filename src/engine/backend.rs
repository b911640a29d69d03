//! The engine inside a backend: models are loaded once per session, at first use.

use crate::postgres::{log, worker};
use inference::{Options, Registry, Residence};
use protocol::{Fault, Reply, Request};
use std::sync::LazyLock;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(Residence::Session));

/// Answers a request on the worker thread, while this thread listens for cancel and termination.
pub fn ask(request: Request, options: Options) -> Result<Reply, Fault> {
    let reply = worker::run(move |cancel| REGISTRY.answer(&request, &options, cancel));
    log::onnxruntime(inference::take_messages());
    reply
}
