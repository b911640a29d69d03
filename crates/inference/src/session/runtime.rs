//! Loading the ONNX Runtime shared library and its one environment.
//!
//! A process loads the library once. The library is opened here first, because ort's own error hides the
//! loader's reason and any ort call before a successful load panics.
//!
//! Call it with all signals blocked: creating the environment may start threads, which inherit the mask.

use ort::environment::Environment;
use ort::logging::LogLevel;
use protocol::{Fault, FaultCode};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Lowest minor version of ONNX Runtime that ort's `api-24` feature accepts.
const MIN_MINOR: u32 = 24;
/// Messages kept until somebody takes them; more are dropped, oldest kept.
const MAX_MESSAGES: usize = 32;

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The loaded library.
#[derive(Clone)]
pub struct Runtime {
    /// The setting that it was loaded from.
    library: PathBuf,
    /// Shared by all sessions.
    pub environment: Environment,
}

impl Runtime {
    /// Loads the library at `path` at the first call; a failed load may be tried again.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        let mut slot = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = slot.as_ref() {
            if runtime.library == path {
                return Ok(runtime.clone());
            }
            return Err(unusable("another ONNX Runtime is already loaded")
                .detail("A process can hold one; itembank_embed.onnxruntime_path was changed.")
                .hint("Reconnect to use the new library."));
        }
        // Held until ort has opened the same file, so that it cannot change in between.
        let _held = open(path)?;
        let builder = ort::init_from(path).map_err(|error| wrong_version(path, &error))?;
        let environment = builder
            .with_name("itembank_embed")
            .with_telemetry(false)
            .with_logger(Arc::new(keep_message))
            .build()
            .map_err(|error| unusable("ONNX Runtime does not start").detail(format!("{error}.")))?;
        environment.set_log_level(LogLevel::Warning);
        let runtime = Runtime { library: path.to_owned(), environment };
        *slot = Some(runtime.clone());
        Ok(runtime)
    }

    /// Whether this build of the library can use CUDA, else why not.
    pub fn cuda(&self) -> Result<(), String> {
        const PROVIDER: &str = "libonnxruntime_providers_cuda.so";
        let library = self.library.canonicalize().unwrap_or_else(|_| self.library.clone());
        let beside = library.with_file_name(PROVIDER);
        // A bare name is the system loader's business; only a real place can be looked at.
        if library.is_absolute() && !beside.exists() {
            return Err(format!("{PROVIDER} is missing beside {}", file_name(&library)));
        }
        Ok(())
    }
}

/// Warnings and errors that ONNX Runtime has logged since the last call.
pub fn take_messages() -> Vec<String> {
    std::mem::take(&mut *MESSAGES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Gives the system back what the allocator keeps for later; for after a model was let go.
#[expect(unsafe_code, reason = "the C library's own call")]
pub fn give_memory_back() {
    // SAFETY: may be called at any time, from any thread.
    unsafe { libc::malloc_trim(0) };
}

fn keep_message(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    if !matches!(level, LogLevel::Warning | LogLevel::Error | LogLevel::Fatal) {
        return;
    }
    let mut messages = MESSAGES.lock().unwrap_or_else(PoisonError::into_inner);
    if messages.len() < MAX_MESSAGES {
        messages.push(format!("{message} ({location})"));
    }
}

#[expect(unsafe_code, reason = "opening a library runs its initialisers")]
fn open(path: &Path) -> Result<libloading::Library, Fault> {
    // SAFETY: the path is the superuser's setting and names ONNX Runtime, whose initialisers only
    // set up its own globals.
    unsafe { libloading::Library::new(path) }.map_err(|error| {
        let shown = path.display().to_string();
        let reason = error.to_string().replace(&shown, &file_name(path));
        unusable("the ONNX Runtime library cannot be loaded")
            .detail(format!("The system's loader says: {reason}."))
    })
}

fn wrong_version(path: &Path, error: &impl std::fmt::Display) -> Fault {
    let shown = path.display().to_string();
    unusable("the ONNX Runtime library cannot be used")
        .detail(format!("{}.", error.to_string().replace(&shown, &file_name(path))))
        .hint(format!(
            "Set itembank_embed.onnxruntime_path to libonnxruntime of version 1.{MIN_MINOR} or later."
        ))
}

fn unusable(message: &str) -> Fault {
    Fault::new(FaultCode::NotInPrerequisiteState, message).hint(
        "Set itembank_embed.onnxruntime_path to the file libonnxruntime.so of version 1.24 or \
         later; make setup fetches one.",
    )
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_a_library_cannot_be_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("libtext.so");
        std::fs::write(&text, "not a library").unwrap();
        for path in [text, dir.path().join("libnone.so")] {
            let fault = Runtime::load(&path).err().unwrap();
            assert_eq!(fault.code, FaultCode::NotInPrerequisiteState);
            let detail = fault.detail.unwrap();
            assert!(detail.contains(&file_name(&path)), "{detail}");
            assert!(!detail.contains(dir.path().to_str().unwrap()), "no path in {detail}");
        }
    }
}
