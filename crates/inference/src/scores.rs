//! What a reranker's run gives, made into scores.

use crate::family::Spec;
use crate::work::{Outcomes, Output};
use ndarray::ArrayD;
use protocol::{Fault, FaultCode};

/// The raw outputs of a run, one a row: B or B × 1. A row without a number fails alone.
pub fn of_rows(found: &ArrayD<f32>, expected: usize, spec: &Spec) -> Result<Outcomes, Fault> {
    let shape = found.shape();
    if shape != [expected] && shape != [expected, 1] {
        let got: Vec<String> = shape.iter().map(usize::to_string).collect();
        return Err(spec
            .directory
            .broken("it does not give one score a pair")
            .detail(format!("{} came for {expected} pairs.", got.join(" × "))));
    }
    Ok(found.iter().map(|score| finite(*score, spec).map(Output::Score)).collect())
}

/// The scores of a reranker with an activation, one a row.
pub fn finish(found: &ArrayD<f32>, expected: usize, spec: &Spec) -> Result<Outcomes, Fault> {
    // A checked manifest of a reranker has one.
    let activation = spec.manifest.activation.ok_or_else(|| {
        spec.directory.broken("its manifest has no activation").detail("It is a reranker.")
    })?;
    let activate = |output| match output {
        Output::Score(logit) => Output::Score(activation.of(logit)),
        vector => vector,
    };
    Ok(of_rows(found, expected, spec)?.into_iter().map(|row| row.map(activate)).collect())
}

fn finite(score: f32, spec: &Spec) -> Result<f32, Fault> {
    if score.is_finite() {
        return Ok(score);
    }
    let message = format!("model {:?} gave a score that is no number", spec.manifest.name);
    Err(Fault::new(FaultCode::Internal, message)
        .detail(format!("It is {score}; no score was given out."))
        .hint("Use another precision of the model (fp32), and report the input."))
}
