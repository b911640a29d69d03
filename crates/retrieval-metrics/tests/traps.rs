//! One golden case for each trap of the definitions, computed by hand.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use retrieval_metrics::{
    EvaluateError, Gain, Judgement, Mean, MeanError, Metric, Missing, Options, QueryState,
    Retrieved, Settings, StateError, Tie, evaluate,
};

type Row = (Option<u32>, Option<i32>);

fn value(metric: &str, rows: &[Row]) -> f64 {
    with(metric, Options::default(), rows).unwrap()
}

fn with(metric: &str, options: Options, rows: &[Row]) -> Result<f64, StateError> {
    let mut state = QueryState::new(metric.parse().unwrap(), options);
    for (rank, grade) in rows {
        state.observe(*rank, *grade)?;
    }
    state.finish()
}

/// A document at this rank with this grade; an unjudged one; one that the run missed.
fn at(rank: u32, grade: i32) -> Row {
    (Some(rank), Some(grade))
}
fn unjudged(rank: u32) -> Row {
    (Some(rank), None)
}
fn missed(grade: i32) -> Row {
    (None, Some(grade))
}

#[test]
fn recall_is_over_all_relevant_documents_never_over_the_smaller_of_r_and_k() {
    let rows = [at(1, 1), at(2, 1), at(3, 1), missed(1)];
    assert_eq!(value("recall@2", &rows), 0.5);
    assert_eq!(value("recall@1", &[unjudged(1), missed(0)]), 0.0);
}

#[test]
fn precision_and_judged_are_over_k_even_where_fewer_were_retrieved() {
    let rows = [at(1, 1), at(2, 0), missed(1)];
    assert_eq!(value("precision@5", &rows), 0.2);
    assert_eq!(value("judged@5", &rows), 0.4);
    assert_eq!(value("judged@5", &[at(1, -1), unjudged(2), missed(0)]), 0.2); // −1 is a judgement
}

#[test]
fn hit_rate_is_one_for_any_hit_within_k() {
    assert_eq!(value("hit_rate@2", &[at(3, 1), at(2, 0)]), 0.0);
    assert_eq!(value("hit_rate@3", &[at(3, 1), at(2, 1)]), 1.0);
}

#[test]
fn unjudged_and_negative_documents_keep_their_rank() {
    let rows = [unjudged(1), at(2, -1), at(3, 0), at(4, 2), missed(-2)];
    assert_eq!(value("mrr", &rows), 0.25);
    assert_eq!(value("map", &rows), 0.25);
    assert_eq!(value("precision@4", &rows), 0.25);
    assert_eq!(value("recall@4", &rows), 1.0); // negative judgements are not among R
    assert_eq!(value("ndcg@4", &rows), 1.0 / 5f64.log2());
}

#[test]
fn reciprocal_rank_has_no_cutoff_unless_one_is_given() {
    let rows = [at(70, 1), at(5000, 1)];
    assert_eq!(value("mrr", &rows), 1.0 / 70.0);
    assert_eq!(value("mrr@69", &rows), 0.0);
    assert_eq!(value("mrr@70", &rows), 1.0 / 70.0);
}

#[test]
fn average_precision_is_over_r_also_with_a_cutoff() {
    let rows = [at(1, 1), at(2, 0), at(3, 1), at(4, 1), missed(1)];
    assert_eq!(value("map", &rows), (1.0 + 2.0 / 3.0 + 3.0 / 4.0) / 4.0);
    assert_eq!(value("map@3", &rows), (1.0 + 2.0 / 3.0) / 4.0);
}

#[test]
fn ndcg_ideal_is_the_best_k_of_all_judgements_retrieved_or_not() {
    let rows = [at(1, 1), missed(3), missed(2)];
    assert_eq!(value("ndcg@1", &rows), 1.0 / 3.0);
    assert_eq!(value("ndcg@2", &rows), 1.0 / (3.0 + 2.0 / 3f64.log2()));
    assert_eq!(value("ndcg@10", &[at(1, 0), missed(-1)]), 0.0);
}

