//! A whole evaluation in memory: runs and judgements of many queries in, values and means out.

use crate::order::{OrderError, Tie, ranks};
use crate::{Metric, Options, QueryState, StateError};
use std::str::FromStr;

/// A document that a run retrieved for a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retrieved<'a> {
    /// Query id.
    pub query: &'a str,
    /// Document id.
    pub document: &'a str,
    /// Higher is better; any number but NaN. Not compared under [`Tie::Given`].
    pub score: f64,
}

/// A document that an assessor graded for a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// Query id.
    pub query: &'a str,
    /// Document id.
    pub document: &'a str,
    /// Relevant from the options' `min_relevance` on; negative is never relevant.
    pub grade: i32,
}

/// What becomes of a query that is judged but that the run misses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// It counts as 0.
    #[default]
    Zero,
    /// It is left out, as pytrec_eval does.
    Skip,
}

/// No rule for missing queries has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown missing {0:?}: there are zero, skip")]
pub struct MissingError(String);

impl FromStr for Missing {
    type Err = MissingError;

    fn from_str(text: &str) -> Result<Self, MissingError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "zero" => Ok(Self::Zero),
            "skip" => Ok(Self::Skip),
            _ => Err(MissingError(text.to_owned())),
        }
    }
}

/// How to evaluate; the default is what pytrec_eval does, but that missing queries count as 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// How grades are read.
    pub options: Options,
    /// How runs are ordered.
    pub tie: Tie,
    /// What becomes of judged queries that the run misses.
    pub missing: Missing,
}

/// The values of every judged query.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation<'a> {
    /// The metrics, in the order asked for.
    pub metrics: Vec<Metric>,
    /// One entry a query, in the byte order of the query ids.
    pub queries: Vec<QueryValues<'a>>,
}

/// The values of one query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryValues<'a> {
    /// Query id.
    pub query: &'a str,
    /// One value a metric, in the evaluation's order, each in [0, 1].
    pub values: Vec<f64>,
}

/// Rows that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The run of a query has no order.
    #[error("query {query:?}: {error}")]
    Run {
        /// Query id.
        query: String,
        /// Names the document.
        error: OrderError,
    },
    /// A document is judged twice for a query.
    #[error("query {query:?}: document {document:?} occurs twice in the judgements")]
    DuplicateJudgement {
        /// Query id.
        query: String,
        /// Document id.
        document: String,
    },
    /// A document cannot be counted.
    #[error("query {query:?}, document {document:?}: {error}")]
    Document {
        /// Query id.
        query: String,
        /// Document id.
        document: String,
        /// What is wrong with it.
        error: StateError,
    },
    /// A query has no value.
    #[error("query {query:?}: {error}")]
    Query {
        /// Query id.
        query: String,
        /// What is wrong with it.
        error: StateError,
    },
}

impl Evaluation<'_> {
    /// The mean of each metric over the queries, summed in the byte order of their ids;
    /// `None` where there is no query.
    pub fn means(&self) -> Vec<Option<f64>> {
        (0..self.metrics.len()).map(|metric| mean(self.values(metric))).collect()
    }

    /// The values of the metric at this position of `metrics`, a query each.
    pub(crate) fn values(&self, metric: usize) -> impl ExactSizeIterator<Item = f64> {
        self.queries.iter().map(move |query| query.values[metric])
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    let sum = values.fold(0.0, |sum, value| sum + value);
    if count == 0 { None } else { Some(sum / count as f64) }
}

