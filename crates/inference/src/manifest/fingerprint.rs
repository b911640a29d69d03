//! The fingerprint: which vectors or scores a model gives, in 64 hexadecimal digits.

use super::{Manifest, Prompts, TextFiles};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

impl Manifest {
    /// sha256 over all that decides the model's vectors or scores, as 64 hexadecimal digits.
    ///
    /// Not over the manifest's bytes: a comment or a licence line changes no vector. A field that
    /// is added to the format later joins only where it is set, so that old models keep theirs.
    pub fn fingerprint(&self) -> String {
        let mut text = format!("architecture={}\n", self.architecture.as_str());
        // Writing to a String cannot fail.
        if let Some(pooling) = self.pooling {
            let _ = writeln!(text, "pooling={}", pooling.as_str());
        }
        if let Some(activation) = self.activation {
            let _ = writeln!(text, "activation={}", activation.as_str());
        }
        let _ = writeln!(text, "normalize={}", self.normalize);
        if let Some(dimensions) = self.dimensions {
            let _ = writeln!(text, "dimensions={dimensions}");
        }
        let _ = writeln!(text, "max_tokens={}", self.max_tokens);
        let Prompts { query, document, instruction, pair } = &self.prompts;
        let _ =
            writeln!(text, "query={query:?}\ndocument={document:?}\ninstruction={instruction:?}");
        if let Some(pair) = pair {
            let _ = writeln!(text, "pair={pair:?}");
        }
        let TextFiles { graph, tokenizer, pad_token_id } = &self.text;
        let _ = writeln!(text, "graph={graph:?}\ntokenizer={tokenizer:?}");
        if let Some(id) = pad_token_id {
            let _ = writeln!(text, "pad_token_id={id}");
        }
        if let Some(image) = &self.image {
            let _ = writeln!(text, "image={}", image.fingerprint());
        }
        for (path, sha256) in &self.files {
            let _ = writeln!(text, "file={path:?} {}", sha256.to_ascii_lowercase());
        }
        format!("{:x}", Sha256::digest(text))
    }
}
