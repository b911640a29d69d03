//! A model that is being loaded, and the requests that wait for it.
//!
//! Each of them polls its own socket meanwhile, so they are woken one by one; the load is nobody's and goes
//! on when all have left, for the next one who asks.

use crate::actor::{Actor, Registration, too_many};
use crate::runs::Runs;
use crate::waker::Waker;
use inference::Cancel;
use protocol::Fault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One load under way.
pub struct Opening<M: Runs> {
    /// Breaks the load off.
    pub cancel: Cancel,
    state: Mutex<State<M>>,
}

struct State<M: Runs> {
    /// Places, and whom to wake.
    line: Vec<(u64, Arc<Waker>)>,
    last: u64,
    /// Once it is over: what each of those in the line takes.
    outcome: Option<Result<Vec<Registration<M>>, Fault>>,
    /// The model is not to stay.
    unload: bool,
}

/// A request's place in the line.
pub struct Place<M: Runs> {
    opening: Arc<Opening<M>>,
    number: u64,
}

impl<M: Runs> Default for Opening<M> {
    fn default() -> Self {
        let state = State { line: Vec::new(), last: 0, outcome: None, unload: false };
        Self { cancel: Cancel::default(), state: Mutex::new(state) }
    }
}

impl<M: Runs> Opening<M> {
    /// Waits in line.
    ///
    /// # Errors
    /// `InsufficientResources` where the line is too long.
    pub fn join(
        self: &Arc<Self>,
        waker: &Arc<Waker>,
        model: &str,
        most: usize,
    ) -> Result<Place<M>, Fault> {
        let mut state = self.state();
        if state.line.len() >= most {
            return Err(too_many(model, most));
        }
        state.last += 1;
        let number = state.last;
        state.line.push((number, Arc::clone(waker)));
        Ok(Place { opening: Arc::clone(self), number })
    }

    /// Whether any request has ever waited for it; a preloaded model has none.
    pub fn was_asked_for(&self) -> bool {
        self.state().last > 0
    }

    /// The model is to go as soon as those who wait have been served.
    pub fn unload(&self) {
        self.state().unload = true;
    }

    /// Whether it is to go.
    pub fn is_to_go(&self) -> bool {
        self.state().unload
    }

    /// The load is over. False, and nothing done, where the actor has ended meanwhile.
    pub fn resolve(&self, outcome: Result<&Arc<Actor<M>>, Fault>) -> bool {
        let mut state = self.state();
        let outcome = match outcome {
            Ok(actor) => match actor.register_waiting(state.line.len()) {
                Some(registrations) => Ok(registrations),
                None => return false,
            },
            Err(fault) => Err(fault),
        };
        state.outcome = Some(outcome);
        state.line.iter().for_each(|(_, waker)| waker.wake());
        true
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Runs> State<M> {
    /// One of those that the line got.
    fn registration(&mut self) -> Option<Registration<M>> {
        self.outcome.as_mut().and_then(|outcome| outcome.as_mut().ok()).and_then(Vec::pop)
    }

    /// Whether the place was still in the line.
    fn leave(&mut self, number: u64) -> bool {
        let before = self.line.len();
        self.line.retain(|(other, _)| *other != number);
        self.line.len() < before
    }
}

impl<M: Runs> Place<M> {
    /// A place at the model, or why there is none; `None` while it is being loaded.
    pub fn take(&self) -> Option<Result<Registration<M>, Fault>> {
        let mut state = self.opening.state();
        if let Err(fault) = state.outcome.as_ref()? {
            return Some(Err(fault.clone()));
        }
        if state.leave(self.number) { state.registration().map(Ok) } else { None }
    }
}

impl<M: Runs> Drop for Place<M> {
    fn drop(&mut self) {
        let mut state = self.opening.state();
        let unused = if state.leave(self.number) { state.registration() } else { None };
        drop(state);
        drop(unused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Stage, is_awake, settings};
    use protocol::FaultCode;

    fn waker() -> Arc<Waker> {
        Arc::new(Waker::new().unwrap())
    }

    #[test]
    fn everybody_in_the_line_gets_a_place_and_leaves_it_again() {
        let (stage, opening) = (Stage::new(settings()), Arc::new(Opening::<Fake>::default()));
        let wakers = [waker(), waker(), waker()];
        let mut line = wakers.iter().map(|waker| opening.join(waker, "m", 3).unwrap());
        let (first, second, third) =
            (line.next().unwrap(), line.next().unwrap(), line.next().unwrap());
        assert!(opening.join(&wakers[0], "m", 3).is_err(), "the line is long enough");
        drop(second);
        assert!(first.take().is_none() && opening.was_asked_for());
        assert!(opening.resolve(Ok(&stage.actor)));
        assert!(is_awake(&wakers[0]) && !is_awake(&wakers[1]) && is_awake(&wakers[2]));
        assert!(
            !stage.actor.snapshot().idle,
            "two places are taken, though nobody has come for them"
        );
        let registration = first.take().unwrap().unwrap();
        assert!(first.take().is_none(), "one each");
        drop(first);
        drop(third);
        assert!(!stage.actor.snapshot().idle);
        drop(registration);
        assert!(stage.actor.snapshot().idle);
    }

    #[test]
    fn a_closed_model_serves_those_who_waited_for_it() {
        let (stage, opening) = (Stage::new(settings()), Arc::new(Opening::<Fake>::default()));
        let own = stage.actor.register().unwrap();
        let place = opening.join(&waker(), "m", 3).unwrap();
        stage.actor.close(crate::actor::Reason::MemoryLimit);
        assert!(opening.resolve(Ok(&stage.actor)) && place.take().is_some_and(|it| it.is_ok()));
        drop(own);
    }

    #[test]
    fn a_model_that_has_ended_serves_nobody() {
        let (mut stage, opening) = (Stage::new(settings()), Arc::new(Opening::<Fake>::default()));
        let place = opening.join(&waker(), "m", 3).unwrap();
        stage.actor.close(crate::actor::Reason::MemoryLimit);
        stage.thread.take().unwrap().join().unwrap();
        assert!(!opening.resolve(Ok(&stage.actor)) && place.take().is_none());
    }

    #[test]
    fn everybody_is_told_why_there_is_no_model() {
        let opening = Arc::new(Opening::<Fake>::default());
        let places = [(); 2].map(|()| opening.join(&waker(), "m", 3).unwrap());
        opening.resolve(Err(Fault::new(FaultCode::ConfigFile, "broken")));
        for place in places {
            assert_eq!(place.take().unwrap().err().unwrap().code, FaultCode::ConfigFile);
        }
    }
}