#[test]
fn ndcg_ignores_min_relevance_and_knows_exponential_gain() {
    let strict = Options::new(3, Gain::Linear).unwrap();
    let rows = [at(1, 1), at(2, 2), missed(2)];
    assert_eq!(with("ndcg@2", strict, &rows).unwrap(), value("ndcg@2", &rows));
    assert_eq!(with("recall@2", strict, &rows), Ok(0.0));
    let exponential = Options::new(1, Gain::Exponential).unwrap();
    let ideal = 3.0 + 3.0 / 3f64.log2();
    assert_eq!(with("ndcg@2", exponential, &rows), Ok((1.0 + 3.0 / 3f64.log2()) / ideal));
    let error = StateError::GradeTooLarge { grade: 513 };
    assert_eq!(with("ndcg@2", exponential, &[at(1, 513)]), Err(error));
}

#[test]
fn min_relevance_zero_makes_judged_zeros_relevant_but_never_negatives_or_unjudged() {
    let lenient = Options::new(0, Gain::Linear).unwrap();
    let rows = [unjudged(1), at(2, -1), at(3, 0), missed(0)];
    assert_eq!(with("recall@3", lenient, &rows), Ok(0.5));
    assert_eq!(with("bpref", lenient, &rows), Ok(0.5));
}

#[test]
fn r_precision_looks_at_the_first_r() {
    assert_eq!(value("r_precision", &[at(1, 1), at(3, 1), missed(0)]), 0.5);
    assert_eq!(value("r_precision", &[at(1, 1), at(3, 1), missed(1)]), 2.0 / 3.0);
    assert_eq!(value("r_precision", &[at(1, 0)]), 0.0);
}

#[test]
fn bpref_counts_judged_non_relevant_documents_alone_up_to_the_smaller_of_r_and_n() {
    assert_eq!(value("bpref", &[at(5, 1), at(9, 1)]), 1.0); // none above: 1 a hit
    assert_eq!(value("bpref", &[unjudged(1), at(2, -1), at(3, 1), at(4, 0)]), 1.0);
    // R = 2, N = 3: the first hit has one above, the second three, capped at R
    let rows = [at(1, 0), at(2, 1), at(3, 0), at(4, 0), at(5, 1)];
    assert_eq!(value("bpref", &rows), 0.5 / 2.0);
    // R = 3, N = 1: the one above costs all
    assert_eq!(value("bpref", &[at(1, 0), at(2, 1), at(3, 1), missed(1)]), 0.0);
    assert_eq!(value("bpref", &[at(1, 0)]), 0.0);
}

#[test]
fn nothing_found_is_zero_and_not_minus_zero() {
    let rows = [unjudged(1), missed(1)];
    for metric in ["map", "map@5", "ndcg@5", "r_precision", "bpref", "mrr", "recall@5"] {
        assert!(value(metric, &rows).is_sign_positive(), "{metric}");
    }
}

#[test]
fn duplicate_ranks_are_told() {
    let twice = |rank| Err(StateError::DuplicateRank { rank });
    for metric in ["recall@1", "mrr", "map", "ndcg@1", "bpref", "r_precision", "judged@1"] {
        let rows = [unjudged(64), at(64, 1)];
        assert_eq!(with(metric, Options::default(), &rows), twice(64), "{metric}");
    }
    for metric in ["map", "ndcg@100", "bpref", "r_precision"] {
        let rows = [at(65, 1), at(65, 1)];
        assert_eq!(with(metric, Options::default(), &rows), twice(65), "{metric}");
    }
    assert_eq!(with("bpref", Options::default(), &[at(65, 1), at(65, 0)]), twice(65));
    assert_eq!(with("mrr", Options::default(), &[at(0, 1)]), Err(StateError::RankZero));
    let many: Vec<Row> = (1..=70).map(|n| at(n.min(66), 1)).collect();
    let error = StateError::TooManyWithin { k: 66 };
    assert_eq!(with("precision@66", Options::default(), &many), Err(error));
}

fn mean(metric: &str, rows: &[(&str, Row)]) -> Result<Option<f64>, MeanError> {
    let mut mean = Mean::new(metric.parse().unwrap(), Options::default());
    for (query, (rank, grade)) in rows {
        mean.observe(query.as_bytes(), *rank, *grade)?;
    }
    mean.finish()
}

