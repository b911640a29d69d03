//! Recall, precision, hit rate and judged documents at a cut-off: two counters.
//!
//! Equal to trec_eval's `recall`, `P` and `success`.

use super::{Document, StateError, add};
use crate::Metric;
use crate::options::Rule;
use serde::{Deserialize, Serialize};

/// Documents counted within the cut-off, and in all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    within: u32,
    total: u32,
}

impl Counts {
    pub fn observe(&mut self, rule: &Rule, document: Document) -> Result<(), StateError> {
        let counts = match rule.metric {
            Metric::Judged(_) => document.grade.is_some(),
            _ => rule.is_relevant(document.grade),
        };
        if counts {
            let within = u32::from(rule.within(document.rank).is_some());
            self.merge(rule, Self { within, total: 1 })?;
        }
        Ok(())
    }

    pub fn merge(&mut self, rule: &Rule, other: Self) -> Result<(), StateError> {
        self.within = add(self.within, other.within)?;
        self.total = add(self.total, other.total)?;
        let k = rule.cutoff();
        if self.within > k { Err(StateError::TooManyWithin { k }) } else { Ok(()) }
    }

    pub fn finish(&self, rule: &Rule) -> f64 {
        let over = match rule.metric {
            Metric::HitRate(_) => return f64::from(u8::from(self.within > 0)),
            Metric::Recall(_) => self.total,
            _ => rule.cutoff(),
        };
        if over == 0 { 0.0 } else { f64::from(self.within) / f64::from(over) }
    }

    pub fn is_sound(&self, rule: &Rule) -> bool {
        self.within <= self.total && self.within <= rule.cutoff()
    }
}
