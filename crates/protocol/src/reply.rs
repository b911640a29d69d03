//! Replies: what a session gets back.

use crate::EngineStatus;
use serde::{Deserialize, Serialize};

/// The answer to one [`crate::Request`], of the same kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`crate::Embed`].
    Embeddings(Embeddings),
    /// To [`crate::Rerank`].
    Scores(Scores),
    /// To [`crate::CountTokens`].
    TokenCount(TokenCount),
    /// To [`crate::Request::Dimensions`].
    Dimensions(usize),
    /// To [`crate::Request::Models`].
    Models(Vec<ModelStatus>),
    /// To [`crate::Request::Load`] and [`crate::Request::Unload`]: whether anything changed by it.
    Changed(bool),
    /// To [`crate::Request::Status`].
    Status(Box<EngineStatus>),
    /// To [`crate::Request::ResetStatistics`].
    Reset,
}

/// One vector a row, in the order of the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Embeddings {
    /// `None` where the input was null.
    #[serde(with = "crate::wire::vectors")]
    pub vectors: Vec<Option<Vec<f32>>>,
    /// Fingerprint of the model that made them.
    pub fingerprint: String,
}

/// One score a candidate, in the order of the request; higher is better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// `None` where the candidate was null, or had nothing that could be compared.
    #[serde(with = "crate::wire::scores")]
    pub scores: Vec<Option<f32>>,
    /// Fingerprint of the model that made them.
    pub fingerprint: String,
}

/// The length of a text in tokens, prompt and special tokens included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCount {
    /// Before truncation.
    pub tokens: usize,
    /// After truncation to the model's limit: what the model sees.
    pub used: usize,
}

/// One installed model, or one directory that fails to be one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStatus {
    /// Name of the directory, and of the model.
    pub name: String,
    /// Architecture, such as `bert`; `None` where the directory has a problem.
    pub kind: Option<String>,
    /// What can be embedded: `text`, `image`.
    pub modalities: Vec<String>,
    /// Elements of a vector; `None` for a reranker, which gives scores.
    pub dimensions: Option<usize>,
    /// Longest input in tokens; the rest is cut.
    pub max_tokens: Option<usize>,
    /// Weights as stored: `fp32`, `fp16`, `int8`, `int4`.
    pub precision: Option<String>,
    /// Where the model runs, with the reason where it is not where it was wanted; `None` until it is loaded.
    pub device: Option<String>,
    /// Whether this engine holds the model in memory.
    pub loaded: bool,
    /// Size of the model's files.
    pub bytes: Option<u64>,
    /// sha256 over all that decides the vectors.
    pub fingerprint: Option<String>,
    /// Why the model cannot be used.
    pub problem: Option<String>,
}
