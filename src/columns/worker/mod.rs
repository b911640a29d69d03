//! The background workers that keep the columns of a database fresh.
//!
//! A worker belongs to one database, as a superuser, and stays as long as there is a column of mode queue.
//! It runs two statements of ours and no others: what is registered, and `embedding_drain`, which takes the
//! rights of the table's owner before anything of a user's runs. It keeps nobody from dropping, renaming or
//! copying the database: it leaves, and comes back where it is still needed.

mod column;
mod databases;
mod overdue;
mod pace;
mod registry;
pub mod time;

use crate::postgres::transaction::{self, Problem};
use crate::postgres::worker_slots::{self, Slot};
use crate::postgres::{background, log, settings};
use column::Column;
use pace::Pause;
use pgrx::pg_sys;
use registry::{Registered, Registry};
use std::time::{Duration, Instant};

/// Between two looks at the queues, where nobody has woken the worker.
const POLL: Duration = Duration::from_secs(5);
/// Between two looks whether somebody wants the database for himself: Postgres gives up after 5 s.
const SHARE: Duration = Duration::from_secs(1);
/// How long columns are left alone whose code has cost a worker its process.
const FATAL: Duration = Duration::from_secs(600);
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

/// Where code of users has cost a worker its process, and until when it is left alone.
fn fatal(database: pg_sys::Oid) -> Vec<(pg_sys::Oid, Instant)> {
    let left = |(table, ago): (pg_sys::Oid, Duration)| {
        Some((table, Instant::now() + FATAL.checked_sub(ago)?))
    };
    worker_slots::fatal_tables(database).into_iter().filter_map(left).collect()
}

struct Worker {
    slot: Slot,
    database: pg_sys::Oid,
    registry: Registry,
    columns: Vec<Column>,
    /// Those of other parts of the registry of which something is to be remembered, and no more than a part has.
    aside: Vec<Column>,
    /// What the parts of the registry that were read since its beginning came to.
    found: Found,
    /// Which of the columns has the first turn: not the same one after each start, as one may end its worker.
    first: usize,
    /// Tables whose columns are to be left alone, and until when.
    fatal: Vec<(pg_sys::Oid, Instant)>,
    /// When the registry cannot be read.
    error: Pause,
    problem: Option<Problem>,
    /// When it was last looked whether somebody wants the database.
    shared: Instant,
    end: Option<End>,
}

/// What was found since the registry was begun with.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    columns: bool,
    /// Something is left to be done at once.
    more: bool,
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
        // Nor do several workers begin with the same one.
        let first = std::process::id() as usize + slot.number() as usize;
        Self {
            slot,
            database,
            registry: Registry::default(),
            columns: Vec::new(),
            aside: Vec::new(),
            found: Found::default(),
            first,
            fatal: fatal(database),
            error: Pause::ERROR,
            problem: None,
            shared: Instant::now(),
            end: None,
        }
    }

    fn run(mut self) {
        let mut seen = self.slot.wakes();
        loop {
            if self.registry.next.is_none() {
                self.found = Found::default();
                seen = self.slot.wakes();
            }
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

    /// One batch of each column of a part of the registry that has something due.
    fn round(&mut self) -> Next {
        if !self.read() {
            return Next::Wait(self.error.left(Instant::now()).unwrap_or(POLL));
        }
        self.found.columns |= !self.columns.is_empty();
        if !self.found.columns && self.registry.next.is_none() {
            return Next::Leave;
        }
        self.slot.serve();
        self.call_others();
        let count = self.columns.len();
        for turn in 0..count {
            let column = &mut self.columns[(turn + self.first) % count];
            if column.pause(Instant::now()).is_none() {
                self.found.more |= column.drain(&self.registry.schema);
            }
            if self.interrupted() {
                return Next::Round;
            }
        }
        if self.registry.next.is_some() {
            self.interrupted();
            return Next::Round;
        }
        if self.found.more {
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
        match registry::read(self.registry.next.clone()) {
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

    fn new_column(&self, registered: &Registered) -> Column {
        let mut column = Column::new(registered.clone());
        let known = self.fatal.iter().filter(|(table, _)| *table == registered.table);
        if let Some(until) = known.map(|(_, until)| *until).max() {
            column.leave_alone(until.saturating_duration_since(Instant::now()));
        }
        column
    }

    fn keep(&mut self, registry: Registry) {
        if registry == self.registry {
            return;
        }
        let mut before = std::mem::take(&mut self.columns);
        before.append(&mut self.aside);
        let columns = registry.columns.iter().map(|registered| {
            match before.iter().position(|column| column.registered == *registered) {
                Some(known) => before.swap_remove(known),
                None => self.new_column(registered),
            }
        });
        self.columns = columns.collect();
        if !registry.is_whole() {
            let now = Instant::now();
            before.retain(|column| column.is_to_be_remembered(now));
            before.truncate(registry::PAGE);
            self.aside = before;
        }
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
