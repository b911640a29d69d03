//! What a statement trigger is told of its statement.

use pgrx::pg_sys;
use protocol::{Fault, FaultCode};
use std::ffi::CStr;

// commands/trigger.h
const OPERATION: u32 = 3;
const INSERT: u32 = 0;
const UPDATE: u32 = 2;
const FOR_EACH_ROW: u32 = 4;
const TIMING: u32 = 0x18;
const AFTER: u32 = 0;
/// What a statement's new rows are called.
const NEW_ROWS: &CStr = c"embedding_new";

/// The statement that a trigger follows: an INSERT or an UPDATE, with its new rows.
pub struct Statement(*mut pg_sys::TriggerData);

impl Statement {
    /// Of the call under way.
    ///
    /// # Errors
    /// Where the function was not called by such a trigger.
    pub fn of(call: pg_sys::FunctionCallInfo) -> Result<Self, Fault> {
        // SAFETY: Postgres calls with a valid fcinfo; the context of a trigger's call is its data, which the tag
        // tells, and otherwise it is not touched.
        unsafe {
            let context = (*call).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return Err(misused("It was called as a function."));
            }
            let data = context.cast::<pg_sys::TriggerData>();
            let event = (*data).tg_event;
            let operation = event & OPERATION;
            if event & (FOR_EACH_ROW | TIMING) != AFTER
                || !(operation == INSERT || operation == UPDATE)
                || (*data).tg_newtable.is_null()
                || !is_named((*(*data).tg_trigger).tgnewtable)
            {
                return Err(misused("It was called by a trigger of another kind."));
            }
            Ok(Self(data))
        }
    }

    /// Makes its new rows known to SPI, which is connected.
    pub fn register(&self) {
        // SAFETY: the data live as long as the call.
        unsafe { pg_sys::SPI_register_trigger_data(self.0) };
    }

    /// The table of the statement.
    pub fn table(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open while the trigger runs.
        unsafe { (*(*self.0).tg_relation).rd_id }
    }

    /// Whether any column may have changed: an INSERT has set all, and triggers before rows may have changed some that the
    /// UPDATE does not name. Those of a partition are not known at its root.
    pub fn may_change_any(&self) -> bool {
        // SAFETY: as above; a relation with triggers has their description.
        unsafe {
            let relation = (*self.0).tg_relation;
            let triggers = (*relation).trigdesc;
            self.is_insert()
                || (*(*relation).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE
                || triggers.is_null()
                || (*triggers).trig_update_before_row
        }
    }

    /// Whether the UPDATE names this column; 0 stands for a generated one, which may change with any.
    pub fn changed(&self, column: i32) -> bool {
        let member = column - pg_sys::FirstLowInvalidHeapAttributeNumber;
        // SAFETY: the set lives as long as the call; none is an empty one.
        column == 0
            || self.is_insert()
            || unsafe { pg_sys::bms_is_member(member, (*self.0).tg_updatedcols) }
    }

    fn is_insert(&self) -> bool {
        // SAFETY: plain data.
        unsafe { (*self.0).tg_event & OPERATION == INSERT }
    }
}

/// How many triggers' functions are under way, one within the other: `pg_trigger_depth()`.
pub fn depth() -> i32 {
    // SAFETY: takes no arguments, reads a variable.
    unsafe { pgrx::direct_function_call::<i32>(pg_sys::pg_trigger_depth, &[]) }.unwrap_or(0)
}

/// Whether the new rows go by the name that statements of ours have for them: no other table may take that.
///
/// # Safety
/// `name` is NUL-terminated, or null.
unsafe fn is_named(name: *const std::ffi::c_char) -> bool {
    // SAFETY: the caller's promise.
    !name.is_null() && unsafe { CStr::from_ptr(name) } == NEW_ROWS
}

fn misused(how: &str) -> Fault {
    Fault::new(FaultCode::NotInPrerequisiteState, "embedding_trigger is for triggers that add_embedding makes")
        .detail(how)
        .hint("Use add_embedding, which makes AFTER triggers FOR EACH STATEMENT with REFERENCING NEW TABLE AS embedding_new.")
}
