//! Percentile bootstrap and randomisation test over per-query differences.

use super::{CompareError, Resampling};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// The 95 % percentile bootstrap interval of the mean of `differences` (Efron 1979).
///
/// Each resample draws as many differences with replacement; percentiles are interpolated
/// linearly between order statistics, as numpy and scipy do. See [`compare`](super::compare) for
/// `go_on`.
pub fn bootstrap_interval(
    differences: &[f64],
    resampling: Resampling,
    mut go_on: impl FnMut() -> bool,
) -> Result<(f64, f64), CompareError> {
    check(differences, resampling)?;
    let mut random = generator(resampling.seed, Test::Bootstrap);
    let mut means = Vec::new();
    for _ in 0..resampling.samples {
        if !go_on() {
            return Err(CompareError::Interrupted);
        }
        let drawn = differences.iter().map(|_| differences[below(&mut random, differences.len())]);
        means.push(drawn.sum::<f64>() / differences.len() as f64);
    }
    means.sort_unstable_by(f64::total_cmp);
    Ok((percentile(&means, 0.025), percentile(&means, 0.975)))
}

/// The two-sided p-value of a paired randomisation test: how often the mean of `differences`
/// with random signs is as far from 0 as theirs (Smucker, Allan & Carterette 2007).
///
/// Where the signs of the differences that are not 0 can be set in at most `samples` ways, all
/// are tried and p is exact; else p = (count + 1) / (samples + 1) over random ones.
pub fn randomisation_p(
    differences: &[f64],
    resampling: Resampling,
    mut go_on: impl FnMut() -> bool,
) -> Result<f64, CompareError> {
    check(differences, resampling)?;
    let nonzero: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    // Sums that are equal but for rounding must count as equal.
    let scale: f64 = nonzero.iter().map(|d| d.abs()).sum();
    let observed = nonzero.iter().sum::<f64>().abs() - 1e-12 * scale;
    let ways = u32::try_from(nonzero.len()).ok().and_then(|n| 1u32.checked_shl(n));
    if let Some(ways) = ways.filter(|ways| *ways <= resampling.samples) {
        let extreme = count(ways, &mut go_on, |way| signed(&nonzero, || way.into()) >= observed)?;
        return Ok(f64::from(extreme) / f64::from(ways));
    }
    let mut random = generator(resampling.seed, Test::Randomisation);
    let samples = resampling.samples;
    let extreme =
        count(samples, &mut go_on, |_| signed(&nonzero, || random.next_u64()) >= observed)?;
    Ok((f64::from(extreme) + 1.0) / (f64::from(samples) + 1.0))
}

fn check(differences: &[f64], resampling: Resampling) -> Result<(), CompareError> {
    match (differences, resampling.samples) {
        ([], _) => Err(CompareError::NoQueries),
        (_, 1..=Resampling::MAX_SAMPLES) => Ok(()),
        (_, samples) => Err(CompareError::Samples { samples }),
    }
}

/// How many of the numbers below `times` are `extreme`.
fn count(
    times: u32,
    go_on: &mut impl FnMut() -> bool,
    mut extreme: impl FnMut(u32) -> bool,
) -> Result<u32, CompareError> {
    let mut count = 0;
    for time in 0..times {
        if !go_on() {
            return Err(CompareError::Interrupted);
        }
        count += u32::from(extreme(time));
    }
    Ok(count)
}

/// |Σ ± difference|, with 64 signs out of each number that `bits` gives.
fn signed(differences: &[f64], mut bits: impl FnMut() -> u64) -> f64 {
    let mut sum = 0.0;
    for chunk in differences.chunks(64) {
        let mut bits = bits();
        for difference in chunk {
            sum += if bits & 1 == 0 { *difference } else { -difference };
            bits >>= 1;
        }
    }
    sum.abs()
}

/// The tests draw from streams of their own, so that neither shifts the other.
#[derive(Clone, Copy)]
enum Test {
    Bootstrap,
    Randomisation,
}

fn generator(seed: u64, test: Test) -> Pcg64 {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[16] = test as u8;
    Pcg64::from_seed(bytes)
}

/// A random index below `length`, by multiplication: its bias, length / 2^64, cannot be seen.
fn below(random: &mut Pcg64, length: usize) -> usize {
    ((u128::from(random.next_u64()) * length as u128) >> 64) as usize
}

/// `sorted` must hold a value at least.
fn percentile(sorted: &[f64], fraction: f64) -> f64 {
    let position = fraction * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    low + (high - low) * position.fract()
}
