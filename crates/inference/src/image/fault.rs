//! What can be wrong with a picture.

use super::format::Format;
use super::header::Header;
use protocol::{Fault, FaultCode};
use std::fmt::Display;

/// Bytes of a known format that cannot be decoded; `why` ends a sentence about the file.
pub fn broken(format: Format, why: impl Display) -> Fault {
    let why = why.to_string();
    Fault::new(FaultCode::InvalidBinary, "invalid image")
        .detail(format!("The {format} file cannot be decoded: {}.", why.trim_end_matches('.')))
        .hint("Store the whole file, unchanged, and see that other programs can open it.")
}

/// Something that ended too soon.
pub fn truncated(format: Format) -> Fault {
    broken(format, "it is truncated")
}

/// A kind of file that Pillow cannot read either.
pub fn unsupported(format: Format, what: impl Display) -> Fault {
    Fault::new(FaultCode::InvalidBinary, "unsupported image")
        .detail(format!("The {format} file has {what}, which is not supported."))
        .hint("Convert it to a common kind of PNG or JPEG.")
}

/// Bytes of no format that is read here.
pub fn unknown(bytes: &[u8]) -> Fault {
    let start: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let found = match start.is_empty() {
        true => "There are no bytes.".to_owned(),
        false => format!("The {} bytes begin with {}.", bytes.len(), start.join(" ")),
    };
    Fault::new(FaultCode::InvalidBinary, "unrecognized image format")
        .detail(found)
        .hint("Give the bytes of a PNG, JPEG, WebP, GIF or BMP file, not its path or its base64.")
}

/// More bytes than the limit.
pub fn too_many_bytes(size: usize, limit: usize) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "image is too large")
        .detail(format!("The image has {size} bytes; the limit is {limit}."))
        .hint(or_raise("max_image_bytes"))
}

/// More pixels than the limit.
pub fn too_many_pixels(header: &Header, limit: u64) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "image is too large")
        .detail(format!(
            "The image is {} x {} pixels; the limit is {limit} pixels.",
            header.width, header.height
        ))
        .hint(or_raise("max_image_pixels"))
}

fn or_raise(setting: &str) -> String {
    format!(
        "Scale the image down first, for models read a few million pixels at most, \
         or raise itembank_embed.{setting}."
    )
}
