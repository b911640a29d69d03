//! One loaded graph.

use super::placement::{Placement, no_cuda};
use super::runtime::Runtime;
use super::tensor::{Tensor, floats, run_failed};
use super::{CONTRACT, no_memory, out_of_memory, sentence};
use crate::cancel::Cancel;
use ndarray::ArrayD;
use ort::ep::ExecutionProviderDispatch;
use ort::session::builder::SessionBuilder;
use ort::session::{RunOptions, Session, SessionInputValue};
use ort::value::{DynValue, TensorElementType, ValueType};
use protocol::{Device, Fault, FaultCode};
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// How to load a graph.
#[derive(Debug, Clone)]
pub struct LoadOptions<'a> {
    /// The ONNX Runtime library.
    pub runtime: &'a Path,
    /// Where to run.
    pub device: Device,
    /// Threads inside one operator.
    pub intra_op_threads: usize,
    /// Bytes that the graph may take of a GPU's memory; `None` for all there is.
    pub gpu_memory_limit: Option<u64>,
    /// Whether weights are rearranged for speed, at the price of a private copy.
    pub prepack: bool,
    /// Padded tokens of a usual run: after one that is far larger, memory is given back.
    pub usual_tokens: usize,
}

/// A loaded graph; runs wait for each other.
pub struct Graph {
    session: Mutex<Session>,
    inputs: Vec<Outlet>,
    outputs: Vec<Outlet>,
    device: String,
    on_cpu: bool,
    usual_tokens: usize,
}

/// Name and type of an input or output.
type Outlet = (String, ValueType);

/// A run of so many times the usual tokens is an outlier: what ONNX Runtime's arena grew by, it would
/// keep for ever.
const OUTLIER: usize = 4;

/// What an input consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 64-bit integers.
    I64,
    /// Bytes.
    U8,
    /// 32-bit floats.
    F32,
}

impl Element {
    fn kind(self) -> TensorElementType {
        match self {
            Element::I64 => TensorElementType::Int64,
            Element::U8 => TensorElementType::Uint8,
            Element::F32 => TensorElementType::Float32,
        }
    }
}

/// Name, element and shape of an input; an axis of any length is `None`.
pub type Expected<'a> = (&'a str, Element, &'a [Option<usize>]);

pub(super) type Input = (Cow<'static, str>, SessionInputValue<'static>);

impl Graph {
    /// Loads the graph at `path`; its external data is found beside it and mapped, not copied.
    pub fn load(path: &Path, options: &LoadOptions, cancel: &Cancel) -> Result<Self, Fault> {
        let runtime = Runtime::load(options.runtime)?;
        let placement = Placement::choose(&runtime, options)?;
        let on_gpu = placement.provider.is_some();
        let source = Source::File(path);
        match Self::commit(&runtime, options, placement, cancel, &source) {
            // `auto` goes on without the GPU and says why; an explicit wish fails.
            Err(fault) if options.device == Device::Auto && on_gpu => {
                let instead = Placement::cpu_instead(reason(&fault));
                Self::commit(&runtime, options, instead, cancel, &source)
            }
            outcome => outcome,
        }
    }

    /// Loads a graph of ours, on the CPU.
    pub(super) fn from_memory(
        bytes: &'static [u8],
        options: &LoadOptions,
        cancel: &Cancel,
    ) -> Result<Self, Fault> {
        let runtime = Runtime::load(options.runtime)?;
        let placement = Placement { device: "cpu".to_owned(), provider: None };
        Self::commit(&runtime, options, placement, cancel, &Source::Memory(bytes))
    }

