//! The mean of a metric over many queries, whose rows may be split over processes.

use crate::keys::Keys;
use crate::options::Rule;
use crate::state::{State, StateError};
use crate::{Metric, Options};
use serde::Deserialize;

/// The first byte of a serialised mean.
const VERSION: u8 = 1;

/// The state of an aggregate: one [`QueryState`](crate::QueryState) a query id, without the rule
/// repeated in each. About 50 bytes a query besides its id and the ranks that its metric needs.
///
/// The mean is over the queries of the judgements:
/// - judged, but no document relevant: counts as 0;
/// - judged, but missed by the run (all its rows without a rank): counts as 0;
/// - retrieved, but nothing of it judged: does not count at all.
#[derive(Debug, Clone)]
pub struct Mean {
    rule: Rule,
    queries: Keys,
    states: Vec<State>,
    /// Bytes that the states have allocated besides themselves.
    apart: usize,
}

/// Why a mean cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeanError {
    /// The rows of one query contradict each other.
    #[error("query {query:?}: {error}")]
    Query {
        /// The query id; bytes that are no UTF-8 are shown as U+FFFD.
        query: String,
        /// What is wrong with it.
        error: StateError,
    },
    /// Means of different metrics or options were merged.
    #[error("means of different metrics or options cannot be merged")]
    DifferentMetrics,
    /// More queries than are counted.
    #[error("more than {} queries", u32::MAX)]
    TooManyQueries,
}

/// Bytes that are no serialised [`Mean`] of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// The version byte is another.
    #[error("a serialised mean of version {VERSION} was expected, not {0}")]
    Version(u8),
    /// The bytes end early, go on after the end, or hold what no mean can.
    #[error("not a serialised mean, or a damaged one")]
    Malformed,
}

impl Mean {
    /// A mean over no query.
    pub fn new(metric: Metric, options: Options) -> Self {
        let rule = Rule { metric, options };
        Self { rule, queries: Keys::default(), states: Vec::new(), apart: 0 }
    }

    /// Bytes of memory that it takes, besides a fixed part. Costs next to nothing.
    pub fn allocated(&self) -> usize {
        let states = self.states.capacity() * size_of::<State>();
        self.queries.allocated() + states + self.apart
    }

    /// The metric that is averaged.
    pub fn metric(&self) -> Metric {
        self.rule.metric
    }

    /// The options that it was made with.
    pub fn options(&self) -> Options {
        self.rule.options
    }

    /// Adds one document of `run FULL JOIN judgements`; see
    /// [`QueryState::observe`](crate::QueryState::observe).
    pub fn observe(
        &mut self,
        query: &[u8],
        rank: Option<u32>,
        relevance: Option<i32>,
    ) -> Result<(), MeanError> {
        let rule = self.rule;
        self.change(query, |state| state.observe(&rule, rank, relevance))
    }

    /// Adds what another mean has seen, of the same queries or of others.
    pub fn merge(&mut self, other: Self) -> Result<(), MeanError> {
        if self.rule != other.rule {
            return Err(MeanError::DifferentMetrics);
        }
        let rule = self.rule;
        for (number, state) in other.states.into_iter().enumerate() {
            let query = other.queries.get(number);
            self.change(query, |known| known.merge(&rule, state))?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        query: &[u8],
        change: impl FnOnce(&mut State) -> Result<(), StateError>,
    ) -> Result<(), MeanError> {
        let number = self.queries.number(query).ok_or(MeanError::TooManyQueries)?;
        if number == self.states.len() {
            let state = State::new(&self.rule);
            self.apart += state.apart();
            self.states.push(state);
        }
        let state = &mut self.states[number];
        let before = state.apart();
        let changed = change(state);
        self.apart = self.apart - before + state.apart();
        changed.map_err(|error| at(query, error))
    }

    /// The mean in [0, 1], `None` where no query is judged.
    ///
    /// Summed in the byte order of the query ids, so that any split of the rows gives the same
    /// bits.
    pub fn finish(&self) -> Result<Option<f64>, MeanError> {
        let mut judged: Vec<usize> =
            (0..self.states.len()).filter(|number| self.states[*number].is_judged()).collect();
        judged.sort_unstable_by_key(|number| self.queries.get(*number));
        let mut sum = 0.0;
        for number in &judged {
            let value = self.states[*number].finish(&self.rule);
            sum += value.map_err(|error| at(self.queries.get(*number), error))?;
        }
        Ok(if judged.is_empty() { None } else { Some(sum / judged.len() as f64) })
    }

    /// The mean as bytes, for another process of the same version of this crate.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        append(&mut bytes, &(self.rule, self.queries.len()));
        for (number, state) in self.states.iter().enumerate() {
            append(&mut bytes, &(self.queries.get(number), state));
        }
        bytes
    }

