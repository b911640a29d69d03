//! Manifests derived from the common sentence-transformers/ONNX layout.
//!
//! Reads the layout's own JSON files (`config.json`, `modules.json`, `1_Pooling/config.json`, …) and
//! says what a `model.toml` would have said. What the layout leaves open, or asks for something
//! that we do not compute, is a fault: a guess would store wrong vectors. The rules are a table in
//! `models/README.md`, shared with the exporter and held by the same cases.
//!
//! Layout: sentence-transformers 5, `SentenceTransformer.save_pretrained`.

mod head;
mod json;
mod modules;

use crate::cancel::Cancel;
use crate::checksum::Checksums;
use crate::directory::Directory;
use crate::manifest::{Activation, Architecture, Manifest, Pooling, Precision, Prompts, TextFiles};
use json::{Object, unsupported};
use modules::Modules;
use protocol::Fault;
use std::collections::BTreeMap;

const CONFIG: &str = "config.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const PROMPTS: &str = "config_sentence_transformers.json";
/// Shorter than any useful input; a smaller limit is a mistake.
const MIN_TOKENS: usize = 8;

/// Derives the manifest of a directory that has none.
pub fn derive(
    directory: &Directory,
    checksums: &Checksums,
    cancel: &Cancel,
) -> Result<Manifest, Fault> {
    let mut manifest = description(directory)?;
    manifest.files = files(directory, &manifest.text, checksums, cancel)?;
    manifest.check(directory.name())?;
    Ok(manifest)
}

/// What distinguishes an encoder from a cross-encoder.
struct Kind {
    architecture: Architecture,
    dimensions: Option<usize>,
    pooling: Option<Pooling>,
    normalize: bool,
    activation: Option<Activation>,
    prompts: Prompts,
    /// Of `sentence_bert_config.json` and its likes.
    max_seq_length: Option<usize>,
}

/// All of the manifest but its files.
fn description(directory: &Directory) -> Result<Manifest, Fault> {
    let config = Object::required(directory, CONFIG)?;
    let model_type = config.text("model_type")?.unwrap_or_default();
    let is_pair = !directory.path().join(modules::FILE_NAME).exists() && head::classifies(&config)?;
    let kind = match is_pair {
        true => cross_encoder(&config)?,
        false => encoder(directory, &config, model_type)?,
    };
    let pad_token_id = pad_token_id(&config, model_type)?;
    Ok(Manifest {
        manifest_version: 1,
        name: directory.name().to_owned(),
        architecture: kind.architecture,
        source: config.text("_name_or_path")?.unwrap_or_default().to_owned(),
        license: String::new(),
        precision: Precision::Fp32,
        dimensions: kind.dimensions,
        max_tokens: max_tokens(directory, &config, &kind, (model_type, pad_token_id))?,
        pooling: kind.pooling,
        activation: kind.activation,
        normalize: kind.normalize,
        matryoshka: Vec::new(),
        matryoshka_from: None,
        batch_invariant: true,
        prompts: kind.prompts,
        text: TextFiles {
            graph: graph(directory)?,
            tokenizer: "tokenizer.json".to_owned(),
            pad_token_id: pad_token_id.and_then(|id| u32::try_from(id).ok()),
        },
        image: None,
        files: BTreeMap::new(),
    })
}

fn encoder(directory: &Directory, config: &Object, model_type: &str) -> Result<Kind, Fault> {
    let modules = Modules::read(directory)?;
    let dimensions = dimensions(config)?;
    if modules.dimensions.is_some_and(|pooled| pooled != dimensions) {
        return Err(unsupported(directory, CONFIG, "a width other than the pooling's"));
    }
    Ok(Kind {
        architecture: match model_type {
            "bert" => Architecture::Bert,
            "xlm-roberta" => Architecture::XlmRoberta,
            _ => Architecture::Encoder,
        },
        dimensions: Some(dimensions),
        pooling: Some(modules.pooling),
        normalize: modules.normalize,
        activation: None,
        prompts: prompts(directory)?,
        max_seq_length: max_seq_length(directory)?,
    })
}

fn cross_encoder(config: &Object) -> Result<Kind, Fault> {
    Ok(Kind {
        architecture: Architecture::CrossEncoder,
        dimensions: None,
        pooling: None,
        normalize: true,
        activation: Some(head::activation(config)?),
        prompts: Prompts::default(),
        max_seq_length: None,
    })
}

fn dimensions(config: &Object) -> Result<usize, Fault> {
    for key in ["hidden_size", "dim", "d_model"] {
        if let Some(size) = config.number(key)? {
            return Ok(size);
        }
    }
    Err(config.unsupported("no hidden_size"))
}

