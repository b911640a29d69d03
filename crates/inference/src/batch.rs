//! Which rows run together.
//!
//! Pure planning over lengths: rows are sorted by length, so that a batch pads little, and a batch
//! holds at most a given number of padded tokens, so that one run is short enough to be
//! interrupted and small enough for caches.

use crate::work::Row;
use std::cmp::Reverse;

/// Rows of one run, as indices into what was planned.
pub type Batch = Vec<usize>;

/// Splits prepared rows into batches of one class each, longest first.
///
/// Each batch has at most `max_tokens` padded tokens (rows × longest); a row that alone is longer
/// runs alone. With `one_by_one` every row runs alone.
pub fn plan(rows: &[(usize, Row)], max_tokens: usize, one_by_one: bool) -> Vec<Batch> {
    let sizes: Vec<_> = rows.iter().map(|(_, row)| (row.class, row.tokens)).collect();
    plan_sizes(&sizes, max_tokens, one_by_one)
}

fn plan_sizes(sizes: &[(u64, usize)], max_tokens: usize, one_by_one: bool) -> Vec<Batch> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    // Stable, so equal lengths keep their order and a plan is the same every time.
    order.sort_by_key(|row| (sizes[*row].0, Reverse(sizes[*row].1)));
    let mut batches: Vec<Batch> = Vec::new();
    let (mut class, mut longest) = (0, 0);
    for row in order {
        match batches.last_mut() {
            Some(batch)
                if !one_by_one
                    && class == sizes[row].0
                    && (batch.len() + 1) * longest <= max_tokens =>
            {
                batch.push(row);
            }
            _ => {
                (class, longest) = sizes[row];
                batches.push(vec![row]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of_lengths(lengths: &[usize], max_tokens: usize, one_by_one: bool) -> Vec<Batch> {
        let sizes: Vec<_> = lengths.iter().map(|length| (0, *length)).collect();
        plan_sizes(&sizes, max_tokens, one_by_one)
    }

    #[test]
    fn fills_up_to_the_budget() {
        assert_eq!(of_lengths(&[4, 2, 4, 1], 8, false), [vec![0, 2], vec![1, 3]]);
        assert_eq!(of_lengths(&[100, 3], 8, false), [vec![0], vec![1]]);
        assert_eq!(of_lengths(&[1, 1], 8, true), [vec![0], vec![1]]);
        assert!(of_lengths(&[], 8, false).is_empty());
    }

    #[test]
    fn classes_run_apart() {
        assert_eq!(plan_sizes(&[(1, 2), (0, 2), (1, 3)], 8, false), [vec![1], vec![2, 0]]);
    }

    proptest! {
        #[test]
        fn every_row_once_within_the_budget(
            sizes in prop::collection::vec((0u64..3, 1usize..600), 0..300),
            budget in 1usize..4096,
        ) {
            let batches = plan_sizes(&sizes, budget, false);
            let mut seen: Vec<usize> = batches.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..sizes.len()).collect::<Vec<_>>());
            for batch in &batches {
                let longest = batch.iter().map(|row| sizes[*row].1).max().unwrap_or(0);
                prop_assert!(batch.len() == 1 || batch.len() * longest <= budget);
                prop_assert!(batch.iter().all(|row| sizes[*row].0 == sizes[batch[0]].0));
            }
        }
    }
}