    /// The mean that [`Mean::to_bytes`] wrote. Never panics, and takes memory in proportion to
    /// `bytes` alone, whatever they hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BytesError> {
        let (version, mut rest) = bytes.split_first().ok_or(BytesError::Malformed)?;
        if *version != VERSION {
            return Err(BytesError::Version(*version));
        }
        let (rule, count): (Rule, usize) = take(&mut rest)?;
        let mut mean = Self { rule, queries: Keys::default(), states: Vec::new(), apart: 0 };
        for number in 0..count {
            let (query, state): (&[u8], State) = take(&mut rest)?;
            if mean.queries.number(query) != Some(number) || !state.is_sound(&rule) {
                return Err(BytesError::Malformed);
            }
            mean.apart += state.apart();
            mean.states.push(state);
        }
        if rest.is_empty() && rule.is_sound() { Ok(mean) } else { Err(BytesError::Malformed) }
    }
}

fn at(query: &[u8], error: StateError) -> MeanError {
    MeanError::Query { query: String::from_utf8_lossy(query).into_owned(), error }
}

/// Nothing that is appended here can fail: the buffer grows, and every length is known.
fn append(bytes: &mut Vec<u8>, value: &impl serde::Serialize) {
    if let Ok(longer) = postcard::to_extend(value, std::mem::take(bytes)) {
        *bytes = longer;
    }
}

fn take<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, BytesError> {
    let (value, after) = postcard::take_from_bytes(rest).map_err(|_| BytesError::Malformed)?;
    *rest = after;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(metric: &str) -> Mean {
        Mean::new(metric.parse().unwrap(), Options::default())
    }

    #[test]
    fn what_it_takes_grows_with_queries_and_with_their_ranks() {
        for metric in ["recall@5", "mrr", "map", "ndcg@1000", "bpref"] {
            let mut many = mean(metric);
            for n in 0..1000 {
                many.observe(format!("query {n:020}").as_bytes(), Some(1), Some(1)).unwrap();
            }
            assert!(many.allocated() >= 1000 * (26 + 32), "{metric}: {}", many.allocated());
        }
        for (metric, each) in [("map", 4), ("ndcg@1000", 8), ("bpref", 4)] {
            let mut deep = mean(metric);
            for rank in 1..=1000 {
                deep.observe(b"q", Some(rank), Some(1)).unwrap();
            }
            assert!(deep.allocated() >= 1000 * each, "{metric}: {}", deep.allocated());
        }
    }

    #[test]
    fn what_it_takes_is_known_after_a_merge_and_of_bytes_too() {
        let (mut a, mut b) = (mean("bpref"), mean("bpref"));
        for rank in 1..=1000 {
            let part = if rank % 2 == 0 { &mut a } else { &mut b };
            part.observe(b"q", Some(rank), Some(1)).unwrap();
        }
        let half = b.allocated();
        assert!(half >= 500 * 4);
        a.merge(b).unwrap();
        assert!(a.allocated() >= 1000 * 4);
        let read = Mean::from_bytes(&a.to_bytes()).unwrap();
        assert!(read.allocated() >= 1000 * 4);
        // Fewer in any case, so that what may be held can be sent to another process, too.
        assert!(a.to_bytes().len() < a.allocated());
    }
}
