//! JPEG by `libjpeg-turbo-rs`, whose pixels are those of libjpeg-turbo, which Pillow uses.

use super::format::Format;
use super::header::Header;
use super::{Rgb, bytes, convert, fault};
use libjpeg_turbo_rs::decode::pipeline::Decoder;
use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, PixelFormat};
use protocol::Fault;

/// Progressive files have about ten; each may cost a pass over the whole picture.
const MAX_SCANS: usize = 100;
/// Per pixel: coefficients of four full planes, the planes, the pixels.
const BYTES_PER_PIXEL: u64 = 24;
/// Blocks at the edges of small pictures.
const SPARE_BYTES: u64 = 1 << 20;

const START_OF_SCAN: u8 = 0xda;
const EXIF: u8 = 0xe1;

/// Decodes a file whose header is within the limits.
pub fn decode(file: &[u8], header: &Header) -> Result<Rgb, Fault> {
    if !ends(file) {
        return Err(fault::truncated(Format::Jpeg));
    }
    let mut decoder = Decoder::new_with_limits(file, limits(header)).map_err(cause)?;
    let inks = matches!(decoder.jpeg_color_space(), ColorSpace::Cmyk | ColorSpace::Ycck);
    decoder.set_output_format(if inks { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    let size = decoder.output_buffer_size().map_err(cause)?;
    let mut samples = vec![0; size];
    let info = decoder.decode_image_into(&mut samples).map_err(cause)?;
    let (width, height) = (info.width, info.height);
    samples.truncate(info.bytes_written);
    if samples.len() != width * height * if inks { 4 } else { 3 } {
        return Err(fault::broken(Format::Jpeg, "it has other samples than it says"));
    }
    if !inks {
        return Ok(Rgb { width, height, pixels: samples });
    }
    let mut pixels = vec![0; width * height * 3];
    convert::inverted_cmyk(&samples, &mut pixels);
    Ok(Rgb { width, height, pixels })
}

/// Whether the end marker is there: the decoder can do without, Pillow refuses. Inside of scans the
/// marker cannot occur, and behind it may be anything.
fn ends(file: &[u8]) -> bool {
    let mut segments = Segments::of(file);
    while segments.next().is_some() {}
    let scans = file.get(segments.at..).unwrap_or_default();
    scans.windows(2).rev().any(|pair| pair == [0xff, 0xd9])
}

fn limits(header: &Header) -> DecodeLimits {
    let pixels = (header.width as u64).saturating_mul(header.height as u64);
    let padded = (header.width as u64 + 64).saturating_mul(header.height as u64 + 64);
    DecodeLimits {
        max_pixels: pixels,
        max_scans: MAX_SCANS,
        max_memory: Some(padded.saturating_mul(BYTES_PER_PIXEL).saturating_add(SPARE_BYTES)),
        ..DecodeLimits::default()
    }
}

fn cause(error: libjpeg_turbo_rs::JpegError) -> Fault {
    match error {
        libjpeg_turbo_rs::JpegError::UnexpectedEof => fault::truncated(Format::Jpeg),
        libjpeg_turbo_rs::JpegError::Unsupported(what) => fault::unsupported(Format::Jpeg, what),
        other => fault::broken(Format::Jpeg, other),
    }
}

/// Width and height, from the frame header (ITU-T T.81, B.2.2).
pub fn size(file: &[u8]) -> Result<(usize, usize), Fault> {
    let frame = Segments::of(file)
        .find(|(marker, _)| matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc));
    let (marker, frame) = frame.ok_or_else(|| fault::truncated(Format::Jpeg))?;
    let (Some([precision, _, _, _, _, layers]), Some(height), Some(width)) =
        (bytes::array(frame, 0), bytes::u16_be(frame, 1), bytes::u16_be(frame, 3))
    else {
        return Err(fault::truncated(Format::Jpeg));
    };
    match (marker, precision, layers) {
        (0xc0..=0xc2 | 0xc9..=0xca, 8, 4) if !inks_are_sampled_alike(frame) => {
            Err(fault::unsupported(Format::Jpeg, "4 components of unusual sampling"))
        }
        (0xc0..=0xc2 | 0xc9..=0xca, 8, 1 | 3 | 4) => Ok((width, height)),
        (0xc0..=0xc2 | 0xc9..=0xca, 8, _) => {
            Err(fault::unsupported(Format::Jpeg, format!("{layers} components")))
        }
        (0xc0..=0xc2 | 0xc9..=0xca, ..) => {
            Err(fault::unsupported(Format::Jpeg, format!("{precision} bits a sample")))
        }
        _ => Err(fault::unsupported(Format::Jpeg, "a lossless or hierarchical frame")),
    }
}

/// Whether of four components the first and the last have the same sampling factors, the others the same or less, as
/// every CMYK and YCCK file has it. Of others the decoder makes wrong pixels, or panics.
fn inks_are_sampled_alike(frame: &[u8]) -> bool {
    let factors = |component: usize| bytes::array::<1>(frame, 7 + 3 * component).map(|[byte]| byte);
    let [Some(first), Some(second), Some(third), Some(last)] = [0, 1, 2, 3].map(factors) else {
        return true; // for the decoder to say
    };
    let divides = |one: u8, other: u8| other > 0 && one.is_multiple_of(other);
    (first, second) == (last, third)
        && divides(first >> 4, second >> 4)
        && divides(first & 15, second & 15)
}

/// The EXIF data.
pub fn exif(file: &[u8]) -> Option<&[u8]> {
    Segments::of(file)
        .find(|(marker, data)| *marker == EXIF && data.starts_with(b"Exif\0\0"))
        .map(|(_, data)| data)
}

/// Marker segments with data, up to the first scan.
struct Segments<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    fn of(file: &'a [u8]) -> Self {
        Self { file, at: 2 }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match bytes::array(self.file, self.at)? {
                [0xff, START_OF_SCAN] => return None,
                // Without data: restart, start and end of an image, temporary.
                [0xff, 0x00 | 0x01 | 0xd0..=0xd9] => self.at += 2,
                [0xff, marker @ 0x02..=0xfe] => {
                    let length = bytes::u16_be(self.file, self.at + 2)?;
                    let data = bytes::part(self.file, self.at + 4, length.checked_sub(2)?)?;
                    self.at += 2 + length;
                    return Some((marker, data));
                }
                // Padding, or what should not be there.
                _ => self.at += 1,
            }
        }
    }
}
