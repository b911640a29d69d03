//! Loads tokenizers on a thread apart, so that a stop is heard meanwhile.
//!
//! Building a vocabulary of 250,000 pieces takes up to a second and cannot be interrupted. A caller
//! that is stopped leaves the load behind; a process has at most one such, the next caller takes its
//! result or waits for its end, and [`join`] waits for it before the process exits.

use crate::cancel::Cancel;
use crate::directory::Directory;
use crate::family::Model;
use crate::manifest::Manifest;
use crate::text::TextEncoder;
use protocol::{Fault, FaultCode};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How soon a stop is heard, and how late an end may be noticed.
const LISTEN: Duration = Duration::from_millis(2);

static UNDER_WAY: Mutex<Option<Loading>> = Mutex::new(None);

struct Loading {
    /// What is loaded: the fingerprint of its model covers all that decides the result.
    fingerprint: String,
    thread: JoinHandle<Result<TextEncoder, Fault>>,
}

/// The tokenizer of a model.
pub fn text_encoder(model: &Model, cancel: &Cancel) -> Result<TextEncoder, Fault> {
    let Model { directory, manifest, .. } = *model;
    let fingerprint = manifest.fingerprint();
    let mut started = false;
    loop {
        cancel.check()?;
        let mut slot = under_way();
        if let Some(ended) = slot.take_if(|loading| loading.thread.is_finished()) {
            let same = ended.fingerprint == fingerprint;
            let result = ended.thread.join().unwrap_or_else(|_| Err(panicked()));
            // A failure that somebody else left behind may be mended by now.
            if same && (started || result.is_ok()) {
                return result;
            }
        }
        if slot.is_none() {
            *slot = Some(start(&fingerprint, directory.clone(), manifest.clone())?);
            started = true;
        }
        drop(slot);
        thread::sleep(LISTEN);
    }
}

/// Waits for a load that was left behind.
pub fn join() {
    if let Some(loading) = under_way().take() {
        // Its result, or its panic, is nobody's any more.
        let _ = loading.thread.join();
    }
}

fn under_way() -> MutexGuard<'static, Option<Loading>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(fingerprint: &str, directory: Directory, manifest: Manifest) -> Result<Loading, Fault> {
    let thread = thread::Builder::new()
        .name("itembank_load".into())
        .spawn(move || TextEncoder::load(&directory, &manifest))
        .map_err(|error| {
            Fault::new(FaultCode::InsufficientResources, "a thread cannot be started")
                .detail(format!("{error}."))
                .hint("Check the limits on processes and memory of the server's user.")
        })?;
    Ok(Loading { fingerprint: fingerprint.to_owned(), thread })
}

fn panicked() -> Fault {
    Fault::new(FaultCode::Internal, "loading the tokenizer panicked")
        .detail("It ended without a result.")
        .hint("This is a bug; please report it with the model's tokenizer.json.")
}
