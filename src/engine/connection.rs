//! One connection to the engine process. Waits serve Postgres' interrupts, so that a cancel is heard at
//! any moment; an error that is raised then leaves the connection where it says it is.

use super::supervisor::SOCKET;
use crate::postgres::interrupts::{self, Interest};
use crate::postgres::socket;
use protocol::{Fault, Frames, FromEngine, MAX_FRAME, Options, ToEngine, Version};
use std::ffi::CString;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// Why there is no answer.
#[derive(Debug)]
pub enum Loss {
    /// The engine closed the connection, or was closed itself.
    Gone(io::Error),
    /// The deadline has passed.
    Late,
    /// What came is not what the protocol allows, or there is no memory for it.
    Broken(Fault),
    /// The engine does not want this session.
    Refused(Fault),
}

/// A connection that was welcomed.
pub struct Connection {
    stream: UnixStream,
    frames: Frames,
    /// Of the engine.
    pid: u32,
    /// What the engine knows of this session's settings.
    told: Option<Options>,
    /// Whether a frame is on its way, or something else was lost: nothing can follow.
    spoilt: bool,
}

impl Connection {
    /// Connects and is welcomed, or says why not. Waits for the welcome alone.
    pub fn open(deadline: Instant) -> Result<Self, Loss> {
        let path = CString::new(SOCKET).map_err(|error| Loss::Gone(error.into()))?;
        let stream = socket::connect(&path).map_err(Loss::Gone)?;
        let frames = Frames::new(MAX_FRAME);
        let mut connection = Self { stream, frames, pid: 0, told: None, spoilt: false };
        let hello = encode(&ToEngine::Hello(Version::current()))?;
        connection.send(&hello, Some(deadline))?;
        match connection.receive(Some(deadline))? {
            FromEngine::Welcome { pid } => Ok(Self { pid, ..connection }),
            _ => Err(unexpected()),
        }
    }

    /// The engine's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether another question can be asked: looks whether the engine is still there, and takes what it
    /// has said to questions that were dropped.
    pub fn is_alive(&mut self) -> bool {
        loop {
            match self.arrive() {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return false,
            }
        }
        loop {
            match self.frames.next::<FromEngine>() {
                Ok(Some(FromEngine::Answer { .. })) => {}
                Ok(None) => return !self.spoilt,
                Ok(Some(_)) | Err(_) => return false,
            }
        }
    }

    /// Whether the engine can understand what is said next, and no part of a large answer is kept here and there.
    pub fn is_whole(&self) -> bool {
        !self.spoilt && self.frames.is_empty()
    }

    /// Says the settings, where the engine knows others.
    pub fn tell(&mut self, options: &Options, deadline: Option<Instant>) -> Result<(), Loss> {
        if self.told.as_ref() != Some(options) {
            let frame = encode(&ToEngine::Options(options.clone()))?;
            self.send(&frame, deadline)?;
            self.told = Some(options.clone());
        }
        Ok(())
    }

    /// Sends a whole frame.
    pub fn send(&mut self, frame: &[u8], deadline: Option<Instant>) -> Result<(), Loss> {
        let mut rest = frame;
        self.spoilt = true;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(Interest::Write, deadline)?;
                }
                Err(error) => return Err(self.last_words(error)),
            }
        }
        self.spoilt = false;
        Ok(())
    }

    /// Sends a frame only if that can be done at once; without it nothing else can be asked here.
    pub fn send_now(&mut self, frame: &[u8]) {
        self.spoilt |= !matches!(self.stream.write(frame), Ok(count) if count == frame.len());
    }

    /// The next message.
    pub fn receive(&mut self, deadline: Option<Instant>) -> Result<FromEngine, Loss> {
        loop {
            match self.frames.next() {
                Ok(Some(FromEngine::Refused(fault))) => return Err(Loss::Refused(fault)),
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(fault) => return Err(Loss::Broken(fault)),
            }
            if !self.arrive()? {
                self.wait(Interest::Read, deadline)?;
            }
        }
    }

    /// Takes bytes that are there; false where there are none now.
    fn arrive(&mut self) -> Result<bool, Loss> {
        let space = self.frames.space().map_err(Loss::Broken)?;
        match self.stream.read(space) {
            Ok(0) => Err(Loss::Gone(ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                self.frames.filled(count);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(Loss::Gone(error)),
        }
    }

    /// An engine that closes a connection may have said why.
    fn last_words(&mut self, error: io::Error) -> Loss {
        while let Ok(true) = self.arrive() {}
        match self.frames.next() {
            Ok(Some(FromEngine::Refused(fault))) => Loss::Refused(fault),
            _ => Loss::Gone(error),
        }
    }

    fn wait(&self, interest: Interest, deadline: Option<Instant>) -> Result<(), Loss> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Loss::Late);
        }
        interrupts::wait(Some((self.stream.as_fd(), interest)), left);
        interrupts::serve();
        Ok(())
    }
}

/// A message of this session's own.
pub fn encode(message: &ToEngine) -> Result<Vec<u8>, Loss> {
    protocol::encode(message).map_err(Loss::Broken)
}

/// A message that has no place where it came.
pub fn unexpected() -> Loss {
    Loss::Broken(
        Fault::new(protocol::FaultCode::Internal, "the engine said what nobody asked for")
            .detail("The connection is closed.")
            .hint("Repeat the statement; if it happens again, report it."),
    )
}
