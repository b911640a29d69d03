//! What a manifest may say.

use super::{Architecture, Manifest, Sizing, invalid};
use protocol::Fault;
use std::path::{Component, Path};

/// pgvector's limit for `vector`.
const MAX_DIMENSIONS: usize = 16_000;
/// Beyond any published encoder (32,768), and still a run that memory can hold.
const MAX_TOKENS: usize = 65_536;

impl Manifest {
    /// Checks every value; [`Manifest::parse`] and derived manifests go through here.
    pub fn check(&self, directory: &str) -> Result<(), Fault> {
        let problem = self.wrong_number(directory).or_else(|| self.wrong_tower());
        match problem.or_else(|| self.wrong_file()) {
            Some(what) => Err(invalid(directory, &what).detail("In the model's manifest.")),
            None => Ok(()),
        }
    }

    fn wrong_number(&self, directory: &str) -> Option<String> {
        if self.manifest_version != 1 {
            return Some(format!("manifest_version is {}, expected 1", self.manifest_version));
        }
        if self.name != directory {
            return Some(format!("name is {:?}, but the directory is {directory:?}", self.name));
        }
        let dimensions = self.dimensions;
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Some(format!("dimensions is {dimensions}, expected 1 to {MAX_DIMENSIONS}"));
        }
        if !(8..=MAX_TOKENS).contains(&self.max_tokens) {
            return Some(format!("max_tokens is {}, expected 8 to {MAX_TOKENS}", self.max_tokens));
        }
        let mut shorter = self.matryoshka.iter().chain(&self.matryoshka_from);
        let absurd = shorter.find(|size| !(1..=dimensions).contains(size))?;
        Some(format!("matryoshka holds {absurd}, expected 1 to dimensions ({dimensions})"))
    }

    /// Each architecture has its own towers and its own choices.
    fn wrong_tower(&self) -> Option<String> {
        let sizing = self.image.as_ref().map(|image| &image.sizing);
        let kind = self.architecture.as_str();
        match (self.architecture, sizing) {
            (Architecture::Siglip | Architecture::Siglip2, Some(Sizing::Fixed { .. })) => {
                // Without a mask padding counts: a guess would give other vectors.
                self.text.pad_token_id.is_none().then(|| "text has no pad_token_id".to_owned())
            }
            (Architecture::Siglip | Architecture::Siglip2, _) => {
                Some(format!("architecture {kind:?} needs [image] with width and height"))
            }
            (Architecture::Qwen3Vl, Some(Sizing::Smart { .. })) if self.pooling.is_some() => None,
            (Architecture::Qwen3Vl, _) => {
                Some(format!("architecture {kind:?} needs pooling, and [image] with factor"))
            }
            (_, Some(_)) => Some(format!("architecture {kind:?} has no [image]")),
            (_, None) if self.pooling.is_none() => Some("missing field `pooling`".to_owned()),
            (_, None) => None,
        }
    }

    fn wrong_file(&self) -> Option<String> {
        let named = self.graphs().chain([self.text.tokenizer.as_str()]);
        for path in named {
            if !self.files.contains_key(path) {
                return Some(format!("{path:?} has no checksum under [files]"));
            }
        }
        for (path, sha256) in &self.files {
            if !stays_inside(path) {
                return Some(format!("file {path:?} is outside the model's directory"));
            }
            if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Some(format!("the checksum of {path:?} is not 64 hexadecimal digits"));
            }
        }
        None
    }
}

/// Whether a path names something below the directory that it is joined to.
fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}
