//! ONNX graphs in memory: the only room that names `ort`.
//!
//! A [`Session`] takes token ids and a mask and gives one row a text, B × D: pooled by the graph
//! itself, or by a second tiny graph, so that token states (B × S × H) never leave ONNX Runtime.
//!
//! Load and run with all signals blocked, since both may start threads that inherit the mask.

mod runtime;

pub use runtime::take_messages;

use crate::cancel::Cancel;
use crate::manifest::Pooling;
use crate::options::Device;
use ndarray::{Array2, Ix2};
use ort::ep::{self, ArenaExtendStrategy, cuda::ConvAlgorithmSearch};
use ort::session::builder::SessionBuilder;
use ort::session::{RunOptions, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorElementType, ValueType};
use protocol::{Fault, FaultCode};
use runtime::Runtime;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// Pooled output of graphs that pool themselves.
const POOLED: &str = "sentence_embedding";
/// Token states, by the names that exporters give them.
const TOKEN_STATES: [&str; 2] = ["token_embeddings", "last_hidden_state"];

/// Segment ids, all 0 for a single text; some exports want them.
const TOKEN_TYPES: &str = "token_type_ids";

/// How to load a graph.
#[derive(Debug, Clone)]
pub struct LoadOptions<'a> {
    /// The ONNX Runtime library.
    pub runtime: &'a Path,
    /// Where to run.
    pub device: Device,
    /// Threads inside one operator.
    pub intra_op_threads: usize,
    /// Whether weights are rearranged for speed, at the price of a private copy.
    pub prepack: bool,
    /// How token states become one row, where the graph leaves that to us.
    pub pooling: Pooling,
}

/// A loaded text graph.
pub struct Session {
    graph: ort::session::Session,
    /// Name of the output that is used: pooled rows, or token states for `pooling`.
    output: String,
    pooling: Option<ort::session::Session>,
    takes_token_types: bool,
    device: String,
    on_cpu: bool,
}

impl Session {
    /// Loads the graph at `path`; its external data is found beside it and mapped, not copied.
    pub fn load(path: &Path, options: &LoadOptions, cancel: &Cancel) -> Result<Self, Fault> {
        let runtime = Runtime::load(options.runtime)?;
        let (device, provider) = place(&runtime, options.device)?;
        let on_cpu = provider.is_none();
        let attempt = commit(&runtime, options, provider, cancel, Source::File(path));
        let (graph, device, on_cpu) = match attempt {
            Ok(graph) => (graph, device, on_cpu),
            // `auto` goes on without the GPU and says why; an explicit wish fails.
            Err(fault) if options.device == Device::Auto && !on_cpu => {
                let graph = commit(&runtime, options, None, cancel, Source::File(path))?;
                (graph, format!("cpu (no CUDA: {})", reason(&fault)), true)
            }
            Err(fault) => return Err(fault),
        };
        check_inputs(&graph)?;
        let output = choose_output(&graph)?;
        let pooling = match output.as_str() {
            POOLED => None,
            _ => {
                let bytes = pooling_graph(options.pooling);
                Some(commit(&runtime, options, None, cancel, Source::Memory(bytes))?)
            }
        };
        let takes_token_types = graph.inputs().iter().any(|i| i.name() == TOKEN_TYPES);
        Ok(Self { graph, output, pooling, takes_token_types, device, on_cpu })
    }

    /// Where the graph runs, with the reason where it is not where `auto` would want it.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Whether the graph runs on the CPU.
    pub fn on_cpu(&self) -> bool {
        self.on_cpu
    }

    /// Runs one batch: `ids` and `mask` are B × S, the result is B × D, not normalised by us.
    pub fn run(
        &mut self,
        ids: Array2<i64>,
        mask: Array2<i64>,
        cancel: &Cancel,
    ) -> Result<Array2<f32>, Fault> {
        let pooling_mask = self.pooling.is_some().then(|| mask.clone());
        let mut inputs = Vec::with_capacity(3);
        if self.takes_token_types {
            inputs.push(input(TOKEN_TYPES, Array2::zeros(ids.raw_dim()))?);
        }
        inputs.push(input("input_ids", ids)?);
        inputs.push(input("attention_mask", mask)?);
        let mut rows = run_one(&mut self.graph, inputs, &self.output, cancel)?;
        if let (Some(pooling), Some(mask)) = (&mut self.pooling, pooling_mask) {
            let states = (Cow::from("token_embeddings"), SessionInputValue::from(rows));
            rows = run_one(pooling, vec![states, input("attention_mask", mask)?], POOLED, cancel)?;
        }
        let rows = rows.try_extract_array::<f32>().map_err(run_failed)?;
        rows.to_owned().into_dimensionality::<Ix2>().map_err(|error| {
            Fault::new(FaultCode::ConfigFile, "the model's output has an unexpected shape")
                .detail(format!("Expected one row a text: {error}."))
                .hint(CONTRACT)
        })
    }
}

