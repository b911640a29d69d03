//! Calls of somebody who waits beside a back-fill that never ends, in simulated time.

use batching::{Batch, Costs, FairClock, Item, PATIENCE, Queue, Rules};
use protocol::Urgency::{self, Background, Interactive};
use std::collections::HashMap;
use std::sync::LazyLock;

const COSTS: Costs = Costs { fixed: 0.005, token: 0.000_25 };
const RULES: Rules = Rules { costs: COSTS, one_by_one: false };
/// Padded tokens of a run.
const MOST: usize = 512;
/// A run is broken off between two of so many steps.
const STEPS: f64 = 64.0;
/// Rows of a request of the back-fill.
const ROWS: usize = 256;
/// Seconds.
const LENGTH: f64 = 30.0;

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
}

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Who wait for single rows of so many tokens.
    callers: usize,
    call: (usize, usize),
    /// Seconds from an answer to the next call, on average.
    pause: f64,
    /// When they go.
    until: f64,
    /// Who ask for array after array, of rows of so many tokens.
    arrays: usize,
    row: (usize, usize),
}

const LOAD: Load =
    Load { callers: 1, call: (16, 16), pause: 0.1, until: LENGTH, arrays: 1, row: (60, 120) };

/// A request under way.
struct Job {
    rows: usize,
    since: f64,
    urgency: Urgency,
}

struct Engine {
    load: Load,
    chance: Chance,
    clock: FairClock,
    queue: Queue<()>,
    jobs: HashMap<u64, Job>,
    asked: u64,
    now: f64,
    /// When callers call next.
    calls: Vec<f64>,
    found: Found,
}

/// What came of it.
#[derive(Default)]
struct Found {
    /// Seconds of each call.
    latencies: Vec<f64>,
    /// Of the back-fill's, as they ran to the end.
    tokens: usize,
    /// Of the back-fill's: when they ended, and their padded tokens.
    runs: Vec<(f64, usize)>,
    broken_off: usize,
    /// Longest time, and most calls, without a run of the back-fill that ended.
    longest: (f64, usize),
    last: (f64, usize),
}

impl Found {
    fn latency(&self, share: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() as f64 * share) as usize]
    }

    fn back_fill_had_its_turn(&mut self, now: f64) {
        let calls = self.latencies.len();
        let (seconds, most) = self.longest;
        self.longest = (seconds.max(now - self.last.0), most.max(calls - self.last.1));
        self.last = (now, calls);
    }

    fn rate(&self) -> f64 {
        self.tokens as f64 / LENGTH
    }
}

impl Engine {
    fn new(load: Load) -> Self {
        let mut engine = Self {
            load,
            chance: Chance(0x9e37_79b9_7f4a_7c15),
            clock: FairClock::default(),
            queue: Queue::new(),
            jobs: HashMap::new(),
            asked: 0,
            now: 0.0,
            calls: (0..load.callers).map(|caller| 0.01 * caller as f64).collect(),
            found: Found::default(),
        };
        (0..load.arrays).for_each(|_| engine.ask(ROWS, Background, 0.0));
        engine
    }

    fn ask(&mut self, rows: usize, urgency: Urgency, since: f64) {
        let (job, arrival) = (self.asked, self.clock.join());
        self.asked += 1;
        let (least, most) = match urgency {
            Interactive => self.load.call,
            Background => self.load.row,
        };
        let mut before = 0;
        for _ in 0..rows {
            let tokens = self.chance.between(least, most);
            let due = self.clock.due(arrival, urgency, before, &COSTS);
            before += tokens;
            let (class, max_batch_tokens) = (0, MOST);
            let item = Item { job, class, tokens, max_batch_tokens, urgency, due, value: () };
            self.queue.push(item);
        }
        self.jobs.insert(job, Job { rows, since, urgency });
    }

    /// The calls that come until then.
    fn calls_until(&mut self, then: f64) {
        while let Some(next) = self.calls.iter().position(|call| *call <= then) {
            let since = self.calls.swap_remove(next);
            self.ask(1, Interactive, since);
        }
    }

