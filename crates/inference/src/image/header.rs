//! Width and height of a file without its pixels.

use super::format::Format;
use super::{bmp, bytes, fault, gif, jpeg, webp};
use protocol::Fault;

/// What a file says of itself first.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    pub format: Format,
    pub width: usize,
    pub height: usize,
}

/// Reads the header of a file of any known format.
pub fn read(file: &[u8]) -> Result<Header, Fault> {
    let format = Format::of(file).ok_or_else(|| fault::unknown(file))?;
    let (width, height) = match format {
        Format::Png => png(file).ok_or_else(|| fault::truncated(format))?,
        Format::Jpeg => jpeg::size(file)?,
        Format::WebP => webp::size(file)?,
        Format::Gif => gif::size(file)?,
        Format::Bmp => bmp::size(file)?,
    };
    Ok(Header { format, width, height })
}

/// The first chunk is IHDR, with both sides first (PNG specification, 11.2.2).
fn png(file: &[u8]) -> Option<(usize, usize)> {
    let side = |at| bytes::u32_be(file, at).map(|side| side as usize);
    match bytes::part(file, 12, 4)? {
        b"IHDR" => Some((side(16)?, side(20)?)),
        _ => None,
    }
}
