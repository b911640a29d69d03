//! Messages as frames: four bytes of length, little-endian, then the message in postcard's format.
//!
//! Nothing here trusts a length that it read. No type of a message holds itself, so that decoding cannot
//! recurse deeper than the types are nested; lists are reserved only as far as serde is cautious (1 MiB)
//! and rows are counted ([`MAX_ROWS`]); all else is bounded by the bytes of the frame, which is bounded by
//! its reader's limit.

use crate::{Fault, FaultCode};
use postcard::ser_flavors::{Flavor, Size};
use serde::{Serialize, de::DeserializeOwned};

/// Most bytes of a message. A value of PostgreSQL has less than 1 GiB, and a request is about one array.
pub const MAX_FRAME: usize = (1 << 30) + (64 << 20);

/// Most bytes of the first message, from a peer that is not known yet.
pub const MAX_GREETING: usize = 4 << 10;

/// Most rows of a request or a reply, images counted with them: an empty one takes two bytes of a frame, but
/// many times that of memory. More vectors of 64 elements do not fit in an array of PostgreSQL.
pub const MAX_ROWS: usize = 1 << 22;

/// Bytes of a frame's length.
pub(crate) const PREFIX: usize = size_of::<u32>();

/// A whole frame, with its length before it.
///
/// # Errors
/// `LimitExceeded` above [`MAX_FRAME`] and [`MAX_ROWS`], `InsufficientResources` without memory for it.
pub fn encode<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>, Fault> {
    // Measured first: no memory is spent on what is too large, and none is copied while a frame grows.
    let size = postcard::serialize_with_flavor(message, Size::default()).map_err(unencodable)?;
    let length = u32::try_from(size).ok().filter(|_| size <= MAX_FRAME);
    let length = length.ok_or_else(|| too_large(size, MAX_FRAME))?;
    let mut frame = Vec::new();
    reserve(&mut frame, PREFIX + size)?;
    frame.extend_from_slice(&length.to_le_bytes());
    postcard::serialize_with_flavor(message, Exact(frame)).map_err(unencodable)
}

/// A message that is all of `bytes`, the frame's length left out.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(malformed(bytes, &format!("{} bytes too many", rest.len()))),
        Err(error) => Err(malformed(bytes, &error.to_string())),
    }
}

/// The length that a frame says it has.
pub(crate) fn length(prefix: [u8; PREFIX], limit: usize) -> Result<usize, Fault> {
    let length = u32::from_le_bytes(prefix) as usize;
    if length <= limit { Ok(length) } else { Err(too_large(length, limit)) }
}

/// Reserves memory without ending the process where there is none.
pub(crate) fn reserve(buffer: &mut Vec<u8>, more: usize) -> Result<(), Fault> {
    buffer.try_reserve(more).map_err(|_| {
        Fault::new(FaultCode::InsufficientResources, "out of memory")
            .detail(format!("A message to or from the engine needs {more} more bytes."))
            .hint("Pass fewer or smaller inputs at a time.")
    })
}

/// Writes into memory that is reserved, never past it.
struct Exact(Vec<u8>);

impl Flavor for Exact {
    type Output = Vec<u8>;

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() > self.0.capacity() - self.0.len() {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

fn too_large(size: usize, limit: usize) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "message to or from the engine is too large")
        .detail(format!("It has {size} bytes, and at most {limit} are allowed."))
        .hint("Pass fewer or smaller inputs at a time.")
}

fn unencodable(error: postcard::Error) -> Fault {
    match error {
        // The one refusal of a type of ours: see `wire`.
        postcard::Error::SerdeSerCustom => {
            Fault::new(FaultCode::LimitExceeded, "too many rows in one request")
                .detail(format!("At most {MAX_ROWS} rows and images are allowed."))
                .hint("Pass fewer inputs at a time.")
        }
        other => Fault::new(FaultCode::Internal, "message cannot be encoded")
            .detail(format!("{other}."))
            .hint("This is a defect; please report it."),
    }
}

fn malformed(bytes: &[u8], reason: &str) -> Fault {
    Fault::new(FaultCode::Internal, "malformed message to or from the engine")
        .detail(format!("In a frame of {} bytes: {reason}.", bytes.len()))
        .hint("Restart the server if the extension was upgraded while it ran.")
}
