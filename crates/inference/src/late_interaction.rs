//! A text encoder as a reranker: each token of the query finds the candidate's nearest token.
//!
//! The score is the mean over the query's tokens of the largest cosine with a token of the candidate
//! (MaxSim; Khattab and Zaharia 2020, arXiv:2004.12832), over the states that the model pools for its
//! vectors: no weights but the encoder's are needed. Special tokens and prompts count on neither
//! side.

use crate::cancel::Cancel;
use crate::encoder::{Encoder, Row, refuse_images};
use crate::family::{Family, Spec, not_a_reranker};
use crate::lazy::Lazy;
use crate::manifest::Prompt;
use crate::place::Place;
use crate::scores;
use crate::text::{TextEncoder, pad_right};
use crate::work::{Outcomes, Plan, Planned, class_of_its_own, window};
use ndarray::{Array2, Axis};
use protocol::{Fault, FaultCode, Rerank, Task};
use std::slice::from_ref;
use std::sync::Arc;

/// A candidate's tokens, and which of them are compared.
pub struct Candidate {
    ids: Vec<u32>,
    own: Vec<bool>,
    /// Shared by the candidates of a window, which have a class of their own for it.
    query: Arc<Query>,
}

/// What candidates are compared with.
struct Query {
    ids: Vec<u32>,
    /// Places of the tokens that are compared; one at least.
    own: Vec<usize>,
    /// Their states, Q × H, each of length 1: of the first run that needs them.
    states: Lazy<Array2<f32>>,
}

/// Prepares a window of candidates; one without a token of its own gets no row.
pub fn plan(
    encoder: &Encoder,
    spec: &Spec,
    request: &Rerank,
    from: usize,
    cancel: &Cancel,
) -> Result<Plan<Row>, Fault> {
    refuse_images(from_ref(&request.query), |_, _| Place::Query, spec.manifest)?;
    refuse_images(&request.candidates, Place::Candidate, spec.manifest)?;
    // What an instruction is for is said to the query, as models are trained.
    let instruction = request.instruction.as_deref();
    let query_prompt = spec.manifest.prompt(Task::Query, instruction)?;
    let prompt = spec.manifest.prompt(Task::Document, None)?;
    let Some(query) = &request.query.text else {
        return Ok((Vec::new(), request.candidates.len()));
    };
    encoder.load(spec, cancel)?;
    let text = encoder.text(spec, cancel)?;
    let query = Arc::new(query_tokens(&text, spec, &query_prompt, query)?);
    if !encoder.graph(spec, cancel)?.gives_token_states() {
        return Err(not_a_reranker(spec).detail("Its graph gives one vector a text, none a token."));
    }
    let class = class_of_its_own();
    window(&request.candidates, from, |index, input| {
        cancel.check()?;
        let Some(input) = &input.text else { return Ok(None) };
        let (tokens, own) = text.encode_own(&prompt, input)?;
        if !own.contains(&true) {
            return Ok(None);
        }
        let candidate = Candidate { ids: tokens.ids, own, query: Arc::clone(&query) };
        let tokens = candidate.ids.len();
        Ok(Some((Planned { index, tokens, class, row: Row::Candidate(candidate) }, 0)))
    })
}

fn query_tokens(
    text: &TextEncoder,
    spec: &Spec,
    prompt: &Prompt,
    query: &str,
) -> Result<Query, Fault> {
    let (tokens, own) = text.encode_own(prompt, query)?;
    let own: Vec<usize> = (0..own.len()).filter(|token| own[*token]).collect();
    if own.is_empty() {
        return Err(no_tokens(&spec.manifest.name));
    }
    Ok(Query { ids: tokens.ids, own, states: Lazy::default() })
}

/// One score in [-1, 1] a candidate of one query.
pub fn run(
    encoder: &Encoder,
    spec: &Spec,
    candidates: &[&Candidate],
    cancel: &Cancel,
) -> Result<Outcomes, Fault> {
    let Some(Candidate { query, .. }) = candidates.first() else { return Ok(Vec::new()) };
    let states = query.states.get_or_load(|| query_states(encoder, spec, query, cancel))?;
    let pad = encoder.text(spec, cancel)?.pad_token_id();
    let (ids, mask, scored) = padded(candidates, pad);
    let found = encoder.graph(spec, cancel)?.token_states(ids, mask, cancel)?;
    let max_sim = encoder.max_sim(spec, cancel)?;
    let scores = max_sim.scores(states.as_ref().clone(), found, scored, cancel)?;
    scores::of_rows(&scores, candidates.len(), spec)
}

/// The states of the query's own tokens, Q × H, each of length 1.
fn query_states(
    encoder: &Encoder,
    spec: &Spec,
    query: &Query,
    cancel: &Cancel,
) -> Result<Array2<f32>, Fault> {
    let pad = encoder.text(spec, cancel)?.pad_token_id();
    let (ids, mask) = pad_right(&[&query.ids], query.ids.len(), pad);
    let graph = encoder.graph(spec, cancel)?;
    let states = graph.token_states(ids, mask, cancel)?.of_one_text(query.ids.len());
    let states = states.map_err(|fault| spec.name_in(fault))?;
    let mut query = states.select(Axis(0), &query.own);
    for mut token in query.rows_mut() {
        let length = token.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        token.mapv_inplace(|x| (f64::from(x) / length) as f32);
    }
    Ok(query)
}

/// Ids, mask, and which tokens are compared, all B × S.
fn padded(members: &[&Candidate], pad: u32) -> (Array2<i64>, Array2<i64>, Array2<i64>) {
    let ids: Vec<&[u32]> = members.iter().map(|member| member.ids.as_slice()).collect();
    let longest = ids.iter().map(|ids| ids.len()).max().unwrap_or(0);
    let (ids, mask) = pad_right(&ids, longest, pad);
    let mut scored = Array2::zeros(ids.raw_dim());
    for (mut row, member) in scored.rows_mut().into_iter().zip(members) {
        for (slot, own) in row.iter_mut().zip(&member.own) {
            *slot = i64::from(*own);
        }
    }
    (ids, mask, scored)
}

fn no_tokens(model: &str) -> Fault {
    let message = format!("model {model:?} finds no token in the query");
    Fault::new(FaultCode::InvalidParameter, message)
        .detail("It compares token by token, and the query is empty to it.")
        .hint("Give a query, or NULL for no scores.")
}
