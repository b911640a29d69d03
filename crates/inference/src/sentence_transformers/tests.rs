//! The cases that the exporter is held to as well: tests/fixtures/layouts/sentence_transformers.json.

use super::*;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn cases() -> Value {
    let place = "../../tests/fixtures/layouts/sentence_transformers.json";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// Writes a folder of the case's files, and the two that every folder has.
fn write(folder: &Path, base: &Map<String, Value>, changed: &Map<String, Value>) {
    let mut files = base.clone();
    files.extend(changed.clone());
    files.insert("tokenizer.json".into(), json!({}));
    files.insert("onnx/model.onnx".into(), json!("graph"));
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content {
            Value::Null => {}
            Value::String(text) => fs::write(path, text).unwrap(),
            other => fs::write(path, other.to_string()).unwrap(),
        }
    }
}

fn derived(root: PathBuf) -> Result<Manifest, Fault> {
    let directory = Directory::find(&[root], "case")?;
    derive(&directory, &Checksums::default(), &Cancel::default())
}

fn encoder(m: &Manifest) -> Value {
    json!({
        "architecture": m.architecture.as_str(),
        "dimensions": m.dimensions,
        "max_tokens": m.max_tokens,
        "pooling": m.pooling.map(|pooling| pooling.as_str()),
        "normalize": m.normalize,
        "query": m.prompts.query,
        "document": m.prompts.document,
        "pad_token_id": m.text.pad_token_id,
    })
}

fn cross_encoder(m: &Manifest) -> Value {
    assert_eq!((m.dimensions, m.pooling, &m.prompts), (None, None, &Prompts::default()));
    json!({
        "architecture": m.architecture.as_str(),
        "max_tokens": m.max_tokens,
        "activation": m.activation.map(|activation| activation.as_str()),
        "pad_token_id": m.text.pad_token_id,
    })
}

/// Runs the cases of one group; `facts` are those that its expectations speak of.
fn check(group: &Value, facts: impl Fn(&Manifest) -> Value, least: usize) {
    let object = |key: &str| group[key].as_object().unwrap();
    let mut wrong = Vec::new();
    let ours = group["cases"].as_array().unwrap().iter().filter(|case| case["only"] != "exporter");
    for case in ours.clone() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("case"), object("base_files"), case["files"].as_object().unwrap());
        let found = derived(root.path().to_owned());
        let as_expected = match (&case["expected"], &found) {
            (Value::Object(changed), Ok(found)) => {
                let mut expected = object("base_expected").clone();
                expected.extend(changed.clone());
                facts(found) == Value::Object(expected)
            }
            (Value::String(refused), Err(fault)) => {
                refused == "refused" && fault.detail.is_some() && fault.hint.is_some()
            }
            _ => false,
        };
        if !as_expected {
            wrong.push(format!("{}: {found:?}", case["name"]));
        }
    }
    assert!(ours.count() > least);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_shared_cases() {
    let all = cases();
    check(&all, encoder, 90);
    check(&all["cross_encoders"], cross_encoder, 40);
}
