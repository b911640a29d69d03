//! What a runner needs of a model: nothing of ONNX Runtime, so that runners are tested without it.

use inference::{Cancel, Model, Outcomes, Row};
use protocol::{Fault, Options};

/// A loaded model, as its runner sees it.
pub trait Runs: Send + Sync + 'static {
    /// A row that is ready to run.
    type Row: Send + Sync + 'static;

    /// Name of the model.
    fn name(&self) -> &str;
    /// Whether rows must run alone.
    fn one_by_one(&self) -> bool;
    /// Padded tokens of one run.
    fn batch_tokens(&self, options: &Options) -> usize;
    /// The row's tokens, and the class of rows that it may run with.
    fn shape(row: &Self::Row) -> (usize, u64);
    /// Runs rows together: one outcome a row. A fault is one of the run as a whole.
    fn run(
        &self,
        rows: &[&Self::Row],
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Outcomes, Fault>;
    /// A row of about so many tokens, to time runs with.
    fn probe(
        &self,
        tokens: usize,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Option<Self::Row>, Fault>;
}

impl Runs for Model {
    type Row = Row;

    fn name(&self) -> &str {
        Model::name(self)
    }

    fn one_by_one(&self) -> bool {
        Model::one_by_one(self)
    }

    fn batch_tokens(&self, options: &Options) -> usize {
        Model::batch_tokens(self, options)
    }

    fn shape(row: &Row) -> (usize, u64) {
        (row.tokens, row.class)
    }

    fn run(&self, rows: &[&Row], options: &Options, cancel: &Cancel) -> Result<Outcomes, Fault> {
        Model::run(self, rows, options, cancel)
    }

    fn probe(
        &self,
        tokens: usize,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Option<Row>, Fault> {
        Model::probe(self, tokens, options, cancel)
    }
}
