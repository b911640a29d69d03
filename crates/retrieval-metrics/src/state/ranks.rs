//! Average precision and R-precision: the ranks of the relevant documents.
//!
//! Equal to trec_eval's `map`, `map_cut` and `Rprec`.

use super::{Document, StateError, add, in_order};
use crate::Metric;
use crate::options::Rule;
use serde::{Deserialize, Serialize};

/// 4 bytes for each relevant document within the cut-off, in any order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ranks {
    relevant: u32,
    ranks: Vec<u32>,
}

impl Ranks {
    pub fn observe(&mut self, rule: &Rule, document: Document) -> Result<(), StateError> {
        if rule.is_relevant(document.grade) {
            self.relevant = add(self.relevant, 1)?;
            self.ranks.extend(rule.within(document.rank));
        }
        self.bounded(rule)
    }

    pub fn merge(&mut self, rule: &Rule, other: Self) -> Result<(), StateError> {
        self.relevant = add(self.relevant, other.relevant)?;
        self.ranks.extend(other.ranks);
        self.bounded(rule)
    }

    fn bounded(&self, rule: &Rule) -> Result<(), StateError> {
        let k = rule.cutoff();
        if self.ranks.len() > k as usize {
            return Err(StateError::TooManyWithin { k });
        }
        Ok(())
    }

    pub fn finish(&self, rule: &Rule) -> Result<f64, StateError> {
        let ranks = in_order(&self.ranks)?;
        if self.relevant == 0 {
            return Ok(0.0);
        }
        let sum = match rule.metric {
            Metric::RPrecision => ranks.partition_point(|rank| *rank <= self.relevant) as f64,
            _ => precisions(&ranks),
        };
        Ok(sum / f64::from(self.relevant))
    }

    pub fn allocated(&self) -> usize {
        self.ranks.capacity() * size_of::<u32>()
    }

    pub fn is_sound(&self, rule: &Rule) -> bool {
        self.ranks.len() <= self.relevant as usize
            && self.ranks.iter().all(|rank| (1..=rule.cutoff()).contains(rank))
    }
}

/// Σ hits so far / rank over the ranks of the hits, in order.
fn precisions(ranks: &[u32]) -> f64 {
    ranks.iter().zip(1u32..).fold(0.0, |sum, (rank, hit)| sum + f64::from(hit) / f64::from(*rank))
}
