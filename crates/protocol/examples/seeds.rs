//! Writes frames of each kind of message into a folder, for the fuzzer to start from: `seeds FOLDER`.
//!
//! The first byte of a file is for fuzz/fuzz_targets/protocol.rs: the size of the pieces that the stream comes in.

use protocol::*;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args_os().nth(1).ok_or("which folder?")?.into();
    for (number, message) in to_engine().iter().enumerate() {
        write(&folder, &format!("to-engine-{number}"), &[encode(message)?])?;
    }
    for (number, message) in from_engine().iter().enumerate() {
        write(&folder, &format!("from-engine-{number}"), &[encode(message)?])?;
    }
    let settings = Control::Settings(Box::new(settings()));
    write(&folder, "control", &[encode(&settings)?, encode(&Control::Ping)?])?;
    let all: Result<Vec<_>, Fault> = to_engine().iter().map(encode).collect();
    write(&folder, "session", &all?)?;
    Ok(())
}

/// All at once, and in pieces.
fn write(folder: &Path, name: &str, frames: &[Vec<u8>]) -> std::io::Result<()> {
    for piece in [0, 3, 200] {
        let file = [&[piece], &frames.concat()[..]].concat();
        fs::write(folder.join(format!("{name}-{piece}")), file)?;
    }
    Ok(())
}

fn to_engine() -> Vec<ToEngine> {
    let ask = |request| ToEngine::Ask { id: 5, urgency: Urgency::Background, request };
    let model = || "model".to_owned();
    vec![
        ToEngine::Hello(Version::current()),
        ToEngine::Options(options()),
        ask(Request::Embed(Embed {
            model: model(),
            task: Task::Query,
            instruction: Some("find".to_owned()),
            dimensions: Some(384),
            inputs: vec![row(), Input::default()],
        })),
        ask(Request::Rerank(Rerank {
            model: model(),
            instruction: None,
            query: row(),
            candidates: vec![Input::default(), row()],
        })),
        ask(Request::CountTokens(CountTokens { model: model(), input: "a text".to_owned() })),
        ask(Request::Dimensions(model())),
        ask(Request::Models),
        ask(Request::Load(model())),
        ask(Request::Unload(model())),
        ask(Request::Status),
        ask(Request::ResetStatistics),
        ToEngine::Drop { id: 5 },
    ]
}

fn from_engine() -> Vec<FromEngine> {
    let fault = || Fault::new(FaultCode::Internal, "m").detail("D.").hint("H.");
    let fingerprint = || "f".to_owned();
    let answer = |result| FromEngine::Answer { id: 5, result };
    let vectors = vec![Some(vec![0.6, -0.8]), None];
    vec![
        FromEngine::Welcome { pid: 4711 },
        FromEngine::Refused(fault()),
        answer(Err(fault())),
        answer(Ok(Reply::Embeddings(Embeddings { vectors, fingerprint: fingerprint() }))),
        answer(Ok(Reply::Scores(Scores {
            scores: vec![Some(0.5), None],
            fingerprint: fingerprint(),
        }))),
        answer(Ok(Reply::TokenCount(TokenCount { tokens: 600, used: 512 }))),
        answer(Ok(Reply::Dimensions(384))),
        answer(Ok(Reply::Models(vec![ModelStatus::default()]))),
        answer(Ok(Reply::Changed(true))),
        answer(Ok(Reply::Status(Box::new(EngineStatus {
            models: vec![ModelStatistics::default()],
            ..EngineStatus::default()
        })))),
        answer(Ok(Reply::Reset)),
    ]
}

fn row() -> Input {
    Input { text: Some("a text".to_owned()), images: vec![b"\x89PNG".to_vec(), Vec::new()] }
}

fn options() -> Options {
    Options {
        model_path: vec!["/models".into(), "/more".into()],
        runtime: "libonnxruntime.so".into(),
        device: Device::Cuda(1),
        intra_op_threads: 4,
        gpu_memory_limit: Some(1 << 30),
        max_input_bytes: 1 << 20,
        image_limits: ImageLimits { max_bytes: 1 << 24, max_pixels: 1 << 26 },
        max_batch_tokens: Some(4096),
        checksums: Some("checksums".into()),
    }
}

fn settings() -> EngineSettings {
    EngineSettings {
        options: options(),
        preload: vec!["model".to_owned()],
        memory_limit: Some(1 << 33),
        max_queue: 1000,
        prepare_threads: 2,
        batching: true,
        fixed_cost_tokens: Some(20.0),
    }
}
