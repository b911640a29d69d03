//! What the supervisor tells all sessions about the engine process: a few words of shared memory.
//!
//! There where the library is preloaded, and only there. One process writes, many read; a reader takes
//! no lock, and looks again where a write came in between.

use pgrx::pg_sys;
use pgrx::prelude::*;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// Bytes of the text.
const TEXT: usize = 256;

/// What the supervisor is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// No supervisor is there.
    #[default]
    Stopped,
    /// The engine was started and is not ready yet.
    Starting,
    /// The engine takes connections.
    Running,
    /// The engine has ended and waits for its next start.
    BackingOff,
}

/// All of it at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supervision {
    /// What the supervisor is doing.
    pub phase: Phase,
    /// The engine's process; 0 where there is none.
    pub pid: u32,
    /// How often it was started again.
    pub restarts: u64,
    /// Starts in a row that never came to be ready.
    pub failures: u32,
    /// How the engine last ended; empty where it has not.
    pub ended: String,
}

#[derive(Default)]
#[repr(C)]
struct Memory {
    /// Odd while it is written.
    version: AtomicU32,
    phase: AtomicU32,
    pid: AtomicU32,
    failures: AtomicU32,
    restarts: AtomicU64,
    length: AtomicUsize,
    text: Text,
}

#[repr(transparent)]
struct Text([AtomicU8; TEXT]);

impl Default for Text {
    fn default() -> Self {
        Self([const { AtomicU8::new(0) }; TEXT])
    }
}

static MEMORY: AtomicPtr<Memory> = AtomicPtr::new(std::ptr::null_mut());

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

/// Whether there is such memory: whether the server keeps an engine process. A server of one user, which runs
/// no background workers, keeps none.
pub fn available() -> bool {
    // SAFETY: reads a variable that does not change.
    memory().is_some() && unsafe { pg_sys::IsUnderPostmaster }
}

/// How the engine process fares; `None` where the server keeps none.
pub fn read() -> Option<Supervision> {
    // So often a writer cannot come in between, unless it was stopped while it wrote.
    const TRIES: usize = 10_000;
    let memory = memory()?;
    let mut supervision = Supervision::default();
    for _ in 0..TRIES {
        let before = memory.version.load(Ordering::Acquire);
        supervision = memory.copy();
        fence(Ordering::Acquire);
        if before.is_multiple_of(2) && memory.version.load(Ordering::Relaxed) == before {
            break;
        }
        std::hint::spin_loop();
    }
    Some(supervision)
}

/// Writes it; the supervisor alone may.
pub fn write(supervision: &Supervision) {
    let Some(memory) = memory() else { return };
    // A writer before this one may have been ended in the middle.
    let odd = memory.version.load(Ordering::Relaxed) | 1;
    memory.version.store(odd, Ordering::Relaxed);
    fence(Ordering::Release);
    memory.set(supervision);
    memory.version.store(odd.wrapping_add(1), Ordering::Release);
}

impl Memory {
    fn copy(&self) -> Supervision {
        let length = self.length.load(Ordering::Relaxed).min(TEXT);
        let bytes = self.text.0[..length].iter().map(|byte| byte.load(Ordering::Relaxed));
        let bytes: Vec<u8> = bytes.collect();
        Supervision {
            phase: match self.phase.load(Ordering::Relaxed) {
                1 => Phase::Starting,
                2 => Phase::Running,
                3 => Phase::BackingOff,
                _ => Phase::Stopped,
            },
            pid: self.pid.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            ended: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    fn set(&self, supervision: &Supervision) {
        let phase = match supervision.phase {
            Phase::Stopped => 0,
            Phase::Starting => 1,
            Phase::Running => 2,
            Phase::BackingOff => 3,
        };
        self.phase.store(phase, Ordering::Relaxed);
        self.pid.store(supervision.pid, Ordering::Relaxed);
        self.restarts.store(supervision.restarts, Ordering::Relaxed);
        self.failures.store(supervision.failures, Ordering::Relaxed);
        let text = supervision.ended.as_bytes();
        for (to, from) in self.text.0.iter().zip(text) {
            to.store(*from, Ordering::Relaxed);
        }
        self.length.store(text.len().min(TEXT), Ordering::Relaxed);
    }
}

fn memory() -> Option<&'static Memory> {
    // SAFETY: set once by `attach`, to memory that lives as long as the process.
    unsafe { MEMORY.load(Ordering::Relaxed).as_ref() }
}

static mut BEFORE_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut BEFORE_STARTUP: pg_sys::shmem_startup_hook_type = None;

#[pg_guard]
unsafe extern "C-unwind" fn reserve() {
    // SAFETY: the hook before, and a size of a few hundred bytes.
    unsafe {
        if let Some(before) = BEFORE_REQUEST {
            before();
        }
        pg_sys::RequestAddinShmemSpace(size_of::<Memory>());
    }
}

/// In the postmaster, before any child is there, so no lock is needed; again after a crash of a session.
#[pg_guard]
unsafe extern "C-unwind" fn attach() {
    // SAFETY: the hook before; the memory was asked for, is aligned for any type, and is written before it is
    // shared.
    unsafe {
        if let Some(before) = BEFORE_STARTUP {
            before();
        }
        let (name, mut found) = (c"itembank_embed engine".as_ptr(), false);
        let start = pg_sys::ShmemInitStruct(name, size_of::<Memory>(), &mut found).cast();
        if !found {
            std::ptr::write(start, Memory::default());
        }
        MEMORY.store(start, Ordering::Relaxed);
    }
}