const CONTRACT: &str =
    "See models/README.md for the inputs and outputs that a graph must have, and export it again.";

type Input = (Cow<'static, str>, SessionInputValue<'static>);

fn input(name: &'static str, values: Array2<i64>) -> Result<Input, Fault> {
    let tensor = Tensor::from_array(values).map_err(run_failed)?;
    Ok((Cow::from(name), SessionInputValue::from(tensor)))
}

fn run_one(
    session: &mut ort::session::Session,
    inputs: Vec<Input>,
    output: &str,
    cancel: &Cancel,
) -> Result<DynValue, Fault> {
    // Interruption needs options that two threads share, which ort allows only without selected
    // outputs; asking for all of them costs nothing beside the run.
    let options = Arc::new(RunOptions::new().map_err(run_failed)?);
    let shared = Arc::clone(&options);
    cancel.during(
        move || drop(shared.terminate()),
        || {
            let mut outputs = session.run_with_options(inputs, &*options).map_err(run_failed)?;
            outputs.remove(output).ok_or_else(|| {
                Fault::new(FaultCode::Internal, format!("the run gave no output {output:?}"))
                    .detail("The graph declares it.")
                    .hint("Report this as a bug, with the model.")
            })
        },
    )
}

/// A graph that wants something else is found out when it is loaded, not at each call.
fn check_inputs(graph: &ort::session::Session) -> Result<(), Fault> {
    let names: Vec<&str> = graph.inputs().iter().map(|input| input.name()).collect();
    let required = ["input_ids", "attention_mask"];
    let known = |name: &&str| required.contains(name) || *name == TOKEN_TYPES;
    if required.iter().all(|name| names.contains(name)) && names.iter().all(known) {
        return Ok(());
    }
    Err(Fault::new(FaultCode::ConfigFile, "the model's graph has other inputs than a text encoder")
        .detail(format!(
            "It has: {}. Expected {} and perhaps {TOKEN_TYPES}.",
            names.join(", "),
            required.join(", ")
        ))
        .hint(CONTRACT))
}

/// Picks the pooled output where there is one, else the token states.
fn choose_output(graph: &ort::session::Session) -> Result<String, Fault> {
    let float = |kind: &ValueType| kind.tensor_type() == Some(TensorElementType::Float32);
    let has = |name: &str| {
        graph.outputs().iter().any(|output| output.name() == name && float(output.dtype()))
    };
    let found = std::iter::once(POOLED).chain(TOKEN_STATES).find(|name| has(name));
    found.map(str::to_owned).ok_or_else(|| {
        let names: Vec<&str> = graph.outputs().iter().map(|output| output.name()).collect();
        Fault::new(FaultCode::ConfigFile, "the model's graph has no fp32 output that we know")
            .detail(format!(
                "It has: {}. Expected {POOLED} or one of: {}.",
                names.join(", "),
                TOKEN_STATES.join(", ")
            ))
            .hint(CONTRACT)
    })
}

/// The second graph: token states and mask → one row a text.
///
/// Made by `models/export/pooling.py`, kept as bytes so that nothing has to be found on disk.
fn pooling_graph(pooling: Pooling) -> &'static [u8] {
    match pooling {
        Pooling::Mean => include_bytes!("../../pooling/mean.onnx"),
        Pooling::Cls => include_bytes!("../../pooling/cls.onnx"),
        Pooling::LastToken => include_bytes!("../../pooling/last_token.onnx"),
    }
}

