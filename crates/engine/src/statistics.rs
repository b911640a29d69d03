//! What the engine counts: by model name, over all loads of it, until somebody sets it to zero.

use crate::histogram::Histogram;
use batching::Costs;
use protocol::{FaultCode, ModelStatistics, Quantiles};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Names that are counted apart; names come from sessions, so that there is no end of wrong ones.
const MOST_NAMES: usize = 1000;
/// All names beyond.
const OTHERS: &str = "(other)";

/// Of all models.
#[derive(Debug)]
pub struct Statistics {
    all: Mutex<All>,
}

#[derive(Debug)]
struct All {
    models: BTreeMap<String, Arc<Counters>>,
    since: Instant,
}

/// Of one model; its runners and the connections that ask for it hold it.
#[derive(Debug, Default)]
pub struct Counters(Mutex<Numbers>);

#[derive(Debug, Clone, Default)]
struct Numbers {
    requests: u64,
    items: u64,
    batches: u64,
    largest_batch: u64,
    tokens: u64,
    padded_tokens: u64,
    queue: Histogram,
    run: Histogram,
    failures: BTreeMap<&'static str, u64>,
    canceled: u64,
    bisected: u64,
    lasting: Lasting,
}

/// What is no count, and stays when counts are set to zero.
#[derive(Debug, Clone, Copy, Default)]
struct Lasting {
    load: Option<Duration>,
    costs: Option<Costs>,
    used: Option<Instant>,
}

/// One run, as it is counted.
pub struct Run<'a> {
    /// How long each of its rows had waited.
    pub waits: &'a [Duration],
    /// Of its rows.
    pub tokens: usize,
    /// With padding.
    pub padded_tokens: usize,
    /// How long it took.
    pub took: Duration,
}

impl Statistics {
    /// All zero.
    pub fn new() -> Self {
        Self { all: Mutex::new(All { models: BTreeMap::new(), since: Instant::now() }) }
    }

    /// The counters of a model that is asked for; a name is kept only where `is_installed`, for it is shown to
    /// everybody.
    pub fn asked_for(&self, name: &str, is_installed: impl Fn(&str) -> bool) -> Arc<Counters> {
        let known = self.all().models.get(name).cloned();
        known.unwrap_or_else(|| self.of(if is_installed(name) { name } else { OTHERS }))
    }

    /// The counters of a model.
    pub fn of(&self, name: &str) -> Arc<Counters> {
        let mut all = self.all();
        let full = all.models.len() >= MOST_NAMES && !all.models.contains_key(name);
        let name = if full { OTHERS } else { name };
        if let Some(counters) = all.models.get(name) {
            return Arc::clone(counters);
        }
        Arc::clone(all.models.entry(name.to_owned()).or_default())
    }

    /// Sets all counts to zero, and forgets the names that `held` does not know.
    pub fn reset(&self, held: impl Fn(&str) -> bool) {
        let mut all = self.all();
        all.since = Instant::now();
        all.models.retain(|name, _| held(name));
        all.models.values().for_each(|counters| counters.reset());
    }

    /// How long ago counting began.
    pub fn since(&self) -> Duration {
        self.all().since.elapsed()
    }

    /// A row of each model; what is not counted here is left for the caller to fill in.
    pub fn models(&self) -> Vec<ModelStatistics> {
        let models = self.all().models.clone();
        models.into_iter().map(|(name, counters)| counters.row(name)).collect()
    }

