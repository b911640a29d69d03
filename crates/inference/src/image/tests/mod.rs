//! What was recorded from Pillow and qwen_vl_utils, and what a hostile file may do.

mod limits;
mod pillow;
mod resize;
mod smart_resize;

use super::*;
use std::fs;
use std::path::PathBuf;

const LIMITS: ImageLimits = ImageLimits { max_bytes: 16 << 20, max_pixels: 50_000_000 };

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/images")
}

fn file(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&file(name)).unwrap()
}
