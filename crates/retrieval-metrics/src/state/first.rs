//! Reciprocal rank: the rank of the first relevant document.
//!
//! Equal to trec_eval's `recip_rank`; the cut-off is applied to ranks, so after ties are ordered.

use super::Document;
use crate::options::Rule;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// The first rank of a relevant document within the cut-off.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct First {
    rank: Option<NonZeroU32>,
}

impl First {
    pub fn observe(&mut self, rule: &Rule, document: Document) {
        if rule.is_relevant(document.grade) {
            self.merge(Self { rank: rule.within(document.rank).and_then(NonZeroU32::new) });
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.rank = match (self.rank, other.rank) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    pub fn finish(&self) -> f64 {
        self.rank.map_or(0.0, |rank| 1.0 / f64::from(rank.get()))
    }

    pub fn is_sound(&self, rule: &Rule) -> bool {
        self.rank.is_none_or(|rank| rank.get() <= rule.cutoff())
    }
}
