//! Loads embedding models and runs them: text in, vectors out.
//!
//! Knows nothing of Postgres. Floors, top down: [`Registry`] (models by name) → `encoder` (one file a
//! family) → `text`, `batch`, `session` (the only room that names `ort`) → `directory`, `checksum`,
//! `manifest`. Everything blocks and is called from one thread of the engine with all signals
//! blocked; another thread may break work off through [`Cancel`].

mod batch;
mod cancel;
mod checksum;
mod directory;
mod encoder;
mod limits;
mod loading;
mod manifest;
mod options;
mod registry;
mod sentence_transformers;
mod session;
mod text;

pub use cancel::Cancel;
pub use checksum::Checksums;
pub use loading::join as join_loading;
pub use options::{Device, Options};
pub use registry::Registry;
pub use session::take_messages;
