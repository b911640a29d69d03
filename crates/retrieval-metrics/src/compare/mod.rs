//! Whether two runs differ: a paired comparison of their values on the same queries.
//!
//! Randomness is a seed's alone: the same seed gives the same answer on every platform, and a
//! metric's answer does not depend on which other metrics are compared (but for Holm's p).

mod holm;
mod resampling;

pub use holm::holm;
pub use resampling::{bootstrap_interval, randomisation_p};

use crate::{Evaluation, Metric};

/// How often to resample, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// Resamples of each test, 1 to [`Resampling::MAX_SAMPLES`]. Time grows with
    /// samples × queries, memory by 8 bytes a sample.
    pub samples: u32,
    /// Any number.
    pub seed: u64,
}

impl Resampling {
    /// More would not tell more.
    pub const MAX_SAMPLES: u32 = 10_000_000;
}

impl Default for Resampling {
    fn default() -> Self {
        Self { samples: 10_000, seed: 42 }
    }
}

/// Run B against run A under one metric. All values are means over the same queries.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub metric: Metric,
    /// Mean of run A.
    pub a: f64,
    /// Mean of run B.
    pub b: f64,
    /// `b − a`: positive where B is better.
    pub delta: f64,
    /// 2.5th percentile of the resampled differences.
    pub ci_low: f64,
    /// 97.5th percentile.
    pub ci_high: f64,
    /// Two-sided paired randomisation test of no difference.
    pub p_value: f64,
    /// The p-value adjusted over the metrics compared (Holm 1979).
    pub p_adjusted: f64,
    /// Queries on which B is higher.
    pub better: usize,
    /// Queries on which A is higher.
    pub worse: usize,
    /// Queries on which both have the same value.
    pub tied: usize,
}

/// Evaluations that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// There is nothing to compare.
    #[error("no query is judged")]
    NoQueries,
    /// A query has values in one evaluation alone; evaluate both with [`Missing::Zero`](crate::Missing::Zero).
    #[error("query {query:?} is evaluated in one run alone: count missing queries as 0")]
    DifferentQueries {
        /// The first such query.
        query: String,
    },
    /// The metrics are not the same, in the same order.
    #[error("the two runs were evaluated by different metrics")]
    DifferentMetrics,
    /// No resamples were asked for, or too many.
    #[error("samples must be from 1 to {most}, not {samples}", most = Resampling::MAX_SAMPLES)]
    Samples {
        /// As they were asked for.
        samples: u32,
    },
    /// `go_on` said no.
    #[error("the comparison was interrupted")]
    Interrupted,
}

/// Compares two evaluations of the same queries, a comparison a metric.
///
/// `go_on` is asked before each resample; the comparison ends with
/// [`CompareError::Interrupted`] once it answers `false`.
pub fn compare(
    a: &Evaluation<'_>,
    b: &Evaluation<'_>,
    resampling: Resampling,
    mut go_on: impl FnMut() -> bool,
) -> Result<Vec<Comparison>, CompareError> {
    comparable(a, b)?;
    let mut comparisons = Vec::with_capacity(a.metrics.len());
    for (index, metric) in a.metrics.iter().enumerate() {
        let values: Vec<(f64, f64)> = a.values(index).zip(b.values(index)).collect();
        comparisons.push(paired(*metric, &values, resampling, &mut go_on)?);
    }
    let p_values: Vec<f64> = comparisons.iter().map(|comparison| comparison.p_value).collect();
    for (comparison, adjusted) in comparisons.iter_mut().zip(holm(&p_values)) {
        comparison.p_adjusted = adjusted;
    }
    Ok(comparisons)
}

fn comparable(a: &Evaluation<'_>, b: &Evaluation<'_>) -> Result<(), CompareError> {
    if a.metrics != b.metrics {
        return Err(CompareError::DifferentMetrics);
    }
    let (ids_a, ids_b) = (a.queries.iter().map(|q| q.query), b.queries.iter().map(|q| q.query));
    let length = a.queries.len().min(b.queries.len());
    let different = ids_a.clone().zip(ids_b.clone()).find(|(a, b)| a != b);
    let first = different
        .map(|(a, b)| a.min(b))
        .or_else(|| ids_a.skip(length).chain(ids_b.skip(length)).next());
    match first {
        Some(query) => Err(CompareError::DifferentQueries { query: query.to_owned() }),
        None if length == 0 => Err(CompareError::NoQueries),
        None => Ok(()),
    }
}

fn paired(
    metric: Metric,
    values: &[(f64, f64)],
    resampling: Resampling,
    go_on: &mut impl FnMut() -> bool,
) -> Result<Comparison, CompareError> {
    let differences: Vec<f64> = values.iter().map(|(a, b)| b - a).collect();
    let mean = |sum: f64| sum / values.len() as f64;
    let a = mean(values.iter().fold(0.0, |sum, (a, _)| sum + a));
    let b = mean(values.iter().fold(0.0, |sum, (_, b)| sum + b));
    let (ci_low, ci_high) = bootstrap_interval(&differences, resampling, &mut *go_on)?;
    let p_value = randomisation_p(&differences, resampling, go_on)?;
    let better = differences.iter().filter(|d| **d > 0.0).count();
    let worse = differences.iter().filter(|d| **d < 0.0).count();
    let tied = values.len() - better - worse;
    let delta = b - a;
    let p_adjusted = p_value;
    Ok(Comparison {
        metric,
        a,
        b,
        delta,
        ci_low,
        ci_high,
        p_value,
        p_adjusted,
        better,
        worse,
        tied,
    })
}
