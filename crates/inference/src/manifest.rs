//! The manifest of a model: what it is, which files it is made of, and how texts go in.
//!
//! Parses and checks `model.toml`; knows nothing of ONNX Runtime or of where the directory lies.
//! A manifest is foreign input: unknown keys, absurd values and file names that leave the
//! directory are refused here, before anything is opened.

use protocol::{Fault, FaultCode, Task};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Component, Path};

/// Name of the manifest in a model's directory.
pub const FILE_NAME: &str = "model.toml";
/// A manifest is a page of text; anything larger is not one.
pub const MAX_BYTES: u64 = 64 * 1024;
/// pgvector's limit for `vector`.
const MAX_DIMENSIONS: usize = 16_000;
/// Beyond any published encoder (32,768), and still a run that memory can hold.
const MAX_TOKENS: usize = 65_536;
/// Stands for the instruction in a prompt.
const INSTRUCTION: &str = "{instruction}";

/// A checked manifest.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format; 1.
    pub manifest_version: u32,
    /// The model's name, equal to its directory's.
    pub name: String,
    /// Which graph contract the files follow.
    pub architecture: Architecture,
    /// Where the weights come from.
    #[serde(default)]
    pub source: String,
    /// Licence of the weights.
    #[serde(default)]
    pub license: String,
    /// How the weights are stored.
    pub precision: Precision,
    /// Elements of a vector.
    pub dimensions: usize,
    /// Longest input in tokens, special tokens included; the rest is cut from the right.
    pub max_tokens: usize,
    /// How token states become one vector, where the graph leaves that to us.
    pub pooling: Pooling,
    /// Whether vectors are scaled to length 1.
    #[serde(default = "yes")]
    pub normalize: bool,
    /// Shorter sizes that `dimensions =>` may ask for (Kusupati et al. 2022).
    #[serde(default)]
    pub matryoshka: Vec<usize>,
    /// Whether a row's vector is independent of the rows that it runs with.
    #[serde(default = "yes")]
    pub batch_invariant: bool,
    /// What is put before a text.
    #[serde(default)]
    pub prompts: Prompts,
    /// The text tower.
    pub text: TextFiles,
    /// sha256 of every file of the model, by path inside the directory.
    pub files: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

/// Which graph contract a model's files follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// BERT-type encoders: multilingual-e5, MiniLM.
    Bert,
    /// XLM-RoBERTa-type encoders: BGE-M3, KURE-v1.
    XlmRoberta,
    /// Any other encoder whose graph takes token ids and a mask.
    Encoder,
}

impl Architecture {
    /// The name used in manifests and in `models()`.
    pub fn as_str(self) -> &'static str {
        match self {
            Architecture::Bert => "bert",
            Architecture::XlmRoberta => "xlm-roberta",
            Architecture::Encoder => "encoder",
        }
    }
}

/// How a model's weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// 8-bit integers with scales.
    Int8,
    /// 4-bit blocks with scales.
    Q4,
}

impl Precision {
    /// The name used in manifests and in `models()`.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Fp16 => "fp16",
            Precision::Int8 => "int8",
            Precision::Q4 => "q4",
        }
    }
}

/// How the states of a text's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean over the attended tokens.
    Mean,
    /// The first token.
    Cls,
    /// The last attended token.
    LastToken,
}

impl Pooling {
    /// The name used in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Pooling::Mean => "mean",
            Pooling::Cls => "cls",
            Pooling::LastToken => "last_token",
        }
    }
}

/// What is put before a text, by task. `{instruction}` stands for the instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompts {
    /// Before a query.
    #[serde(default)]
    pub query: String,
    /// Before a document.
    #[serde(default)]
    pub document: String,
    /// The instruction where the caller gives none.
    pub instruction: Option<String>,
}

/// Files of the text tower, by path inside the directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextFiles {
    /// The ONNX graph.
    pub graph: String,
    /// The Hugging Face `tokenizer.json`.
    pub tokenizer: String,
    /// Fills rows up to the batch's length; found in the tokenizer where it is not given.
    pub pad_token_id: Option<u32>,
}

impl Manifest {
    /// Parses and checks the manifest of the model `name`.
    pub fn parse(name: &str, toml: &str) -> Result<Self, Fault> {
        let manifest: Manifest = toml::from_str(toml).map_err(|error| {
            invalid(name, error.message()).detail(match error.span() {
                Some(span) => format!("In line {} of {FILE_NAME}.", line_of(toml, span.start)),
                None => format!("In {FILE_NAME}."),
            })
        })?;
        manifest.check(name)?;
        Ok(manifest)
    }

