//! Text encoders of the BERT and XLM-RoBERTa kind: prompt, tokens, batches, vectors.
//!
//! Source: Devlin et al. 2019, Conneau et al. 2020; pooling and normalising as sentence-transformers
//! does (Reimers and Gurevych 2019).

use crate::batch;
use crate::cancel::Cancel;
use crate::directory::Directory;
use crate::limits;
use crate::loading;
use crate::manifest::{Manifest, Precision};
use crate::options::Options;
use crate::session::{LoadOptions, Session};
use crate::text::{TextEncoder, Tokens};
use ndarray::Array2;
use protocol::{Embed, Fault, FaultCode, Input, TokenCount};

/// Padded tokens of one run where the setting is left to us: what a CPU's caches like, what a GPU
/// needs to be busy (measured: a CPU's throughput falls beyond 1–2 thousand).
const CPU_BATCH_TOKENS: usize = 512;
const GPU_BATCH_TOKENS: usize = 16_384;
/// Rows that are tokenized and sorted together; bounds memory for arrays of any length.
const WINDOW: usize = 2048;

/// A text encoder; parts are loaded when first needed.
pub struct Encoder {
    text: TextEncoder,
    session: Option<Session>,
}

impl Encoder {
    /// Loads the tokenizer; the graph follows with the first text.
    pub fn load(
        directory: &Directory,
        manifest: &Manifest,
        cancel: &Cancel,
    ) -> Result<Self, Fault> {
        let text = loading::text_encoder(directory, manifest, cancel)?;
        Ok(Self { text, session: None })
    }

    /// Where the graph runs; `None` until it is loaded.
    pub fn device(&self) -> Option<&str> {
        self.session.as_ref().map(Session::device)
    }

    /// Tokens of `text` under `prompt`.
    pub fn count_tokens(
        &self,
        prompt: &str,
        text: &str,
        options: &Options,
    ) -> Result<TokenCount, Fault> {
        limits::check_text("The input", text, options)?;
        let tokens = self.text.encode(&format!("{prompt}{text}"))?;
        Ok(TokenCount { tokens: tokens.total, used: tokens.ids.len() })
    }

    /// One vector an input, in order; `None` for a null input.
    pub fn embed(
        &mut self,
        model: &Model,
        request: &Embed,
        cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        let prompt = model.manifest.prompt(request.task, request.instruction.as_deref())?;
        let dimensions = model.manifest.dimensions_for(request.dimensions)?;
        limits::check_request(request, dimensions, model.options)?;
        refuse_images(&request.inputs, model.manifest)?;
        let mut vectors = Vec::with_capacity(request.inputs.len());
        for window in request.inputs.chunks(WINDOW) {
            vectors.extend(self.embed_window(model, window, &prompt, dimensions, cancel)?);
        }
        Ok(vectors)
    }

    fn embed_window(
        &mut self,
        model: &Model,
        inputs: &[Input],
        prompt: &str,
        dimensions: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Option<Vec<f32>>>, Fault> {
        let mut rows = Vec::new();
        let mut tokens = Vec::new();
        for (row, input) in inputs.iter().enumerate() {
            cancel.check()?;
            if let Some(text) = &input.text {
                rows.push(row);
                let encoded = self.text.encode(&format!("{prompt}{text}"))?;
                if encoded.ids.is_empty() {
                    return Err(no_tokens(&model.manifest.name));
                }
                tokens.push(encoded);
            }
        }
        let mut vectors = vec![None; inputs.len()];
        if tokens.is_empty() {
            return Ok(vectors);
        }
        let pad = i64::from(self.text.pad_token_id());
        let session = self.session(model, cancel)?;
        let default = if session.on_cpu() { CPU_BATCH_TOKENS } else { GPU_BATCH_TOKENS };
        let budget = model.options.max_batch_tokens.unwrap_or(default);
        let lengths: Vec<usize> = tokens.iter().map(|t| t.ids.len()).collect();
        for batch in batch::plan(&lengths, budget, !model.manifest.batch_invariant) {
            let members: Vec<&Tokens> = batch.iter().map(|member| &tokens[*member]).collect();
            let (ids, mask) = pad_right(&members, pad);
            let pooled = session.run(ids, mask, cancel)?;
            for (member, pooled) in
                batch.iter().zip(finish(pooled, members.len(), model, dimensions)?)
            {
                vectors[rows[*member]] = Some(pooled);
            }
        }
        Ok(vectors)
    }

    fn session(&mut self, model: &Model, cancel: &Cancel) -> Result<&mut Session, Fault> {
        let session = match self.session.take() {
            Some(session) => session,
            None => load_session(model, cancel)?,
        };
        Ok(self.session.insert(session))
    }
}

/// What an encoder needs to know of its model at each call.
pub struct Model<'a> {
    /// Where its files are.
    pub directory: &'a Directory,
    /// What it is.
    pub manifest: &'a Manifest,
    /// The engine's settings.
    pub options: &'a Options,
}

