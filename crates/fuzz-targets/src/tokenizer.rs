//! Any text for a tokenizer, and any text as a tokenizer: a fault, or tokens within the model's limit; no panic.
//!
//! Texts with a record separator (0x1e) are a `tokenizer.json` and what it is to tokenize; others are tokenized by
//! those of the tiny models.

use inference::TextEncoder;
use inference::fuzz::tokenized;
use std::sync::LazyLock;

const MAX_TOKENS: usize = 16;
/// What a mutated tokenizer gets at most: its patterns may be slow.
const SHORT: usize = 64;

/// Unigram, WordPiece, byte-level BPE, and BPE with a byte fallback.
static TOKENIZERS: LazyLock<Vec<TextEncoder>> = LazyLock::new(|| {
    let published = [
        include_str!("../../../tests/fixtures/models/tiny-bert/tokenizer.json"),
        include_str!("../../../tests/fixtures/models/tiny-cross-bert/tokenizer.json"),
        include_str!("../../../tests/fixtures/models/tiny-qwen3-vl/tokenizer.json"),
        include_str!("../../../tests/fixtures/models/tiny-siglip2/tokenizer.json"),
    ];
    let parse = |json| TextEncoder::parse(json, MAX_TOKENS, true).expect("a fixture is one");
    published.into_iter().map(parse).collect()
});

/// Tokenizes alone, as a pair, under a prompt and in a chat.
pub fn tokenizer(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.split_once('\u{1e}') {
        // One of them, by the text's length: each takes its time.
        None => check(&TOKENIZERS[bytes.len() % TOKENIZERS.len()], text),
        Some((json, text)) if text.len() <= SHORT => {
            let plain = bytes.len() % 2 == 1;
            if let Ok(encoder) = TextEncoder::parse(json, MAX_TOKENS, plain) {
                check(&encoder, text);
            }
        }
        Some(_) => {}
    }
}

fn check(encoder: &TextEncoder, text: &str) {
    if let Err(fault) = tokenized(encoder, text, MAX_TOKENS) {
        assert!(!fault.message.is_empty());
    }
}
