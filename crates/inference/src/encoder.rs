//! Text encoders of the BERT and XLM-RoBERTa kind: prompt, tokens, batches, vectors.
//!
//! Source: Devlin et al. 2019, Conneau et al. 2020; pooling and normalising as sentence-transformers
//! does (Reimers and Gurevych 2019).

use crate::batch;
use crate::cancel::Cancel;
use crate::family::{Family, Model};
use crate::lazy::Lazy;
use crate::limits;
use crate::loading;
use crate::manifest::{Manifest, Prompt};
use crate::session::TextGraph;
use crate::text::{TextEncoder, Tokens, pad_right};
use crate::vectors;
use protocol::{Embed, Fault, FaultCode, Input, TokenCount};

/// Rows that are tokenized and sorted together; bounds memory for arrays of any length.
const WINDOW: usize = 2048;

/// A text encoder.
#[derive(Default)]
pub struct Encoder {
    text: Lazy<TextEncoder>,
    graph: Lazy<TextGraph>,
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
        self.text.get_or_load(|| loading::text_encoder(model, cancel))?.count(model.manifest, text)
    }

    fn embed(
        &mut self,
        model: &Model,
        request: &Embed,
        dimensions: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        let prompt = model.manifest.prompt(request.task, request.instruction.as_deref())?;
        refuse_images(&request.inputs, model.manifest)?;
        let mut vectors = Vec::with_capacity(request.inputs.len());
        for window in request.inputs.chunks(WINDOW) {
            vectors.extend(self.embed_window(model, window, &prompt, dimensions, cancel)?);
        }
        Ok(vectors)
    }
}

impl Encoder {
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
        let budget = model.batch_tokens(graph.on_cpu());
        let lengths: Vec<usize> = tokens.iter().map(|t| t.ids.len()).collect();
        for batch in batch::plan(&lengths, budget, !model.manifest.batch_invariant) {
            let members: Vec<&[u32]> =
                batch.iter().map(|member| tokens[*member].ids.as_slice()).collect();
            let longest = members.iter().map(|ids| ids.len()).max().unwrap_or(0);
            let (ids, mask) = pad_right(&members, longest, pad);
            let pooled = graph.run(ids, mask, cancel)?;
            let finished = vectors::finish(pooled, members.len(), model, dimensions)?;
            for (member, vector) in batch.iter().zip(finished) {
                vectors[rows[*member]] = Some(vector);
            }
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

fn refuse_images(inputs: &[Input], manifest: &Manifest) -> Result<(), Fault> {
    let Some(row) = inputs.iter().position(|input| !input.images.is_empty()) else { return Ok(()) };
    let message = format!("model {:?} takes no image", manifest.name);
    Err(Fault::new(FaultCode::InvalidParameter, message)
        .detail(format!("{} has an image; this is a text model.", limits::place(row, inputs.len())))
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
