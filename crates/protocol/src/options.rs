//! Settings of a session that an engine needs, as plain values.

use crate::{Fault, FaultCode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What an engine needs to know of a session; the extension fills it from its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Directories that hold model directories, searched in order.
    #[serde(with = "crate::paths::list")]
    pub model_path: Vec<PathBuf>,
    /// File of the ONNX Runtime shared library, or a name for the system's loader.
    #[serde(with = "crate::paths::one")]
    pub runtime: PathBuf,
    /// Where models run.
    pub device: Device,
    /// Threads inside one operator, per model; at least 1.
    pub intra_op_threads: usize,
    /// Bytes that a model may take of a GPU's memory; `None` for all there is.
    pub gpu_memory_limit: Option<u64>,
    /// Longest input text in bytes.
    pub max_input_bytes: usize,
    /// Most bytes and pixels of an image.
    pub image_limits: ImageLimits,
    /// Padded tokens of one run; `None` picks a good number for the device.
    pub max_batch_tokens: Option<usize>,
    /// The folder where checksums are remembered; nowhere on `None`.
    #[serde(with = "crate::paths::optional")]
    pub checksums: Option<PathBuf>,
}

/// What a picture may cost; checked against the header, before pixels are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLimits {
    /// Size of the file.
    pub max_bytes: usize,
    /// Width times height.
    pub max_pixels: u64,
}

/// Where models run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Device {
    /// CUDA device 0 where it can be had, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number, or an error.
    Cuda(i32),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Auto => f.write_str("auto"),
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
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
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        for name in ["", "CPU", "cuda:", "cuda:-1", "cuda:x", "gpu", "cuda:99999999999"] {
            assert!(name.parse::<Device>().is_err(), "{name}");
        }
    }
}
