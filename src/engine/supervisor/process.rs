//! One run of the engine process, from its start to its end.

use super::lines::{Line, Lines};
use crate::postgres::child::Child;
use crate::postgres::log;
use protocol::{Control, EngineSettings, Fault};
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Where sessions find it, from the server's data directory.
pub const SOCKET: &str = "itembank_embed/engine/socket";
/// Between two pings.
const PING: Duration = Duration::from_secs(2);
/// From the wish that it ends to its being killed.
const GRACE: Duration = Duration::from_secs(5);
/// From the end of its output to its being killed.
const CLOSED: Duration = Duration::from_secs(1);
/// Between two looks for an end that is near.
const SHORT: Duration = Duration::from_millis(5);
/// Bytes of its output that are taken in one turn, so that a flood keeps nobody waiting.
const MOST: usize = 64 * 1024;

/// A process, and what is known of it.
pub struct Engine {
    child: Child,
    lines: Lines,
    /// For its standard input.
    outgoing: Vec<u8>,
    started: Instant,
    ready: bool,
    turned: Instant,
    pinged: Instant,
    /// Since its last sign of life, in turns: when this process was stopped itself, that does not count.
    silence: Duration,
    closed: Option<Instant>,
    /// Why it was asked to end, or killed, and when it is killed.
    ending: Option<(String, Instant)>,
}

/// A run that is over.
pub struct Ended {
    /// How, in a few words without names of files.
    pub how: String,
    /// Whether it was asked to.
    pub in_order: bool,
    /// Whether sessions could ever connect.
    pub was_ready: bool,
    /// How long it lived.
    pub lived: Duration,
}

impl Engine {
    /// Starts it, the settings being the first that it hears.
    pub fn start(
        executable: &Path,
        restarts: u64,
        settings: &EngineSettings,
        now: Instant,
    ) -> Result<Self, String> {
        let settings = encode(&Control::Settings(Box::new(settings.clone())));
        let outgoing = settings.map_err(|fault| fault.message)?;
        let environment = [
            ("PATH", "/usr/bin:/bin"),
            ("LANG", "C.UTF-8"),
            ("HOME", "/"),
            // Threads that share fewer arenas leave less memory unused.
            ("MALLOC_ARENA_MAX", "2"),
            ("ORT_DISABLE_TELEMETRY", "1"),
        ];
        let arguments = ["--socket", SOCKET, "--restarts", &restarts.to_string()];
        let child = Child::start(executable, &arguments, environment)
            .map_err(|error| format!("could not be started: {}", plain(&error)))?;
        let mut engine = Self {
            child,
            lines: Lines::default(),
            outgoing,
            started: now,
            ready: false,
            turned: now,
            pinged: now,
            silence: Duration::ZERO,
            closed: None,
            ending: None,
        };
        engine.speak(); // at once: it waits for them
        Ok(engine)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Whether sessions can connect.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// What to wait for.
    pub fn output(&self) -> Option<BorrowedFd<'_>> {
        self.closed.is_none().then(|| self.child.log())
    }

    /// How long to wait for it, at most.
    pub fn patience(&self, now: Instant, hang: Duration) -> Duration {
        if self.closed.is_some() {
            return SHORT;
        }
        let ping = (self.pinged + interval(hang)).saturating_duration_since(now);
        let kill = self.ending.as_ref().map(|(_, at)| at.saturating_duration_since(now));
        kill.map_or(ping, |kill| kill.min(ping)).max(SHORT)
    }

    /// Asks it to end, for a reason; it is killed where it has not by and by.
    pub fn stop(&mut self, reason: &str, now: Instant) {
        if self.ending.is_none() {
            self.tell(&Control::Stop);
            self.ending = Some((reason.to_owned(), now + GRACE));
        }
    }

    /// Counts its silence from now on: the time that it may be silent has changed.
    pub fn listen_anew(&mut self) {
        self.silence = Duration::ZERO;
    }

    /// Tells it of other settings.
    pub fn set(&mut self, settings: &EngineSettings) {
        self.tell(&Control::Settings(Box::new(settings.clone())));
    }

    /// Does what is to be done now; the end of the process ends it.
    pub fn turn(&mut self, now: Instant, hang: Duration) -> Option<Ended> {
        let elapsed = now.saturating_duration_since(self.turned);
        self.turned = now;
        self.silence += elapsed.min(interval(hang) * 2);
        self.listen(now);
        if let Ok(Some(status)) = self.child.ended() {
            self.listen(now); // what it wrote at the end
            self.lines.end().into_iter().for_each(|line| self.heed(line));
            return Some(self.ended(status, now));
        }
        self.watch(now, hang);
        self.speak();
        None
    }

    /// Kills it where it is due.
    fn watch(&mut self, now: Instant, hang: Duration) {
        if self.silence > hang && self.ending.is_none() {
            let seconds = hang.as_secs_f64();
            let how = format!("gave no sign of life for {seconds} s and was killed");
            self.ending = Some((how, now));
        }
        let due = self.ending.as_ref().is_some_and(|(_, at)| *at <= now);
        if due || self.closed.is_some_and(|at| now.saturating_duration_since(at) > CLOSED) {
            self.child.kill();
        }
        if now.saturating_duration_since(self.pinged) >= interval(hang) {
            self.pinged = now;
            // One that does not read does not get more and more of them.
            if self.outgoing.is_empty() {
                self.tell(&Control::Ping);
            }
        }
    }

    /// Takes what it has written.
    fn listen(&mut self, now: Instant) {
        let mut buffer = [0; 4096];
        let mut taken = 0;
        while taken < MOST && self.closed.is_none() {
            match self.child.read(&mut buffer) {
                Ok(0) => self.closed = Some(now),
                Ok(count) => {
                    taken += count;
                    let lines = self.lines.take(&buffer[..count]);
                    lines.into_iter().for_each(|line| self.heed(line));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.closed = Some(now),
            }
        }
    }

    fn heed(&mut self, line: Line) {
        match line {
            Line::Ready => {
                self.ready = true;
                self.silence = Duration::ZERO;
            }
            Line::Pong => self.silence = Duration::ZERO,
            Line::Log { warning, text } => log::engine(warning, &text),
        }
    }

    fn tell(&mut self, message: &Control) {
        match encode(message) {
            Ok(frame) => self.outgoing.extend_from_slice(&frame),
            Err(fault) => log::engine(true, &fault.message),
        }
        self.speak();
    }

    /// Gives it as much as it takes now; the rest goes another time.
    fn speak(&mut self) {
        while !self.outgoing.is_empty() {
            match self.child.write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Nobody reads: its end will be seen soon.
                Err(_) => self.outgoing.clear(),
            }
        }
    }

    fn ended(&mut self, status: ExitStatus, now: Instant) -> Ended {
        let in_order = self.ending.as_ref().is_some_and(|_| status.success());
        let how = match self.ending.take() {
            Some((reason, _)) => reason,
            None => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exited with code {code}"),
                (None, Some(signal)) => format!("was ended by signal {signal}"),
                (None, None) => "ended".to_owned(),
            },
        };
        let lived = now.saturating_duration_since(self.started);
        Ended { how, in_order, was_ready: self.ready, lived }
    }
}

/// Several pings fit into the time after which a silent engine is taken for dead.
fn interval(hang: Duration) -> Duration {
    PING.min(hang / 4)
}

fn encode(message: &Control) -> Result<Vec<u8>, Fault> {
    protocol::encode(message)
}

/// An error of the system without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