/// Names the device, and the execution provider where it is not the CPU.
fn place(
    runtime: &Runtime,
    device: Device,
) -> Result<(String, Option<ep::ExecutionProviderDispatch>), Fault> {
    let number = match device {
        Device::Cpu => return Ok(("cpu".to_owned(), None)),
        Device::Auto => 0,
        Device::Cuda(number) => number,
    };
    match runtime.cuda() {
        Ok(()) => Ok((format!("cuda:{number}"), Some(cuda(number)))),
        Err(why) if device == Device::Auto => Ok((format!("cpu (no CUDA: {why})"), None)),
        Err(why) => Err(no_cuda(why)),
    }
}

fn cuda(number: i32) -> ep::ExecutionProviderDispatch {
    ep::CUDA::default()
        .with_device_id(number)
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .build()
        .error_on_failure()
}

fn no_cuda(why: String) -> Fault {
    Fault::new(FaultCode::NotInPrerequisiteState, "CUDA cannot be used").detail(sentence(why)).hint(
        "Install a GPU build of ONNX Runtime with its CUDA libraries (make setup ORT=gpu), \
             or set itembank_embed.device to 'auto' or 'cpu'.",
    )
}

enum Source<'a> {
    File(&'a Path),
    Memory(&'static [u8]),
}

fn commit(
    runtime: &Runtime,
    options: &LoadOptions,
    provider: Option<ep::ExecutionProviderDispatch>,
    cancel: &Cancel,
    source: Source,
) -> Result<ort::session::Session, Fault> {
    let on_cuda = provider.is_some();
    let mut builder = configure(runtime, options, provider).map_err(|error| {
        if on_cuda {
            no_cuda(without(options.runtime, &error.to_string()))
        } else {
            load_failed(&source, options.runtime, &error)
        }
    })?;
    let canceler = builder.canceler();
    cancel.during(
        move || drop(canceler.cancel()),
        || {
            let committed = match source {
                Source::File(path) => builder.commit_from_file(path),
                Source::Memory(bytes) => builder.commit_from_memory(bytes),
            };
            committed.map_err(|error| load_failed(&source, options.runtime, &error))
        },
    )
}

fn configure(
    runtime: &Runtime,
    options: &LoadOptions,
    provider: Option<ep::ExecutionProviderDispatch>,
) -> ort::Result<SessionBuilder> {
    let builder = SessionBuilder::new(&runtime.environment)?
        .with_intra_threads(options.intra_op_threads)?
        // Spinning threads burn cores that belong to other backends (PERFORMANCE: 2.4× slower under load).
        .with_config_entry("session.intra_op.allow_spinning", "0")?
        .with_config_entry("session.disable_prepacking", if options.prepack { "0" } else { "1" })?
        // Patterns are kept per input shape, and every batch has another shape.
        .with_memory_pattern(false)?;
    match provider {
        Some(provider) => Ok(builder.with_execution_providers([provider])?),
        None => Ok(builder),
    }
}

fn load_failed(source: &Source, runtime: &Path, error: &ort::Error) -> Fault {
    let mut reason = without(runtime, &error.to_string());
    if let Source::File(path) = source {
        reason = without(path, &reason);
    }
    Fault::new(FaultCode::ConfigFile, "ONNX Runtime cannot load the model")
        .detail(sentence(reason))
        .hint("Make the model again, or check that the library is not older than its export.")
}

/// `message` with names of files relative to the folders above `path`: messages are for everybody,
/// where things are on the machine is not.
fn without(path: &Path, message: &str) -> String {
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folders = path.ancestors().chain(resolved.ancestors()).skip(1);
    let folders = folders.map(|folder| folder.display().to_string());
    folders.filter(|folder| folder.len() > 1).fold(message.to_owned(), |message, folder| {
        message.replace(&format!("{folder}/"), "").replace(&folder, "the model path")
    })
}

fn sentence(text: String) -> String {
    format!("{}.", text.trim_end().trim_end_matches('.'))
}

fn run_failed(error: ort::Error) -> Fault {
    Fault::new(FaultCode::Internal, "the model failed to run").detail(format!("{error}.")).hint(
        "Check the model's inputs against models/README.md; if they fit, report this as a bug.",
    )
}

fn reason(fault: &Fault) -> &str {
    fault.detail.as_deref().unwrap_or(&fault.message).trim_end_matches('.')
}
