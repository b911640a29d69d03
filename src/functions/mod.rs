//! The SQL surface, a file a subject: arguments → request → `engine` → Datum. No logic lives here.
#![allow(unsafe_code, reason = "what #[pg_extern] expands to; none is written by hand")]

mod columns;
mod embed;
mod engine;
mod evaluation;
mod item_bank;
mod models;
mod named_model;
mod rerank;
mod rerank_batch;
mod rows;
mod worker;
