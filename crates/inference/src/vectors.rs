//! What a run gives, made into what is stored: checked, cut, of length 1.

use crate::family::Spec;
use crate::work::{Outcomes, Output};
use ndarray::ArrayD;
use protocol::{Fault, FaultCode};

/// Checks a run's rows, cuts each to its number of `dimensions`, one a row, and scales them to length 1
/// where the manifest says so. A row without a direction fails alone.
pub fn finish(rows: ArrayD<f32>, dimensions: &[usize], spec: &Spec) -> Result<Outcomes, Fault> {
    let manifest = spec.manifest;
    let whole = manifest.vector_dimensions()?;
    if rows.shape() != [dimensions.len(), whole] {
        let got: Vec<String> = rows.shape().iter().map(usize::to_string).collect();
        return Err(spec
            .directory
            .broken("its vectors do not have the manifest's dimensions")
            .detail(format!(
                "{} came for {} inputs; the manifest says {whole} dimensions.",
                got.join(" × "),
                dimensions.len()
            )));
    }
    let finished = rows.rows().into_iter().zip(dimensions).map(|(row, dimensions)| {
        let mut vector: Vec<f32> = row.iter().take(*dimensions).copied().collect();
        // A shortened vector is always scaled again: its length says nothing any more.
        let usable = match manifest.normalize || *dimensions < whole {
            true => normalize(&mut vector),
            false => vector.iter().all(|x| x.is_finite()) && vector.iter().any(|x| *x != 0.0),
        };
        if usable { Ok(Output::Vector(vector)) } else { Err(no_direction(&manifest.name)) }
    });
    Ok(finished.collect())
}

/// Scales to Euclidean length 1; `false` where there is no direction: zero, infinite or NaN.
fn normalize(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for x in &mut *vector {
        *x = (f64::from(*x) / length) as f32;
    }
    length > 0.0 && length.is_finite()
}

fn no_direction(model: &str) -> Fault {
    Fault::new(FaultCode::Internal, format!("model {model:?} gave a vector without a direction"))
        .detail("It is zero or not finite; nothing was stored.")
        .hint("Use another precision of the model (fp32), and report the input.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_and_knows_what_has_no_direction() {
        let mut v = vec![3.0, 4.0];
        assert!(normalize(&mut v));
        assert_eq!(v, [0.6, 0.8]);
        for bad in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]] {
            assert!(!normalize(&mut bad.clone()));
        }
    }
}
