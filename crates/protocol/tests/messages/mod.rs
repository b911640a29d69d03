//! Any message, for property tests.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use protocol::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

pub fn to_engine() -> impl Strategy<Value = ToEngine> {
    prop_oneof![
        (any::<u32>(), text())
            .prop_map(|(protocol, release)| ToEngine::Hello(Version { protocol, release })),
        options().prop_map(ToEngine::Options),
        (any::<u64>(), urgency(), request()).prop_map(|(id, urgency, request)| ToEngine::Ask {
            id,
            urgency,
            request
        }),
        any::<u64>().prop_map(|id| ToEngine::Drop { id }),
    ]
}

pub fn from_engine() -> impl Strategy<Value = FromEngine> {
    prop_oneof![
        any::<u32>().prop_map(|pid| FromEngine::Welcome { pid }),
        fault().prop_map(FromEngine::Refused),
        (any::<u64>(), prop_oneof![reply().prop_map(Ok), fault().prop_map(Err)])
            .prop_map(|(id, result)| FromEngine::Answer { id, result }),
    ]
}

pub fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        engine_settings().prop_map(|settings| Control::Settings(Box::new(settings))),
        Just(Control::Ping),
        Just(Control::Stop),
    ]
}

fn text() -> impl Strategy<Value = String> {
    ".{0,20}"
}

fn list<S: Strategy>(elements: S) -> impl Strategy<Value = Vec<S::Value>>
where
    S::Value: std::fmt::Debug,
{
    vec(elements, 0..4)
}

/// Not always UTF-8.
fn path() -> impl Strategy<Value = PathBuf> {
    list(any::<u8>()).prop_map(|bytes| OsString::from_vec(bytes).into())
}

fn options() -> impl Strategy<Value = Options> {
    let device =
        prop_oneof![Just(Device::Auto), Just(Device::Cpu), any::<i32>().prop_map(Device::Cuda)];
    let places = (list(path()), path(), of(path()), device);
    let sizes = (any::<usize>(), of(any::<u64>()), any::<usize>(), of(any::<usize>()));
    (places, sizes, any::<usize>(), any::<u64>()).prop_map(
        |(places, sizes, max_bytes, max_pixels)| Options {
            model_path: places.0,
            runtime: places.1,
            checksums: places.2,
            device: places.3,
            intra_op_threads: sizes.0,
            gpu_memory_limit: sizes.1,
            max_input_bytes: sizes.2,
            max_batch_tokens: sizes.3,
            image_limits: ImageLimits { max_bytes, max_pixels },
        },
    )
}

fn engine_settings() -> impl Strategy<Value = EngineSettings> {
    let sizes = (of(any::<u64>()), any::<usize>(), any::<usize>());
    (options(), list(text()), sizes, any::<bool>(), of(any::<f64>())).prop_map(
        |(options, preload, sizes, batching, fixed_cost_tokens)| EngineSettings {
            options,
            preload,
            memory_limit: sizes.0,
            max_queue: sizes.1,
            prepare_threads: sizes.2,
            batching,
            fixed_cost_tokens,
        },
    )
}

fn urgency() -> impl Strategy<Value = Urgency> {
    prop_oneof![Just(Urgency::Interactive), Just(Urgency::Background)]
}

fn input() -> impl Strategy<Value = Input> {
    (of(text()), list(vec(any::<u8>(), 0..40))).prop_map(|(text, images)| Input { text, images })
}

fn embed() -> impl Strategy<Value = Embed> {
    let task = prop_oneof![Just(Task::Query), Just(Task::Document)];
    (text(), task, of(text()), of(any::<usize>()), list(input())).prop_map(
        |(model, task, instruction, dimensions, inputs)| Embed {
            model,
            task,
            instruction,
            dimensions,
            inputs,
        },
    )
}