fn load_session(model: &Model, cancel: &Cancel) -> Result<Session, Fault> {
    let Model { directory, manifest, options } = model;
    directory.verify(manifest, &options.checksums, cancel)?;
    let load = LoadOptions {
        runtime: &options.runtime,
        device: options.device,
        intra_op_threads: options.intra_op_threads,
        // Without it, packed formats run 20× slower; plain floats would be copied into every
        // backend instead of being mapped once for all.
        prepack: matches!(manifest.precision, Precision::Int8 | Precision::Q4),
        pooling: manifest.pooling,
    };
    Session::load(&directory.file(&manifest.text.graph)?, &load, cancel).map_err(|mut fault| {
        if fault.code == FaultCode::ConfigFile {
            fault.message = format!("model {:?}: {}", directory.name(), fault.message);
        }
        fault
    })
}

fn refuse_images(inputs: &[Input], manifest: &Manifest) -> Result<(), Fault> {
    let Some(row) = inputs.iter().position(|input| !input.images.is_empty()) else { return Ok(()) };
    let message = format!("model {:?} takes no image", manifest.name);
    Err(Fault::new(FaultCode::InvalidParameter, message)
        .detail(format!("{} has an image; this is a text model.", limits::place(row, inputs.len())))
        .hint("SELECT name, modalities FROM models() lists what each model takes."))
}

/// Right-padded ids and mask, both B × S with S the longest member.
fn pad_right(members: &[&Tokens], pad: i64) -> (Array2<i64>, Array2<i64>) {
    let longest = members.iter().map(|tokens| tokens.ids.len()).max().unwrap_or(0);
    let shape = (members.len(), longest);
    let mut ids = Array2::from_elem(shape, pad);
    let mut mask = Array2::zeros(shape);
    for (row, tokens) in members.iter().enumerate() {
        for (column, id) in tokens.ids.iter().enumerate() {
            ids[[row, column]] = i64::from(*id);
            mask[[row, column]] = 1;
        }
    }
    (ids, mask)
}

/// Checks a run's rows, cuts them to `dimensions` and scales them to length 1 where the manifest says so.
fn finish(
    pooled: Array2<f32>,
    rows: usize,
    model: &Model,
    dimensions: usize,
) -> Result<Vec<Vec<f32>>, Fault> {
    let manifest = model.manifest;
    if pooled.dim() != (rows, manifest.dimensions) {
        let (got_rows, got) = pooled.dim();
        return Err(model
            .directory
            .broken("its vectors do not have the manifest's dimensions")
            .detail(format!(
                "{got_rows} × {got} came for {rows} texts; the manifest says {} dimensions.",
                manifest.dimensions
            )));
    }
    let cut = dimensions < manifest.dimensions;
    let finished = pooled.rows().into_iter().map(|row| {
        let mut vector: Vec<f32> = row.iter().take(dimensions).copied().collect();
        // A shortened vector is always scaled again: its length says nothing any more.
        let usable = match manifest.normalize || cut {
            true => normalize(&mut vector),
            false => vector.iter().all(|x| x.is_finite()),
        };
        if usable { Ok(vector) } else { Err(no_direction(&manifest.name)) }
    });
    finished.collect()
}

/// Scales to Euclidean length 1; `false` where there is no direction: zero, infinite or NaN.
fn normalize(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for x in &mut *vector {
        *x = (f64::from(*x) / length) as f32;
    }
    length > 0.0 && length.is_finite()
}

fn no_direction(model: &str) -> Fault {
    Fault::new(FaultCode::Internal, format!("model {model:?} gave a vector without a direction"))
        .detail("It is zero or not finite; nothing was stored.")
        .hint("Use another precision of the model (fp32), and report the text.")
}

fn no_tokens(model: &str) -> Fault {
    let message = format!("model {model:?} finds no token in the text");
    Fault::new(FaultCode::InvalidParameter, message)
        .detail(
            "Its tokenizer adds no special tokens, and the text and the prompt are empty to it.",
        )
        .hint("Give a text, or NULL for no vector.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_on_the_right() {
        let row = |ids: &[u32]| Tokens { ids: ids.to_vec(), total: ids.len() };
        let (a, b) = (row(&[5, 6, 7]), row(&[8]));
        let (ids, mask) = pad_right(&[&a, &b], 1);
        assert_eq!(ids, ndarray::arr2(&[[5, 6, 7], [8, 1, 1]]));
        assert_eq!(mask, ndarray::arr2(&[[1, 1, 1], [1, 0, 0]]));
    }

    #[test]
    fn normalizes_and_knows_what_has_no_direction() {
        let mut v = vec![3.0, 4.0];
        assert!(normalize(&mut v));
        assert_eq!(v, [0.6, 0.8]);
        for bad in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]] {
            assert!(!normalize(&mut bad.clone()));
        }
    }
}
