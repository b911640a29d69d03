//! What a reranker's run gives, made into scores.

use crate::family::Model;
use ndarray::ArrayD;
use protocol::{Fault, FaultCode};

/// The raw outputs of a run, one a row: B or B × 1.
pub fn of_rows(found: &ArrayD<f32>, expected: usize, model: &Model) -> Result<Vec<f32>, Fault> {
    let shape = found.shape();
    if shape != [expected] && shape != [expected, 1] {
        let got: Vec<String> = shape.iter().map(usize::to_string).collect();
        return Err(model
            .directory
            .broken("it does not give one score a pair")
            .detail(format!("{} came for {expected} pairs.", got.join(" × "))));
    }
    found.iter().map(|score| finite(*score, model)).collect()
}

/// The scores of a reranker with an activation, one a row.
pub fn finish(found: &ArrayD<f32>, expected: usize, model: &Model) -> Result<Vec<f32>, Fault> {
    let raw = of_rows(found, expected, model)?;
    // A checked manifest of a reranker has one.
    let activation = model.manifest.activation.ok_or_else(|| {
        model.directory.broken("its manifest has no activation").detail("It is a reranker.")
    })?;
    Ok(raw.into_iter().map(|logit| activation.of(logit)).collect())
}

fn finite(score: f32, model: &Model) -> Result<f32, Fault> {
    if score.is_finite() {
        return Ok(score);
    }
    let message = format!("model {:?} gave a score that is no number", model.manifest.name);
    Err(Fault::new(FaultCode::Internal, message)
        .detail(format!("It is {score}; no score was given out."))
        .hint("Use another precision of the model (fp32), and report the input."))
}
