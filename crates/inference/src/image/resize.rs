//! Pillow 13's resize of 8-bit pictures, to the bit: along the rows and along the columns, with 8 bits
//! between.
//!
//! The loops are plain Rust over arrays of a fixed size, which the compiler turns into vector code;
//! [`pulp`] runs them compiled for AVX2 where the processor has it.

use super::Rgb;
use super::coefficients::{Coefficients, PRECISION, stretches, taps};
use pulp::Arch;
use std::borrow::Cow;
use std::ops::Range;

/// How samples are weighed; shrinking widens both, which is antialiasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// A triangle over two samples.
    Bilinear,
    /// A cubic over four samples.
    Bicubic,
}

/// The picture in another size: `Image.resize((width, height), filter)`.
pub fn resize(image: &Rgb, width: usize, height: usize, filter: Filter) -> Rgb {
    let empty = |n: usize| n == 0;
    if [image.width, image.height, width, height].into_iter().any(empty) {
        return Rgb { width, height, pixels: vec![0; width * height * 3] };
    }
    Arch::new().dispatch(Resize { image, width, height, filter })
}

struct Resize<'a> {
    image: &'a Rgb,
    width: usize,
    height: usize,
    filter: Filter,
}

impl pulp::NullaryFnOnce for Resize<'_> {
    type Output = Rgb;

    #[inline(always)]
    fn call(self) -> Rgb {
        let Self { image, width, height, filter } = self;
        let rows_first = !columns_first(image, width, height);
        let mut found = Cow::Borrowed(image);
        for rows in [rows_first, !rows_first] {
            if rows && found.width != width {
                found = Cow::Owned(along_rows(&found, width, filter));
            } else if !rows && found.height != height {
                found = Cow::Owned(along_columns(&found, height, filter));
            }
        }
        found.into_owned()
    }
}

/// Pillow 13 begins with the columns where they shrink by more than twice what the rows shrink by, in
/// pixels; earlier versions never did. The order shows in the result, for there are 8 bits between.
fn columns_first(image: &Rgb, width: usize, height: usize) -> bool {
    let shrinks = |from: usize, to: usize| from as i128 - to as i128;
    let columns = shrinks(image.height, height);
    columns > 0 && columns > 2 * shrinks(image.width, width)
}

/// Samples a step of [`along_rows`] reads: five pixels, and one sample whose weight is zero.
const LANES: usize = 16;
const LANE_PIXELS: usize = 5;
/// Rows that share a load of weights.
const ROWS: usize = 4;

/// Weights laid out for [`LANES`]: each stands three times, for red, green and blue.
struct Lanes {
    steps: usize,
    /// Of the first sample, in bytes of a row.
    first: Vec<usize>,
    weights: Vec<[i32; LANES]>,
}

impl Lanes {
    fn new(coefficients: &Coefficients) -> Self {
        let widest = coefficients.count.iter().copied().max().unwrap_or(1);
        let steps = widest.div_ceil(LANE_PIXELS);
        let mut weights = vec![[0; LANES]; steps * coefficients.first.len()];
        let of_outputs = weights.chunks_exact_mut(steps);
        for (lanes, taps) in of_outputs.zip(coefficients.weights.chunks_exact(coefficients.taps)) {
            for (lanes, taps) in lanes.iter_mut().zip(taps.chunks(LANE_PIXELS)) {
                for (n, &weight) in taps.iter().enumerate() {
                    lanes[3 * n..3 * n + 3].fill(weight);
                }
            }
        }
        Self { steps, first: coefficients.first.iter().map(|first| first * 3).collect(), weights }
    }
}

/// Resizes each row.
#[inline(always)]
fn along_rows(image: &Rgb, width: usize, filter: Filter) -> Rgb {
    let stretches = stretches(image.width, width, filter);
    if stretches.len() > 1 {
        return along_long_rows(image, width, filter, &stretches);
    }
    let lanes = Lanes::new(&Coefficients::new(image.width, width, 0..width, filter));
    let to = width * 3;
    let (mut copies, padded) = room(image, width, filter);
    let mut out = vec![0; to * image.height];
    for (rows, out) in image.pixels.chunks(image.width * 3 * ROWS).zip(out.chunks_mut(to * ROWS)) {
        copy(rows, image.width * 3, &mut copies, padded);
        weigh_rows(&copies, padded, 0, &lanes, out, to);
    }
    Rgb { width, height: image.height, pixels: out }
}

/// As [`along_rows`], for rows so long that their weights are computed in stretches, anew for each
/// few rows: such pictures have not many.
#[inline(never)]
fn along_long_rows(image: &Rgb, width: usize, filter: Filter, stretches: &[Range<usize>]) -> Rgb {
    let to = width * 3;
    let (mut copies, padded) = room(image, width, filter);
    let mut out = vec![0; to * image.height];
    for (rows, out) in image.pixels.chunks(image.width * 3 * ROWS).zip(out.chunks_mut(to * ROWS)) {
        copy(rows, image.width * 3, &mut copies, padded);
        for outputs in stretches {
            let at = outputs.start;
            let lanes = Lanes::new(&Coefficients::new(image.width, width, outputs.clone(), filter));
            weigh_rows(&copies, padded, at, &lanes, out, to);
        }
    }
    Rgb { width, height: image.height, pixels: out }
}