    /// Checks every value; [`Manifest::parse`] and derived manifests go through here.
    pub fn check(&self, directory: &str) -> Result<(), Fault> {
        let bad = |what: String| Err(invalid(directory, &what).detail("In the model's manifest."));
        if self.manifest_version != 1 {
            return bad(format!("manifest_version is {}, expected 1", self.manifest_version));
        }
        if self.name != directory {
            return bad(format!("name is {:?}, but the directory is {directory:?}", self.name));
        }
        if !(1..=MAX_DIMENSIONS).contains(&self.dimensions) {
            return bad(format!(
                "dimensions is {}, expected 1 to {MAX_DIMENSIONS}",
                self.dimensions
            ));
        }
        if !(8..=MAX_TOKENS).contains(&self.max_tokens) {
            return bad(format!("max_tokens is {}, expected 8 to {MAX_TOKENS}", self.max_tokens));
        }
        if let Some(size) = self.matryoshka.iter().find(|d| !(1..=self.dimensions).contains(d)) {
            return bad(format!(
                "matryoshka holds {size}, expected 1 to dimensions ({})",
                self.dimensions
            ));
        }
        for path in [&self.text.graph, &self.text.tokenizer] {
            if !self.files.contains_key(path) {
                return bad(format!("{path:?} has no checksum under [files]"));
            }
        }
        for (path, sha256) in &self.files {
            if !stays_inside(path) {
                return bad(format!("file {path:?} is outside the model's directory"));
            }
            if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                return bad(format!("the checksum of {path:?} is not 64 hexadecimal digits"));
            }
        }
        Ok(())
    }

    /// The prompt of `task`, with the instruction filled in.
    ///
    /// An instruction for a model whose prompts take none is refused: it would change nothing.
    pub fn prompt(&self, task: Task, instruction: Option<&str>) -> Result<String, Fault> {
        let template = match task {
            Task::Query => &self.prompts.query,
            Task::Document => &self.prompts.document,
        };
        if template.contains(INSTRUCTION) {
            let text = instruction.or(self.prompts.instruction.as_deref()).unwrap_or_default();
            return Ok(template.replace(INSTRUCTION, text));
        }
        if instruction.is_some() {
            return Err(Fault::new(
                FaultCode::InvalidParameter,
                format!("model {:?} takes no instruction for task {:?}", self.name, task.as_str()),
            )
            .detail(format!("Its prompt for this task is {template:?}."))
            .hint("Leave instruction out, or choose a model whose prompt holds {instruction}."));
        }
        Ok(template.clone())
    }

    /// How many dimensions a request gets: the model's own, or an allowed shorter size.
    pub fn dimensions_for(&self, wanted: Option<usize>) -> Result<usize, Fault> {
        match wanted {
            None => Ok(self.dimensions),
            Some(n) if n == self.dimensions || self.matryoshka.contains(&n) => Ok(n),
            Some(n) => {
                let mut allowed = self.matryoshka.clone();
                allowed.push(self.dimensions);
                allowed.sort_unstable();
                allowed.dedup();
                let allowed: Vec<String> = allowed.iter().map(usize::to_string).collect();
                Err(Fault::new(
                    FaultCode::InvalidParameter,
                    format!("model {:?} does not give vectors of {n} dimensions", self.name),
                )
                .detail(format!("It gives: {}.", allowed.join(", ")))
                .hint("Leave dimensions out, or ask for one of these sizes."))
            }
        }
    }

    /// sha256 over all that decides the model's vectors, as 64 hexadecimal digits.
    ///
    /// Not over the manifest's bytes: a comment or a licence line changes no vector. A field that
    /// is added to the format later joins only where it is set, so that old models keep theirs.
    pub fn fingerprint(&self) -> String {
        let mut text = format!(
            "architecture={}\npooling={}\nnormalize={}\ndimensions={}\nmax_tokens={}\n",
            self.architecture.as_str(),
            self.pooling.as_str(),
            self.normalize,
            self.dimensions,
            self.max_tokens,
        );
        let Prompts { query, document, instruction } = &self.prompts;
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "query={query:?}\ndocument={document:?}\ninstruction={instruction:?}");
        let TextFiles { graph, tokenizer, pad_token_id } = &self.text;
        let _ = writeln!(text, "graph={graph:?}\ntokenizer={tokenizer:?}");
        if let Some(id) = pad_token_id {
            let _ = writeln!(text, "pad_token_id={id}");
        }
        for (path, sha256) in &self.files {
            let _ = writeln!(text, "file={path:?} {}", sha256.to_ascii_lowercase());
        }
        format!("{:x}", Sha256::digest(text))
    }
}

/// Whether a path names something below the directory that it is joined to.
fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

/// A manifest that cannot be used.
fn invalid(name: &str, what: &str) -> Fault {
    let what = what.lines().collect::<Vec<_>>().join("; ");
    Fault::new(FaultCode::ConfigFile, format!("manifest of model {name:?} is not valid: {what}"))
        .hint("Correct the file, or make the model again; models/README.md describes every key.")
}

#[cfg(test)]
mod tests;
