//! The queue: rows in, batches out.

use crate::costs::Costs;
use crate::turns::{Turn, Turns};
use protocol::Urgency;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// The padding that a row may add to a run, as a share of the run's fixed cost.
///
/// Measured: at a third, mixed lengths ran 1.3 times as fast as one at a time, and short ones 1.5 times.
const WORTH: f64 = 1.0 / 3.0;

/// How much longer those in no hurry may make a run that somebody waits for.
const SPARE: f64 = 1.0 / 8.0;

/// A row that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<T> {
    /// The request that it belongs to.
    pub job: u64,
    /// Rows of one class may run together.
    pub class: u64,
    /// Its length.
    pub tokens: usize,
    /// Most padded tokens (rows × longest) of its run; rows with other limits do not join it.
    pub max_batch_tokens: usize,
    /// Who may wait.
    pub urgency: Urgency,
    /// See [`crate::FairClock`].
    pub due: Duration,
    /// What it stands for.
    pub value: T,
}

/// What decides about batches besides the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Of a run.
    pub costs: Costs,
    /// Every row runs alone.
    pub one_by_one: bool,
}

/// Rows that run together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T> {
    /// The one that was due first, then those that were joined to it.
    pub items: Vec<Item<T>>,
    /// Rows × longest.
    pub padded_tokens: usize,
    /// Whether it is to be broken off for somebody in a hurry, and its rows put back.
    pub yields: bool,
}

/// Rows that wait: those of somebody in a hurry before the others, each in the order of their due times, of equal
/// ones in the order in which they came.
#[derive(Debug)]
pub struct Queue<T> {
    items: HashMap<u64, Item<T>>,
    /// (in no hurry, due, number).
    by_due: BTreeSet<(bool, Duration, u64)>,
    /// (kind, in no hurry, tokens, due, number).
    by_length: BTreeSet<Length>,
    /// By (job, in no hurry).
    by_job: HashMap<(u64, bool), HashSet<u64>>,
    pushed: u64,
    /// Jobs in a hurry that have rows here.
    calls: usize,
    turns: Turns,
}

/// Rows of one kind may run together: class, and most padded tokens of a run.
type Kind = (u64, usize);

type Length = (Kind, bool, usize, Duration, u64);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Queue<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            items: HashMap::new(),
            by_due: BTreeSet::new(),
            by_length: BTreeSet::new(),
            by_job: HashMap::new(),
            pushed: 0,
            calls: 0,
            turns: Turns::default(),
        }
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Puts a row in.
    pub fn push(&mut self, item: Item<T>) {
        let number = self.pushed;
        self.pushed += 1;
        self.by_due.insert((relaxed(&item), item.due, number));
        self.by_length.insert(length(&item, number));
        let of_job = self.by_job.entry((item.job, relaxed(&item))).or_default();
        self.calls += usize::from(of_job.is_empty() && !relaxed(&item));
        of_job.insert(number);
        self.items.insert(number, item);
    }

    /// Takes all rows of a job out.
    pub fn remove(&mut self, job: u64) -> Vec<Item<T>> {
        let of_job =
            [false, true].into_iter().filter_map(|relaxed| self.by_job.get(&(job, relaxed)));
        let mut numbers: Vec<u64> = of_job.flatten().copied().collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// The run under way was broken off: those of its rows that are still wanted wait again.
    pub fn put_back(&mut self, items: impl IntoIterator<Item = Item<T>>) {
        self.turns.broken_off();
        items.into_iter().for_each(|item| self.push(item));
    }

    /// The next run: of those whose turn it is the row that is due first, and those that are worth joining to it.
    /// `None` only where nobody waits. The run before is over.
    pub fn next(&mut self, rules: &Rules) -> Option<Batch<T>> {
        let costs = &rules.costs;
        let urgent = self.by_due.first().filter(|found| !found.0).copied();
        let waiting = self.by_due.range((true, Duration::ZERO, 0)..).next().copied();
        let turn = self.turns.next(self.calls, waiting.is_some(), costs);
        let (first, most, yields) = match turn {
            Turn::Interactive => (urgent, usize::MAX, false),
            Turn::Background { yields, most } => (waiting, most, yields),
        };
        let anchor = self.take(first?.2)?;
        let mut batch = Growing::of(&anchor, most, costs);
        let mut items = vec![anchor];
        if !rules.one_by_one {
            while let Some(number) = self.best(&batch) {
                let Some(item) = self.take(number) else { break };
                batch.add(&item);
                items.push(item);
            }
        }
        let padded_tokens = batch.rows * batch.longest;
        self.turns.begin(turn, padded_tokens, calls(&items), costs);
        Some(Batch { padded_tokens, yields, items })
    }

    /// The row that adds the least padding, if any is worth it; those in a hurry first.
    fn best(&self, batch: &Growing) -> Option<u64> {
        let urgent = self.nearest(batch, Urgency::Interactive);
        urgent.or_else(|| self.nearest(batch, Urgency::Background))
    }

    fn nearest(&self, batch: &Growing, urgency: Urgency) -> Option<u64> {
        let relaxed = urgency == Urgency::Background;
        let at = |tokens| (batch.kind, relaxed, tokens, Duration::ZERO, 0);
        let of_kind = |found: &&Length| (found.0, found.1) == (batch.kind, relaxed);
        // No shorter than the longest, the nearest first; and shorter, likewise.
        let longer = self.by_length.range(at(batch.longest)..).next().filter(of_kind);
        let shorter = self.by_length.range(..at(batch.longest)).next_back().filter(of_kind);
        // Of that length the one that is due first.
        let shorter = shorter.and_then(|found| self.by_length.range(at(found.2)..).next());
        let fits = |found: &&Length| batch.has_room(found.2, urgency);
        let padding = |found: &&Length| batch.padding(found.2);
        let best = [longer, shorter].into_iter().flatten().filter(fits).min_by_key(padding)?;
        (batch.padding(best.2) as f64 <= batch.worth).then_some(best.4)
    }

    fn take(&mut self, number: u64) -> Option<Item<T>> {
        let item = self.items.remove(&number)?;
        self.by_due.remove(&(relaxed(&item), item.due, number));
        self.by_length.remove(&length(&item, number));
        let of_job = (item.job, relaxed(&item));
        if let Some(numbers) = self.by_job.get_mut(&of_job) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_job.remove(&of_job);
                self.calls -= usize::from(!relaxed(&item));
            }
        }
        Some(item)
    }
}

