//! Texts to token ids, by the model's own `tokenizer.json`.
//!
//! Equal to Hugging Face `tokenizers` with special tokens added and truncation from the right at
//! `max_tokens`. One text at a time on the calling thread: the batch calls of the crate start a
//! thread pool, and no thread may start outside of the engine's control.

use crate::directory::Directory;
use crate::manifest::Manifest;
use protocol::{Fault, FaultCode};
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

/// The largest published vocabularies take 35 MB.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A loaded tokenizer with the model's limit.
pub struct TextEncoder {
    tokenizer: Tokenizer,
    max_tokens: usize,
    special_tokens: usize,
    pad_token_id: u32,
}

/// The tokens of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Ids as the model sees them, at most `max_tokens`.
    pub ids: Vec<u32>,
    /// How many there were before truncation.
    pub total: usize,
}

impl TextEncoder {
    /// Loads the tokenizer of a model.
    pub fn load(directory: &Directory, manifest: &Manifest) -> Result<Self, Fault> {
        let file = &manifest.text.tokenizer;
        let json = directory.read_text(file, MAX_BYTES)?;
        let mut tokenizer: Tokenizer = json.parse().map_err(|error: tokenizers::Error| {
            directory
                .broken(&format!("file {file:?} is not a tokenizer"))
                .detail(format!("{}.", error.to_string().trim_end_matches('.')))
        })?;
        // Both are ours: published files often carry the settings of somebody's last call.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| failed(&error))?;
        let special_tokens =
            tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if special_tokens >= manifest.max_tokens {
            return Err(directory
                .broken(&format!("max_tokens is {}", manifest.max_tokens))
                .detail(format!(
                    "The tokenizer alone adds {special_tokens} tokens to each text."
                )));
        }
        let pad_token_id = manifest.text.pad_token_id.unwrap_or_else(|| pad_token_id(&tokenizer));
        let max_tokens = manifest.max_tokens;
        Ok(Self { tokenizer, max_tokens, special_tokens, pad_token_id })
    }

    /// The tokens of `text`, special tokens included.
    pub fn encode(&self, text: &str) -> Result<Tokens, Fault> {
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(|e| failed(&e))?;
        let total = encoding.len() + self.special_tokens;
        encoding.truncate(self.max_tokens - self.special_tokens, 0, TruncationDirection::Right);
        // Pieces beyond the cut would be dressed with special tokens too, for nobody.
        encoding.take_overflowing();
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(|e| failed(&e))?;
        Ok(Tokens { ids: encoding.get_ids().to_vec(), total })
    }

    /// The id that fills rows up to the length of a batch.
    pub fn pad_token_id(&self) -> u32 {
        self.pad_token_id
    }
}

/// The padding token by its usual names; with a mask its id does not matter, where positions
/// are counted by it (XLM-RoBERTa) it has one of these.
fn pad_token_id(tokenizer: &Tokenizer) -> u32 {
    ["[PAD]", "<pad>"].iter().find_map(|name| tokenizer.token_to_id(name)).unwrap_or(0)
}

fn failed(error: &impl std::fmt::Display) -> Fault {
    Fault::new(FaultCode::Internal, "the text cannot be tokenized")
        .detail(format!("{error}."))
        .hint("The model's tokenizer.json may not cover this text; report it with the text.")
}
