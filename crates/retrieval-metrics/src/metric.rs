//! The metrics by name: what is computed, and up to which rank.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// A retrieval metric. `k` is its cut-off: only the documents of ranks 1 to `k` count.
///
/// Read from and written as a name, in any case: `recall@5`, `precision@5` (or `p@5`),
/// `hit_rate@5` (`success@5`), `mrr`, `mrr@10`, `map`, `map@10`, `ndcg@10`, `r_precision`
/// (`rprec`), `bpref`, `judged@10`.
///
/// R = the relevant documents of the query, retrieved or not. All values lie in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Metric {
    /// Relevant documents among the first `k`, over R; trec_eval's `recall`.
    Recall(NonZeroU32),
    /// Relevant documents among the first `k`, over `k` even where fewer were retrieved; `P`.
    Precision(NonZeroU32),
    /// 1 where a relevant document is among the first `k`; `success`.
    HitRate(NonZeroU32),
    /// 1 / the rank of the first relevant document, 0 beyond the cut-off; `recip_rank`.
    ReciprocalRank(Option<NonZeroU32>),
    /// Sum of the precisions at the relevant documents, over R also with a cut-off; `map`, `map_cut`.
    AveragePrecision(Option<NonZeroU32>),
    /// Discounted cumulative gain over the best that the judgements allow; `ndcg_cut`.
    Ndcg(NonZeroU32),
    /// Relevant documents among the first R, over R; `Rprec`.
    RPrecision,
    /// Preferences of relevant over judged non-relevant documents that the run keeps; `bpref`.
    Bpref,
    /// Judged documents among the first `k`, over `k`: how far the others can be trusted.
    Judged(NonZeroU32),
}

/// A name that is no metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// No metric has this name.
    #[error("unknown metric {name:?}: there are {}", Metric::NAMES)]
    Unknown {
        /// As it was given.
        name: String,
    },
    /// The metric needs a cut-off.
    #[error("{name} needs a cut-off, as in {name}@10")]
    CutoffMissing {
        /// The metric without its cut-off.
        name: &'static str,
    },
    /// The cut-off is no rank.
    #[error("the cut-off of {name} must be a whole number from 1 to {}, not {cutoff:?}", u32::MAX)]
    CutoffInvalid {
        /// The metric without its cut-off.
        name: &'static str,
        /// As it was given.
        cutoff: String,
    },
    /// The metric has no cut-off.
    #[error("{name} has no cut-off, but @{cutoff} was given")]
    CutoffUnexpected {
        /// The metric without its cut-off.
        name: &'static str,
        /// As it was given.
        cutoff: String,
    },
}

impl Metric {
    /// Every name that is understood, as error messages list them.
    pub const NAMES: &str = "recall@k, precision@k (p@k), hit_rate@k (success@k), mrr, mrr@k, \
                             map, map@k, ndcg@k, r_precision (rprec), bpref, judged@k";

    /// The cut-off, where the metric has one.
    pub fn cutoff(self) -> Option<NonZeroU32> {
        match self {
            Self::Recall(k)
            | Self::Precision(k)
            | Self::HitRate(k)
            | Self::Ndcg(k)
            | Self::Judged(k) => Some(k),
            Self::ReciprocalRank(k) | Self::AveragePrecision(k) => k,
            Self::RPrecision | Self::Bpref => None,
        }
    }

    /// The name without the cut-off.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recall(_) => "recall",
            Self::Precision(_) => "precision",
            Self::HitRate(_) => "hit_rate",
            Self::ReciprocalRank(_) => "mrr",
            Self::AveragePrecision(_) => "map",
            Self::Ndcg(_) => "ndcg",
            Self::RPrecision => "r_precision",
            Self::Bpref => "bpref",
            Self::Judged(_) => "judged",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.cutoff().map_or(Ok(()), |k| write!(f, "@{k}"))
    }
}

