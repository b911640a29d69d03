//! The bytes of one connection: messages in, messages out, and waiting for either, or for the engine.
//!
//! The socket never blocks: all waiting is in `poll`, where the engine's own news are heard too. While an answer
//! is written, what the session sends is read, so that two who both write do not wait for each other.

use crate::waker::Waker;
use protocol::{Fault, Frames, FromEngine, MAX_FRAME, MAX_GREETING, ToEngine, encode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// Messages that may wait here while an answer is written: a drop, settings, a question, and one to spare.
const INBOX: usize = 4;

/// The other end of a connection.
pub struct Peer {
    socket: UnixStream,
    frames: Frames,
    inbox: VecDeque<ToEngine>,
    /// Its own; whoever does something for the connection holds it too.
    pub waker: Arc<Waker>,
}

/// Why a connection is over.
#[derive(Debug)]
pub enum Lost {
    /// The session closed it.
    Ended,
    /// It said nothing in time.
    Silent,
    /// What it sent is no message.
    Garbage(Fault),
    /// The system says so.
    Failed(std::io::Error),
}

impl From<Errno> for Lost {
    fn from(error: Errno) -> Self {
        match error {
            Errno::PIPE | Errno::CONNRESET => Lost::Ended,
            other => Lost::Failed(other.into()),
        }
    }
}

impl Peer {
    /// # Errors
    /// Without a descriptor for the waker.
    pub fn new(socket: UnixStream) -> Result<Self, Lost> {
        socket.set_nonblocking(true).map_err(Lost::Failed)?;
        let waker = Arc::new(Waker::new().map_err(Lost::Failed)?);
        Ok(Self { socket, frames: Frames::new(MAX_GREETING), inbox: VecDeque::new(), waker })
    }

    /// The peer is one of ours: its messages may be long from here on.
    pub fn trust(&mut self) {
        self.frames.set_limit(MAX_FRAME);
    }

    /// The next message that is here already.
    pub fn next(&mut self) -> Result<Option<ToEngine>, Lost> {
        match self.inbox.pop_front() {
            Some(message) => Ok(Some(message)),
            None => self.frames.next().map_err(Lost::Garbage),
        }
    }

    /// The next message, waiting for it; not longer than `timeout`, where there is one.
    pub fn receive(&mut self, timeout: Option<Duration>) -> Result<ToEngine, Lost> {
        loop {
            if let Some(message) = self.next()? {
                return Ok(message);
            }
            let heard = self.wait(PollFlags::IN, timeout)?;
            if heard.readable {
                self.fill()?;
            } else if !heard.woken {
                return Err(Lost::Silent);
            }
        }
    }

    /// Waits until the engine has news; a message that comes first is given back.
    pub fn news(&mut self) -> Result<Option<ToEngine>, Lost> {
        loop {
            if let Some(message) = self.next()? {
                return Ok(Some(message));
            }
            let heard = self.wait(PollFlags::IN, None)?;
            if heard.readable {
                self.fill()?;
            }
            if heard.woken {
                return Ok(None);
            }
        }
    }

    /// Sends one message, however long the session takes to read it.
    pub fn send(&mut self, message: &FromEngine) -> Result<(), Lost> {
        let frame = match (encode(message), message) {
            (Ok(frame), _) => frame,
            // An answer that is too long is a fault of its question, not of the connection.
            (Err(fault), FromEngine::Answer { id, .. }) => {
                let instead = FromEngine::Answer { id: *id, result: Err(fault) };
                encode(&instead).map_err(Lost::Garbage)?
            }
            (Err(fault), _) => return Err(Lost::Garbage(fault)),
        };
        self.write(&frame)
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Lost> {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let hear = self.inbox.len() < INBOX;
                    let flags = if hear { PollFlags::IN } else { PollFlags::empty() };
                    let heard = self.wait(PollFlags::OUT | flags, None)?;
                    if hear && heard.readable {
                        self.fill()?;
                        if let Some(message) = self.frames.next().map_err(Lost::Garbage)? {
                            self.inbox.push_back(message);
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), Lost> {
        let space = self.frames.space().map_err(Lost::Garbage)?;
        match recv(&self.socket, space, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(Lost::Ended),
            Ok((_, count)) => {
                self.frames.filled(count);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for the socket, and for the waker.
    fn wait(&self, flags: PollFlags, timeout: Option<Duration>) -> Result<Heard, Lost> {
        let timeout = timeout.map(Timespec::try_from).transpose().ok().flatten();
        let mut fds = [
            PollFd::new(&self.socket, flags),
            PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(&*self.waker), PollFlags::IN),
        ];
        rustix::io::retry_on_intr(|| poll(&mut fds, timeout.as_ref()))?;
        let found = fds[0].revents();
        let woken = !fds[1].revents().is_empty();
        if woken {
            self.waker.clear();
        }
        // A hang-up or an error is told by reading.
        let readable = found.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        Ok(Heard { readable, woken })
    }
}

struct Heard {
    readable: bool,
    woken: bool,
}
