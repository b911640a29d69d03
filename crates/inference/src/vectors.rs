//! What a run gives, made into what is stored: checked, cut, of length 1.

use crate::family::Model;
use ndarray::ArrayD;
use protocol::{Fault, FaultCode};

/// Checks a run's rows, cuts them to `dimensions` and scales them to length 1 where the manifest says so.
pub fn finish(
    rows: ArrayD<f32>,
    expected: usize,
    model: &Model,
    dimensions: usize,
) -> Result<Vec<Vec<f32>>, Fault> {
    let manifest = model.manifest;
    let whole = manifest.vector_dimensions()?;
    if rows.shape() != [expected, whole] {
        let got: Vec<String> = rows.shape().iter().map(usize::to_string).collect();
        return Err(model
            .directory
            .broken("its vectors do not have the manifest's dimensions")
            .detail(format!(
                "{} came for {expected} inputs; the manifest says {whole} dimensions.",
                got.join(" × ")
            )));
    }
    let cut = dimensions < whole;
    let finished = rows.rows().into_iter().map(|row| {
        let mut vector: Vec<f32> = row.iter().take(dimensions).copied().collect();
        // A shortened vector is always scaled again: its length says nothing any more.
        let usable = match manifest.normalize || cut {
            true => normalize(&mut vector),
            false => vector.iter().all(|x| x.is_finite()) && vector.iter().any(|x| *x != 0.0),
        };
        if usable { Ok(vector) } else { Err(no_direction(&manifest.name)) }
    });
    finished.collect()
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
