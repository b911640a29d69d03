//! Whole runs from two queries: `evaluate`, `compare_runs`, and intervals of means.

use super::given_rows::{ROWS, judged, judged_once, retrieved, triples, values, work};
use super::held::{Counted, meter, too_large};
use super::{given, invalid};
use crate::postgres::array::TextArray;
use crate::postgres::error::raise;
use crate::postgres::query::{self, Row};
use crate::postgres::text::Text;
use pgrx::prelude::*;
use protocol::{Fault, FaultCode};
use retrieval_metrics::compare::{self, CompareError, Resampling};
use retrieval_metrics::{
    Evaluation, Held, Judgement, Metric, Options, QueryValues, Rows, Settings, Tie,
    evaluate as evaluated,
};
use std::collections::BTreeMap;

const METRICS: &str = "The metrics are recall@k, precision@k, hit_rate@k, mrr, mrr@k, map, map@k, ndcg@k, r_precision, bpref, judged@k.";
const SAMPLES: &str = "10000 is usual, 10000000 the most.";
/// A curve up to rank 1000, and more than any table of a report.
const MAX_METRICS: usize = 1000;
const TIES: &str = "Use 'trec9', 'trec10' or 'given'.";

/// Every query's values, and the means.
#[pg_extern(sql = false)]
fn evaluate(
    run: Option<Text>,
    judgements: Option<Text>,
    metrics: Option<TextArray>,
    tie: Option<Text>,
    missing: Option<Text>,
    min_relevance: Option<i32>,
    gain: Option<Text>,
) -> TableIterator<
    'static,
    (name!(query_id, Option<Text>), name!(metric, Text), name!(value, Option<f64>)),
> {
    let rows = || {
        let asked =
            asked(metrics, [("tie", tie), ("missing", missing), ("gain", gain)], min_relevance)?;
        table(&given("run", run)?, &given("judgements", judgements)?, asked)
    };
    TableIterator::new(rows().unwrap_or_else(raise))
}

/// Two runs over the same judgements, metric by metric.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the SQL function's")]
#[expect(clippy::type_complexity, reason = "pgrx reads column names from this very type")]
fn compare_runs(
    run_a: Option<Text>,
    run_b: Option<Text>,
    judgements: Option<Text>,
    metrics: Option<TextArray>,
    samples: Option<i32>,
    seed: Option<i64>,
    tie: Option<Text>,
    missing: Option<Text>,
    min_relevance: Option<i32>,
    gain: Option<Text>,
) -> TableIterator<
    'static,
    (
        name!(metric, Text),
        name!(a, f64),
        name!(b, f64),
        name!(delta, f64),
        name!(ci_low, f64),
        name!(ci_high, f64),
        name!(p_value, f64),
        name!(better, i64),
        name!(worse, i64),
        name!(tied, i64),
        name!(p_holm, f64),
    ),
> {
    let rows = || {
        let asked =
            asked(metrics, [("tie", tie), ("missing", missing), ("gain", gain)], min_relevance)?;
        let runs = [given("run_a", run_a)?, given("run_b", run_b)?];
        compared(runs, &given("judgements", judgements)?, &asked, resampling(samples, seed)?)
    };
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let row = move |c: compare::Comparison| {
        let (better, worse, tied) = (count(c.better), count(c.worse), count(c.tied));
        let metric = Text::from(c.metric.to_string());
        (
            metric,
            c.a,
            c.b,
            c.delta,
            c.ci_low,
            c.ci_high,
            c.p_value,
            better,
            worse,
            tied,
            c.p_adjusted,
        )
    };
    TableIterator::new(rows().unwrap_or_else(raise).into_iter().map(row))
}

/// The 95 % bootstrap interval of the mean; NULLs are left out.
#[pg_extern(sql = false)]
fn evaluation_interval(
    values: Vec<Option<f64>>,
    samples: Option<i32>,
    seed: Option<i64>,
) -> TableIterator<'static, (name!(low, Option<f64>), name!(high, Option<f64>))> {
    let values: Vec<f64> = values.into_iter().flatten().collect();
    TableIterator::once(interval(&values, samples, seed).unwrap_or_else(raise))
}