impl FromStr for Metric {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        let lower = text.trim().to_ascii_lowercase();
        let (name, cutoff) = match lower.split_once('@') {
            Some((name, cutoff)) => (name, Some(cutoff)),
            None => (lower.as_str(), None),
        };
        match name {
            "recall" => required("recall", cutoff).map(Self::Recall),
            "precision" | "p" => required("precision", cutoff).map(Self::Precision),
            "hit_rate" | "success" => required("hit_rate", cutoff).map(Self::HitRate),
            "mrr" => optional("mrr", cutoff).map(Self::ReciprocalRank),
            "map" => optional("map", cutoff).map(Self::AveragePrecision),
            "ndcg" => required("ndcg", cutoff).map(Self::Ndcg),
            "r_precision" | "rprec" => none("r_precision", cutoff).map(|()| Self::RPrecision),
            "bpref" => none("bpref", cutoff).map(|()| Self::Bpref),
            "judged" => required("judged", cutoff).map(Self::Judged),
            _ => Err(MetricError::Unknown { name: text.to_owned() }),
        }
    }
}

fn required(name: &'static str, cutoff: Option<&str>) -> Result<NonZeroU32, MetricError> {
    optional(name, cutoff)?.ok_or(MetricError::CutoffMissing { name })
}

fn optional(name: &'static str, cutoff: Option<&str>) -> Result<Option<NonZeroU32>, MetricError> {
    let Some(text) = cutoff else { return Ok(None) };
    let digits = text.bytes().all(|b| b.is_ascii_digit()); // `parse` would take a sign
    match text.parse() {
        Ok(k) if digits => Ok(Some(k)),
        _ => Err(MetricError::CutoffInvalid { name, cutoff: text.to_owned() }),
    }
}

fn none(name: &'static str, cutoff: Option<&str>) -> Result<(), MetricError> {
    match cutoff {
        None => Ok(()),
        Some(text) => Err(MetricError::CutoffUnexpected { name, cutoff: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn k(k: u32) -> NonZeroU32 {
        NonZeroU32::new(k).unwrap()
    }

    #[test]
    fn reads_every_name_and_writes_the_canonical_one() {
        for (given, metric, written) in [
            ("recall@5", Metric::Recall(k(5)), "recall@5"),
            ("P@5", Metric::Precision(k(5)), "precision@5"),
            ("precision@1", Metric::Precision(k(1)), "precision@1"),
            ("Success@3", Metric::HitRate(k(3)), "hit_rate@3"),
            ("hit_rate@3", Metric::HitRate(k(3)), "hit_rate@3"),
            ("MRR", Metric::ReciprocalRank(None), "mrr"),
            ("mrr@10", Metric::ReciprocalRank(Some(k(10))), "mrr@10"),
            (" map ", Metric::AveragePrecision(None), "map"),
            ("map@1000", Metric::AveragePrecision(Some(k(1000))), "map@1000"),
            ("nDCG@10", Metric::Ndcg(k(10)), "ndcg@10"),
            ("Rprec", Metric::RPrecision, "r_precision"),
            ("r_precision", Metric::RPrecision, "r_precision"),
            ("bpref", Metric::Bpref, "bpref"),
            ("judged@4294967295", Metric::Judged(k(u32::MAX)), "judged@4294967295"),
        ] {
            assert_eq!(given.parse(), Ok(metric), "{given}");
            assert_eq!(metric.to_string(), written);
            assert_eq!(written.parse(), Ok(metric));
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_name() {
        let message = |name: &str| name.parse::<Metric>().unwrap_err().to_string();
        assert!(message("recal@5").starts_with("unknown metric \"recal@5\": there are recall@k, "));
        assert_eq!(message("ndcg"), "ndcg needs a cut-off, as in ndcg@10");
        assert_eq!(message("P"), "precision needs a cut-off, as in precision@10");
        for bad in ["", "0", "-1", "+5", "ten", "1.5", "5@5", "4294967296", " 5"] {
            let shown = format!("must be a whole number from 1 to 4294967295, not {bad:?}");
            assert!(message(&format!("recall@{bad}")).ends_with(&shown), "{bad}");
        }
        assert_eq!(message("bpref@10"), "bpref has no cut-off, but @10 was given");
        assert!(message("").starts_with("unknown metric \"\""));
    }
}
