//! The engine as a process: greetings, what it refuses, its socket, its end. No model is loaded.

mod common;

use common::{Engine, embed, settings};
use protocol::{
    Control, FaultCode, FromEngine, PONG, Reply, Request, ToEngine, Urgency, Version, encode,
};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

#[test]
fn greets_and_tells_how_it_fares() {
    let engine = Engine::start();
    let mut session = engine.session();
    let Reply::Status(status) = session.ask(Request::Status).unwrap() else { unreachable!() };
    assert_eq!((status.pid, status.connections), (engine.process.id(), 1));
    assert!(status.memory > 0 && status.uptime >= status.since_reset);
    assert!(status.models.is_empty());
    assert_eq!(session.ask(Request::ResetStatistics), Ok(Reply::Reset));
    assert_eq!(session.ask(Request::Unload("nothing".to_owned())), Ok(Reply::Changed(false)));
    drop(session);
    // The engine hears of its end in its own time.
    let left = (0..500).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        engine.status().connections
    });
    assert!(left.into_iter().any(|connections| connections == 1), "the one that asks");
}

#[test]
fn another_version_is_refused_with_both_in_the_detail() {
    let engine = Engine::start();
    let current = Version::current();
    for version in [
        Version { protocol: current.protocol + 1, ..current.clone() },
        Version { release: "0.0.1".to_owned(), ..current.clone() },
    ] {
        let mut session = engine.stranger();
        session.say(&ToEngine::Hello(version));
        let FromEngine::Refused(fault) = session.hear() else { unreachable!("refused") };
        assert_eq!(fault.code, FaultCode::NotInPrerequisiteState);
        assert!(fault.detail.unwrap().contains(&current.release) && fault.hint.is_some());
        assert_eq!(session.hear_or_end(), None);
    }
}

#[test]
fn garbage_closes_its_connection_and_no_other() {
    let engine = Engine::start();
    let mut good = engine.session();
    let question = ToEngine::Ask { id: 1, urgency: Urgency::Interactive, request: Request::Status };
    let too_long = (u32::MAX).to_le_bytes().to_vec();
    for bytes in [b"\x03\0\0\0\xff\xff\xff".to_vec(), too_long, encode(&question).unwrap()] {
        let mut stranger = engine.stranger();
        stranger.stream.write_all(&bytes).unwrap();
        assert_eq!(stranger.hear_or_end(), None, "{bytes:?}");
        engine.line("WARNING: a connection is closed");
    }
    for bytes in [b"\x01\0\0\0\x63".to_vec(), encode(&ToEngine::Hello(Version::current())).unwrap()]
    {
        let mut session = engine.session();
        session.stream.write_all(&bytes).unwrap();
        assert_eq!(session.hear_or_end(), None, "{bytes:?}");
    }
    assert!(good.ask(Request::Status).is_ok());
}

#[test]
fn messages_come_in_pieces_and_together() {
    let engine = Engine::start();
    let mut session = engine.stranger();
    let greeting = encode(&ToEngine::Hello(Version::current())).unwrap();
    for byte in greeting {
        session.stream.write_all(&[byte]).unwrap();
    }
    assert!(matches!(session.hear(), FromEngine::Welcome { .. }));
    let mut bytes = encode(&ToEngine::Options(common::options())).unwrap();
    for message in [
        ToEngine::Drop { id: 7 },
        ToEngine::Ask { id: 8, urgency: Urgency::Background, request: Request::Status },
    ] {
        bytes.extend(encode(&message).unwrap());
    }
    session.stream.write_all(&bytes).unwrap();
    assert!(session.answer(8).is_ok());
}

#[test]
fn an_unknown_model_is_its_questions_fault() {
    let engine = Engine::start();
    let mut session = engine.session();
    for _ in 0..2 {
        let fault = session.embed("no-such-model", &["a"]).unwrap_err();
        assert_eq!(fault.code, FaultCode::UndefinedObject);
    }
    let fault = session.ask(Request::Load("no-such-model".to_owned())).unwrap_err();
    assert_eq!(fault.code, FaultCode::UndefinedObject);
    let row = engine.statistics("(other)");
    assert_eq!(row.failures, [("42704".to_owned(), 2)]);
    assert_eq!((row.requests, row.loaded), (0, false));
}

#[test]
fn a_question_needs_the_sessions_settings() {
    let engine = Engine::start();
    let mut session = engine.stranger();
    session.say(&ToEngine::Hello(Version::current()));
    session.hear();
    assert_eq!(session.ask(embed("m", &["a"])).unwrap_err().code, FaultCode::Internal);
}

#[test]
fn a_question_before_the_answer_closes_the_connection() {
    let engine = Engine::start();
    let mut session = engine.session();
    let ask = |id| ToEngine::Ask { id, urgency: Urgency::Interactive, request: Request::Models };
    let mut bytes = encode(&ask(1)).unwrap();
    bytes.extend(encode(&ask(2)).unwrap());
    session.stream.write_all(&bytes).unwrap();
    while session.hear_or_end().is_some() {}
}

#[test]
fn the_socket_is_closed_to_others_and_is_made_again() {
    let mut engine = Engine::start();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&engine.socket()) & 0o777, 0o600);
    assert_eq!(mode(engine.socket().parent().unwrap()) & 0o777, 0o700);
    let mut old = engine.session();
    for _ in 0..2 {
        std::fs::remove_dir_all(engine.socket().parent().unwrap()).unwrap();
        engine.line("WARNING: the engine's socket was removed");
        assert!(engine.session().ask(Request::Status).is_ok());
        assert_eq!(mode(&engine.socket()) & 0o777, 0o600);
    }
    assert!(old.ask(Request::Status).is_ok(), "who was here stays");
    let before = std::fs::metadata(engine.socket()).unwrap().ino();
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(std::fs::metadata(engine.socket()).unwrap().ino(), before, "once is enough");
    engine.say(&Control::Stop);
    assert!(engine.end().success());
    assert!(!engine.socket().exists());
}

#[test]
fn a_later_engine_takes_the_place() {
    let mut first = Engine::start();
    let directory = std::mem::replace(&mut first.directory, tempfile::tempdir().unwrap());
    let second = Engine::start_in(directory, settings());
    assert_eq!(second.status().pid, second.process.id());
    first.line("WARNING: another engine has taken this one's place");
    first.end();
    assert_eq!(second.status().pid, second.process.id(), "its socket is still there");
}

#[test]
fn gives_signs_of_life_and_ends_when_asked() {
    let mut engine = Engine::start();
    for _ in 0..3 {
        engine.say(&Control::Ping);
        assert_eq!(engine.line(PONG), PONG);
    }
    let mut session = engine.session();
    engine.say(&Control::Settings(Box::new(settings())));
    engine.say(&Control::Stop);
    assert!(engine.end().success());
    assert_eq!(session.hear_or_end(), None);
    assert!(!engine.socket().exists());
}

#[test]
fn ends_with_its_supervisor() {
    let mut engine = Engine::start();
    let _session = engine.session();
    drop(engine.control.take());
    engine.end();
}

#[test]
fn ends_when_its_supervisor_is_garbled() {
    let mut engine = Engine::start();
    engine.say_bytes(b"\x01\0\0\0\x7f");
    assert_eq!(engine.end().code(), Some(1));
}

#[test]
fn a_preloaded_model_that_is_not_there_is_a_line_of_the_log() {
    let mut with = settings();
    with.preload = vec!["no-such-model".to_owned()];
    let engine = Engine::start_with(with);
    engine.line("WARNING: model \"no-such-model\" is not loaded");
    assert!(engine.session().ask(Request::Status).is_ok());
}
