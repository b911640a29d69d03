//! One question of a session: from the request to the reply, hearing meanwhile whether it is still wanted.
//!
//! Runs on the connection's thread. It computes next to nothing itself: files are read, images decoded and
//! models run by other threads, while this one waits for them and for its session at once.

use crate::actor::{Actor, Load, Registration};
use crate::aside::{self, Slot};
use crate::engine::Engine;
use crate::job::Job;
use crate::models::Seat;
use crate::peer::{Lost, Peer};
use crate::statistics::Counters;
use inference::{Cancel, Model, Output, Window};
use protocol::{
    Embeddings, Fault, FaultCode, Input, Options, Reply, Request, Scores, ToEngine, Urgency,
};
use std::sync::Arc;

/// Texts up to so many bytes are made rows here: that takes less than to wake another thread.
const SMALL: usize = 4096;

/// Why there is no reply.
pub enum Ended {
    /// It cannot be answered.
    Fault(Fault),
    /// The session does not want it any more.
    Dropped,
    /// The session is gone, or has to go.
    Lost(Lost),
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Lost> for Ended {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

/// A question under way.
pub struct Question<'a> {
    /// Shared with all.
    pub engine: &'a Engine,
    /// Who asks.
    pub peer: &'a mut Peer,
    /// Its settings; those that it sends meanwhile are for the next question.
    pub options: &'a mut Option<Arc<Options>>,
    /// Number of the question.
    pub id: u64,
    /// Who may wait for whom.
    pub urgency: Urgency,
}

impl Question<'_> {
    /// Answers it, and counts it under the model's name.
    pub fn answer(&mut self, request: Request) -> Result<Result<Reply, Fault>, Lost> {
        let counters = counted(&request).map(|name| self.counters(name));
        let outcome = self.reply(request, counters.as_deref());
        match (outcome, counters) {
            (Ok(reply), _) => Ok(Ok(reply)),
            (Err(Ended::Fault(fault)), counters) => {
                if let Some(counters) = counters {
                    counters.failed(fault.code);
                }
                Ok(Err(fault))
            }
            (Err(ended), counters) => {
                if let Some(counters) = counters {
                    counters.canceled();
                }
                match ended {
                    Ended::Lost(lost) => Err(lost),
                    _ => Ok(Err(Fault::canceled())),
                }
            }
        }
    }

    fn counters(&self, name: &str) -> Arc<Counters> {
        let options = self.options.as_ref();
        self.engine.statistics.asked_for(name, |name| {
            options.is_some_and(|options| inference::version(name, options).is_some())
        })
    }

    fn reply(&mut self, request: Request, counters: Option<&Counters>) -> Result<Reply, Ended> {
        let options = self.options.clone().ok_or_else(no_options)?;
        let (reply, rows) = match request {
            Request::Embed(_) | Request::Rerank(_) => {
                let found = self.rows(request, &options)?;
                let rows = found.outputs.iter().flatten().count();
                (found.into(), rows)
            }
            Request::Load(name) => (Reply::Changed(self.load(&name, &options)?), 0),
            Request::Unload(name) => (Reply::Changed(self.unload(&name)?), 0),
            Request::Status => (Reply::Status(Box::new(self.engine.status())), 0),
            Request::ResetStatistics => {
                self.engine.models.reset_statistics();
                (Reply::Reset, 0)
            }
            Request::CountTokens(_) | Request::Dimensions(_) | Request::Models => {
                let models = Arc::clone(&self.engine.models);
                let work =
                    move |cancel: &Cancel| models.registry.answer(&request, &options, cancel);
                let slot = aside::alone(&self.peer.waker, work)?;
                (self.wait_for(|| slot.take())??, 0)
            }
        };
        if let Some(counters) = counters {
            counters.answered(rows);
        }
        Ok(reply)
    }

