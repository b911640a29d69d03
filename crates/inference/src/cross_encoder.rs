//! Rerankers of the BERT and XLM-RoBERTa kind: query and candidate in one sequence, one score.
//!
//! Source: Nogueira and Cho 2019 (arXiv:1901.04085); tokens, truncation and activation as
//! sentence-transformers' CrossEncoder.

use crate::batch::{self, WINDOW};
use crate::cancel::Cancel;
use crate::encoder::refuse_images;
use crate::family::{Family, Model};
use crate::lazy::Lazy;
use crate::loading;
use crate::place::Place;
use crate::scores;
use crate::session::Graph;
use crate::text::{PairTokens, TextEncoder, pad_right};
use protocol::{Fault, Input, Rerank, TokenCount};
use std::slice::from_ref;

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const TYPES: &str = "token_type_ids";
const OUTPUT: &str = "logits";

/// A cross-encoder.
#[derive(Default)]
pub struct CrossEncoder {
    text: Lazy<TextEncoder>,
    graph: Lazy<Graph>,
}

impl Family for CrossEncoder {
    fn device(&self) -> Option<&str> {
        self.graph.get().map(Graph::device)
    }

    fn count_tokens(
        &mut self,
        model: &Model,
        text: &str,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault> {
        let encoder = self.text.get_or_load(|| loading::text_encoder(model, cancel))?;
        Ok(encoder.pair(&encoder.bare("")?, &encoder.bare(text)?)?.count())
    }

    fn rerank(
        &mut self,
        model: &Model,
        request: &Rerank,
        cancel: &Cancel,
    ) -> Result<Vec<Option<f32>>, Fault> {
        model.manifest.pair_instruction(request.instruction.as_deref())?;
        refuse_images(from_ref(&request.query), |_, _| Place::Query, model.manifest)?;
        refuse_images(&request.candidates, Place::Candidate, model.manifest)?;
        let mut found = vec![None; request.candidates.len()];
        let Some(query) = &request.query.text else { return Ok(found) };
        for (window, found) in request.candidates.chunks(WINDOW).zip(found.chunks_mut(WINDOW)) {
            self.score(model, query, window, found, cancel)?;
        }
        Ok(found)
    }
}

impl CrossEncoder {
    fn score(
        &mut self,
        model: &Model,
        query: &str,
        candidates: &[Input],
        found: &mut [Option<f32>],
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        let text = self.text.get_or_load(|| loading::text_encoder(model, cancel))?;
        let pad = text.pad_token_id();
        let (rows, pairs) = pairs(text, query, candidates, cancel)?;
        if pairs.is_empty() {
            return Ok(());
        }
        let graph = self.graph.get_or_load(|| graph(model, cancel))?;
        let batching = model.batching(graph.on_cpu());
        let scores = batch::run(
            &pairs,
            |pair| pair.ids.len(),
            batching,
            |members| {
                let logits = run(graph, members, pad, cancel)?;
                scores::finish(&logits, members.len(), model)
            },
        )?;
        for (row, score) in rows.into_iter().zip(scores) {
            found[row] = Some(score);
        }
        Ok(())
    }
}

fn graph(model: &Model, cancel: &Cancel) -> Result<Graph, Fault> {
    let graph = model.graph(&model.manifest.text.graph, cancel)?;
    let expected = graph.expect_names(&[IDS, MASK], &[TYPES]);
    expected
        .and_then(|()| graph.expect_outputs(&[OUTPUT]))
        .map_err(|fault| model.name_in(fault))?;
    Ok(graph)
}

/// The tokens of each pair that has a candidate, and which candidates these are.
fn pairs(
    text: &TextEncoder,
    query: &str,
    candidates: &[Input],
    cancel: &Cancel,
) -> Result<(Vec<usize>, Vec<PairTokens>), Fault> {
    let query = text.bare(query)?;
    let (mut rows, mut pairs) = (Vec::new(), Vec::new());
    for (row, candidate) in candidates.iter().enumerate() {
        cancel.check()?;
        if let Some(candidate) = &candidate.text {
            rows.push(row);
            pairs.push(text.pair(&query, &text.bare(candidate)?)?);
        }
    }
    Ok((rows, pairs))
}

/// Raw outputs, B × 1.
fn run(
    graph: &mut Graph,
    members: &[&PairTokens],
    pad: u32,
    cancel: &Cancel,
) -> Result<ndarray::ArrayD<f32>, Fault> {
    let ids: Vec<&[u32]> = members.iter().map(|pair| pair.ids.as_slice()).collect();
    let types: Vec<&[u32]> = members.iter().map(|pair| pair.types.as_slice()).collect();
    let longest = ids.iter().map(|ids| ids.len()).max().unwrap_or(0);
    let (ids, mask) = pad_right(&ids, longest, pad);
    let mut inputs = vec![(IDS, ids.into()), (MASK, mask.into())];
    if graph.takes(TYPES) {
        let (types, _) = pad_right(&types, longest, 0);
        inputs.push((TYPES, types.into()));
    }
    let [logits] = graph.run(inputs, [OUTPUT], cancel)?;
    Ok(logits)
}
