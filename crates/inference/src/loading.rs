//! Loads tokenizers on a thread apart, so that a stop is heard meanwhile, and graphs load beside them.
//!
//! Building a vocabulary of 250,000 pieces takes up to a second and cannot be interrupted. A caller
//! that is stopped leaves the load behind; the next caller for the same model takes its result or waits
//! for its end, any other drops what was left behind, and [`join`] waits for all before the process
//! exits.

use crate::cancel::Cancel;
use crate::directory::Directory;
use crate::family::Spec;
use crate::manifest::Manifest;
use crate::text::TextEncoder;
use protocol::{Fault, FaultCode};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How soon a stop is heard, and how late an end may be noticed.
const LISTEN: Duration = Duration::from_millis(2);

static UNDER_WAY: Mutex<Vec<Loading>> = Mutex::new(Vec::new());

struct Loading {
    /// What is loaded: the fingerprint of its model covers all that decides the result.
    fingerprint: String,
    /// Callers that wait for it.
    awaited: usize,
    thread: JoinHandle<Result<TextEncoder, Fault>>,
}

/// Starts to load the tokenizer of a model, for a call of [`text_encoder`] that follows.
pub fn begin(spec: &Spec) -> Result<(), Fault> {
    let fingerprint = spec.manifest.fingerprint();
    let mut loads = under_way();
    if loads.iter().all(|loading| loading.fingerprint != fingerprint) {
        loads.push(start(&fingerprint, spec.directory.clone(), spec.manifest.clone())?);
    }
    Ok(())
}

/// The tokenizer of a model.
pub fn text_encoder(spec: &Spec, cancel: &Cancel) -> Result<TextEncoder, Fault> {
    let fingerprint = spec.manifest.fingerprint();
    let mut started = false;
    loop {
        cancel.check()?;
        let mut loads = under_way();
        loads.retain(|load| {
            load.fingerprint == fingerprint || load.awaited > 0 || !load.thread.is_finished()
        });
        match loads.iter().position(|load| load.fingerprint == fingerprint) {
            Some(at) if loads[at].thread.is_finished() => {
                let ended = loads.swap_remove(at);
                let result = ended.thread.join().unwrap_or_else(|_| Err(panicked()));
                // A failure that somebody else left behind may be mended by now.
                if started || result.is_ok() {
                    return result;
                }
            }
            Some(_) => {}
            None => {
                loads.push(start(&fingerprint, spec.directory.clone(), spec.manifest.clone())?);
                started = true;
            }
        }
        drop(loads);
        let _awaited = Awaited::of(&fingerprint);
        thread::sleep(LISTEN);
    }
}

/// Counts a caller that waits, so that nobody drops what it waits for.
struct Awaited<'a>(&'a str);

impl<'a> Awaited<'a> {
    fn of(fingerprint: &'a str) -> Self {
        Self::add(fingerprint, 1);
        Self(fingerprint)
    }

    fn add(fingerprint: &str, callers: isize) {
        for load in under_way().iter_mut().filter(|load| load.fingerprint == fingerprint) {
            load.awaited = load.awaited.saturating_add_signed(callers);
        }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        Self::add(self.0, -1);
    }
}

/// Waits for the loads that were left behind.
pub fn join() {
    let loads = std::mem::take(&mut *under_way());
    for loading in loads {
        // Its result, or its panic, is nobody's any more.
        let _ = loading.thread.join();
    }
}

fn under_way() -> MutexGuard<'static, Vec<Loading>> {
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
    Ok(Loading { fingerprint: fingerprint.to_owned(), awaited: 0, thread })
}

fn panicked() -> Fault {
    Fault::new(FaultCode::Internal, "loading the tokenizer panicked")
        .detail("It ended without a result.")
        .hint("This is a bug; please report it with the model's tokenizer.json.")
}
