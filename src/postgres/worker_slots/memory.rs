//! The table itself: entries in shared memory, and the lock that guards them.

use super::{FREE, LOOKING, NONE, SERVING};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::CStr;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const SLOTS: usize = 256;
/// Tables that are remembered, of all databases.
const FATAL: usize = 64;
const NAME: &CStr = c"itembank_embed workers";

/// One slot. All zeroes: free.
#[repr(C)]
pub struct Entry {
    pub state: AtomicU32,
    pub database: AtomicU32,
    /// Of the workers of the database; 0 is the one that sessions wake.
    pub number: AtomicU32,
    /// Tells a use of this slot from those before.
    generation: AtomicU32,
    /// How often it was woken.
    pub wakes: AtomicU32,
    /// Not to be started before; later, since when it is in its state. See [`now`].
    pub time: AtomicI64,
    /// Of its process.
    pub latch: SharedLatch,
}

#[repr(C)]
pub struct Memory {
    pub supervisor: SharedLatch,
    /// Where the next look at the databases goes on, and how often in a row one was in vain.
    pub cursor: AtomicU32,
    pub delays: AtomicU32,
    /// Tables whose code has cost a worker its process: database and table, and when, see [`now`].
    fatal: [(AtomicU64, AtomicI64); FATAL],
    fatal_count: AtomicU32,
    pub entries: [Entry; SLOTS],
}

/// A use of a slot, as the argument of the worker's main function and in between.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    pub index: usize,
    pub generation: u32,
}

/// Somebody's latch. Shared memory lies at the same place in every process, and the latch of a process that
/// has ended may be set.
#[repr(transparent)]
pub struct SharedLatch(AtomicPtr<pg_sys::Latch>);

impl SharedLatch {
    /// It is that of this process.
    pub fn take(&self) {
        // SAFETY: reads a variable of this process.
        self.0.store(unsafe { pg_sys::MyLatch }, Relaxed);
    }

    pub fn forget(&self) {
        self.0.store(std::ptr::null_mut(), Relaxed);
    }

    pub fn set(&self) {
        let latch = self.0.load(Relaxed);
        if !latch.is_null() {
            // SAFETY: a latch in shared memory; where its process is gone, nobody or a stranger wakes up for nothing.
            unsafe { pg_sys::SetLatch(latch) };
        }
    }
}

impl Use {
    pub fn to_datum(self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.index as u32 | self.generation << 16)
    }

    pub fn from_datum(datum: pg_sys::Datum) -> Self {
        let packed = datum.value() as u32;
        Self { index: packed as u16 as usize, generation: packed >> 16 }
    }
}

impl Entry {
    pub fn database(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.database.load(Relaxed))
    }

    pub fn is_of(&self, database: pg_sys::Oid) -> bool {
        self.state.load(Relaxed) != FREE && self.database() == database
    }

    /// Wakes it; one that is yet to start will look anyway.
    pub fn nudge(&self) {
        self.wakes.fetch_add(1, Relaxed);
        if matches!(self.state.load(Relaxed), LOOKING | SERVING) {
            self.latch.set();
        }
    }

    /// Into a state of before its process is there, as a new use of the slot.
    pub fn begin(&self, state: u32, time: i64) -> u32 {
        const MASK: u32 = 0xffff; // what fits into the argument
        let generation = self.generation.load(Relaxed).wrapping_add(1) & MASK;
        self.generation.store(generation, Relaxed);
        self.time.store(time, Relaxed);
        self.state.store(state, Relaxed);
        generation
    }
}

impl Memory {
    pub fn find(&self, database: pg_sys::Oid, number: u32) -> Option<&Entry> {
        let same = |entry: &&Entry| entry.is_of(database) && entry.number.load(Relaxed) == number;
        self.entries.iter().find(same)
    }

    /// The entry, where it is still in this use and in one of these states.
    pub fn entry(&self, used: Use, states: &[u32]) -> Option<&Entry> {
        self.entries.get(used.index).filter(|entry| {
            entry.generation.load(Relaxed) == used.generation
                && states.contains(&entry.state.load(Relaxed))
        })
    }

