//! The state of one query under one metric, fed one document at a time.
//!
//! Rows may come in any order and be split over any number of states: what is kept is sorted
//! before it is summed, so that the value is the same bit for bit. What can no longer matter
//! (beyond the cut-off, irrelevant) is not kept.

mod bpref;
mod counts;
mod first;
mod ndcg;
mod ranks;

use crate::options::Rule;
use crate::{Metric, Options};
use serde::{Deserialize, Serialize};

/// Why a query has no value: its rows contradict each other or are out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Ranks count from 1.
    #[error("rank 0: ranks count from 1")]
    RankZero,
    /// Two rows have the same rank.
    #[error("rank {rank} occurs twice: each document needs a rank of its own, and one row")]
    DuplicateRank {
        /// The rank.
        rank: u32,
    },
    /// More rows lie within the cut-off than it has ranks.
    #[error("more than {k} documents among the first {k}: some rank occurs twice")]
    TooManyWithin {
        /// The cut-off.
        k: u32,
    },
    /// The gain 2^grade − 1 would overflow.
    #[error(
        "grade {grade} is above {}, the limit of the exponential gain",
        crate::Gain::MAX_EXPONENTIAL_GRADE
    )]
    GradeTooLarge {
        /// The grade.
        grade: i32,
    },
    /// More documents than are counted.
    #[error("more than {} documents", u32::MAX)]
    TooManyDocuments,
    /// States of different metrics or options were merged.
    #[error("states of different metrics or options cannot be merged")]
    DifferentMetrics,
}

/// One document of `run FULL JOIN judgements`: `rank` within the run, `grade` of the judgement.
#[derive(Debug, Clone, Copy)]
struct Document {
    rank: Option<u32>,
    grade: Option<i32>,
}

/// The state of one query under one metric; merges with another of the same metric and options.
///
/// After an error a state holds nothing of use.
#[derive(Debug, Clone)]
pub struct QueryState {
    rule: Rule,
    state: State,
}

impl QueryState {
    /// A state that has seen nothing.
    pub fn new(metric: Metric, options: Options) -> Self {
        let rule = Rule { metric, options };
        Self { rule, state: State::new(&rule) }
    }

    /// Adds one document of `run FULL JOIN judgements`.
    ///
    /// `rank` counts from 1, `None` where the run did not retrieve the document; `relevance` is
    /// the judged grade, `None` where it is unjudged. Fails on rank 0, on a rank of 1 to 64 that
    /// was seen before, on more rows within the cut-off than it has ranks, and on a grade above
    /// [`Gain::MAX_EXPONENTIAL_GRADE`](crate::Gain::MAX_EXPONENTIAL_GRADE) with exponential gain.
    pub fn observe(&mut self, rank: Option<u32>, relevance: Option<i32>) -> Result<(), StateError> {
        self.state.observe(&self.rule, rank, relevance)
    }

    /// Adds what another state of the same metric, options and query has seen.
    pub fn merge(&mut self, other: Self) -> Result<(), StateError> {
        if self.rule != other.rule {
            return Err(StateError::DifferentMetrics);
        }
        self.state.merge(&self.rule, other.state)
    }

    /// The value, in [0, 1]; 0 where nothing relevant is judged.
    ///
    /// Fails where MAP, nDCG, R-precision or bpref holds two judged documents of the same rank.
    pub fn finish(&self) -> Result<f64, StateError> {
        self.state.finish(&self.rule)
    }

    /// Whether any document was judged: only such queries count in a mean.
    pub fn is_judged(&self) -> bool {
        self.state.is_judged()
    }
}

/// What [`QueryState`] holds besides its rule; in a [`Mean`](crate::Mean) many share one rule.
///
/// 32 bytes, and for the metrics that need single ranks or grades, those of the judged documents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// Bit r − 1 is set where rank r was seen: finds the usual duplicates at no cost.
    seen: u64,
    judged: bool,
    family: Family,
}

/// The metrics by what they must remember.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Family {
    Counts(counts::Counts),
    First(first::First),
    Ranks(Box<ranks::Ranks>),
    Ndcg(Box<ndcg::Ndcg>),
    Bpref(Box<bpref::Bpref>),
}

impl State {
    pub(crate) fn new(rule: &Rule) -> Self {
        let family = match rule.metric {
            Metric::Recall(_) | Metric::Precision(_) | Metric::HitRate(_) | Metric::Judged(_) => {
                Family::Counts(counts::Counts::default())
            }
            Metric::ReciprocalRank(_) => Family::First(first::First::default()),
            Metric::AveragePrecision(_) | Metric::RPrecision => Family::Ranks(Box::default()),
            Metric::Ndcg(_) => Family::Ndcg(Box::default()),
            Metric::Bpref => Family::Bpref(Box::default()),
        };
        Self { seen: 0, judged: false, family }
    }

