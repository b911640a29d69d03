//! Which part of a request a message speaks of.

use std::fmt;

/// A row, by its number from 0 and how many there are; or the query of a reranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One of the rows to embed.
    Input(usize, usize),
    /// What candidates are scored against.
    Query,
    /// One of the rows to score.
    Candidate(usize, usize),
}

impl Place {
    /// Whether the call has no other row, so that it needs no telling which.
    pub fn is_only(self) -> bool {
        matches!(self, Place::Input(_, 1))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Input(_, 1) => write!(f, "The input"),
            Place::Input(row, rows) => write!(f, "Input {} of {rows}", row + 1),
            Place::Query => write!(f, "The query"),
            Place::Candidate(_, 1) => write!(f, "The candidate"),
            Place::Candidate(row, rows) => write!(f, "Candidate {} of {rows}", row + 1),
        }
    }
}
