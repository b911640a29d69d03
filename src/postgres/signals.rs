//! Signals and what must not hear them.

use std::mem::MaybeUninit;

/// Blocks every signal of this thread but those of its own faults, until dropped.
///
/// The one exception that Postgres handles, SIGFPE, is blocked too.
pub struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    /// From here on.
    pub fn new() -> Self {
        // Not SIGFPE: Postgres has a handler for it, which must never run here. Blocked, a division
        // that traps ends the process, as a fault of this thread should.
        const OF_FAULTS: [i32; 5] =
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGABRT, libc::SIGTRAP];
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: sigfillset and pthread_sigmask fill the sets that they are given.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            for signal in OF_FAULTS {
                libc::sigdelset(all.as_mut_ptr(), signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: restores the mask that `new` has read.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

/// In a child that is about to become another program: no signal blocked, none handled or ignored.
pub fn reset_all() {
    const LAST: i32 = 64;
    // SAFETY: plain system calls; numbers that are no signal, or cannot be set, are refused.
    unsafe {
        for signal in 1..=LAST {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}
