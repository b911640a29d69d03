//! The engine with real, tiny models: results, sharing, drops, loading and unloading. Skipped without ONNX Runtime.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;

use common::{Engine, can_run_models, embed, options, settings};
use protocol::{
    CountTokens, FaultCode, FromEngine, Input, Reply, Request, Rerank, ToEngine, encode,
};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const MODEL: &str = "tiny-bert";

fn text(number: usize) -> String {
    format!("item {number} {}", "of a long list ".repeat(number % 7))
}

#[test]
fn an_array_gives_the_vectors_of_its_rows_alone() {
    if !can_run_models() {
        return;
    }
    let engine = Engine::start();
    let mut session = engine.session();
    let texts: Vec<String> = (0..300).map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = session.embed(MODEL, &texts).unwrap();
    assert_eq!(together.len(), texts.len());
    for (number, text) in texts.iter().enumerate().step_by(17) {
        let alone = session.embed(MODEL, &[text]).unwrap();
        let (alone, together) = (alone[0].as_ref().unwrap(), together[number].as_ref().unwrap());
        let farthest = alone.iter().zip(together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(farthest < 1e-5, "row {number}: {farthest}");
    }
    let row = engine.statistics(MODEL);
    assert!(row.loaded && row.device.as_deref() == Some("cpu") && row.bytes > 0, "{row:?}");
    assert_eq!((row.requests, row.items), (19, 318));
    assert!(row.batches >= 19 && row.largest_batch > 1 && row.padded_tokens >= row.tokens);
    assert!(row.run.p50.is_some() && row.queue.p99.is_some() && row.load_seconds.is_some());
    assert!(row.failures.is_empty() && row.queued == 0);
    engine.line("model \"tiny-bert\" loaded on cpu in");
}

#[test]
fn null_rows_and_empty_arrays_have_no_vectors() {
    if !can_run_models() {
        return;
    }
    let engine = Engine::start();
    let mut session = engine.session();
    let Request::Embed(mut request) = embed(MODEL, &["a", "b"]) else { unreachable!() };
    request.inputs.insert(1, Input::default());
    let Ok(Reply::Embeddings(found)) = session.ask(Request::Embed(request)) else { unreachable!() };
    assert!(found.vectors[0].is_some() && found.vectors[1].is_none() && found.vectors[2].is_some());
    assert!(!found.fingerprint.is_empty());
    assert_eq!(session.embed(MODEL, &[]), Ok(vec![]));
    assert_eq!(engine.statistics(MODEL).items, 2);
}

#[test]
fn reranks_counts_and_lists() {
    if !can_run_models() {
        return;
    }
    let engine = Engine::start();
    let mut session = engine.session();
    let input = |text: &str| Input { text: Some(text.to_owned()), images: Vec::new() };
    let candidates = vec![input("one"), Input::default(), input("three of them")];
    let (model, query) = ("tiny-cross-bert".to_owned(), input("query"));
    let rerank = Request::Rerank(Rerank { model, instruction: None, query, candidates });
    let Reply::Scores(found) = session.ask(rerank).unwrap() else { unreachable!() };
    assert!(found.scores[0].is_some() && found.scores[1].is_none() && found.scores[2].is_some());
    let count = CountTokens { model: MODEL.to_owned(), input: "a b".to_owned() };
    let Ok(Reply::TokenCount(count)) = session.ask(Request::CountTokens(count)) else {
        unreachable!()
    };
    assert!(count.tokens >= 2 && count.used == count.tokens);
    let dimensions = session.ask(Request::Dimensions(MODEL.to_owned())).unwrap();
    assert!(matches!(dimensions, Reply::Dimensions(size) if size > 0));
    let Ok(Reply::Models(models)) = session.ask(Request::Models) else { unreachable!() };
    let loaded: Vec<_> = models.iter().filter(|model| model.loaded).map(|m| &m.name[..]).collect();
    assert_eq!(loaded, ["tiny-cross-bert"]);
}

#[test]
fn many_sessions_get_their_own_vectors() {
    if !can_run_models() {
        return;
    }
    let engine = Engine::start();
    let mut session = engine.session();
    let texts: Vec<String> = (0..8).map(text).collect();
    let wanted: Vec<_> = texts
        .iter()
        .map(|text| session.embed(MODEL, &[text]).unwrap().remove(0).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for client in 0..16 {
            let (engine, texts, wanted) = (&engine, &texts, &wanted);
            scope.spawn(move || {
                let mut session = engine.session();
                for turn in 0..50 {
                    let number = (client + turn) % texts.len();
                    let found = session.embed(MODEL, &[&texts[number]]).unwrap();
                    let found = found[0].as_ref().unwrap();
                    let pairs = found.iter().zip(&wanted[number]);
                    assert!(pairs.fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) < 1e-5);
                }
            });
        }
    });
    let row = engine.statistics(MODEL);
    assert_eq!((row.requests, row.items, row.canceled, row.queued), (808, 808, 0, 0));
    assert!(row.largest_batch > 1, "{row:?}");
}

