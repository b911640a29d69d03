//! What comes out of the queue: everything once, within bounds, in order of due times, worth its padding.

use batching::{Batch, Costs, Item, Queue, Rules};
use proptest::prelude::*;
use protocol::Urgency::{self, Background, Interactive};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The fixed cost is worth 24 tokens, so that a row may add 8 tokens of padding.
const RULES: Rules = Rules { costs: Costs { fixed: 0.024, token: 0.001 }, one_by_one: false };

fn item(job: u64, tokens: usize, due_ms: u64) -> Item<u64> {
    let due = Duration::from_millis(due_ms);
    Item { job, class: 0, tokens, max_batch_tokens: 512, urgency: Interactive, due, value: job }
}

fn queue(items: impl IntoIterator<Item = Item<u64>>) -> Queue<u64> {
    let mut queue = Queue::new();
    items.into_iter().for_each(|item| queue.push(item));
    queue
}

fn lengths(batch: &Batch<u64>) -> Vec<usize> {
    batch.items.iter().map(|item| item.tokens).collect()
}

fn all(queue: &mut Queue<u64>, rules: &Rules) -> Vec<Batch<u64>> {
    std::iter::from_fn(|| queue.next(rules)).collect()
}

#[test]
fn the_first_due_is_the_anchor_and_neighbours_join_while_padding_is_worth_it() {
    let mut queue =
        queue([item(1, 40, 5), item(2, 100, 1), item(3, 95, 9), item(4, 107, 7), item(5, 60, 8)]);
    let batch = queue.next(&RULES).unwrap();
    // 95 pads itself by 5; 107 would pad two rows by 7 each then, more than 8 in all.
    assert_eq!(lengths(&batch), [100, 95]);
    assert_eq!(batch.padded_tokens, 200);
    assert_eq!(lengths(&queue.next(&RULES).unwrap()), [40]);
    assert_eq!(lengths(&queue.next(&RULES).unwrap()), [107]);
    assert_eq!(lengths(&queue.next(&RULES).unwrap()), [60]);
    assert!(queue.next(&RULES).is_none() && queue.is_empty());
}

#[test]
fn equal_lengths_join_in_the_order_in_which_they_are_due() {
    let mut queue = queue([item(1, 16, 3), item(2, 16, 1), item(3, 16, 2), item(4, 16, 2)]);
    let batch = queue.next(&RULES).unwrap();
    assert_eq!(batch.items.iter().map(|item| item.job).collect::<Vec<_>>(), [2, 3, 4, 1]);
}

