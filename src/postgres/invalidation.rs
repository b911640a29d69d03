//! When what a session remembers of a table may have changed.

use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;

thread_local! {
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
    /// Counts what may have changed; of the main thread.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

/// A number that is another one as soon as this session hears that any table's definition has changed.
///
/// A lock on a table is not had before all is heard that was committed about it.
pub fn changes() -> u64 {
    if !REGISTERED.replace(true) {
        // SAFETY: the callback is guarded, and lives as long as the process.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(heard), pg_sys::Datum::null()) };
    }
    CHANGES.get()
}

/// Has all sessions look again at what they remember of a table, once this transaction has committed; this one at once.
/// Of one that is gone there is nothing to remember.
pub fn announce(table: pg_sys::Oid) {
    // SAFETY: within a transaction; the tuple is released after it was looked at.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
        let row = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(table));
        if !row.is_null() {
            pg_sys::CacheInvalidateRelcacheByTuple(row);
            pg_sys::ReleaseSysCache(row);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn heard(_argument: pg_sys::Datum, _relation: pg_sys::Oid) {
    let _ = CHANGES.try_with(|changes| changes.set(changes.get().wrapping_add(1)));
}
