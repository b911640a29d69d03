//! The size that a Qwen-VL model sees a picture in: `smart_resize` of qwen_vl_utils 0.0.14.

use protocol::{Fault, FaultCode};

/// What sizes a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmartResize {
    /// Both sides become multiples of it: pixels of a patch times patches of a token, along a side.
    pub factor: usize,
    /// Fewest pixels in all.
    pub min_pixels: usize,
    /// Most pixels in all.
    pub max_pixels: usize,
    /// The longer side over the shorter one, at most.
    pub max_aspect_ratio: usize,
}

/// Multiples of the factor near width and height, with about their ratio, within the limits of
/// pixels: (width, height).
pub fn smart_resize(
    width: usize,
    height: usize,
    rule: &SmartResize,
) -> Result<(usize, usize), Fault> {
    let (w, h) = (width as f64, height as f64);
    if w.max(h) / w.min(h) > rule.max_aspect_ratio as f64 || width == 0 || height == 0 {
        return Err(too_elongated(width, height, rule.max_aspect_ratio));
    }
    let factor = rule.factor.max(1);
    let step = factor as f64;
    // Steps are counted in doubles and multiplied as integers, as Python does.
    let multiple = |steps: f64| (steps as usize).saturating_mul(factor);
    let near = |side: f64| multiple((side / step).round_ties_even()).max(factor);
    let (near_w, near_h) = (near(w), near(h));
    let pixels = near_w.saturating_mul(near_h);
    let area = width.saturating_mul(height) as f64;
    if pixels > rule.max_pixels {
        let beta = (area / rule.max_pixels as f64).sqrt();
        let below = |side: f64| multiple((side / beta / step).floor());
        return Ok((below(w).max(factor), below(h).max(factor)));
    }
    if pixels < rule.min_pixels {
        let beta = (rule.min_pixels as f64 / area).sqrt();
        let above = |side: f64| multiple((side * beta / step).ceil());
        return Ok((above(w), above(h)));
    }
    Ok((near_w, near_h))
}

fn too_elongated(width: usize, height: usize, limit: usize) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "image is too elongated")
        .detail(format!(
            "The image is {width} x {height} pixels; \
             the model takes sides whose ratio is at most {limit}."
        ))
        .hint("Crop the image, or cut it into several.")
}
