//! Text encoders of the BERT and XLM-RoBERTa kind: prompt, tokens, batches, vectors.
//!
//! Source: Devlin et al. 2019, Conneau et al. 2020; pooling and normalising as sentence-transformers
//! does (Reimers and Gurevych 2019).

use crate::batch;
use crate::cancel::Cancel;
use crate::family::{Family, Model};
use crate::late_interaction;
use crate::lazy::Lazy;
use crate::loading;
use crate::manifest::{Manifest, Prompt};
use crate::place::Place;
use crate::session::{MaxSim, TextGraph};
use crate::text::{TextEncoder, Tokens, pad_right};
use crate::vectors;
use protocol::{Embed, Fault, FaultCode, Input, Rerank, TokenCount};

/// A text encoder.
#[derive(Default)]
pub struct Encoder {
    text: Lazy<TextEncoder>,
    graph: Lazy<TextGraph>,
    max_sim: Lazy<MaxSim>,
}

impl Family for Encoder {
    fn device(&self) -> Option<&str> {
        self.graph.get().map(TextGraph::device)
    }

    fn count_tokens(
        &mut self,
        model: &Model,
        text: &str,
        cancel: &Cancel,
    ) -> Result<TokenCount, Fault> {
        self.text(model, cancel)?.count(model.manifest, text)
    }

    fn embed(
        &mut self,
        model: &Model,
        request: &Embed,
        dimensions: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        let prompt = model.manifest.prompt(request.task, request.instruction.as_deref())?;
        refuse_images(&request.inputs, Place::Input, model.manifest)?;
        let mut vectors = Vec::with_capacity(request.inputs.len());
        for window in request.inputs.chunks(batch::WINDOW) {
            vectors.extend(self.embed_window(model, window, &prompt, dimensions, cancel)?);
        }
        Ok(vectors)
    }

    fn rerank(
        &mut self,
        model: &Model,
        request: &Rerank,
        cancel: &Cancel,
    ) -> Result<Vec<Option<f32>>, Fault> {
        late_interaction::rerank(self, model, request, cancel)
    }
}

impl Encoder {
    /// The tokenizer.
    pub fn text(&mut self, model: &Model, cancel: &Cancel) -> Result<&TextEncoder, Fault> {
        Ok(self.text.get_or_load(|| loading::text_encoder(model, cancel))?)
    }

    /// The graph, and the one that compares its token states.
    pub fn graphs(
        &mut self,
        model: &Model,
        cancel: &Cancel,
    ) -> Result<(&mut TextGraph, &mut MaxSim), Fault> {
        let graph = self.graph.get_or_load(|| model.text_graph(cancel))?;
        Ok((graph, self.max_sim.get_or_load(|| model.max_sim(cancel))?))
    }

    fn embed_window(
        &mut self,
        model: &Model,
        inputs: &[Input],
        prompt: &Prompt,
        dimensions: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        let text = self.text.get_or_load(|| loading::text_encoder(model, cancel))?;
        let pad = text.pad_token_id();
        let (rows, tokens) = tokenize(text, model.manifest, inputs, prompt, cancel)?;
        let mut vectors = vec![None; inputs.len()];
        if tokens.is_empty() {
            return Ok(vectors);
        }
        let graph = self.graph.get_or_load(|| model.text_graph(cancel))?;
        let batching = model.batching(graph.on_cpu());
        let found = batch::run(
            &tokens,
            |tokens| tokens.ids.len(),
            batching,
            |members| {
                let ids: Vec<&[u32]> = members.iter().map(|tokens| tokens.ids.as_slice()).collect();
                let longest = ids.iter().map(|ids| ids.len()).max().unwrap_or(0);
                let (ids, mask) = pad_right(&ids, longest, pad);
                let pooled = graph.run(ids, mask, cancel)?;
                vectors::finish(pooled, members.len(), model, dimensions)
            },
        )?;
        for (row, vector) in rows.into_iter().zip(found) {
            vectors[row] = Some(vector);
        }
        Ok(vectors)
    }
}

/// The tokens of the rows that have a text, and which rows these are.
fn tokenize(
    text: &TextEncoder,
    manifest: &Manifest,
    inputs: &[Input],
    prompt: &Prompt,
    cancel: &Cancel,
) -> Result<(Vec<usize>, Vec<Tokens>), Fault> {
    let mut rows = Vec::new();
    let mut tokens = Vec::new();
    for (row, input) in inputs.iter().enumerate() {
        cancel.check()?;
        if let Some(input) = &input.text {
            rows.push(row);
            let encoded = text.encode(&prompt.around(input))?;
            if encoded.ids.is_empty() {
                return Err(no_tokens(&manifest.name));
            }
            tokens.push(encoded);
        }
    }
    Ok((rows, tokens))
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