/// The rows of a SELECT that a caller gave as text.
#[pg_extern(sql = false)]
fn evaluation_rows(
    query: Option<Text>,
    name: Option<Text>,
) -> TableIterator<'static, (name!(a, Option<Text>), name!(b, Option<Text>), name!(c, Option<f64>))>
{
    let rows = || {
        let (mut rows, mut held): (Vec<Row>, _) = (Vec::new(), Held::nothing(&meter()));
        let name = given("name", name)?;
        query::for_each(name.as_str(), given(name.as_str(), query)?.as_str(), |row| {
            let bytes = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.as_str().len());
            held.add(size_of::<Row>() + bytes(&row.0) + bytes(&row.1)).map_err(too_large)?;
            rows.push(row);
            Ok(())
        })?;
        Ok(Counted::new(rows.into_iter(), held))
    };
    TableIterator::new(rows().unwrap_or_else(raise))
}

/// A run with the rank of each row, as `evaluate` ranks it; rows in the order in which they came.
#[pg_extern(sql = false)]
fn evaluation_run(
    run: Option<Text>,
    name: Option<Text>,
    tie: Option<Text>,
) -> TableIterator<
    'static,
    (name!(query_id, Text), name!(item_id, Text), name!(score, f64), name!(rank, i64)),
> {
    let rows = || {
        let name = given("name", name)?;
        ranked(&given(name.as_str(), run)?, name.as_str(), &given("tie", tie)?)
    };
    let (rows, ranks) = rows().unwrap_or_else(raise);
    let row = move |(row, rank)| {
        let (query, item, score) = rows.get(row)?;
        Some((text(query), text(item), score, i64::from(rank)))
    };
    TableIterator::new(ranks.into_iter().enumerate().filter_map(row))
}

/// Judgements, checked: a whole number for each pair of query and item, once.
#[pg_extern(sql = false)]
fn evaluation_judged(
    judgements: Option<Text>,
    name: Option<Text>,
) -> TableIterator<'static, (name!(query_id, Text), name!(item_id, Text), name!(relevance, i32))> {
    let rows = || {
        let name = given("name", name)?;
        let rows = triples(name.as_str(), &given(name.as_str(), judgements)?, "relevance", true)?;
        let grades = judged_once(&rows)?;
        Ok((rows, grades))
    };
    let (rows, grades) = rows().unwrap_or_else(raise);
    let row = move |(row, grade)| {
        let (query, item, _) = rows.get(row)?;
        Some((text(query), text(item), grade))
    };
    TableIterator::new(grades.into_iter().enumerate().filter_map(row))
}

fn interval(
    values: &[f64],
    samples: Option<i32>,
    seed: Option<i64>,
) -> Result<(Option<f64>, Option<f64>), Fault> {
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(invalid(
            &format!("a value is {value}"),
            "Values of a metric lie between 0 and 1.",
        ));
    }
    let resampling = resampling(samples, seed)?;
    if values.is_empty() {
        return Ok((None, None));
    }
    let found = compare::bootstrap_interval(values, resampling, go_on);
    let (low, high) = found.map_err(|error| invalid(&error, SAMPLES))?;
    Ok((Some(low), Some(high)))
}

/// What is computed, and how.
struct Asked {
    metrics: Vec<Metric>,
    settings: Settings,
}

fn asked(
    metrics: Option<TextArray>,
    names: [(&str, Option<Text>); 3],
    min_relevance: Option<i32>,
) -> Result<Asked, Fault> {
    let mut parsed = Vec::new();
    for name in given("metrics", metrics)?.0 {
        let name = given("a metric", name)?;
        let metric: Metric = name.parse().map_err(|error| invalid(&error, METRICS))?;
        // Twice, it would count twice in Holm's correction.
        if parsed.contains(&metric) {
            return Err(invalid(&format!("metric {metric} is asked for twice"), METRICS));
        }
        parsed.push(metric);
        if parsed.len() > MAX_METRICS {
            return Err(too_many());
        }
    }
    let [tie, missing, gain] = names.map(|(name, text)| given(name, text));
    let gain = gain?
        .as_str()
        .parse()
        .map_err(|error| invalid(&error, "Use 'linear' or 'exponential'."))?;
    let hint = "A document is relevant from this grade up; 1 is usual.";
    let options = Options::new(given("min_relevance", min_relevance)?, gain);
    let settings = Settings {
        options: options.map_err(|error| invalid(&error, hint))?,
        tie: tie?.as_str().parse().map_err(|error| invalid(&error, TIES))?,
        missing: missing?
            .as_str()
            .parse()
            .map_err(|error| invalid(&error, "Use 'zero' or 'skip'."))?,
    };
    Ok(Asked { metrics: parsed, settings })
}

fn too_many() -> Fault {
    Fault::new(FaultCode::LimitExceeded, format!("more than {MAX_METRICS} metrics"))
        .detail("Each of them is kept for every query.")
        .hint("Ask for fewer, or for a smaller max_k.")
}