fn rerank() -> impl Strategy<Value = Rerank> {
    (text(), of(text()), input(), list(input())).prop_map(
        |(model, instruction, query, candidates)| Rerank { model, instruction, query, candidates },
    )
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        embed().prop_map(Request::Embed),
        rerank().prop_map(Request::Rerank),
        (text(), text())
            .prop_map(|(model, input)| Request::CountTokens(CountTokens { model, input })),
        text().prop_map(Request::Dimensions),
        Just(Request::Models),
        text().prop_map(Request::Load),
        text().prop_map(Request::Unload),
        Just(Request::Status),
        Just(Request::ResetStatistics),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let vectors = list(of(vec(any::<f32>(), 0..20)));
    prop_oneof![
        (vectors, text()).prop_map(|(vectors, fingerprint)| Reply::Embeddings(Embeddings {
            vectors,
            fingerprint
        })),
        (list(of(any::<f32>())), text())
            .prop_map(|(scores, fingerprint)| Reply::Scores(Scores { scores, fingerprint })),
        (any::<usize>(), any::<usize>())
            .prop_map(|(tokens, used)| Reply::TokenCount(TokenCount { tokens, used })),
        any::<usize>().prop_map(Reply::Dimensions),
        list(model_status()).prop_map(Reply::Models),
        any::<bool>().prop_map(Reply::Changed),
        engine_status().prop_map(|status| Reply::Status(Box::new(status))),
        Just(Reply::Reset),
    ]
}

fn model_status() -> impl Strategy<Value = ModelStatus> {
    let words = (text(), of(text()), of(text()), of(text()), of(text()), of(text()));
    let sizes = (of(any::<usize>()), of(any::<usize>()), of(any::<u64>()));
    (words, sizes, list(text()), any::<bool>()).prop_map(|(words, sizes, modalities, loaded)| {
        ModelStatus {
            name: words.0,
            kind: words.1,
            precision: words.2,
            device: words.3,
            fingerprint: words.4,
            problem: words.5,
            dimensions: sizes.0,
            max_tokens: sizes.1,
            bytes: sizes.2,
            modalities,
            loaded,
        }
    })
}

fn engine_status() -> impl Strategy<Value = EngineStatus> {
    let seconds = (any::<f64>(), any::<f64>(), quantiles(), quantiles());
    (any::<u32>(), seconds, any::<usize>(), any::<u64>(), list(model_statistics())).prop_map(
        |(pid, seconds, connections, memory, models)| EngineStatus {
            pid,
            uptime: seconds.0,
            since_reset: seconds.1,
            queue: seconds.2,
            run: seconds.3,
            connections,
            memory,
            models,
        },
    )
}

fn model_statistics() -> impl Strategy<Value = ModelStatistics> {
    let what = (text(), of(text()), any::<bool>(), any::<usize>(), list((text(), any::<u64>())));
    (what, any::<[u64; 9]>(), any::<[Option<f64>; 4]>(), [quantiles(), quantiles()]).prop_map(
        |(what, counts, seconds, [queue, run])| ModelStatistics {
            name: what.0,
            device: what.1,
            loaded: what.2,
            queued: what.3,
            failures: what.4,
            bytes: counts[0],
            requests: counts[1],
            items: counts[2],
            batches: counts[3],
            largest_batch: counts[4],
            tokens: counts[5],
            padded_tokens: counts[6],
            canceled: counts[7],
            bisected: counts[8],
            load_seconds: seconds[0],
            idle_seconds: seconds[1],
            fixed_cost: seconds[2],
            token_cost: seconds[3],
            queue,
            run,
        },
    )
}

fn quantiles() -> impl Strategy<Value = Quantiles> {
    any::<[Option<f64>; 3]>().prop_map(|[p50, p95, p99]| Quantiles { p50, p95, p99 })
}

fn fault() -> impl Strategy<Value = Fault> {
    let code = prop::sample::select(vec![
        FaultCode::UndefinedObject,
        FaultCode::InvalidParameter,
        FaultCode::InvalidBinary,
        FaultCode::LimitExceeded,
        FaultCode::ConfigFile,
        FaultCode::NotInPrerequisiteState,
        FaultCode::InsufficientResources,
        FaultCode::ConnectionFailure,
        FaultCode::Canceled,
        FaultCode::Internal,
    ]);
    (code, text(), of(text()), of(text())).prop_map(|(code, message, detail, hint)| Fault {
        code,
        message,
        detail,
        hint,
    })
}
