//! A graph from tokens to one row a text, or to one row a token.

use super::graph::{Graph, LoadOptions};
use super::tensor::{Tensor, floats, one};
use crate::cancel::Cancel;
use crate::manifest::Pooling;
use ndarray::{Array2, ArrayD};
use ort::session::SessionInputValue;
use ort::value::DynValue;
use protocol::Fault;
use std::path::Path;

/// Pooled output of graphs that pool themselves.
const POOLED: &str = "sentence_embedding";
/// Token states, by the names that exporters give them.
pub(super) const TOKEN_STATES: [&str; 2] = ["token_embeddings", "last_hidden_state"];

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
/// Segment ids, all 0 for a single text; some exports want them.
const TOKEN_TYPES: &str = "token_type_ids";

/// The states of a batch's tokens, B × S × H, kept in ONNX Runtime.
pub struct TokenStates(pub(super) DynValue);

/// A loaded text encoder.
pub struct TextGraph {
    graph: Graph,
    /// Name of the output that is used: pooled rows, or token states for `pooling`.
    output: &'static str,
    /// Name of the output with token states, where there is one.
    states: Option<&'static str>,
    pooling: Option<Graph>,
    takes_token_types: bool,
}

impl TextGraph {
    /// Loads the graph at `path`; `pooling` is for graphs that leave it to us.
    pub fn load(
        path: &Path,
        options: &LoadOptions,
        pooling: Option<Pooling>,
        cancel: &Cancel,
    ) -> Result<Self, Fault> {
        let graph = Graph::load(path, options, cancel)?;
        graph.expect_names(&[IDS, MASK], &[TOKEN_TYPES])?;
        let states = TOKEN_STATES.into_iter().find(|name| graph.gives(name));
        let (output, pooling) = match (graph.gives(POOLED), states, pooling) {
            (true, _, _) => (POOLED, None),
            (false, Some(states), Some(pooling)) => {
                (states, Some(Graph::from_memory(pooling_graph(pooling), options, cancel)?))
            }
            _ => return Err(graph.no_output(&[POOLED, TOKEN_STATES[0], TOKEN_STATES[1]])),
        };
        let takes_token_types = graph.takes(TOKEN_TYPES);
        Ok(Self { graph, output, states, pooling, takes_token_types })
    }

    /// Where the graph runs, with the reason where it is not where `auto` would want it.
    pub fn device(&self) -> &str {
        self.graph.device()
    }

    /// Runs one batch: `ids` and `mask` are B × S, the result is B × D, not normalised by us.
    pub fn run(
        &self,
        ids: Array2<i64>,
        mask: Array2<i64>,
        cancel: &Cancel,
    ) -> Result<ArrayD<f32>, Fault> {
        let pooling_mask = self.pooling.is_some().then(|| mask.clone());
        let mut found = self.run_tokens(ids, mask, self.output, cancel)?;
        if let (Some(pooling), Some(mask)) = (&self.pooling, pooling_mask) {
            let states = (TOKEN_STATES[0].into(), SessionInputValue::from(found));
            let mask = (MASK.into(), Tensor::from(mask).into_value()?);
            found = one(pooling.run_values(vec![states, mask], [POOLED], cancel)?)?;
        }
        floats(&found)
    }

    /// Whether the graph gives the states of tokens, and not only pooled rows.
    pub fn gives_token_states(&self) -> bool {
        self.states.is_some()
    }

    /// Runs one batch: `ids` and `mask` are B × S, the result is B × S × H.
    pub fn token_states(
        &self,
        ids: Array2<i64>,
        mask: Array2<i64>,
        cancel: &Cancel,
    ) -> Result<TokenStates, Fault> {
        let states = self.states.ok_or_else(|| self.graph.no_output(&TOKEN_STATES))?;
        self.run_tokens(ids, mask, states, cancel).map(TokenStates)
    }

    fn run_tokens(
        &self,
        ids: Array2<i64>,
        mask: Array2<i64>,
        output: &str,
        cancel: &Cancel,
    ) -> Result<DynValue, Fault> {
        let mut inputs = Vec::with_capacity(3);
        if self.takes_token_types {
            inputs.push((TOKEN_TYPES.into(), Tensor::from(zeros_like(&ids)).into_value()?));
        }
        inputs.push((IDS.into(), Tensor::from(ids).into_value()?));
        inputs.push((MASK.into(), Tensor::from(mask).into_value()?));
        one(self.graph.run_values(inputs, [output], cancel)?)
    }
}

fn zeros_like(ids: &Array2<i64>) -> Array2<i64> {
    Array2::zeros(ids.raw_dim())
}

/// The second graph: token states and mask → one row a text.
///
/// Made by `models/export/pooling.py`, kept as bytes so that nothing has to be found on disk.
fn pooling_graph(pooling: Pooling) -> &'static [u8] {
    match pooling {
        Pooling::Mean => include_bytes!("../../pooling/mean.onnx"),
        Pooling::Cls => include_bytes!("../../pooling/cls.onnx"),
        Pooling::LastToken => include_bytes!("../../pooling/last_token.onnx"),
    }
}
