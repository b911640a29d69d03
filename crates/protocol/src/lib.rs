//! What a session asks of an inference engine, and what it gets back.
//!
//! Plain data and its bytes: no Postgres, no ONNX Runtime, no sockets. The same values serve the engine inside a
//! backend and, over a socket, an engine in a process of its own.

mod codec;
mod fault;
mod frame;
mod message;
mod options;
mod paths;
mod reply;
mod request;
mod status;
mod wire;

pub use codec::{MAX_FRAME, MAX_GREETING, MAX_ROWS, encode};
pub use fault::{Fault, FaultCode};
pub use frame::{Frames, read};
pub use message::{
    Control, EngineSettings, FromEngine, PONG, PROTOCOL, READY, ToEngine, Urgency, Version,
};
pub use options::{Device, ImageLimits, Options};
pub use reply::{Embeddings, ModelStatus, Reply, Scores, TokenCount};
pub use request::{CountTokens, Embed, Input, Request, Rerank, Task};
pub use status::{EngineStatus, ModelStatistics, Quantiles};
