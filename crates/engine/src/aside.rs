//! Work that a connection's thread leaves to another one, so that it goes on hearing its session.
//!
//! Preparing rows (tokens, pixels) goes to a few threads: first for those who wait, and never on all of them for
//! those who do not. Whatever reads many files gets a thread of its own, since it may take long and must not hold
//! up the preparing of others.

use crate::log;
use crate::runner::panicked;
use crate::settings::Settings;
use crate::waker::Waker;
use inference::Cancel;
use protocol::{Fault, FaultCode, Urgency};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// A preparing thread that had nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(30);

/// What is in no hurry goes first after so long.
const AGEING: Duration = Duration::from_secs(2);

type Task = Box<dyn FnOnce() + Send>;

/// The preparing threads.
pub struct Preparing {
    settings: Arc<Settings>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// For those who wait.
    interactive: VecDeque<Task>,
    /// For the others, since when.
    background: VecDeque<(Instant, Task)>,
    /// Threads that work for the others.
    behind: usize,
    threads: usize,
    idle: usize,
}

impl State {
    /// What a thread does next, and whether it is for those who do not wait.
    fn next(&mut self, most: usize) -> Option<(Task, bool)> {
        let may = self.behind < most.saturating_sub(1).max(1);
        let aged = self.background.front().is_some_and(|(since, _)| since.elapsed() > AGEING);
        if !(may && aged)
            && let Some(task) = self.interactive.pop_front()
        {
            return Some((task, false));
        }
        let (_, task) = if may { self.background.pop_front()? } else { return None };
        self.behind += 1;
        Some((task, true))
    }
}

/// A result on its way.
pub struct Slot<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    cancel: Cancel,
    waker: Arc<Waker>,
    result: Mutex<Option<Result<T, Fault>>>,
}

impl<T: Send + 'static> Slot<T> {
    /// The slot, and the task that fills it by `work` and then calls the waker.
    fn new(
        waker: &Arc<Waker>,
        work: impl FnOnce(&Cancel) -> Result<T, Fault> + Send + 'static,
    ) -> (Self, Task) {
        let (cancel, waker, result) = (Cancel::default(), Arc::clone(waker), Mutex::new(None));
        let shared = Arc::new(Shared { cancel, waker, result });
        let filled = Arc::clone(&shared);
        let task = move || {
            let work = || filled.cancel.check().and_then(|()| work(&filled.cancel));
            let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()));
            *filled.result() = Some(result);
            filled.waker.wake();
        };
        (Self { shared }, Box::new(task))
    }

    /// The result, once it is there.
    pub fn take(&self) -> Option<Result<T, Fault>> {
        self.shared.result().take()
    }
}

impl<T> Shared<T> {
    fn result(&self) -> MutexGuard<'_, Option<Result<T, Fault>>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Slot<T> {
    /// Nobody wants it any more; where it is done, that does nothing.
    fn drop(&mut self) {
        self.shared.cancel.request();
    }
}

/// Does work on a thread of its own.
///
/// # Errors
/// `InsufficientResources` where there is no thread to be had.
pub fn alone<T: Send + 'static>(
    waker: &Arc<Waker>,
    work: impl FnOnce(&Cancel) -> Result<T, Fault> + Send + 'static,
) -> Result<Slot<T>, Fault> {
    let (slot, task) = Slot::new(waker, work);
    Builder::new().name("aside".to_owned()).spawn(task).map(|_| slot).map_err(no_thread)
}

