//! Values that go into graphs and come out of them.

use super::{no_memory, out_of_memory};
use ndarray::{Array, ArrayD, Dimension};
use ort::session::SessionInputValue;
use ort::value::{DynValue, Value};
use protocol::{Fault, FaultCode};

/// An input of a graph.
#[derive(Debug, Clone)]
pub enum Tensor {
    /// Token ids, masks, positions.
    I64(ArrayD<i64>),
    /// Pixels.
    U8(ArrayD<u8>),
    /// Features of another graph.
    F32(ArrayD<f32>),
}

impl<D: Dimension> From<Array<i64, D>> for Tensor {
    fn from(values: Array<i64, D>) -> Self {
        Tensor::I64(values.into_dyn())
    }
}

impl<D: Dimension> From<Array<u8, D>> for Tensor {
    fn from(values: Array<u8, D>) -> Self {
        Tensor::U8(values.into_dyn())
    }
}

impl<D: Dimension> From<Array<f32, D>> for Tensor {
    fn from(values: Array<f32, D>) -> Self {
        Tensor::F32(values.into_dyn())
    }
}

impl Tensor {
    /// As ONNX Runtime takes it; the memory is handed over, not copied.
    pub(super) fn into_value(self) -> Result<SessionInputValue<'static>, Fault> {
        let value = match self {
            Tensor::I64(values) => Value::from_array(values).map(Value::into_dyn),
            Tensor::U8(values) => Value::from_array(values).map(Value::into_dyn),
            Tensor::F32(values) => Value::from_array(values).map(Value::into_dyn),
        };
        value.map(SessionInputValue::from).map_err(run_failed)
    }
}

/// An output as fp32 numbers.
pub(super) fn floats(value: &DynValue) -> Result<ArrayD<f32>, Fault> {
    Ok(value.try_extract_array::<f32>().map_err(run_failed)?.to_owned())
}

/// The only value of a run that was asked for one.
pub(super) fn one(values: Vec<DynValue>) -> Result<DynValue, Fault> {
    values.into_iter().next().ok_or_else(|| {
        Fault::new(FaultCode::Internal, "the run gave nothing")
            .detail("One output was asked for.")
            .hint("This is a bug; please report it.")
    })
}

pub(super) fn run_failed(error: ort::Error) -> Fault {
    let reason = error.to_string();
    if out_of_memory(&reason) {
        return no_memory("run the model", reason);
    }
    Fault::new(FaultCode::Internal, "the model failed to run").detail(format!("{error}.")).hint(
        "Check the model's inputs against models/README.md; if they fit, report this as a bug.",
    )
}
