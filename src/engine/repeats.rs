//! Candidates that are the same, scored once.
//!
//! It is not for speed alone: the last bits of a score depend on the place in a batch, and equal
//! candidates must be ties.

use protocol::Input;
use std::collections::HashMap;
use std::mem::take;

/// Which candidates repeat an earlier one.
pub struct Repeats(Vec<(usize, usize)>);

impl Repeats {
    /// Leaves null in place of each candidate that repeats an earlier one.
    pub fn take_out(candidates: &mut [Input]) -> Self {
        let mut repeats = Vec::new();
        let mut lengths: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
        for (row, candidate) in candidates.iter().enumerate().filter(|(_, input)| !input.is_null())
        {
            // Most differ in length already: no need to look at all their bytes.
            lengths.entry(length(candidate)).or_default().push(row);
        }
        for rows in lengths.into_values().filter(|rows| rows.len() > 1) {
            let mut firsts = HashMap::new();
            for row in rows {
                let first = *firsts.entry(&candidates[row]).or_insert(row);
                if first != row {
                    repeats.push((row, first));
                }
            }
        }
        for (row, _) in &repeats {
            take(&mut candidates[*row]);
        }
        Self(repeats)
    }

    /// Gives each of them the score of the first that is the same.
    pub fn put_back(self, scores: &mut [Option<f32>]) {
        for (row, first) in self.0 {
            scores[row] = scores[first];
        }
    }
}

/// Bytes of text and of images.
fn length(input: &Input) -> (usize, usize) {
    (input.text.as_ref().map_or(0, String::len), input.images.iter().map(Vec::len).sum())
}