impl Preparing {
    /// Without threads yet.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Does work on one of the preparing threads.
    ///
    /// # Errors
    /// `InsufficientResources` where there is no thread to be had.
    pub fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        urgency: Urgency,
        waker: &Arc<Waker>,
        work: impl FnOnce(&Cancel) -> Result<T, Fault> + Send + 'static,
    ) -> Result<Slot<T>, Fault> {
        let (slot, task) = Slot::new(waker, work);
        let mut state = self.state();
        let waiting = state.interactive.len() + state.background.len();
        if waiting >= state.idle && state.threads < self.most() {
            let preparing = Arc::clone(self);
            let thread = Builder::new().name("prepare".to_owned());
            match thread.spawn(move || preparing.work()) {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => return Err(no_thread(error)),
                Err(error) => log::warning(format_args!("no further thread to prepare: {error}")),
            }
        }
        match urgency {
            Urgency::Interactive => state.interactive.push_back(task),
            Urgency::Background => state.background.push_back((Instant::now(), task)),
        }
        drop(state);
        self.changed.notify_one();
        Ok(slot)
    }

    fn work(&self) {
        let mut state = self.state();
        while state.threads <= self.most() {
            if let Some((task, behind)) = state.next(self.most()) {
                drop(state);
                task();
                state = self.state();
                state.behind -= usize::from(behind);
                continue;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, IDLE);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.interactive.is_empty() && state.background.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        // Who leaves although there is work was woken for it: somebody else has to be.
        if !(state.interactive.is_empty() && state.background.is_empty()) {
            self.changed.notify_one();
        }
    }

    fn most(&self) -> usize {
        self.settings.current().prepare_threads.max(1)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system gives no thread.
pub fn no_thread(error: std::io::Error) -> Fault {
    Fault::new(FaultCode::InsufficientResources, "the engine cannot start a thread")
        .detail(format!("{error}."))
        .hint("Raise the server's limits on processes and memory, or use fewer sessions.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{is_awake, settings};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    fn wait<T: Send + 'static>(slot: &Slot<T>) -> Result<T, Fault> {
        loop {
            match slot.take() {
                Some(result) => return result,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn preparing(threads: usize) -> Arc<Preparing> {
        let mut settings = settings();
        settings.prepare_threads = threads;
        Arc::new(Preparing::new(Arc::new(Settings::new(settings))))
    }

    #[test]
    fn no_more_threads_work_than_are_set() {
        let waker = Arc::new(Waker::new().unwrap());
        let (preparing, at_once, most) = (preparing(2), Arc::default(), Arc::default());
        let slots: Vec<_> = (0..20)
            .map(|number| {
                let (at_once, most): (Arc<AtomicUsize>, Arc<AtomicUsize>) =
                    (Arc::clone(&at_once), Arc::clone(&most));
                let work = move |_: &Cancel| {
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    Ok(number)
                };
                preparing.submit(Urgency::Interactive, &waker, work).unwrap()
            })
            .collect();
        let results: Vec<_> = slots.iter().map(|slot| wait(slot).unwrap()).collect();
        assert_eq!(results, (0..20).collect::<Vec<_>>());
        assert!(most.load(Ordering::SeqCst) <= 2 && is_awake(&waker));
    }

    #[test]
    fn what_nobody_wants_is_not_begun_and_a_panic_is_a_fault() {
        let waker = Arc::new(Waker::new().unwrap());
        let preparing = preparing(1);
        let (open, gate) = mpsc::channel::<()>();
        let first = preparing
            .submit(Urgency::Interactive, &waker, move |_| Ok(gate.recv().is_ok()))
            .unwrap();
        let (tell, told) = mpsc::channel();
        drop(
            preparing
                .submit(Urgency::Interactive, &waker, move |_| Ok(tell.send(()).is_ok()))
                .unwrap(),
        );
        open.send(()).unwrap();
        assert_eq!(wait(&first), Ok(true));
        let last = preparing.submit(Urgency::Interactive, &waker, |_| -> Result<(), Fault> {
            unreachable!("a test")
        });
        assert_eq!(wait(&last.unwrap()).unwrap_err().code, FaultCode::Internal);
        assert!(told.recv().is_err(), "the second never ran");
    }

    #[test]
    fn those_who_wait_go_first_and_have_a_thread_left() {
        let waker = Arc::new(Waker::new().unwrap());
        let (preparing, order) = (preparing(2), Arc::new(Mutex::new(Vec::new())));
        let mut gates = Vec::new();
        let mut slots = Vec::new();
        for (name, urgency) in [
            ("behind 1", Urgency::Background),
            ("behind 2", Urgency::Background),
            ("waits 1", Urgency::Interactive),
            ("waits 2", Urgency::Interactive),
        ] {
            let (open, gate) = mpsc::channel::<()>();
            let order = Arc::clone(&order);
            let work = move |_: &Cancel| {
                order.lock().unwrap().push(name);
                Ok(gate.recv().is_ok())
            };
            slots.push(preparing.submit(urgency, &waker, work).unwrap());
            gates.push(open);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(*order.lock().unwrap(), ["behind 1", "waits 1"]);
        for number in [2, 3, 0, 1] {
            gates[number].send(()).unwrap();
            assert_eq!(wait(&slots[number]), Ok(true));
        }
        assert_eq!(*order.lock().unwrap(), ["behind 1", "waits 1", "waits 2", "behind 2"]);
    }

    #[test]
    fn work_of_its_own_hears_that_nobody_wants_it() {
        let waker = Arc::new(Waker::new().unwrap());
        let (tell, told) = mpsc::channel();
        let work = move |cancel: &Cancel| -> Result<(), Fault> {
            while cancel.check().is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let _ = tell.send(());
            cancel.check()
        };
        drop(alone(&waker, work).unwrap());
        // Where it had not begun yet, it never does, and the channel is closed.
        let _ = told.recv();
    }
}
