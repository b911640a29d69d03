//! Which workers of the columns there are, for which database: a table in shared memory.
//!
//! Sessions ask for a worker here, and wake it; the supervisor starts those that were asked for; a worker
//! gives its slot back when its process ends, however that comes. Nothing here raises an error, so all of
//! it may be called right after a commit. One of the workers has no database: it looks which there are.

mod memory;

pub use memory::request;

use crate::postgres::deadline;
use memory::{Entry, Locked, Memory, Use, memory, milliseconds, now};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The database of the worker that looks which databases there are.
pub const NONE: pg_sys::Oid = pg_sys::InvalidOid;

/// Workers that start, or look whether there is anything to do, at the same time: when the server starts
/// there may be many databases without anything.
const AT_ONCE: usize = 4;
/// One that takes longer to start, or to look, holds up no other.
const SLOW: Duration = Duration::from_secs(5);
/// One that has not come after so long will not come.
const LOST: Duration = Duration::from_secs(10);
/// From the end of a worker, by whatever came in between, to a look whether one is needed.
const AGAIN: Duration = Duration::from_secs(2);
/// The same for one that could not even look.
const AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(60);

// States of a slot.
const FREE: u32 = 0;
/// Asked for; the supervisor is to start it.
const WANTED: u32 = 1;
/// The postmaster was told.
const STARTING: u32 = 2;
/// Its process is there and looks whether it has anything to do.
const LOOKING: u32 = 3;
/// It has.
const SERVING: u32 = 4;

/// A worker to be started.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    used: Use,
    database: pg_sys::Oid,
}

/// The slot of this process, which is a worker.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    used: Use,
    database: pg_sys::Oid,
    number: u32,
}

/// Whether workers can be had: not where the library was not preloaded, in a server of one user, or in one
/// that pg_upgrade has started.
pub fn available() -> bool {
    memory().is_some()
}

/// Has the database's first worker look for work, or has one started.
pub fn wake(database: pg_sys::Oid) {
    let Some(memory) = memory() else { return };
    let woken = {
        let _locked = Locked::shared();
        memory.find(database, 0).map(Entry::nudge)
    };
    if woken.is_none() {
        ask(database, 0, Duration::ZERO);
    }
}

/// Has the other workers of a database look for work.
pub fn wake_others(database: pg_sys::Oid) {
    let Some(memory) = memory() else { return };
    let _locked = Locked::shared();
    let other = |entry: &&Entry| entry.is_of(database) && entry.number.load(Relaxed) != 0;
    memory.entries.iter().filter(other).for_each(Entry::nudge);
}

/// Asks for a worker after so long, where there is none; one that is there is woken. False: there is no room.
pub fn ask(database: pg_sys::Oid, number: u32, after: Duration) -> bool {
    let Some(memory) = memory() else { return false };
    {
        let _locked = Locked::exclusive();
        let at = now() + milliseconds(after);
        if let Some(entry) = memory.find(database, number) {
            if entry.state.load(Relaxed) == WANTED {
                entry.time.fetch_min(at, Relaxed);
            }
            entry.nudge();
        } else {
            let free = memory.entries.iter().find(|entry| entry.state.load(Relaxed) == FREE);
            let Some(entry) = free else { return false };
            entry.database.store(database.to_u32(), Relaxed);
            entry.number.store(number, Relaxed);
            entry.wakes.store(0, Relaxed);
            entry.begin(WANTED, at);
        }
    }
    memory.supervisor.set();
    true
}

/// Whether a database has a worker of this number, or will have.
pub fn exists(database: pg_sys::Oid, number: u32) -> bool {
    let Some(memory) = memory() else { return false };
    let _locked = Locked::shared();
    memory.find(database, number).is_some()
}

/// This process, the supervisor, is to be told when there is something to start.
pub fn supervise() {
    if let Some(memory) = memory() {
        memory.supervisor.take();
    }
}

/// The next worker to start, if any; the caller tells of a failure by [`postpone`].
pub fn next() -> Option<Job> {
    let memory = memory()?;
    let _locked = Locked::exclusive();
    let now = now();
    if starting(memory, now) >= AT_ONCE {
        return None;
    }
    let due =
        |entry: &Entry| entry.state.load(Relaxed) == WANTED && entry.time.load(Relaxed) <= now;
    let due = memory.entries.iter().enumerate().filter(|(_, entry)| due(entry));
    let (index, entry) = due.min_by_key(|(_, entry)| entry.time.load(Relaxed))?;
    let used = Use { index, generation: entry.begin(STARTING, now) };
    Some(Job { used, database: entry.database() })
}

/// How many are on their way; those that got lost are wanted again.
fn starting(memory: &Memory, now: i64) -> usize {
    let mut starting = 0;
    for entry in &memory.entries {
        let (state, since) = (entry.state.load(Relaxed), entry.time.load(Relaxed));
        if state == STARTING && now - since > milliseconds(LOST) {
            entry.begin(WANTED, now); // should it come after all, it is not the one that is waited for
        } else if matches!(state, STARTING | LOOKING) && now - since < milliseconds(SLOW) {
            starting += 1;
        }
    }
    starting
}

