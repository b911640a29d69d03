//! Manifests derived from the common sentence-transformers/ONNX layout.
//!
//! Reads the layout's own JSON files (`config.json`, `modules.json`, `1_Pooling/config.json`, …) and
//! says what a `model.toml` would have said. What the layout leaves open, or asks for something
//! that we do not compute, is a fault: a guess would store wrong vectors.
//!
//! Layout: sentence-transformers 5, `SentenceTransformer.save_pretrained`.

use crate::cancel::Cancel;
use crate::checksum::Checksums;
use crate::directory::Directory;
use crate::manifest::{Architecture, Manifest, Pooling, Precision, Prompts, TextFiles};
use protocol::Fault;
use serde_json::Value;
use std::collections::BTreeMap;

const FILE_NAME: &str = "config.json";
const MODULES: &str = "modules.json";
/// Configurations are small; a larger file is something else.
const MAX_BYTES: u64 = 1024 * 1024;

/// Derives the manifest of a directory that has none.
pub fn derive(
    directory: &Directory,
    checksums: &Checksums,
    cancel: &Cancel,
) -> Result<Manifest, Fault> {
    let config = required(directory, FILE_NAME)?;
    let modules = Modules::read(directory)?;
    let kind = text(&config, "model_type").unwrap_or_default();
    let manifest = Manifest {
        manifest_version: 1,
        name: directory.name().to_owned(),
        architecture: match kind {
            "bert" => Architecture::Bert,
            "xlm-roberta" => Architecture::XlmRoberta,
            _ => Architecture::Encoder,
        },
        source: text(&config, "_name_or_path").unwrap_or_default().to_owned(),
        license: String::new(),
        precision: Precision::Fp32,
        dimensions: dimensions(directory, &config)?,
        max_tokens: max_tokens(directory, &config, kind)?,
        pooling: modules.pooling,
        normalize: modules.normalize,
        matryoshka: Vec::new(),
        batch_invariant: true,
        prompts: prompts(directory)?,
        text: TextFiles {
            graph: graph(directory)?,
            tokenizer: "tokenizer.json".to_owned(),
            pad_token_id: number(&config, "pad_token_id").and_then(|id| u32::try_from(id).ok()),
        },
        files: BTreeMap::new(),
    };
    let files = files(directory, &manifest.text, checksums, cancel)?;
    let manifest = Manifest { files, ..manifest };
    manifest.check(directory.name())?;
    Ok(manifest)
}

/// What `modules.json` lists after the transformer.
struct Modules {
    pooling: Pooling,
    normalize: bool,
}

impl Modules {
    fn read(directory: &Directory) -> Result<Self, Fault> {
        let list = required(directory, MODULES)?;
        let (mut pooling, mut normalize) = (None, false);
        for module in list.as_array().into_iter().flatten() {
            let class = text(module, "type").unwrap_or_default();
            match class.rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Normalize" => normalize = true,
                "Pooling" => {
                    let folder = text(module, "path").unwrap_or("1_Pooling");
                    pooling = Some(pooling_of(directory, &format!("{folder}/config.json"))?);
                }
                other => return Err(unsupported(directory, MODULES, &format!("module {other:?}"))),
            }
        }
        let pooling =
            pooling.ok_or_else(|| unsupported(directory, MODULES, "no Pooling module"))?;
        Ok(Self { pooling, normalize })
    }
}

fn pooling_of(directory: &Directory, file: &str) -> Result<Pooling, Fault> {
    let config = required(directory, file)?;
    let modes = config.as_object().into_iter().flatten();
    let on: Vec<&str> = modes
        .filter(|(key, value)| key.starts_with("pooling_mode_") && value.as_bool() == Some(true))
        .map(|(key, _)| key.trim_start_matches("pooling_mode_"))
        .chain(text(&config, "pooling_mode"))
        .collect();
    match on.as_slice() {
        ["mean_tokens" | "mean"] => Ok(Pooling::Mean),
        ["cls_token" | "cls"] => Ok(Pooling::Cls),
        ["lasttoken"] => Ok(Pooling::LastToken),
        other => Err(unsupported(directory, file, &format!("pooling {}", other.join(" + ")))),
    }
}

fn dimensions(directory: &Directory, config: &Value) -> Result<usize, Fault> {
    ["hidden_size", "dim", "d_model"]
        .iter()
        .find_map(|key| number(config, key))
        .ok_or_else(|| unsupported(directory, FILE_NAME, "no hidden_size"))
}

fn max_tokens(directory: &Directory, config: &Value, kind: &str) -> Result<usize, Fault> {
    const FILE: &str = "sentence_bert_config.json";
    let limits = optional(directory, FILE)?.unwrap_or_default();
    if limits.get("do_lower_case").and_then(Value::as_bool) == Some(true) {
        return Err(unsupported(directory, FILE, "do_lower_case"));
    }
    // RoBERTa-type position tables start after the padding index, so two rows are never used.
    let reserved = if kind.contains("roberta") { 2 } else { 0 };
    let positions = number(config, "max_position_embeddings").map(|n| n.saturating_sub(reserved));
    number(&limits, "max_seq_length")
        .or(positions)
        .ok_or_else(|| unsupported(directory, FILE, "no max_seq_length"))
}

fn prompts(directory: &Directory) -> Result<Prompts, Fault> {
    let config = optional(directory, "config_sentence_transformers.json")?.unwrap_or_default();
    let named = |name: &str| config.get("prompts").and_then(|p| text(p, name)).map(str::to_owned);
    Ok(Prompts {
        query: named("query").unwrap_or_default(),
        document: named("document").or_else(|| named("passage")).unwrap_or_default(),
        instruction: None,
    })
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

fn required(directory: &Directory, file: &str) -> Result<Value, Fault> {
    optional(directory, file)?.ok_or_else(|| {
        directory
            .broken(&format!("it has neither {} nor {file}", crate::manifest::FILE_NAME))
            .detail(
                "Without a manifest, a directory must have the sentence-transformers layout: \
             config.json, modules.json, 1_Pooling/config.json, tokenizer.json, onnx/model.onnx.",
            )
    })
}

fn optional(directory: &Directory, file: &str) -> Result<Option<Value>, Fault> {
    if !directory.path().join(file).exists() {
        return Ok(None);
    }
    let json = directory.read_text(file, MAX_BYTES)?;
    serde_json::from_str(&json).map(Some).map_err(|error| {
        directory.broken(&format!("file {file:?} is not JSON")).detail(format!("{error}."))
    })
}

fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn number(object: &Value, key: &str) -> Option<usize> {
    object.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok())
}

fn unsupported(directory: &Directory, file: &str, what: &str) -> Fault {
    directory
        .broken(&format!("{what} is not supported"))
        .detail(format!("In {file}."))
        .hint("Export the model with models/export, or write a model.toml; see models/README.md.")
}
