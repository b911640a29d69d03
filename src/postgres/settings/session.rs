//! What a session's requests are answered with: where files are, where models run, what may be spent.

use super::{data_directory, kilobytes, positive, share_directory, string};
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use pgrx::prelude::*;
use protocol::{Device, Fault, ImageLimits, Options};
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::PathBuf;
use std::sync::LazyLock;

/// In `model_path`: the server's directory for shared files of extensions.
const SHAREDIR: &str = "$sharedir";
/// Threads inside an operator where the setting is 0: more do not help one short text, and every
/// session has its own where there is no engine process.
const MAX_DEFAULT_THREADS: usize = 4;

static MODEL_PATH: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"$sharedir/itembank_embed/models"));
static ONNXRUNTIME_PATH: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"libonnxruntime.so"));
static DEVICE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"auto"));
static GPU_MEMORY_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(0);
static INTRA_OP_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_INPUT_BYTES: GucSetting<i32> = GucSetting::<i32>::new(256 * 1024);
static MAX_BATCH_TOKENS: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_IMAGE_BYTES: GucSetting<i32> = GucSetting::<i32>::new(32 * 1024 * 1024);
static MAX_IMAGE_PIXELS: GucSetting<i32> = GucSetting::<i32>::new(50_000_000);
static CACHE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(4096);

/// Looked up once: a quota that changes later must not load every model again.
static DEFAULT_THREADS: LazyLock<usize> = LazyLock::new(|| {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_DEFAULT_THREADS))
});

pub(super) fn define() {
    define_paths();
    define_device();
    define_limits();
    define_image_limits();
}

fn define_paths() {
    let path = |name, what, more, setting| {
        let flags = GucFlags::SUPERUSER_ONLY;
        GucRegistry::define_string_guc(name, what, more, setting, GucContext::Suset, flags);
    };
    path(
        c"itembank_embed.model_path",
        c"Directories that hold model directories, separated by colons.",
        c"$sharedir stands for the server's directory of shared files.",
        &MODEL_PATH,
    );
    path(
        c"itembank_embed.onnxruntime_path",
        c"File of the ONNX Runtime shared library, version 1.24 or later.",
        c"A name without a slash is looked up by the system's loader.",
        &ONNXRUNTIME_PATH,
    );
}

fn define_device() {
    // SAFETY: the check hook is guarded against unwinding by #[pg_guard].
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"itembank_embed.device",
            c"Where models run: auto, cpu, cuda or cuda:N.",
            c"auto takes the first CUDA device where it can be used, else the CPU; models() says which.",
            &DEVICE,
            GucContext::Suset,
            GucFlags::default(),
            Some(check_device),
            None,
            None,
        );
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn check_device(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: Postgres passes a pointer to the proposed value, which may be null.
    let name = unsafe { if (*value).is_null() { c"" } else { CStr::from_ptr(*value) } };
    match name.to_string_lossy().parse::<Device>() {
        Ok(_) => true,
        Err(fault) => {
            set_check_hint(&fault);
            false
        }
    }
}

/// What `SET` shows below its own "invalid value for parameter".
fn set_check_hint(fault: &Fault) {
    let Some(hint) = fault.hint.as_deref().and_then(|hint| CString::new(hint).ok()) else { return };
    // SAFETY: the string is copied into the error context, which Postgres clears before each check.
    unsafe { pg_sys::GUC_check_errhint_string = pg_sys::pstrdup(hint.as_ptr()) };
}

fn define_limits() {
    let int = |name, what, more, setting, min, max, flags| {
        GucRegistry::define_int_guc(name, what, more, setting, min, max, GucContext::Suset, flags);
    };
    int(
        c"itembank_embed.intra_op_threads",
        c"Threads that one model uses inside an operator.",
        c"0 takes the number of processors, at most 4. Without an engine process each session has its own threads.",
        &INTRA_OP_THREADS,
        0,
        256,
        GucFlags::default(),
    );
    int(
        c"itembank_embed.gpu_memory_limit",
        c"Memory of a GPU that one model may take.",
        c"0 sets no limit.",
        &GPU_MEMORY_LIMIT,
        0,
        i32::MAX,
        GucFlags::UNIT_KB,
    );
    int(
        c"itembank_embed.max_input_bytes",
        c"Longest input text.",
        c"A longer one is an error, before anything is computed. One text's tokens are counted in one go, \
          about 0.3 s a megabyte, which a cancel has to wait for.",
        &MAX_INPUT_BYTES,
        1,
        256 * 1024 * 1024,
        GucFlags::UNIT_BYTE,
    );
    int(
        c"itembank_embed.max_batch_tokens",
        c"Padded tokens of one run of a model.",
        c"0 picks 512 on a CPU and 16384 on a GPU. A longer text runs alone.",
        &MAX_BATCH_TOKENS,
        0,
        1024 * 1024,
        GucFlags::default(),
    );
    int(
        c"itembank_embed.cache_size",
        c"Memory of each session for its most recent embeddings.",
        c"0 turns the cache off.",
        &CACHE_SIZE,
        0,
        1024 * 1024,
        GucFlags::UNIT_KB,
    );
}

fn define_image_limits() {
    let int = |name, what, more, setting, max, flags| {
        GucRegistry::define_int_guc(name, what, more, setting, 1, max, GucContext::Suset, flags);
    };
    int(
        c"itembank_embed.max_image_bytes",
        c"Largest image, as a file.",
        c"A larger one is an error, before it is read.",
        &MAX_IMAGE_BYTES,
        1024 * 1024 * 1024,
        GucFlags::UNIT_BYTE,
    );
    int(
        c"itembank_embed.max_image_pixels",
        c"Largest image, in pixels.",
        c"A larger one is an error, before memory is taken for it; up to 24 bytes a pixel are needed.",
        &MAX_IMAGE_PIXELS,
        1_000_000_000,
        GucFlags::default(),
    );
}

/// The engine's options as the settings stand now.
pub fn options() -> Result<Options, Fault> {
    Ok(Options {
        model_path: model_path(&string(&MODEL_PATH, "model_path")?),
        runtime: PathBuf::from(string(&ONNXRUNTIME_PATH, "onnxruntime_path")?),
        device: string(&DEVICE, "device")?.parse()?,
        intra_op_threads: positive(&INTRA_OP_THREADS).unwrap_or(*DEFAULT_THREADS),
        gpu_memory_limit: kilobytes(&GPU_MEMORY_LIMIT),
        max_input_bytes: positive(&MAX_INPUT_BYTES).unwrap_or(1),
        image_limits: ImageLimits {
            max_bytes: positive(&MAX_IMAGE_BYTES).unwrap_or(1),
            max_pixels: positive(&MAX_IMAGE_PIXELS).unwrap_or(1) as u64,
        },
        max_batch_tokens: positive(&MAX_BATCH_TOKENS),
        checksums: Some(data_directory().join("itembank_embed/checksums")),
    })
}

/// Bytes of the session's embedding cache.
pub fn cache_bytes() -> usize {
    usize::try_from(CACHE_SIZE.get()).unwrap_or(0) * 1024
}

fn model_path(setting: &str) -> Vec<PathBuf> {
    let entries = setting.split(':').filter(|entry| !entry.is_empty());
    entries.map(|entry| PathBuf::from(entry.replace(SHAREDIR, &share_directory()))).collect()
}
