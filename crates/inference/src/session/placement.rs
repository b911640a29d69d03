//! Where a graph runs: the CPU, or CUDA where it can be had.

use super::graph::LoadOptions;
use super::runtime::Runtime;
use super::sentence;
use ort::ep::{self, ArenaExtendStrategy, cuda::ConvAlgorithmSearch};
use protocol::{Device, Fault, FaultCode};

/// A device, and what makes ONNX Runtime use it.
pub(super) struct Placement {
    /// As `models()` shows it, with the reason where it is not where `auto` would want it.
    pub device: String,
    /// The execution provider where it is not the CPU.
    pub provider: Option<ep::ExecutionProviderDispatch>,
}

impl Placement {
    /// What the device means with this runtime.
    pub fn choose(runtime: &Runtime, options: &LoadOptions) -> Result<Self, Fault> {
        let device = options.device;
        let number = match device {
            Device::Cpu => return Ok(Self { device: "cpu".to_owned(), provider: None }),
            Device::Auto => 0,
            Device::Cuda(number) => number,
        };
        match runtime.cuda() {
            Ok(()) => {
                let provider = Some(cuda(number, options.gpu_memory_limit));
                Ok(Self { device: format!("cuda:{number}"), provider })
            }
            Err(why) if device == Device::Auto => Ok(Self::cpu_instead(&why)),
            Err(why) => Err(no_cuda(why)),
        }
    }

    /// The CPU, where `auto` wanted a GPU.
    pub fn cpu_instead(why: &str) -> Self {
        Self { device: format!("cpu (no CUDA: {why})"), provider: None }
    }
}

fn cuda(number: i32, memory_limit: Option<u64>) -> ep::ExecutionProviderDispatch {
    let cuda = ep::CUDA::default()
        .with_device_id(number)
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic);
    let limit = memory_limit.and_then(|bytes| usize::try_from(bytes).ok());
    let cuda = match limit {
        Some(bytes) => cuda.with_memory_limit(bytes),
        None => cuda,
    };
    cuda.build().error_on_failure()
}

pub(super) fn no_cuda(why: String) -> Fault {
    Fault::new(FaultCode::NotInPrerequisiteState, "CUDA cannot be used").detail(sentence(why)).hint(
        "Install a GPU build of ONNX Runtime with its CUDA libraries (make setup ORT=gpu), \
             or set itembank_embed.device to 'auto' or 'cpu'.",
    )
}
