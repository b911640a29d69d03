//! Drawings of evaluations.

use super::{given, invalid};
use crate::postgres::array::TextArray;
use crate::postgres::error::raise;
use crate::postgres::text::Text;
use evaluation_report::{Point, Series, recall_curve};
use pgrx::prelude::*;
use protocol::Fault;

/// Recall over k, a curve and a band for each model, as SVG.
///
/// `means`, `lows` and `highs` hold the points of one model behind those of the other, as many as
/// `ks` for each.
#[pg_extern(sql = false)]
fn recall_curve_svg(
    models: Option<TextArray>,
    ks: Option<Vec<Option<i32>>>,
    means: Option<Vec<Option<f64>>>,
    lows: Option<Vec<Option<f64>>>,
    highs: Option<Vec<Option<f64>>>,
    title: Option<Text>,
) -> Text {
    let series = || {
        let values = [given("means", means)?, given("lows", lows)?, given("highs", highs)?];
        series(given("models", models)?, &given("ks", ks)?, values)
    };
    let series = series().unwrap_or_else(raise);
    Text::from(recall_curve(title.as_ref().map(Text::as_str), &series))
}

fn series(
    models: TextArray,
    ks: &[Option<i32>],
    values: [Vec<Option<f64>>; 3],
) -> Result<Vec<Series>, Fault> {
    let points = models.0.len() * ks.len();
    if values.iter().any(|values| values.len() != points) {
        let message =
            format!("{} models at {} cut-offs need {points} values", models.0.len(), ks.len());
        return Err(invalid(&message, "Call evaluation_svg."));
    }
    let [means, lows, highs] = values;
    let value =
        |values: &[Option<f64>], at: usize| values.get(at).copied().flatten().unwrap_or(f64::NAN);
    let drawn = models.0.into_iter().enumerate().map(|(model, name)| {
        let point = |(number, k): (usize, &Option<i32>)| {
            let at = model * ks.len() + number;
            let k = u32::try_from((*k)?).ok()?;
            Some(Point {
                k,
                mean: value(&means, at),
                low: value(&lows, at),
                high: value(&highs, at),
            })
        };
        let points = ks.iter().enumerate().filter_map(point).collect();
        Series { name: name.unwrap_or_default(), points }
    });
    Ok(drawn.collect())
}