    /// Of all models together: how long rows waited, and how long runs took.
    pub fn overall(&self) -> (Quantiles, Quantiles) {
        let models = self.all().models.clone();
        let (mut queue, mut run) = (Histogram::default(), Histogram::default());
        for counters in models.values() {
            let numbers = counters.numbers();
            queue.add(&numbers.queue);
            run.add(&numbers.run);
        }
        (queue.quantiles(), run.quantiles())
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    /// A request got its result, of so many rows.
    pub fn answered(&self, rows: usize) {
        let mut numbers = self.numbers();
        numbers.requests += 1;
        numbers.items += rows as u64;
        numbers.lasting.used = Some(Instant::now());
    }

    /// A request failed.
    pub fn failed(&self, code: FaultCode) {
        *self.numbers().failures.entry(code.sqlstate()).or_default() += 1;
    }

    /// A request's caller went away, or does not want the result any more.
    pub fn canceled(&self) {
        self.numbers().canceled += 1;
    }

    /// A run ended.
    pub fn ran(&self, run: &Run) {
        let mut numbers = self.numbers();
        numbers.batches += 1;
        numbers.largest_batch = numbers.largest_batch.max(run.waits.len() as u64);
        numbers.tokens += run.tokens as u64;
        numbers.padded_tokens += run.padded_tokens as u64;
        run.waits.iter().for_each(|wait| numbers.queue.record(*wait));
        numbers.run.record(run.took);
    }

    /// A run failed, and is tried again in halves.
    pub fn bisected(&self) {
        self.numbers().bisected += 1;
    }

    /// A load took so long.
    pub fn loaded(&self, took: Duration) {
        let mut numbers = self.numbers();
        numbers.lasting.load = Some(took);
        numbers.lasting.used = Some(Instant::now());
    }

    /// What a run costs was measured.
    pub fn measured(&self, costs: Costs) {
        self.numbers().lasting.costs = Some(costs);
    }

    fn reset(&self) {
        let mut numbers = self.numbers();
        *numbers = Numbers { lasting: numbers.lasting, ..Numbers::default() };
    }

    /// As they are now; what is not counted here is left for the caller to fill in.
    pub fn row(&self, name: String) -> ModelStatistics {
        let numbers = self.numbers().clone();
        let Lasting { load, costs, used } = numbers.lasting;
        ModelStatistics {
            name,
            load_seconds: load.map(|took| took.as_secs_f64()),
            idle_seconds: used.map(|used| used.elapsed().as_secs_f64()),
            requests: numbers.requests,
            items: numbers.items,
            batches: numbers.batches,
            largest_batch: numbers.largest_batch,
            tokens: numbers.tokens,
            padded_tokens: numbers.padded_tokens,
            queue: numbers.queue.quantiles(),
            run: numbers.run.quantiles(),
            failures: numbers.failures.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect(),
            canceled: numbers.canceled,
            bisected: numbers.bisected,
            fixed_cost: costs.map(|costs| costs.fixed),
            token_cost: costs.map(|costs| costs.token),
            ..ModelStatistics::default()
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_go_back_to_zero() {
        let statistics = Statistics::new();
        let counters = statistics.of("a");
        let waits = [Duration::from_millis(1), Duration::from_millis(2)];
        let took = Duration::from_millis(4);
        counters.ran(&Run { waits: &waits, tokens: 20, padded_tokens: 24, took });
        counters.answered(2);
        counters.failed(FaultCode::InvalidBinary);
        counters.failed(FaultCode::InvalidBinary);
        counters.failed(FaultCode::Internal);
        counters.canceled();
        counters.loaded(Duration::from_secs(1));
        let rows = statistics.models();
        let row = rows.first().unwrap();
        assert_eq!((row.requests, row.items, row.batches, row.largest_batch), (1, 2, 1, 2));
        assert_eq!((row.tokens, row.padded_tokens, row.canceled), (20, 24, 1));
        assert_eq!(row.failures, [("22P03".to_owned(), 2), ("XX000".to_owned(), 1)]);
        assert!(row.queue.p99.is_some() && row.run.p50.is_some());
        assert_eq!(statistics.overall(), (row.queue, row.run));

        statistics.of("b").answered(1);
        statistics.reset(|name| name == "a");
        let rows = statistics.models();
        let [row] = &rows[..] else { unreachable!("one name is left") };
        assert_eq!((row.requests, row.run.p50, row.load_seconds), (0, None, Some(1.0)));
        assert!(row.failures.is_empty());
    }

    #[test]
    fn what_names_no_model_is_not_kept() {
        let statistics = Statistics::new();
        let installed = |name: &str| name == "known";
        statistics.asked_for("known", installed).failed(FaultCode::Internal);
        statistics.asked_for("a private text", installed).failed(FaultCode::UndefinedObject);
        let names: Vec<_> = statistics.models().into_iter().map(|row| row.name).collect();
        assert_eq!(names, [OTHERS, "known"]);
        statistics.asked_for("known", |_| false).failed(FaultCode::Internal);
        assert_eq!(statistics.models().len(), 2, "counted where it was");
    }

    #[test]
    fn the_number_of_names_has_an_end() {
        let statistics = Statistics::new();
        for name in 0..2 * MOST_NAMES {
            statistics.of(&format!("{name}")).failed(FaultCode::UndefinedObject);
        }
        assert_eq!(statistics.models().len(), MOST_NAMES + 1);
    }
}