#[test]
fn a_dropped_question_frees_its_session_and_is_counted() {
    if !can_run_models() {
        return;
    }
    let engine = Engine::start();
    let mut session = engine.session();
    session.embed(MODEL, &["warm"]).unwrap();
    let texts: Vec<String> = (0..20_000).map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for pause in [0, 5, 60] {
        let id = session.begin(embed(MODEL, &texts));
        std::thread::sleep(Duration::from_millis(pause));
        session.say(&ToEngine::Drop { id });
        let began = Instant::now();
        assert!(session.embed(MODEL, &["next"]).is_ok());
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    // A session that goes away drops what it asked.
    session.begin(embed(MODEL, &texts));
    drop(session);
    let end = Instant::now() + common::PATIENCE;
    while engine.statistics(MODEL).canceled < 4 {
        assert!(Instant::now() < end, "{:?}", engine.statistics(MODEL));
        std::thread::sleep(Duration::from_millis(10));
    }
    let row = engine.statistics(MODEL);
    assert_eq!((row.requests, row.queued, row.bisected), (4, 0, 0), "{row:?}");
    assert!(row.failures.is_empty());
}

/// A session that writes its next question before it reads the answer to the last.
#[test]
fn two_who_write_at_once_do_not_wait_for_each_other() {
    if !can_run_models() {
        return;
    }
    let engine = Engine::start();
    let mut session = engine.session();
    let texts = vec!["the same"; 6_000];
    let id = session.begin(embed(MODEL, &texts));
    // Until the answer is being written: much more than the socket holds.
    while engine.statistics(MODEL).requests == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let long = "x ".repeat(500_000);
    let mut bytes = encode(&ToEngine::Drop { id }).unwrap();
    let request = embed(MODEL, &[&long]);
    let urgency = protocol::Urgency::Interactive;
    bytes.extend(encode(&ToEngine::Ask { id: id + 1, urgency, request }).unwrap());
    session.stream.set_write_timeout(Some(common::PATIENCE)).unwrap();
    session.stream.write_all(&bytes).unwrap();
    assert!(session.answer(id + 1).is_ok());
}

#[test]
fn loads_and_unloads_when_asked() {
    if !can_run_models() {
        return;
    }
    let engine = Engine::start();
    let mut session = engine.session();
    let (load, unload) = (Request::Load(MODEL.to_owned()), Request::Unload(MODEL.to_owned()));
    for _ in 0..3 {
        assert_eq!(session.ask(load.clone()), Ok(Reply::Changed(true)));
        assert_eq!(session.ask(load.clone()), Ok(Reply::Changed(false)));
        assert!(engine.statistics(MODEL).loaded);
        assert_eq!(session.ask(unload.clone()), Ok(Reply::Changed(true)));
        engine.line("model \"tiny-bert\" unloaded: unload_model");
        assert_eq!(session.ask(unload.clone()), Ok(Reply::Changed(false)));
        assert!(!engine.statistics(MODEL).loaded);
    }
    // Unloading under way of others loses nothing.
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut session = engine.session();
                    (0..100).for_each(|_| drop(session.embed(MODEL, &["a"]).unwrap()));
                })
            })
            .collect();
        while asking.iter().any(|thread| !thread.is_finished()) {
            session.ask(unload.clone()).unwrap();
        }
    });
    let row = engine.statistics(MODEL);
    assert_eq!((row.requests, row.queued), (400, 0));
    assert!(row.failures.is_empty());
}

