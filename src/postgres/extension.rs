//! Where this extension is installed.

use crate::postgres::{registry, text};
use pgrx::pg_sys;
use protocol::{Fault, FaultCode};
use std::ffi::CStr;

/// The schema of its objects in this database, quoted.
///
/// # Errors
/// Where the database has no such extension.
pub fn schema() -> Result<String, Fault> {
    let namespace = registry::installed_namespace().ok_or_else(missing)?;
    // SAFETY: looks at the catalog, within a transaction; the names are NUL-terminated.
    unsafe {
        let name = pg_sys::get_namespace_name(namespace);
        if name.is_null() {
            return Err(missing());
        }
        Ok(text::name(CStr::from_ptr(pg_sys::quote_identifier(name))))
    }
}

/// The fault of a database without the extension.
pub fn missing() -> Fault {
    Fault::new(FaultCode::NotInPrerequisiteState, "this database has no extension itembank_embed")
        .detail("Its tables say which columns are to be kept fresh.")
        .hint("CREATE EXTENSION itembank_embed CASCADE.")
}
