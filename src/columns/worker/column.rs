//! One column in the hands of a worker.

use super::overdue;
use super::pace::{Pace, Pause};
use super::registry::Registered;
use crate::postgres::spi::{self, Parameter};
use crate::postgres::transaction::{self, Ended, Problem};
use crate::postgres::{background, log, settings, text, worker_slots};
use pgrx::spi::Spi;
use protocol::Fault;
use std::time::{Duration, Instant};

/// What those who wait for vectors LISTEN to.
const CHANNEL: &str = "itembank_embed";

/// A column, and what was learnt of it.
#[derive(Debug)]
pub struct Column {
    pub registered: Registered,
    pace: Pace,
    /// Vectors were written, and nobody was told yet.
    news: bool,
    error: Pause,
    overdue: Pause,
    busy: Pause,
    /// The log has it, or is to have it.
    problem: Option<Problem>,
    logged: bool,
}

/// What a batch came to.
#[derive(Debug, Clone, Copy, Default)]
struct Drained {
    taken: i32,
    failed: i32,
    busy: i32,
}

impl Drained {
    /// Entries of the queue that are done with.
    fn done(self) -> i32 {
        self.taken - self.failed - self.busy
    }

    /// Whether more may be waiting, but nothing of it now.
    fn is_stuck(self) -> bool {
        self.busy > 0 && self.busy == self.taken
    }
}

impl Column {
    /// Nothing is known of it.
    pub fn new(registered: Registered) -> Self {
        Self {
            registered,
            pace: Pace::default(),
            news: false,
            error: Pause::ERROR,
            overdue: Pause::OVERDUE,
            busy: Pause::BUSY,
            problem: None,
            logged: false,
        }
    }

    /// Its code has cost a worker its process: it is to be left alone for so long.
    pub fn leave_alone(&mut self, time: Duration) {
        self.overdue.set(Instant::now(), time);
    }

    /// How long it is to be left alone; `None`: not at all.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        self.error.left(now).max(self.overdue.left(now)).max(self.busy.left(now))
    }

    /// Whether forgetting it would matter to anybody.
    pub fn is_to_be_remembered(&self, now: Instant) -> bool {
        self.news || self.problem.is_some() || self.pause(now).is_some()
    }

    /// Embeds a batch of what is due, in a transaction of its own; true where more is waiting.
    pub fn drain(&mut self, schema: &str) -> bool {
        worker_slots::come_to(self.registered.table);
        let began = Instant::now();
        let batch = self.pace.rows();
        let sql = format!(
            "SELECT d.taken, d.failed, d.busy FROM {schema}.embedding_drain(\
             $1::pg_catalog.regclass, $2::pg_catalog.name, $3) AS d"
        );
        let limit = settings::worker_timeout();
        match transaction::run_within(limit, || Spi::connect(|_| self.batch(&sql, batch))) {
            Ok(drained) => {
                self.pace.learn(drained.taken, began.elapsed());
                return self.drained(drained, batch);
            }
            Err(Ended::Problem(problem)) => {
                self.error.begin(Instant::now());
                self.failed(problem);
            }
            Err(Ended::Overdue(problem)) => self.overdue(problem, batch),
        }
        false
    }

    /// What a batch of users' code has done to others, which wait: this column waits in turn.
    fn overdue(&mut self, problem: Problem, batch: i32) {
        if batch == 1 {
            // It cannot be, or takes as long: then nothing but the log tells.
            let _ = overdue::record(&self.registered, &problem);
        }
        self.pace.overdue();
        self.overdue.begin(Instant::now());
        self.failed(problem);
    }

    /// Within the transaction.
    fn batch(&self, sql: &str, batch: i32) -> Result<Drained, Fault> {
        let shown = format!("{sql} -- {}, {batch} rows", self.registered.name);
        background::show(Some(&text::to_server(&shown)));
        // What the owner's constraints defer would run after the owner's rights have ended.
        spi::execute("SET CONSTRAINTS ALL IMMEDIATE", &[])?;
        let (table, target) = (self.registered.table, self.registered.target.as_str());
        let parameters =
            [Parameter::Oid(table), Parameter::Text(Some(target)), Parameter::Int(batch)];
        let rows = spi::execute(sql, &parameters)?;
        let count = |column| rows.value(0, column).unwrap_or_default();
        let drained = Drained { taken: count(1), failed: count(2), busy: count(3) };
        if self.is_empty_now(drained, batch) && (self.news || drained.done() > 0) {
            let payload = Parameter::Text(Some(&self.registered.payload));
            let channel = Parameter::Text(Some(CHANNEL));
            spi::execute("SELECT pg_catalog.pg_notify($1, $2)", &[channel, payload])?;
        }
        Ok(drained)
    }

    /// Whether nothing is left in the queue but what has failed, or is in the hands of another worker.
    fn is_empty_now(&self, drained: Drained, batch: i32) -> bool {
        drained.taken < batch && drained.busy == 0
    }

    fn drained(&mut self, drained: Drained, batch: i32) -> bool {
        self.news |= drained.done() > 0;
        self.news &= !self.is_empty_now(drained, batch);
        self.error.end();
        self.overdue.end();
        self.problem = None;
        match drained.is_stuck() {
            true => self.busy.begin(Instant::now()),
            false => self.busy.end(),
        }
        // Those that were busy come again by and by, as others have it.
        drained.taken >= batch && !drained.is_stuck()
    }

    fn failed(&mut self, problem: Problem) {
        // The same again is no news.
        let same = self.problem.as_ref().is_some_and(|before| before.code == problem.code);
        self.logged &= same;
        self.problem = Some(problem);
    }

    /// Says in the log what is in the way, once: when the registry was read again, so that a table that was dropped
    /// meanwhile is nothing to speak of. Within a transaction.
    pub fn report(&mut self) {
        if let Some(problem) = self.problem.as_ref().filter(|_| !self.logged) {
            let name = &self.registered.name;
            log::worker(&format!("embedding column {name} cannot be filled now"), problem);
            self.logged = true;
        }
    }

    /// Whether [`Column::report`] has something to say.
    pub fn has_report(&self) -> bool {
        self.problem.is_some() && !self.logged
    }
}