#[test]
fn a_model_that_changed_on_disk_is_loaded_anew() {
    if !can_run_models() {
        return;
    }
    let engine = Engine::start();
    let path = engine.directory.path().join("models");
    let [model] = &options().model_path[..] else { unreachable!() };
    copy(&model.join(MODEL), &path.join(MODEL));
    let mut session = engine.session();
    let mut options = options();
    options.model_path = vec![path.clone()];
    session.say(&ToEngine::Options(options));
    session.embed(MODEL, &["a"]).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    copy(&model.join(MODEL), &path.join(MODEL));
    session.embed(MODEL, &["a"]).unwrap();
    engine.line("model \"tiny-bert\" unloaded: its files changed");
    std::fs::remove_dir_all(path.join(MODEL)).unwrap();
    assert_eq!(session.embed(MODEL, &["a"]).unwrap_err().code, FaultCode::UndefinedObject);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            let _ = std::fs::remove_file(&target);
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn models_take_turns_below_the_memory_limit() {
    if !can_run_models() {
        return;
    }
    let sizes: Vec<_> = ["tiny-bert", "tiny-cls"].iter().map(|name| bytes_of(name)).collect();
    let mut with = settings();
    with.memory_limit = sizes.iter().max().copied();
    let engine = Engine::start_with(with);
    let mut session = engine.session();
    for model in ["tiny-bert", "tiny-cls", "tiny-bert"] {
        session.embed(model, &["a"]).unwrap();
    }
    engine.line("model \"tiny-bert\" unloaded: memory_limit");
    engine.line("model \"tiny-cls\" unloaded: memory_limit");
    // Busy ones take turns too; nobody fails, nobody waits for ever.
    std::thread::scope(|scope| {
        for model in ["tiny-bert", "tiny-cls"] {
            for _ in 0..2 {
                let engine = &engine;
                scope.spawn(move || {
                    let mut session = engine.session();
                    (0..20).for_each(|_| drop(session.embed(model, &["a"]).unwrap()));
                });
            }
        }
    });
    let loaded = engine.status().models.iter().filter(|row| row.loaded).count();
    assert_eq!(loaded, 1);

    let mut with = settings();
    with.memory_limit = Some(1000);
    let engine = Engine::start_with(with);
    let fault = engine.session().embed(MODEL, &["a"]).unwrap_err();
    assert_eq!(fault.code, FaultCode::InsufficientResources);
    engine.line("WARNING: model \"tiny-bert\" is not loaded");
}

fn bytes_of(model: &str) -> u64 {
    let engine = Engine::start();
    engine.session().embed(model, &["a"]).unwrap();
    engine.statistics(model).bytes
}

#[test]
fn preloads_and_calibrates_while_nobody_waits() {
    if !can_run_models() {
        return;
    }
    let mut with = settings();
    with.preload = vec![MODEL.to_owned()];
    let engine = Engine::start_with(with);
    engine.line("model \"tiny-bert\" loaded on cpu");
    let mut session = engine.session();
    assert_eq!(session.ask(Request::Load(MODEL.to_owned())), Ok(Reply::Changed(false)));
    std::thread::sleep(Duration::from_millis(600));
    let row = engine.statistics(MODEL);
    assert!(row.token_cost.is_none_or(|cost| cost > 0.0));
    assert_eq!(row.batches, 0, "made-up runs are not counted");
}

#[test]
fn stops_while_it_runs() {
    if !can_run_models() {
        return;
    }
    let mut engine = Engine::start();
    let mut session = engine.session();
    session.embed(MODEL, &["warm"]).unwrap();
    let texts = vec!["some text that is not short at all"; 20_000];
    session.begin(embed(MODEL, &texts));
    std::thread::sleep(Duration::from_millis(100));
    engine.say(&protocol::Control::Stop);
    assert!(engine.end().success());
    let said = session.hear_or_end();
    assert!(!matches!(said, Some(FromEngine::Answer { result: Err(_), .. })), "{said:?}");
}
