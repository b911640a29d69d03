//! Ways in for the fuzz targets, to what is private otherwise.

use crate::cancel::Cancel;
use crate::checksum::Checksums;
use crate::directory::Directory;
use crate::manifest::{Manifest, Prompt};
use crate::sentence_transformers;
use crate::text::{Segment, TextEncoder};
use protocol::{Fault, Task};
use std::fs;
use std::io;
use std::path::Path;

/// Files of a published layout, in the order in which [`derived`] takes their texts.
pub const LAYOUT: [&str; 6] = [
    "config.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer_config.json",
];

/// Parses a manifest under the name that it gives itself, and asks it for all that depends on it.
pub fn parsed(toml: &str) -> Result<(), Fault> {
    let name = toml.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    use_all(&Manifest::parse(name.unwrap_or("m"), toml)?)
}

/// Derives a manifest from the texts of [`LAYOUT`], written to `folder`/m, which is new; a missing or empty one
/// is no file.
pub fn derived(folder: &Path, texts: &[&str]) -> io::Result<Result<(), Fault>> {
    let model = folder.join("m");
    fs::create_dir_all(model.join("1_Pooling"))?;
    fs::create_dir_all(model.join("onnx"))?;
    fs::write(model.join("onnx/model.onnx"), "graph")?;
    fs::write(model.join("tokenizer.json"), "{}")?;
    for (n, file) in LAYOUT.iter().enumerate() {
        if let Some(text) = texts.get(n)
            && !text.is_empty()
        {
            fs::write(model.join(file), text)?;
        }
    }
    let derive = || {
        let directory = Directory::find(&[folder.to_owned()], "m")?;
        let cancel = Cancel::default();
        use_all(&sentence_transformers::derive(&directory, &Checksums::default(), &cancel)?)
    };
    Ok(derive())
}

/// Tokenizes a text in every way that models do; panics where more comes out than a model of `max_tokens` takes.
///
/// Where the special tokens alone are too many, loading refuses the tokenizer: nothing is promised.
pub fn tokenized(encoder: &TextEncoder, text: &str, max_tokens: usize) -> Result<(), Fault> {
    let plain = encoder.encode(text)?;
    if encoder.specials().into_iter().any(|added| added >= max_tokens) {
        return Ok(());
    }
    assert!(plain.ids.len() <= max_tokens, "{} of {max_tokens}", plain.ids.len());
    assert!(plain.total >= plain.ids.len());
    let prompt = Prompt { before: "query: ".into(), after: " ?".into() };
    let (tokens, own) = encoder.encode_own(&prompt, text)?;
    assert!(tokens.ids.len() <= max_tokens);
    assert_eq!(tokens.ids.len(), own.len());
    let (long, short) = (encoder.bare(text)?, encoder.bare("a pair")?);
    for pair in [encoder.pair(&long, &short)?, encoder.pair(&short, &long)?] {
        assert!(pair.ids.len() <= max_tokens);
        assert_eq!(pair.ids.len(), pair.types.len());
    }
    let pads = Segment::Token { id: encoder.pad_token_id(), times: 3 };
    let chat = [Segment::Text("user ".into()), pads, Segment::Text(text.to_owned())];
    assert!(encoder.encode_segments(&chat)?.ids.len() <= max_tokens);
    encoder.encode_all_segments(&chat).map(drop)
}

fn use_all(manifest: &Manifest) -> Result<(), Fault> {
    manifest.fingerprint();
    for task in [Task::Query, Task::Document] {
        manifest.prompt(task, None)?;
        // Refused where the prompt takes none, which most do.
        let _ = manifest.prompt(task, Some("an instruction"));
    }
    manifest.pair_instruction(None)?;
    manifest.dimensions.map_or(Ok(()), |n| manifest.dimensions_for(Some(n)).map(drop))
}
