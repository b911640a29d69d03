//! A request under way: how many of its rows are still to come, and what came of the others.
//!
//! Its connection's thread makes it, waits for it and takes the result; the runner only delivers.

use crate::waker::Waker;
use inference::Output;
use protocol::{Fault, Options};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by its connection's thread and the runner.
pub struct Job {
    id: u64,
    options: Arc<Options>,
    waker: Arc<Waker>,
    progress: Mutex<Progress>,
}

struct Progress {
    /// One a row of the request; `None` also where there is nothing to come.
    outputs: Vec<Option<Output>>,
    /// Rows that are queued or run.
    outstanding: usize,
    /// Who waits is woken at so many.
    wake_at: usize,
    fault: Option<Fault>,
}

impl Job {
    /// Of so many rows, none of them outstanding yet.
    pub fn new(rows: usize, options: Arc<Options>, waker: Arc<Waker>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let (outputs, outstanding, wake_at) = (vec![None; rows], 0, 0);
        Self {
            id: LAST.fetch_add(1, Ordering::Relaxed),
            options,
            waker,
            progress: Mutex::new(Progress { outputs, outstanding, wake_at, fault: None }),
        }
    }

    /// No other job of this process has it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Of the session.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// So many rows more are outstanding.
    pub fn expect(&self, rows: usize) {
        self.progress().outstanding += rows;
    }

    /// The outcomes of some rows. The first fault is the request's.
    pub fn deliver(&self, outcomes: impl IntoIterator<Item = (usize, Result<Output, Fault>)>) {
        let mut progress = self.progress();
        for (row, outcome) in outcomes {
            progress.outstanding = progress.outstanding.saturating_sub(1);
            match outcome {
                Ok(output) => {
                    if let Some(slot) = progress.outputs.get_mut(row) {
                        *slot = Some(output);
                    }
                }
                Err(fault) => {
                    progress.fault.get_or_insert(fault);
                }
            }
        }
        let awaited = progress.fault.is_some() || progress.outstanding <= progress.wake_at;
        drop(progress);
        if awaited {
            self.waker.wake();
        }
    }

    /// Whether no more than `rows` are outstanding; where more are, the waker is called when it comes to that.
    ///
    /// # Errors
    /// The request's fault, as soon as it has one.
    pub fn down_to(&self, rows: usize) -> Result<bool, Fault> {
        let mut progress = self.progress();
        if let Some(fault) = &progress.fault {
            return Err(fault.clone());
        }
        progress.wake_at = rows;
        Ok(progress.outstanding <= rows)
    }

    /// What came of the rows, in their order; once.
    pub fn take(&self) -> Vec<Option<Output>> {
        std::mem::take(&mut self.progress().outputs)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{is_awake, options};
    use protocol::FaultCode;

    fn job(rows: usize) -> (Job, Arc<Waker>) {
        let waker = Arc::new(Waker::new().unwrap());
        (Job::new(rows, Arc::new(options()), Arc::clone(&waker)), waker)
    }

    #[test]
    fn rows_come_in_any_order_and_null_rows_stay_empty() {
        let (job, waker) = job(4);
        job.expect(3);
        assert_eq!(job.down_to(1), Ok(false));
        job.deliver([(3, Ok(Output::Score(3.0)))]);
        assert!(!is_awake(&waker), "two are outstanding still");
        job.deliver([(0, Ok(Output::Score(0.0)))]);
        assert!(is_awake(&waker));
        assert_eq!(job.down_to(1), Ok(true));
        assert_eq!(job.down_to(0), Ok(false));
        job.deliver([(1, Ok(Output::Score(1.0)))]);
        assert_eq!(job.down_to(0), Ok(true));
        let scores = [Some(0.0), Some(1.0), None, Some(3.0)];
        assert_eq!(job.take(), scores.map(|score| score.map(Output::Score)));
    }

    #[test]
    fn the_first_fault_is_told_at_once() {
        let (job, waker) = job(3);
        job.expect(3);
        assert_eq!(job.down_to(0), Ok(false));
        let first = Fault::new(FaultCode::InvalidBinary, "first");
        job.deliver([(1, Err(first.clone()))]);
        assert!(is_awake(&waker));
        job.deliver([(2, Err(Fault::new(FaultCode::Internal, "second")))]);
        assert_eq!(job.down_to(0), Err(first));
    }

    #[test]
    fn no_two_jobs_are_taken_for_each_other() {
        assert_ne!(job(0).0.id(), job(0).0.id());
    }
}
