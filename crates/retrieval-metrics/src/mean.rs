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
        Self { rule, queries: Keys::default(), states: Vec::new() }
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
        let state = self.state(query)?;
        state.observe(&rule, rank, relevance).map_err(|error| at(query, error))
    }

    /// Adds what another mean has seen, of the same queries or of others.
    pub fn merge(&mut self, other: Self) -> Result<(), MeanError> {
        if self.rule != other.rule {
            return Err(MeanError::DifferentMetrics);
        }
        let rule = self.rule;
        for (number, state) in other.states.into_iter().enumerate() {
            let query = other.queries.get(number);
            self.state(query)?.merge(&rule, state).map_err(|error| at(query, error))?;
        }
        Ok(())
    }

    fn state(&mut self, query: &[u8]) -> Result<&mut State, MeanError> {
        let number = self.queries.number(query).ok_or(MeanError::TooManyQueries)?;
        if number == self.states.len() {
            self.states.push(State::new(&self.rule));
        }
        Ok(&mut self.states[number])
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
        let mut mean = Self { rule, queries: Keys::default(), states: Vec::new() };
        for number in 0..count {
            let (query, state): (&[u8], State) = take(&mut rest)?;
            if mean.queries.number(query) != Some(number) || !state.is_sound(&rule) {
                return Err(BytesError::Malformed);
            }
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
