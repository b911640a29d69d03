use super::*;
use proptest::prelude::*;

fn toml(change: impl Fn(String) -> String) -> String {
    let sha = "0".repeat(64);
    change(format!(
        r#"
manifest_version = 1
name = "m"
architecture = "bert"
precision = "q4"
dimensions = 384
max_tokens = 512
pooling = "mean"
matryoshka = [128]
[prompts]
query = "query: "
document = "passage: "
[text]
graph = "model.onnx"
tokenizer = "tokenizer.json"
[files]
"model.onnx" = "{sha}"
"tokenizer.json" = "{sha}"
"#
    ))
}

fn fault(from: &str, to: &str) -> Fault {
    let text = toml(|t| t.replacen(from, to, 1));
    assert_ne!(text, toml(|t| t), "the replacement must hit");
    let fault = Manifest::parse("m", &text).unwrap_err();
    assert_eq!(fault.code, FaultCode::ConfigFile);
    assert!(fault.detail.is_some() && fault.hint.is_some());
    fault
}

#[test]
fn reads_a_manifest() {
    let m = Manifest::parse("m", &toml(|t| t)).unwrap();
    assert_eq!(m.dimensions, 384);
    assert!(m.normalize && m.batch_invariant);
    assert_eq!(m.prompt(Task::Query, None).unwrap(), "query: ");
    assert_eq!(m.dimensions_for(Some(128)).unwrap(), 128);
    assert_eq!(m.dimensions_for(Some(129)).unwrap_err().code, FaultCode::InvalidParameter);
}

#[test]
fn refuses_unknown_keys_and_absurd_values() {
    let unknown = fault("pooling =", "poolign = 1\npooling =");
    assert!(unknown.message.contains("poolign"), "{unknown}");
    assert_eq!(unknown.detail.as_deref(), Some("In line 8 of model.toml."));
    fault("dimensions = 384", "dimensions = 0");
    fault("dimensions = 384", "dimensions = 16001");
    fault("dimensions = 384", "dimensions = -1");
    fault("max_tokens = 512", "max_tokens = 4000000000");
    fault("[128]", "[385]");
    fault("\"bert\"", "\"gpt\"");
    fault("manifest_version = 1", "manifest_version = 2");
    fault("name = \"m\"", "name = \"n\"");
    fault("graph = \"model.onnx\"", "graph = \"other.onnx\"");
    fault("\"model.onnx\" = \"0", "\"model.onnx\" = \"x");
}

#[test]
fn refuses_files_outside_the_directory() {
    for path in ["../x", "/etc/passwd", "a/../../x", "", ".", "a\\u0000b"] {
        let line = format!("[files]\n\"{path}\" = \"{}\"", "0".repeat(64));
        let f = fault("[files]", &line);
        assert!(f.message.contains("outside"), "{path}: {f}");
    }
}

#[test]
fn instructions_only_where_the_prompt_takes_one() {
    let plain = Manifest::parse("m", &toml(|t| t)).unwrap();
    assert!(plain.prompt(Task::Query, Some("find")).is_err());
    let text = toml(|t| t.replace("query: ", "Instruct: {instruction}\\nQuery: "));
    let m = Manifest::parse("m", &text).unwrap();
    assert_eq!(m.prompt(Task::Query, Some("find")).unwrap(), "Instruct: find\nQuery: ");
    assert_eq!(m.prompt(Task::Query, None).unwrap(), "Instruct: \nQuery: ");
    assert!(m.prompt(Task::Document, Some("find")).is_err());
}

#[test]
fn the_fingerprint_follows_what_decides_the_vectors() {
    let m = Manifest::parse("m", &toml(|t| t)).unwrap();
    let commented = Manifest::parse("m", &toml(|t| format!("# a comment\n{t}"))).unwrap();
    assert_eq!(m.fingerprint(), commented.fingerprint());
    for (from, to) in [("512", "256"), ("passage: ", ""), ("mean", "cls"), ("\"0", "\"1")] {
        let other = Manifest::parse("m", &toml(|t| t.replacen(from, to, 1))).unwrap();
        assert_ne!(m.fingerprint(), other.fingerprint(), "{from} → {to}");
    }
}

proptest! {
    /// A manifest is foreign bytes: whatever is in it, parsing ends in a value or a fault.
    #[test]
    fn never_panics(noise in "\\PC{0,300}", at in 0usize..400) {
        let _ = Manifest::parse("m", &noise);
        let whole = toml(|t| t);
        let cut = whole.char_indices().map(|(i, _)| i).nth(at).unwrap_or(0);
        let _ = Manifest::parse("m", &format!("{}{noise}{}", &whole[..cut], &whole[cut..]));
    }
}
