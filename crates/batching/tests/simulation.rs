//! Sixteen clients in simulated time: what batching gains over one run a row.
//!
//! A run takes what the cost model says. Its fixed cost is worth 17 to 26 tokens, as measured on two cores, so
//! each mix is tried with several: how much there is to gain follows from that alone.

use batching::{Costs, Item, Queue, Rules};
use protocol::Urgency;
use std::time::Duration;

/// Each asks again as soon as it is answered.
const CLIENTS: usize = 16;
/// Enough that chance changes no gain by more than a hundredth.
const ROWS: usize = 10_000;
/// Seconds.
const TOKEN: f64 = 0.000_18;

/// Numbers that look drawn by chance (xorshift), the same every time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.next() as usize % (most - least + 1)
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 53) as f64
    }
}

type Mix = fn(&mut Chance) -> usize;

/// As many of 4 to 8 tokens as of 128 to 256, which is how lengths of texts spread.
fn mixed(chance: &mut Chance) -> usize {
    (4.0 * 64f64.powf(chance.unit())).round() as usize
}

fn bimodal(chance: &mut Chance) -> usize {
    if chance.unit() < 0.5 { chance.between(8, 23) } else { chance.between(200, 255) }
}

/// Rows a second of simulated time.
fn throughput(rules: &Rules, draw: Mix) -> f64 {
    let (mut chance, mut queue) = (Chance(0x9e37_79b9_7f4a_7c15), Queue::new());
    let mut ask = |queue: &mut Queue<()>, clock: f64| {
        let (job, tokens) = (0, draw(&mut chance));
        let due = Duration::from_secs_f64(clock);
        let urgency = Urgency::Interactive;
        queue.push(Item { job, class: 0, tokens, max_batch_tokens: 512, urgency, due, value: () });
    };
    (0..CLIENTS).for_each(|_| ask(&mut queue, 0.0));
    let (mut clock, mut rows) = (0.0, 0);
    while rows < ROWS {
        let Some(batch) = queue.next(rules) else { break };
        clock += rules.costs.seconds(batch.padded_tokens);
        rows += batch.items.len();
        batch.items.iter().for_each(|_| ask(&mut queue, clock));
    }
    rows as f64 / clock
}

fn gain(fixed_tokens: f64, draw: Mix) -> f64 {
    let costs = Costs { fixed: fixed_tokens * TOKEN, token: TOKEN };
    let with = throughput(&Rules { costs, one_by_one: false }, draw);
    with / throughput(&Rules { costs, one_by_one: true }, draw)
}

/// The least gain where the fixed cost is worth 17, 20 and 26 tokens.
fn check(mix: &str, least: [f64; 3], draw: Mix) {
    for (fixed_tokens, least) in [17.0, 20.0, 26.0].into_iter().zip(least) {
        let gain = gain(fixed_tokens, draw);
        assert!(gain >= least, "{mix}, fixed cost of {fixed_tokens} tokens: {gain} < {least}");
    }
}

/// Sixteen together cost (f + 16 × 16) where each alone costs (f + 16): 1.94 is all that there is where f is 17.
#[test]
fn equal_short_queries_gain_the_most() {
    check("16 tokens", [1.93, 2.0, 2.3], |_| 16);
}

/// No padding and no fixed cost at all would be 1.28, 1.33 and 1.43.
#[test]
fn mixed_lengths_gain() {
    check("4–256 tokens, as many of each octave", [1.10, 1.13, 1.18], mixed);
}

/// Long texts are most of the work, and the fixed cost is little of theirs: no padding and no fixed cost at all
/// would be 1.13, 1.15 and 1.20.
#[test]
fn lengths_that_are_equally_frequent_gain_a_little() {
    check("4–256 tokens, each equally often", [1.03, 1.04, 1.06], |chance| {
        chance.between(4, 256)
    });
}

#[test]
fn short_queries_among_passages_gain() {
    check("bimodal", [1.06, 1.07, 1.10], bimodal);
}

#[test]
fn passages_lose_nothing() {
    check("150–256 tokens", [1.0; 3], |chance| chance.between(150, 256));
    check("128 tokens", [1.0; 3], |_| 128);
    check("256 tokens", [1.0; 3], |_| 256);
    check("longer than the budget", [0.999; 3], |_| 600);
}