/// Room for [`ROWS`] rows, and the length of one: weights of zero may reach beyond a row, which is
/// therefore copied to where they can read.
fn room(image: &Rgb, width: usize, filter: Filter) -> (Vec<u8>, usize) {
    let reach = taps(image.width, width, filter).next_multiple_of(LANE_PIXELS) * 3 + LANES;
    let padded = image.width * 3 + reach;
    (vec![0; padded * ROWS], padded)
}

fn copy(rows: &[u8], stride: usize, copies: &mut [u8], padded: usize) {
    for (copy, row) in copies.chunks_exact_mut(padded).zip(rows.chunks_exact(stride)) {
        copy[..stride].copy_from_slice(row);
    }
}

/// The pixels of [`ROWS`] rows that `lanes` has the weights of; `at` is the first of them.
#[inline(always)]
fn weigh_rows(
    copies: &[u8],
    padded: usize,
    at: usize,
    lanes: &Lanes,
    out: &mut [u8],
    stride: usize,
) {
    let mut results = [[0u8; 3]; ROWS];
    for (x, (&first, weights)) in
        lanes.first.iter().zip(lanes.weights.chunks_exact(lanes.steps)).enumerate()
    {
        weigh(copies, padded, first, weights, &mut results);
        let place = 3 * (at + x)..3 * (at + x) + 3;
        for (row, result) in out.chunks_exact_mut(stride).zip(&results) {
            row[place.clone()].copy_from_slice(result);
        }
    }
}

/// One pixel of [`ROWS`] rows.
#[inline(always)]
fn weigh(
    copies: &[u8],
    padded: usize,
    first: usize,
    weights: &[[i32; LANES]],
    results: &mut [[u8; 3]; ROWS],
) {
    let mut sums = [[0i32; LANES]; ROWS];
    for (step, weights) in weights.iter().enumerate() {
        let at = first + step * LANE_PIXELS * 3;
        for (row, sums) in sums.iter_mut().enumerate() {
            let samples = copies.get(row * padded + at..).and_then(|rest| rest.first_chunk());
            let samples: &[u8; LANES] = samples.unwrap_or(&[0; LANES]);
            for lane in 0..LANES {
                let product = i32::from(samples[lane]).wrapping_mul(weights[lane]);
                sums[lane] = sums[lane].wrapping_add(product);
            }
        }
    }
    for (result, s) in results.iter_mut().zip(&sums) {
        for (n, sample) in result.iter_mut().enumerate() {
            *sample = to_sample(s[n] + s[n + 3] + s[n + 6] + s[n + 9] + s[n + 12]);
        }
    }
}

/// Samples of a row that a step of [`along_columns`] sums up.
const BLOCK: usize = 64;

/// Resizes each column.
#[inline(always)]
fn along_columns(image: &Rgb, height: usize, filter: Filter) -> Rgb {
    let stride = image.width * 3;
    let mut out = vec![0; stride * height];
    for outputs in stretches(image.height, height, filter) {
        let rows = &mut out[outputs.start * stride..outputs.end * stride];
        let coefficients = Coefficients::new(image.height, height, outputs, filter);
        along_columns_at(image, &coefficients, rows);
    }
    Rgb { width: image.width, height, pixels: out }
}

/// The output rows that there are weights of.
#[inline(always)]
fn along_columns_at(image: &Rgb, coefficients: &Coefficients, out: &mut [u8]) {
    let stride = image.width * 3;
    for (y, out) in out.chunks_exact_mut(stride).enumerate() {
        let (first, count) = (coefficients.first[y], coefficients.count[y]);
        let weights = &coefficients.weights[y * coefficients.taps..][..count];
        let source = image.pixels.get(first * stride..).unwrap_or_default();
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        for (n, block) in blocks.iter_mut().enumerate() {
            *block = weigh_columns(source, stride, n * BLOCK, weights);
        }
        let at = stride - rest.len();
        for (x, sample) in rest.iter_mut().enumerate() {
            let column = source.iter().skip(at + x).step_by(stride);
            let products =
                column.zip(weights).map(|(&sample, &w)| i32::from(sample).wrapping_mul(w));
            *sample = to_sample(products.fold(0, i32::wrapping_add));
        }
    }
}

/// A block of samples of one output row.
#[inline(always)]
fn weigh_columns(source: &[u8], stride: usize, at: usize, weights: &[i32]) -> [u8; BLOCK] {
    let mut sums = [0i32; BLOCK];
    for (row, &weight) in weights.iter().enumerate() {
        let samples = source.get(row * stride + at..).and_then(|rest| rest.first_chunk());
        let samples: &[u8; BLOCK] = samples.unwrap_or(&[0; BLOCK]);
        for lane in 0..BLOCK {
            sums[lane] = sums[lane].wrapping_add(i32::from(samples[lane]).wrapping_mul(weight));
        }
    }
    let mut out = [0; BLOCK];
    for lane in 0..BLOCK {
        out[lane] = to_sample(sums[lane]);
    }
    out
}

/// Rounds a fixed-point sum, and keeps it a sample.
#[inline(always)]
fn to_sample(sum: i32) -> u8 {
    (sum.wrapping_add(1 << (PRECISION - 1)) >> PRECISION).clamp(0, 255) as u8
}
