//! A helper thread that works while the backend's main thread stays answerable.
//!
//! The thread is started with all signals blocked, so Postgres' handlers only ever run on the main
//! thread, and threads that ONNX Runtime starts from it inherit the mask. The main thread waits on its
//! latch: a cancel, timeout or termination stops the job, waits for its end, and is then served as
//! Postgres would. The job must never call Postgres.

use crate::postgres::interrupts::{self, Interest};
use crate::postgres::signals::SignalsBlocked;
use inference::Cancel;
use pgrx::pg_sys;
use pgrx::prelude::*;
use protocol::{Fault, FaultCode};
use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

struct Worker {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
    /// Readable when a job has ended.
    done: Arc<OwnedFd>,
    /// Stops the job under way.
    cancel: Option<Arc<Cancel>>,
}

thread_local! {
    /// Of the main thread; the only one that comes here.
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Runs `job` on the helper thread and waits for its result.
///
/// A cancel, a timeout or a termination of the session ends the job and raises Postgres' own error;
/// a panic inside the job becomes a fault.
pub fn run<T: Send + 'static>(
    job: impl FnOnce(&Cancel) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let cancel = Arc::new(Cancel::default());
    let (reply, result) = mpsc::sync_channel(1);
    let for_job = Arc::clone(&cancel);
    let job: Job = Box::new(move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| job(&for_job)));
        // The receiver lives until the job's end; nobody is there to hear of a failure.
        let _ = reply.send(outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))));
    });
    let done = submit(job, &cancel)?;
    let running = Running { result, done, cancel };
    running.wait()
}

/// A job under way. Dropped early, by an error raised in between, it stops the job and waits.
struct Running<T> {
    result: Receiver<Result<T, Fault>>,
    done: Arc<OwnedFd>,
    cancel: Arc<Cancel>,
}

impl<T> Running<T> {
    fn wait(self) -> Result<T, Fault> {
        loop {
            match self.result.try_recv() {
                Ok(result) => return result,
                Err(TryRecvError::Disconnected) => return Err(thread_lost()),
                Err(TryRecvError::Empty) => {}
            }
            interrupts::wait(Some((self.done.as_fd(), Interest::Read)), None);
            drain(&self.done);
            if interrupts::stop_requested() {
                self.cancel.request();
                // Bounded by one operator of the model; only then may this thread leave.
                let _ = self.result.recv();
                interrupts::serve();
                return Err(Fault::canceled());
            }
            interrupts::serve();
        }
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.cancel.request();
        // An error where the job has ended and its result was taken: nothing is left to wait for.
        let _ = self.result.recv();
    }
}

fn submit(job: Job, cancel: &Arc<Cancel>) -> Result<Arc<OwnedFd>, Fault> {
    WORKER.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|worker| worker.thread.is_finished()) {
            *slot = Some(start().map_err(no_thread)?);
        }
        let worker = slot.as_mut().ok_or_else(thread_lost)?;
        worker.cancel = Some(Arc::clone(cancel));
        worker.jobs.send(job).map_err(|_| thread_lost())?;
        Ok(Arc::clone(&worker.done))
    })
}

fn start() -> std::io::Result<Worker> {
    let done = Arc::new(event_descriptor()?);
    let (jobs, queue) = mpsc::channel::<Job>();
    let signal = Arc::clone(&done);
    without_telemetry();
    let _blocked = SignalsBlocked::new();
    let thread = std::thread::Builder::new().name("itembank_embed".into()).spawn(move || {
        for job in queue {
            job();
            notify(&signal);
        }
    })?;
    // SAFETY: the callback is guarded; it is registered once for each thread that is started.
    unsafe { pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::null()) };
    Ok(Worker { jobs, thread, done, cancel: None })
}

/// ONNX Runtime 1.32 starts to collect usage data when its library is opened, whatever it is told
/// later; a database must not even prepare to send any.
fn without_telemetry() {
    // SAFETY: no thread of ours exists yet, and Postgres' backends have none.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

/// The process must not exit while a model runs: its threads would use what exit tears down.
#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: i32, _arg: pg_sys::Datum) {
    let worker = WORKER.try_with(|slot| slot.try_borrow_mut().ok().and_then(|mut s| s.take()));
    let Some(Worker { jobs, thread, cancel, .. }) = worker.ok().flatten() else { return };
    if let Some(cancel) = cancel {
        cancel.request();
    }
    drop(jobs);
    let _ = thread.join();
    inference::join_loading();
}

fn event_descriptor() -> std::io::Result<OwnedFd> {
    // SAFETY: a plain system call; its result is checked before it is owned.
    unsafe {
        match libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) {
            -1 => Err(std::io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

fn notify(done: &OwnedFd) {
    // SAFETY: writes eight bytes of a live value; the counter cannot overflow.
    unsafe { libc::write(done.as_raw_fd(), (&raw const ONE).cast(), size_of::<u64>()) };
}

static ONE: u64 = 1;

fn drain(done: &OwnedFd) {
    let mut count = 0u64;
    // SAFETY: reads at most eight bytes into a live value; an empty counter returns at once.
    unsafe { libc::read(done.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Fault::new(FaultCode::Internal, "inference panicked")
        .detail(format!("{}.", said.unwrap_or("No message")))
        .hint("This is a bug; please report it with the input.")
}

fn no_thread(error: std::io::Error) -> Fault {
    Fault::new(FaultCode::InsufficientResources, "the inference thread cannot be started")
        .detail(format!("{error}."))
        .hint("Check the limits on processes and memory of the server's user.")
}

fn thread_lost() -> Fault {
    Fault::new(FaultCode::Internal, "the inference thread has ended")
        .detail("It ended without an answer.")
        .hint("Repeat the call; if it happens again, reconnect and report it.")
}
