//! The thread of one loaded model: takes batches out of its queue, runs them, delivers.
//!
//! A panic in a run is that run's fault. Nothing is awaited but the queue, and no lock is held meanwhile.

use crate::actor::{Actor, Step, Waiting};
use crate::calibration::{self, Outcome};
use crate::halves;
use crate::job::Job;
use crate::log;
use crate::runs::Runs;
use crate::statistics::Run;
use batching::Batch;
use inference::{Cancel, Outcomes, Output};
use protocol::{Fault, FaultCode, Options};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// Runs what is queued until the actor is told to end.
pub fn run<M: Runs>(actor: &Actor<M>) {
    loop {
        match actor.step() {
            Step::Run(batch, cancel) => run_batch(actor, batch, &cancel),
            Step::Calibrate(cancel) => calibrate(actor, &cancel),
            Step::End => return,
        }
        messages();
    }
}

/// Tells what ONNX Runtime has to say.
pub fn messages() {
    inference::take_messages().into_iter().for_each(log::warning);
}

fn run_batch<M: Runs>(actor: &Actor<M>, batch: Batch<Waiting<M::Row>>, cancel: &Cancel) {
    let Batch { items, padded_tokens, .. } = batch;
    let began = Instant::now();
    let Some(first) = items.first() else { return };
    // Those of the row that is due first; what they differ in was settled when rows were prepared.
    let options = Arc::clone(&first.value.job);
    let rows: Vec<&M::Row> = items.iter().map(|item| &item.value.row).collect();
    let (outcomes, whole) = outcomes(actor, &rows, options.options(), cancel);
    if !whole && actor.made_way() {
        return actor.wait_again(items);
    }
    let took = began.elapsed();
    let waits: Vec<_> = items.iter().map(|item| began - item.value.since).collect();
    let tokens = items.iter().map(|item| item.tokens).sum();
    actor.counters.ran(&Run { waits: &waits, tokens, padded_tokens, took });
    if actor.ran(&items, padded_tokens, whole.then_some(took)) {
        deliver(items.into_iter().map(|item| item.value).zip(outcomes));
    }
}

/// One outcome a row, and whether the run succeeded as a whole.
fn outcomes<M: Runs>(
    actor: &Actor<M>,
    rows: &[&M::Row],
    options: &Options,
    cancel: &Cancel,
) -> (Outcomes, bool) {
    let mut whole = true;
    let mut attempt = |rows: &[&M::Row]| {
        let run = || cancel.check().and_then(|()| actor.model.run(rows, options, cancel));
        let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(panicked()));
        whole &= outcome.is_ok();
        outcome
    };
    let mut failed = |rows: usize, fault: &Fault| {
        actor.counters.bisected();
        let (name, reason) = (actor.model.name(), described(fault));
        log::warning(format_args!(
            "model {name:?}: a run of {rows} rows failed and is tried again in halves: {reason}"
        ));
    };
    let outcomes = halves::run(rows, &mut attempt, &mut failed);
    (outcomes, whole)
}

/// Each job gets all of its rows at once, and so is woken once.
fn deliver<R>(outcomes: impl Iterator<Item = (Waiting<R>, Result<Output, Fault>)>) {
    type Outcome = (usize, Result<Output, Fault>);
    let mut jobs: Vec<(Arc<Job>, Vec<Outcome>)> = Vec::new();
    for (row, outcome) in outcomes {
        let outcome = (row.index, outcome);
        match jobs.iter_mut().find(|(job, _)| job.id() == row.job.id()) {
            Some((_, outcomes)) => outcomes.push(outcome),
            None => jobs.push((row.job, vec![outcome])),
        }
    }
    for (job, outcomes) in jobs {
        job.deliver(outcomes);
    }
}

fn calibrate<M: Runs>(actor: &Actor<M>, cancel: &Cancel) {
    let measure = || calibration::measure(&*actor.model, &actor.options, cancel);
    let outcome = catch_unwind(AssertUnwindSafe(measure)).unwrap_or(Outcome::Nothing);
    actor.calibrated(outcome);
    if let Outcome::Measured(costs) = outcome {
        log::line(format_args!(
            "model {:?}: a run costs {:.3} ms and {:.4} ms a token",
            actor.model.name(),
            costs.fixed * 1e3,
            costs.token * 1e3
        ));
    }
}

