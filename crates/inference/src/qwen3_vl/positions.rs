//! M-RoPE positions: where a token stands in time, height and width.
//!
//! Source: Wang et al. 2024 (arXiv:2409.12191), as `get_rope_index` of transformers' Qwen3-VL.

/// Rows and columns of a picture's features.
pub type Grid = (usize, usize);

/// Time, height and width of every token of one row.
///
/// Text counts on in all three; the features of a picture share one time and have a row and a
/// column; what follows a picture goes on behind its longer side. `pad` stands for one feature.
pub fn positions(ids: &[u32], grids: &[Grid], pad: u32) -> Vec<[i64; 3]> {
    let mut found = Vec::with_capacity(ids.len());
    let mut grids = grids.iter();
    let mut next = 0;
    while found.len() < ids.len() {
        let is_feature = ids.get(found.len()) == Some(&pad);
        match grids.as_slice().first().filter(|_| is_feature) {
            Some((height, width)) => {
                grids.next();
                let rows = 0..*height as i64;
                found.extend(
                    rows.flat_map(|y| (0..*width as i64).map(move |x| [next, next + y, next + x])),
                );
                next += *height.max(width) as i64;
            }
            None => {
                found.push([next; 3]);
                next += 1;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const PAD: u32 = 9;

    /// What transformers gives for 150 random layouts: tests/fixtures/reference.
    #[test]
    fn equal_to_the_reference() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/reference/mrope.json");
        let recorded: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let layouts = recorded["layouts"].as_array().unwrap();
        assert!(layouts.len() >= 100);
        for case in layouts {
            let (mut ids, mut grids) = (Vec::new(), Vec::new());
            for run in case["layout"].as_array().unwrap() {
                match run.as_array() {
                    None => ids.resize(ids.len() + number(run), 1),
                    Some(grid) => {
                        grids.push((number(&grid[0]), number(&grid[1])));
                        ids.resize(ids.len() + number(&grid[0]) * number(&grid[1]), PAD);
                    }
                }
            }
            let found = positions(&ids, &grids, PAD);
            for axis in 0..3 {
                let found: Vec<i64> = found.iter().map(|place| place[axis]).collect();
                let expected: Vec<i64> =
                    serde_json::from_value(case["positions"][axis].clone()).unwrap();
                assert_eq!(found, expected, "{} axis {axis}", case["layout"]);
            }
        }
    }

    fn number(value: &Value) -> usize {
        value.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap()
    }
}
