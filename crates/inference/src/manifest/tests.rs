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
    assert_eq!(m.dimensions, Some(384));
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

/// A manifest of scores: without what belongs to vectors, with what belongs to scores.
fn reranker(architecture: &str, pair: &str, image: &str) -> String {
    let text = toml(|t| t.replace("\"bert\"", &format!("\"{architecture}\"")));
    let text = text.replace("dimensions = 384", "activation = \"sigmoid\"");
    let text = text.replace("pooling = \"mean\"\nmatryoshka = [128]\n", "");
    let text = text.replace("query = \"query: \"\ndocument = \"passage: \"", pair);
    text.replace("[files]", &format!("{image}[files]"))
}

const PAIR: &str = r#"pair = "{instruction}<Q>{query}<D>{document}""#;
const SIZE: &str = "feature_size = 2048\n";

#[test]
fn rerankers_give_scores_and_no_vectors() {
    let m = Manifest::parse("m", &reranker("cross-encoder", "", "")).unwrap();
    assert_eq!((m.dimensions, m.activation), (None, Some(Activation::Sigmoid)));
    for refused in [m.dimensions_for(None), m.dimensions_for(Some(384))] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, FaultCode::InvalidParameter);
        assert!(refused.detail.is_some() && refused.hint.is_some());
    }
    assert!(m.pair_instruction(None).is_ok() && m.pair_instruction(Some("find")).is_err());
    let image = format!("{SMART}{SIZE}");
    let m = Manifest::parse("m", &reranker("qwen3_vl_reranker", PAIR, &image)).unwrap();
    assert_eq!(m.pair_instruction(Some("find")).unwrap(), "find");
    let parts = pair_parts(m.prompts.pair.as_deref().unwrap());
    let (text, input) = (Part::Text, Part::Input);
    assert_eq!(parts, [Part::Instruction, text("<Q>"), input(0), text("<D>"), input(1)]);
}

#[test]
fn each_kind_has_its_own_keys() {
    let image = format!("{SMART}{SIZE}");
    let qwen = reranker("qwen3_vl_reranker", PAIR, &image);
    let cross = reranker("cross-encoder", "", "");
    for (manifest, from, to) in [
        (&cross, "activation = \"sigmoid\"", ""),
        (&cross, "\"sigmoid\"", "\"softmax\""),
        (&cross, "activation", "dimensions = 384\nactivation"),
        (&cross, "activation", "pooling = \"cls\"\nactivation"),
        (&cross, "activation", "matryoshka = [8]\nactivation"),
        (&cross, "activation", "matryoshka_from = 8\nactivation"),
        (&cross, "[prompts]", "[prompts]\npair = \"{query}{document}\""),
        (&cross, "[files]", &format!("{SMART}[files]")),
        (&qwen, SIZE, ""),
        (&qwen, "2048", "0"),
        (&qwen, PAIR, ""),
        (&qwen, "{document}", "{doc}"),
        (&qwen, "<Q>{query}<D>{document}", "<D>{document}<Q>{query}"),
        (&cross, "[prompts]", "[prompts]\ninstruction = \"find\""),
        (&cross, "[prompts]", "[prompts]\nquery = \"query: \""),
        (&qwen, "{query}", ""),
        (&qwen, PAIR, &format!("{PAIR}\nquery = \"query: \"")),
        (&qwen, &image, FIXED),
        (&toml(|t| t), "dimensions = 384\n", ""),
        (&toml(|t| t), "pooling", "activation = \"sigmoid\"\npooling"),
    ] {
        let changed = manifest.replacen(from, to, 1);
        assert_ne!(&changed, manifest, "{from} must be there");
        assert!(Manifest::parse("m", &changed).is_err(), "{from:?} → {to:?}");
    }
    assert!(with_image("qwen3_vl", &image).is_err(), "feature_size of an embedder");
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
    let scores = |change: &str| {
        let text = reranker("cross-encoder", "", "").replace("sigmoid", change);
        Manifest::parse("m", &text).unwrap().fingerprint()
    };
    assert_ne!(scores("sigmoid"), scores("identity"));
}

/// What databases have recorded must not change under them: of the first release's format.
#[test]
fn fingerprints_stay_what_they_were() {
    let m = Manifest::parse("m", &toml(|t| t)).unwrap();
    assert_eq!(m.fingerprint(), "b79cef2f024f0588447bd669d4eed08b17d9dbc0648978cb31e8d357505e96dc");
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
