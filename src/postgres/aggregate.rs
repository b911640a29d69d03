//! States of aggregates: Rust values that live as long as the aggregation.

use pgrx::{Internal, PgMemoryContexts, pg_sys};
use protocol::{Fault, FaultCode};

/// Gives the state of the aggregate call under way to `change`, made by `make` at its first row.
pub fn with_state<T>(
    mut state: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
    make: impl FnOnce() -> Result<T, Fault>,
    change: impl FnOnce(&mut T) -> Result<(), Fault>,
) -> Result<Internal, Fault> {
    if !state.initialized() {
        let made = make()?;
        // SAFETY: the context is that of the aggregation under way, and left again.
        state = unsafe { context(fcinfo)?.switch_to(|_| Internal::new(made)) };
    }
    // SAFETY: states of this type alone are made for the aggregates that call here; an `internal`
    // cannot be written in SQL.
    if let Some(state) = unsafe { state.get_mut() } {
        change(state)?;
    }
    Ok(state)
}

/// Reads a state; none where there was no row.
pub fn state<T>(state: &Internal) -> Option<&T> {
    // SAFETY: as above.
    unsafe { state.get() }
}

/// The memory that lives as long as the aggregation.
fn context(fcinfo: pg_sys::FunctionCallInfo) -> Result<PgMemoryContexts, Fault> {
    let mut context = std::ptr::null_mut();
    // SAFETY: Postgres calls with a valid fcinfo.
    match unsafe { pg_sys::AggCheckCallContext(fcinfo, &mut context) } {
        0 => Err(Fault::new(FaultCode::InvalidParameter, "called outside of an aggregate")
            .detail("It is a part of the evaluation aggregates.")
            .hint("Call the aggregate, for example recall_at_k.")),
        _ => Ok(PgMemoryContexts::For(context)),
    }
}
