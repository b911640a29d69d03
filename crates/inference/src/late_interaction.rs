//! A text encoder as a reranker: each token of the query finds the candidate's nearest token.
//!
//! The score is the mean over the query's tokens of the largest cosine with a token of the candidate
//! (MaxSim; Khattab and Zaharia 2020, arXiv:2004.12832), over the states that the model pools for its
//! vectors: no weights but the encoder's are needed. Special tokens and prompts count on neither
//! side.

use crate::batch::{self, WINDOW};
use crate::cancel::Cancel;
use crate::encoder::{Encoder, refuse_images};
use crate::family::{Model, not_a_reranker};
use crate::manifest::Prompt;
use crate::place::Place;
use crate::scores;
use crate::text::pad_right;
use ndarray::{Array2, Axis};
use protocol::{Fault, FaultCode, Rerank, Task};
use std::slice::from_ref;

/// A candidate's tokens, and which of them are compared.
struct Candidate {
    index: usize,
    ids: Vec<u32>,
    own: Vec<bool>,
}

/// One score in [-1, 1] a candidate; `None` for a null one, and for one without a token of its own.
pub fn rerank(
    encoder: &mut Encoder,
    model: &Model,
    request: &Rerank,
    cancel: &Cancel,
) -> Result<Vec<Option<f32>>, Fault> {
    refuse_images(from_ref(&request.query), |_, _| Place::Query, model.manifest)?;
    refuse_images(&request.candidates, Place::Candidate, model.manifest)?;
    // What an instruction is for is said to the query, as models are trained.
    let instruction = request.instruction.as_deref();
    let query_prompt = model.manifest.prompt(Task::Query, instruction)?;
    let prompt = model.manifest.prompt(Task::Document, None)?;
    let mut found = vec![None; request.candidates.len()];
    let Some(query) = &request.query.text else { return Ok(found) };
    let query = query_tokens(encoder, model, &query_prompt, query, cancel)?;
    for (number, window) in request.candidates.chunks(WINDOW).enumerate() {
        let text = encoder.text(model, cancel)?;
        let mut candidates = Vec::new();
        for (row, input) in window.iter().enumerate() {
            cancel.check()?;
            let Some(input) = &input.text else { continue };
            let (tokens, own) = text.encode_own(&prompt, input)?;
            if own.contains(&true) {
                let index = number * WINDOW + row;
                candidates.push(Candidate { index, ids: tokens.ids, own });
            }
        }
        score(encoder, model, &query, &candidates, &mut found, cancel)?;
    }
    Ok(found)
}

/// The states of the query's own tokens, Q × H, each of length 1.
fn query_tokens(
    encoder: &mut Encoder,
    model: &Model,
    prompt: &Prompt,
    query: &str,
    cancel: &Cancel,
) -> Result<Array2<f32>, Fault> {
    let text = encoder.text(model, cancel)?;
    let (tokens, own) = text.encode_own(prompt, query)?;
    let (ids, mask) = pad_right(&[&tokens.ids], tokens.ids.len(), text.pad_token_id());
    let own: Vec<usize> = (0..own.len()).filter(|token| own[*token]).collect();
    if own.is_empty() {
        return Err(no_tokens(&model.manifest.name));
    }
    let (graph, _) = encoder.graphs(model, cancel)?;
    if !graph.gives_token_states() {
        return Err(
            not_a_reranker(model).detail("Its graph gives one vector a text, none a token.")
        );
    }
    let states = graph.token_states(ids, mask, cancel)?.of_one_text(tokens.ids.len());
    let states = states.map_err(|fault| model.name_in(fault))?;
    let mut query = states.select(Axis(0), &own);
    for mut token in query.rows_mut() {
        let length = token.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        token.mapv_inplace(|x| (f64::from(x) / length) as f32);
    }
    Ok(query)
}

fn score(
    encoder: &mut Encoder,
    model: &Model,
    query: &Array2<f32>,
    candidates: &[Candidate],
    found: &mut [Option<f32>],
    cancel: &Cancel,
) -> Result<(), Fault> {
    if candidates.is_empty() {
        return Ok(());
    }
    let pad = encoder.text(model, cancel)?.pad_token_id();
    let (graph, max_sim) = encoder.graphs(model, cancel)?;
    let batching = model.batching(graph.on_cpu());
    let scores = batch::run(
        candidates,
        |row| row.ids.len(),
        batching,
        |members| {
            let (ids, mask, scored) = padded(members, pad);
            let states = graph.token_states(ids, mask, cancel)?;
            let scores = max_sim.scores(query.clone(), states, scored, cancel)?;
            scores::of_rows(&scores, members.len(), model)
        },
    )?;
    for (candidate, score) in candidates.iter().zip(scores) {
        found[candidate.index] = Some(score);
    }
    Ok(())
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