    /// What comes of the rows of a request.
    fn rows(&mut self, request: Request, options: &Arc<Options>) -> Result<Found, Ended> {
        let (kind, model, rows) = match &request {
            Request::Rerank(rerank) => (Kind::Scores, &rerank.model, rerank.candidates.len()),
            Request::Embed(embed) => (Kind::Vectors, &embed.model, embed.inputs.len()),
            _ => return Err(Ended::Fault(no_rows())),
        };
        let registration = self.seat(model, options)?.0;
        let actor = registration.actor();
        let job = Arc::new(Job::new(rows, Arc::clone(options), Arc::clone(&self.peer.waker)));
        let small = is_small(&request);
        let request = Arc::new(request);
        let withdrawn = Withdrawn { actor, job: &job };
        let (mut next, mut tokens_before) = (0, 0);
        loop {
            let window = self.window(actor, &request, next, options, small)?;
            next = window.next;
            let tokens: usize = window.rows.iter().map(|(_, row)| row.tokens).sum();
            // The next window is prepared while the second half of this one runs.
            let enough = if next < rows { window.rows.len() / 2 } else { 0 };
            let (urgency, arrival) = (self.urgency, registration.arrival());
            actor.push(&job, Load { rows: window.rows, urgency, arrival, tokens_before })?;
            tokens_before += tokens;
            self.wait_for(|| job.down_to(enough).map(|down| down.then_some(())).transpose())??;
            if next >= rows {
                break;
            }
        }
        std::mem::forget(withdrawn);
        let fingerprint = actor.model.fingerprint().to_owned();
        Ok(Found { kind, outputs: job.take(), fingerprint })
    }

    /// Rows of the request from number `from` on.
    fn window(
        &mut self,
        actor: &Actor<Model>,
        request: &Arc<Request>,
        from: usize,
        options: &Arc<Options>,
        small: bool,
    ) -> Result<Window, Ended> {
        if small {
            return Ok(actor.model.prepare(request, from, options, &Cancel::default())?);
        }
        let (model, options) = (Arc::clone(&actor.model), Arc::clone(options));
        let request = Arc::clone(request);
        let work = move |cancel: &Cancel| model.prepare(&request, from, &options, cancel);
        let slot: Slot<Window> =
            self.engine.preparing.submit(self.urgency, &self.peer.waker, work)?;
        Ok(self.wait_for(|| slot.take())??)
    }

    /// A place at the model, when it is loaded, and whether that was to be awaited.
    fn seat(
        &mut self,
        model: &str,
        options: &Arc<Options>,
    ) -> Result<(Registration<Model>, bool), Ended> {
        match self.engine.models.seat(model, options, &self.peer.waker)? {
            Seat::Here(registration) => Ok((registration, false)),
            Seat::Loading(place) => Ok((self.wait_for(|| place.take())??, true)),
        }
    }

    fn load(&mut self, name: &str, options: &Arc<Options>) -> Result<bool, Ended> {
        Ok(self.seat(name, options)?.1)
    }

    fn unload(&mut self, name: &str) -> Result<bool, Ended> {
        let (actors, changed) = self.engine.models.unload(name);
        for actor in actors {
            let waker = Arc::clone(&self.peer.waker);
            self.wait_for(|| actor.ended(&waker).then_some(()))?;
        }
        // They are gone from here, too: what they took is free by now.
        inference::give_memory_back();
        Ok(changed)
    }

    /// Waits until `look` finds something; it is looked for again whenever the waker was called.
    fn wait_for<T>(&mut self, look: impl Fn() -> Option<T>) -> Result<T, Ended> {
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            match self.peer.news()? {
                None => {}
                Some(ToEngine::Drop { id }) if id == self.id => return Err(Ended::Dropped),
                Some(ToEngine::Drop { .. }) => {}
                Some(ToEngine::Options(options)) => *self.options = Some(Arc::new(options)),
                Some(ToEngine::Hello(_) | ToEngine::Ask { .. }) => {
                    return Err(Ended::Lost(Lost::Garbage(out_of_turn())));
                }
            }
        }
    }
}

/// What came of the rows of a request.
struct Found {
    kind: Kind,
    outputs: Vec<Option<Output>>,
    fingerprint: String,
}

/// What a request's rows become.
enum Kind {
    Vectors,
    Scores,
}

/// Takes the job back when its question ends before it.
struct Withdrawn<'a> {
    actor: &'a Actor<Model>,
    job: &'a Job,
}

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        self.actor.withdraw(self.job);
    }
}

