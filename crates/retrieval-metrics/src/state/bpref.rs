//! Binary preference: how often judged relevant documents stand above judged non-relevant ones.
//!
//! Equal to trec_eval's `bpref` (Buckley & Voorhees 2004, with the denominator min(R, N) of
//! trec_eval 8 and later). A negative grade is no judgement here, as in trec_eval.

use super::{Document, StateError, add, in_order};
use crate::options::Rule;
use serde::{Deserialize, Serialize};

/// 4 bytes for each judged document that was retrieved, in any order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Bpref {
    relevant: u32,
    nonrelevant: u32,
    relevant_ranks: Vec<u32>,
    nonrelevant_ranks: Vec<u32>,
}

impl Bpref {
    pub fn observe(&mut self, rule: &Rule, document: Document) -> Result<(), StateError> {
        if document.grade.is_none_or(|grade| grade < 0) {
            return Ok(());
        }
        if rule.is_relevant(document.grade) {
            self.relevant = add(self.relevant, 1)?;
            self.relevant_ranks.extend(document.rank);
        } else {
            self.nonrelevant = add(self.nonrelevant, 1)?;
            self.nonrelevant_ranks.extend(document.rank);
        }
        Ok(())
    }

    pub fn merge(&mut self, other: Self) -> Result<(), StateError> {
        self.relevant = add(self.relevant, other.relevant)?;
        self.nonrelevant = add(self.nonrelevant, other.nonrelevant)?;
        self.relevant_ranks.extend(other.relevant_ranks);
        self.nonrelevant_ranks.extend(other.nonrelevant_ranks);
        Ok(())
    }

    /// Σ over the relevant retrieved of 1 − min(non-relevant above, R) / min(N, R), over R.
    pub fn finish(&self) -> Result<f64, StateError> {
        let relevant = in_order(&self.relevant_ranks)?;
        let nonrelevant = in_order(&self.nonrelevant_ranks)?;
        if self.relevant == 0 {
            return Ok(0.0);
        }
        let most = f64::from(self.nonrelevant.min(self.relevant));
        let mut sum = 0.0;
        for rank in relevant {
            let above = nonrelevant.partition_point(|other| *other < rank);
            if nonrelevant.get(above) == Some(&rank) {
                return Err(StateError::DuplicateRank { rank });
            }
            let against = above.min(self.relevant as usize) as f64;
            sum += if above == 0 { 1.0 } else { 1.0 - against / most };
        }
        Ok(sum / f64::from(self.relevant))
    }

    pub fn allocated(&self) -> usize {
        (self.relevant_ranks.capacity() + self.nonrelevant_ranks.capacity()) * size_of::<u32>()
    }

    pub fn is_sound(&self) -> bool {
        self.relevant_ranks.len() <= self.relevant as usize
            && self.nonrelevant_ranks.len() <= self.nonrelevant as usize
            && !self.relevant_ranks.contains(&0)
            && !self.nonrelevant_ranks.contains(&0)
    }
}