    pub(crate) fn observe(
        &mut self,
        rule: &Rule,
        rank: Option<u32>,
        grade: Option<i32>,
    ) -> Result<(), StateError> {
        if let Some(rank) = rank {
            self.see(rank)?;
        }
        self.judged |= grade.is_some();
        let document = Document { rank, grade };
        match &mut self.family {
            Family::Counts(counts) => counts.observe(rule, document),
            Family::First(first) => {
                first.observe(rule, document);
                Ok(())
            }
            Family::Ranks(ranks) => ranks.observe(rule, document),
            Family::Ndcg(ndcg) => ndcg.observe(rule, document),
            Family::Bpref(bpref) => bpref.observe(rule, document),
        }
    }

    fn see(&mut self, rank: u32) -> Result<(), StateError> {
        let bit = match rank {
            0 => return Err(StateError::RankZero),
            1..=64 => 1 << (rank - 1),
            _ => 0,
        };
        if self.seen & bit != 0 {
            return Err(StateError::DuplicateRank { rank });
        }
        self.seen |= bit;
        Ok(())
    }

    pub(crate) fn merge(&mut self, rule: &Rule, other: Self) -> Result<(), StateError> {
        let twice = self.seen & other.seen;
        if twice != 0 {
            return Err(StateError::DuplicateRank { rank: twice.trailing_zeros() + 1 });
        }
        self.seen |= other.seen;
        self.judged |= other.judged;
        match (&mut self.family, other.family) {
            (Family::Counts(a), Family::Counts(b)) => a.merge(rule, b),
            (Family::First(a), Family::First(b)) => {
                a.merge(b);
                Ok(())
            }
            (Family::Ranks(a), Family::Ranks(b)) => a.merge(rule, *b),
            (Family::Ndcg(a), Family::Ndcg(b)) => a.merge(rule, *b),
            (Family::Bpref(a), Family::Bpref(b)) => a.merge(*b),
            _ => Err(StateError::DifferentMetrics),
        }
    }

    pub(crate) fn finish(&self, rule: &Rule) -> Result<f64, StateError> {
        match &self.family {
            Family::Counts(counts) => Ok(counts.finish(rule)),
            Family::First(first) => Ok(first.finish()),
            Family::Ranks(ranks) => ranks.finish(rule),
            Family::Ndcg(ndcg) => ndcg.finish(rule),
            Family::Bpref(bpref) => bpref.finish(),
        }
    }

    pub(crate) fn is_judged(&self) -> bool {
        self.judged
    }

    /// Bytes that are allocated besides the state itself.
    pub(crate) fn apart(&self) -> usize {
        match &self.family {
            Family::Counts(_) | Family::First(_) => 0,
            Family::Ranks(ranks) => size_of::<ranks::Ranks>() + ranks.allocated(),
            Family::Ndcg(ndcg) => size_of::<ndcg::Ndcg>() + ndcg.allocated(),
            Family::Bpref(bpref) => size_of::<bpref::Bpref>() + bpref.allocated(),
        }
    }

    /// Whether a state out of foreign bytes is one that observing under `rule` can make.
    pub(crate) fn is_sound(&self, rule: &Rule) -> bool {
        match (&self.family, &Self::new(rule).family) {
            (Family::Counts(counts), Family::Counts(_)) => counts.is_sound(rule),
            (Family::First(first), Family::First(_)) => first.is_sound(rule),
            (Family::Ranks(ranks), Family::Ranks(_)) => ranks.is_sound(rule),
            (Family::Ndcg(ndcg), Family::Ndcg(_)) => ndcg.is_sound(rule),
            (Family::Bpref(bpref), Family::Bpref(_)) => bpref.is_sound(),
            _ => false,
        }
    }
}

/// `count + more`, unless that is beyond what is counted.
fn add(count: u32, more: u32) -> Result<u32, StateError> {
    count.checked_add(more).ok_or(StateError::TooManyDocuments)
}

/// The ranks in order; an error where one occurs twice.
fn in_order(ranks: &[u32]) -> Result<Vec<u32>, StateError> {
    let mut ranks = ranks.to_vec();
    ranks.sort_unstable();
    no_duplicate(ranks.iter().copied())?;
    Ok(ranks)
}

/// An error where two neighbours are equal.
fn no_duplicate(ranks: impl Iterator<Item = u32> + Clone) -> Result<(), StateError> {
    match ranks.clone().zip(ranks.skip(1)).find(|(a, b)| a == b) {
        Some((rank, _)) => Err(StateError::DuplicateRank { rank }),
        None => Ok(()),
    }
}
