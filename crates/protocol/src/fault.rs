//! The one error type of the project.
//!
//! A fault is made where the cause is known and carries all that its reader needs: what happened,
//! the detail, and what to do about it. Its code is one of a short list that the extension maps
//! to SQLSTATEs in a single match.

use serde::{Deserialize, Serialize};

/// The class of a fault; each is one SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultCode {
    /// No such model (42704).
    UndefinedObject,
    /// An argument or setting that cannot be served (22023).
    InvalidParameter,
    /// Bytes that are not what they should be, such as a broken image (22P03).
    InvalidBinary,
    /// Too long, too large, too many (54000).
    LimitExceeded,
    /// A model directory that is incomplete, altered or malformed (F0000).
    ConfigFile,
    /// Something must be installed or started first (55000).
    NotInPrerequisiteState,
    /// Out of memory, threads or queue space (53000).
    InsufficientResources,
    /// The engine went away; the call may be repeated (08006).
    ConnectionFailure,
    /// The caller asked to stop (57014).
    Canceled,
    /// A defect of ours or of ONNX Runtime (XX000).
    Internal,
}

impl FaultCode {
    /// The SQLSTATE that PostgreSQL reports it by.
    pub fn sqlstate(self) -> &'static str {
        match self {
            FaultCode::UndefinedObject => "42704",
            FaultCode::InvalidParameter => "22023",
            FaultCode::InvalidBinary => "22P03",
            FaultCode::LimitExceeded => "54000",
            FaultCode::ConfigFile => "F0000",
            FaultCode::NotInPrerequisiteState => "55000",
            FaultCode::InsufficientResources => "53000",
            FaultCode::ConnectionFailure => "08006",
            FaultCode::Canceled => "57014",
            FaultCode::Internal => "XX000",
        }
    }
}

/// A failed request: class, message, detail and hint, as PostgreSQL reports errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Fault {
    /// The class; decides the SQLSTATE.
    pub code: FaultCode,
    /// One line, lower case, no full stop: what went wrong.
    pub message: String,
    /// Full sentences: the facts behind the message.
    pub detail: Option<String>,
    /// Full sentences: what the reader can do.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault with a message alone; add the rest by [`Fault::detail`] and [`Fault::hint`].
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None, hint: None }
    }

    /// Sets the detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The caller asked to stop.
    pub fn canceled() -> Self {
        Self::new(FaultCode::Canceled, "canceling inference on request")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_its_message_and_keeps_the_rest() {
        let fault = Fault::new(FaultCode::ConfigFile, "no tokenizer")
            .detail("File gone.")
            .hint("Put it back.");
        assert_eq!(fault.to_string(), "no tokenizer");
        assert_eq!(fault.detail.as_deref(), Some("File gone."));
        assert_eq!(fault.hint.as_deref(), Some("Put it back."));
    }
}
