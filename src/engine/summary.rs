//! The engine on one screen, for people.

use super::status::{EngineState, State};
use protocol::{EngineStatus, ModelStatistics, Quantiles};
use std::fmt::Write;

/// A few lines about the engine, and one for each model.
pub fn summary(engine: &EngineState) -> String {
    let mut screen = headline(engine);
    if let Some(status) = &engine.status {
        screen.push_str(&totals(status));
        screen.push_str(&table(&status.models));
    }
    if let Some(how) = &engine.last_exit {
        line(&mut screen, &format!("last ended  it {how}"));
    }
    screen.trim_end().to_owned()
}

fn headline(engine: &EngineState) -> String {
    let mut text = match engine.state {
        State::Backend => "engine      in this backend: models are loaded for each session\n",
        State::Stopped => "engine      stopped\n",
        State::Starting => "engine      starting\n",
        State::Unresponsive => "engine      running, but it does not answer\n",
        State::Running => "",
    }
    .to_owned();
    if let Some(status) = &engine.status {
        let up = duration(status.uptime);
        let restarts = engine.restarts.unwrap_or_default();
        line(
            &mut text,
            &format!(
                "engine      running, process {}, for {up}; {restarts} restarts; {} connections; {} of memory",
                status.pid,
                status.connections,
                size(status.memory)
            ),
        );
    }
    text
}

fn totals(status: &EngineStatus) -> String {
    let sum = |of: fn(&ModelStatistics) -> u64| status.models.iter().map(of).sum::<u64>();
    let (items, batches) = (sum(|m| m.items), sum(|m| m.batches));
    let rate = items as f64 / status.since_reset.max(0.001);
    let mut text = String::new();
    line(
        &mut text,
        &format!(
            "work        {} requests, {items} rows in {batches} batches ({} a batch) in {}: {rate:.1} rows/s",
            sum(|m| m.requests),
            ratio(items as f64, batches as f64),
            duration(status.since_reset)
        ),
    );
    line(
        &mut text,
        &format!(
            "trouble     {} failed, {} cancelled, {} batches split; {} rows wait now",
            sum(failures),
            sum(|m| m.canceled),
            sum(|m| m.bisected),
            sum(|m| m.queued as u64)
        ),
    );
    let times = [("queued", status.queue), ("run", status.run)];
    let times = times.map(|(name, times)| format!("{name} {}", quantiles(times)));
    line(&mut text, &format!("ms          {} (p50 / p95 / p99)", times.join(", ")));
    text
}

fn table(models: &[ModelStatistics]) -> String {
    let mut rows = vec![
        ["model", "where", "files", "rows", "a batch", "padding", "queued ms", "run ms", "failed"]
            .map(str::to_owned),
    ];
    rows.extend(models.iter().map(row));
    let widths: [usize; 9] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    let mut text = String::from("\n");
    for row in &rows {
        let cells =
            row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
                0 | 1 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
        line(&mut text, cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text.push('\n');
    text
}

fn row(model: &ModelStatistics) -> [String; 9] {
    // The reason why a model is not where it was wanted is for models().
    let place = model.device.as_deref().and_then(|device| device.split(" (").next());
    [
        model.name.clone(),
        place.filter(|_| model.loaded).unwrap_or("not loaded").to_owned(),
        size(model.bytes),
        model.items.to_string(),
        ratio(model.items as f64, model.batches as f64),
        padding_share(model).map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0)),
        quantiles(model.queue),
        quantiles(model.run),
        failures(model).to_string(),
    ]
}

/// Requests that failed, of all kinds.
pub fn failures(model: &ModelStatistics) -> u64 {
    model.failures.iter().map(|(_, count)| count).sum()
}

/// How much of what ran was padding, from 0 to 1.
pub fn padding_share(model: &ModelStatistics) -> Option<f64> {
    (model.padded_tokens > 0).then(|| 1.0 - model.tokens as f64 / model.padded_tokens as f64)
}

fn quantiles(times: Quantiles) -> String {
    let times = [times.p50, times.p95, times.p99];
    let times = times.map(|time| time.map_or("-".to_owned(), |time| format!("{:.1}", time * 1e3)));
    times.join(" / ")
}

fn ratio(of: f64, to: f64) -> String {
    if to > 0.0 { format!("{:.1}", of / to) } else { "-".to_owned() }
}

fn size(bytes: u64) -> String {
    const MEGABYTE: f64 = 1024.0 * 1024.0;
    match bytes as f64 / MEGABYTE {
        small if small < 1000.0 => format!("{small:.0} MB"),
        large => format!("{:.1} GB", large / 1024.0),
    }
}

fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole} s"),
        (0, 0, _) => format!("{minutes} min {} s", whole % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
