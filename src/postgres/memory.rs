//! Memory of Postgres that is given back before the statement ends.

use pgrx::pg_sys;

/// What was allocated while [`Scratch::fill`] ran; freed with it, or by Postgres after an error.
pub struct Scratch(pg_sys::MemoryContext);

impl Scratch {
    /// Runs `work`, whose allocations live as long as the scratch.
    pub fn fill<T>(work: impl FnOnce() -> T) -> (Self, T) {
        // SAFETY: a context of its own below the current one, which is the current one again afterwards; after an
        // error Postgres sets it.
        unsafe {
            let before = pg_sys::CurrentMemoryContext;
            let scratch = pg_sys::AllocSetContextCreateExtended(
                before,
                c"itembank_embed scratch".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            pg_sys::MemoryContextSwitchTo(scratch);
            let made = work();
            pg_sys::MemoryContextSwitchTo(before);
            (Self(scratch), made)
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: made by `fill`, deleted once.
            unsafe { pg_sys::MemoryContextDelete(self.0) };
        }
    }
}
