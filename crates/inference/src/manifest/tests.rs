use super::*;
use proptest::prelude::*;
use protocol::Task;

fn toml(change: impl Fn(String) -> String) -> String {
    let sha = "0".repeat(64);
    change(format!(
        r#"
manifest_version = 1
name = "m"
architecture = "bert"
precision = "int4"
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
pad_token_id = 1
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
    assert_eq!(m.prompt(Task::Query, None).unwrap().around("x"), "query: x");
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
    let prompt = |instruction| m.prompt(Task::Query, instruction).unwrap().around("x");
    assert_eq!(prompt(Some("find")), "Instruct: find\nQuery: x");
    assert_eq!(prompt(None), "Instruct: \nQuery: x");
    assert!(m.prompt(Task::Document, Some("find")).is_err());
}

#[test]
fn nothing_is_filled_in_twice() {
    let text = toml(|t| t.replace("query: ", "{x} {instruction}<{input}> {input}"));
    let m = Manifest::parse("m", &text).unwrap();
    let prompt = m.prompt(Task::Query, Some("{input} {instruction}")).unwrap();
    assert_eq!(prompt.around("{instruction}"), "{x} {input} {instruction}<{instruction}> {input}");
}

const FIXED: &str = "[image]\ngraph = \"model.onnx\"\nresample = \"bicubic\"\n\
                     width = 224\nheight = 224\n";
const SMART: &str = "[image]\ngraph = \"model.onnx\"\nresample = \"bicubic\"\nfactor = 32\n\
                     min_pixels = 4096\nmax_pixels = 1843200\nmax_aspect_ratio = 200\ndeepstack = 3\n\
                     start_token_id = 1\npad_token_id = 2\nend_token_id = 3\n";

fn with_image(architecture: &str, image: &str) -> Result<Manifest, Fault> {
    let text = toml(|t| t.replace("\"bert\"", &format!("\"{architecture}\"")));
    Manifest::parse("m", &text.replace("[files]", &format!("{image}[files]")))
}

#[test]
fn an_architecture_has_the_towers_that_it_needs() {
    assert_eq!(with_image("siglip2", FIXED).unwrap().modalities(), ["text", "image"]);
    assert!(with_image("qwen3_vl", SMART).is_ok());
    let text = toml(|t| t.replace("pad_token_id = 1\n", "").replace("\"bert\"", "\"siglip\""));
    let unpadded = Manifest::parse("m", &text.replace("[files]", &format!("{FIXED}[files]")));
    assert!(unpadded.unwrap_err().message.contains("pad_token_id"));
    for (architecture, image) in
        [("bert", FIXED), ("siglip", ""), ("siglip", SMART), ("qwen3_vl", ""), ("qwen3_vl", FIXED)]
    {
        assert!(with_image(architecture, image).is_err(), "{architecture} {image}");
    }
}

#[test]
fn image_sizes_are_sane() {
    for (from, to) in [
        ("factor = 32", "factor = 0"),
        ("factor = 32", "factor = 2000"),
        ("min_pixels = 4096", "min_pixels = 1843201"),
        ("max_pixels = 1843200", "max_pixels = 1000"),
        ("max_pixels = 1843200", "max_pixels = 99999999999"),
        ("deepstack = 3", ""),
        ("pad_token_id = 2", "pad_token_id = 1"),
        ("bicubic", "lanczos"),
        ("factor = 32", "factor = 32\nwidth = 9\nheight = 9"),
    ] {
        let image = SMART.replace(from, to);
        assert_eq!(with_image("qwen3_vl", &image).unwrap_err().code, FaultCode::ConfigFile, "{to}");
    }
    assert!(with_image("siglip", &FIXED.replace("height = 224", "height = 5000")).is_err());
    assert!(with_image("siglip", &FIXED.replace("height = 224", "")).is_err());
    assert!(with_image("siglip", &FIXED.replace("\"model.onnx", "\"vision.onnx")).is_err());
}

#[test]
fn any_size_from_the_smallest_up() {
    let text = toml(|t| t.replace("[128]", "[]\nmatryoshka_from = 64"));
    let m = Manifest::parse("m", &text).unwrap();
    assert_eq!(m.dimensions_for(Some(65)).unwrap(), 65);
    let refused = m.dimensions_for(Some(63)).unwrap_err();
    assert_eq!(refused.detail.as_deref(), Some("It gives: any size from 64 to 384."));
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
    let smart = with_image("qwen3_vl", SMART).unwrap().fingerprint();
    let smaller = SMART.replace("min_pixels = 4096", "min_pixels = 1024");
    assert_ne!(smart, with_image("qwen3_vl", &smaller).unwrap().fingerprint());
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