    /// Remembers a table, over the one that was remembered for longest. Under the lock.
    pub fn remember(&self, database: pg_sys::Oid, table: pg_sys::Oid) {
        let place = self.fatal_count.fetch_add(1, Relaxed) as usize % FATAL;
        let both = u64::from(database.to_u32()) << 32 | u64::from(table.to_u32());
        self.fatal[place].0.store(both, Relaxed);
        self.fatal[place].1.store(now(), Relaxed);
    }

    /// The tables of a database that are remembered, and since when. Under the lock.
    pub fn remembered(&self, database: pg_sys::Oid) -> Vec<(pg_sys::Oid, i64)> {
        let entries = self.fatal.iter().map(|(both, at)| (both.load(Relaxed), at.load(Relaxed)));
        let of = |(both, at): (u64, i64)| {
            let same = both >> 32 == u64::from(database.to_u32());
            (same && both != 0).then(|| (pg_sys::Oid::from(both as u32), at))
        };
        entries.filter_map(of).collect()
    }

    /// The slot's worker has come to its end.
    pub fn free(&self, entry: &Entry) {
        entry.state.store(FREE, Relaxed);
        entry.latch.forget();
        entry.database.store(NONE.to_u32(), Relaxed);
    }
}

/// Milliseconds of a clock that all processes share, and nobody sets.
pub fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills a live value.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// A time of the same clock.
pub fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2)
}

/// While it lives, no other process changes what the lock guards.
pub struct Locked(*mut pg_sys::LWLock);

impl Locked {
    pub fn shared() -> Self {
        Self::of(pg_sys::LWLockMode::LW_SHARED)
    }

    pub fn exclusive() -> Self {
        Self::of(pg_sys::LWLockMode::LW_EXCLUSIVE)
    }

    fn of(mode: pg_sys::LWLockMode::Type) -> Self {
        let lock = LOCK.load(Relaxed);
        // SAFETY: set before `MEMORY`, and held for a few instructions that raise no error.
        unsafe { pg_sys::LWLockAcquire(lock, mode) };
        Self(lock)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: it is held.
        unsafe { pg_sys::LWLockRelease(self.0) };
    }
}

static MEMORY: AtomicPtr<Memory> = AtomicPtr::new(std::ptr::null_mut());
static LOCK: AtomicPtr<pg_sys::LWLock> = AtomicPtr::new(std::ptr::null_mut());

/// The memory, where workers can be had.
pub fn memory() -> Option<&'static Memory> {
    // SAFETY: set by `attach`, to memory that lives as long as the process; the others are plain reads.
    unsafe {
        let usable = pg_sys::IsUnderPostmaster && !pg_sys::IsBinaryUpgrade;
        MEMORY.load(Relaxed).as_ref().filter(|_| usable)
    }
}

/// Asks for the memory; only while libraries are preloaded.
pub fn request() {
    // SAFETY: the postmaster's own variables, at the time that is meant for it; the hooks before are called.
    unsafe {
        BEFORE_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(reserve);
        BEFORE_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(attach);
    }
}

static mut BEFORE_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut BEFORE_STARTUP: pg_sys::shmem_startup_hook_type = None;

#[pg_guard]
unsafe extern "C-unwind" fn reserve() {
    // SAFETY: the hook before, a size of some kilobytes, and one lock.
    unsafe {
        if let Some(before) = BEFORE_REQUEST {
            before();
        }
        pg_sys::RequestAddinShmemSpace(size_of::<Memory>());
        pg_sys::RequestNamedLWLockTranche(NAME.as_ptr(), 1);
    }
}

/// In the postmaster, before any child is there; again after a crash of a session, with everything free.
#[pg_guard]
unsafe extern "C-unwind" fn attach() {
    // SAFETY: the hook before; the memory was asked for, is aligned for any type, and zeroes are a valid value
    // of it.
    unsafe {
        if let Some(before) = BEFORE_STARTUP {
            before();
        }
        let mut found = false;
        let start = pg_sys::ShmemInitStruct(NAME.as_ptr(), size_of::<Memory>(), &mut found);
        let start = start.cast::<Memory>();
        if !found {
            std::ptr::write_bytes(start, 0, 1);
        }
        LOCK.store(&raw mut (*pg_sys::GetNamedLWLockTranche(NAME.as_ptr())).lock, Relaxed);
        MEMORY.store(start, Relaxed);
    }
}
