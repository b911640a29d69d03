//! Every picture of tests/fixtures/images against expected.json, to the bit.

use super::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn digest(image: &Rgb) -> String {
    Sha256::digest(&image.pixels).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn filter(name: &Value) -> Filter {
    if name == "bilinear" { Filter::Bilinear } else { Filter::Bicubic }
}

/// Too much for code that is not optimized; `cargo test --release` does all.
fn is_long(recorded: &Value) -> bool {
    cfg!(debug_assertions) && number(&recorded["width"]) * number(&recorded["height"]) > 1_000_000
}

/// Compares one way of decoding with what was recorded.
fn check(name: &str, bytes: &[u8], turned: bool, expected: &Value) -> Rgb {
    let promised = size(bytes, turned, &LIMITS).unwrap();
    let image = decode(bytes, turned, &LIMITS).unwrap();
    let recorded = (number(&expected["width"]), number(&expected["height"]));
    assert_eq!(promised, recorded, "{name}: size");
    assert_eq!((image.width, image.height), recorded, "{name}: decoded size");
    assert_eq!(Value::from(digest(&image)), expected["sha256"], "{name}: pixels");
    image
}

#[test]
fn pictures_are_decoded_turned_and_resized_as_by_pillow() {
    let expected = json("expected.json");
    let resizes = expected["resizes"].as_array().unwrap();
    let images = expected["images"].as_object().unwrap();
    assert!(images.len() >= 95);
    for (name, recorded) in images {
        let bytes = file(name);
        if is_long(recorded) {
            let recorded = (number(&recorded["width"]), number(&recorded["height"]));
            assert_eq!(size(&bytes, false, &LIMITS), Ok(recorded));
            continue;
        }
        let image = check(name, &bytes, false, recorded);
        check(name, &bytes, true, recorded.get("turned").unwrap_or(recorded));
        for (to, expected) in resizes.iter().zip(recorded["resized"].as_array().unwrap()) {
            let small = resize(&image, number(&to[0]), number(&to[1]), filter(&to[2]));
            assert_eq!(digest(&small)[..16], *expected, "{name} to {to}");
        }
    }
}

#[test]
fn every_picture_of_the_folder_is_recorded() {
    let expected = json("expected.json");
    let images = expected["images"].as_object().unwrap();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.ends_with(".json") || images.contains_key(&name), "{name}");
    }
}
