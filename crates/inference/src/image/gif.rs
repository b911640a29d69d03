//! GIF: the first frame on its canvas, as Pillow composes it.

use super::format::Format;
use super::{Rgb, bytes, convert, fault, lzw};
use protocol::Fault;

const GRAPHIC_CONTROL: u8 = 0xf9;

/// What stands before the pixels of the first frame (GIF89a specification).
struct Frame {
    /// Of the canvas, which grows where the frame leaves it.
    width: usize,
    height: usize,
    left: usize,
    top: usize,
    columns: usize,
    rows: usize,
    interlaced: bool,
    /// Greys of their own number where the file has no palette.
    colours: [[u8; 3]; 256],
    /// The index that is transparent: the canvas begins with it.
    transparent: Option<u8>,
    /// Size of the smallest code, and where the codes begin.
    code_bits: u8,
    data: usize,
}

/// Width and height of the canvas.
pub fn size(file: &[u8]) -> Result<(usize, usize), Fault> {
    first_frame(file).map(|frame| (frame.width, frame.height))
}

/// Decodes a file whose canvas is within the limits.
pub fn decode(file: &[u8]) -> Result<Rgb, Fault> {
    let frame = first_frame(file)?;
    let mut indices = vec![0; frame.columns * frame.rows];
    if !lzw::decode(file, frame.data, frame.code_bits, &mut indices) {
        return Err(fault::truncated(Format::Gif));
    }
    let Frame { width, height, .. } = frame;
    let ground = frame.colours[usize::from(frame.transparent.unwrap_or(0))];
    let mut pixels = ground.repeat(width * height);
    if frame.columns == 0 {
        return Ok(Rgb { width, height, pixels });
    }
    for (row, y) in indices.chunks_exact(frame.columns).zip(row_order(&frame)) {
        let start = ((frame.top + y) * width + frame.left) * 3;
        if let Some(out) = pixels.get_mut(start..start + frame.columns * 3) {
            convert::indexed(row, 8, &frame.colours, out);
        }
    }
    Ok(Rgb { width, height, pixels })
}

/// Where the rows of the file stand in the frame: every 8th, 4th, 2nd, and the rest.
fn row_order(frame: &Frame) -> impl Iterator<Item = usize> {
    let passes: &[(usize, usize)] = match frame.interlaced {
        true => &[(0, 8), (4, 8), (2, 4), (1, 2)],
        false => &[(0, 1)],
    };
    let rows = frame.rows;
    passes.iter().flat_map(move |&(first, step)| (first..rows).step_by(step))
}

fn first_frame(file: &[u8]) -> Result<Frame, Fault> {
    parse(file).ok_or_else(|| fault::truncated(Format::Gif))
}

/// Walks the blocks up to the first picture; none where the file ends before.
fn parse(file: &[u8]) -> Option<Frame> {
    let flags = *file.get(10)?;
    let (mut at, global) = colour_table(file, 13, flags)?;
    let mut transparent = None;
    loop {
        match *file.get(at)? {
            b'!' => {
                let label = *file.get(at + 1)?;
                let block = lzw::sub_block(file, at + 2);
                if let (GRAPHIC_CONTROL, Some(&[flags, _, _, index, ..])) = (label, block)
                    && flags & 1 == 1
                {
                    transparent = Some(index);
                }
                at = after_sub_blocks(file, at + 2)?;
            }
            b',' => break,
            b';' => return None,
            // Pillow skips what it does not know.
            _ => at += 1,
        }
    }
    let place = |field: usize| bytes::u16_le(file, at + 1 + 2 * field);
    let (left, top, columns, rows) = (place(0)?, place(1)?, place(2)?, place(3)?);
    let flags = *file.get(at + 9)?;
    let (at, local) = colour_table(file, at + 10, flags)?;
    Some(Frame {
        width: bytes::u16_le(file, 6)?.max(left + columns),
        height: bytes::u16_le(file, 8)?.max(top + rows),
        left,
        top,
        columns,
        rows,
        interlaced: flags & 0x40 != 0,
        colours: local.or(global).map_or_else(|| convert::greys(8), colours),
        transparent,
        code_bits: *file.get(at)?,
        data: at + 1,
    })
}

/// A table of greys in order is none to Pillow, so that an index beyond it is not black.
fn colours(table: &[[u8; 3]]) -> [[u8; 3]; 256] {
    match table.iter().enumerate().all(|(n, colour)| *colour == [n as u8; 3]) {
        true => convert::greys(8),
        false => convert::palette(table.iter().copied()),
    }
}

type Colours<'a> = Option<&'a [[u8; 3]]>;

/// A colour table where the flags announce one, and the place after it.
fn colour_table(file: &[u8], at: usize, flags: u8) -> Option<(usize, Colours<'_>)> {
    if flags & 0x80 == 0 {
        return Some((at, None));
    }
    let length = 3usize << ((flags & 7) + 1);
    let (colours, _) = bytes::part(file, at, length)?.as_chunks();
    Some((at + length, Some(colours)))
}

fn after_sub_blocks(file: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*file.get(at)?) {
            0 => return Some(at + 1),
            length => at += 1 + length,
        }
    }
}
