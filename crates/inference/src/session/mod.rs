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
pub use runtime::{give_memory_back, take_messages};
pub use text_graph::TextGraph;

use protocol::{Fault, FaultCode};

const CONTRACT: &str =
    "See models/README.md for the inputs and outputs that a graph must have, and export it again.";

/// Whether ONNX Runtime failed for want of memory: its errors have no code for it.
fn out_of_memory(error: &str) -> bool {
    const SIGNS: [&str; 4] =
        ["bad_alloc", "Failed to allocate memory", "out of memory", "Cannot allocate memory"];
    SIGNS.iter().any(|sign| error.contains(sign))
}

fn no_memory(what: &str, reason: String) -> Fault {
    Fault::new(FaultCode::InsufficientResources, format!("there is not enough memory to {what}"))
        .detail(sentence(reason))
        .hint(
            "Give the machine or the server's limits more memory, unload other models \
             (unload_model, itembank_embed.memory_limit), or lower itembank_embed.max_batch_tokens.",
        )
}

fn sentence(text: String) -> String {
    format!("{}.", text.trim_end().trim_end_matches('.'))
}