/// It could not be started now.
pub fn postpone(job: &Job, delay: Duration) {
    let Some(memory) = memory() else { return };
    let _locked = Locked::exclusive();
    if let Some(entry) = memory.entry(job.used, &[STARTING]) {
        entry.begin(WANTED, now() + milliseconds(delay));
    }
}

impl Job {
    /// The argument of the worker's main function.
    pub fn argument(&self) -> pg_sys::Datum {
        self.used.to_datum()
    }

    /// Where; [`NONE`] for a look at all of them.
    pub fn database(&self) -> pg_sys::Oid {
        self.database
    }
}

impl Slot {
    /// Called once by a worker, before anything that may fail; `None` where nobody waits for it any more.
    pub fn take(argument: pg_sys::Datum) -> Option<Self> {
        let memory = memory()?;
        let used = Use::from_datum(argument);
        let slot = {
            let _locked = Locked::exclusive();
            let entry = memory.entry(used, &[STARTING])?;
            entry.latch.take();
            entry.time.store(now(), Relaxed);
            entry.state.store(LOOKING, Relaxed);
            Self { used, database: entry.database(), number: entry.number.load(Relaxed) }
        };
        // SAFETY: the callback is guarded.
        unsafe { pg_sys::before_shmem_exit(Some(release), argument) };
        Some(slot)
    }

    /// Where it works.
    pub fn database(&self) -> pg_sys::Oid {
        self.database
    }

    /// Which of the database's workers it is; 0 is the first.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How often it was woken; more often than before: there is something new to look for.
    pub fn wakes(&self) -> u32 {
        memory().and_then(|memory| self.entry(memory)).map_or(0, |entry| entry.wakes.load(Relaxed))
    }

    /// There is work for it in this database, now or later.
    pub fn serve(&self) {
        let Some(memory) = memory() else { return };
        let looking = memory.entry(self.used, &[LOOKING]);
        if let Some(entry) = looking {
            entry.state.store(SERVING, Relaxed);
            memory.supervisor.set(); // the next one may start
        }
    }

    /// Gives the slot back, unless it was woken more than the `seen` times: then false.
    pub fn leave(&self, seen: u32) -> bool {
        let Some(memory) = memory() else { return true };
        {
            let _locked = Locked::exclusive();
            match self.entry(memory) {
                Some(entry) if entry.wakes.load(Relaxed) != seen => return false,
                Some(entry) => memory.free(entry),
                None => {}
            }
        }
        memory.supervisor.set();
        true
    }

    /// Gives the slot back; after so long, if at all, somebody looks where workers are needed.
    pub fn resign(&self, look_after: Option<Duration>) {
        let Some(memory) = memory() else { return };
        {
            let _locked = Locked::exclusive();
            if let Some(entry) = self.entry(memory) {
                memory.free(entry);
            }
        }
        match look_after {
            Some(time) => drop(ask(NONE, 0, time)),
            None => memory.supervisor.set(),
        }
    }

    fn entry<'a>(&self, memory: &'a Memory) -> Option<&'a Entry> {
        memory.entry(self.used, &[LOOKING, SERVING])
    }
}

thread_local! {
    /// The table that this worker is at.
    static AT: Cell<pg_sys::Oid> = const { Cell::new(NONE) };
}

/// This worker has come to a table, whose code may cost it its process.
pub fn come_to(table: pg_sys::Oid) {
    AT.set(table);
}

/// The tables of a database whose code has cost a worker its process, and how long ago; of late.
pub fn fatal_tables(database: pg_sys::Oid) -> Vec<(pg_sys::Oid, Duration)> {
    let Some(memory) = memory() else { return Vec::new() };
    let _locked = Locked::shared();
    let ago = |at| Duration::from_millis(u64::try_from(now() - at).unwrap_or(0));
    memory.remembered(database).into_iter().map(|(table, at)| (table, ago(at))).collect()
}

/// A worker's process ends. Where it has not left, something came in between: it was terminated, or an error.
#[pg_guard]
unsafe extern "C-unwind" fn release(_code: i32, argument: pg_sys::Datum) {
    let Some(memory) = memory() else { return };
    let used = Use::from_datum(argument);
    let again = {
        let _locked = Locked::exclusive();
        let Some(entry) = memory.entry(used, &[LOOKING, SERVING]) else { return };
        let looking = entry.state.load(Relaxed) == LOOKING;
        if deadline::is_last_word() {
            memory.remember(entry.database(), AT.get());
        }
        memory.free(entry);
        if looking { AGAIN_AFTER_FAILURE } else { AGAIN }
    };
    // Not itself at once: its database may be on the way out.
    ask(NONE, 0, again);
}

/// Where a look at the databases is to go on.
pub fn cursor() -> pg_sys::Oid {
    memory().map_or(NONE, |memory| pg_sys::Oid::from(memory.cursor.load(Relaxed)))
}

/// Where the next one is to go on; [`NONE`]: from the start.
pub fn set_cursor(database: pg_sys::Oid) {
    if let Some(memory) = memory() {
        memory.cursor.store(database.to_u32(), Relaxed);
    }
}

/// Counts looks in a row that found a database in somebody's hands; gives how many there were before.
pub fn count_delays(delayed: bool) -> u32 {
    memory().map_or(0, |memory| match delayed {
        true => memory.delays.fetch_add(1, Relaxed),
        false => memory.delays.swap(0, Relaxed),
    })
}
