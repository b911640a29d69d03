//! What holds of every metric on any rows.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use proptest::collection::vec;
use proptest::prelude::*;
use retrieval_metrics::{BytesError, Gain, Mean, Metric, Options, QueryState};
use std::num::NonZeroU32;

type Row = (Option<u32>, Option<i32>);

fn metric() -> impl Strategy<Value = Metric> {
    let k = || prop_oneof![1u32..12, Just(100)].prop_filter_map("0", NonZeroU32::new);
    prop_oneof![
        k().prop_map(Metric::Recall),
        k().prop_map(Metric::Precision),
        k().prop_map(Metric::HitRate),
        proptest::option::of(k()).prop_map(Metric::ReciprocalRank),
        proptest::option::of(k()).prop_map(Metric::AveragePrecision),
        k().prop_map(Metric::Ndcg),
        Just(Metric::RPrecision),
        Just(Metric::Bpref),
        k().prop_map(Metric::Judged),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let gain = prop_oneof![Just(Gain::Linear), Just(Gain::Exponential)];
    (0..4, gain).prop_map(|(min_relevance, gain)| Options::new(min_relevance, gain).unwrap())
}

/// The rows of a query in random order: distinct ranks, most of them low, some beyond 64.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let grade = || proptest::option::of(prop_oneof![-2..5, Just(0), Just(300)]);
    let retrieved = vec((1u32..4, grade()), 0..40).prop_map(|rows| {
        let mut rank = 0;
        let step = |(step, grade): (u32, Option<i32>)| {
            rank += step * step;
            (Some(rank), grade)
        };
        rows.into_iter().map(step).collect::<Vec<Row>>()
    });
    let missed = vec(grade().prop_map(|grade| (None, grade)), 0..30);
    (retrieved, missed).prop_map(|(a, b)| [a, b].concat()).prop_shuffle()
}

fn queries() -> impl Strategy<Value = Vec<(String, Row)>> {
    vec(("[a-c가나]{0,2}", rows()), 0..6).prop_map(|queries| {
        let mut distinct = std::collections::BTreeMap::new();
        distinct.extend(queries);
        let row = |(query, rows): (String, Vec<Row>)| {
            rows.into_iter().map(move |row| (query.clone(), row)).collect::<Vec<_>>()
        };
        distinct.into_iter().flat_map(row).collect()
    })
}

fn state(metric: Metric, options: Options, rows: &[Row]) -> QueryState {
    let mut state = QueryState::new(metric, options);
    for (rank, grade) in rows {
        state.observe(*rank, *grade).unwrap();
    }
    state
}

fn mean(metric: Metric, options: Options, rows: &[(String, Row)]) -> Mean {
    let mut mean = Mean::new(metric, options);
    for (query, (rank, grade)) in rows {
        mean.observe(query.as_bytes(), *rank, *grade).unwrap();
    }
    mean
}

