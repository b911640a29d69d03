//! A distribution of durations, in buckets that grow with what they hold.
//!
//! Every bucket is 3 % wider than the one before, so that a quantile is right to about 1.5 %, from a
//! microsecond to hours, in a few kilobytes and without a sample being kept.

use protocol::Quantiles;
use std::time::Duration;

/// Buckets in which a duration doubles.
const PER_OCTAVE: f64 = 24.0;
/// Doublings from the smallest duration on: 1 µs to about 4.7 hours.
const OCTAVES: usize = 34;
const BUCKETS: usize = OCTAVES * PER_OCTAVE as usize;
const SMALLEST: f64 = 1e-6;

/// Durations, counted.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// Empty until the first duration.
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, duration: Duration) {
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        if let Some(count) = self.counts.get_mut(bucket(duration.as_secs_f64())) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Counts all of another one too.
    pub fn add(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            let both = self.counts.iter_mut().zip(&other.counts);
            both.for_each(|(count, more)| *count += more);
        }
        self.total += other.total;
    }

    /// The quantiles that are shown.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles { p50: self.quantile(0.5), p95: self.quantile(0.95), p99: self.quantile(0.99) }
    }

    /// In seconds: so large a share took no longer (nearest rank); `None` where nothing was counted.
    fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(middle(bucket));
            }
        }
        None
    }
}

fn bucket(seconds: f64) -> usize {
    let octaves = (seconds.max(SMALLEST) / SMALLEST).log2();
    ((octaves * PER_OCTAVE) as usize).min(BUCKETS - 1)
}

/// The geometric middle of a bucket, in seconds.
fn middle(bucket: usize) -> f64 {
    SMALLEST * ((bucket as f64 + 0.5) / PER_OCTAVE).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found / wanted - 1.0).abs() < 0.016)
    }

    #[test]
    fn quantiles_are_right_to_half_a_bucket() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantiles(), Quantiles::default());
        for millisecond in 1..=1000 {
            histogram.record(Duration::from_millis(millisecond));
        }
        let Quantiles { p50, p95, p99 } = histogram.quantiles();
        assert!(close(p50, 0.5) && close(p95, 0.95) && close(p99, 0.99), "{p50:?} {p95:?} {p99:?}");
    }

    #[test]
    fn one_duration_is_every_quantile() {
        for seconds in [2e-6, 0.0024, 1.34, 3600.0] {
            let mut histogram = Histogram::default();
            histogram.record(Duration::from_secs_f64(seconds));
            let Quantiles { p50, p99, .. } = histogram.quantiles();
            assert!(close(p50, seconds) && close(p99, seconds), "{seconds}: {p50:?}");
        }
    }

    #[test]
    fn two_are_counted_as_one() {
        let (mut all, mut slow) = (Histogram::default(), Histogram::default());
        all.record(Duration::from_millis(1));
        slow.record(Duration::from_secs(1));
        for other in [&Histogram::default(), &slow, &slow] {
            all.add(other);
        }
        let mut of_nothing = Histogram::default();
        of_nothing.add(&all);
        assert!(close(of_nothing.quantile(0.3), 0.001) && close(of_nothing.quantile(0.5), 1.0));
    }

    #[test]
    fn the_ends_of_the_scale_take_what_lies_beyond() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::ZERO);
        assert!(histogram.quantile(0.5).is_some_and(|least| least < 1.1e-6));
        histogram.record(Duration::from_secs(1 << 30));
        assert!(histogram.quantile(1.0).is_some_and(|most| most > 10_000.0));
    }
}
