//! The background workers that keep the columns of a database fresh.
//!
//! A worker belongs to one database, as a superuser, and stays as long as there is a column of mode queue.
//! It runs two statements of ours and no others: what is registered, and `embedding_drain`, which takes the
//! rights of the table's owner before anything of a user's runs. It keeps nobody from dropping, renaming or
//! copying the database: it leaves, and comes back where it is still needed.

mod column;
mod databases;
mod pace;
mod registry;

use crate::postgres::transaction::{self, Problem};
use crate::postgres::worker_slots::{self, Slot};
use crate::postgres::{background, log, settings};
use column::Column;
use pace::Pause;
use pgrx::pg_sys;
use registry::Registry;
use std::time::{Duration, Instant};

/// Between two looks at the queues, where nobody has woken the worker.
const POLL: Duration = Duration::from_secs(5);
/// Between two looks whether somebody wants the database for himself: Postgres gives up after 5 s.
const SHARE: Duration = Duration::from_secs(1);
/// From leaving the database to such a one, to a look whether a worker is needed again.
const RETURN: Duration = Duration::from_secs(3);

/// Called while the server preloads the library.
pub fn register() {
    worker_slots::request();
    background::set_worker(run);
}

/// Whether there are, or would be, workers in this server.
pub fn available() -> bool {
    worker_slots::available() && settings::workers() > 0
}

/// Once the transaction has committed, this database's worker looks at the queues; it is started where there is none.
/// Called often: costs next to nothing.
pub fn wake_at_commit() {
    if available() {
        transaction::after_commit(worker_slots::wake);
    }
}

/// A worker's process, from its start to its end.
fn run(slot: Slot) {
    match slot.database() {
        worker_slots::NONE => databases::look(&slot),
        database => Worker::new(slot, database).run(),
    }
}

/// Says in the log what is in the way. Outside of transactions.
fn warn(text: &str, problem: &Problem) {
    // A problem in saying so is none.
    let _ = transaction::run(|| {
        log::worker(text, problem);
        Ok(())
    });
}

struct Worker {
    slot: Slot,
    database: pg_sys::Oid,
    registry: Registry,
    columns: Vec<Column>,
    /// When the registry cannot be read.
    error: Pause,
    problem: Option<Problem>,
    /// When it was last looked whether somebody wants the database.
    shared: Instant,
    end: Option<End>,
}

/// Why a worker ends that still has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Somebody has terminated it, or the server stops.
    Terminated,
    /// There are to be fewer.
    Dismissed,
    /// Somebody wants the database for himself.
    Locked,
}

/// What comes after a round.
enum Next {
    Round,
    Wait(Duration),
    /// There is nothing to do in this database.
    Leave,
}

impl Worker {
    fn new(slot: Slot, database: pg_sys::Oid) -> Self {
        Self {
            slot,
            database,
            registry: Registry::default(),
            columns: Vec::new(),
            error: Pause::ERROR,
            problem: None,
            shared: Instant::now(),
            end: None,
        }
    }

    fn run(mut self) {
        loop {
            let seen = self.slot.wakes();
            let next = self.round();
            match next {
                _ if self.end.is_some() => {}
                Next::Round => {}
                Next::Wait(time) => self.wait(seen, time),
                Next::Leave if self.slot.leave(seen) => return,
                Next::Leave => {}
            }
            if let Some(end) = self.end {
                return self.leave(end);
            }
        }
    }

    /// One batch of each column that has something due.
    fn round(&mut self) -> Next {
        if !self.read() {
            return Next::Wait(self.error.left(Instant::now()).unwrap_or(POLL));
        }
        if self.columns.is_empty() {
            return Next::Leave;
        }
        self.slot.serve();
        self.call_others();
        let mut more = false;
        // Several workers do not all begin with the same one.
        let (number, count) = (self.slot.number() as usize, self.columns.len());
        for turn in 0..count {
            let column = &mut self.columns[(turn + number) % count];
            if column.pause(Instant::now()).is_none() {
                more |= column.drain(&self.registry.schema);
            }
            if self.interrupted() {
                return Next::Round;
            }
        }
        if more {
            if self.slot.number() == 0 {
                worker_slots::wake_others(self.database);
            }
            return Next::Round;
        }
        let now = Instant::now();
        let pauses = self.columns.iter().filter_map(|column| column.pause(now));
        Next::Wait(pauses.min().map_or(POLL, |pause| pause.min(POLL)))
    }

    /// Reads what is registered, and keeps what is known of columns; false where it cannot be read now.
    fn read(&mut self) -> bool {
        match registry::read() {
            Ok(registry) => {
                self.error.end();
                self.problem = None;
                self.keep(registry);
                self.report();
                true
            }
            Err(problem) => {
                self.error.begin(Instant::now());
                let news = self.problem.as_ref().is_none_or(|before| before.code != problem.code);
                if news {
                    warn("the embedding columns of this database cannot be read now", &problem);
                }
                self.problem = Some(problem);
                false
            }
        }
    }

    fn keep(&mut self, registry: Registry) {
        if registry == self.registry {
            return;
        }
        let mut before = std::mem::take(&mut self.columns);
        let columns = registry.columns.iter().map(|registered| {
            match before.iter().position(|column| column.registered == *registered) {
                Some(known) => before.swap_remove(known),
                None => Column::new(registered.clone()),
            }
        });
        self.columns = columns.collect();
        self.registry = registry;
    }

    fn report(&mut self) {
        if self.columns.iter().any(Column::has_report) {
            let columns = &mut self.columns;
            // A problem in saying so is none.
            let _ = transaction::run(|| {
                columns.iter_mut().for_each(Column::report);
                Ok(())
            });
        }
    }

    /// The first worker has the others started, too.
    fn call_others(&self) {
        if self.slot.number() == 0 {
            for number in 1..settings::workers() {
                if !worker_slots::exists(self.database, number) {
                    worker_slots::ask(self.database, number, Duration::ZERO);
                }
            }
        }
    }

    fn wait(&mut self, seen: u32, time: Duration) {
        let until = Instant::now() + time;
        let workers = settings::workers();
        background::show(None);
        while self.slot.wakes() == seen && !self.interrupted() && settings::workers() == workers {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            background::idle(left.min(SHARE));
        }
    }

    /// Serves Postgres, and says whether the worker is to end.
    fn interrupted(&mut self) -> bool {
        background::serve();
        if background::terminated() {
            self.end = Some(End::Terminated);
        } else if background::reloaded() && self.slot.number() >= settings::workers() {
            self.end = Some(End::Dismissed);
        } else if self.shared.elapsed() >= SHARE {
            self.shared = Instant::now();
            let database = self.database;
            if transaction::run(|| Ok(transaction::database_is_locked(database))) == Ok(true) {
                self.end = Some(End::Locked);
            }
        }
        self.end.is_some()
    }

    /// The last thing that it does.
    fn leave(&self, end: End) {
        match end {
            // The slot is given back with the process, and somebody will look whether it is needed again.
            End::Terminated => {}
            End::Dismissed => self.slot.resign(None),
            End::Locked => self.slot.resign(Some(RETURN)),
        }
    }
}