/// The id that fills rows; positions of XLM-RoBERTa start behind it.
fn pad_token_id(config: &Object, kind: &str) -> Result<Option<usize>, Fault> {
    let default = match kind {
        "bert" => Some(0),
        "xlm-roberta" if config.is_null("pad_token_id") => {
            return Err(config.unsupported("a pad_token_id that is null"));
        }
        "xlm-roberta" => Some(1),
        _ => None,
    };
    let id = config.number("pad_token_id")?.or(default);
    let vocabulary = config.number("vocab_size")?;
    match (id, vocabulary) {
        (Some(id), Some(size)) if id >= size => {
            Err(config.unsupported("a pad_token_id outside of the vocabulary"))
        }
        _ => Ok(id),
    }
}

/// `max_seq_length`, else the tokenizer's limit, else the positions; never more than the positions.
fn max_tokens(
    directory: &Directory,
    config: &Object,
    kind: &Kind,
    (model_type, pad_token_id): (&str, Option<usize>),
) -> Result<usize, Fault> {
    let positions = config.number("max_position_embeddings")?;
    let positions = positions.map(|rows| match counts_from_padding(model_type) {
        true => rows.saturating_sub(pad_token_id.unwrap_or(1) + 1),
        false => rows,
    });
    let tokenizer = Object::optional(directory, TOKENIZER_CONFIG)?;
    let wanted = match (kind.max_seq_length, tokenizer) {
        (Some(limit), _) => Some(limit),
        // Often 10^30, "none": the positions cut it.
        (None, Some(tokenizer)) => tokenizer.large_number("model_max_length")?,
        (None, None) => None,
    };
    let limit = wanted.into_iter().chain(positions).min();
    limit
        .filter(|limit| *limit >= MIN_TOKENS)
        .ok_or_else(|| config.unsupported("no usable limit of the input's length"))
}

/// RoBERTa-type position tables start behind the padding id.
fn counts_from_padding(kind: &str) -> bool {
    kind.contains("roberta") || ["camembert", "mpnet"].contains(&kind)
}

/// From `sentence_bert_config.json` and its likes, which must agree.
fn max_seq_length(directory: &Directory) -> Result<Option<usize>, Fault> {
    let mut found = None;
    for file in directory.names() {
        if !(file.starts_with("sentence_") && file.ends_with("_config.json")) {
            continue;
        }
        let limits = Object::required(directory, &file)?;
        if !matches!(limits.flag("do_lower_case")?, None | Some(false)) {
            return Err(limits.unsupported("do_lower_case"));
        }
        let limit = limits.number("max_seq_length")?;
        if found.is_some() && limit.is_some() && limit != found {
            return Err(limits.unsupported("another max_seq_length than in a second file"));
        }
        found = limit.or(found);
    }
    Ok(found)
}

fn prompts(directory: &Directory) -> Result<Prompts, Fault> {
    let Some(config) = Object::optional(directory, PROMPTS)? else { return Ok(Prompts::default()) };
    let prompts = config.texts("prompts")?;
    let default = match config.text("default_prompt_name")? {
        None => None,
        Some(name) => match prompts.get(name) {
            Some(prompt) => Some(prompt),
            None => {
                return Err(config.unsupported("a default prompt that is not among the prompts"));
            }
        },
    };
    let query = prompts.get("query").or(default);
    let mut documents = ["document", "passage", "corpus"].iter().filter_map(|n| prompts.get(*n));
    let document = documents.next();
    if documents.any(|other| Some(other) != document) {
        return Err(config.unsupported("several prompts for documents"));
    }
    let document = document.or(default);
    let used = [query, document].into_iter().flatten().any(|prompt| !prompt.is_empty());
    if !used && prompts.values().any(|prompt| !prompt.is_empty()) {
        return Err(config.unsupported("prompts of which none is for a query or a document"));
    }
    let text = |prompt: Option<&String>| prompt.cloned().unwrap_or_default();
    Ok(Prompts { query: text(query), document: text(document), ..Prompts::default() })
}

fn graph(directory: &Directory) -> Result<String, Fault> {
    let places = ["onnx/model.onnx", "model.onnx"];
    let found = places.into_iter().find(|place| directory.path().join(place).exists());
    found.map(str::to_owned).ok_or_else(|| {
        directory.broken("it holds no ONNX graph").detail(format!(
            "Neither {} nor {} nor {} is there.",
            crate::manifest::FILE_NAME,
            places[0],
            places[1]
        ))
    })
}

/// The graph, all that it may read beside it, and the tokenizer.
fn files(
    directory: &Directory,
    text: &TextFiles,
    checksums: &Checksums,
    cancel: &Cancel,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut names = directory.data_beside(&text.graph);
    names.extend([text.graph.clone(), text.tokenizer.clone()]);
    let hashed = names.into_iter().map(|name| {
        let sha256 = directory.sha256(&name, checksums, cancel)?;
        Ok((name, sha256))
    });
    hashed.collect()
}

#[cfg(test)]
mod tests;
