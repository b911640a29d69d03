//! Requests: what a session asks for.

use crate::{Fault, FaultCode};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// One request of one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Turn inputs into vectors.
    Embed(Embed),
    /// Score candidates against a query.
    Rerank(Rerank),
    /// Count the tokens of a text as the model would see it.
    CountTokens(CountTokens),
    /// How many elements the vectors of a model have.
    Dimensions(String),
    /// List the installed models.
    Models,
    /// Load a model now, all of it.
    Load(String),
    /// Let a model go.
    Unload(String),
    /// How the engine process fares.
    Status,
    /// Set the engine's statistics to zero.
    ResetStatistics,
}

/// Turn `inputs` into vectors of one model, in the order given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Embed {
    /// Name of the model's directory.
    pub model: String,
    /// Which of the model's prompts to use.
    pub task: Task,
    /// Replaces the model's default instruction, where its prompts take one.
    pub instruction: Option<String>,
    /// Shorter vectors (Matryoshka), where the manifest allows it.
    pub dimensions: Option<usize>,
    /// The rows; an empty one gives no vector.
    #[serde(with = "crate::wire::inputs")]
    pub inputs: Vec<Input>,
}

/// One row: a text, images, both, or nothing (SQL NULL).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Input {
    /// UTF-8 text; `None` where SQL had NULL.
    pub text: Option<String>,
    /// Encoded image files (PNG, JPEG, …), in order.
    #[serde(with = "crate::wire::images")]
    pub images: Vec<Vec<u8>>,
}

impl Input {
    /// Whether there is nothing to embed.
    pub fn is_null(&self) -> bool {
        self.text.is_none() && self.images.is_empty()
    }
}

/// Score each candidate against the query by one model, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rerank {
    /// Name of the model's directory.
    pub model: String,
    /// Replaces the model's default instruction, where its prompt takes one.
    pub instruction: Option<String>,
    /// What is searched for.
    pub query: Input,
    /// What was found; an empty one gets no score.
    #[serde(with = "crate::wire::inputs")]
    pub candidates: Vec<Input>,
}

/// Count the tokens of `input`, prompt and special tokens included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountTokens {
    /// Name of the model's directory.
    pub model: String,
    /// The text, counted under the `document` prompt.
    pub input: String,
}

/// What a text is: picks the model's prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Task {
    /// What somebody searches with.
    Query,
    /// What is stored and found.
    #[default]
    Document,
}

impl Task {
    /// The name used in SQL and in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Query => "query",
            Task::Document => "document",
        }
    }
}

impl FromStr for Task {
    type Err = Fault;

    fn from_str(name: &str) -> Result<Self, Fault> {
        match name {
            "query" => Ok(Task::Query),
            "document" => Ok(Task::Document),
            other => {
                Err(Fault::new(FaultCode::InvalidParameter, format!("unrecognized task {other:?}"))
                    .detail("A task picks the prompt that the model was trained with.")
                    .hint(
                        "Use 'query' for what is searched with and 'document' for what is stored.",
                    ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_names_round_trip_and_others_are_refused() {
        for task in [Task::Query, Task::Document] {
            assert_eq!(task.as_str().parse(), Ok(task));
        }
        let fault = "Query".parse::<Task>().unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidParameter);
        assert!(fault.hint.is_some() && fault.detail.is_some());
    }
}
