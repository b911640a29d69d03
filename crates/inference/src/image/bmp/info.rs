//! The headers of a BMP file: the old one of OS/2, and Windows' since version 3.

use super::super::format::Format;
use super::super::{bytes, convert, fault};
use protocol::Fault;

/// How pixels lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// 1, 4 or 8 bits: an entry of the palette.
    Palette,
    /// Runs of equal entries; of 4 bits where `nibbles`.
    Runs { nibbles: bool },
    /// 5 bits of blue, 5 or 6 of green, 5 of red.
    Words { green_bits: u16 },
    /// Blue, green, red.
    Bgr,
    /// Four bytes: where red, green and blue are, and the opacity, if any.
    Quads { order: [usize; 3], alpha: Option<usize> },
}

/// What stands before the pixels.
pub struct Info {
    pub width: usize,
    pub height: usize,
    pub top_down: bool,
    pub bits: u8,
    pub layout: Layout,
    pub colours: [[u8; 3]; 256],
    /// Where the pixels begin.
    pub data: usize,
}

const BGRX: Layout = Layout::Quads { order: [2, 1, 0], alpha: None };
const BGRA: Layout = Layout::Quads { order: [2, 1, 0], alpha: Some(3) };

/// Masks of red, green, blue and opacity that are read in files of 32 bits.
const QUADS: [([u32; 4], Layout); 8] = [
    ([0xff_0000, 0xff00, 0xff, 0], BGRX),
    ([0xff00_0000, 0xff_0000, 0xff00, 0], Layout::Quads { order: [3, 2, 1], alpha: None }),
    ([0xff00_0000, 0xff00, 0xff, 0], Layout::Quads { order: [3, 1, 0], alpha: None }),
    ([0xff00_0000, 0xff_0000, 0xff00, 0xff], Layout::Quads { order: [3, 2, 1], alpha: Some(0) }),
    ([0xff, 0xff00, 0xff_0000, 0xff00_0000], Layout::Quads { order: [0, 1, 2], alpha: Some(3) }),
    ([0xff_0000, 0xff00, 0xff, 0xff00_0000], BGRA),
    ([0xff00_0000, 0xff00, 0xff, 0xff_0000], Layout::Quads { order: [3, 1, 0], alpha: Some(2) }),
    ([0, 0, 0, 0], BGRA),
];

/// Reads the headers.
pub fn read(file: &[u8]) -> Result<Info, Fault> {
    let truncated = || fault::truncated(Format::Bmp);
    let u16 = |at| bytes::u16_le(file, at).ok_or_else(truncated);
    let u32 = |at| bytes::u32_le(file, at).ok_or_else(truncated);
    let start = u32(10)? as usize;
    let header = u32(14)? as usize;
    let old = match header {
        12 => true,
        40 | 52 | 56 | 64 | 108 | 124 => false,
        _ => return Err(fault::unsupported(Format::Bmp, format!("a header of {header} bytes"))),
    };
    let (width, height, bits) = match old {
        true => (u16(18)? as u32, u16(20)? as u32, u16(24)?),
        false => (u32(18)?, u32(22)?, u16(28)?),
    };
    // Pillow's test for a height below zero, which means top-down.
    let top_down = !old && height >> 24 == 0xff;
    let height = if top_down { height.wrapping_neg() } else { height };
    let compression = if old { 0 } else { u32(30)? };
    let count = if old { 0 } else { u32(46)? };
    let (layout, masks) = layout(file, bits, compression, header)?;
    let mut info = Info {
        width: width as usize,
        height: height as usize,
        top_down,
        bits: bits as u8,
        layout,
        colours: convert::palette(std::iter::empty()),
        data: start,
    };
    if bits <= 8 {
        let entry = if old { 3 } else { 4 };
        read_palette(file, &mut info, 14 + header + masks, entry, count)?;
    }
    Ok(info)
}

/// The layout, and how many bytes of masks follow the header.
fn layout(
    file: &[u8],
    bits: usize,
    compression: u32,
    header: usize,
) -> Result<(Layout, usize), Fault> {
    let unsupported = || {
        let what = format!("{bits} bits a pixel with compression {compression}");
        Err(fault::unsupported(Format::Bmp, what))
    };
    match (compression, bits) {
        (0, 1 | 4 | 8) => Ok((Layout::Palette, 0)),
        (0, 16) => Ok((Layout::Words { green_bits: 5 }, 0)),
        (0, 24) => Ok((Layout::Bgr, 0)),
        (0, 32) => Ok((BGRX, 0)),
        (1 | 2, 1 | 4 | 8) => Ok((Layout::Runs { nibbles: compression == 2 }, 0)),
        (3, 16 | 24 | 32) => {
            // From version 3 of the header on, the masks are part of it, the fourth as well.
            let mask = |n: usize| match n < 3 || header >= 56 {
                true => bytes::u32_le(file, 54 + 4 * n),
                false => Some(0),
            };
            let (Some(r), Some(g), Some(b), Some(a)) = (mask(0), mask(1), mask(2), mask(3)) else {
                return Err(fault::truncated(Format::Bmp));
            };
            let found = match (bits, [r, g, b]) {
                (16, [0xf800, 0x7e0, 0x1f]) => Some(Layout::Words { green_bits: 6 }),
                (16, [0x7c00, 0x3e0, 0x1f]) => Some(Layout::Words { green_bits: 5 }),
                (24, [0xff_0000, 0xff00, 0xff]) => Some(Layout::Bgr),
                (32, _) => {
                    QUADS.iter().find(|(masks, _)| *masks == [r, g, b, a]).map(|found| found.1)
                }
                _ => None,
            };
            found.map_or_else(unsupported, |layout| Ok((layout, if header < 52 { 12 } else { 0 })))
        }
        _ => unsupported(),
    }
}

/// Reads the palette; a file that gives no other place has its pixels after it.
fn read_palette(
    file: &[u8],
    info: &mut Info,
    at: usize,
    entry: usize,
    count: u32,
) -> Result<(), Fault> {
    let count = if count == 0 { 1usize << info.bits } else { count as usize };
    if count > 65536 {
        return Err(fault::unsupported(Format::Bmp, format!("a palette of {count} colours")));
    }
    let table = file.get(at..).unwrap_or_default();
    let entries = table.chunks_exact(entry).take(count.min(256));
    let colours: Vec<[u8; 3]> = entries
        .filter_map(|entry| Some([*entry.get(2)?, *entry.get(1)?, *entry.first()?]))
        .collect();
    // A whole palette of greys in order is none to Pillow: an index beyond it is not black.
    let grey = |(n, colour): (usize, &[u8; 3])| *colour == [n as u8; 3];
    let greys = colours.len() == count && colours.iter().enumerate().all(grey);
    info.colours = match greys {
        true => convert::greys(8),
        false => convert::palette(colours.into_iter()),
    };
    if info.data == at || info.data == 0 {
        info.data = at + entry * count;
    }
    Ok(())
}
