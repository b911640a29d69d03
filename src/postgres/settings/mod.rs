//! The settings of the extension, and typed values from them.
//!
//! All but `model_guard` belong to the superuser: they name files that the server opens and bound what it spends. A
//! file a subject: what a session asks with, which models it means, the engine process.

mod columns;
mod engine;
mod guard;
mod models;
mod session;

pub use columns::{worker_timeout, workers};
pub use engine::{
    EngineChoice, engine_choice, engine_path, engine_settings, hang_timeout, start_timeout,
};
pub use guard::model_guard;
pub use models::{NamedModel, model_name};
pub use session::{cache_bytes, options};

use pgrx::guc::GucSetting;
use pgrx::pg_sys;
use protocol::{Fault, FaultCode};
use std::ffi::{CStr, CString, c_char};
use std::path::PathBuf;

/// Defines all settings; called from `_PG_init`.
pub fn define() {
    session::define();
    models::define();
    engine::define();
    columns::define();
    guard::define();
    // SAFETY: a constant prefix; misspelt settings become errors from here on.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"itembank_embed".as_ptr()) };
}

fn string(setting: &GucSetting<Option<CString>>, name: &str) -> Result<String, Fault> {
    let value = setting.get().unwrap_or_default();
    value.into_string().map_err(|_| {
        Fault::new(FaultCode::InvalidParameter, format!("itembank_embed.{name} is not valid UTF-8"))
            .detail("Paths and names are read as UTF-8.")
            .hint("Set it again.")
    })
}

/// A number above 0; `None` where it stands for "not set".
fn positive(setting: &GucSetting<i32>) -> Option<usize> {
    usize::try_from(setting.get()).ok().filter(|n| *n > 0)
}

/// Bytes of a setting in kB; `None` where it is 0.
fn kilobytes(setting: &GucSetting<i32>) -> Option<u64> {
    positive(setting).map(|n| n as u64 * 1024)
}

fn share_directory() -> String {
    let mut buffer = [0 as c_char; pg_sys::MAXPGPATH as usize];
    // SAFETY: my_exec_path is set before any extension loads; the buffer has the size required.
    unsafe {
        pg_sys::get_share_path((&raw const pg_sys::my_exec_path).cast(), buffer.as_mut_ptr());
        CStr::from_ptr(buffer.as_ptr()).to_string_lossy().into_owned()
    }
}

fn library_directory() -> String {
    // SAFETY: pkglib_path is set before any extension loads, and ends with a NUL.
    let path = unsafe { CStr::from_ptr((&raw const pg_sys::pkglib_path).cast()) };
    path.to_string_lossy().into_owned()
}

fn data_directory() -> PathBuf {
    // SAFETY: DataDir is set at start-up to a NUL-terminated path and does not change.
    let path = unsafe { CStr::from_ptr(pg_sys::DataDir) };
    PathBuf::from(path.to_string_lossy().into_owned())
}
