//! Texts to token ids, by the model's own `tokenizer.json`.
//!
//! Equal to Hugging Face `tokenizers` with special tokens added and truncation from the right at
//! `max_tokens`. One text at a time on the calling thread: the batch calls of the crate start a
//! thread pool, and no thread may start outside of the engine's control.

use crate::directory::Directory;
use crate::manifest::{Architecture, Manifest, Prompt};
use ndarray::Array2;
use protocol::{Fault, FaultCode, Task, TokenCount};
use serde::Deserialize;
use std::panic::catch_unwind;
use tokenizers::{Encoding, PostProcessor, Token, Tokenizer, TruncationDirection};

/// The largest published vocabularies take 35 MB.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A loaded tokenizer with the model's limit.
pub struct TextEncoder {
    tokenizer: Tokenizer,
    max_tokens: usize,
    /// That a text gets.
    special_tokens: usize,
    /// That two texts get together.
    pair_special_tokens: usize,
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

/// The tokens of two texts in one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairTokens {
    /// Ids as the model sees them, at most `max_tokens`.
    pub ids: Vec<u32>,
    /// Of each, which text it belongs to as the tokenizer's post-processor says: 0 or 1.
    pub types: Vec<u32>,
    /// How many there were before truncation.
    pub total: usize,
}

impl PairTokens {
    /// How many there are.
    pub fn count(&self) -> TokenCount {
        TokenCount { tokens: self.total, used: self.ids.len() }
    }
}

/// A text's tokens without special tokens, to be put together with others.
#[derive(Debug, Clone)]
pub struct Bare {
    /// As many as a pair may have.
    encoding: Encoding,
    /// How many the text has.
    total: usize,
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

/// The part of a `tokenizer.json` in which the crate panics where it finds what is no JSON.
#[derive(Deserialize)]
struct Decoder {
    #[expect(dead_code, reason = "only to be read")]
    decoder: Option<serde_json::Value>,
}

/// The crate's reader is other people's code: a panic in it is a broken file, not a bug of the engine's.
fn guarded(json: &str) -> tokenizers::Result<Tokenizer> {
    let _: Decoder = serde_json::from_str(json)?;
    catch_unwind(|| json.parse()).unwrap_or_else(|_| Err("its reader gave up".into()))
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
        let plain =
            matches!(manifest.architecture, Architecture::Qwen3Vl | Architecture::Qwen3VlReranker);
        let mut encoder = Self::parse(&json, manifest.max_tokens, plain).map_err(not_one)?;
        if let Some(id) = manifest.text.pad_token_id {
            encoder.pad_token_id = id;
        }
        let pairs = manifest.architecture == Architecture::CrossEncoder;
        if pairs && encoder.tokenizer.get_post_processor().is_none() {
            return Err(directory
                .broken(&format!("file {file:?} does not say how two texts become one sequence"))
                .detail("It has no post-processor."));
        }
        let added = if pairs { encoder.pair_special_tokens } else { encoder.special_tokens };
        if added >= manifest.max_tokens {
            return Err(directory
                .broken(&format!("max_tokens is {}", manifest.max_tokens))
                .detail(format!("The tokenizer alone adds {added} tokens.")));
        }
        Ok(encoder)
    }

    /// A tokenizer from the contents of a `tokenizer.json`.
    ///
    /// With `plain`, special tokens that a text spells out are tokenized like any other text.
    pub fn parse(json: &str, max_tokens: usize, plain: bool) -> tokenizers::Result<Self> {
        let mut tokenizer = guarded(json)?;
        // Both are ours: published files often carry the settings of somebody's last call.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None)?;
        tokenizer.set_encode_special_tokens(plain);
        let added = |pair| tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(pair));
        let (special_tokens, pair_special_tokens) = (added(false), added(true));
        let pad_token_id = pad_token_id(&tokenizer);
        Ok(Self { tokenizer, max_tokens, special_tokens, pair_special_tokens, pad_token_id })
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

    /// The tokens of `text` under a prompt, and of each whether it is the text's own: neither the
    /// prompt's nor a special token that the tokenizer adds.
    pub fn encode_own(&self, prompt: &Prompt, text: &str) -> Result<(Tokens, Vec<bool>), Fault> {
        // Unlike the fast way, this one knows where in the text a token stands.
        let encoding = self.tokenizer.encode(prompt.around(text), false).map_err(|e| failed(&e))?;
        let total = encoding.len() + self.special_tokens;
        let dressed = self.dress(encoding)?;
        let (from, to) = (prompt.before.len(), prompt.before.len() + text.len());
        let inside = |(start, end): &(usize, usize)| {
            (from == 0 || *end > from) && (prompt.after.is_empty() || *start < to)
        };
        let added = dressed.get_special_tokens_mask();
        let own = dressed.get_offsets().iter().zip(added);
        let own = own.map(|(offsets, added)| *added == 0 && inside(offsets)).collect();
        Ok((Tokens { ids: dressed.get_ids().to_vec(), total }, own))
    }

