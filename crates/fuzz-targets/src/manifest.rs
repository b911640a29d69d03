//! Any text as a manifest, or as the configuration files of a published model: a fault or a manifest
//! that answers all that is asked of it, no panic.
//!
//! Texts with record separators (0x1e) are the files of a layout, others a manifest.

use inference::fuzz::{derived, parsed};

/// Parses, or derives.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let texts: Vec<&str> = text.split('\u{1e}').collect();
    let answer = match texts.len() {
        1 => parsed(text),
        _ => {
            let folder =
                tempfile::tempdir().expect("the folder for temporary files can be written");
            derived(folder.path(), &texts).expect("what was just made can be written to")
        }
    };
    if let Err(fault) = answer {
        assert!(!fault.message.is_empty());
    }
}
