//! WebP by `image-webp`, a frame at a time.
//!
//! The container is taken apart here: the decoder gets a file of the first frame and nothing else.
//! So metadata cannot fail, and a first frame that leaves part of the canvas stands on it as in
//! libwebp: on transparent black, not blended.

use super::format::Format;
use super::riff::{Chunks, write};
use super::{Rgb, bytes, convert, fault};
use image_webp::{DecodingError, WebPDecoder};
use protocol::Fault;
use std::io::Cursor;

const ALPHA: u8 = 0x10;
const ANIMATION: u8 = 0x02;

/// What a file says before its pixels.
struct Layout<'a> {
    width: usize,
    height: usize,
    /// Whether Pillow makes it RGBA.
    transparent: bool,
    frame: Frame<'a>,
}

/// The bit stream of a picture and its place on the canvas.
struct Frame<'a> {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    /// `VP8 ` or `VP8L`.
    kind: [u8; 4],
    stream: &'a [u8],
    /// Opacity beside a lossy stream.
    alpha: Option<&'a [u8]>,
}

/// Width and height of the canvas.
pub fn size(file: &[u8]) -> Result<(usize, usize), Fault> {
    layout(file).map(|layout| (layout.width, layout.height))
}

/// Decodes a file whose canvas is within the limits.
pub fn decode(file: &[u8]) -> Result<Rgb, Fault> {
    let Layout { width, height, transparent, frame } = layout(file)?;
    let still = still(&frame, transparent);
    let mut decoder = WebPDecoder::new(Cursor::new(&still)).map_err(|error| cause(&error))?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut samples = vec![0; frame.width * frame.height * channels];
    decoder.read_image(&mut samples).map_err(|error| cause(&error))?;
    if (frame.width, frame.height) == (width, height) && channels == 3 {
        return Ok(Rgb { width, height, pixels: samples });
    }
    let ground = if transparent { 255 } else { 0 };
    let mut pixels = vec![ground; width * height * 3];
    let rows = pixels.chunks_exact_mut(width * 3).skip(frame.top);
    for (row, out) in samples.chunks_exact(frame.width * channels).zip(rows) {
        let Some(out) = out.get_mut(frame.left * 3..(frame.left + frame.width) * 3) else { break };
        match (channels, transparent) {
            (4, true) => convert::rgba(row, out),
            (4, false) => convert::drop_alpha(row, out),
            _ => out.copy_from_slice(row),
        }
    }
    Ok(Rgb { width, height, pixels })
}

/// Reads the container down to the first frame.
fn layout(file: &[u8]) -> Result<Layout<'_>, Fault> {
    let truncated = || fault::truncated(Format::WebP);
    let mut chunks = Chunks::of_file(file).ok_or_else(truncated)?;
    let (name, data) = chunks.next().ok_or_else(truncated)?;
    if &name != b"VP8X" {
        let frame = frame(Chunks::of(file.get(12..).unwrap_or_default()), 0, 0)?;
        let transparent = &name == b"VP8L" && lossless_alpha(frame.stream);
        return Ok(Layout { width: frame.width, height: frame.height, transparent, frame });
    }
    let (Some(&flags), Some(width), Some(height)) =
        (data.first(), bytes::u24_le(data, 4), bytes::u24_le(data, 7))
    else {
        return Err(truncated());
    };
    let (width, height) = (width + 1, height + 1);
    let frame = match flags & ANIMATION {
        0 => frame(chunks, 0, 0)?,
        _ => first_frame(chunks)?,
    };
    let inside = frame.left + frame.width <= width && frame.top + frame.height <= height;
    let covers = (frame.width, frame.height) == (width, height);
    match inside && (covers || flags & ANIMATION != 0) {
        true => Ok(Layout { width, height, transparent: flags & ALPHA != 0, frame }),
        false => Err(fault::broken(Format::WebP, "its frame does not fit its canvas")),
    }
}

/// The first frame of an animation.
fn first_frame(mut chunks: Chunks<'_>) -> Result<Frame<'_>, Fault> {
    let (_, data) =
        chunks.find(|(name, _)| name == b"ANMF").ok_or_else(|| fault::truncated(Format::WebP))?;
    let place = |at| bytes::u24_le(data, at).ok_or_else(|| fault::truncated(Format::WebP));
    let (left, top, width, height) = (place(0)? * 2, place(3)? * 2, place(6)? + 1, place(9)? + 1);
    let frame = frame(Chunks::of(data.get(16..).unwrap_or_default()), left, top)?;
    match (frame.width, frame.height) == (width, height) {
        true => Ok(frame),
        false => Err(fault::broken(Format::WebP, "its first frame has another size than it says")),
    }
}

/// The picture among some chunks, with its size from its own header.
fn frame(chunks: Chunks<'_>, left: usize, top: usize) -> Result<Frame<'_>, Fault> {
    let mut alpha = None;
    for (kind, stream) in chunks {
        let size = match &kind {
            b"ALPH" => {
                alpha = alpha.or(Some(stream));
                continue;
            }
            b"VP8 " => lossy_size(stream),
            b"VP8L" => lossless_size(stream),
            _ => continue,
        };
        let (width, height) =
            size.ok_or_else(|| fault::broken(Format::WebP, "its frame has no header"))?;
        let alpha = alpha.filter(|_| &kind == b"VP8 ");
        return Ok(Frame { left, top, width, height, kind, stream, alpha });
    }
    Err(fault::truncated(Format::WebP))
}

/// RFC 6386, 9.1: a key frame with both sides in 14 bits each.
fn lossy_size(stream: &[u8]) -> Option<(usize, usize)> {
    let (key, magic) = (stream.first()? & 1 == 0, stream.get(3..6)?);
    let side = |at| bytes::u16_le(stream, at).map(|side| side & 0x3fff);
    (key && magic == [0x9d, 0x01, 0x2a]).then_some((side(6)?, side(8)?))
}

/// WebP Lossless Bitstream Specification, 3: both sides less one in 14 bits each.
fn lossless_size(stream: &[u8]) -> Option<(usize, usize)> {
    let bits = bytes::u32_le(stream, 1)? as usize;
    (stream.first() == Some(&0x2f)).then_some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}

fn lossless_alpha(stream: &[u8]) -> bool {
    bytes::u32_le(stream, 1).is_some_and(|bits| bits >> 28 & 1 == 1)
}

/// A file of one frame alone.
fn still(frame: &Frame<'_>, transparent: bool) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    if let Some(alpha) = frame.alpha.filter(|_| transparent) {
        let mut extended = vec![ALPHA, 0, 0, 0];
        extended.extend_from_slice(&(frame.width as u32 - 1).to_le_bytes()[..3]);
        extended.extend_from_slice(&(frame.height as u32 - 1).to_le_bytes()[..3]);
        write(&mut body, b"VP8X", &extended);
        write(&mut body, b"ALPH", alpha);
    }
    write(&mut body, &frame.kind, frame.stream);
    let mut file = Vec::with_capacity(body.len() + 8);
    write(&mut file, b"RIFF", &body);
    file
}

fn cause(error: &DecodingError) -> Fault {
    match error {
        DecodingError::IoError(_) => fault::truncated(Format::WebP),
        _ => fault::broken(Format::WebP, error),
    }
}
