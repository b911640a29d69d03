//! How grades are read: from which grade a document is relevant, and what a grade gains in nDCG.

use crate::Metric;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a positive grade gains in nDCG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Gain {
    /// The grade itself, as trec_eval has it (Järvelin & Kekäläinen 2002).
    #[default]
    Linear,
    /// 2^grade − 1 (Burges et al. 2005).
    Exponential,
}

impl Gain {
    /// The largest grade with exponential gain: sums of 2^512 stay finite however many there are.
    pub const MAX_EXPONENTIAL_GRADE: i32 = 512;

    /// The gain of a positive grade.
    pub(crate) fn of(self, grade: i32) -> f64 {
        match self {
            Self::Linear => f64::from(grade),
            Self::Exponential => f64::from(grade).exp2() - 1.0,
        }
    }
}

/// How the grades of judgements are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    min_relevance: i32,
    gain: Gain,
}

/// An option that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Negative grades are never relevant.
    #[error("min_relevance must be 0 or more, not {0}: negative grades are never relevant")]
    MinRelevance(i32),
    /// No gain has this name.
    #[error("unknown gain {0:?}: there are linear, exponential")]
    Gain(String),
}

impl Options {
    /// Documents of grade `min_relevance` (0 or more) and above are relevant; `gain` is nDCG's.
    ///
    /// nDCG ignores `min_relevance`: every positive grade gains.
    pub fn new(min_relevance: i32, gain: Gain) -> Result<Self, OptionsError> {
        if min_relevance < 0 {
            return Err(OptionsError::MinRelevance(min_relevance));
        }
        Ok(Self { min_relevance, gain })
    }
}

impl Default for Options {
    /// Relevant from grade 1, linear gain: trec_eval's own.
    fn default() -> Self {
        Self { min_relevance: 1, gain: Gain::Linear }
    }
}

impl FromStr for Gain {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, OptionsError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "linear" => Ok(Self::Linear),
            "exponential" => Ok(Self::Exponential),
            _ => Err(OptionsError::Gain(text.to_owned())),
        }
    }
}

/// A metric with its options: all that a state of one query must be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub metric: Metric,
    pub options: Options,
}

impl Rule {
    /// Whether a document of this grade is relevant; an unjudged one (`None`) never is.
    pub fn is_relevant(&self, grade: Option<i32>) -> bool {
        grade.is_some_and(|grade| grade >= self.options.min_relevance)
    }

    /// The rank of a retrieved document, where it lies within the cut-off.
    pub fn within(&self, rank: Option<u32>) -> Option<u32> {
        rank.filter(|rank| *rank <= self.cutoff())
    }

    /// The last rank that counts.
    pub fn cutoff(&self) -> u32 {
        self.metric.cutoff().map_or(u32::MAX, |k| k.get())
    }

    pub fn gain(&self) -> Gain {
        self.options.gain
    }

    /// Whether foreign bytes made options that [`Options::new`] refuses.
    pub fn is_sound(&self) -> bool {
        self.options.min_relevance >= 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_makes_no_sense() {
        assert_eq!(Options::new(-1, Gain::Linear), Err(OptionsError::MinRelevance(-1)));
        assert!(Options::new(0, Gain::Linear).is_ok());
        assert_eq!("Exponential".parse(), Ok(Gain::Exponential));
        let error = "log".parse::<Gain>().unwrap_err();
        assert_eq!(error.to_string(), "unknown gain \"log\": there are linear, exponential");
    }

    #[test]
    fn the_largest_exponential_gain_is_finite_in_any_sum() {
        let gain = Gain::Exponential.of(Gain::MAX_EXPONENTIAL_GRADE);
        assert!((gain * f64::from(u32::MAX)).is_finite());
    }
}
