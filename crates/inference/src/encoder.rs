//! Text encoders of the BERT and XLM-RoBERTa kind: prompt, tokens, batches, vectors.
//!
//! Source: Devlin et al. 2019, Conneau et al. 2020; pooling and normalising as sentence-transformers
//! does (Reimers and Gurevych 2019).

use crate::cancel::Cancel;
use crate::family::{Family, Spec};
use crate::late_interaction::{self, Candidate};
use crate::lazy::Lazy;
use crate::loading;
use crate::manifest::{Manifest, Prompt};
use crate::place::Place;
use crate::session::{MaxSim, TextGraph};
use crate::text::{TextEncoder, pad_right};
use crate::vectors;
use crate::work::{COMMON, Outcomes, Plan, Planned, window};
use protocol::{Embed, Fault, FaultCode, Input, Rerank, TokenCount};
use std::sync::Arc;

/// A text encoder.
#[derive(Default)]
pub struct Encoder {
    text: Lazy<TextEncoder>,
    graph: Lazy<TextGraph>,
    max_sim: Lazy<MaxSim>,
}

/// A text that is ready to run.
pub enum Row {
    /// To be embedded.
    Text {
        /// Tokens.
        ids: Vec<u32>,
        /// Of the vector that was asked for.
        dimensions: usize,
    },
    /// To be compared with a query, token by token.
    Candidate(Candidate),
}

impl Family for Encoder {
    type Row = Row;

    fn device(&self) -> Option<String> {
        self.graph.get().map(|graph| graph.device().to_owned())
    }

    fn load(&self, spec: &Spec, cancel: &Cancel) -> Result<(), Fault> {
        if self.text.get().is_none() {
            // Beside the graph, which takes about as long.
            loading::begin(spec)?;
        }
        self.graph(spec, cancel)?;
        self.text(spec, cancel).map(drop)
    }

    fn count_tokens(&self, spec: &Spec, text: &str, cancel: &Cancel) -> Result<TokenCount, Fault> {
        self.text(spec, cancel)?.count(spec.manifest, text)
    }

    fn embed_rows(
        &self,
        spec: &Spec,
        request: &Embed,
        dimensions: usize,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Plan<Row>, Fault> {
        let prompt = spec.manifest.prompt(request.task, request.instruction.as_deref())?;
        refuse_images(&request.inputs, Place::Input, spec.manifest)?;
        self.load(spec, cancel)?;
        let text = self.text(spec, cancel)?;
        window(&request.inputs, from, |index, input| {
            cancel.check()?;
            let Some(input) = &input.text else { return Ok(None) };
            let ids = tokens(&text, spec.manifest, &prompt, input)?;
            let tokens = ids.len();
            let row = Row::Text { ids, dimensions };
            Ok(Some((Planned { index, tokens, class: COMMON, row }, 0)))
        })
    }

    fn rerank_rows(
        &self,
        spec: &Spec,
        request: &Rerank,
        from: usize,
        cancel: &Cancel,
    ) -> Result<Plan<Row>, Fault> {
        late_interaction::plan(self, spec, request, from, cancel)
    }

    fn run(&self, spec: &Spec, rows: &[&Row], cancel: &Cancel) -> Result<Outcomes, Fault> {
        let (mut texts, mut sizes, mut candidates) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            match row {
                Row::Text { ids, dimensions } => {
                    texts.push(ids.as_slice());
                    sizes.push(*dimensions);
                }
                Row::Candidate(candidate) => candidates.push(candidate),
            }
        }
        // Rows of one class are all of one kind.
        if !candidates.is_empty() {
            return late_interaction::run(self, spec, &candidates, cancel);
        }
        let pad = self.text(spec, cancel)?.pad_token_id();
        let longest = texts.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let (ids, mask) = pad_right(&texts, longest, pad);
        vectors::finish(self.graph(spec, cancel)?.run(ids, mask, cancel)?, &sizes, spec)
    }
}

impl Encoder {
    /// The tokenizer.
    pub fn text(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<TextEncoder>, Fault> {
        self.text.get_or_load(|| loading::text_encoder(spec, cancel))
    }

    /// The graph.
    pub fn graph(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<TextGraph>, Fault> {
        self.graph.get_or_load(|| spec.text_graph(cancel))
    }

    /// The graph that compares the token states of the other.
    pub fn max_sim(&self, spec: &Spec, cancel: &Cancel) -> Result<Arc<MaxSim>, Fault> {
        self.max_sim.get_or_load(|| spec.max_sim(cancel))
    }
}

fn tokens(
    text: &TextEncoder,
    manifest: &Manifest,
    prompt: &Prompt,
    input: &str,
) -> Result<Vec<u32>, Fault> {
    let ids = text.encode(&prompt.around(input))?.ids;
    if ids.is_empty() { Err(no_tokens(&manifest.name)) } else { Ok(ids) }
}

/// Refuses images for a model of texts.
pub fn refuse_images(
    inputs: &[Input],
    place: impl Fn(usize, usize) -> Place,
    manifest: &Manifest,
) -> Result<(), Fault> {
    let Some(row) = inputs.iter().position(|input| !input.images.is_empty()) else { return Ok(()) };
    let message = format!("model {:?} takes no image", manifest.name);
    Err(Fault::new(FaultCode::InvalidParameter, message)
        .detail(format!("{} has an image; this is a text model.", place(row, inputs.len())))
        .hint("SELECT name, modalities FROM models() lists what each model takes."))
}

fn no_tokens(model: &str) -> Fault {
    let message = format!("model {model:?} finds no token in the text");
    Fault::new(FaultCode::InvalidParameter, message)
        .detail(
            "Its tokenizer adds no special tokens, and the text and the prompt are empty to it.",
        )
        .hint("Give a text, or NULL for no vector.")
}
