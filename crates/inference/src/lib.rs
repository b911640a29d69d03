//! Loads embedding and reranking models and runs them: texts and images in, vectors or scores out.
//!
//! Knows nothing of Postgres. Floors, top down: [`Registry`] (models by name) → `family` and one
//! module each (`encoder`, `cross_encoder`, `siglip`, `qwen3_vl`) → `text`, `pictures`, `batch`, `session` (the only
//! room that names `ort`) → `directory`, `checksum`, `manifest`, `image`. Everything blocks and is
//! called from one thread of the engine with all signals blocked; another thread may break work off
//! through [`Cancel`].

mod batch;
mod cancel;
mod checksum;
mod cross_encoder;
mod directory;
mod encoder;
mod family;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
pub mod image;
mod late_interaction;
mod lazy;
mod limits;
mod loading;
mod manifest;
mod options;
mod pictures;
mod place;
mod qwen3_vl;
mod registry;
mod scores;
mod sentence_transformers;
mod session;
mod siglip;
mod text;
mod vectors;

pub use cancel::Cancel;
pub use checksum::Checksums;
pub use image::ImageLimits;
pub use loading::join as join_loading;
pub use options::{Device, Options};
pub use registry::Registry;
pub use session::take_messages;
pub use text::{Segment, TextEncoder, Tokens};
