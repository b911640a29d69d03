//! Every message there and back, however the stream cuts it; and what is not a message is a fault.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod messages;

use messages::{control, from_engine, to_engine};
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_bytes::Bytes;
use std::fmt::Debug;
use std::io::{self, Cursor, Read};

trait Message: Serialize + DeserializeOwned + Clone + PartialEq + Debug {}
impl<T: Serialize + DeserializeOwned + Clone + PartialEq + Debug> Message for T {}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
}

/// All messages of a stream that comes in pieces of such sizes.
fn in_pieces<T: Message>(stream: &[u8], pieces: &[usize]) -> Result<Vec<T>, Fault> {
    let mut frames = Frames::new(MAX_FRAME);
    let mut messages = Vec::new();
    let mut rest = stream;
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let space = frames.space()?;
        let count = space.len().min(rest.len()).min(*pieces.next().unwrap());
        space[..count].copy_from_slice(&rest[..count]);
        frames.filled(count);
        rest = &rest[count..];
        while let Some(message) = frames.next()? {
            messages.push(message);
        }
    }
    assert!(frames.is_empty());
    Ok(messages)
}

/// What holds of a message.
fn there_and_back<T: Message>(message: &T) {
    let frame = encode(message).unwrap();
    assert_eq!(in_pieces::<T>(&frame, &[usize::MAX]).unwrap(), std::slice::from_ref(message));
    assert_eq!(read::<T>(&mut frame.as_slice(), MAX_FRAME).unwrap().as_ref(), Some(message));
    for cut in 0..frame.len() {
        cut_at(&frame, cut, message);
    }
    // A byte too many, inside the frame.
    let long = self::frame(&[&frame[4..], &[0]].concat());
    assert_eq!(in_pieces::<T>(&long, &[usize::MAX]).unwrap_err().code, FaultCode::Internal);
}

fn cut_at<T: Message>(frame: &[u8], cut: usize, message: &T) {
    // In two pieces: nothing, then the message.
    let mut frames = Frames::new(MAX_FRAME);
    frames.push(&frame[..cut]).unwrap();
    assert_eq!(frames.next::<T>(), Ok(None));
    assert_eq!(frames.is_empty(), cut == 0);
    frames.push(&frame[cut..]).unwrap();
    assert_eq!(frames.next::<T>().unwrap().as_ref(), Some(message));
    assert_eq!(frames.next::<T>(), Ok(None));
    assert!(frames.is_empty());
    // Ended: nothing between frames, an error inside one.
    match read::<T>(&mut &frame[..cut], MAX_FRAME) {
        Ok(message) => assert!(message.is_none() && cut == 0),
        Err(error) => assert!(cut > 0 && error.kind() == io::ErrorKind::UnexpectedEof),
    }
    // A frame that says it is whole.
    if cut >= 4 {
        let short = self::frame(&frame[4..cut]);
        assert_eq!(in_pieces::<T>(&short, &[usize::MAX]).unwrap_err().code, FaultCode::Internal);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn to_the_engine_there_and_back(message in to_engine()) {
        there_and_back(&message);
    }

    #[test]
    fn from_the_engine_there_and_back(message in from_engine()) {
        there_and_back(&message);
    }

    #[test]
    fn control_there_and_back(message in control()) {
        there_and_back(&message);
    }

    #[test]
    fn several_in_pieces(messages in vec(to_engine(), 0..5), pieces in vec(1_usize..60, 1..6)) {
        let stream: Vec<u8> = messages.iter().flat_map(|message| encode(message).unwrap()).collect();
        assert_eq!(&in_pieces::<ToEngine>(&stream, &pieces).unwrap(), &messages);
        let mut frames = Frames::new(MAX_FRAME);
        frames.push(&stream).unwrap();
        let mut pipe = stream.as_slice();
        for message in &messages {
            assert_eq!(frames.next::<ToEngine>().unwrap().as_ref(), Some(message));
            assert_eq!(read::<ToEngine>(&mut pipe, MAX_FRAME).unwrap().as_ref(), Some(message));
        }
        assert!(frames.is_empty() && pipe.is_empty());
    }

    #[test]
    fn any_bytes(body in vec(any::<u8>(), 0..200), start in 0_u8..10) {
        // Most bytes are no variant of a message: some start as one.
        for stream in [body.clone(), frame(&body), frame(&[&[start], &body[..]].concat())] {
            any_stream::<ToEngine>(&stream);
            any_stream::<FromEngine>(&stream);
            any_stream::<Control>(&stream);
        }
    }
}

fn any_stream<T: Message>(stream: &[u8]) {
    let mut frames = Frames::new(1 << 20);
    frames.push(stream).unwrap();
    while let Ok(Some(message)) = frames.next::<T>() {
        let encoded = encode(&message).unwrap();
        let again: T = read(&mut encoded.as_slice(), MAX_FRAME).unwrap().unwrap();
        // Not the values: they may hold NaN.
        assert_eq!(encode(&again).unwrap(), encoded);
    }
}

#[test]
fn greetings_keep_their_bytes() {
    // Engine and session of two releases must understand this much of each other.
    let hello = ToEngine::Hello(Version { protocol: 7, release: "1.2".to_owned() });
    assert_eq!(encode(&hello).unwrap(), b"\x06\0\0\0\x00\x07\x031.2");
    let welcome = FromEngine::Welcome { pid: 300 };
    assert_eq!(encode(&welcome).unwrap(), b"\x03\0\0\0\x00\xac\x02");
    let fault = Fault::new(FaultCode::NotInPrerequisiteState, "old").detail("D.").hint("H.");
    let refused = encode(&FromEngine::Refused(fault)).unwrap();
    assert_eq!(refused, b"\x0e\0\0\0\x01\x05\x03old\x01\x02D.\x01\x02H.");
}

#[test]
fn a_length_over_the_limit_is_refused_at_once() {
    let hello = encode(&ToEngine::Hello(Version::current())).unwrap();
    let length = hello.len() - 4;
    for limit in [0, length - 1] {
        let mut frames = Frames::new(limit);
        frames.push(&hello[..4]).unwrap();
        let fault = frames.next::<ToEngine>().unwrap_err();
        assert_eq!(fault.code, FaultCode::LimitExceeded);
        assert!(fault.detail.is_some() && fault.hint.is_some());
        assert_eq!(frames.space().unwrap_err(), fault);
        let error = read::<ToEngine>(&mut hello.as_slice(), limit).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(error.get_ref().and_then(|error| error.downcast_ref()), Some(&fault));
        // Another limit: the same bytes are well.
        frames.set_limit(length);
        frames.push(&hello[4..]).unwrap();
        assert!(frames.next::<ToEngine>().unwrap().is_some());
    }
}

#[test]
fn a_pipe_is_read_to_the_end_of_the_frame_only() {
    let ping = encode(&Control::Ping).unwrap();
    let mut pipe = Cursor::new([&ping[..], b"rest"].concat());
    assert_eq!(read(&mut pipe, 8).unwrap(), Some(Control::Ping));
    let mut rest = String::new();
    pipe.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "rest");
}

