//! Which rows run together.
//!
//! Pure planning over lengths: rows are sorted by length, so that a batch pads little, and a batch
//! holds at most a given number of padded tokens, so that one run is short enough to be
//! interrupted and small enough for caches.

use protocol::Fault;

/// Rows that are tokenized and sorted together; bounds memory for arrays of any length.
pub const WINDOW: usize = 2048;

/// Rows of one run, as indices into the lengths that were planned.
pub type Batch = Vec<usize>;

/// Runs `rows` in batches, and gives what `run` makes of each row, in the order of the rows.
///
/// `length` is a row's in tokens; the rest is as for [`plan`]. `run` gives as many results as it is
/// given rows.
pub fn run<T, R>(
    rows: &[T],
    length: impl Fn(&T) -> usize,
    (max_tokens, one_by_one): (usize, bool),
    mut run: impl FnMut(&[&T]) -> Result<Vec<R>, Fault>,
) -> Result<Vec<R>, Fault> {
    let lengths: Vec<usize> = rows.iter().map(length).collect();
    let mut results = Vec::with_capacity(rows.len());
    for batch in plan(&lengths, max_tokens, one_by_one) {
        let members: Vec<&T> = batch.iter().map(|member| &rows[*member]).collect();
        results.extend(batch.into_iter().zip(run(&members)?));
    }
    results.sort_unstable_by_key(|(row, _)| *row);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// Splits rows of the given `lengths` (tokens) into batches, longest first.
///
/// Each batch has at most `max_tokens` padded tokens (rows × longest); a row that alone is longer
/// runs alone. With `one_by_one` every row runs alone.
pub fn plan(lengths: &[usize], max_tokens: usize, one_by_one: bool) -> Vec<Batch> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    // Stable, so equal lengths keep their order and a plan is the same every time.
    order.sort_by_key(|row| std::cmp::Reverse(lengths[*row]));
    let mut batches: Vec<Batch> = Vec::new();
    let mut longest = 0;
    for row in order {
        match batches.last_mut() {
            Some(batch) if !one_by_one && (batch.len() + 1) * longest <= max_tokens => {
                batch.push(row);
            }
            _ => {
                longest = lengths[row];
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

    #[test]
    fn fills_up_to_the_budget() {
        assert_eq!(plan(&[4, 2, 4, 1], 8, false), [vec![0, 2], vec![1, 3]]);
        assert_eq!(plan(&[100, 3], 8, false), [vec![0], vec![1]]);
        assert_eq!(plan(&[1, 1], 8, true), [vec![0], vec![1]]);
        assert!(plan(&[], 8, false).is_empty());
    }

    #[test]
    fn results_come_in_the_order_of_the_rows() {
        let rows = [3, 1, 2, 1];
        let seen = |members: &[&usize]| Ok(members.iter().map(|row| **row * 10).collect());
        let found = run(&rows, |row| *row, (4, false), seen).unwrap();
        assert_eq!(found, [30, 10, 20, 10]);
        let stop = |_: &[&usize]| -> Result<Vec<()>, _> { Err(Fault::canceled()) };
        assert!(run(&rows, |row| *row, (4, false), stop).is_err());
    }

    proptest! {
        #[test]
        fn every_row_once_within_the_budget(
            lengths in prop::collection::vec(1usize..600, 0..300),
            budget in 1usize..4096,
        ) {
            let batches = plan(&lengths, budget, false);
            let mut seen: Vec<usize> = batches.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &batches {
                let longest = batch.iter().map(|row| lengths[*row]).max().unwrap_or(0);
                prop_assert!(batch.len() == 1 || batch.len() * longest <= budget);
            }
        }
    }
}
