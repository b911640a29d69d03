//! Two models' vectors as one: a text's followed by an image's.
//!
//! Each half is of length 1, so that text and image weigh the same, and so is the whole. A side
//! that is NULL is zeros, as in the study that this follows: then cosine compares what both rows
//! have. Of two rows with both sides it is the mean of the two cosines, of two texts the texts'
//! cosine, and of a text against a row with both the texts' cosine divided by √2.

use protocol::{Embed, Fault};

/// A fault, and whether it is the image model's.
pub type Side = (Fault, bool);

/// One vector a row of the two requests, `None` where both are null.
///
/// `embed` answers a request, `dimensions` says how long the vectors of a model are.
pub fn embed_combined(
    texts: Embed,
    images: Embed,
    embed: impl Fn(Embed) -> Result<Vec<Option<Vec<f32>>>, Fault>,
    dimensions: impl Fn(&str) -> Result<usize, Fault>,
) -> Result<Vec<Option<Vec<f32>>>, Side> {
    if texts.inputs.iter().chain(&images.inputs).all(protocol::Input::is_null) {
        return Ok(vec![None; texts.inputs.len()]);
    }
    let half = |request: Embed| {
        let model = request.model.clone();
        let vectors = embed(request)?;
        // Only a side without any vector has to be asked how long one is.
        let size = vectors.iter().flatten().next().map(Vec::len);
        Ok((size.map_or_else(|| dimensions(&model), Ok)?, vectors))
    };
    let (text_size, texts) = half(texts).map_err(|fault| (fault, false))?;
    let (image_size, images) = half(images).map_err(|fault| (fault, true))?;
    let join = |(text, image): (Option<Vec<f32>>, Option<Vec<f32>>)| {
        if text.is_none() && image.is_none() {
            return None;
        }
        let text = text.map_or_else(|| vec![0.0; text_size], unit);
        let image = image.map_or_else(|| vec![0.0; image_size], unit);
        Some(unit([text, image].concat()))
    };
    Ok(texts.into_iter().zip(images).map(join).collect())
}

/// Of length 1; the engine refuses vectors without direction.
fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for x in &mut vector {
        *x = (f64::from(*x) / length) as f32;
    }
    vector
}