    fn next_call(&self) -> f64 {
        self.calls.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// For a while.
    fn run(mut self) -> Found {
        while self.now < LENGTH {
            self.calls_until(self.now);
            match self.queue.next(&RULES) {
                Some(batch) => self.run_batch(batch),
                None => self.now = self.next_call(),
            }
        }
        self.found.back_fill_had_its_turn(self.now);
        self.found
    }

    fn run_batch(&mut self, batch: Batch<()>) {
        let takes = COSTS.seconds(batch.padded_tokens);
        let (end, call) = (self.now + takes, self.next_call());
        if batch.yields && call < end {
            self.now = end.min(call + takes / STEPS);
            self.calls_until(self.now);
            self.queue.put_back(batch.items);
            self.found.broken_off += 1;
            return;
        }
        self.calls_until(end);
        self.now = end;
        if batch.items[0].urgency == Background {
            self.found.runs.push((end, batch.padded_tokens));
            self.found.back_fill_had_its_turn(end);
        }
        for item in batch.items {
            self.clock.serve(item.urgency, item.tokens, &COSTS);
            if item.urgency == Background {
                self.found.tokens += item.tokens;
            }
            let Some(job) = self.jobs.get_mut(&item.job) else { continue };
            job.rows -= 1;
            if job.rows == 0 {
                self.done(item.job);
            }
        }
    }

    fn done(&mut self, job: u64) {
        let Some(Job { since, urgency, .. }) = self.jobs.remove(&job) else { return };
        self.clock.leave();
        match urgency {
            Background => self.ask(ROWS, Background, self.now),
            Interactive => {
                self.found.latencies.push(self.now - since);
                let pause = self.load.pause * (0.5 + self.chance.between(0, 1000) as f64 / 1000.0);
                self.calls.extend(Some(self.now + pause).filter(|next| *next < self.load.until));
            }
        }
    }
}

/// A caller by itself and several, who hardly pause and who are seldom here, beside rows of all lengths; on an
/// idle engine, and beside a back-fill.
static ALL: LazyLock<Vec<(Load, Found, Found)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for callers in [1, 4, 16] {
        for pause in [0.0, 0.0005, 0.02, 0.1, 1.0] {
            let load = Load { callers, pause, ..LOAD };
            for row in [(8, 16), (60, 120), (400, 512)] {
                let idle = Engine::new(Load { arrays: 0, ..load }).run();
                let load = Load { row, ..load };
                all.push((load, idle, Engine::new(load).run()));
            }
        }
    }
    all
});

#[test]
fn calls_take_at_most_twice_as_long_as_on_an_idle_engine() {
    for (load, idle, beside) in &*ALL {
        let slower = |share| beside.latency(share) / idle.latency(share);
        assert!(slower(0.5) < 1.3, "the median is {} times as long: {load:?}", slower(0.5));
        assert!(slower(0.95) < 2.0, "p95 is {} times as long: {load:?}", slower(0.95));
    }
}

/// The more wait for a run of the back-fill, the more are answered first, so that they are few of all.
#[test]
fn a_back_fill_has_its_turn_however_many_call() {
    for (load, _, beside) in &*ALL {
        let (seconds, calls) = beside.longest;
        let most = (PATIENCE as usize + 2) * load.callers;
        assert!(calls <= most && seconds < 10.0, "no turn in {calls} calls, {seconds} s: {load:?}");
        // Of usual rows, beside callers who leave no gap.
        let usual = load.pause == 0.0 && load.row == LOAD.row;
        assert!(!usual || seconds < 2.0, "no turn in {seconds} s: {load:?}");
    }
}

#[test]
fn a_back_fill_uses_the_time_between_calls() {
    let alone = Engine::new(Load { callers: 0, ..LOAD }).run().rate();
    for (pause, least) in [(0.1, 0.6), (0.5, 0.8), (2.0, 0.9)] {
        let share = Engine::new(Load { pause, ..LOAD }).run().rate() / alone;
        assert!(share > least, "{share} of its rate alone beside calls every {pause} s");
    }
}

#[test]
fn without_calls_runs_are_as_long_as_they_may_be() {
    let alone = Engine::new(Load { callers: 0, row: (64, 64), ..LOAD }).run();
    assert!(alone.runs.iter().all(|(_, padded)| *padded == MOST));
    let until = 10.0;
    let later = Engine::new(Load { until, row: (64, 64), ..LOAD }).run();
    let of = |from, to| later.runs.iter().filter(move |(end, _)| (from..to).contains(end));
    let mean = of(0.0, until).map(|(_, padded)| padded).sum::<usize>() / of(0.0, until).count();
    assert!(mean < MOST / 3, "{mean} padded tokens of a run between calls");
    // But for what is left of an array then.
    let short = of(until + 1.0, LENGTH).filter(|(_, padded)| *padded < MOST).count();
    assert!(short <= 1, "{short} short runs more than a second later");
}