    /// The tokens of `text` alone, for [`TextEncoder::pair`].
    pub fn bare(&self, text: &str) -> Result<Bare, Fault> {
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(|e| failed(&e))?;
        let total = encoding.len();
        // What is beyond would be copied for each pair.
        truncate(&mut encoding, self.pair_room());
        Ok(Bare { encoding, total })
    }

    /// Two texts in one sequence; of what is too long, the longer one is cut first.
    pub fn pair(&self, first: &Bare, second: &Bare) -> Result<PairTokens, Fault> {
        let lengths = longest_first(first.total, second.total, self.pair_room());
        let [mut a, mut b] = [first, second].map(|text| text.encoding.clone());
        truncate(&mut a, lengths.0);
        truncate(&mut b, lengths.1);
        let pair = self.tokenizer.post_process(a, Some(b), true).map_err(|e| failed(&e))?;
        let total = first.total + second.total + self.pair_special_tokens;
        Ok(PairTokens { ids: pair.get_ids().to_vec(), types: pair.get_type_ids().to_vec(), total })
    }

    /// How many special tokens a text gets, and how many a pair.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn specials(&self) -> [usize; 2] {
        [self.special_tokens, self.pair_special_tokens]
    }

    fn pair_room(&self) -> usize {
        self.max_tokens.saturating_sub(self.pair_special_tokens)
    }

    /// The tokens of several segments, one behind the other.
    pub fn encode_segments(&self, segments: &[Segment]) -> Result<Tokens, Fault> {
        self.finish(self.join(segments)?)
    }

    /// As [`TextEncoder::encode_segments`], but not cut.
    pub fn encode_all_segments(&self, segments: &[Segment]) -> Result<Vec<u32>, Fault> {
        let joined = self.join(segments)?;
        let dressed = self.tokenizer.post_process(joined, None, true).map_err(|e| failed(&e))?;
        Ok(dressed.get_ids().to_vec())
    }

    fn join(&self, segments: &[Segment]) -> Result<Encoding, Fault> {
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
        Ok(Encoding::merge(encodings, false))
    }

    /// Cuts a sequence to the model's limit and dresses it with the special tokens.
    fn finish(&self, encoding: Encoding) -> Result<Tokens, Fault> {
        let total = encoding.len() + self.special_tokens;
        Ok(Tokens { ids: self.dress(encoding)?.get_ids().to_vec(), total })
    }

    fn dress(&self, mut encoding: Encoding) -> Result<Encoding, Fault> {
        let room = self.max_tokens.saturating_sub(self.special_tokens);
        truncate(&mut encoding, room);
        self.tokenizer.post_process(encoding, None, true).map_err(|e| failed(&e))
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

/// Cuts a sequence from the right.
fn truncate(encoding: &mut Encoding, length: usize) {
    encoding.truncate(length, 0, TruncationDirection::Right);
    // Pieces beyond the cut would be dressed with special tokens too, for nobody.
    encoding.take_overflowing();
}

/// How much is left of two texts of these lengths in `room` tokens: the longer one is cut, and where
/// both are longer than half of it, each has a half.
///
/// Equal to `longest_first` of Hugging Face `tokenizers`, which would want both texts uncut.
fn longest_first(first: usize, second: usize, room: usize) -> (usize, usize) {
    if first + second <= room {
        return (first, second);
    }
    let half = room / 2;
    match (first.min(second) > half, first > second) {
        // The odd token is the longer one's, the second's of equals.
        (true, true) => (room - half, half),
        (true, false) => (half, room - half),
        (false, true) => (room - second, second),
        (false, false) => (first, room - first),
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
    use proptest::prelude::*;
    use serde_json::json;
    use tokenizers::{TruncationParams, TruncationStrategy, truncate_encodings};

    /// Words of one letter; `[C] $A [S]` and `[C] $A [S] $B [S]`, types 0 and 1.
    fn words(max_tokens: usize) -> TextEncoder {
        let added = |id: u32, content: &str| {
            json!({
                "id": id, "content": content, "special": true, "normalized": false,
                "single_word": false, "lstrip": false, "rstrip": false,
            })
        };
        let special = |name: &str, kind| json!({"SpecialToken": {"id": name, "type_id": kind}});
        let text = |name: &str, kind| json!({"Sequence": {"id": name, "type_id": kind}});
        let dressed = |id: u32, name: &str| json!({"id": name, "ids": [id], "tokens": [name]});
        let tokenizer = json!({
            "version": "1.0",
            "added_tokens": [added(0, "[C]"), added(1, "[S]"), added(2, "[UNK]")],
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [special("[C]", 0), text("A", 0), special("[S]", 0)],
                "pair": [
                    special("[C]", 0), text("A", 0), special("[S]", 0), text("B", 1), special("[S]", 1),
                ],
                "special_tokens": {"[C]": dressed(0, "[C]"), "[S]": dressed(1, "[S]")},
            },
            "model": {
                "type": "WordLevel", "unk_token": "[UNK]",
                "vocab": {"[C]": 0, "[S]": 1, "[UNK]": 2, "a": 3, "b": 4, "c": 5, "d": 6, ":": 7},
            },
        });
        TextEncoder::parse(&tokenizer.to_string(), max_tokens, false).unwrap()
    }

    fn pair(max_tokens: usize, first: &str, second: &str) -> PairTokens {
        let text = words(max_tokens);
        text.pair(&text.bare(first).unwrap(), &text.bare(second).unwrap()).unwrap()
    }

    #[test]
    fn pairs_are_dressed_as_the_tokenizer_says() {
        let found = pair(8, "a b", "c");
        assert_eq!((found.ids, found.types), (vec![0, 3, 4, 1, 5, 1], vec![0, 0, 0, 0, 1, 1]));
        assert_eq!(pair(8, "", "").ids, [0, 1, 1]);
    }

    #[test]
    fn of_a_pair_the_longer_one_is_cut() {
        // Three special tokens leave room for five.
        assert_eq!(pair(8, "a", "b b b b b b").ids, [0, 3, 1, 4, 4, 4, 4, 1]);
        assert_eq!(pair(8, "a a a a a a", "b").ids, [0, 3, 3, 3, 3, 1, 4, 1]);
        // Both: the first gets half, the second what is left.
        assert_eq!(pair(8, "a a a a", "b b b b").ids, [0, 3, 3, 1, 4, 4, 4, 1]);
    }

    proptest! {
        /// The rule is the library's, for any lengths and any limit.
        #[test]
        fn longest_first_is_the_librarys(first in 0usize..20, second in 0usize..20, room in 1usize..30) {
            let encoding = |length| Encoding::from_tokens(vec![Token::new(3, "a".into(), (0, 0)); length], 0);
            let params = TruncationParams {
                max_length: room,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction: TruncationDirection::Right,
            };
            let cut = truncate_encodings(encoding(first), Some(encoding(second)), &params).unwrap();
            let theirs = (cut.0.len(), cut.1.unwrap().len());
            prop_assert_eq!(longest_first(first, second, room), theirs);
        }
    }

    #[test]
    fn own_tokens_are_neither_the_prompts_nor_special() {
        let prompt =
            |before: &str, after: &str| Prompt { before: before.into(), after: after.into() };
        let own = |before, text, after| words(8).encode_own(&prompt(before, after), text).unwrap();
        let (tokens, mine) = own("a : ", "b c", " d");
        assert_eq!(tokens.ids, [0, 3, 7, 4, 5, 6, 1]);
        assert_eq!(mine, [false, false, false, true, true, false, false]);
        assert_eq!(own("", "[S] b", "").1, [false, true, true, false], "spelt out by the text");
        assert_eq!(own("a : ", "", "").1, [false; 4]);
        let (tokens, mine) = own("a : ", "b b b b b b b b", "");
        assert_eq!((tokens.total, mine.iter().filter(|own| **own).count()), (12, 4), "cut at 8");
    }

    /// The crate panics on both.
    #[test]
    fn a_file_that_its_reader_gives_up_is_no_tokenizer() {
        let said = |json| TextEncoder::parse(json, 8, true).err().map(|error| error.to_string());
        let broken = said(r#"{"version": "1.0", "decoder": {"type):"ByteLevel"}}"#);
        assert!(broken.unwrap().starts_with("expected `:`"));
        let map = r#"{"type": "Precompiled", "precompiled_charsmap": "%%"}"#;
        let broken = said(&format!(r#"{{"version": "1.0", "normalizer": {map}}}"#));
        assert_eq!(broken.unwrap(), "its reader gave up");
    }

    #[test]
    fn pads_on_the_right() {
        let (ids, mask) = pad_right(&[&[5, 6, 7], &[8]], 3, 1);
        assert_eq!(ids, ndarray::arr2(&[[5, 6, 7], [8, 1, 1]]));
        assert_eq!(mask, ndarray::arr2(&[[1, 1, 1], [1, 0, 0]]));
    }
}
