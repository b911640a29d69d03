//! The runner's side of an actor: what to do next, and what came of it.

use super::{Actor, Reason, UnderWay, Waiting, Way, gone};
use crate::calibration::Outcome;
use crate::runs::Runs;
use batching::{Batch, Item, Queue, Rules};
use inference::Cancel;
use protocol::Fault;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// So long nobody came before the model is taken for idle.
const QUIET: Duration = Duration::from_millis(100);

/// What the runner does next.
pub enum Step<R> {
    /// Run these.
    Run(Batch<Waiting<R>>, Arc<Cancel>),
    /// Nobody waits: measure what a run costs.
    Calibrate(Arc<Cancel>),
    /// Nobody uses the model any more, and nobody will.
    End,
}

impl<M: Runs> Actor<M> {
    /// Waits for the next thing to do.
    pub fn step(&self) -> Step<M::Row> {
        let mut state = self.state();
        loop {
            if state.stopping || (state.closing.is_some() && state.clock.requests() == 0) {
                // From here on nobody gets a place.
                state.ended = true;
                return Step::End;
            }
            let settings = self.settings.current();
            let costs = state.calibration.costs(settings.fixed_cost_tokens);
            let one_by_one = !settings.batching || self.model.one_by_one();
            if let Some(batch) = state.queue.next(&Rules { costs, one_by_one }) {
                let cancel = Arc::new(Cancel::default());
                state.running = Some(UnderWay::of(&batch, &cancel));
                return Step::Run(batch, cancel);
            }
            if state.clock.requests() > 0 || !state.calibration.is_due() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let quiet = state.used.elapsed();
            if quiet >= QUIET {
                let cancel = Arc::new(Cancel::default());
                state.probing = Some(Arc::clone(&cancel));
                return Step::Calibrate(cancel);
            }
            let waited = self.changed.wait_timeout(state, QUIET - quiet);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the run was broken off for somebody who is in a hurry.
    pub fn made_way(&self) -> bool {
        self.state().running.as_ref().is_some_and(|running| running.way == Way::Made)
    }

    /// Rows of a run that was broken off wait again, but for those that nobody wants any more.
    pub fn wait_again(&self, items: Vec<Item<Waiting<M::Row>>>) {
        let mut state = self.state();
        let wanted_by = state.running.take().map(|running| running.wanted_by).unwrap_or_default();
        state.queue.put_back(items.into_iter().filter(|item| wanted_by.contains(&item.job)));
    }

    /// The run is over. Whether its outcomes are to be delivered.
    pub fn ran(
        &self,
        items: &[Item<Waiting<M::Row>>],
        padded_tokens: usize,
        took: Option<Duration>,
    ) -> bool {
        let fixed = self.settings.current().fixed_cost_tokens;
        let mut state = self.state();
        state.running = None;
        let costs = state.calibration.costs(fixed);
        for item in items {
            state.clock.serve(item.urgency, item.tokens, &costs);
        }
        let costs = took.and_then(|took| state.calibration.observe(padded_tokens, took));
        let wanted = !state.stopping;
        drop(state);
        if let Some(costs) = costs {
            self.counters.measured(costs);
        }
        wanted
    }

    /// The measuring is over.
    pub fn calibrated(&self, outcome: Outcome) {
        let mut state = self.state();
        state.probing = None;
        let costs = state.calibration.tried(outcome);
        drop(state);
        if let Some(costs) = costs {
            self.counters.measured(costs);
        }
    }

    /// The model's thread is about to go: rows that are still here fail. Why it was closed.
    pub fn end(&self) -> Option<Reason> {
        let mut state = self.state();
        state.ended = true;
        let left = std::mem::replace(&mut state.queue, Queue::new());
        let (stopping, reason) = (state.stopping, state.closing);
        drop(state);
        if !stopping {
            fail(left, &gone(self.model.name()));
        }
        reason
    }

    /// Wakes those who wait for the end, after [`Actor::end`].
    pub fn tell(&self) {
        let mut state = self.state();
        state.told = true;
        let watchers = std::mem::take(&mut state.watchers);
        drop(state);
        watchers.iter().for_each(|watcher| watcher.wake());
    }
}

/// Rows that nobody will run.
fn fail<R>(mut queue: Queue<Waiting<R>>, fault: &Fault) {
    let rules = Rules { costs: batching::Costs::default(), one_by_one: true };
    while let Some(batch) = queue.next(&rules) {
        for item in batch.items {
            item.value.job.deliver([(item.value.index, Err(fault.clone()))]);
        }
    }
}

impl UnderWay {
    fn of<R>(batch: &Batch<Waiting<R>>, cancel: &Arc<Cancel>) -> Self {
        let mut wanted_by: Vec<u64> = batch.items.iter().map(|item| item.job).collect();
        wanted_by.sort_unstable();
        wanted_by.dedup();
        let way = if batch.yields { Way::CanBeMade } else { Way::Stays };
        Self { wanted_by, cancel: Arc::clone(cancel), way }
    }
}
