//! Who waits how long, in simulated time: single rows beside arrays, and those who are in no hurry.

use batching::{Costs, FairClock, Item, PATIENCE, Queue, Rules};
use protocol::Urgency::{self, Background, Interactive};
use std::collections::HashMap;

/// What runs take.
const REAL: Costs = Costs { fixed: 0.005, token: 0.000_25 };
const ROWS: usize = 2000;
const TOKENS: usize = 40;

/// An engine in simulated time that counts with `assumed` costs.
struct Engine {
    assumed: Costs,
    clock: FairClock,
    queue: Queue<()>,
    /// Rows that are left of each job.
    left: HashMap<u64, usize>,
    now: f64,
}

impl Engine {
    fn new(assumed: Costs) -> Self {
        let (clock, queue) = (FairClock::default(), Queue::new());
        Self { assumed, clock, queue, left: HashMap::new(), now: 0.0 }
    }

    fn ask(&mut self, job: u64, rows: usize, urgency: Urgency) {
        let arrival = self.clock.join();
        for row in 0..rows {
            let due = self.clock.due(arrival, urgency, row * TOKENS, &self.assumed);
            let (class, max_batch_tokens) = (0, 512);
            let (tokens, value) = (TOKENS, ());
            self.queue.push(Item { job, class, tokens, max_batch_tokens, urgency, due, value });
        }
        self.left.insert(job, rows);
    }

    /// One run; the jobs that it finished.
    fn run(&mut self) -> Vec<u64> {
        let rules = Rules { costs: self.assumed, one_by_one: false };
        let Some(batch) = self.queue.next(&rules) else { return Vec::new() };
        for item in &batch.items {
            self.clock.serve(item.urgency, item.tokens, &self.assumed);
        }
        self.now += REAL.seconds(batch.padded_tokens);
        let mut finished = Vec::new();
        for item in batch.items {
            let Some(left) = self.left.get_mut(&item.job) else { continue };
            *left -= 1;
            if *left == 0 {
                self.clock.leave();
                finished.push(item.job);
            }
        }
        finished
    }
}

/// Longest wait of single rows that come every so many seconds beside arrays, for 20 seconds.
fn longest_wait(arrays: u64, urgency: Urgency, every: f64, assumed: Costs) -> f64 {
    let mut engine = Engine::new(assumed);
    (0..arrays).for_each(|job| engine.ask(job, ROWS, urgency));
    let (mut asked, mut longest) = (HashMap::new(), 0.0f64);
    let (mut next, mut job) = (0.5, arrays);
    while engine.now < 20.0 && !engine.queue.is_empty() {
        while next <= engine.now {
            engine.ask(job, 1, Interactive);
            asked.insert(job, next);
            (next, job) = (next + every, job + 1);
        }
        for finished in engine.run() {
            let since = asked.remove(&finished);
            longest = longest.max(since.map_or(0.0, |since| engine.now - since));
        }
    }
    asked.values().fold(longest, |longest, since| longest.max(engine.now - since))
}

/// A run of the budget takes 0.13 s; a row may have to wait for one under way, and for few more.
#[test]
fn single_rows_wait_for_a_few_runs_however_many_arrays_there_are() {
    for arrays in [1, 2, 8] {
        for urgency in [Interactive, Background] {
            for every in [0.02, 0.1] {
                let wait = longest_wait(arrays, urgency, every, REAL);
                assert!(wait < 0.6, "{arrays} {urgency:?} arrays, a row every {every} s: {wait} s");
            }
        }
    }
}

#[test]
fn so_they_do_where_the_costs_are_wrong() {
    for wrong in [0.01, 100.0] {
        let assumed = Costs { fixed: REAL.fixed * wrong, token: REAL.token * wrong };
        let wait = longest_wait(4, Interactive, 0.1, assumed);
        assert!(wait < 0.6, "costs × {wrong}: {wait} s");
    }
}

/// Clients that ask again at once keep the engine busy for ever; the one in no hurry has its turn all the same.
#[test]
fn background_is_served_when_it_was_passed_over_beside_clients_that_never_stop() {
    let mut engine = Engine::new(REAL);
    engine.ask(0, 1, Background);
    // Of another class, so that it cannot join a run of theirs.
    let mut rows = engine.queue.remove(0);
    rows[0].class = 1;
    engine.queue.push(rows.remove(0));
    (1..=16).for_each(|job| engine.ask(job, 1, Interactive));
    let mut job = 17;
    loop {
        let finished = engine.run();
        if finished.contains(&0) {
            break;
        }
        for _ in finished {
            engine.ask(job, 1, Interactive);
            job += 1;
        }
        assert!(engine.now < 60.0, "it is never served");
    }
    assert!(engine.now > 0.5, "served at {} s", engine.now);
    // Not even if each run were for a single one of them.
    let run = REAL.seconds(512);
    assert!(engine.now < (PATIENCE + 1.0) * run, "served at {} s", engine.now);
}

#[test]
fn arrays_get_on_beside_clients_that_never_stop() {
    let mut engine = Engine::new(REAL);
    engine.ask(0, 200, Interactive);
    (1..=4).for_each(|job| engine.ask(job, 1, Interactive));
    let mut job = 5;
    while engine.left.get(&0).is_some_and(|left| *left != 0) {
        for finished in engine.run() {
            if finished != 0 {
                engine.ask(job, 1, Interactive);
                job += 1;
            }
        }
        // Alone it takes 2.6 s; with four others it has a fifth of the engine at least.
        assert!(engine.now < 30.0, "{} rows are left", engine.left[&0]);
    }
}

/// What is done for those in a hurry does not make an array in no hurry fall behind, so that all of it would go
/// before what comes later.
#[test]
fn arrays_in_no_hurry_take_turns_whatever_is_done_for_others() {
    let mut engine = Engine::new(REAL);
    engine.ask(0, ROWS, Background);
    (2..=5).for_each(|job| engine.ask(job, 1, Interactive));
    let (mut job, mut left) = (6, None);
    loop {
        for _ in engine.run().into_iter().filter(|finished| *finished > 1) {
            engine.ask(job, 1, Interactive);
            job += 1;
        }
        if left.is_none() && engine.now > 60.0 {
            engine.ask(1, 20, Background);
            left = Some(engine.left[&0]);
        }
        if engine.left.get(&1) == Some(&0) {
            break;
        }
        assert!(engine.now < 600.0, "the later one is never served");
    }
    let meanwhile = left.unwrap() - engine.left[&0];
    assert!(meanwhile < 3 * 20, "{meanwhile} rows of the older one beside 20 of the later");
}
