//! Evaluation results for people: recall over k as an SVG.
//!
//! Knows numbers and names; computes no metric, opens no file, reads no clock. The same input gives
//! the same bytes.
//!
//! [`recall_curve`] draws the mean recall of several models over the rank k, with its intervals.
//!
//! ```
//! use evaluation_report::{Point, Series, recall_curve};
//!
//! let points = [(1, 0.13), (5, 0.33), (10, 0.48)]
//!     .map(|(k, mean)| Point { k, mean, low: mean - 0.05, high: mean + 0.05 });
//! let series = Series { name: "KURE-v1".to_owned(), points: points.to_vec() };
//! assert!(recall_curve(Some("Korean items"), &[series]).starts_with("<svg "));
//! ```

mod axis;
mod legend;
mod marks;
mod markup;
mod recall_curve;
mod style;

pub use recall_curve::{Point, Series, recall_curve};