/// Evaluates a run, its rows in any order (under [`Tie::Given`] each query's in rank order).
///
/// The queries of the result are those of the judgements. Queries of the run that have no
/// judgement are checked, and left out. NaN scores and documents that occur twice for a query are
/// errors that name both. `go_on` is asked before each query, and stops the work with `false`.
pub fn evaluate<'a>(
    run: &[Retrieved<'a>],
    judgements: &[Judgement<'a>],
    metrics: &[Metric],
    settings: &Settings,
    mut go_on: impl FnMut() -> bool,
) -> Result<Evaluation<'a>, EvaluateError> {
    let judgements = by_document(judgements)?;
    let mut run: Vec<&Retrieved<'a>> = run.iter().collect();
    run.sort_by_key(|row| row.query); // stable: Tie::Given reads the order
    let mut runs = run.chunk_by(|a, b| a.query == b.query).peekable();
    let mut queries = Vec::new();
    for judged in judgements.chunk_by(|a, b| a.query == b.query) {
        if !go_on() {
            return Err(EvaluateError::Interrupted);
        }
        let query = judged[0].query;
        while let Some(unjudged) = runs.next_if(|rows| rows[0].query < query) {
            documents(unjudged, &[], settings.tie)?;
        }
        let retrieved = runs.next_if(|rows| rows[0].query == query).unwrap_or_default();
        if retrieved.is_empty() && settings.missing == Missing::Skip {
            continue;
        }
        let documents = documents(retrieved, judged, settings.tie)?;
        let values = metrics.iter().map(|metric| value(query, &documents, *metric, settings));
        queries.push(QueryValues { query, values: values.collect::<Result<_, _>>()? });
    }
    for unjudged in runs {
        documents(unjudged, &[], settings.tie)?;
    }
    Ok(Evaluation { metrics: metrics.to_vec(), queries })
}

/// The judgements in the order of query and document; an error where one occurs twice.
fn by_document<'r, 'a>(
    judgements: &'r [Judgement<'a>],
) -> Result<Vec<&'r Judgement<'a>>, EvaluateError> {
    let mut judgements: Vec<&Judgement<'a>> = judgements.iter().collect();
    judgements.sort_unstable_by_key(|row| (row.query, row.document));
    let same = |pair: &&[&Judgement<'_>]| {
        (pair[0].query, pair[0].document) == (pair[1].query, pair[1].document)
    };
    if let Some(twice) = judgements.windows(2).find(same) {
        let (query, document) = (twice[0].query.to_owned(), twice[0].document.to_owned());
        return Err(EvaluateError::DuplicateJudgement { query, document });
    }
    Ok(judgements)
}

/// A row of run FULL JOIN judgements.
struct Document<'a> {
    id: &'a str,
    rank: Option<u32>,
    grade: Option<i32>,
}

/// One query's run FULL JOIN its judgements, which are in the order of their documents.
fn documents<'a>(
    run: &[&Retrieved<'a>],
    judged: &[&Judgement<'a>],
    tie: Tie,
) -> Result<Vec<Document<'a>>, EvaluateError> {
    let scores: Vec<(&str, f64)> = run.iter().map(|row| (row.document, row.score)).collect();
    let ranks = ranks(&scores, tie).map_err(|error| {
        let query = run.first().map_or("", |row| row.query).to_owned();
        EvaluateError::Run { query, error }
    })?;
    let mut found = vec![false; judged.len()];
    let mut documents = Vec::with_capacity(run.len() + judged.len());
    for (row, rank) in run.iter().zip(ranks) {
        let judgement = judged.binary_search_by_key(&row.document, |row| row.document).ok();
        let grade = judgement.map(|index| {
            found[index] = true;
            judged[index].grade
        });
        documents.push(Document { id: row.document, rank: Some(rank), grade });
    }
    let missed = judged.iter().zip(found).filter(|(_, found)| !found);
    documents.extend(missed.map(|(row, _)| Document {
        id: row.document,
        rank: None,
        grade: Some(row.grade),
    }));
    Ok(documents)
}

fn value(
    query: &str,
    documents: &[Document<'_>],
    metric: Metric,
    settings: &Settings,
) -> Result<f64, EvaluateError> {
    let mut state = QueryState::new(metric, settings.options);
    for document in documents {
        state.observe(document.rank, document.grade).map_err(|error| {
            let (query, document) = (query.to_owned(), document.id.to_owned());
            EvaluateError::Document { query, document, error }
        })?;
    }
    state.finish().map_err(|error| EvaluateError::Query { query: query.to_owned(), error })
}
