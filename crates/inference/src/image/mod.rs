//! Pictures: from the bytes of a file to RGB pixels of the size that a model wants.
//!
//! Everything here gives the very pixels that Pillow gives, for models were trained and are measured
//! on those: its decoders, its rules for each colour mode, its resize. Metadata is ignored, colour
//! profiles included, but for the orientation where a model asks for it. Bytes come from users, so
//! limits hold before anything is allocated, and whatever is broken is a [`Fault`].

mod bmp;
mod bytes;
mod coefficients;
mod convert;
mod fault;
mod format;
mod gif;
mod header;
mod jpeg;
mod lzw;
mod orientation;
mod png;
mod resize;
mod riff;
mod smart_resize;
mod webp;

#[cfg(test)]
mod tests;

pub use protocol::ImageLimits;
pub use resize::{Filter, resize};
pub use smart_resize::{SmartResize, smart_resize};

use format::Format;
use header::Header;
use protocol::Fault;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A picture of 8 bits a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height` × `width` × 3 bytes: rows from the top, pixels from the left, red, green, blue.
    pub pixels: Vec<u8>,
}

/// Width and height of a picture as [`decode`] will give it, read from its header.
pub fn size(
    bytes: &[u8],
    exif_orientation: bool,
    limits: &ImageLimits,
) -> Result<(usize, usize), Fault> {
    let header = checked_header(bytes, limits)?;
    let (width, height) = (header.width, header.height);
    match exif_orientation && orientation::of(bytes, header.format).swaps_sides() {
        true => Ok((height, width)),
        false => Ok((width, height)),
    }
}

/// The pixels of a PNG, JPEG, WebP, GIF or BMP file; of an animation, those of the first frame.
///
/// A picture with transparency lies on white where Pillow decodes it as `RGBA`, and loses it
/// otherwise: the rule of the models' reference. `exif_orientation` turns it as its EXIF says.
pub fn decode(bytes: &[u8], exif_orientation: bool, limits: &ImageLimits) -> Result<Rgb, Fault> {
    let header = checked_header(bytes, limits)?;
    let image = guarded(header.format, || decode_as(bytes, &header))?;
    if (image.width, image.height) != (header.width, header.height) {
        return Err(fault::broken(header.format, "its header and its pixels differ in size"));
    }
    match exif_orientation {
        true => Ok(orientation::of(bytes, header.format).apply(image)),
        false => Ok(image),
    }
}

/// The header of a file that is within the limits.
fn checked_header(bytes: &[u8], limits: &ImageLimits) -> Result<Header, Fault> {
    if bytes.len() > limits.max_bytes {
        return Err(fault::too_many_bytes(bytes.len(), limits.max_bytes));
    }
    let header = header::read(bytes)?;
    let pixels = (header.width as u64).saturating_mul(header.height as u64);
    match pixels {
        0 => Err(fault::broken(header.format, "it has no pixels")),
        _ if pixels > limits.max_pixels => Err(fault::too_many_pixels(&header, limits.max_pixels)),
        _ => Ok(header),
    }
}

fn decode_as(bytes: &[u8], header: &Header) -> Result<Rgb, Fault> {
    match header.format {
        Format::Png => png::decode(bytes, header),
        Format::Jpeg => jpeg::decode(bytes, header),
        Format::WebP => webp::decode(bytes),
        Format::Gif => gif::decode(bytes),
        Format::Bmp => bmp::decode(bytes),
    }
}

/// Decoders are other people's code: a panic in one of them is a broken picture, not the end of a
/// session.
fn guarded<T>(format: Format, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(fault::broken(format, "its decoder gave up")))
}
