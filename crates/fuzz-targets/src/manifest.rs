//! Any text as a manifest, or as the configuration files of a published model: a fault or a manifest
//! that answers all that is asked of it, no panic.
//!
//! Texts with record separators (0x1e) are the files of a layout, others a manifest.

use inference::fuzz::{derived, parsed};
use std::path::PathBuf;
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("fuzz-manifest-{}", std::process::id())));

/// Parses, or derives.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let texts: Vec<&str> = text.split('\u{1e}').collect();
    let answer = match texts.len() {
        1 => parsed(text),
        _ => derived(&FOLDER, &texts).expect("the folder for temporary files can be written"),
    };
    if let Err(fault) = answer {
        assert!(!fault.message.is_empty());
    }
}