fn resampling(samples: Option<i32>, seed: Option<i64>) -> Result<Resampling, Fault> {
    let samples = given("samples", samples)?;
    let samples = u32::try_from(samples)
        .ok()
        .filter(|samples| *samples > 0)
        .ok_or_else(|| invalid(&format!("samples must be positive, not {samples}"), SAMPLES))?;
    Ok(Resampling { samples, seed: given("seed", seed)?.cast_unsigned() })
}

/// Long resampling can be cancelled.
fn go_on() -> bool {
    pgrx::check_for_interrupts!();
    true
}

fn text(text: &str) -> Text {
    Text::from(text.to_owned())
}

/// A row's number, and what it is ranked by.
type Placed<'a> = (usize, (&'a str, f64));

/// The rows, and each one's rank among those of its query.
fn ranked(run: &Text, name: &str, tie: &Text) -> Result<(Rows, Vec<u32>), Fault> {
    let tie: Tie = tie.as_str().parse().map_err(|error| invalid(&error, TIES))?;
    let rows = triples(name, run, "score", false)?;
    let _work = work(rows.len())?;
    let mut queries: BTreeMap<&str, Vec<Placed<'_>>> = BTreeMap::new();
    for (row, (query, document, score)) in rows.iter().enumerate() {
        queries.entry(query).or_default().push((row, (document, score)));
    }
    let mut found = vec![0; rows.len()];
    for (query, members) in queries {
        go_on();
        let scored: Vec<(&str, f64)> = members.iter().map(|(_, scored)| *scored).collect();
        let ranks = retrieval_metrics::ranks(&scored, tie);
        let ranks = ranks.map_err(|error| invalid(&format!("query {query:?}: {error}"), ROWS))?;
        for ((row, _), rank) in members.into_iter().zip(ranks) {
            found[row] = rank;
        }
    }
    Ok((rows, found))
}

fn evaluation<'a>(
    run: &'a Rows,
    judgements: &[Judgement<'a>],
    asked: &Asked,
) -> Result<Evaluation<'a>, Fault> {
    let _work = work(run.len())?;
    let found = evaluated(&retrieved(run), judgements, &asked.metrics, &asked.settings, go_on);
    found.map_err(|error| invalid(&error, ROWS))
}

type Value = (Option<Text>, Text, Option<f64>);

/// A row a query and metric, then the means.
fn table(
    run: &Text,
    judgements: &Text,
    asked: Asked,
) -> Result<impl Iterator<Item = Value> + use<>, Fault> {
    let run = triples("run", run, "score", false)?;
    let judgements = triples("judgements", judgements, "relevance", true)?;
    let _work = work(judgements.len())?;
    let judgements = judged(&judgements)?;
    let held = values(&judgements, asked.metrics.len())?;
    let found = evaluation(&run, &judgements, &asked)?;
    let means: Vec<Option<f64>> = found.means();
    let of_query = |query: QueryValues| (Text::from(query.query.to_owned()), query.values);
    let queries: Vec<(Text, Vec<f64>)> = found.queries.into_iter().map(of_query).collect();
    let names: Vec<Text> = asked.metrics.iter().map(|m| Text::from(m.to_string())).collect();
    let last = names.clone().into_iter().zip(means).map(|(name, mean)| (None, name, mean));
    // Made one by one: all at once they would take far more than the values.
    let rows = queries.into_iter().flat_map(move |(id, values)| {
        let row = move |(name, value)| (Some(id.clone()), name, Some(value));
        names.clone().into_iter().zip(values).map(row)
    });
    Ok(Counted::new(rows.chain(last), held))
}

fn compared(
    runs: [Text; 2],
    judgements: &Text,
    asked: &Asked,
    resampling: Resampling,
) -> Result<Vec<compare::Comparison>, Fault> {
    let a = triples("run_a", &runs[0], "score", false)?;
    let b = triples("run_b", &runs[1], "score", false)?;
    let judgements = triples("judgements", judgements, "relevance", true)?;
    let _work = work(judgements.len())?;
    let judgements = judged(&judgements)?;
    let _values =
        [values(&judgements, asked.metrics.len())?, values(&judgements, asked.metrics.len())?];
    let (a, b) = (evaluation(&a, &judgements, asked)?, evaluation(&b, &judgements, asked)?);
    compare::compare(&a, &b, resampling, go_on).map_err(|error| {
        let hint = match &error {
            CompareError::DifferentQueries { .. } => {
                "missing => 'zero' counts a query that a run misses as 0."
            }
            CompareError::Samples { .. } => SAMPLES,
            _ => ROWS,
        };
        invalid(&error, hint)
    })
}