#[test]
fn means_are_over_the_queries_of_the_judgements() {
    let rows = [
        ("found", at(1, 1)),
        ("nothing relevant", at(1, 0)),
        ("missed by the run", missed(1)),
        ("not judged", unjudged(1)),
    ];
    assert_eq!(mean("mrr", &rows), Ok(Some(1.0 / 3.0)));
    assert_eq!(mean("judged@1", &rows), Ok(Some(2.0 / 3.0)));
    assert_eq!(mean("mrr", &rows[3..]), Ok(None));
    assert_eq!(mean("mrr", &[]), Ok(None));
    let error = mean("map", &[("질의", at(3, 1)), ("질의", at(3, 0))]).unwrap_err();
    assert!(error.to_string().starts_with("query \"질의\": rank 3 occurs twice"), "{error}");
}

fn scores<'a>(rows: &[(&'a str, &'a str, f64)]) -> Vec<Retrieved<'a>> {
    rows.iter()
        .map(|(query, document, score)| Retrieved { query, document, score: *score })
        .collect()
}

fn grades<'a>(rows: &[(&'a str, &'a str, i32)]) -> Vec<Judgement<'a>> {
    rows.iter()
        .map(|(query, document, grade)| Judgement { query, document, grade: *grade })
        .collect()
}

#[test]
fn the_cut_comes_after_ties_are_ordered() {
    let run = scores(&[("q", "가", 0.5), ("q", "나", 0.5 + 1e-11)]);
    let judgements = grades(&[("q", "가", 1)]);
    let metrics: [Metric; 2] = ["mrr@1".parse().unwrap(), "recall@1".parse().unwrap()];
    for (tie, found) in [(Tie::Trec9, 0.0), (Tie::Trec10, 0.0), (Tie::Given, 1.0)] {
        let settings = Settings { tie, ..Settings::default() };
        let evaluation = evaluate(&run, &judgements, &metrics, &settings, || true).unwrap();
        assert_eq!(evaluation.queries[0].values, [found, found], "{tie:?}");
    }
}

#[test]
fn missing_queries_count_as_zero_or_are_skipped() {
    let run = scores(&[("b", "d", 1.0), ("unjudged", "d", 1.0)]);
    let judgements = grades(&[("b", "d", 1), ("a", "d", 1)]);
    let metrics = ["mrr".parse().unwrap()];
    let mut settings = Settings::default();
    let evaluation = evaluate(&run, &judgements, &metrics, &settings, || true).unwrap();
    let ids: Vec<&str> = evaluation.queries.iter().map(|query| query.query).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(evaluation.means(), [Some(0.5)]);
    settings.missing = Missing::Skip;
    assert_eq!(
        evaluate(&run, &judgements, &metrics, &settings, || true).unwrap().means(),
        [Some(1.0)]
    );
    assert_eq!(evaluate(&run, &[], &metrics, &settings, || true).unwrap().means(), [None]);
}

#[test]
fn errors_name_query_and_document() {
    let metrics = ["ndcg@5".parse().unwrap()];
    let judged = grades(&[("질의", "문항", 600), ("b", "x", 1)]);
    let run = scores(&[("질의", "문항", 1.0)]);
    let message = |run: &[Retrieved], judged: &[Judgement], settings: &Settings| {
        let error: EvaluateError = evaluate(run, judged, &metrics, settings, || true).unwrap_err();
        error.to_string()
    };
    let settings = Settings::default();
    for query in ["질의", "unjudged"] {
        let nan = scores(&[(query, "문항", f64::NAN)]);
        let expected = format!("query {query:?}: the score of document \"문항\" is NaN");
        assert_eq!(message(&nan, &judged, &settings), expected);
        let twice = scores(&[(query, "문항", 1.0), ("b", "x", 1.0), (query, "문항", 0.5)]);
        let expected = format!("query {query:?}: document \"문항\" occurs twice in the run");
        assert_eq!(message(&twice, &judged, &settings), expected);
    }
    let twice = grades(&[("질의", "문항", 1), ("b", "x", 1), ("질의", "문항", 0)]);
    let expected = "query \"질의\": document \"문항\" occurs twice in the judgements";
    assert_eq!(message(&run, &twice, &settings), expected);
    let options = Options::new(1, Gain::Exponential).unwrap();
    let exponential = Settings { options, ..settings };
    let expected = "query \"질의\", document \"문항\": grade 600 is above 512, ";
    assert!(message(&run, &judged, &exponential).starts_with(expected));
}
