//! BMP, as Pillow reads it: which layouts it knows, which of them are transparent, what it makes of
//! short palettes. The `image` crate differs in these.

mod info;
mod run_lengths;

use super::format::Format;
use super::{Rgb, bytes, convert, fault};
use info::{Info, Layout};
use protocol::Fault;

/// Width and height, from the file's information header.
pub fn size(file: &[u8]) -> Result<(usize, usize), Fault> {
    info::read(file).map(|info| (info.width, info.height))
}

/// Decodes a file whose sides are within the limits.
pub fn decode(file: &[u8]) -> Result<Rgb, Fault> {
    let info = info::read(file)?;
    let unpacked;
    let (rows, stride, depth) = match info.layout {
        Layout::Runs { nibbles } => {
            unpacked = run_lengths::unpack(file, &info, nibbles)
                .ok_or_else(|| fault::truncated(Format::Bmp))?;
            (unpacked.as_slice(), info.width, 8)
        }
        _ => (file.get(info.data..).unwrap_or_default(), stride(&info), info.bits),
    };
    let row_bytes = (info.width * usize::from(depth)).div_ceil(8);
    let mut pixels = vec![0; info.width * info.height * 3];
    for (y, out) in pixels.chunks_exact_mut(info.width * 3).enumerate() {
        let place = if info.top_down { y } else { info.height - 1 - y };
        let row = bytes::part(rows, place * stride, row_bytes)
            .ok_or_else(|| fault::truncated(Format::Bmp))?;
        convert_row(row, &info, depth, out);
    }
    Ok(Rgb { width: info.width, height: info.height, pixels })
}

/// Rows are padded to four bytes.
fn stride(info: &Info) -> usize {
    (info.width * usize::from(info.bits)).div_ceil(32) * 4
}

fn convert_row(row: &[u8], info: &Info, depth: u8, out: &mut [u8]) {
    let pixels = out.as_chunks_mut::<3>().0.iter_mut();
    match info.layout {
        Layout::Palette | Layout::Runs { .. } => convert::indexed(row, depth, &info.colours, out),
        Layout::Bgr => {
            for (pixel, &[b, g, r]) in pixels.zip(row.as_chunks().0) {
                *pixel = [r, g, b];
            }
        }
        Layout::Words { green_bits } => {
            for (pixel, &word) in pixels.zip(row.as_chunks().0) {
                *pixel = rgb_of_word(u16::from_le_bytes(word), green_bits);
            }
        }
        Layout::Quads { order, alpha } => {
            for (pixel, quad) in pixels.zip(row.as_chunks::<4>().0) {
                let sample = |n: usize| quad[order[n] & 3];
                let rgb = [sample(0), sample(1), sample(2)];
                let rgba = [rgb[0], rgb[1], rgb[2], alpha.map_or(255, |n| quad[n & 3])];
                *pixel = convert::on_white(rgba);
            }
        }
    }
}

/// Five bits of red, five or six of green, five of blue.
fn rgb_of_word(word: u16, green_bits: u16) -> [u8; 3] {
    let spread = |value: u16, bits: u16| {
        let largest = (1u32 << bits) - 1;
        ((u32::from(value) & largest) * 255 / largest) as u8
    };
    [spread(word >> (5 + green_bits), 5), spread(word >> 5, green_bits), spread(word, 5)]
}