fn bits(mean: &Mean) -> Option<u64> {
    mean.finish().unwrap().map(f64::to_bits)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_lie_between_0_and_1(m in metric(), o in options(), rows in rows()) {
        let value = state(m, o, &rows).finish().unwrap();
        prop_assert!((0.0..=1.0).contains(&value), "{m}: {value}");
    }

    #[test]
    fn a_state_is_order_free_and_merges_associatively(
        m in metric(), o in options(), rows in rows(), cuts in (0usize..70, 0usize..70),
    ) {
        let (low, high) = (cuts.0.min(cuts.1).min(rows.len()), cuts.0.max(cuts.1).min(rows.len()));
        let part = |range: &[Row]| state(m, o, range);
        let (a, b, c) = (part(&rows[..low]), part(&rows[low..high]), part(&rows[high..]));
        let whole = part(&rows).finish().unwrap().to_bits();
        let reversed: Vec<Row> = rows.iter().rev().copied().collect();
        prop_assert_eq!(part(&reversed).finish().unwrap().to_bits(), whole);
        let mut left = a.clone(); // (a b) c
        left.merge(b.clone()).unwrap();
        left.merge(c.clone()).unwrap();
        prop_assert_eq!(left.finish().unwrap().to_bits(), whole);
        let mut right = c; // (c b) a: other order, other nesting
        let mut inner = b;
        inner.merge(a).unwrap();
        right.merge(inner).unwrap();
        prop_assert_eq!(right.finish().unwrap().to_bits(), whole);
    }

    #[test]
    fn a_mean_is_order_free_and_merges_in_any_split(
        m in metric(), o in options(), rows in queries().prop_shuffle(), split in 0usize..200,
    ) {
        let whole = bits(&mean(m, o, &rows));
        let (front, back) = rows.split_at(split.min(rows.len()));
        let (mut a, mut b) = (mean(m, o, front), mean(m, o, back));
        let other = a.clone();
        a.merge(b.clone()).unwrap();
        b.merge(other).unwrap();
        prop_assert_eq!(bits(&a), whole);
        prop_assert_eq!(bits(&b), whole);
    }

    #[test]
    fn more_ranks_never_lose_recall(rows in rows(), o in options(), k in 1u32..99) {
        for at in [Metric::Recall, Metric::HitRate] {
            let value = |k| state(at(NonZeroU32::new(k).unwrap()), o, &rows).finish().unwrap();
            prop_assert!(value(k) <= value(k + 1));
        }
    }

    #[test]
    fn bytes_keep_a_mean(m in metric(), o in options(), rows in queries()) {
        let mean = mean(m, o, &rows);
        let bytes = mean.to_bytes();
        let read = Mean::from_bytes(&bytes).unwrap();
        prop_assert_eq!(bits(&read), bits(&mean));
        prop_assert_eq!((read.metric(), read.options()), (m, o));
        prop_assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn foreign_bytes_are_an_error_or_a_mean_in_range(
        m in metric(), o in options(), rows in queries(),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<bool>(),
    ) {
        let mut bytes = mean(m, o, &rows).to_bytes();
        for (index, byte) in edits {
            let place = index.index(bytes.len());
            bytes[place] = byte;
            if cut {
                bytes.truncate(place.max(1));
            }
        }
        use_it(&bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        use_it(&bytes);
        use_it(&[&[1], bytes.as_slice()].concat());
    }
}

fn use_it(bytes: &[u8]) {
    let Ok(mut mean) = Mean::from_bytes(bytes) else { return };
    let value = mean.finish();
    assert!(matches!(value, Err(_) | Ok(None | Some(0.0..=1.0))), "{value:?}");
    let _ = mean.observe(b"q", Some(1), Some(1));
    let _ = mean.merge(mean.clone());
}

#[test]
fn bytes_that_are_no_mean_are_refused() {
    let mut mean = Mean::new(Metric::Bpref, Options::default());
    mean.observe("질의".as_bytes(), Some(1), Some(1)).unwrap();
    let bytes = mean.to_bytes();
    assert_eq!(Mean::from_bytes(&[]).unwrap_err(), BytesError::Malformed);
    for end in 1..bytes.len() {
        assert_eq!(Mean::from_bytes(&bytes[..end]).unwrap_err(), BytesError::Malformed);
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(Mean::from_bytes(&longer).unwrap_err(), BytesError::Malformed);
    let newer = [&[9], &bytes[1..]].concat();
    assert_eq!(Mean::from_bytes(&newer).unwrap_err(), BytesError::Version(9));
    // a count of 2^60 queries, and a list of 2^28 ranks, with nothing behind them
    let mut header = Mean::new(Metric::Bpref, Options::default()).to_bytes();
    header.pop();
    let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    let claims = [header.as_slice(), &huge].concat();
    assert_eq!(Mean::from_bytes(&claims).unwrap_err(), BytesError::Malformed);
    let claims = [header.as_slice(), &[1, 0, 0, 1, 4, 1, 1, 0x80, 0x80, 0x80, 0x80, 1]].concat();
    assert_eq!(Mean::from_bytes(&claims).unwrap_err(), BytesError::Malformed);
}

#[test]
fn means_of_different_rules_do_not_merge() {
    let mut mean = Mean::new(Metric::Bpref, Options::default());
    assert!(mean.merge(Mean::new(Metric::RPrecision, Options::default())).is_err());
    let strict = Options::new(2, Gain::Linear).unwrap();
    assert!(mean.merge(Mean::new(Metric::Bpref, strict)).is_err());
    let mut state = QueryState::new(Metric::Bpref, strict);
    assert!(state.merge(QueryState::new(Metric::Bpref, Options::default())).is_err());
}
