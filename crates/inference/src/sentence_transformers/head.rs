//! The head of a cross-encoder: one label, and what makes its logit a score.
//!
//! Source: sentence-transformers 5, `CrossEncoder`.

use super::json::Object;
use crate::manifest::Activation;
use protocol::Fault;

const CLASSIFIER: &str = "ForSequenceClassification";
/// What transformers takes where a configuration does not say.
const DEFAULT_LABELS: usize = 2;

/// Whether the configuration is that of a classifier.
pub fn classifies(config: &Object) -> Result<bool, Fault> {
    let architectures = config.list("architectures")?;
    Ok(architectures.iter().any(|name| name.ends_with(CLASSIFIER)))
}

/// What makes the logit a score; refuses a head with other than one label.
pub fn activation(config: &Object) -> Result<Activation, Fault> {
    let labels = match config.size("id2label")? {
        Some(labels) => labels,
        None => config.number("num_labels")?.unwrap_or(DEFAULT_LABELS),
    };
    if labels != 1 {
        return Err(config.unsupported(&format!("a classifier of {labels} labels")));
    }
    let newer = config.object("sentence_transformers")?;
    let newer = newer.as_ref().map(|object| object.text("activation_fn")).transpose()?.flatten();
    let older = config.text("sbert_ce_default_activation_function")?;
    let name = newer.or(older).unwrap_or("Sigmoid");
    match name.rsplit('.').next() {
        Some("Sigmoid") => Ok(Activation::Sigmoid),
        Some("Identity") => Ok(Activation::Identity),
        _ => Err(config.unsupported(&format!("the activation {name:?}"))),
    }
}