    fn commit(
        runtime: &Runtime,
        options: &LoadOptions,
        placement: Placement,
        cancel: &Cancel,
        source: &Source,
    ) -> Result<Self, Fault> {
        let on_cpu = placement.provider.is_none();
        let built = configure(runtime, options, placement.provider);
        let mut builder = built.map_err(|error| match on_cpu {
            true => load_failed(source, options.runtime, &error),
            false => no_cuda(without(options.runtime, &error.to_string())),
        })?;
        let canceler = builder.canceler();
        let session = cancel.during(
            move || drop(canceler.cancel()),
            || {
                let committed = match source {
                    Source::File(path) => builder.commit_from_file(path),
                    Source::Memory(bytes) => builder.commit_from_memory(bytes),
                };
                committed.map_err(|error| load_failed(source, options.runtime, &error))
            },
        )?;
        let outlets = |found: &[ort::value::Outlet]| -> Vec<Outlet> {
            found.iter().map(|one| (one.name().to_owned(), one.dtype().clone())).collect()
        };
        Ok(Self {
            inputs: outlets(session.inputs()),
            outputs: outlets(session.outputs()),
            session: Mutex::new(session),
            device: placement.device,
            on_cpu,
            usual_tokens: options.usual_tokens,
        })
    }

    /// Where the graph runs, with the reason where it is not where `auto` would want it.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Whether the graph runs on the CPU.
    pub fn on_cpu(&self) -> bool {
        self.on_cpu
    }

    /// Whether there is an input of that name.
    pub fn takes(&self, name: &str) -> bool {
        self.inputs.iter().any(|(input, _)| input == name)
    }

    /// Whether there is an fp32 output of that name.
    pub fn gives(&self, name: &str) -> bool {
        let float = |kind: &ValueType| kind.tensor_type() == Some(TensorElementType::Float32);
        self.outputs.iter().any(|(output, kind)| output == name && float(kind))
    }

    /// Whether the graph has these inputs and no others, by name, element and shape, where both say
    /// how long an axis is; and these fp32 outputs.
    ///
    /// What differs is found out when a graph is loaded, not at each call.
    pub fn expect(&self, inputs: &[Expected], outputs: &[&str]) -> Result<(), Fault> {
        let names: Vec<&str> = inputs.iter().map(|(name, ..)| *name).collect();
        self.expect_names(&names, &[])?;
        for (name, element, shape) in inputs {
            self.expect_input(name, *element, shape)?;
        }
        self.expect_outputs(outputs)
    }

    /// Whether the graph has these fp32 outputs.
    pub fn expect_outputs(&self, outputs: &[&str]) -> Result<(), Fault> {
        match outputs.iter().all(|name| self.gives(name)) {
            true => Ok(()),
            false => Err(self.no_output(outputs)),
        }
    }

    /// Whether the graph has these inputs, and no others but the optional ones.
    pub fn expect_names(&self, inputs: &[&str], optional: &[&str]) -> Result<(), Fault> {
        let found: Vec<&str> = self.inputs.iter().map(|(name, _)| name.as_str()).collect();
        let known = |name: &&str| inputs.contains(name) || optional.contains(name);
        if found.iter().all(known) && inputs.iter().all(|name| found.contains(name)) {
            return Ok(());
        }
        let also = match optional {
            [] => String::new(),
            _ => format!(" and perhaps {}", optional.join(", ")),
        };
        Err(Fault::new(FaultCode::ConfigFile, "the model's graph has other inputs")
            .detail(format!("It has: {}. Expected {}{also}.", found.join(", "), inputs.join(", ")))
            .hint(CONTRACT))
    }

    fn expect_input(
        &self,
        name: &str,
        element: Element,
        shape: &[Option<usize>],
    ) -> Result<(), Fault> {
        let input = self.inputs.iter().find(|(input, _)| input == name);
        let kind = input.map(|(_, kind)| kind);
        let same_element = kind.and_then(ValueType::tensor_type) == Some(element.kind());
        let axes: &[i64] = kind.and_then(ValueType::tensor_shape).map_or(&[], |shape| shape);
        // An axis that the graph leaves open is negative.
        let fits = |(found, wanted): (&i64, &Option<usize>)| {
            let Ok(found) = usize::try_from(*found) else { return true };
            wanted.is_none_or(|wanted| wanted == found)
        };
        if same_element && axes.len() == shape.len() && axes.iter().zip(shape).all(fits) {
            return Ok(());
        }
        let found = kind.map_or_else(|| "missing".to_owned(), ToString::to_string);
        Err(Fault::new(FaultCode::ConfigFile, "the model's graph does not fit its manifest")
            .detail(format!("Its input {name:?} is {found}; expected {element:?}, {shape:?}."))
            .hint(CONTRACT))
    }