/// A fault in one line.
pub fn described(fault: &Fault) -> String {
    match &fault.detail {
        Some(detail) => format!("{}: {detail}", fault.message),
        None => fault.message.clone(),
    }
}

/// What a caught panic means to a caller.
pub fn panicked() -> Fault {
    Fault::new(FaultCode::Internal, "the engine failed at a model")
        .detail("The server's log has the place.")
        .hint("This is a bug; please report it.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, FakeRow, Nature, Stage, result, settings};

    fn counted(actor: &Actor<Fake>) -> protocol::ModelStatistics {
        actor.counters.row("fake".to_owned())
    }

    #[test]
    fn what_piled_up_while_a_run_went_on_runs_together() {
        let stage = Stage::new(settings());
        stage.model().hold_up();
        let first = stage.ask(&[1.0]);
        stage.model().begun(1);
        let others = [stage.ask(&[2.0]), stage.ask(&[3.0])];
        stage.model().let_go();
        assert_eq!(result(&first).unwrap(), [Some(1.0)]);
        assert_eq!(result(&others[1]).unwrap(), [Some(3.0)]);
        assert_eq!(result(&others[0]).unwrap(), [Some(2.0)]);
        assert_eq!(stage.model().runs(), [vec![1.0], vec![2.0, 3.0]]);
        let row = counted(&stage.actor);
        assert_eq!((row.batches, row.largest_batch, row.tokens), (2, 2, 24));
        assert!(row.queue.p99.is_some() && row.run.p50.is_some());
    }

    #[test]
    fn without_batching_each_row_runs_alone() {
        let mut settings = settings();
        settings.batching = false;
        let stage = Stage::new(settings);
        assert_eq!(result(&stage.ask(&[1.0, 2.0])).unwrap(), [Some(1.0), Some(2.0)]);
        assert_eq!(stage.model().runs(), [vec![1.0], vec![2.0]]);
    }

    /// Three jobs in one run, the second one's row spoils it.
    fn spoiled(nature: Nature) {
        let stage = Stage::new(settings());
        stage.model().hold_up();
        let first = stage.ask(&[0.0]);
        stage.model().begun(1);
        let good = stage.ask(&[1.0, 2.0]);
        let bad = stage.ask_rows(vec![FakeRow { number: 3.0, nature }]);
        let also_good = stage.ask(&[4.0]);
        stage.model().let_go();
        assert_eq!(result(&first).unwrap(), [Some(0.0)]);
        assert_eq!(result(&good).unwrap(), [Some(1.0), Some(2.0)]);
        assert_eq!(result(&also_good).unwrap(), [Some(4.0)]);
        assert_eq!(result(&bad).unwrap_err().code, FaultCode::Internal);
        let row = counted(&stage.actor);
        assert_eq!((row.batches, row.bisected), (2, 2));
        assert_eq!(result(&stage.ask(&[5.0])).unwrap(), [Some(5.0)], "it goes on");
    }

    #[test]
    fn poison_fails_its_own_request_only() {
        spoiled(Nature::Poison);
    }

    #[test]
    fn a_panic_fails_its_own_request_only() {
        spoiled(Nature::Panics);
    }

    #[test]
    fn a_job_that_was_dropped_never_runs() {
        let stage = Stage::new(settings());
        stage.model().hold_up();
        let first = stage.ask(&[1.0]);
        stage.model().begun(1);
        let dropped = stage.ask(&[2.0, 3.0]);
        let kept = stage.ask(&[4.0]);
        assert_eq!(stage.actor.snapshot().queued, 3);
        stage.actor.withdraw(&dropped);
        assert_eq!(stage.actor.snapshot().queued, 1);
        stage.model().let_go();
        assert!(result(&first).is_ok() && result(&kept).is_ok());
        assert_eq!(stage.model().runs(), [vec![1.0], vec![4.0]]);
        assert_eq!(stage.model().broken_off(), 0, "the first was wanted still");
    }

    #[test]
    fn a_run_is_broken_off_when_its_last_job_is_dropped() {
        let stage = Stage::new(settings());
        stage.model().hold_up();
        let first = stage.ask(&[1.0]);
        stage.model().begun(1);
        let (one, two) = (stage.ask(&[2.0, 3.0]), stage.ask(&[4.0]));
        stage.actor.withdraw(&first);
        stage.model().begun(2);
        assert_eq!(stage.model().broken_off(), 1);
        stage.actor.withdraw(&one);
        stage.actor.withdraw(&one);
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(stage.model().broken_off(), 1, "the other is wanted still");
        stage.actor.withdraw(&two);
        let last = stage.ask(&[5.0]);
        stage.model().begun(3);
        assert_eq!(stage.model().broken_off(), 2);
        stage.model().let_go();
        assert_eq!(result(&last).unwrap(), [Some(5.0)]);
        assert_eq!(counted(&stage.actor).bisected, 0);
    }

    #[test]
    fn who_is_in_no_hurry_makes_way() {
        let stage = Stage::new(settings());
        stage.model().hold_up();
        let background = stage.ask_some_time(&[1.0, 2.0]);
        stage.model().begun(1);
        let urgent = stage.ask(&[3.0]);
        stage.model().begun(2);
        assert_eq!(stage.model().broken_off(), 1);
        let another = stage.ask(&[4.0]);
        stage.model().let_go();
        assert_eq!(result(&urgent).unwrap(), [Some(3.0)]);
        assert_eq!(result(&background).unwrap(), [Some(1.0), Some(2.0)]);
        assert_eq!(result(&another).unwrap(), [Some(4.0)]);
        assert_eq!(stage.model().broken_off(), 1, "who is in a hurry does not");
        assert_eq!(stage.model().runs(), [vec![3.0], vec![4.0], vec![1.0, 2.0]]);
        assert_eq!(counted(&stage.actor).bisected, 0);
    }

    #[test]
    fn who_is_in_no_hurry_makes_way_again_and_again_and_has_its_turn() {
        let stage = Stage::new(settings());
        let background = stage.ask_slow_some_time(&[0.0, 1.0, 2.0]);
        let mut calls = 0;
        while !background.down_to(0).unwrap() {
            assert_eq!(result(&stage.ask(&[9.0])).unwrap(), [Some(9.0)]);
            // A slow run begins meanwhile, and is far from its end at the next call.
            std::thread::sleep(std::time::Duration::from_millis(2));
            calls += 1;
            assert!(calls < 4 * batching::PATIENCE as usize, "three turns are not had by now");
        }
        assert_eq!(result(&background).unwrap(), [Some(0.0), Some(1.0), Some(2.0)]);
        let broken_off = stage.model().broken_off();
        assert!(broken_off > 20, "{broken_off} runs were broken off for {calls} calls");
    }

    #[test]
    fn what_made_way_and_was_dropped_does_not_run() {
        let stage = Stage::new(settings());
        stage.model().hold_up();
        let background = stage.ask_some_time(&[1.0, 2.0]);
        stage.model().begun(1);
        stage.actor.withdraw(&background);
        let urgent = stage.ask(&[3.0]);
        stage.model().begun(2);
        stage.model().let_go();
        assert_eq!(result(&urgent).unwrap(), [Some(3.0)]);
        assert_eq!(stage.model().runs(), [vec![3.0]]);
    }

    #[test]
    fn a_closed_actor_finishes_and_ends() {
        let mut stage = Stage::new(settings());
        let registration = stage.actor.register().unwrap().unwrap();
        stage.model().hold_up();
        let job = stage.ask(&[1.0]);
        assert!(stage.actor.close(crate::actor::Reason::Requested));
        assert!(!stage.actor.close(crate::actor::Reason::MemoryLimit), "no news");
        assert!(stage.actor.register().unwrap().is_none(), "nobody new");
        let late = stage.ask(&[2.0]);
        stage.model().let_go();
        assert!(result(&job).is_ok() && result(&late).is_ok(), "who was there is served");
        let waker = Arc::new(crate::waker::Waker::new().unwrap());
        assert!(!stage.actor.ended(&waker));
        drop(registration);
        stage.thread.take().unwrap().join().unwrap();
        assert!(stage.actor.ended(&waker) && crate::fake::is_awake(&waker));
        assert_eq!(stage.actor.end(), Some(crate::actor::Reason::Requested));
    }

    #[test]
    fn no_more_requests_wait_than_may() {
        let mut settings = settings();
        settings.max_queue = 2;
        let stage = Stage::new(settings);
        let places: Vec<_> = (0..2).map(|_| stage.actor.register().unwrap()).collect();
        let refused = stage.actor.register().err().unwrap();
        assert_eq!(refused.code, FaultCode::InsufficientResources);
        assert!(refused.hint.is_some());
        drop(places);
        assert!(stage.actor.register().is_ok());
    }
}
