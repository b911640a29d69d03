//! How an engine process fares: what `engine_status()` and the view `itembank_engine` show.

use serde::{Deserialize, Serialize};

/// The engine as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Its process.
    pub pid: u32,
    /// Seconds since it was started.
    pub uptime: f64,
    /// Seconds since statistics were last set to zero.
    pub since_reset: f64,
    /// Connected sessions.
    pub connections: usize,
    /// Bytes of memory of its own, without mapped files (`RssAnon`).
    pub memory: u64,
    /// Of all models' rows, from arrival to the start of the run.
    pub queue: Quantiles,
    /// Of all models' runs.
    pub run: Quantiles,
    /// Every model that was asked for since statistics were last set to zero, by name.
    pub models: Vec<ModelStatistics>,
}

/// One loaded model, or one that was loaded before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelStatistics {
    /// Name of its directory.
    pub name: String,
    /// Where it runs; `None` where it is not loaded.
    pub device: Option<String>,
    /// Whether it is held in memory.
    pub loaded: bool,
    /// Bytes of its files.
    pub bytes: u64,
    /// Seconds that its last load took.
    pub load_seconds: Option<f64>,
    /// Seconds since it was last used.
    pub idle_seconds: Option<f64>,
    /// Rows that wait now.
    pub queued: usize,
    /// Requests answered with a result.
    pub requests: u64,
    /// Rows answered with a result.
    pub items: u64,
    /// Runs.
    pub batches: u64,
    /// Rows of the largest run.
    pub largest_batch: u64,
    /// Tokens of all rows that ran, without padding.
    pub tokens: u64,
    /// Tokens of all runs, padding included.
    pub padded_tokens: u64,
    /// From a row's arrival to the start of its run.
    pub queue: Quantiles,
    /// Of one run.
    pub run: Quantiles,
    /// Requests that failed, by SQLSTATE class.
    pub failures: Vec<(String, u64)>,
    /// Requests whose caller went away or cancelled.
    pub canceled: u64,
    /// Runs that failed and were tried again in halves.
    pub bisected: u64,
    /// Measured cost of a run without its tokens, in seconds.
    pub fixed_cost: Option<f64>,
    /// Measured cost of a token, in seconds.
    pub token_cost: Option<f64>,
}

/// Of a distribution of durations, in seconds; `None` where there is nothing yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half took no longer.
    pub p50: Option<f64>,
    /// 95 of 100 took no longer.
    pub p95: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99: Option<f64>,
}
