//! Aggregates over rows of `run FULL JOIN judgements`: the mean of a metric over the queries.

use super::held::{meter, too_large};
use super::invalid;
use crate::postgres::aggregate::{state, with_state};
use crate::postgres::error::raise;
use pgrx::prelude::*;
use pgrx::{Internal, pg_sys};
use protocol::{Fault, FaultCode};
use retrieval_metrics::{Gain, Held, Mean, MeanError, Metric, Options, OverLimit};
use std::num::NonZeroU32;

const HINT: &str = "Give one row a query and document: its rank in the run from 1 (row_number), NULL where it was \
                    not retrieved, and its relevance, NULL where it is not judged. Group by the run where there are several.";

/// A state: the mean, and how much of the session's memory it counts for, until it is dropped with the aggregation.
struct State {
    mean: Mean,
    held: Held,
}

impl State {
    /// Of a mean, besides what it allocates.
    const FIXED: usize = size_of::<Self>();

    fn of(mean: Mean) -> Result<Self, Fault> {
        let mut state = Self { mean, held: Held::nothing(&meter()) };
        state.count()?;
        Ok(state)
    }

    /// Adds to the mean.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Mean) -> Result<(), MeanError>,
    ) -> Result<(), Fault> {
        change(&mut self.mean).map_err(|error| invalid(&error, HINT))?;
        self.count()
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.held.set(Self::FIXED + self.mean.allocated()).map_err(too_large)
    }
}

/// Of a state on its way to another process: PostgreSQL's own limit for one value.
const MAX_BYTES: usize = (1 << 30) - 64;

/// A row as the aggregates get it: bytes of the query's id, rank, relevance.
type Row<'a> = (Option<&'a [u8]>, Option<i64>, Option<i32>);

/// A transition function: `$metric` makes the metric of the cut-off `k`.
macro_rules! observer {
    ($name:ident, k, $metric:expr) => {
        #[pg_extern(sql = false)]
        fn $name(
            state: Internal,
            query: Option<&[u8]>,
            rank: Option<i64>,
            relevance: Option<i32>,
            k: Option<i32>,
            fcinfo: pg_sys::FunctionCallInfo,
        ) -> Internal {
            let metric = || cutoff(k).map($metric);
            observe(state, fcinfo, metric, (query, rank, relevance)).unwrap_or_else(raise)
        }
    };
    ($name:ident, $metric:expr) => {
        #[pg_extern(sql = false)]
        fn $name(
            state: Internal,
            query: Option<&[u8]>,
            rank: Option<i64>,
            relevance: Option<i32>,
            fcinfo: pg_sys::FunctionCallInfo,
        ) -> Internal {
            observe(state, fcinfo, || Ok($metric), (query, rank, relevance)).unwrap_or_else(raise)
        }
    };
}

observer!(observe_recall, k, Metric::Recall);
observer!(observe_precision, k, Metric::Precision);
observer!(observe_hit_rate, k, Metric::HitRate);
observer!(observe_judged, k, Metric::Judged);
observer!(observe_ndcg, k, Metric::Ndcg);
observer!(observe_reciprocal_rank_at, k, |k| Metric::ReciprocalRank(Some(k)));
observer!(observe_average_precision_at, k, |k| Metric::AveragePrecision(Some(k)));
observer!(observe_reciprocal_rank, Metric::ReciprocalRank(None));
observer!(observe_average_precision, Metric::AveragePrecision(None));
observer!(observe_r_precision, Metric::RPrecision);
observer!(observe_bpref, Metric::Bpref);

