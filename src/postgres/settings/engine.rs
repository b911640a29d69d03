//! The engine process: whether it is used, where it is, and what holds for it as a whole.

use super::{kilobytes, library_directory, options, positive, string};
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use protocol::{EngineSettings, Fault};
use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

/// In `engine_path`: the server's directory of extensions' libraries.
const LIBDIR: &str = "$libdir";

/// Which engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
pub enum EngineChoice {
    /// The engine process where the server preloads the library, else the backend.
    #[name = c"auto"]
    Auto,
    /// The engine process.
    #[name = c"server"]
    Server,
    /// Models inside this backend.
    #[name = c"backend"]
    Backend,
}

static ENGINE: GucSetting<EngineChoice> = GucSetting::<EngineChoice>::new(EngineChoice::Auto);
static ENGINE_PATH: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"$libdir/itembank-engine"));
static START_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static HANG_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static PRELOAD_MODELS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static MEMORY_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_QUEUE: GucSetting<i32> = GucSetting::<i32>::new(1000);
static PREPARE_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
static BATCHING: GucSetting<bool> = GucSetting::<bool>::new(true);
static FIXED_COST_TOKENS: GucSetting<f64> = GucSetting::<f64>::new(-1.0);

pub(super) fn define() {
    GucRegistry::define_enum_guc(
        c"itembank_embed.engine",
        c"Which engine answers: auto, server or backend.",
        c"server is the engine process that all sessions share; it needs itembank_embed in \
          shared_preload_libraries. backend loads models into each session. auto takes server where it can.",
        &ENGINE,
        GucContext::Suset,
        GucFlags::default(),
    );
    define_process();
    define_models();
    define_scheduling();
}

fn define_process() {
    GucRegistry::define_string_guc(
        c"itembank_embed.engine_path",
        c"File of the engine's executable.",
        c"$libdir stands for the server's directory of extensions' libraries. A change restarts the engine.",
        &ENGINE_PATH,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"itembank_embed.engine_start_timeout",
        c"How long a call waits for an engine process that is starting.",
        c"Then it fails with an error that says how the engine ended.",
        &START_TIMEOUT,
        0,
        3_600_000,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"itembank_embed.engine_hang_timeout",
        c"How long the engine process may give no sign of life.",
        c"Then it is killed and started again. A long inference does not count: another of its threads answers.",
        &HANG_TIMEOUT,
        1000,
        3_600_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
}

fn define_models() {
    GucRegistry::define_string_guc(
        c"itembank_embed.preload_models",
        c"Models that the engine process loads when it starts, separated by commas.",
        c"All others are loaded at their first use.",
        &PRELOAD_MODELS,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"itembank_embed.memory_limit",
        c"Size of the model files that the engine process holds at once.",
        c"Before it loads another model it unloads those that were not used for longest. 0 sets no limit.",
        &MEMORY_LIMIT,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_KB,
    );
}

fn define_scheduling() {
    let int = |name, what, more, setting, min, max| {
        let (context, flags) = (GucContext::Sighup, GucFlags::default());
        GucRegistry::define_int_guc(name, what, more, setting, min, max, context, flags);
    };
    int(
        c"itembank_embed.max_queue",
        c"Requests that may wait for one model in the engine process.",
        c"More are refused with an error.",
        &MAX_QUEUE,
        1,
        1_000_000,
    );
    int(
        c"itembank_embed.prepare_threads",
        c"Requests that the engine process tokenizes or decodes at the same time.",
        c"0 takes the number of processors.",
        &PREPARE_THREADS,
        0,
        1024,
    );
    GucRegistry::define_bool_guc(
        c"itembank_embed.batching",
        c"Whether requests of several sessions run together.",
        c"Off makes a run for every row.",
        &BATCHING,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"itembank_embed.fixed_cost_tokens",
        c"Cost of a run besides its tokens, in tokens.",
        c"The more it is, the more padding is worth a run fewer. -1 measures it for each model.",
        &FIXED_COST_TOKENS,
        -1.0,
        1e6,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

/// Which engine the session wants.
pub fn engine_choice() -> EngineChoice {
    ENGINE.get()
}

/// File of the engine's executable.
pub fn engine_path() -> Result<PathBuf, Fault> {
    let path = string(&ENGINE_PATH, "engine_path")?;
    Ok(PathBuf::from(path.replace(LIBDIR, &library_directory())))
}

/// How long a call waits for the engine process.
pub fn start_timeout() -> Duration {
    milliseconds(&START_TIMEOUT)
}

/// How long the engine process may be silent.
pub fn hang_timeout() -> Duration {
    milliseconds(&HANG_TIMEOUT)
}

/// What holds for the engine process as a whole, as the settings of this process stand now.
pub fn engine_settings() -> Result<EngineSettings, Fault> {
    let preload = string(&PRELOAD_MODELS, "preload_models")?;
    let preload = preload.split(',').map(str::trim).filter(|name| !name.is_empty());
    Ok(EngineSettings {
        options: options()?,
        preload: preload.map(str::to_owned).collect(),
        memory_limit: kilobytes(&MEMORY_LIMIT),
        max_queue: positive(&MAX_QUEUE).unwrap_or(1),
        prepare_threads: positive(&PREPARE_THREADS).unwrap_or_else(processors),
        batching: BATCHING.get(),
        fixed_cost_tokens: Some(FIXED_COST_TOKENS.get()).filter(|tokens| *tokens >= 0.0),
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

fn milliseconds(setting: &GucSetting<i32>) -> Duration {
    Duration::from_millis(positive(setting).unwrap_or(0) as u64)
}
