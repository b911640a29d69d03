//! Files that want too much, end too soon, or are no pictures.

use super::*;
use protocol::FaultCode;
use std::time::{Duration, Instant};

fn code(bytes: &[u8], limits: &ImageLimits) -> FaultCode {
    let fault = decode(bytes, true, limits).unwrap_err();
    assert!(fault.detail.is_some() && fault.hint.is_some(), "{fault:?}");
    assert!(fault.message.chars().next().is_some_and(char::is_lowercase));
    fault.code
}

#[test]
fn what_is_no_picture_is_refused() {
    for bytes in [
        &b""[..],
        b"\0",
        b"hello",
        b"%PDF-1.7",
        b"II*\0\x08\0\0\0",
        b"\x89PNG",
        b"RIFF\0\0\0\0WAVE",
    ] {
        assert_eq!(code(bytes, &LIMITS), FaultCode::InvalidBinary, "{bytes:?}");
        assert!(size(bytes, false, &LIMITS).is_err());
    }
    let fault = decode(b"hello", false, &LIMITS).unwrap_err();
    assert_eq!(fault.detail.as_deref(), Some("The 5 bytes begin with 68 65 6c 6c 6f."));
}

#[test]
fn bytes_and_pixels_have_limits() {
    let bytes = file("png-rgb8.png");
    let limits = |max_bytes, max_pixels| ImageLimits { max_bytes, max_pixels };
    assert!(decode(&bytes, false, &limits(bytes.len(), 61 * 43)).is_ok());
    assert_eq!(code(&bytes, &limits(bytes.len() - 1, 61 * 43)), FaultCode::LimitExceeded);
    assert_eq!(code(&bytes, &limits(bytes.len(), 61 * 43 - 1)), FaultCode::LimitExceeded);
    let fault = size(&bytes, false, &limits(1 << 20, 100)).unwrap_err();
    let detail = "The image is 61 x 43 pixels; the limit is 100 pixels.";
    assert_eq!(fault.detail.as_deref(), Some(detail));
}

/// The decoder takes the first and the last of four components for whole, the others for alike.
#[test]
fn inks_of_unusual_sampling_are_refused() {
    let file = file("jpeg-cmyk.jpg");
    let frame = file.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap();
    let sampled = |factors: [u8; 4]| {
        let mut file = file.clone();
        for (component, factors) in factors.into_iter().enumerate() {
            file[frame + 11 + 3 * component] = factors;
        }
        size(&file, false, &LIMITS)
    };
    for usual in [[0x11; 4], [0x22, 0x11, 0x11, 0x22], [0x21, 0x11, 0x11, 0x21]] {
        assert!(sampled(usual).is_ok(), "{usual:x?}");
    }
    for unusual in [
        [0x11, 0x13, 0x11, 0x11],
        [0x11, 0x13, 0x13, 0x11],
        [0x22, 0x11, 0x21, 0x22],
        [0x22, 0x11, 0x11, 0x11],
        [0x33, 0x22, 0x22, 0x33],
    ] {
        let fault = sampled(unusual).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidBinary, "{unusual:x?}");
        assert!(fault.detail.unwrap().contains("sampling"));
    }
}

