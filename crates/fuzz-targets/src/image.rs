//! Any bytes as a picture: a fault or pixels of the promised size, in bounded memory, no panic.

use inference::image::{Filter, ImageLimits, Rgb, SmartResize, decode, resize, size, smart_resize};

const LIMITS: ImageLimits = ImageLimits { max_bytes: 1 << 20, max_pixels: 1 << 18 };
const RULE: SmartResize =
    SmartResize { factor: 32, min_pixels: 4096, max_pixels: 1 << 16, max_aspect_ratio: 200 };

/// Decodes and resizes.
pub fn image(bytes: &[u8]) {
    // One bit of the input, for the files themselves have no room for it.
    let turned = bytes.len() % 2 == 1;
    let promised = size(bytes, turned, &LIMITS);
    let Ok(image) = decode(bytes, turned, &LIMITS) else { return };
    assert_eq!(promised, Ok((image.width, image.height)));
    assert_eq!(image.pixels.len(), image.width * image.height * 3);
    assert!(image.width as u64 * image.height as u64 <= LIMITS.max_pixels);
    let filter = if bytes.len().is_multiple_of(3) { Filter::Bilinear } else { Filter::Bicubic };
    let (width, height) = smart_resize(image.width, image.height, &RULE).unwrap_or((33, 17));
    check(&resize(&image, width, height, filter), width, height);
    check(&resize(&image, 7, image.height, filter), 7, image.height);
}

fn check(image: &Rgb, width: usize, height: usize) {
    assert_eq!((image.width, image.height), (width, height));
    assert_eq!(image.pixels.len(), width * height * 3);
}
