//! The hash by which a row's content is known again.

use sha2::{Digest, Sha256};

/// sha256 over what a row embeds; `None` where that is nothing. Text and image cannot be taken for one another, nor a
/// missing one for an empty one.
pub fn content_hash(input: Option<&str>, image: Option<&[u8]>) -> Option<Vec<u8>> {
    if input.is_none() && image.is_none() {
        return None;
    }
    let mut hasher = Sha256::new();
    for (letter, bytes) in [(b't', input.map(str::as_bytes)), (b'i', image)] {
        if let Some(bytes) = bytes {
            hasher.update([letter]);
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
    }
    Some(hasher.finalize().to_vec())
}