fn kind<T>(item: &Item<T>) -> Kind {
    (item.class, item.max_batch_tokens)
}

fn length<T>(item: &Item<T>, number: u64) -> Length {
    (kind(item), relaxed(item), item.tokens, item.due, number)
}

/// How many jobs in a hurry have rows among these.
fn calls<T>(items: &[Item<T>]) -> usize {
    let urgent = items.iter().filter(|item| !relaxed(item));
    urgent.map(|item| item.job).collect::<HashSet<_>>().len()
}

fn relaxed<T>(item: &Item<T>) -> bool {
    item.urgency == Urgency::Background
}

/// A batch while rows are joined to it.
struct Growing {
    kind: Kind,
    urgency: Urgency,
    rows: usize,
    longest: usize,
    max_tokens: usize,
    /// Padding that a further row may add.
    worth: f64,
    fixed: f64,
    /// Tokens that those in no hurry have added to a run that somebody waits for.
    joined: f64,
}

impl Growing {
    fn of<T>(anchor: &Item<T>, most: usize, costs: &Costs) -> Self {
        let fixed = costs.fixed_tokens();
        Self {
            kind: kind(anchor),
            urgency: anchor.urgency,
            rows: 1,
            longest: anchor.tokens,
            max_tokens: anchor.max_batch_tokens.min(most),
            worth: fixed * WORTH,
            fixed,
            joined: 0.0,
        }
    }

    fn add<T>(&mut self, item: &Item<T>) {
        self.joined += self.relaxed_tokens(item.tokens, item.urgency);
        self.rows += 1;
        self.longest = self.longest.max(item.tokens);
    }

    /// Tokens of padding that a row of so many adds, to itself and to all others.
    fn padding(&self, tokens: usize) -> usize {
        if tokens <= self.longest {
            self.longest - tokens
        } else {
            self.rows * (tokens - self.longest)
        }
    }

    fn has_room(&self, tokens: usize, urgency: Urgency) -> bool {
        let longest = self.longest.max(tokens);
        (self.rows + 1).saturating_mul(longest) <= self.max_tokens
            && self.joined + self.relaxed_tokens(tokens, urgency) <= self.to_spare()
    }

    /// Tokens that those in no hurry may add to a run that somebody waits for.
    fn to_spare(&self) -> f64 {
        SPARE * (self.fixed + (self.rows * self.longest) as f64 - self.joined)
    }

    /// What a row makes those wait for who are in a hurry, where it is not in a hurry itself.
    fn relaxed_tokens(&self, tokens: usize, urgency: Urgency) -> f64 {
        match (self.urgency, urgency) {
            (Urgency::Interactive, Urgency::Background) => (tokens + self.padding(tokens)) as f64,
            _ => 0.0,
        }
    }
}