#[test]
fn of_shorter_ones_of_one_length_the_first_due_joins() {
    let mut short = [item(1, 12, 9), item(2, 12, 5), item(3, 16, 1)];
    short.iter_mut().for_each(|row| row.max_batch_tokens = 32);
    let batch = queue(short).next(&RULES).unwrap();
    assert_eq!(batch.items.iter().map(|item| item.job).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn classes_and_one_by_one_keep_rows_apart() {
    let mut other = item(2, 16, 2);
    other.class = 7;
    assert_eq!(all(&mut queue([item(1, 16, 1), other]), &RULES).len(), 2);
    let alone = Rules { one_by_one: true, ..RULES };
    assert_eq!(all(&mut queue([item(1, 16, 1), item(2, 16, 1)]), &alone).len(), 2);
}

#[test]
fn rows_with_other_limits_run_apart() {
    let mut other = item(2, 16, 2);
    other.max_batch_tokens = 4096;
    assert_eq!(all(&mut queue([item(1, 16, 1), other]), &RULES).len(), 2);
}

#[test]
fn the_budget_holds_and_a_longer_row_runs_alone() {
    let mut long = item(1, 600, 1);
    long.max_batch_tokens = 512;
    assert_eq!(lengths(&queue([long, item(2, 600, 2)]).next(&RULES).unwrap()), [600]);
    let batches = all(&mut queue((0..40).map(|n| item(n, 16, n))), &RULES);
    assert_eq!(batches.iter().map(|batch| batch.items.len()).collect::<Vec<_>>(), [32, 8]);
}

fn background(job: u64, tokens: usize) -> Item<u64> {
    Item { urgency: Background, ..item(job, tokens, job) }
}

#[test]
fn who_waits_goes_first_and_is_not_made_to_wait_for_background() {
    let mut queue = queue((1..9).map(|job| background(job, 16)).chain([item(9, 16, 99)]));
    let batch = queue.next(&RULES).unwrap();
    assert_eq!(batch.items.iter().map(|item| item.job).collect::<Vec<_>>(), [9], "however late");
    assert!(!batch.yields);
    let batch = queue.next(&RULES).unwrap();
    assert_eq!(batch.items.len(), 8, "among themselves they join");
    assert!(batch.yields);
}

#[test]
fn background_joins_a_run_of_those_who_wait_where_it_is_an_eighth_of_it_at_most() {
    // With the fixed cost of 24 tokens, 21 rows of 8 cost 192.
    let mut queue =
        queue((1..22).map(|job| item(job, 8, 1)).chain((30..40).map(|job| background(job, 8))));
    let batch = queue.next(&RULES).unwrap();
    assert_eq!((batch.items.len(), batch.padded_tokens, batch.yields), (24, 192, false));
}

#[test]
fn a_dropped_job_leaves() {
    let mut queue = queue([item(1, 16, 1), item(2, 16, 1), item(1, 300, 1)]);
    assert_eq!(queue.remove(1).len(), 2);
    assert_eq!((queue.len(), queue.remove(1).len()), (1, 0));
    assert_eq!(queue.next(&RULES).unwrap().items[0].job, 2);
}

#[test]
fn background_that_lengthens_a_run_is_charged_for_all_of_it() {
    // Fixed cost of 24 tokens: 200 is worth 28. A row of 14 beside one of 200 is padded, by too much; one that is
    // longer pads all others, here by one each.
    let rows = |longer| (1..11).map(|job| item(job, 20, 1)).chain([background(11, longer)]);
    assert_eq!(queue(rows(20)).next(&RULES).unwrap().padded_tokens, 11 * 20);
    assert_eq!(queue(rows(18)).next(&RULES).unwrap().padded_tokens, 11 * 20, "padded to 20");
    assert_eq!(queue(rows(21)).next(&RULES).unwrap().padded_tokens, 10 * 20);
}

#[test]
fn what_was_put_back_waits_again_and_then_runs_in_smaller_parts() {
    let mut queue = queue((0..64).map(|job| background(job, 16)));
    let batch = queue.next(&RULES).unwrap();
    assert_eq!((batch.items.len(), batch.yields), (32, true), "nobody waits: as many as may");
    queue.push(item(99, 16, 9));
    // The first of them is not wanted any more.
    queue.put_back(batch.items.into_iter().skip(1));
    assert_eq!(queue.len(), 64);
    assert_eq!(queue.next(&RULES).unwrap().items[0].job, 99);
    let batches = all(&mut queue, &RULES);
    let rows: Vec<_> = batches.iter().map(|batch| batch.items.len()).collect();
    assert_eq!(rows, [16, 20, 25, 2]);
    assert_eq!(batches[0].items[0].job, 1, "in the order in which they are due");
}

#[test]
fn tens_of_thousands_of_rows_are_no_burden() {
    const ROWS: u64 = 60_000;
    let rows = (0..ROWS).map(|n| item(n % 500, 1 + (n * 7919 % 300) as usize, n * 31 % 1000));
    let mut queue = queue(rows);
    let removed: usize = (0..250).map(|job| queue.remove(job).len()).sum();
    let served: usize = all(&mut queue, &RULES).iter().map(|batch| batch.items.len()).sum();
    assert_eq!((removed + served) as u64, ROWS);
}

fn urgency() -> impl Strategy<Value = Urgency> {
    prop_oneof![Just(Interactive), Just(Background)]
}

proptest! {
    #[test]
    fn everything_comes_out_once_within_bounds(
        rows in prop::collection::vec((0u64..9, 0u64..3, 1usize..600, urgency(), 0u64..50), 0..200),
        dropped in 0u64..9,
        budget in 1usize..2000,
        fixed in 0f64..0.1,
    ) {
        let rules = Rules { costs: Costs { fixed, token: 0.001 }, one_by_one: false };
        let mut queue = Queue::new();
        for (number, (job, class, tokens, urgency, due)) in rows.iter().enumerate() {
            queue.push(Item {
                job: *job, class: *class, tokens: *tokens, urgency: *urgency,
                max_batch_tokens: budget, due: Duration::from_millis(*due), value: number as u64,
            });
        }
        let mut seen: Vec<u64> = queue.remove(dropped).into_iter().map(|item| item.value).collect();
        prop_assert!(seen.iter().all(|number| rows[*number as usize].0 == dropped));
        let mut last = HashMap::from([(Interactive, Duration::ZERO), (Background, Duration::ZERO)]);
        while let Some(batch) = queue.next(&rules) {
            let longest = batch.items.iter().map(|item| item.tokens).max().unwrap();
            prop_assert_eq!(batch.padded_tokens, longest * batch.items.len());
            prop_assert!(batch.items.len() == 1 || batch.padded_tokens <= budget);
            prop_assert!(batch.items.iter().all(|item| item.class == batch.items[0].class));
            let anchor = &batch.items[0];
            let before = last.insert(anchor.urgency, anchor.due).unwrap();
            prop_assert!(anchor.due >= before, "the anchor is the first due of its urgency");
            prop_assert!(!batch.yields || batch.items.iter().all(|item| item.urgency == Background));
            seen.extend(batch.items.iter().map(|item| item.value));
        }
        prop_assert_eq!(queue.len(), 0);
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..rows.len() as u64).collect::<Vec<_>>());
    }

    #[test]
    fn pushes_drops_and_runs_in_any_order_lose_nothing(
        steps in prop::collection::vec((0u8..4, 0u64..6, 0u64..2, 1usize..300, urgency(), 0u64..50), 0..300),
        one_by_one in any::<bool>(),
    ) {
        let rules = Rules { one_by_one, ..RULES };
        let mut queue = Queue::new();
        let mut waiting: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, (step, job, class, tokens, urgency, due)) in steps.into_iter().enumerate() {
            match step {
                0 => {
                    let mut dropped: Vec<_> = waiting.iter().filter(|row| *row.1 == job).map(|row| *row.0).collect();
                    waiting.retain(|_, of| *of != job);
                    let found: Vec<_> = queue.remove(job).into_iter().map(|item| item.value).collect();
                    dropped.sort_unstable();
                    prop_assert_eq!(found, dropped, "all of a job, in the order in which they came");
                }
                1 => {
                    let batch = queue.next(&rules);
                    prop_assert_eq!(batch.is_none(), waiting.is_empty(), "it never waits for more");
                    let items = batch.map(|batch| batch.items).unwrap_or_default();
                    prop_assert!(!one_by_one || items.len() <= 1);
                    for item in items {
                        prop_assert_eq!(waiting.remove(&item.value), Some(item.job));
                    }
                }
                _ => {
                    let due = Duration::from_millis(due);
                    let value = number as u64;
                    waiting.insert(value, job);
                    queue.push(Item { job, class, tokens, max_batch_tokens: 512, urgency, due, value });
                }
            }
            prop_assert_eq!(queue.len(), waiting.len());
        }
    }
}
