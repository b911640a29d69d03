//! Comparisons and agreement: against scipy and scikit-learn, and what must hold of any.
//!
//! `significance.json` was recorded from them (its `source` gives the versions); tests/parity
//! compares with scipy again, through SQL.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use retrieval_metrics::agreement::{Weights, cohen_kappa, fleiss_kappa};
use retrieval_metrics::compare::{CompareError, Comparison, Resampling, compare};
use retrieval_metrics::{Evaluation, Metric, QueryValues};
use serde_json::Value;

fn evaluation<'a>(ids: &'a [String], columns: &[Vec<f64>]) -> Evaluation<'a> {
    let metrics: [Metric; 3] = ["mrr", "map", "bpref"].map(|name| name.parse().unwrap());
    let values = |row: usize| columns.iter().map(|column| column[row]).collect();
    let queries =
        ids.iter().enumerate().map(|(row, id)| QueryValues { query: id, values: values(row) });
    Evaluation { metrics: metrics[..columns.len()].to_vec(), queries: queries.collect() }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:09}")).collect()
}

fn compared(a: &[Vec<f64>], b: &[Vec<f64>], resampling: Resampling) -> Vec<Comparison> {
    let ids = ids(a[0].len());
    compare(&evaluation(&ids, a), &evaluation(&ids, b), resampling, || true).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn grades(value: &Value) -> Vec<i32> {
    floats(value).into_iter().map(|grade| grade as i32).collect()
}

/// The largest deviation of p in standard errors, and of an interval's end in those of the mean.
fn check(json: &str) -> (usize, usize, f64, f64) {
    let cases: Value = serde_json::from_str(json).unwrap();
    let samples = cases["samples"].as_u64().unwrap();
    let resampling = Resampling { samples: samples.try_into().unwrap(), seed: 42 };
    let (mut exact, mut largest_p, mut largest_end) = (0, 0.0_f64, 0.0_f64);
    let pairs = cases["pairs"].as_array().unwrap();
    for case in pairs {
        let (a, b) = (floats(&case["a"]), floats(&case["b"]));
        let n = a.len() as f64;
        let ours =
            compared(std::slice::from_ref(&a), std::slice::from_ref(&b), resampling).remove(0);
        let p = case["p"].as_f64().unwrap();
        if 2f64.powf(n) <= samples as f64 {
            assert!((ours.p_value - p).abs() < 1e-12, "{ours:?} p {p}");
            exact += 1;
        } else {
            // Both are estimates of `samples` draws, scipy's as twice the rarer tail.
            let q = p.max(1e-3);
            let error = ((q * (1.0 - q) + 2.0 * q * (1.0 - q / 2.0)) / samples as f64).sqrt();
            let deviation = (ours.p_value - p).abs() / error;
            assert!(deviation < 5.0, "{ours:?} p {p}");
            largest_p = largest_p.max(deviation);
        }
        let differences = || a.iter().zip(&b).map(|(a, b)| b - a);
        let variance = differences().map(|d| (d - ours.delta).powi(2)).sum::<f64>() / n;
        let error = (variance / n).sqrt();
        let step = 1.0 / n / error.max(1e-9); // values of a few kinds make the ends jump
        let interval = floats(&case["interval"]);
        for (ours, reference) in [ours.ci_low, ours.ci_high].into_iter().zip(interval) {
            let deviation = (ours - reference).abs() / error.max(1e-9);
            assert!(deviation <= 0.2 + step, "{ours} {reference} {error}");
            if n >= 100.0 {
                largest_end = largest_end.max(deviation);
            }
        }
    }
    check_agreement(&cases);
    (pairs.len(), exact, largest_p, largest_end)
}

fn check_agreement(cases: &Value) {
    for case in cases["cohen"].as_array().unwrap() {
        let pairs: Vec<(i32, i32)> = case["pairs"]
            .as_array()
            .unwrap()
            .iter()
            .map(grades)
            .map(|pair| (pair[0], pair[1]))
            .collect();
        let weights = [Weights::Unweighted, Weights::Linear, Weights::Quadratic];
        for (weights, reference) in weights.into_iter().zip(floats(&case["values"])) {
            let ours = cohen_kappa(&pairs, weights).unwrap();
            assert!((ours - reference).abs() < 1e-12, "{weights:?}: {ours} is not {reference}");
        }
    }
    for case in cases["fleiss"].as_array().unwrap() {
        let subjects: Vec<Vec<i32>> =
            case["subjects"].as_array().unwrap().iter().map(grades).collect();
        let ours = fleiss_kappa(&subjects).unwrap().unwrap();
        assert!((ours - case["value"].as_f64().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn agrees_with_the_recorded_values() {
    check(include_str!("significance.json"));
}

#[test]
fn counts_and_means_are_b_against_a() {
    let ours =
        compared(&[vec![0.5, 0.2, 0.1, 1.0]], &[vec![0.7, 0.1, 0.4, 1.0]], Resampling::default());
    let [comparison] = ours.as_slice() else { panic!("{ours:?}") };
    assert!((comparison.delta - 0.1).abs() < 1e-15, "{comparison:?}");
    assert_eq!(comparison.delta, comparison.b - comparison.a);
    assert_eq!((comparison.better, comparison.worse, comparison.tied), (2, 1, 1));
    assert!(comparison.ci_low <= comparison.delta && comparison.delta <= comparison.ci_high);
    // ±0.2 ±0.1 ±0.3: |sum| ≥ 0.4 in 4 of 8; the sum 0.4 is reached only up to rounding
    assert_eq!(comparison.p_value, 0.5);
    assert_eq!(comparison.p_adjusted, 0.5);
}

#[test]
fn the_same_seed_gives_the_same_answer_and_another_metric_changes_none() {
    let value =
        |seed: u64, row: u64| ((row * row * seed * 7919 + row * 104_729) % 1009) as f64 / 1009.0;
    let column = |seed| (0..200).map(|row| value(seed, row)).collect::<Vec<f64>>();
    let (a, b) = (vec![column(1), column(2), column(3)], vec![column(4), column(5), column(6)]);
    let resampling = Resampling { samples: 2000, seed: 7 };
    let all = compared(&a, &b, resampling);
    assert_eq!(all, compared(&a, &b, resampling));
    let alone = compared(&a[..1], &b[..1], resampling);
    assert_eq!((alone[0].p_value, alone[0].ci_low), (all[0].p_value, all[0].ci_low));
    let other = compared(&a, &b, Resampling { seed: 8, ..resampling });
    assert_ne!(other[0].ci_low, all[0].ci_low);
    for comparison in &all {
        assert!(comparison.p_value <= comparison.p_adjusted && comparison.p_adjusted <= 1.0);
    }
    // Recorded: the answer of a seed may not change with a platform or a version.
    let recorded = compared(&[column(1)], &[column(9)], Resampling { samples: 500, seed: 42 });
    let shown =
        format!("{:.6} {:.6} {:.6}", recorded[0].p_value, recorded[0].ci_low, recorded[0].ci_high);
    assert_eq!(shown, "0.968064 -0.059688 0.060354");
}

#[test]
fn equal_runs_have_p_one() {
    let ours = compared(&[vec![0.3; 100]], &[vec![0.3; 100]], Resampling::default());
    assert_eq!((ours[0].p_value, ours[0].ci_low, ours[0].ci_high), (1.0, 0.0, 0.0));
    assert_eq!(ours[0].tied, 100);
}

#[test]
fn refuses_what_cannot_be_compared() {
    let (two, three) = (ids(2), ids(3));
    let a = evaluation(&two, &[vec![0.0; 2]]);
    let error = |b: &Evaluation, resampling| compare(&a, b, resampling, || true).unwrap_err();
    let longer = evaluation(&three, &[vec![0.0; 3]]);
    let query = "000000002".to_owned();
    let fine = Resampling::default();
    assert_eq!(error(&longer, fine), CompareError::DifferentQueries { query });
    let other = evaluation(&three[1..], &[vec![0.0; 2]]);
    let query = "000000000".to_owned();
    assert_eq!(error(&other, fine), CompareError::DifferentQueries { query });
    let more = evaluation(&two, &[vec![0.0; 2], vec![0.0; 2]]);
    assert_eq!(error(&more, fine), CompareError::DifferentMetrics);
    for samples in [0, Resampling::MAX_SAMPLES + 1] {
        assert_eq!(error(&a, Resampling { samples, seed: 1 }), CompareError::Samples { samples });
    }
    let none = evaluation(&[], &[vec![]]);
    assert_eq!(compare(&none, &none, fine, || true), Err(CompareError::NoQueries));
    assert_eq!(compare(&a, &a, fine, || false), Err(CompareError::Interrupted));
}
