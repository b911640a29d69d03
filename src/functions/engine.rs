//! The engine for people and for monitoring: `engine_status`, `engine_models`, `engine_summary`,
//! `engine_reset_statistics`. None of them shows where files are.

use crate::engine;
use crate::postgres::error::raise;
use crate::postgres::text::Text;
use pgrx::datum::JsonB;
use pgrx::prelude::*;
use protocol::{EngineStatus, ModelStatistics};

/// One row, whatever state the engine is in; where it does not answer, what only it knows is NULL.
///
/// Times in milliseconds and counts are those since statistics were last set to zero.
#[pg_extern(volatile, parallel_restricted, cost = 1000)]
#[expect(clippy::type_complexity, reason = "pgrx reads column names from this very type")]
fn engine_status() -> TableIterator<
    'static,
    (
        name!(state, Text),
        name!(pid, Option<i32>),
        name!(uptime, Option<Interval>),
        name!(device, Option<Text>),
        name!(models, Option<i64>),
        name!(connections, Option<i64>),
        name!(queued, Option<i64>),
        name!(requests, Option<i64>),
        name!(items, Option<i64>),
        name!(batches, Option<i64>),
        name!(queue_p50_ms, Option<f64>),
        name!(queue_p95_ms, Option<f64>),
        name!(queue_p99_ms, Option<f64>),
        name!(run_p50_ms, Option<f64>),
        name!(run_p95_ms, Option<f64>),
        name!(run_p99_ms, Option<f64>),
        name!(failures, Option<i64>),
        name!(canceled, Option<i64>),
        name!(restarts, Option<i64>),
        name!(memory, Option<i64>),
        name!(statistics_since, Option<Interval>),
        name!(last_exit, Option<Text>),
    ),
> {
    let engine = engine::engine_state().unwrap_or_else(raise);
    let status = engine.status.as_ref();
    let sum = |of: fn(&ModelStatistics) -> u64| status.map(|status| total(status, of));
    let queue = status.map(|status| status.queue).unwrap_or_default();
    let run = status.map(|status| status.run).unwrap_or_default();
    TableIterator::once((
        Text::from(engine.state.as_str().to_owned()),
        status.and_then(|status| i32::try_from(status.pid).ok()),
        status.map(|status| Interval::from_seconds(status.uptime.max(0.0))),
        status.and_then(devices).map(Text::from),
        sum(|model| u64::from(model.loaded)),
        status.map(|status| count(status.connections as u64)),
        sum(|model| model.queued as u64),
        sum(|model| model.requests),
        sum(|model| model.items),
        sum(|model| model.batches),
        milliseconds(queue.p50),
        milliseconds(queue.p95),
        milliseconds(queue.p99),
        milliseconds(run.p50),
        milliseconds(run.p95),
        milliseconds(run.p99),
        sum(engine::failures),
        sum(|model| model.canceled),
        engine.restarts.map(count),
        status.map(|status| count(status.memory)),
        status.map(|status| Interval::from_seconds(status.since_reset.max(0.0))),
        engine.last_exit.map(Text::from),
    ))
}

/// A row for each model that the engine process was asked for since statistics were last set to zero.
#[pg_extern(volatile, parallel_restricted, cost = 1000)]
#[expect(clippy::type_complexity, reason = "pgrx reads column names from this very type")]
fn engine_models() -> TableIterator<
    'static,
    (
        name!(name, Text),
        name!(loaded, bool),
        name!(device, Option<Text>),
        name!(bytes, i64),
        name!(load_seconds, Option<f64>),
        name!(idle_seconds, Option<f64>),
        name!(queued, i64),
        name!(requests, i64),
        name!(items, i64),
        name!(batches, i64),
        name!(mean_batch, Option<f64>),
        name!(largest_batch, i64),
        name!(tokens, i64),
        name!(padding_share, Option<f64>),
        name!(queue_p50_ms, Option<f64>),
        name!(queue_p95_ms, Option<f64>),
        name!(queue_p99_ms, Option<f64>),
        name!(run_p50_ms, Option<f64>),
        name!(run_p95_ms, Option<f64>),
        name!(run_p99_ms, Option<f64>),
        name!(failures, i64),
        name!(failures_by_code, JsonB),
        name!(canceled, i64),
        name!(bisected, i64),
        name!(fixed_cost_ms, Option<f64>),
        name!(token_cost_ms, Option<f64>),
    ),
> {
    let engine = engine::engine_state().unwrap_or_else(raise);
    let models = engine.status.map(|status| status.models).unwrap_or_default();
    let rows = models.into_iter().map(|model| {
        let failures = count(engine::failures(&model));
        let mean_batch = (model.batches > 0).then(|| model.items as f64 / model.batches as f64);
        let padding_share = engine::padding_share(&model);
        (
            Text::from(model.name),
            model.loaded,
            model.device.map(Text::from),
            count(model.bytes),
            model.load_seconds,
            model.idle_seconds,
            count(model.queued as u64),
            count(model.requests),
            count(model.items),
            count(model.batches),
            mean_batch,
            count(model.largest_batch),
            count(model.tokens),
            padding_share,
            milliseconds(model.queue.p50),
            milliseconds(model.queue.p95),
            milliseconds(model.queue.p99),
            milliseconds(model.run.p50),
            milliseconds(model.run.p95),
            milliseconds(model.run.p99),
            failures,
            JsonB(model.failures.into_iter().collect()),
            count(model.canceled),
            count(model.bisected),
            milliseconds(model.fixed_cost),
            milliseconds(model.token_cost),
        )
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}

/// The engine and its models on one screen.
#[pg_extern(volatile, parallel_restricted, cost = 1000)]
fn engine_summary() -> Text {
    let engine = engine::engine_state().unwrap_or_else(raise);
    Text::from(engine::summary(&engine))
}

/// Sets the statistics of the engine process to zero.
#[pg_extern(volatile, parallel_restricted, cost = 1000)]
fn engine_reset_statistics() {
    engine::reset_statistics().unwrap_or_else(raise);
}

/// Where the models run that are loaded, each place once.
fn devices(status: &EngineStatus) -> Option<String> {
    let loaded = status.models.iter().filter(|model| model.loaded);
    let mut devices: Vec<&str> = loaded.filter_map(|model| model.device.as_deref()).collect();
    devices.sort_unstable();
    devices.dedup();
    (!devices.is_empty()).then(|| devices.join(", "))
}

fn total(status: &EngineStatus, of: fn(&ModelStatistics) -> u64) -> i64 {
    count(status.models.iter().map(of).fold(0, u64::saturating_add))
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn milliseconds(seconds: Option<f64>) -> Option<f64> {
    seconds.map(|seconds| seconds * 1e3)
}
