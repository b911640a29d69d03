//! How far assessors agree.

use super::invalid;
use crate::postgres::error::raise;
use pgrx::prelude::*;
use protocol::{Fault, FaultCode};
use retrieval_metrics::agreement::{self, Weights};

/// Cohen's kappa of two assessors' grades of the same pairs; NULL where it is not defined.
#[pg_extern(sql = false)]
fn cohen_kappa(a: Vec<Option<i32>>, b: Vec<Option<i32>>, weights: &str) -> Option<f64> {
    kappa(a, b, weights).unwrap_or_else(raise)
}

/// Fleiss' kappa: grades, one subject behind the other, of so many assessors each.
#[pg_extern(sql = false)]
fn fleiss_kappa_of(grades: Vec<Option<i32>>, assessors: i32) -> Option<f64> {
    fleiss(grades, assessors).unwrap_or_else(raise)
}

fn kappa(a: Vec<Option<i32>>, b: Vec<Option<i32>>, weights: &str) -> Result<Option<f64>, Fault> {
    if a.len() != b.len() {
        return Err(Fault::new(
            FaultCode::InvalidParameter,
            "the two lists of grades differ in length",
        )
        .detail(format!("There are {} and {}.", a.len(), b.len()))
        .hint("Give both assessors' grades of the same pairs, in the same order."));
    }
    let weights = match weights {
        "none" => Weights::Unweighted,
        "linear" => Weights::Linear,
        "quadratic" => Weights::Quadratic,
        other => {
            return Err(invalid(
                &format!("weights is {other:?}"),
                "Use 'none', 'linear' or 'quadratic'.",
            ));
        }
    };
    // A pair that one of them has not judged says nothing of agreement.
    let pairs: Vec<(i32, i32)> = a.into_iter().zip(b).filter_map(|(a, b)| Some((a?, b?))).collect();
    Ok(agreement::cohen_kappa(&pairs, weights))
}

fn fleiss(grades: Vec<Option<i32>>, assessors: i32) -> Result<Option<f64>, Fault> {
    let hint = "Give each subject's grades one behind the other, one an assessor, without NULLs.";
    let wrong = |what: String| invalid(&what, hint);
    let size = usize::try_from(assessors).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| wrong(format!("assessors is {assessors}")))?;
    let known: Option<Vec<i32>> = grades.into_iter().collect();
    let known = known.ok_or_else(|| wrong("a grade is NULL".to_owned()))?;
    if known.len() % size != 0 {
        return Err(wrong(format!("{} grades are no multiple of {size}", known.len())));
    }
    let subjects: Vec<&[i32]> = known.chunks(size).collect();
    agreement::fleiss_kappa(&subjects).map_err(|error| invalid(&error, hint))
}