/// As nDCG, with the gain by name.
#[pg_extern(sql = false)]
fn observe_ndcg_gain(
    state: Internal,
    query: Option<&[u8]>,
    rank: Option<i64>,
    relevance: Option<i32>,
    k: Option<i32>,
    gain: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Internal {
    let rule = || {
        let gain = gain.ok_or_else(|| null("gain"))?.parse::<Gain>();
        let gain = gain.map_err(|error| invalid(&error, "Use 'linear' or 'exponential'."))?;
        let options = Options::new(1, gain).map_err(|error| invalid(&error, HINT))?;
        Ok((Metric::Ndcg(cutoff(k)?), options))
    };
    add(state, fcinfo, rule, (query, rank, relevance)).unwrap_or_else(raise)
}

/// Two partial states as one.
#[pg_extern(sql = false)]
fn metric_combine(first: Internal, second: Internal, fcinfo: pg_sys::FunctionCallInfo) -> Internal {
    let Some(State { mean: other, .. }) = state(&second) else { return first };
    let merged = || {
        // The copy that is merged counts as well.
        let mut copy = Held::nothing(&meter());
        copy.set(other.allocated()).map_err(too_large)?;
        let empty = || State::of(Mean::new(other.metric(), other.options()));
        with_state(first, fcinfo, empty, |state: &mut State| {
            state.change(|mean| mean.merge(other.clone()))
        })
    };
    merged().unwrap_or_else(raise)
}

/// A partial state as bytes, for the leader of a parallel plan.
#[pg_extern(sql = false)]
fn metric_serialize(partial: Internal) -> Vec<u8> {
    let bytes = state::<State>(&partial).map(|state| state.mean.to_bytes()).unwrap_or_default();
    if bytes.len() > MAX_BYTES {
        return raise(too_large(OverLimit { limit: MAX_BYTES }));
    }
    bytes
}

/// The state that `metric_serialize` wrote.
#[pg_extern(sql = false)]
fn metric_deserialize(
    bytes: &[u8],
    _unused: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Internal {
    let read = || {
        let mean = Mean::from_bytes(bytes).map_err(|error| {
            Fault::new(FaultCode::Internal, "a partial state cannot be read")
                .detail(format!("{error}."))
                .hint("This is a bug; please report it.")
        });
        State::of(mean?)
    };
    with_state(Internal::default(), fcinfo, read, |_: &mut State| Ok(())).unwrap_or_else(raise)
}

/// The mean over the judged queries; NULL where there is none.
#[pg_extern(sql = false)]
fn metric_mean(whole: Internal) -> Option<f64> {
    let mean = state::<State>(&whole)?.mean.finish();
    mean.map_err(|error| invalid(&error, HINT)).unwrap_or_else(raise)
}

fn observe(
    state: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
    metric: impl FnOnce() -> Result<Metric, Fault>,
    row: Row,
) -> Result<Internal, Fault> {
    add(state, fcinfo, || Ok((metric()?, Options::default())), row)
}

/// Adds a row; `rule` is what every row of the aggregate says again.
fn add(
    state: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
    rule: impl FnOnce() -> Result<(Metric, Options), Fault>,
    (query, rank, relevance): Row,
) -> Result<Internal, Fault> {
    let query = query.ok_or_else(|| null("query_id"))?;
    let rank = rank.map(|rank| u32::try_from(rank).map_err(|_| no_rank(rank))).transpose()?;
    let (metric, options) = rule()?;
    with_state(
        state,
        fcinfo,
        || State::of(Mean::new(metric, options)),
        |state: &mut State| {
            if (state.mean.metric(), state.mean.options()) != (metric, options) {
                return Err(invalid(&"k or gain differs between the rows of one aggregate", HINT));
            }
            state.change(|mean| mean.observe(query, rank, relevance))
        },
    )
}

fn cutoff(k: Option<i32>) -> Result<NonZeroU32, Fault> {
    let Some(k) = k else { return Err(null("k")) };
    u32::try_from(k).ok().and_then(NonZeroU32::new).ok_or_else(|| {
        Fault::new(FaultCode::InvalidParameter, "k must be positive")
            .detail(format!("It is {k}."))
            .hint("k is the number of best hits that count.")
    })
}

fn null(argument: &str) -> Fault {
    Fault::new(FaultCode::InvalidParameter, format!("{argument} must not be null"))
        .detail("Rank and relevance alone may be.")
        .hint(HINT)
}

fn no_rank(rank: i64) -> Fault {
    Fault::new(FaultCode::InvalidParameter, format!("{rank} is no rank"))
        .detail(format!("Ranks count from 1 to {}.", u32::MAX))
        .hint(HINT)
}
