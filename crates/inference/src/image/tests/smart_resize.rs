//! Against tests/fixtures/images/smart_resize.json, from qwen_vl_utils 0.0.14.

use super::*;
use protocol::FaultCode;

fn numbers(value: &serde_json::Value) -> Vec<usize> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn sizes_are_those_of_qwen_vl_utils() {
    let mut refused = 0;
    for set in json("smart_resize.json").as_array().unwrap() {
        let [factor, min_pixels, max_pixels] = numbers(&set["rule"])[..] else { panic!() };
        let rule = SmartResize { factor, min_pixels, max_pixels, max_aspect_ratio: 200 };
        for case in set["cases"].as_array().unwrap().iter().map(numbers) {
            let found = smart_resize(case[0], case[1], &rule);
            match case[2..] {
                // The original ends with a side of zero here, which no model can see.
                [width, height] if width == 0 || height == 0 => assert!(found.is_ok()),
                [width, height] => assert_eq!(found, Ok((width, height)), "{case:?} {rule:?}"),
                _ => {
                    refused += 1;
                    assert_eq!(found.unwrap_err().code, FaultCode::LimitExceeded, "{case:?}");
                }
            }
        }
    }
    assert!(refused > 20);
}

#[test]
fn nothing_is_too_large_or_too_small_to_be_answered() {
    let rule =
        SmartResize { factor: 32, min_pixels: 4096, max_pixels: 1 << 20, max_aspect_ratio: 200 };
    for side in [0, 1, usize::MAX / 2, usize::MAX] {
        for other in [0, 1, 200, usize::MAX] {
            let _ = smart_resize(side, other, &rule);
        }
    }
    let fault = smart_resize(201, 1, &rule).unwrap_err();
    assert_eq!(fault.code, FaultCode::LimitExceeded);
    assert!(fault.detail.unwrap().contains("201 x 1") && fault.hint.is_some());
    assert!(smart_resize(200, 1, &rule).is_ok());
}
