//! What is drawn of one series: its band, its line, and a mark at each point.

use crate::axis::{Frame, k_ticks};
use crate::markup::escape;
use crate::recall_curve::{Point, Series};
use crate::style::{colour_class, dash, marker};

/// More points than this are marked at the ticks of the axis alone.
const MARKED_POINTS: u32 = 30;

/// Pixels between the marks of two series where all stand at one k.
const APART: f64 = 36.0;

/// One series as it is drawn; its points are finite and in the order of k.
pub struct Marks<'a> {
    /// Position among all series: decides colour, dash and marker.
    pub index: usize,
    /// Name and points.
    pub series: &'a Series,
    /// Pixels to the right of where k stands.
    pub shift: f64,
}

impl<'a> Marks<'a> {
    /// Every series of a picture.
    pub fn of(series: &'a [Series], frame: &Frame) -> Vec<Self> {
        let middle = (series.len() as f64 - 1.0) / 2.0;
        let apart = APART.min(frame.width / series.len().max(1) as f64);
        let shift = |index: usize| match frame.ks {
            (first, last) if first == last => (index as f64 - middle) * apart,
            _ => 0.0,
        };
        let each = series.iter().enumerate();
        each.map(|(index, series)| Self { index, series, shift: shift(index) }).collect()
    }

    /// The interval: a band over several ks, a whisker at a single one.
    pub fn band(&self, frame: &Frame) -> String {
        let class = colour_class(self.index);
        let points = &self.series.points;
        if let [point] = points.as_slice() {
            let (x, low, high) = (self.x(frame, point), frame.y(point.low), frame.y(point.high));
            let (left, right) = (x - 6.0, x + 6.0);
            return format!(
                "<g class=\"{class}\"><path class=\"line\" d=\"M{x:.1} {low:.1}V{high:.1}\
                 M{left:.1} {low:.1}H{right:.1}M{left:.1} {high:.1}H{right:.1}\"/></g>\n"
            );
        }
        let upper = points.iter().map(|point| self.at(frame, point, point.high));
        let lower = points.iter().map(|point| self.at(frame, point, point.low));
        let (upper, lower): (Vec<_>, Vec<_>) = (upper.collect(), lower.rev().collect());
        if upper.is_empty() {
            return String::new();
        }
        let (upper, lower) = (upper.join(" "), lower.join(" "));
        format!(
            "<g class=\"{class}\"><polygon class=\"fill band\" points=\"{upper} {lower}\"/>\
             <polyline class=\"line edge\" points=\"{upper}\"/>\
             <polyline class=\"line edge\" points=\"{lower}\"/></g>\n"
        )
    }

    /// The means: a line, and a mark with a tooltip at each point; at the ticks, where they are many.
    pub fn line(&self, frame: &Frame) -> String {
        let (class, dash) = (colour_class(self.index), dash(self.index));
        let points = &self.series.points;
        let means = points.iter().map(|point| self.at(frame, point, point.mean));
        let means: Vec<String> = means.collect();
        let mut drawn = format!("<g class=\"{class}\">");
        if means.len() > 1 {
            let means = means.join(" ");
            drawn.push_str(&format!("<polyline class=\"line\"{dash} points=\"{means}\"/>"));
        }
        drawn.push('\n');
        let ticks = k_ticks(frame.ks);
        let all = frame.ks.1 - frame.ks.0 < MARKED_POINTS;
        for point in points.iter().filter(|point| all || ticks.contains(&point.k)) {
            drawn.push_str(&self.mark(frame, point));
        }
        drawn.push_str("</g>\n");
        drawn
    }

    fn mark(&self, frame: &Frame, point: &Point) -> String {
        let outline = marker(self.index, self.x(frame, point), frame.y(point.mean));
        let name = escape(&self.series.name);
        let Point { k, mean, low, high } = point;
        format!(
            "<path class=\"fill halo\" d=\"{outline}\">\
             <title>{name}: recall@{k} = {mean:.3} ({low:.3} to {high:.3})</title></path>\n"
        )
    }

    fn x(&self, frame: &Frame, point: &Point) -> f64 {
        frame.x(point.k) + self.shift
    }

    fn at(&self, frame: &Frame, point: &Point, recall: f64) -> String {
        format!("{:.1},{:.1}", self.x(frame, point), frame.y(recall))
    }
}
