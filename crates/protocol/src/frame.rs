//! Frames out of a stream: in pieces as a socket gives them, or one after the other from a pipe.
//!
//! Memory grows with the bytes that arrived, never with a length that was only announced, and goes back
//! when a large frame was taken. Waiting is the caller's.

use crate::codec::{PREFIX, decode, length, reserve};
use crate::{Fault, FaultCode};
use serde::de::DeserializeOwned;
use std::io::{self, Read};

/// Bytes that are asked for at once at least, and memory that is kept between frames at most.
const CHUNK: usize = 16 << 10;

/// Bytes of a stream, until they are whole messages.
///
/// Read into [`Frames::space`], say how much it was by [`Frames::filled`], and take all that [`Frames::next`]
/// gives before reading on.
#[derive(Debug)]
pub struct Frames {
    /// All of it initialised; `start..end` has arrived and is not taken yet.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
}

impl Frames {
    /// For messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, end: 0, limit }
    }

    /// Another limit, for all that is not taken yet.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether no byte waits: the stream may end here.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Where the next bytes of the stream go; never empty. No more than the frame under way needs once its
    /// length is known, and at most as much as has arrived of it, or 16 KiB.
    ///
    /// # Errors
    /// `LimitExceeded` where the frame under way is too large, `InsufficientResources` without memory.
    pub fn space(&mut self) -> Result<&mut [u8], Fault> {
        self.compact();
        let missing = match self.length()? {
            None => PREFIX + self.limit.min(CHUNK) - self.end,
            Some(length) if PREFIX + length > self.end => PREFIX + length - self.end,
            Some(_) => CHUNK,
        };
        let space = missing.min(self.end.max(CHUNK));
        self.grow(space)?;
        Ok(&mut self.buffer[self.end..self.end + space])
    }

    /// The first `count` bytes of [`Frames::space`] have arrived.
    pub fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// Takes a copy of bytes that were read elsewhere.
    ///
    /// # Errors
    /// `InsufficientResources` without memory.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.compact();
        self.grow(bytes.len())?;
        self.buffer[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
        Ok(())
    }

    /// The next message; `None` until all of it has arrived.
    ///
    /// # Errors
    /// `LimitExceeded` as soon as a length is over the limit, `Internal` where a frame is not one `T`. Either way
    /// the stream cannot be trusted any more.
    #[expect(clippy::should_implement_trait, reason = "an iterator has one type of items")]
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Fault> {
        let Some(length) = self.length()? else { return Ok(None) };
        let body = self.start + PREFIX;
        if self.end - body < length {
            return Ok(None);
        }
        let message = decode(&self.buffer[body..body + length]);
        self.start = body + length;
        if self.is_empty() {
            self.compact();
        }
        message.map(Some)
    }

    /// The length of the frame under way, once its prefix has arrived.
    fn length(&self) -> Result<Option<usize>, Fault> {
        let prefix = self.buffer[self.start..self.end].first_chunk();
        prefix.map(|prefix| length(*prefix, self.limit)).transpose()
    }

    /// Room for `more` bytes after those that arrived.
    fn grow(&mut self, more: usize) -> Result<(), Fault> {
        let wanted = self.end + more;
        if let Some(lacking) = wanted.checked_sub(self.buffer.len()) {
            reserve(&mut self.buffer, lacking)?;
            self.buffer.resize(wanted, 0);
        }
        Ok(())
    }

    /// Forgets what was taken; a large buffer goes with it.
    fn compact(&mut self) {
        if self.start == 0 {
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let keep = self.end.max(CHUNK);
        if self.buffer.capacity() > 2 * keep {
            self.buffer.truncate(keep);
            self.buffer.shrink_to(keep);
        }
    }
}

/// Reads one message, waiting for it, and not a byte more; `None` where the stream ends before it.
///
/// # Errors
/// Those of the stream; `UnexpectedEof` where it ends inside a frame; `InvalidData`, with the [`Fault`] in it,
/// where a frame has more than `limit` bytes or is not one `T`.
pub fn read<T: DeserializeOwned>(from: &mut impl Read, limit: usize) -> io::Result<Option<T>> {
    let prefix = up_to(from, PREFIX)?;
    if prefix.is_empty() {
        return Ok(None);
    }
    let prefix = prefix.first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    let length = length(*prefix, limit).map_err(invalid)?;
    let body = up_to(from, length)?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    decode(&body).map(Some).map_err(invalid)
}

/// So many bytes, or fewer where the stream ends; memory grows as they come.
fn up_to(from: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.by_ref().take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn invalid(fault: Fault) -> io::Error {
    let kind = match fault.code {
        FaultCode::InsufficientResources => io::ErrorKind::OutOfMemory,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Control, MAX_FRAME, MAX_GREETING, encode};

    #[test]
    fn memory_follows_what_arrived() {
        let mut frames = Frames::new(MAX_GREETING);
        assert_eq!(frames.space().unwrap().len(), PREFIX + MAX_GREETING);
        frames.set_limit(MAX_FRAME);
        let length = 10_000_000_u32;
        frames.push(&length.to_le_bytes()).unwrap();
        let whole = PREFIX + length as usize;
        while frames.end < whole {
            let arrived = frames.end;
            assert_eq!(frames.next::<Control>(), Ok(None));
            let space = frames.space().unwrap().len();
            assert!(space > 0 && space <= arrived.max(CHUNK));
            assert!(frames.buffer.capacity() <= 4 * arrived.max(CHUNK));
            frames.filled(space);
        }
        assert_eq!(frames.end, whole, "nothing of the next frame was asked for");
        assert_eq!(frames.next::<Control>().unwrap_err().code, FaultCode::Internal);
        assert!(frames.is_empty() && frames.buffer.capacity() <= CHUNK, "memory is given back");
    }

    #[test]
    fn a_small_frame_behind_a_large_one_keeps_a_small_buffer() {
        let mut frames = Frames::new(MAX_FRAME);
        frames.push(&[&1_000_000_u32.to_le_bytes()[..], &[0; 1_000_000]].concat()).unwrap();
        frames.push(&encode(&Control::Ping).unwrap()).unwrap();
        assert!(frames.next::<Control>().is_err());
        assert!(!frames.space().unwrap().is_empty(), "also while a whole frame waits");
        assert!(frames.buffer.capacity() <= 2 * CHUNK);
        assert_eq!(frames.next(), Ok(Some(Control::Ping)));
        frames.filled(usize::MAX);
        assert_eq!(frames.end, frames.buffer.len(), "no more than there is room for");
    }

    #[test]
    fn ten_thousand_frames_at_once() {
        let ping = encode(&Control::Ping).unwrap();
        let mut frames = Frames::new(MAX_FRAME);
        for _ in 0..10_000 {
            frames.push(&ping).unwrap();
        }
        for _ in 0..10_000 {
            assert_eq!(frames.next(), Ok(Some(Control::Ping)));
        }
        assert_eq!(frames.next::<Control>(), Ok(None));
    }
}
