//! Rerankers of the BERT and XLM-RoBERTa kind: query and candidate in one sequence, one score.
//!
//! Source: Nogueira and Cho 2019 (arXiv:1901.04085); tokens, truncation and activation as
//! sentence-transformers' CrossEncoder.

use crate::cancel::Cancel;
use crate::encoder::refuse_images;
use crate::family::{Family, Spec};
use crate::lazy::Lazy;
use crate::loading;
use crate::place::Place;
use crate::scores;
use crate::session::Graph;
use crate::text::{PairTokens, TextEncoder, pad_right};
use crate::work::{COMMON, Outcomes, Plan, Planned, window};
use protocol::{Fault, Rerank, TokenCount};
use std::slice::from_ref;
use std::sync::Arc;

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
    type Row = PairTokens;

    fn device(&self) -> Option<String> {
        self.graph.get().map(|graph| graph.device().to_owned())
    }

    fn load(&self, spec: &Spec, cancel: &Cancel) -> Result<(), Fault> {
        if self.text.get().is_none() {
            loading::begin(spec)?;
        }
        self.graph(spec, cancel)?;
        self.text(spec, cancel).map(drop)
    }

    fn count_tokens(&self, spec: &Spec, text: &str, cancel: &Cancel) -> Result<TokenCount, Fault> {
        let encoder = self.text(spec, cancel)?;
        Ok(encoder.pair(&encoder.bare("")?, &encoder.bare(text)?)?.count())
    }

    fn rerank_rows(
        &self,
        spec: &Spec,
        request: &Rerank,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Plan<PairTokens>, Fault> {
        spec.manifest.pair_instruction(request.instruction.as_deref())?;
        refuse_images(from_ref(&request.query), |_, _| Place::Query, spec.manifest)?;
        refuse_images(&request.candidates, Place::Candidate, spec.manifest)?;
        let Some(query) = &request.query.text else {
            return Ok((Vec::new(), request.candidates.len()));
        };
        self.load(spec, cancel)?;
        let text = self.text(spec, cancel)?;
        let query = text.bare(query)?;
        window(&request.candidates, from, |index, candidate| {
            cancel.check()?;
            let Some(candidate) = &candidate.text else { return Ok(None) };
            let row = text.pair(&query, &text.bare(candidate)?)?;
            Ok(Some((Planned { index, tokens: row.ids.len(), class: COMMON, row }, 0)))
        })
    }

    fn run(&self, spec: &Spec, rows: &[&PairTokens], cancel: &Cancel) -> Result<Outcomes, Fault> {
        let pad = self.text(spec, cancel)?.pad_token_id();
        let logits = run(&*self.graph(spec, cancel)?, rows, pad, cancel)?;
        scores::finish(&logits, rows.len(), spec)
    }
}

impl CrossEncoder {
    fn text(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<TextEncoder>, Fault> {
        self.text.get_or_load(|| loading::text_encoder(spec, cancel))
    }

    fn graph(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<Graph>, Fault> {
        self.graph.get_or_load(|| graph(spec, cancel))
    }
}

fn graph(spec: &Spec, cancel: &Cancel) -> Result<Graph, Fault> {
    let graph = spec.graph(&spec.manifest.text.graph, cancel)?;
    let expected = graph.expect_names(&[IDS, MASK], &[TYPES]);
    expected.and_then(|()| graph.expect_outputs(&[OUTPUT])).map_err(|fault| spec.name_in(fault))?;
    Ok(graph)
}

/// Raw outputs, B × 1.
fn run(
    graph: &Graph,
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
