//! Qwen3-VL: images and text in one sequence, as an embedder one vector, as a reranker one score.
//!
//! Source: Qwen3-VL-Embedding and Qwen3-VL-Reranker (QwenLM, 2026): prompts, sizes, pooling and
//! truncation as their reference code.

mod chat;
mod embedder;
mod positions;
mod reranker;
mod towers;
mod vision;

pub use embedder::Qwen3VlEmbedder;
pub use reranker::Qwen3VlReranker;
