//! Any bytes as a stream of messages, in pieces: a fault or messages that are the same after another journey, in
//! bounded memory, no panic.
//!
//! The first byte is the size of the pieces; 0 is all at once. What follows is read as a stream, and as the body of
//! one frame, whose length a fuzzer seldom gets right.

use ::protocol::{Control, Fault, Frames, FromEngine, ToEngine, encode, read};
use serde::{Serialize, de::DeserializeOwned};

const LIMIT: usize = 1 << 20;

/// Reads, writes, and reads again.
pub fn protocol(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else { return };
    let piece = if *piece == 0 { bytes.len() } else { usize::from(*piece) };
    let frame = [&u32::to_le_bytes(stream.len() as u32), stream].concat();
    for stream in [stream, &frame] {
        as_messages::<ToEngine>(stream, piece);
        as_messages::<FromEngine>(stream, piece);
        as_messages::<Control>(stream, piece);
    }
}

fn as_messages<T: Serialize + DeserializeOwned>(stream: &[u8], piece: usize) {
    let mut messages = Vec::new();
    let ended = in_pieces::<T>(stream, piece, &mut messages);
    // A pipe gives the same messages, and ends for the same reason.
    let mut pipe = stream;
    for message in &messages {
        let same: Option<T> = read(&mut pipe, LIMIT).expect("a frame is whole in a pipe too");
        assert_eq!(same.map(|same| bytes(&same)).as_ref(), Some(message));
    }
    match (read::<T>(&mut pipe, LIMIT), ended) {
        (Ok(None), Ok(true)) => {}
        (Err(error), Ok(false)) => assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof),
        (Err(error), Err(fault)) => {
            assert_eq!(error.get_ref().and_then(|error| error.downcast_ref()), Some(&fault));
        }
        (message, ended) => panic!("{ended:?} in pieces, {} from a pipe", message.is_ok()),
    }
}

/// The messages, encoded again, as far as there are some; whether the stream ends between two.
fn in_pieces<T: Serialize + DeserializeOwned>(
    stream: &[u8],
    piece: usize,
    messages: &mut Vec<Vec<u8>>,
) -> Result<bool, Fault> {
    let mut frames = Frames::new(LIMIT);
    let mut rest = stream;
    while !rest.is_empty() {
        let space = frames.space()?;
        let count = space.len().min(rest.len()).min(piece);
        space[..count].copy_from_slice(&rest[..count]);
        frames.filled(count);
        rest = &rest[count..];
        while let Some(message) = frames.next::<T>()? {
            messages.push(bytes(&message));
        }
    }
    Ok(frames.is_empty())
}

/// A message's frame, which gives the same frame when it is read and written again. Values would not do: NaN is
/// never the same.
fn bytes<T: Serialize + DeserializeOwned>(message: &T) -> Vec<u8> {
    let frame = encode(message).expect("what was decoded can be encoded");
    let again: Option<T> = read(&mut frame.as_slice(), usize::MAX).expect("and decoded again");
    assert_eq!(encode(&again.expect("not nothing")).as_ref(), Ok(&frame));
    frame
}