/// Headers that claim 100,000 × 100,000 pixels, or as many as the format can.
fn claims() -> Vec<Vec<u8>> {
    let mut png = file("png-rgb8.png");
    png[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
    let mut jpeg = file("jpeg-420.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    let mut gif = file("gif-still.gif");
    gif[6..10].fill(0xff);
    let mut bmp = file("bmp-24.bmp");
    bmp[18..26].copy_from_slice(&[0xa0, 0x86, 1, 0, 0xa0, 0x86, 1, 0]);
    let mut lossless = file("webp-lossless.webp");
    lossless[21..25].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    let mut extended = file("webp-animated.webp");
    extended[24..30].fill(0xff);
    vec![png, jpeg, gif, bmp, lossless, extended]
}

#[test]
fn a_claim_of_many_pixels_is_refused_at_once() {
    let start = Instant::now();
    for bytes in claims() {
        assert_eq!(code(&bytes, &LIMITS), FaultCode::LimitExceeded, "{:?}", &bytes[..4]);
    }
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
}

#[test]
fn what_is_cut_off_is_refused_or_whole() {
    for name in json("expected.json")["images"].as_object().unwrap().keys() {
        let bytes = file(name);
        if bytes.len() > 10_000 {
            continue;
        }
        let whole = decode(&bytes, false, &LIMITS).unwrap();
        let step = bytes.len() / 40 + 1;
        for length in
            (0..bytes.len()).step_by(step).chain(bytes.len().saturating_sub(20)..bytes.len())
        {
            match decode(&bytes[..length], false, &LIMITS) {
                Ok(found) => assert_eq!(found, whole, "{name} cut to {length} bytes"),
                Err(fault) => assert_eq!(fault.code, FaultCode::InvalidBinary, "{name} {length}"),
            }
        }
        let half = decode(&bytes[..bytes.len() / 2], false, &LIMITS);
        assert!(half.is_err() || half == Ok(whole), "{name}: half a file");
    }
}

#[test]
fn damage_is_a_fault_or_a_picture_of_the_promised_size() {
    for name in json("expected.json")["images"].as_object().unwrap().keys() {
        let bytes = file(name);
        if bytes.len() > 10_000 {
            continue;
        }
        for n in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
            let mut damaged = bytes.clone();
            damaged[n] ^= 0x41;
            let Ok(image) = decode(&damaged, true, &LIMITS) else { continue };
            assert_eq!(
                size(&damaged, true, &LIMITS),
                Ok((image.width, image.height)),
                "{name} {n}"
            );
            assert_eq!(image.pixels.len(), image.width * image.height * 3);
        }
    }
}

/// A PNG chunk whose checksum is right.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in kind.iter().chain(data) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &(!crc).to_be_bytes()].concat()
}

/// A zlib stream of 50 times its bytes in zeros, without an end: a literal, then runs of 258 (RFC 1951,
/// 3.2.6: 13 bits each).
fn bomb(bytes: usize) -> Vec<u8> {
    let head = [0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0];
    let run = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
    let bits: Vec<u8> = head.into_iter().chain(run.into_iter().cycle()).take(bytes * 8).collect();
    let packed = bits.chunks(8).map(|byte| (0..).zip(byte).map(|(n, bit)| bit << n).sum::<u8>());
    [0x78, 0xda].into_iter().chain(packed).collect()
}

#[test]
fn metadata_may_be_as_large_as_the_file_and_is_not_unpacked() {
    let bytes = file("png-rgb8.png");
    let whole = decode(&bytes, false, &LIMITS).unwrap();
    let heads = [(b"zTXt", &b"a\0\0"[..]), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\x01\0\0\0")];
    for (kind, head) in heads {
        let chunk = chunk(kind, &[head, &bomb(2 << 20)].concat());
        let file = [&bytes[..33], &chunk, &bytes[33..]].concat();
        let start = Instant::now();
        assert_eq!(decode(&file, true, &LIMITS).unwrap(), whole, "{kind:?}");
        assert!(start.elapsed() < Duration::from_secs(1), "{kind:?} {:?}", start.elapsed());
    }
}

#[test]
fn plain_metadata_may_be_large() {
    let bytes = file("png-rgb8.png");
    let whole = decode(&bytes, false, &LIMITS).unwrap();
    for kind in [b"tEXt", b"eXIf", b"prVt", b"sPLT"] {
        let chunk = chunk(kind, &vec![b'a'; 5 << 20]);
        let file = [&bytes[..33], &chunk, &bytes[33..]].concat();
        assert_eq!(decode(&file, true, &LIMITS).unwrap(), whole, "{kind:?}");
    }
    let jpeg = super::file("jpeg-420.jpg");
    let segment = [&[0xff, 0xe1, 0xff, 0xff][..], &[b'x'; 0xfffd]].concat();
    let file = [&jpeg[..2], &segment.repeat(64), &jpeg[2..]].concat();
    assert_eq!(decode(&file, true, &LIMITS), decode(&jpeg, false, &LIMITS));
}

#[test]
fn pixels_that_unpack_to_more_than_the_picture_are_not_unpacked() {
    let bytes = file("png-rgb8.png");
    let (header, end) = (&bytes[..33], &bytes[bytes.len() - 12..]);
    let file = [header, &chunk(b"IDAT", &bomb(2 << 20)), end].concat();
    let start = Instant::now();
    let _ = decode(&file, false, &LIMITS);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}
