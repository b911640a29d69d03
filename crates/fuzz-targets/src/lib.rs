//! What is promised of bytes from outside, one function a target of `fuzz/`: each takes any bytes and panics where a
//! promise is broken.
//!
//! Apart from the fuzzer, so that `cargo test` replays its corpus and its former findings without it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken promise has to end the fuzzer's run"
)]

mod image;
mod manifest;
mod metrics;
mod protocol;
mod tokenizer;

pub use image::image;
pub use manifest::manifest;
pub use metrics::metrics;
pub use protocol::protocol;
pub use tokenizer::tokenizer;

/// What a target does with its bytes.
pub type Target = fn(&[u8]);

/// The targets by name, as `fuzz/corpus` and `fuzz/regressions` have them.
pub const TARGETS: [(&str, Target); 5] = [
    ("image", image),
    ("manifest", manifest),
    ("metrics", metrics),
    ("protocol", protocol),
    ("tokenizer", tokenizer),
];
