//! ONNX graphs in memory: the only room that names `ort`.
//!
//! A [`Graph`] is one loaded graph with named inputs and outputs; a [`TextGraph`] takes token ids
//! and a mask and gives one row a text, B × D: pooled by the graph itself, or by a second tiny
//! graph, so that the token states of a batch (B × S × H) never leave ONNX Runtime. A [`MaxSim`] compares
//! such states with a query's, one score a text.
//!
//! Load and run with all signals blocked, since both may start threads that inherit the mask.

mod graph;
mod max_sim;
mod placement;
mod runtime;
mod tensor;
mod text_graph;

pub use graph::{Element, Graph, LoadOptions};
pub use max_sim::MaxSim;
pub use runtime::take_messages;
pub use text_graph::TextGraph;

const CONTRACT: &str =
    "See models/README.md for the inputs and outputs that a graph must have, and export it again.";

fn sentence(text: String) -> String {
    format!("{}.", text.trim_end().trim_end_matches('.'))
}