impl From<Found> for Reply {
    fn from(Found { kind, outputs, fingerprint }: Found) -> Self {
        match kind {
            Kind::Vectors => {
                let vectors = outputs.into_iter().map(|output| match output {
                    Some(Output::Vector(vector)) => Some(vector),
                    _ => None,
                });
                Reply::Embeddings(Embeddings { vectors: vectors.collect(), fingerprint })
            }
            Kind::Scores => {
                let scores = outputs.into_iter().map(|output| match output {
                    Some(Output::Score(score)) => Some(score),
                    _ => None,
                });
                Reply::Scores(Scores { scores: scores.collect(), fingerprint })
            }
        }
    }
}

/// Whether its rows are made at once.
fn is_small(request: &Request) -> bool {
    let bytes = |input: &Input| match (&input.text, input.images.is_empty()) {
        (Some(text), true) => text.len(),
        (None, true) => 0,
        (_, false) => SMALL + 1,
    };
    let mut left = SMALL;
    let mut fits = |input: &Input| match left.checked_sub(bytes(input)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    match request {
        Request::Embed(embed) => embed.inputs.len() <= 64 && embed.inputs.iter().all(&mut fits),
        Request::Rerank(rerank) => {
            rerank.candidates.len() <= 64
                && fits(&rerank.query)
                && rerank.candidates.iter().all(&mut fits)
        }
        _ => false,
    }
}

/// The model under whose name a request is counted.
fn counted(request: &Request) -> Option<&str> {
    match request {
        Request::Embed(embed) => Some(&embed.model),
        Request::Rerank(rerank) => Some(&rerank.model),
        Request::CountTokens(count) => Some(&count.model),
        _ => None,
    }
}

fn no_options() -> Fault {
    Fault::new(FaultCode::Internal, "a question came before the session's settings")
        .detail("The engine cannot know where its models are.")
        .hint("This is a bug; please report it.")
}

fn no_rows() -> Fault {
    Fault::new(FaultCode::Internal, "the request has no rows")
        .detail("Only embedding and reranking have.")
        .hint("This is a bug; please report it.")
}

/// A message that nobody may send then.
pub fn out_of_turn() -> Fault {
    Fault::new(FaultCode::Internal, "a message out of turn")
        .detail("A session greets once, and asks one question at a time.")
        .hint("This is a bug; please report it.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Embed, Rerank, Task};

    fn embed(texts: &[&str]) -> Request {
        let input = |text: &&str| Input { text: Some((*text).to_owned()), images: Vec::new() };
        Request::Embed(Embed {
            model: "m".to_owned(),
            task: Task::Query,
            instruction: None,
            dimensions: None,
            inputs: texts.iter().map(input).collect(),
        })
    }

    #[test]
    fn a_search_is_small_and_a_picture_or_a_long_array_is_not() {
        assert!(is_small(&embed(&["red shoes"])) && is_small(&embed(&[])));
        assert!(!is_small(&embed(&[&"x".repeat(SMALL + 1)])));
        assert!(!is_small(&embed(&[""; 65])));
        assert!(!is_small(&embed(&["x".repeat(SMALL / 2 + 1).as_str(); 2])));
        let picture = Input { text: None, images: vec![vec![0]] };
        let candidates = vec![picture, Input::default()];
        let (model, query) = ("m".to_owned(), Input::default());
        let rerank = Rerank { model, instruction: None, query, candidates };
        assert!(!is_small(&Request::Rerank(rerank)));
    }

    #[test]
    fn outputs_become_the_reply_of_their_kind() {
        let reply =
            |kind, outputs| Reply::from(Found { kind, outputs, fingerprint: "f".to_owned() });
        let vectors = reply(Kind::Vectors, vec![Some(Output::Vector(vec![1.0])), None]);
        let Reply::Embeddings(found) = vectors else { unreachable!("vectors were asked for") };
        assert_eq!(found.vectors, [Some(vec![1.0]), None]);
        let scores = reply(Kind::Scores, vec![None, Some(Output::Score(0.5))]);
        let Reply::Scores(found) = scores else { unreachable!("scores were asked for") };
        assert_eq!(found.scores, [None, Some(0.5)]);
    }
}
