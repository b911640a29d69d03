//! Models that stand behind SQL functions by a setting.

use crate::postgres::settings::NamedModel;
use protocol::{Fault, FaultCode};

/// The caller did not name the model: where it may be the reason, says which setting did.
pub fn which_model(mut fault: Fault, model: NamedModel) -> Fault {
    if matches!(fault.code, FaultCode::UndefinedObject | FaultCode::InvalidParameter) {
        let hint = fault.hint.take().unwrap_or_default();
        fault.hint =
            Some(format!("{hint} The setting itembank_embed.{} names the model.", model.setting()));
    }
    fault
}
