//! `models()`: what is installed; `load_model` and `unload_model`.

use crate::engine;
use crate::postgres::error::raise;
use crate::postgres::text::Text;
use pgrx::prelude::*;

type Row = (
    Text,
    Option<Text>,
    Vec<Text>,
    Option<i32>,
    Option<i32>,
    Option<Text>,
    Option<Text>,
    bool,
    Option<i64>,
    Option<Text>,
    Option<Text>,
);

/// Every directory under `itembank_embed.model_path`: a model, or what keeps it from being one.
///
/// `device` and `loaded` speak of the engine that answers this session: the engine process, or this backend.
#[pg_extern(volatile, parallel_restricted, cost = 1000)]
#[expect(clippy::type_complexity, reason = "pgrx reads column names from this very type")]
fn models() -> TableIterator<
    'static,
    (
        name!(name, Text),
        name!(kind, Option<Text>),
        name!(modalities, Vec<Text>),
        name!(dimensions, Option<i32>),
        name!(max_tokens, Option<i32>),
        name!(precision, Option<Text>),
        name!(device, Option<Text>),
        name!(loaded, bool),
        name!(bytes, Option<i64>),
        name!(fingerprint, Option<Text>),
        name!(problem, Option<Text>),
    ),
> {
    let int = |n: Option<usize>| n.and_then(|n| i32::try_from(n).ok());
    let rows = engine::models().unwrap_or_else(raise).into_iter().map(move |model| -> Row {
        (
            Text::from(model.name),
            model.kind.map(Text::from),
            model.modalities.into_iter().map(Text::from).collect(),
            int(model.dimensions),
            int(model.max_tokens),
            model.precision.map(Text::from),
            model.device.map(Text::from),
            model.loaded,
            model.bytes.and_then(|n| i64::try_from(n).ok()),
            model.fingerprint.map(Text::from),
            model.problem.map(Text::from),
        )
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}

/// Loads all of a model now, so that no later call waits for it; false where it was loaded already.
#[pg_extern(volatile, parallel_restricted, cost = 1000000)]
fn load_model(name: Text) -> bool {
    engine::load_model(name.into_string()).unwrap_or_else(raise)
}

/// Lets a model go, so that its memory is free; false where it was not loaded. The next call loads it again.
#[pg_extern(volatile, parallel_restricted, cost = 1000)]
fn unload_model(name: Text) -> bool {
    engine::unload_model(name.into_string()).unwrap_or_else(raise)
}
