//! The order of one query's run out of scores, ties as trec_eval breaks them.

use std::cmp::Ordering;
use std::str::FromStr;

/// How equal scores are told, and ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tie {
    /// As trec_eval 9 and pytrec_eval: scores compared as f32, equal ones by document id,
    /// descending in byte order ('9' before '10', 나 before 가 before B).
    #[default]
    Trec9,
    /// As trec_eval 10: the same with scores compared as f64.
    Trec10,
    /// The caller's own order; scores are not compared.
    Given,
}

/// No tie rule has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown tie {0:?}: there are trec9, trec10, given")]
pub struct TieError(String);

impl FromStr for Tie {
    type Err = TieError;

    fn from_str(text: &str) -> Result<Self, TieError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "trec9" => Ok(Self::Trec9),
            "trec10" => Ok(Self::Trec10),
            "given" => Ok(Self::Given),
            _ => Err(TieError(text.to_owned())),
        }
    }
}

/// A run that has no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A score is not a number.
    #[error("the score of document {document:?} is NaN")]
    NanScore {
        /// Its id.
        document: String,
    },
    /// A document stands twice in the run of the query.
    #[error("document {document:?} occurs twice in the run")]
    DuplicateDocument {
        /// Its id.
        document: String,
    },
    /// More documents than there are ranks.
    #[error("more than {} documents", u32::MAX)]
    TooManyDocuments,
}

/// The rank, from 1, of each `(document id, score)` of one query's run, in the order given.
///
/// The highest score has rank 1; infinite scores are ordered like others, and −0.0 equals 0.0.
/// NaN and duplicate documents are errors under every [`Tie`], [`Tie::Given`] included.
pub fn ranks(run: &[(&str, f64)], tie: Tie) -> Result<Vec<u32>, OrderError> {
    let documents = u32::try_from(run.len()).map_err(|_| OrderError::TooManyDocuments)?;
    if let Some((document, _)) = run.iter().find(|(_, score)| score.is_nan()) {
        return Err(OrderError::NanScore { document: (*document).to_owned() });
    }
    let mut order: Vec<usize> = (0..run.len()).collect();
    order.sort_unstable_by(|a, b| run[*b].0.cmp(run[*a].0));
    if let Some(twice) = order.windows(2).find(|pair| run[pair[0]].0 == run[pair[1]].0) {
        return Err(OrderError::DuplicateDocument { document: run[twice[0]].0.to_owned() });
    }
    match tie {
        Tie::Given => return Ok((1..=documents).collect()),
        Tie::Trec9 => order.sort_by(|a, b| descending(run[*a].1 as f32, run[*b].1 as f32)),
        Tie::Trec10 => order.sort_by(|a, b| descending(run[*a].1, run[*b].1)),
    }
    let mut ranks = vec![0; run.len()];
    for (index, rank) in order.into_iter().zip(1..) {
        ranks[index] = rank;
    }
    Ok(ranks)
}

/// Neither is NaN.
fn descending<T: PartialOrd>(a: T, b: T) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_ties_by_document_id_descending_in_byte_order() {
        let run = [("10", 0.5), ("9", 0.5), ("B", 0.5), ("가", 0.5), ("나", 0.5), ("", 0.5)];
        assert_eq!(ranks(&run, Tie::Trec9), Ok(vec![5, 4, 3, 2, 1, 6]));
        assert_eq!(ranks(&run, Tie::Trec10), Ok(vec![5, 4, 3, 2, 1, 6]));
        assert_eq!(ranks(&run, Tie::Given), Ok(vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn near_ties_are_ties_as_f32_alone() {
        let run = [("a", 0.5 + 1e-11), ("b", 0.5)];
        assert_eq!(ranks(&run, Tie::Trec9), Ok(vec![2, 1]));
        assert_eq!(ranks(&run, Tie::Trec10), Ok(vec![1, 2]));
    }

    #[test]
    fn orders_infinities_zeros_and_what_f32_cannot_hold() {
        let run = [("a", f64::NEG_INFINITY), ("b", f64::INFINITY), ("c", 1e300), ("d", 0.0)];
        assert_eq!(ranks(&run, Tie::Trec10), Ok(vec![4, 1, 2, 3]));
        assert_eq!(ranks(&run, Tie::Trec9), Ok(vec![4, 2, 1, 3])); // 1e300 is infinite as f32
        for tie in [Tie::Trec9, Tie::Trec10] {
            assert_eq!(ranks(&[("a", 0.0), ("b", -0.0)], tie), Ok(vec![2, 1]));
            assert_eq!(ranks(&[("b", 0.0), ("a", -0.0)], tie), Ok(vec![1, 2]));
        }
        assert_eq!(ranks(&[("a", 1e-60), ("b", 0.0)], Tie::Trec9), Ok(vec![2, 1]));
        assert_eq!(ranks(&[], Tie::Trec9), Ok(vec![]));
    }

    #[test]
    fn names_the_document_that_is_wrong() {
        for tie in [Tie::Trec9, Tie::Trec10, Tie::Given] {
            let error = ranks(&[("a", 1.0), ("문항", f64::NAN)], tie).unwrap_err();
            assert_eq!(error.to_string(), "the score of document \"문항\" is NaN");
            let error = ranks(&[("문항", 1.0), ("b", 0.5), ("문항", 0.1)], tie).unwrap_err();
            assert_eq!(error.to_string(), "document \"문항\" occurs twice in the run");
        }
    }

    #[test]
    fn reads_its_name() {
        assert_eq!("TREC10".parse(), Ok(Tie::Trec10));
        let error = "trec".parse::<Tie>().unwrap_err();
        assert_eq!(error.to_string(), "unknown tie \"trec\": there are trec9, trec10, given");
    }
}
