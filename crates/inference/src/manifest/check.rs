//! What a manifest may say.

use super::{Architecture, Manifest, Part, Prompts, Sizing, invalid, pair_parts};
use protocol::Fault;
use std::path::{Component, Path};

/// pgvector's limit for `vector`.
const MAX_DIMENSIONS: usize = 16_000;
/// Beyond any published encoder (32,768), and still a run that memory can hold.
const MAX_TOKENS: usize = 65_536;

impl Manifest {
    /// Checks every value; [`Manifest::parse`] and derived manifests go through here.
    pub fn check(&self, directory: &str) -> Result<(), Fault> {
        let problem = self.wrong_number(directory).or_else(|| self.wrong_output());
        let problem = problem.or_else(|| self.wrong_tower()).or_else(|| self.wrong_prompt());
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
        if !(8..=MAX_TOKENS).contains(&self.max_tokens) {
            return Some(format!("max_tokens is {}, expected 8 to {MAX_TOKENS}", self.max_tokens));
        }
        None
    }

    /// A model gives vectors or scores, and says what belongs to its kind.
    fn wrong_output(&self) -> Option<String> {
        if self.architecture.gives_scores() {
            return self.wrong_scores();
        }
        if self.activation.is_some() {
            return Some("activation belongs to rerankers".to_owned());
        }
        let Some(dimensions) = self.dimensions else {
            return Some("missing field `dimensions`".to_owned());
        };
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Some(format!("dimensions is {dimensions}, expected 1 to {MAX_DIMENSIONS}"));
        }
        let mut shorter = self.matryoshka.iter().chain(&self.matryoshka_from);
        let absurd = shorter.find(|size| !(1..=dimensions).contains(size))?;
        Some(format!("matryoshka holds {absurd}, expected 1 to dimensions ({dimensions})"))
    }

    fn wrong_scores(&self) -> Option<String> {
        let sizes = self.dimensions.is_some() || self.matryoshka_from.is_some();
        if sizes || !self.matryoshka.is_empty() || self.pooling.is_some() {
            let kind = self.architecture.as_str();
            return Some(format!(
                "architecture {kind:?} has no dimensions, matryoshka and pooling"
            ));
        }
        self.activation.is_none().then(|| "missing field `activation`".to_owned())
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
            (Architecture::Qwen3Vl, Some(Sizing::Smart { feature_size: Some(_), .. })) => {
                Some("image feature_size belongs to rerankers".to_owned())
            }
            (Architecture::Qwen3Vl, Some(Sizing::Smart { .. })) if self.pooling.is_some() => None,
            (Architecture::Qwen3Vl, _) => {
                Some(format!("architecture {kind:?} needs pooling, and [image] with factor"))
            }
            (Architecture::Qwen3VlReranker, Some(Sizing::Smart { feature_size, .. })) => {
                feature_size.is_none().then(|| "image has no feature_size".to_owned())
            }
            (Architecture::Qwen3VlReranker, _) => {
                Some(format!("architecture {kind:?} needs [image] with factor"))
            }
            (_, Some(_)) => Some(format!("architecture {kind:?} has no [image]")),
            (Architecture::CrossEncoder, None) => None,
            (_, None) if self.pooling.is_none() => Some("missing field `pooling`".to_owned()),
            (_, None) => None,
        }
    }

    fn wrong_prompt(&self) -> Option<String> {
        if self.architecture == Architecture::CrossEncoder && self.prompts != Prompts::default() {
            return Some("prompts: architecture \"cross-encoder\" has none".to_owned());
        }
        let Prompts { query, document, pair, .. } = &self.prompts;
        let is_pair = self.architecture == Architecture::Qwen3VlReranker;
        let wrong = |what: &str| Some(format!("prompts {what}"));
        match (is_pair, pair) {
            (false, Some(_)) => wrong("pair belongs to qwen3_vl_reranker"),
            (false, None) => None,
            (true, None) => wrong("has no pair"),
            (true, Some(_)) if !query.is_empty() || !document.is_empty() => {
                wrong("query and document belong to models that give vectors")
            }
            (true, Some(pair)) => {
                let parts = pair_parts(pair);
                let place = |side| parts.iter().position(|part| *part == Part::Input(side));
                // In this order: the query's pictures come first.
                let usable = place(0).is_some() && place(0) < place(1);
                (!usable).then(|| "prompts pair needs {query}, then {document}".to_owned())
            }
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
