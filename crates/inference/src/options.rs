//! Settings of the engine, as plain values.

use crate::checksum::Checksums;
use crate::image::ImageLimits;
use protocol::{Fault, FaultCode};
use std::path::PathBuf;
use std::str::FromStr;

/// What the registry needs to know; the extension fills it from its settings at each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Directories that hold model directories, searched in order.
    pub model_path: Vec<PathBuf>,
    /// File of the ONNX Runtime shared library, or a name for the system's loader.
    pub runtime: PathBuf,
    /// Where models run.
    pub device: Device,
    /// Threads inside one operator, per model; at least 1.
    pub intra_op_threads: usize,
    /// Longest input text in bytes.
    pub max_input_bytes: usize,
    /// Most bytes and pixels of an image.
    pub image_limits: ImageLimits,
    /// Padded tokens of one run; `None` picks a good number for the device.
    pub max_batch_tokens: Option<usize>,
    /// Where checksums are remembered.
    pub checksums: Checksums,
}

/// Where models run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// CUDA device 0 where it can be had, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number, or an error.
    Cuda(i32),
}

impl FromStr for Device {
    type Err = Fault;

    fn from_str(name: &str) -> Result<Self, Fault> {
        let number = name.strip_prefix("cuda:").and_then(|n| n.parse().ok()).filter(|n| *n >= 0);
        match (name, number) {
            ("auto", _) => Ok(Device::Auto),
            ("cpu", _) => Ok(Device::Cpu),
            ("cuda", _) => Ok(Device::Cuda(0)),
            (_, Some(number)) => Ok(Device::Cuda(number)),
            _ => Err(Fault::new(
                FaultCode::InvalidParameter,
                format!("unrecognized device {name:?}"),
            )
            .detail("A device is where models run.")
            .hint("Use 'auto', 'cpu', 'cuda' or 'cuda:N' with N the device's number.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names() {
        for (name, device) in [
            ("auto", Device::Auto),
            ("cpu", Device::Cpu),
            ("cuda", Device::Cuda(0)),
            ("cuda:3", Device::Cuda(3)),
        ] {
            assert_eq!(name.parse(), Ok(device));
        }
        for name in ["", "CPU", "cuda:", "cuda:-1", "cuda:x", "gpu", "cuda:99999999999"] {
            assert!(name.parse::<Device>().is_err(), "{name}");
        }
    }
}
