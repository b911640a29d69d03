//! Normalised discounted cumulative gain at a cut-off.
//!
//! Equal to trec_eval's `ndcg_cut` with linear gain. `min_relevance` has no part in it.

use super::{Document, StateError, no_duplicate};
use crate::Gain;
use crate::options::Rule;
use serde::{Deserialize, Serialize};

/// 8 bytes for each relevant document within the cut-off, 4 for each of the best grades.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ndcg {
    /// Rank and grade of the positive documents within the cut-off, at most k.
    found: Vec<(u32, i32)>,
    /// The positive judgements, retrieved or not; the best k of them at least, at most 2 k.
    grades: Vec<i32>,
}

impl Ndcg {
    pub fn observe(&mut self, rule: &Rule, document: Document) -> Result<(), StateError> {
        let Some(grade) = document.grade.filter(|grade| *grade > 0) else { return Ok(()) };
        if rule.gain() == Gain::Exponential && grade > Gain::MAX_EXPONENTIAL_GRADE {
            return Err(StateError::GradeTooLarge { grade });
        }
        self.grades.push(grade);
        self.found.extend(rule.within(document.rank).map(|rank| (rank, grade)));
        self.bound(rule)
    }

    pub fn merge(&mut self, rule: &Rule, other: Self) -> Result<(), StateError> {
        self.grades.extend(other.grades);
        self.found.extend(other.found);
        self.bound(rule)
    }

    /// Drops grades that are surely not among the best k, a few at a time.
    fn bound(&mut self, rule: &Rule) -> Result<(), StateError> {
        let k = rule.cutoff();
        let best = k as usize;
        if self.grades.len() > best.saturating_mul(2) {
            self.grades.select_nth_unstable_by(best, |a, b| b.cmp(a));
            self.grades.truncate(best);
        }
        if self.found.len() > best { Err(StateError::TooManyWithin { k }) } else { Ok(()) }
    }

    /// Järvelin & Kekäläinen 2002, with discount 1 / log2(rank + 1).
    pub fn finish(&self, rule: &Rule) -> Result<f64, StateError> {
        let (mut found, mut grades) = (self.found.clone(), self.grades.clone());
        found.sort_unstable();
        no_duplicate(found.iter().map(|(rank, _)| *rank))?;
        grades.sort_unstable_by(|a, b| b.cmp(a));
        grades.truncate(rule.cutoff() as usize);
        let ideal = discounted(rule.gain(), (1..).zip(grades));
        if ideal == 0.0 {
            return Ok(0.0);
        }
        // Rounding can lift an order as good as the ideal one above it by a unit in the last place.
        Ok((discounted(rule.gain(), found.into_iter()) / ideal).min(1.0))
    }

    pub fn allocated(&self) -> usize {
        self.found.capacity() * size_of::<(u32, i32)>() + self.grades.capacity() * size_of::<i32>()
    }

    pub fn is_sound(&self, rule: &Rule) -> bool {
        let most = match rule.gain() {
            Gain::Linear => i32::MAX,
            Gain::Exponential => Gain::MAX_EXPONENTIAL_GRADE,
        };
        let mut grades = self.grades.iter().chain(self.found.iter().map(|(_, grade)| grade));
        grades.all(|grade| (1..=most).contains(grade))
            && self.found.len() <= self.grades.len().min(rule.cutoff() as usize)
            && self.found.iter().all(|(rank, _)| (1..=rule.cutoff()).contains(rank))
    }
}

/// Summed from 0.0 on: `sum()` of nothing is −0.0, which SQL would show.
fn discounted(gain: Gain, documents: impl Iterator<Item = (u32, i32)>) -> f64 {
    documents.fold(0.0, |sum, (rank, grade)| sum + gain.of(grade) / (f64::from(rank) + 1.0).log2())
}
