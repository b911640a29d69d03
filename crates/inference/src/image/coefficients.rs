//! The weights of a resize along one side, as Pillow computes them (`precompute_coeffs` and
//! `normalize_coeffs_8bpc` of its Resample.c): in doubles, then rounded to fixed point.

use super::Filter;
use std::ops::Range;

/// Bits behind the point: 32 less 8 for a sample and 2 for sums beyond it.
pub const PRECISION: u32 = 32 - 8 - 2;

/// Weights that are held at a time: pictures can be millions of samples long and one high. Few in
/// tests, whose pictures are small.
const MAX_WEIGHTS: usize = if cfg!(test) { 1 << 9 } else { 1 << 20 };

/// Output samples in stretches whose weights are few enough to be held together.
pub fn stretches(input: usize, output: usize, filter: Filter) -> Vec<Range<usize>> {
    let together = (MAX_WEIGHTS / taps(input, output, filter)).max(1);
    let starts = (0..output).step_by(together);
    starts.map(|from| from..(from + together).min(output)).collect()
}

/// How many input samples an output sample can have.
pub fn taps(input: usize, output: usize, filter: Filter) -> usize {
    let stretch = (input as f64 / output as f64).max(1.0);
    (filter.support() * stretch).ceil() as usize * 2 + 1
}

/// Where output samples come from: `taps` weights for each, the first for the sample `first`.
pub struct Coefficients {
    /// Weights of each output sample; the ones behind its last are zero.
    pub taps: usize,
    /// The first input sample of each output sample.
    pub first: Vec<usize>,
    /// How many input samples each output sample has.
    pub count: Vec<usize>,
    /// `first.len()` × `taps` fixed-point weights.
    pub weights: Vec<i32>,
}

impl Coefficients {
    /// Weights of the output samples in `range`, from `input` samples to `output` samples; both are at
    /// least one.
    pub fn new(input: usize, output: usize, range: Range<usize>, filter: Filter) -> Self {
        let scale = input as f64 / output as f64;
        // Shrinking widens the filter: antialiasing.
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let taps = taps(input, output, filter);
        let mut found = Self {
            taps,
            first: Vec::with_capacity(range.len()),
            count: Vec::with_capacity(range.len()),
            weights: vec![0; range.len() * taps],
        };
        let mut exact = vec![0.0; taps];
        for (n, weights) in range.zip(found.weights.chunks_exact_mut(taps)) {
            let center = (n as f64 + 0.5) * scale;
            // The cast of a double cuts and stops at zero, as Pillow's does.
            let first = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(input);
            let count = end.saturating_sub(first).min(taps);
            let mut sum = 0.0;
            for (x, weight) in exact.iter_mut().take(count).enumerate() {
                *weight = filter.weight(((x + first) as f64 - center + 0.5) * (1.0 / stretch));
                sum += *weight;
            }
            for (fixed, &weight) in weights.iter_mut().zip(exact.iter().take(count)) {
                *fixed = to_fixed(if sum == 0.0 { weight } else { weight / sum });
            }
            found.first.push(first);
            found.count.push(count);
        }
        found
    }
}

/// Rounds half away from zero.
fn to_fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << PRECISION);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

impl Filter {
    /// Half the width of the filter, in input samples where nothing shrinks.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// The filter at a distance; bicubic is Keys' with a = −0.5 (IEEE ASSP 29, 1981).
    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}
