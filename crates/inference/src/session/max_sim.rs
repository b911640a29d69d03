//! Token states to scores: late interaction (Khattab and Zaharia 2020, arXiv:2004.12832).

use super::graph::{Graph, LoadOptions};
use super::tensor::{Tensor, floats, one};
use super::text_graph::{TOKEN_STATES, TokenStates};
use crate::cancel::Cancel;
use ndarray::{Array2, ArrayD, Axis, Ix3};
use ort::session::SessionInputValue;
use protocol::{Fault, FaultCode};

/// Made by `models/export/pooling.py`, kept as bytes so that nothing has to be found on disk.
const GRAPH: &[u8] = include_bytes!("../../pooling/max_sim.onnx");

const QUERY: &str = "query_embeddings";
const SCORED: &str = "scored";
const SCORES: &str = "scores";

/// The graph that compares: for each token of the query the nearest of a text's, averaged.
pub struct MaxSim(Graph);

impl MaxSim {
    /// Loads the graph.
    pub fn load(options: &LoadOptions, cancel: &Cancel) -> Result<Self, Fault> {
        Graph::from_memory(GRAPH, options, cancel).map(Self)
    }

    /// One score a text, in [-1, 1].
    ///
    /// `query` is Q × H, each row of length 1; `states` is B × S × H, of any length; `scored` is B × S,
    /// 1 for the tokens that are compared, of which each text has one at least.
    pub fn scores(
        &self,
        query: Array2<f32>,
        states: TokenStates,
        scored: Array2<i64>,
        cancel: &Cancel,
    ) -> Result<ArrayD<f32>, Fault> {
        let inputs = vec![
            (QUERY.into(), Tensor::from(query).into_value()?),
            (TOKEN_STATES[0].into(), SessionInputValue::from(states.0)),
            (SCORED.into(), Tensor::from(scored).into_value()?),
        ];
        floats(&one(self.0.run_values(inputs, [SCORES], cancel)?)?)
    }
}

impl TokenStates {
    /// The states of the only text, which has so many tokens: S × H.
    pub fn of_one_text(&self, tokens: usize) -> Result<Array2<f32>, Fault> {
        let states = floats(&self.0)?;
        let shape = states.shape().to_vec();
        let other = || {
            Fault::new(FaultCode::ConfigFile, "the model's token states have another shape")
                .detail(format!("{shape:?} came for one text of {tokens} tokens."))
                .hint(super::CONTRACT)
        };
        let states = states.into_dimensionality::<Ix3>().map_err(|_| other())?;
        match states.dim() {
            (1, found, 1..) if found == tokens => Ok(states.index_axis_move(Axis(0), 0)),
            _ => Err(other()),
        }
    }
}