fn embed(inputs: Vec<Input>) -> Request {
    let model = "m".to_owned();
    Request::Embed(Embed { model, task: Task::Query, instruction: None, dimensions: None, inputs })
}

#[test]
fn images_and_vectors_take_the_bytes_they_have() {
    let image: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
    let request = embed(vec![Input { text: None, images: vec![image.clone(), image] }]);
    assert!(encode(&request).unwrap().len() < 2_000_040);
    let odd = [f32::NAN, -0.0, f32::INFINITY, f32::from_bits(0xffc0_dead), f32::MIN_POSITIVE];
    let vectors = vec![Some(odd.to_vec()), None, Some(Vec::new())];
    let frame = encode(&Reply::Embeddings(Embeddings { vectors, fingerprint: String::new() }));
    let frame = frame.unwrap();
    assert_eq!(frame.len(), 4 + 1 + 1 + (2 + 20) + 1 + 2 + 1);
    let Some(Reply::Embeddings(back)) = read(&mut frame.as_slice(), 100).unwrap() else {
        panic!("no embeddings")
    };
    let bits = |floats: &[f32]| floats.iter().map(|float| float.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(back.vectors[0].as_ref().unwrap()), bits(&odd));
    assert_eq!(back.vectors[1..], [None, Some(Vec::new())]);
}

#[test]
fn a_vector_of_bytes_that_are_no_floats_is_malformed() {
    for (bytes, well) in [(4_u8, true), (3, false), (5, false)] {
        let body = [&[0, 1, 1, bytes][..], &vec![0; bytes.into()], &[0]].concat();
        assert_eq!(in_pieces::<Reply>(&frame(&body), &[1]).is_ok(), well);
    }
}

#[test]
fn rows_are_counted_with_their_images() {
    let rows = |count| embed(vec![Input::default(); count]);
    let images = |count| embed(vec![Input { text: None, images: vec![Vec::new(); count] }]);
    for request in [rows(MAX_ROWS + 1), images(MAX_ROWS)] {
        let fault = encode(&request).unwrap_err();
        assert_eq!(fault.code, FaultCode::LimitExceeded);
        assert!(fault.detail.is_some() && fault.hint.is_some());
    }
    let scores = Scores { scores: vec![None; MAX_ROWS], fingerprint: String::new() };
    let mut body = encode(&Reply::Scores(scores)).unwrap().split_off(4);
    // As nobody encodes it: with one row more in its number of rows, and in its rows.
    assert_eq!(body[..5], [1, 0x80, 0x80, 0x80, 0x02]);
    body[1] += 1;
    body.push(0);
    let fault = in_pieces::<Reply>(&frame(&body), &[usize::MAX]).unwrap_err();
    assert_eq!(fault.code, FaultCode::Internal);
}

#[test]
fn too_large_a_message_is_refused_before_memory_is_spent() {
    // Its length takes five bytes.
    let bytes = vec![0; MAX_FRAME - 4];
    let fault = encode(Bytes::new(&bytes)).unwrap_err();
    assert_eq!(fault.code, FaultCode::LimitExceeded);
    assert!(fault.detail.is_some() && fault.hint.is_some());
}
