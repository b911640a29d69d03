//! The engine process as a session sees it: one connection that is kept, one question at a time.
//!
//! A question that nobody waits for any more, whatever the reason, is dropped at the engine too. An
//! engine that was started again since the last call is not noticed; a call that is under way while it
//! ends is an error that says to repeat it.

use super::connection::{Connection, Loss, encode, unexpected};
use crate::postgres::shared::{self, Phase, Supervision};
use crate::postgres::{interrupts, settings};
use protocol::{Fault, FaultCode, FromEngine, Options, Reply, Request, ToEngine, Urgency};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// Rows to embed for which somebody can be thought to wait.
const INTERACTIVE_ROWS: usize = 32;
/// Candidates of one query; hits of a search are reranked for somebody who waits, tables of pairs are not.
const INTERACTIVE_CANDIDATES: usize = 200;
/// Between two looks whether the engine is there.
const LOOK: Duration = Duration::from_millis(5);
/// Starts in a row that came to nothing, after which nobody waits for the next one.
const HOPELESS: u32 = 3;

thread_local! {
    /// Of the main thread; the only one that comes here. Taken out while it is in use.
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
    /// The number of the last question, over all connections.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// Answers a request by the engine process; waits for it to come up, as long as the settings allow.
///
/// Where `urgency` is not given, the number of rows decides.
pub fn ask(request: Request, options: &Options, urgency: Option<Urgency>) -> Result<Reply, Fault> {
    let urgency = urgency.unwrap_or_else(|| urgency_of(&request));
    let question = Question::new(request, urgency, None)?;
    let start = Instant::now() + settings::start_timeout();
    let connection = kept().map_or_else(|| connect(start), Ok)?;
    let process = connection.pid();
    question.ask(connection, options).map_err(|loss| lost(loss, process))?
}

/// Asks for what should be known at once; `None` where the engine does not answer in time, or not in a way that
/// can be understood.
pub fn ask_within(
    time: Duration,
    request: Request,
    options: &Options,
) -> Result<Option<Reply>, Fault> {
    let deadline = Instant::now() + time;
    let urgency = urgency_of(&request);
    let question = Question::new(request, urgency, Some(deadline))?;
    let Some(connection) = kept().or_else(|| Connection::open(deadline).ok()) else {
        return Ok(None);
    };
    question.ask(connection, options).map_or(Ok(None), |answer| answer.map(Some))
}

/// A request with a number, as the engine takes it.
struct Question {
    id: u64,
    frame: Vec<u8>,
    deadline: Option<Instant>,
}

/// A question on its way. Dropped before its answer is there, by an error raised in between, it tells the
/// engine so; a session that ends says so by its end.
struct Asking {
    connection: Option<Connection>,
    id: u64,
}

impl Question {
    fn new(request: Request, urgency: Urgency, deadline: Option<Instant>) -> Result<Self, Fault> {
        let id = LAST.get() + 1;
        LAST.set(id);
        let frame = protocol::encode(&ToEngine::Ask { id, urgency, request })?;
        Ok(Self { id, frame, deadline })
    }

    /// The engine's answer, or why there is none.
    fn ask(self, connection: Connection, options: &Options) -> Result<Result<Reply, Fault>, Loss> {
        let mut asking = Asking { connection: Some(connection), id: self.id };
        match asking.answer(&self, options) {
            Ok(answer) => {
                keep(asking.connection.take());
                Ok(answer)
            }
            // The question is dropped, the connection is as good as before.
            Err(Loss::Late) => Err(Loss::Late),
            Err(loss) => {
                asking.connection = None;
                Err(loss)
            }
        }
    }
}

impl Asking {
    fn answer(
        &mut self,
        question: &Question,
        options: &Options,
    ) -> Result<Result<Reply, Fault>, Loss> {
        let Some(connection) = &mut self.connection else { return Err(unexpected()) };
        connection.tell(options, question.deadline)?;
        connection.send(&question.frame, question.deadline)?;
        loop {
            match connection.receive(question.deadline)? {
                FromEngine::Answer { id, result } if id == question.id => return Ok(result),
                // To a question that was dropped.
                FromEngine::Answer { id, .. } if id < question.id => {}
                _ => return Err(unexpected()),
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.is_whole()
            && let Ok(frame) = encode(&ToEngine::Drop { id: self.id })
        {
            connection.send_now(&frame);
            keep(Some(connection));
        }
    }
}

/// The connection of the call before, where it is still good.
fn kept() -> Option<Connection> {
    let mut connection = CONNECTION.with_borrow_mut(Option::take)?;
    connection.is_alive().then_some(connection)
}

fn keep(connection: Option<Connection>) {
    let connection = connection.filter(Connection::is_whole);
    CONNECTION.with_borrow_mut(|slot| *slot = connection);
}

/// Connects, again and again until it is welcomed.
fn connect(deadline: Instant) -> Result<Connection, Fault> {
    loop {
        let loss = match Connection::open(deadline) {
            Ok(connection) => return Ok(connection),
            Err(Loss::Refused(fault) | Loss::Broken(fault)) => return Err(fault),
            Err(loss) => loss,
        };
        let engine = shared::read().unwrap_or_default();
        let hopeless = engine.phase == Phase::BackingOff && engine.failures >= HOPELESS;
        if hopeless || Instant::now() >= deadline {
            return Err(no_engine(&engine, &loss));
        }
        interrupts::wait(None, Some(LOOK));
        interrupts::serve();
    }
}

fn urgency_of(request: &Request) -> Urgency {
    let is_short = match request {
        Request::Embed(embed) => embed.inputs.len() <= INTERACTIVE_ROWS,
        Request::Rerank(rerank) => rerank.candidates.len() <= INTERACTIVE_CANDIDATES,
        _ => true,
    };
    if is_short { Urgency::Interactive } else { Urgency::Background }
}

fn lost(loss: Loss, process: u32) -> Fault {
    match loss {
        Loss::Refused(fault) | Loss::Broken(fault) => fault,
        Loss::Gone(_) | Loss::Late => {
            Fault::new(FaultCode::ConnectionFailure, "the engine went away during the call")
                .detail(format!("Its process {process} closed the connection before it had answered."))
                .hint("Repeat the statement: the engine is started again by itself. The server's log says why it ended.")
        }
    }
}

fn no_engine(engine: &Supervision, loss: &Loss) -> Fault {
    let ended = match engine.ended.as_str() {
        "" => String::new(),
        how => format!(" Last time it {how}."),
    };
    let (detail, hint) = match (engine.phase, loss) {
        (Phase::Stopped, _) => (
            "The background worker that starts it does not run.".to_owned(),
            "See the server's log; max_worker_processes may be too small for it.",
        ),
        (Phase::BackingOff, _) => (
            "It has ended and will be started again.".to_owned(),
            "See the server's log. Repeat the statement later, or set itembank_embed.engine to 'backend'.",
        ),
        (Phase::Starting, _) => (
            "It is starting, and not ready yet.".to_owned(),
            "Repeat the statement later, or raise itembank_embed.engine_start_timeout.",
        ),
        (Phase::Running, Loss::Gone(error)) => (
            format!("It runs, but it cannot be reached: {error}."),
            "Repeat the statement later. The server's log may say more.",
        ),
        (Phase::Running, _) => (
            "It runs, but it does not answer.".to_owned(),
            "Repeat the statement later: an engine that gives no sign of life is started again.",
        ),
    };
    Fault::new(FaultCode::NotInPrerequisiteState, "the engine is not running")
        .detail(format!("{detail}{ended}"))
        .hint(hint)
}
