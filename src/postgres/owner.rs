//! Work on a table as its owner, whoever asked for it; and on what is registered about it, as the registry's.
//!
//! So Postgres' own referential integrity does it: expressions, triggers and functions of the table
//! gain no rights by whose statement they run in, and a user who may only insert gets vectors, too.

use crate::postgres::error::raise;
use crate::postgres::{relation, text};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use protocol::{Fault, FaultCode};
use std::ffi::CStr;

// miscadmin.h
const LOCAL_USERID_CHANGE: i32 = 1;
const RESTRICTED_OPERATION: i32 = 2;
const NOFORCE_RLS: i32 = 4;

/// What an expression over a row may depend on: it must give the same text in every session.
const PINNED: [(&CStr, &CStr); 13] = [
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"standard_conforming_strings", c"on"),
    (c"transform_null_equals", c"off"),
    (c"default_text_search_config", c"pg_catalog.simple"),
    (c"lc_monetary", c"C"),
    (c"lc_numeric", c"C"),
    (c"lc_time", c"C"),
    (c"xmlbinary", c"base64"),
    (c"DateStyle", c"ISO"),
    (c"IntervalStyle", c"postgres"),
    (c"TimeZone", c"UTC"),
    (c"extra_float_digits", c"1"),
    (c"bytea_output", c"hex"),
];

/// Who asks for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A trigger of the table, whose code is ours.
    Trigger,
    /// Somebody who needs the owner's rights, and may have more.
    Member,
}

/// While it lives the current user is the table's owner, the search path holds nothing but Postgres' own, and values read
/// the same in all sessions.
///
/// After an error Postgres restores both with the (sub)transaction.
pub struct AsOwner {
    user: pg_sys::Oid,
    context: i32,
    settings: i32,
}

impl AsOwner {
    /// From here on.
    ///
    /// # Errors
    /// Raises 42501 where a [`Caller::Member`] has not the owner's rights, 42P01 where there is no such table.
    pub fn of(table: pg_sys::Oid, caller: Caller) -> Self {
        let Some(owner) = owner(table) else { return raise(no_table()) };
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // SAFETY: plain reads of this process' state, within a transaction.
        let may = unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            caller == Caller::Trigger || pg_sys::has_privs_of_role(user, owner)
        };
        if !may {
            not_owner(table);
        }
        let mut flags = context | LOCAL_USERID_CHANGE | NOFORCE_RLS;
        if caller == Caller::Member && user != owner {
            // The caller may be a superuser; what the owner has made must not reach beyond this.
            flags |= RESTRICTED_OPERATION;
        }
        // SAFETY: balanced by `drop`, or by the end of the transaction after an error.
        unsafe {
            let settings = pg_sys::NewGUCNestLevel();
            for (name, value) in PINNED {
                pg_sys::set_config_option(
                    name.as_ptr(),
                    value.as_ptr(),
                    pg_sys::GucContext::PGC_USERSET,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                    true,
                    0,
                    false,
                );
            }
            pg_sys::SetUserIdAndSecContext(owner, flags);
            Self { user, context, settings }
        }
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // SAFETY: restores what `of` has found, innermost first.
        unsafe {
            // What code of the owner has set for its session is undone, too.
            pg_sys::AtEOXact_GUC(false, self.settings);
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}

/// While it lives the current user is the registry's owner, for whoever has the rights of a table's owner: for what the
/// registry keeps about that table. What runs meanwhile has to be of the extension's own making, search path included.
///
/// After an error Postgres restores the user with the (sub)transaction.
pub struct AsRegistrar {
    user: pg_sys::Oid,
    context: i32,
}

impl AsRegistrar {
    /// From here on. What is left of a table that is gone is anybody's.
    ///
    /// # Errors
    /// Raises 42501 where the user has not the rights of the table's owner.
    pub fn of(registry: pg_sys::Oid, table: pg_sys::Oid) -> Self {
        let Some(registrar) = owner(registry) else { return raise(no_table()) };
        require_rights(table);
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // SAFETY: balanced by `drop`, or by the end of the transaction after an error.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            pg_sys::SetUserIdAndSecContext(registrar, context | LOCAL_USERID_CHANGE);
        }
        Self { user, context }
    }
}

impl Drop for AsRegistrar {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: restores what `of` has found.
            unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) };
        }
    }
}

/// Nothing, or 42501 where the current user has not the rights of the table's owner. One that is gone has none.
pub fn require_rights(table: pg_sys::Oid) {
    // SAFETY: looks at this process' state and at the catalog, within a transaction.
    let may = |owner| unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), owner) };
    if !owner(table).is_none_or(may) {
        not_owner(table);
    }
}

/// The same by all that has been committed so far, and not by what this session has heard of it last.
pub fn require_rights_now(table: pg_sys::Oid) {
    // SAFETY: within a transaction. Others hear of a table before it is unlocked by who has made it, so to have the lock
    // is to know. It is given back at once: numbers that are nobody's yet must not be taken from who makes a table.
    unsafe {
        pg_sys::AcceptInvalidationMessages();
        if owner(table).is_none() {
            pg_sys::LockRelationOid(table, pg_sys::AccessShareLock as i32);
            pg_sys::AcceptInvalidationMessages();
            pg_sys::UnlockRelationOid(table, pg_sys::AccessShareLock as i32);
        }
    }
    require_rights(table);
}

fn owner(table: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: a look at the catalog; the tuple is released before anything can fail.
    unsafe {
        let key = pg_sys::Datum::from(table);
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, key);
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}

/// Locks a table as those do who write to it, so that its columns keep their names.
pub fn lock_for_writing(table: pg_sys::Oid) {
    // SAFETY: waits, and may raise a cancel; released at the transaction's end.
    unsafe { pg_sys::LockRelationOid(table, pg_sys::RowExclusiveLock as i32) };
}

fn not_owner(table: pg_sys::Oid) -> ! {
    let message = format!("must be owner of table {}", relation::name(table));
    let code = pgrx::PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE;
    ErrorReport::new(code, text::to_server(&message), "")
        .set_detail("Embedding columns are filled with the rights of the table's owner.")
        .set_hint("Ask the owner, or become a member of the owner's role.")
        .report(pgrx::PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

fn no_table() -> Fault {
    Fault::new(FaultCode::UndefinedObject, "there is no such table")
        .detail("It was dropped meanwhile.")
        .hint("embeddings() lists the tables with embedding columns.")
}
