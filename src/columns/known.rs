//! The embedding columns of tables that this session writes to, as they were last looked up.
//!
//! Whatever changes a registered column changes its table as well: columns are added, renamed or dropped with it, and
//! what is written to the registry by hand says so (`embedding_guard`).

use crate::columns::definition::Definition;
use crate::postgres::invalidation;
use pgrx::pg_sys;
use protocol::Fault;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Tables that are remembered; beyond them all are forgotten.
const MOST: usize = 256;

/// Of one table, with the count of changes at which they were looked up.
type Known = (u64, Rc<[Definition]>);

thread_local! {
    /// By table; of the main thread.
    static KNOWN: RefCell<HashMap<pg_sys::Oid, Known>> = RefCell::default();
}

/// Those of a table, looked up by `load` where anything may have changed since.
pub fn of(
    table: pg_sys::Oid,
    load: impl FnOnce() -> Result<Vec<Definition>, Fault>,
) -> Result<Rc<[Definition]>, Fault> {
    // Taken before the look: what changes meanwhile is looked up again.
    let changes = invalidation::changes();
    let known = KNOWN.with_borrow(|known| known.get(&table).cloned());
    if let Some((at, definitions)) = known
        && at == changes
    {
        return Ok(definitions);
    }
    let definitions: Rc<[Definition]> = load()?.into();
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(table, (changes, Rc::clone(&definitions)));
    });
    Ok(definitions)
}
