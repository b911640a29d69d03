//! Every metric against values of pytrec_eval, query by query and in the mean.
//!
//! `parity.json` was recorded from pytrec-eval-terrier 0.5.11 (its `source` says which of its
//! values came how); tests/parity draws thousands of queries and asks it again, through SQL.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use retrieval_metrics::{
    Judgement, Mean, Metric, Missing, Options, Retrieved, Settings, evaluate, ranks,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest difference that is parity.
const TOLERANCE: f64 = 1e-9;

struct Query<'a> {
    id: &'a str,
    grades: BTreeMap<&'a str, i32>,
    run: Vec<(&'a str, f64)>,
    /// `None`: an empty run, which pytrec_eval does not take.
    values: Option<Vec<f64>>,
}

impl<'a> Query<'a> {
    fn read(value: &'a Value) -> Self {
        let grades = value["judgements"].as_object().unwrap().iter();
        let run = value["run"].as_array().unwrap().iter();
        let values = value["values"].as_array();
        Self {
            id: value["query"].as_str().unwrap(),
            grades: grades
                .map(|(id, grade)| (id.as_str(), grade.as_i64().unwrap().try_into().unwrap()))
                .collect(),
            run: run.map(|row| (row[0].as_str().unwrap(), number(&row[1]))).collect(),
            values: values.map(|values| values.iter().map(number).collect()),
        }
    }
}

/// A number, or an infinite one as text.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[derive(Default)]
struct Tally {
    queries: usize,
    values: usize,
    equal: usize,
    largest: f64,
}

impl Tally {
    fn compare(&mut self, ours: f64, reference: f64, what: impl Fn() -> String) {
        let difference = (ours - reference).abs();
        assert!(difference <= TOLERANCE, "{}: {ours} is not {reference}", what());
        self.values += 1;
        self.equal += usize::from(ours == reference);
        self.largest = self.largest.max(difference);
    }
}

fn check(json: &str) -> Tally {
    let cases: Value = serde_json::from_str(json).unwrap();
    let mut tally = Tally::default();
    for group in cases["groups"].as_array().unwrap() {
        let queries: Vec<Query<'_>> =
            group["queries"].as_array().unwrap().iter().map(Query::read).collect();
        let metrics: Vec<Metric> = group["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().parse().unwrap())
            .collect();
        let level = group["min_relevance"].as_i64().unwrap().try_into().unwrap();
        let gain = group["gain"].as_str().unwrap().parse().unwrap();
        let options = Options::new(level, gain).unwrap();
        let tie = group["tie"].as_str().unwrap().parse().unwrap();
        let settings = Settings { options, tie, missing: Missing::Skip };
        check_evaluation(&queries, &metrics, settings, &mut tally);
        check_aggregates(&queries, &metrics, settings, &mut tally);
    }
    tally
}

/// `evaluate` over all queries, missing ones skipped and counted as 0.
fn check_evaluation(queries: &[Query], metrics: &[Metric], settings: Settings, tally: &mut Tally) {
    let mut run = Vec::new();
    let mut judgements = Vec::new();
    for Query { id: query, grades, run: rows, .. } in queries {
        judgements.extend(grades.iter().map(|(document, grade)| Judgement {
            query,
            document,
            grade: *grade,
        }));
        run.extend(rows.iter().map(|(document, score)| Retrieved {
            query,
            document,
            score: *score,
        }));
    }
    let by_id: BTreeMap<&str, &Query> = queries.iter().map(|query| (query.id, query)).collect();
    let skipped = evaluate(&run, &judgements, metrics, &settings, || true).unwrap();
    let answered = queries.iter().filter(|query| query.values.is_some()).count();
    assert_eq!(skipped.queries.len(), answered);
    for found in &skipped.queries {
        let reference = by_id[found.query].values.as_ref().unwrap();
        for ((ours, reference), metric) in found.values.iter().zip(reference).zip(metrics) {
            tally.compare(*ours, *reference, || format!("{} {metric}", found.query));
        }
    }
    let zero = Settings { missing: Missing::Zero, ..settings };
    let counted = evaluate(&run, &judgements, metrics, &zero, || true).unwrap();
    assert_eq!(counted.queries.len(), queries.len());
    tally.queries += queries.len();
    for (index, metric) in metrics.iter().enumerate() {
        let sum: f64 =
            by_id.values().flat_map(|query| &query.values).map(|values| values[index]).sum();
        let (all, some) = (counted.means()[index].unwrap(), skipped.means()[index].unwrap());
        tally.compare(all, sum / queries.len() as f64, || format!("mean {metric}"));
        tally.compare(some, sum / answered as f64, || format!("mean of answered {metric}"));
    }
}

/// `Mean` over the same rows, dealt out to three states in disorder: bit-equal to `evaluate`'s.
fn check_aggregates(queries: &[Query], metrics: &[Metric], settings: Settings, tally: &mut Tally) {
    for (index, metric) in metrics.iter().enumerate() {
        let mut parts: [Mean; 3] = std::array::from_fn(|_| Mean::new(*metric, settings.options));
        for (number, (query, rank, grade)) in rows(queries, settings).into_iter().rev().enumerate()
        {
            parts[number * 7 % 3].observe(query.as_bytes(), rank, grade).unwrap();
        }
        let [mut mean, second, third] = parts;
        mean.merge(Mean::from_bytes(&third.to_bytes()).unwrap()).unwrap();
        mean.merge(second).unwrap();
        let by_id: BTreeMap<&str, &Query> = queries.iter().map(|q| (q.id, q)).collect();
        let sum: f64 = by_id.values().flat_map(|q| &q.values).map(|values| values[index]).sum();
        let ours = mean.finish().unwrap().unwrap();
        tally.compare(ours, sum / queries.len() as f64, || format!("aggregate {metric}"));
    }
}

type Row<'a> = (&'a str, Option<u32>, Option<i32>);

/// The run FULL JOIN the judgements of all queries.
fn rows<'a>(queries: &[Query<'a>], settings: Settings) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for query in queries {
        let ranks = ranks(&query.run, settings.tie).unwrap();
        for ((document, _), rank) in query.run.iter().zip(ranks) {
            rows.push((query.id, Some(rank), query.grades.get(document).copied()));
        }
        let missed = query.grades.iter().filter(|(id, _)| !query.run.iter().any(|r| r.0 == **id));
        rows.extend(missed.map(|(_, grade)| (query.id, None, Some(*grade))));
    }
    rows
}

#[test]
fn equals_the_recorded_values() {
    let tally = check(include_str!("parity.json"));
    assert!(tally.queries > 100 && tally.values > 2000);
}
