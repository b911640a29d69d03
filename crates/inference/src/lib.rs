//! Loads embedding and reranking models and runs them: texts and images in, vectors or scores out.
//!
//! Knows nothing of Postgres. Floors, top down: [`Registry`] (models by name) → [`Model`] (one load: rows are
//! prepared, then run) → `family` and one module each (`encoder`, `cross_encoder`, `siglip`, `qwen3_vl`) →
//! `text`, `pictures`, `batch`, `session` (the only room that names `ort`) → `directory`, `checksum`,
//! `manifest`, `image`. Everything blocks; another thread may break work off through [`Cancel`]. In a
//! process with signal handlers of its own, such as a database's, call it with all signals blocked.

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
mod model;
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
mod work;

pub use cancel::Cancel;
pub use checksum::Checksums;
pub use image::ImageLimits;
pub use loading::join as join_loading;
pub use model::Model;
pub use protocol::{Device, Options};
pub use registry::{Registry, Residence, version};
pub use session::{give_memory_back, take_messages};
pub use text::{Segment, TextEncoder, Tokens};
pub use work::{Outcomes, Output, Row, WINDOW, Window};
