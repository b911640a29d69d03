//! The fast resize against a plain one, on random pictures.

use super::*;
use crate::image::coefficients::{Coefficients, PRECISION};
use proptest::prelude::*;

/// One side, sample by sample, in 64 bits: `get(n, sample)` of `lines` lines to `put`.
fn one_side(image: &Rgb, to: usize, filter: Filter, rows: bool) -> Rgb {
    let from = if rows { image.width } else { image.height };
    let (width, height) = if rows { (to, image.height) } else { (image.width, to) };
    if from == to {
        return image.clone();
    }
    let c = Coefficients::new(from, to, 0..to, filter);
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let n = if rows { x } else { y };
            for channel in 0..3 {
                let sample = |k: usize| {
                    let (x, y) = if rows { (c.first[n] + k, y) } else { (x, c.first[n] + k) };
                    i64::from(image.pixels[(y * image.width + x) * 3 + channel])
                };
                let taps =
                    (0..c.count[n]).map(|k| sample(k) * i64::from(c.weights[n * c.taps + k]));
                let sum = taps.sum::<i64>() + (1 << (PRECISION - 1));
                pixels.push((sum >> PRECISION).clamp(0, 255) as u8);
            }
        }
    }
    Rgb { width, height, pixels }
}

fn plain(image: &Rgb, width: usize, height: usize, filter: Filter) -> Rgb {
    let (down, across) = (image.height as i64 - height as i64, image.width as i64 - width as i64);
    if down > 0 && down > 2 * across {
        one_side(&one_side(image, height, filter, false), width, filter, true)
    } else {
        one_side(&one_side(image, width, filter, true), height, filter, false)
    }
}

/// A picture of sides up to `side`: noise, or only black and white, where overshoot is largest.
fn pictures(side: usize) -> impl Strategy<Value = Rgb> {
    (1..=side, 1..=side, any::<bool>(), any::<u32>()).prop_map(|(width, height, hard, seed)| {
        let mut state = seed;
        let mut sample = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sample = (state >> 24) as u8;
            if hard { if sample > 127 { 255 } else { 0 } } else { sample }
        };
        Rgb { width, height, pixels: (0..width * height * 3).map(|_| sample()).collect() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn fast_and_plain_agree(
        image in pictures(70),
        width in 1usize..90,
        height in 1usize..90,
        cubic in any::<bool>(),
    ) {
        let filter = if cubic { Filter::Bicubic } else { Filter::Bilinear };
        let fast = resize(&image, width, height, filter);
        prop_assert_eq!(fast, plain(&image, width, height, filter));
    }

    #[test]
    fn a_plain_colour_stays_itself(
        sides in (1usize..200, 1usize..200, 1usize..200, 1usize..200),
        colour in any::<[u8; 3]>(),
        cubic in any::<bool>(),
    ) {
        let filter = if cubic { Filter::Bicubic } else { Filter::Bilinear };
        let image = Rgb { width: sides.0, height: sides.1, pixels: colour.repeat(sides.0 * sides.1) };
        let fast = resize(&image, sides.2, sides.3, filter);
        prop_assert_eq!(fast.pixels, colour.repeat(sides.2 * sides.3));
    }
}

#[test]
fn sides_of_zero_and_pixels_that_are_missing_do_no_harm() {
    let empty = Rgb { width: 0, height: 5, pixels: Vec::new() };
    assert_eq!(resize(&empty, 2, 2, Filter::Bicubic).pixels, [0; 12]);
    let short = Rgb { width: 9, height: 9, pixels: vec![7; 50] };
    assert_eq!(resize(&short, 4, 3, Filter::Bicubic).pixels.len(), 36);
    assert_eq!(resize(&short, 0, 3, Filter::Bilinear).pixels.len(), 0);
}
