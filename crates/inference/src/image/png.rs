//! PNG by the `png` crate, without its conversions: Pillow has rules of its own.

use super::format::Format;
use super::header::Header;
use super::{Rgb, convert, fault};
use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Limits};
use protocol::Fault;
use std::io::Cursor;

/// Besides the pixels: tables of the decompressor, a few rows, small chunks.
const SPARE_BYTES: usize = 4 << 20;

/// Decodes a file whose header is within the limits.
pub fn decode(file: &[u8], header: &Header) -> Result<Rgb, Fault> {
    let mut reader = open(file, header)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let size = reader.output_buffer_size().ok_or_else(|| broken("it is too large"))?;
    let mut samples = vec![0; size];
    let info = reader.next_frame(&mut samples).map_err(|error| cause(&error))?;
    if (info.width as usize, info.height as usize) != (width, height) {
        return Err(broken("its first frame does not cover it"));
    }
    if (info.color_type, info.bit_depth) == (ColorType::Rgb, BitDepth::Eight) {
        return Ok(Rgb { width, height, pixels: samples });
    }
    let colours = match info.color_type {
        ColorType::Indexed => palette(reader.info().palette.as_deref())?,
        _ => convert::greys(info.bit_depth as u8),
    };
    let mut pixels = vec![0; width * height * 3];
    for (row, out) in samples.chunks_exact(info.line_size).zip(pixels.chunks_exact_mut(width * 3)) {
        convert_row(row, info.color_type, info.bit_depth, &colours, out);
    }
    Ok(Rgb { width, height, pixels })
}

/// A reader that keeps no metadata and whose own memory is bounded.
fn open<'a>(file: &'a [u8], header: &Header) -> Result<png::Reader<Cursor<&'a [u8]>>, Fault> {
    let mut options = DecodeOptions::default();
    // Damage to metadata is none of ours; to the palette or the pixels it is.
    options.set_ignore_crc(false);
    options.set_skip_ancillary_crc_failures(true);
    options.set_ignore_adler32(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
    let row = header.width.saturating_mul(8);
    // Chunks are held in memory while they are read; a file's own size bounds them.
    let spare = SPARE_BYTES.saturating_add(file.len().saturating_mul(2));
    decoder.set_limits(Limits { bytes: row.saturating_mul(4).saturating_add(spare) });
    decoder.read_info().map_err(|error| cause(&error))
}

fn palette(entries: Option<&[u8]>) -> Result<[[u8; 3]; 256], Fault> {
    let entries = entries.ok_or_else(|| broken("it has no palette"))?;
    Ok(convert::palette(entries.as_chunks().0.iter().copied()))
}

fn convert_row(
    row: &[u8],
    colour: ColorType,
    depth: BitDepth,
    colours: &[[u8; 3]; 256],
    out: &mut [u8],
) {
    match (colour, depth) {
        (ColorType::Grayscale, BitDepth::Sixteen) => convert::grey16(row, out),
        (ColorType::Grayscale | ColorType::Indexed, _) => {
            convert::indexed(row, depth as u8, colours, out);
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => convert::grey_alpha16(row, out),
        (ColorType::GrayscaleAlpha, _) => convert::grey(row, 2, out),
        (ColorType::Rgb, _) => convert::rgb16(row, out),
        (ColorType::Rgba, BitDepth::Sixteen) => convert::rgba16(row, out),
        (ColorType::Rgba, _) => convert::rgba(row, out),
    }
}

fn broken(why: &str) -> Fault {
    fault::broken(Format::Png, why)
}

fn cause(error: &DecodingError) -> Fault {
    match error {
        DecodingError::IoError(_) => fault::truncated(Format::Png),
        _ => fault::broken(Format::Png, error),
    }
}
