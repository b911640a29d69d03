//! What the engine writes, cut into lines: a sign of life, or something for the server's log.

use protocol::{PONG, READY};

/// Bytes of a line; the rest of a longer one is left out.
const LONGEST: usize = 4096;
const WARNING: &str = "WARNING: ";

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Sessions can connect.
    Ready,
    /// The answer to a ping.
    Pong,
    /// For the log, as a warning or as information.
    Log {
        /// Whether it is a warning.
        warning: bool,
        /// The text, on one line and without control characters.
        text: String,
    },
}

/// The line that is not whole yet.
#[derive(Default)]
pub struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Takes bytes as they come, and gives the lines that they end.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n");
            let room = LONGEST.saturating_sub(self.line.len());
            let more = text.unwrap_or(piece);
            self.line.extend_from_slice(&more[..more.len().min(room)]);
            if text.is_some() {
                lines.extend(self.end());
            }
        }
        lines
    }

    /// The last line, which nothing ended.
    pub fn end(&mut self) -> Option<Line> {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let text = text.trim_end();
        Some(match text {
            "" => return None,
            READY => Line::Ready,
            PONG => Line::Pong,
            other => {
                let text = other.strip_prefix(WARNING);
                let (warning, text) = (text.is_some(), text.unwrap_or(other));
                // Colours, carriage returns: nothing that a log could be forged with.
                let text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                Line::Log { warning, text }
            }
        })
    }
}
