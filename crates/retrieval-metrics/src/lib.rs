//! Retrieval evaluation whose numbers equal trec_eval's and pytrec_eval's to 1e-9.
//!
//! Knows ranks, scores, grades and query ids; nothing of Postgres, files, threads or clocks.
//! - [`Mean`] is an aggregate over the rows of `run FULL JOIN judgements`: observe, merge, finish.
//! - [`evaluate`] takes a whole run and its judgements and gives every query's values.
//! - [`Rows`] holds a run or judgements in little memory; a [`Meter`] bounds what is held.
//! - [`compare`] says whether two runs differ, [`agreement`] whether two assessors do.
//!
//! The definitions are those of trec_eval 9; each metric's file names its source, and
//! `tests/parity.rs` holds values recorded from pytrec_eval.
//!
//! ```
//! use retrieval_metrics::{Mean, Options};
//!
//! let mut recall = Mean::new("recall@5".parse()?, Options::default());
//! recall.observe(b"query", Some(1), Some(2))?; // retrieved first, judged relevant
//! recall.observe(b"query", Some(2), None)?; // retrieved second, not judged
//! recall.observe(b"query", None, Some(1))?; // relevant, but not retrieved
//! assert_eq!(recall.finish()?, Some(0.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod evaluate;
mod keys;
mod mean;
mod meter;
mod metric;
mod options;
mod order;
mod rows;
mod state;

pub mod agreement;
pub mod compare;

pub use evaluate::{
    EvaluateError, Evaluation, Judgement, Missing, MissingError, QueryValues, Retrieved, Settings,
    evaluate,
};
pub use mean::{BytesError, Mean, MeanError};
pub use meter::{Held, Meter, OverLimit};
pub use metric::{Metric, MetricError};
pub use options::{Gain, Options, OptionsError};
pub use order::{OrderError, Tie, TieError, ranks};
pub use rows::Rows;
pub use state::{QueryState, StateError};
