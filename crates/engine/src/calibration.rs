//! Finds out what a run of a model costs, by timing a few runs of made-up rows while nobody waits.
//!
//! Nothing here decides when: the runner does.

use crate::runs::Runs;
use batching::Costs;
use inference::Cancel;
use protocol::Options;
use std::time::{Duration, Instant};

/// All runs together take no longer, but for the one that is under way then.
const BUDGET: Duration = Duration::from_millis(250);
/// Rows and tokens of each: enough spread to tell the fixed cost from that of a token. The first warms up, and
/// the two behind it are enough where there is no time for more.
const RUNS: [(usize, usize); 5] = [(1, 8), (1, 8), (1, 64), (8, 16), (4, 64)];
const ROUNDS: usize = 3;
/// Real runs that are looked at where made-up ones tell nothing.
const SAMPLES: usize = 24;

/// Fixed costs in tokens that were seen on quiet machines, and somewhat more: what is measured beside other work
/// may be far off, and too much would be paid for in padding.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 4.0..=64.0;

/// What is known of a model's costs so far.
#[derive(Debug, Default)]
pub struct Calibration {
    measured: Option<Costs>,
    /// Made-up runs were tried: what they cannot tell, real ones have to.
    tried: bool,
    samples: Vec<(usize, f64)>,
}

impl Calibration {
    /// What scheduling counts with.
    pub fn costs(&self, fixed_tokens: Option<f64>) -> Costs {
        let costs = self.measured.unwrap_or_default();
        match fixed_tokens {
            Some(tokens) => Costs { fixed: tokens * costs.token, ..costs },
            None => costs,
        }
    }

    /// Whether made-up runs could still tell something.
    pub fn is_due(&self) -> bool {
        self.measured.is_none() && !self.tried
    }

    /// Takes what made-up runs told; what was broken off may be tried again.
    pub fn tried(&mut self, outcome: Outcome) -> Option<Costs> {
        self.tried = !matches!(outcome, Outcome::BrokenOff);
        if let Outcome::Measured(costs) = outcome {
            self.measured = Some(plausible(costs));
            self.samples = Vec::new();
        }
        self.measured
    }

    /// Takes a real run, where that is needed; the costs, where it was the last that was needed.
    pub fn observe(&mut self, padded_tokens: usize, took: Duration) -> Option<Costs> {
        if self.measured.is_some() {
            return None;
        }
        self.samples.push((padded_tokens, took.as_secs_f64()));
        if self.samples.len() < SAMPLES {
            return None;
        }
        self.measured = batching::fit(&self.samples).map(plausible);
        self.samples = Vec::new();
        self.measured
    }
}

fn plausible(costs: Costs) -> Costs {
    let tokens = costs.fixed_tokens().clamp(*PLAUSIBLE.start(), *PLAUSIBLE.end());
    Costs { fixed: tokens * costs.token, ..costs }
}

/// What came of made-up runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The costs.
    Measured(Costs),
    /// The model takes no text, is too slow, or its runs tell nothing.
    Nothing,
    /// Somebody came.
    BrokenOff,
}

/// Times a few runs; `cancel` breaks it off.
pub fn measure<M: Runs>(model: &M, options: &Options, cancel: &Cancel) -> Outcome {
    match timed(model, options, cancel) {
        _ if cancel.check().is_err() => Outcome::BrokenOff,
        Some(runs) => batching::fit(&runs).map_or(Outcome::Nothing, Outcome::Measured),
        None => Outcome::Nothing,
    }
}

/// Padded tokens and seconds of the runs for which there was time; `None` where one fails.
fn timed<M: Runs>(model: &M, options: &Options, cancel: &Cancel) -> Option<Vec<(usize, f64)>> {
    let began = Instant::now();
    let mut runs = Vec::new();
    let most = model.batch_tokens(options);
    for round in 0..ROUNDS {
        for (number, (rows, tokens)) in RUNS.into_iter().enumerate() {
            if began.elapsed() > BUDGET {
                return Some(runs);
            }
            if rows > 1 && (model.one_by_one() || rows * tokens > most) {
                continue;
            }
            let row = model.probe(tokens, options, cancel).ok()??;
            let padded = rows * M::shape(&row).0;
            let start = Instant::now();
            model.run(&vec![&row; rows], options, cancel).ok()?;
            if (round, number) != (0, 0) {
                runs.push((padded, start.elapsed().as_secs_f64()));
            }
        }
    }
    Some(runs)
}
