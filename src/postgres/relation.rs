//! Relations, opened for a look: nobody is waited for.

use crate::postgres::text;
use pgrx::pg_sys;
use std::ffi::{CStr, c_char};

const LOCK: i32 = pg_sys::AccessShareLock as i32;

// catalog/partition.h, which pgrx leaves out.
unsafe extern "C-unwind" {
    fn get_partition_ancestors(relation: pg_sys::Oid) -> *mut pg_sys::List;
}

/// An open relation, which cannot change while it lives.
pub struct Relation(pg_sys::Relation);

impl Relation {
    /// `None` where there is no such relation, or where somebody is about to change it.
    pub fn open(relation: pg_sys::Oid) -> Option<Self> {
        // SAFETY: within a transaction. The lock is held before the relation is opened, and given back where that
        // finds that it is gone.
        unsafe {
            if !pg_sys::ConditionalLockRelationOid(relation, LOCK) {
                return None;
            }
            let open = pg_sys::try_relation_open(relation, pg_sys::NoLock as i32);
            if open.is_null() {
                pg_sys::UnlockRelationOid(relation, LOCK);
                return None;
            }
            Some(Self(open))
        }
    }

    /// Waits for who is about to change it.
    pub fn wait_for(relation: pg_sys::Oid) -> Self {
        // SAFETY: within a transaction; raises where there is no such relation.
        Self(unsafe { pg_sys::relation_open(relation, LOCK) })
    }

    /// As Postgres knows it; valid as long as this.
    pub fn as_ptr(&self) -> pg_sys::Relation {
        self.0
    }
}

impl Drop for Relation {
    fn drop(&mut self) {
        // After an error Postgres closes it with the (sub)transaction.
        if !std::thread::panicking() {
            // SAFETY: opened by `open`, closed once.
            unsafe { pg_sys::relation_close(self.0, LOCK) };
        }
    }
}

/// Its kind, a `RELKIND_…`; 0 where there is no such relation.
pub fn kind(relation: pg_sys::Oid) -> u8 {
    // SAFETY: a look at the catalog.
    unsafe { pg_sys::get_rel_relkind(relation) as u8 }
}

/// Its name as a statement would have it now: quoted, and with the schema where that is needed.
pub fn name(relation: pg_sys::Oid) -> String {
    // SAFETY: looks at the catalog; names are NUL-terminated, a null schema is one that is not written.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        if name.is_null() {
            return relation.to_u32().to_string();
        }
        let schema = match pg_sys::RelationIsVisible(relation) {
            true => std::ptr::null(),
            false => pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation)).cast_const(),
        };
        text::name(CStr::from_ptr(pg_sys::quote_qualified_identifier(schema, name)))
    }
}

/// The name of a column; `None` where there is no such column.
pub fn column_name(relation: pg_sys::Oid, number: i16) -> Option<String> {
    // SAFETY: a look at the catalog.
    unsafe { owned(pg_sys::get_attname(relation, number, true)) }
}

/// The tables that it is a partition of, nearest first.
pub fn ancestors(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    // SAFETY: looks at the catalog, with nothing to drop within the boundary; the list is of Oids.
    unsafe {
        if !pg_sys::get_rel_relispartition(relation) {
            return Vec::new();
        }
        let list = pg_sys::ffi::pg_guard_ffi_boundary(|| get_partition_ancestors(relation));
        let count = if list.is_null() { 0 } else { (*list).length };
        (0..count).map(|place| pg_sys::list_nth_oid(list, place)).collect()
    }
}

/// # Safety
/// `name` is null or NUL-terminated.
unsafe fn owned(name: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!name.is_null()).then(|| text::name(unsafe { CStr::from_ptr(name) }))
}
