//! Texts to token ids, by the model's own `tokenizer.json`.
//!
//! Equal to Hugging Face `tokenizers` with special tokens added and truncation from the right at
//! `max_tokens`. One text at a time on the calling thread: the batch calls of the crate start a
//! thread pool, and no thread may start outside of the engine's control.

use crate::directory::Directory;
use crate::manifest::{Architecture, Manifest};
use ndarray::Array2;
use protocol::{Fault, FaultCode, Task, TokenCount};
use tokenizers::{Encoding, PostProcessor, Token, Tokenizer, TruncationDirection};

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

impl Tokens {
    /// How many there are.
    pub fn count(&self) -> TokenCount {
        TokenCount { tokens: self.total, used: self.ids.len() }
    }
}

/// A stretch of a sequence that is put together from several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// To be tokenized.
    Text(String),
    /// One token, so many times.
    Token {
        /// Its id.
        id: u32,
        /// How often it stands there.
        times: usize,
    },
}

impl TextEncoder {
    /// Loads the tokenizer of a model.
    pub fn load(directory: &Directory, manifest: &Manifest) -> Result<Self, Fault> {
        let file = &manifest.text.tokenizer;
        let json = directory.read_text(file, MAX_BYTES)?;
        let not_one = |error: tokenizers::Error| {
            directory
                .broken(&format!("file {file:?} is not a tokenizer"))
                .detail(format!("{}.", error.to_string().trim_end_matches('.')))
        };
        // In a chat only the template may open and close turns: what a text holds is text.
        let plain = manifest.architecture == Architecture::Qwen3Vl;
        let mut encoder = Self::parse(&json, manifest.max_tokens, plain).map_err(not_one)?;
        if let Some(id) = manifest.text.pad_token_id {
            encoder.pad_token_id = id;
        }
        if encoder.special_tokens >= manifest.max_tokens {
            return Err(directory
                .broken(&format!("max_tokens is {}", manifest.max_tokens))
                .detail(format!(
                    "The tokenizer alone adds {} tokens to each text.",
                    encoder.special_tokens
                )));
        }
        Ok(encoder)
    }

    /// A tokenizer from the contents of a `tokenizer.json`.
    ///
    /// With `plain`, special tokens that a text spells out are tokenized like any other text.
    pub fn parse(json: &str, max_tokens: usize, plain: bool) -> tokenizers::Result<Self> {
        let mut tokenizer: Tokenizer = json.parse()?;
        // Both are ours: published files often carry the settings of somebody's last call.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None)?;
        tokenizer.set_encode_special_tokens(plain);
        let special_tokens =
            tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        let pad_token_id = pad_token_id(&tokenizer);
        Ok(Self { tokenizer, max_tokens, special_tokens, pad_token_id })
    }

    /// The tokens of `text`, special tokens included.
    pub fn encode(&self, text: &str) -> Result<Tokens, Fault> {
        self.finish(self.tokenizer.encode_fast(text, false).map_err(|e| failed(&e))?)
    }

    /// How long `text` is under the prompt for documents.
    pub fn count(&self, manifest: &Manifest, text: &str) -> Result<TokenCount, Fault> {
        let prompt = manifest.prompt(Task::Document, None)?;
        Ok(self.encode(&prompt.around(text))?.count())
    }

    /// The tokens of several segments, one behind the other.
    pub fn encode_segments(&self, segments: &[Segment]) -> Result<Tokens, Fault> {
        let encodings = segments.iter().map(|segment| match segment {
            Segment::Text(text) => {
                self.tokenizer.encode_fast(text.as_str(), false).map_err(|e| failed(&e))
            }
            Segment::Token { id, times } => {
                let name = self.tokenizer.id_to_token(*id).unwrap_or_default();
                let token = Token::new(*id, name, (0, 0));
                Ok(Encoding::from_tokens(vec![token; *times], 0))
            }
        });
        let encodings = encodings.collect::<Result<Vec<_>, _>>()?;
        self.finish(Encoding::merge(encodings, false))
    }

    /// Cuts a sequence to the model's limit and dresses it with the special tokens.
    fn finish(&self, mut encoding: Encoding) -> Result<Tokens, Fault> {
        let total = encoding.len() + self.special_tokens;
        let room = self.max_tokens.saturating_sub(self.special_tokens);
        encoding.truncate(room, 0, TruncationDirection::Right);
        // Pieces beyond the cut would be dressed with special tokens too, for nobody.
        encoding.take_overflowing();
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(|e| failed(&e))?;
        Ok(Tokens { ids: encoding.get_ids().to_vec(), total })
    }

    /// The id that fills rows up to the length of a batch.
    pub fn pad_token_id(&self) -> u32 {
        self.pad_token_id
    }

    /// Ids and spellings of the special tokens.
    pub fn special_tokens(&self) -> Vec<(u32, String)> {
        let added = self.tokenizer.get_added_tokens_decoder().into_iter();
        let special = added.filter(|(_, token)| token.special && !token.content.is_empty());
        let mut named: Vec<_> = special.map(|(id, token)| (id, token.content)).collect();
        named.sort_unstable();
        named
    }
}

/// Right-padded ids and mask, both B × `length`.
pub fn pad_right(rows: &[&[u32]], length: usize, pad: u32) -> (Array2<i64>, Array2<i64>) {
    let shape = (rows.len(), length);
    let mut ids = Array2::from_elem(shape, i64::from(pad));
    let mut mask = Array2::zeros(shape);
    for (row, tokens) in rows.iter().enumerate() {
        for (column, id) in tokens.iter().enumerate().take(length) {
            ids[[row, column]] = i64::from(*id);
            mask[[row, column]] = 1;
        }
    }
    (ids, mask)
}

/// The padding token by its usual names, for encoders: with a mask its id does not matter, where
/// positions are counted by it (XLM-RoBERTa) it has one of these.
fn pad_token_id(tokenizer: &Tokenizer) -> u32 {
    ["[PAD]", "<pad>"].iter().find_map(|name| tokenizer.token_to_id(name)).unwrap_or(0)
}

fn failed(error: &impl std::fmt::Display) -> Fault {
    Fault::new(FaultCode::Internal, "the text cannot be tokenized")
        .detail(format!("{error}."))
        .hint("The model's tokenizer.json may not cover this text; report it with the text.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_on_the_right() {
        let (ids, mask) = pad_right(&[&[5, 6, 7], &[8]], 3, 1);
        assert_eq!(ids, ndarray::arr2(&[[5, 6, 7], [8, 1, 1]]));
        assert_eq!(mask, ndarray::arr2(&[[1, 1, 1], [1, 0, 0]]));
    }
}
