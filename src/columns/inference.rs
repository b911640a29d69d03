//! Contents to vectors: those that cannot be embedded are found and told from those that can.

use crate::columns::definition::Definition;
use crate::columns::model;
use crate::columns::worker::time;
use protocol::{Embed, Embeddings, Fault, FaultCode, Input, Task, Urgency};
use std::collections::HashMap;

/// Contents of one request.
const REQUEST: usize = 256;

/// A vector, and what made it.
#[derive(Debug, Clone)]
pub struct Made {
    /// `None` where there was nothing to embed.
    pub vector: Option<Vec<f32>>,
    /// Of the model.
    pub fingerprint: String,
}

/// One result a content, by its hash.
///
/// # Errors
/// Faults that are no content's own.
pub fn embed_each(
    definition: &Definition,
    contents: &[(&str, &Input)],
    urgency: Option<Urgency>,
) -> Result<HashMap<String, Result<Made, Fault>>, Fault> {
    let mut made = HashMap::new();
    let mut parts: Vec<&[(&str, &Input)]> = contents.chunks(REQUEST).collect();
    while let Some(part) = parts.pop() {
        match embed(definition, part, urgency) {
            Ok(Embeddings { vectors, fingerprint }) => {
                for ((hash, _), vector) in part.iter().zip(vectors) {
                    let fingerprint = fingerprint.clone();
                    made.insert((*hash).to_owned(), Ok(Made { vector, fingerprint }));
                }
            }
            Err(fault) if !may_be_of_content(&fault) => return Err(fault),
            Err(fault) => match part {
                [(hash, _)] => {
                    made.insert((*hash).to_owned(), Err(fault));
                }
                _ => {
                    let (one, other) = part.split_at(part.len() / 2);
                    parts.extend([one, other]);
                }
            },
        }
    }
    Ok(made)
}

fn embed(
    definition: &Definition,
    contents: &[(&str, &Input)],
    urgency: Option<Urgency>,
) -> Result<Embeddings, Fault> {
    let request = Embed {
        model: definition.model.clone(),
        task: Task::Document,
        instruction: None,
        dimensions: definition.dimensions,
        inputs: contents.iter().map(|(_, input)| (*input).clone()).collect(),
    };
    time::of_run(|| model::embed(request, urgency))
}

/// Whether another content might fare better.
fn may_be_of_content(fault: &Fault) -> bool {
    match fault.code {
        FaultCode::InvalidParameter
        | FaultCode::InvalidBinary
        | FaultCode::LimitExceeded
        | FaultCode::Internal => true,
        FaultCode::UndefinedObject
        | FaultCode::ConfigFile
        | FaultCode::NotInPrerequisiteState
        | FaultCode::InsufficientResources
        | FaultCode::ConnectionFailure
        | FaultCode::Canceled => false,
    }
}
