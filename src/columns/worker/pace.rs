//! How many rows a worker takes at once, and how long it leaves a column alone that cannot be filled now.

use std::time::{Duration, Instant};

const FIRST: i32 = 32;
const LEAST: i32 = 8;
const MOST: i32 = 512;
/// What a batch is to take: long enough for full runs of the model, and short enough that other columns get
/// their turn, that a cancel loses little, and that rows are soon there.
const SECONDS: f64 = 1.0;

/// Rows of a batch: so many as take about a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    rows: i32,
    least: i32,
    /// Rows that are to come one by one, because one of them takes too long.
    single: i32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rows: FIRST, least: LEAST, single: 0 }
    }
}

impl Pace {
    /// Of the next batch.
    pub fn rows(self) -> i32 {
        if self.single > 0 { 1 } else { self.rows }
    }

    /// After a batch that took too long: its rows one by one, to find which; and smaller batches, should each of them be slow.
    pub fn overdue(&mut self) {
        match self.single {
            0 => *self = Self { rows: (self.rows / 4).max(1), least: 1, single: self.rows },
            _ => self.single -= 1,
        }
    }

    /// After a batch of `taken` rows. Grows step by step, and only by full batches: rows that needed no run say little of
    /// the next. Few rows that took little time say nothing at all.
    pub fn learn(&mut self, taken: i32, time: Duration) {
        if self.single > 0 {
            // None left: the one that is sought is in other hands, or gone.
            self.single = if taken > 0 { self.single - 1 } else { 0 };
            return;
        }
        let full = taken >= self.rows;
        let seconds = time.as_secs_f64().max(1e-3);
        if taken <= 0 || (!full && seconds < SECONDS) {
            return;
        }
        let fitting = f64::from(taken) / seconds * SECONDS;
        let most = if full { self.rows * 2 } else { self.rows };
        self.rows = (fitting.min(f64::from(most)) as i32).clamp(self.least, MOST);
    }
}

/// A pause that doubles with each that follows it.
#[derive(Debug, Clone, Copy)]
pub struct Pause {
    first: Duration,
    most: Duration,
    length: Duration,
    until: Option<Instant>,
}

impl Pause {
    /// After errors.
    pub const ERROR: Self = Self::new(Duration::from_secs(1), Duration::from_secs(60));
    /// After code of users that took too long: others are to have most of the time.
    pub const OVERDUE: Self = Self::new(Duration::from_secs(10), Duration::from_secs(1800));
    /// Where rows are in others' hands.
    pub const BUSY: Self = Self::new(Duration::from_millis(100), Duration::from_secs(5));

    const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, length: Duration::ZERO, until: None }
    }

    /// From now on.
    pub fn begin(&mut self, now: Instant) {
        self.length = (self.length * 2).clamp(self.first, self.most);
        self.until = Some(now + self.length);
    }

    /// From now on for so long, this time.
    pub fn set(&mut self, now: Instant, length: Duration) {
        self.until = Some(now + length);
    }

    /// What was in the way is gone.
    pub fn end(&mut self) {
        self.length = Duration::ZERO;
        self.until = None;
    }

    /// What is left of it; `None` where there is none.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}
