//! What a session asks of an inference engine, and what it gets back.
//!
//! Plain data: no Postgres, no ONNX Runtime, no I/O. The same values serve the engine inside a
//! backend and, over a socket, an engine in a process of its own.

mod fault;
mod reply;
mod request;

pub use fault::{Fault, FaultCode};
pub use reply::{Embeddings, ModelStatus, Reply, Scores, TokenCount};
pub use request::{CountTokens, Embed, Input, Request, Rerank, Task};
