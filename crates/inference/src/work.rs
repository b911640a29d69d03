//! Rows that are ready to run, and what a run makes of them.
//!
//! An engine prepares the rows of a request (tokens, pixels), runs them in batches of its own choice,
//! together with those of other requests where they are of one class, and puts the outcomes together.

use protocol::Fault;
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows that are prepared together; bounds memory for arrays of any length.
pub const WINDOW: usize = 2048;
/// Bytes of pixels that a window holds before it ends.
pub const WINDOW_PIXELS: usize = 64 << 20;

/// The class of rows that run with any other row of their model's same kind.
pub const COMMON: u64 = 0;

/// One row, ready to run.
pub struct Row {
    /// Its length as the cost of a run counts it.
    pub tokens: usize,
    /// Rows of one class may run together.
    pub class: u64,
    /// What its family made of it.
    payload: Box<dyn Any + Send + Sync>,
}

impl Row {
    /// A row of a family.
    pub fn new<R: Any + Send + Sync>(planned: Planned<R>) -> Self {
        Self { tokens: planned.tokens, class: planned.class, payload: Box::new(planned.row) }
    }

    /// What the family that made it knows it as.
    pub fn payload<R: Any>(&self) -> Option<&R> {
        self.payload.downcast_ref()
    }
}

/// Rows of a part of a request.
pub struct Window {
    /// Their numbers in the request, from 0; a null one, or one with nothing to run, is left out.
    pub rows: Vec<(usize, Row)>,
    /// The first row that the window did not look at; the number of rows at the end.
    pub next: usize,
}

/// What a run makes of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Of an embedder.
    Vector(Vec<f32>),
    /// Of a reranker.
    Score(f32),
}

/// What a run makes of its rows, in their order; a row may fail alone.
pub type Outcomes = Vec<Result<Output, Fault>>;

/// A row as its family prepares it.
pub struct Planned<R> {
    /// Its number in the request.
    pub index: usize,
    /// As in [`Row`].
    pub tokens: usize,
    /// As in [`Row`].
    pub class: u64,
    /// Tokens, pixels, what it takes.
    pub row: R,
}

/// The rows of a window as their family prepares them, and where the next one begins.
pub type Plan<R> = (Vec<Planned<R>>, usize);

/// A class for rows that share what belongs to one request alone.
pub fn class_of_its_own() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(1 << 32);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// Goes through the rows `from` … of a request until a window is full.
///
/// `plan` gives a row, or nothing for a null one, and the bytes of pixels that it holds.
pub fn window<I, R>(
    inputs: &[I],
    from: usize,
    mut plan: impl FnMut(usize, &I) -> Result<Option<(Planned<R>, usize)>, Fault>,
) -> Result<Plan<R>, Fault> {
    let mut rows = Vec::new();
    let (mut next, mut pixels) = (from.min(inputs.len()), 0);
    for (index, input) in inputs.iter().enumerate().skip(from).take(WINDOW) {
        if let Some((row, bytes)) = plan(index, input)? {
            rows.push(row);
            pixels += bytes;
        }
        next = index + 1;
        if pixels >= WINDOW_PIXELS {
            break;
        }
    }
    Ok((rows, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(inputs: &[usize], from: usize) -> (Vec<usize>, usize) {
        let (rows, next) = window(inputs, from, |index, bytes| {
            let planned = Planned { index, tokens: 1, class: COMMON, row: () };
            Ok((*bytes > 0).then_some((planned, *bytes)))
        })
        .unwrap();
        (rows.into_iter().map(|row| row.index).collect(), next)
    }

    #[test]
    fn a_window_ends_with_its_rows_its_pixels_or_the_request() {
        assert_eq!(plan(&[1, 0, 1], 0), (vec![0, 2], 3));
        assert_eq!(plan(&[1, 0, 1], 1), (vec![2], 3));
        assert_eq!(plan(&[1, 0, 1], 3), (vec![], 3));
        assert_eq!(plan(&[], 0), (vec![], 0));
        assert_eq!(plan(&[1, WINDOW_PIXELS, 1], 0), (vec![0, 1], 2));
        assert_eq!(plan(&vec![0; WINDOW + 1], 0), (vec![], WINDOW));
    }

    #[test]
    fn no_two_classes_are_the_same() {
        assert_ne!(class_of_its_own(), class_of_its_own());
    }
}
