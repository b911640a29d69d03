//! How a picture is to be turned, by its EXIF orientation (EXIF 2.32, tag 0x0112).

use super::format::Format;
use super::{Rgb, bytes, jpeg, riff};

/// One of the eight ways to look at a picture. Pixels of the turned picture come from the file's
/// column `x` and row `y`, exchanged first where `swap`, then counted from the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    swap: bool,
    flip_x: bool,
    flip_y: bool,
}

/// The orientation of a file; upright where there is none, or its EXIF is broken.
pub fn of(file: &[u8], format: Format) -> Orientation {
    let exif = match format {
        Format::Jpeg => jpeg::exif(file),
        Format::Png => png_exif(file),
        Format::WebP => riff::chunk(file, b"EXIF"),
        Format::Gif | Format::Bmp => None,
    };
    exif.and_then(tag).map_or_else(Orientation::default, Orientation::from_tag)
}

impl Orientation {
    fn from_tag(value: u32) -> Self {
        let (swap, flip_x, flip_y) = match value {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, false, true),
            7 => (true, true, true),
            8 => (true, true, false),
            _ => (false, false, false),
        };
        Self { swap, flip_x, flip_y }
    }

    /// Whether the turned picture's width is the file's height.
    pub fn swaps_sides(self) -> bool {
        self.swap
    }

    /// The turned picture.
    pub fn apply(self, image: Rgb) -> Rgb {
        if self == Self::default() {
            return image;
        }
        let (width, height) = (image.width, image.height);
        let (columns, rows) = if self.swap { (height, width) } else { (width, height) };
        let (source, _) = image.pixels.as_chunks::<3>();
        let mut pixels = Vec::with_capacity(image.pixels.len());
        for row in 0..rows {
            for column in 0..columns {
                let (x, y) = if self.swap { (row, column) } else { (column, row) };
                let x = if self.flip_x { width - 1 - x } else { x };
                let y = if self.flip_y { height - 1 - y } else { y };
                pixels.extend_from_slice(source.get(y * width + x).unwrap_or(&[0; 3]));
            }
        }
        Rgb { width: columns, height: rows, pixels }
    }
}

/// The value of the orientation tag in a TIFF structure, with or without EXIF's own beginning.
fn tag(exif: &[u8]) -> Option<u32> {
    let mut tiff = exif;
    for _ in 0..2 {
        tiff = tiff.strip_prefix(b"Exif\0\0").unwrap_or(tiff);
    }
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16 = |at| if little { bytes::u16_le(tiff, at) } else { bytes::u16_be(tiff, at) };
    let u32 = |at| if little { bytes::u32_le(tiff, at) } else { bytes::u32_be(tiff, at) };
    let directory = u32(4)? as usize;
    let entries = u16(directory)?;
    let entry = (0..entries)
        .map(|n| directory.saturating_add(2 + 12 * n))
        .take_while(|&at| at < tiff.len())
        .find(|&at| u16(at) == Some(0x0112))?;
    match (u16(entry + 2)?, u32(entry + 4)?) {
        (1, 1) => tiff.get(entry + 8).map(|&value| u32::from(value)),
        (3, 1) => u16(entry + 8).map(|value| value as u32),
        (4, 1) => u32(entry + 8),
        _ => None,
    }
}

/// The eXIf chunk of a PNG file, wherever it stands.
fn png_exif(file: &[u8]) -> Option<&[u8]> {
    let mut at = 8usize;
    loop {
        let length = bytes::u32_be(file, at)? as usize;
        match bytes::part(file, at + 4, 4)? {
            b"eXIf" => return bytes::part(file, at + 8, length),
            b"IEND" => return None,
            _ => at = at.checked_add(length)?.checked_add(12)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_both_byte_orders_and_never_beyond_the_end() {
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        let big = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x07\0\0";
        assert_eq!(tag(little), Some(6));
        assert_eq!(tag(big), Some(7));
        for cut in 0..20 {
            assert_eq!(tag(&little[..cut]), None);
        }
        let mut far = *little;
        far[4..8].fill(0xff);
        assert_eq!(tag(&far), None);
    }
}
