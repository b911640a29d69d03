//! What a run costs: a fixed sum and a sum for each token.

use std::collections::BTreeMap;

/// Cost of a run of n padded tokens, in seconds: `fixed + n × token`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Of a run, however short; not negative.
    pub fixed: f64,
    /// Of a padded token; positive.
    pub token: f64,
}

impl Default for Costs {
    /// Of a small encoder on two cores: the fixed sum is worth 20 tokens of 0.25 ms.
    fn default() -> Self {
        Self { fixed: 0.005, token: 0.000_25 }
    }
}

impl Costs {
    /// The fixed sum in tokens.
    pub fn fixed_tokens(&self) -> f64 {
        self.fixed / self.token
    }

    /// Seconds of a run of so many padded tokens.
    pub fn seconds(&self, padded_tokens: usize) -> f64 {
        self.fixed + self.token * padded_tokens as f64
    }
}

/// A run that took so many times as long as the others let expect was disturbed.
const DISTURBED: f64 = 1.5;

/// Costs from timed runs, (padded tokens, seconds) each; `None` where they do not tell.
///
/// Of runs of one length the shortest counts, for nothing makes a run faster than it is; through those goes
/// the straight line of least squares. Of four lengths or more, one that was disturbed does not count: fewer
/// would not tell which one it was.
pub fn fit(runs: &[(usize, f64)]) -> Option<Costs> {
    let mut shortest: BTreeMap<usize, f64> = BTreeMap::new();
    for (tokens, seconds) in runs.iter().filter(|(_, seconds)| seconds.is_finite()) {
        let known = shortest.entry(*tokens).or_insert(*seconds);
        *known = known.min(*seconds);
    }
    let mut points: Vec<Point> = shortest.into_iter().map(|(n, took)| (n as f64, took)).collect();
    if let Some(number) = disturbed(&points) {
        points.remove(number);
    }
    let (fixed, token) = line(&points)?;
    (token > 0.0).then_some(Costs { fixed: fixed.max(0.0), token })
}

/// Padded tokens, seconds.
type Point = (f64, f64);

/// The line of least squares: seconds at no tokens, seconds a token.
fn line(points: &[Point]) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    let mean_tokens = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_seconds = points.iter().map(|point| point.1).sum::<f64>() / count;
    let (mut together, mut spread) = (0.0, 0.0);
    for (tokens, seconds) in points {
        let off = tokens - mean_tokens;
        together += off * (seconds - mean_seconds);
        spread += off * off;
    }
    let token = together / spread;
    let fixed = mean_seconds - token * mean_tokens;
    (points.len() > 1 && token.is_finite() && fixed.is_finite()).then_some((fixed, token))
}

/// The point without which the others lie best on a line, where it is far above that line.
fn disturbed(points: &[Point]) -> Option<usize> {
    if points.len() < 4 {
        return None;
    }
    let without = |number: usize| {
        let mut others = points.to_vec();
        let (tokens, seconds) = others.remove(number);
        let (fixed, token) = line(&others)?;
        let off = |(tokens, seconds): &Point| (seconds - fixed - token * tokens).powi(2);
        let far = seconds > DISTURBED * (fixed + token * tokens);
        Some((number, others.iter().map(off).sum::<f64>(), far && token > 0.0))
    };
    let best =
        (0..points.len()).filter_map(without).min_by(|one, other| one.1.total_cmp(&other.1))?;
    best.2.then_some(best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<Costs>, fixed: f64, token: f64) {
        let found = found.unwrap();
        assert!((found.fixed - fixed).abs() < 1e-9 && (found.token - token).abs() < 1e-12);
    }

    #[test]
    fn a_line_is_found_and_outliers_of_a_length_do_not_count() {
        let line = |n: usize| 0.004 + 0.000_2 * n as f64;
        close(fit(&[(16, line(16)), (128, line(128))]), 0.004, 0.000_2);
        close(fit(&[(16, line(16)), (16, 1.0), (64, line(64)), (128, line(128))]), 0.004, 0.000_2);
    }

    #[test]
    fn one_disturbed_run_does_not_count_wherever_it_is() {
        let lengths = [8, 64, 128, 256];
        for disturbed in lengths {
            let took = |n: usize| {
                let usual = 0.004 + 0.000_2 * n as f64;
                (n, if n == disturbed { 4.0 * usual } else { usual })
            };
            close(fit(&lengths.map(took)), 0.004, 0.000_2);
        }
    }

    #[test]
    fn small_differences_are_kept() {
        let runs = [(8, 0.0058), (64, 0.0168), (128, 0.0302), (256, 0.0549)];
        let all: Vec<_> = runs.iter().map(|(tokens, took)| (*tokens as f64, *took)).collect();
        assert_eq!(disturbed(&all), None);
    }

    #[test]
    fn what_tells_nothing_gives_nothing() {
        assert_eq!(fit(&[]), None);
        assert_eq!(fit(&[(16, 0.1), (16, 0.2)]), None);
        assert_eq!(fit(&[(16, 0.2), (128, 0.1)]), None, "the longer run was faster");
        assert_eq!(fit(&[(16, f64::NAN), (128, 0.1)]), None);
    }

    #[test]
    fn the_fixed_sum_is_never_negative() {
        assert_eq!(fit(&[(10, 0.001), (20, 0.1)]).unwrap().fixed, 0.0);
    }
}