    /// The graph lacks these fp32 outputs.
    pub(super) fn no_output(&self, expected: &[&str]) -> Fault {
        let names: Vec<&str> = self.outputs.iter().map(|(name, _)| name.as_str()).collect();
        Fault::new(FaultCode::ConfigFile, "the model's graph has no fp32 output that we know")
            .detail(format!("It has: {}. Expected: {}.", names.join(", "), expected.join(", ")))
            .hint(CONTRACT)
    }

    /// Runs the graph; the outputs asked for, in that order.
    pub fn run<const N: usize>(
        &self,
        inputs: Vec<(&'static str, Tensor)>,
        outputs: [&str; N],
        cancel: &Cancel,
    ) -> Result<[ArrayD<f32>; N], Fault> {
        let inputs =
            inputs.into_iter().map(|(name, tensor)| Ok((name.into(), tensor.into_value()?)));
        let values = self.run_values(inputs.collect::<Result<_, Fault>>()?, outputs, cancel)?;
        let mut arrays = [(); N].map(|()| ArrayD::zeros(vec![0]));
        for (array, value) in arrays.iter_mut().zip(&values) {
            *array = floats(value)?;
        }
        Ok(arrays)
    }

    /// As [`Graph::run`], with values that stay in ONNX Runtime.
    pub(super) fn run_values<const N: usize>(
        &self,
        inputs: Vec<Input>,
        outputs: [&str; N],
        cancel: &Cancel,
    ) -> Result<Vec<DynValue>, Fault> {
        // Interruption needs options that two threads share, which ort allows only without
        // selected outputs; asking for all of them costs nothing beside the run.
        let mut options = RunOptions::new().map_err(run_failed)?;
        if tokens(&inputs) > OUTLIER * self.usual_tokens {
            let arena = if self.on_cpu { "cpu:0" } else { "cpu:0;gpu:0" };
            options.set(SHRINK, arena).map_err(run_failed)?;
        }
        let options = Arc::new(options);
        let shared = Arc::clone(&options);
        cancel.during(
            move || drop(shared.terminate()),
            || {
                let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
                let run = session.run_with_options(inputs, &*options);
                let mut found = run.map_err(run_failed)?;
                let taken = outputs.map(|name| found.remove(name).ok_or_else(|| no_result(name)));
                taken.into_iter().collect()
            },
        )
    }
}

const SHRINK: &str = "memory.enable_memory_arena_shrinkage";

/// Padded tokens of a run: elements of its first input of two axes, rows × tokens.
fn tokens(inputs: &[Input]) -> usize {
    let shapes = inputs.iter().filter_map(|(_, value)| value.dtype().tensor_shape());
    let rows = shapes.filter(|shape| shape.len() == 2).map(|shape| shape.iter().product::<i64>());
    rows.max().and_then(|tokens| usize::try_from(tokens).ok()).unwrap_or(0)
}

fn no_result(output: &str) -> Fault {
    Fault::new(FaultCode::Internal, format!("the run gave no output {output:?}"))
        .detail("The graph declares it.")
        .hint("Report this as a bug, with the model.")
}

enum Source<'a> {
    File(&'a Path),
    Memory(&'static [u8]),
}

fn configure(
    runtime: &Runtime,
    options: &LoadOptions,
    provider: Option<ExecutionProviderDispatch>,
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
    if out_of_memory(&reason) {
        return no_memory("load the model", reason);
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

fn reason(fault: &Fault) -> &str {
    fault.detail.as_deref().unwrap_or(&fault.message).trim_end_matches('.')
}
