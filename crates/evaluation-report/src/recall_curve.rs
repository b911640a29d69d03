//! The picture as a whole: its layout, axes, legend, and words for those who do not see it.
//!
//! One SVG that needs nothing else: no script, no font file, no picture. ASCII alone. It follows
//! the reader's choice of light or dark.

use crate::axis::{Frame, k_ticks, recall_ceiling, recall_step};
use crate::legend::{LINE, places};
use crate::marks::Marks;
use crate::markup::{cut, escape, width};
use crate::style::{colour_class, dash, marker, sheet};

/// Mean recall at one k, with its interval; shares in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The cut-off: documents that are looked at for each query.
    pub k: u32,
    /// Mean over the queries.
    pub mean: f64,
    /// Lower end of its 95 % confidence interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One model's recall over k.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// As the legend shows it; any text.
    pub name: String,
    /// In any order. Points whose mean is not a finite number are left out; an end of an interval
    /// that is none is drawn at the mean.
    pub points: Vec<Point>,
}

// Pixels; the margins hold the axes' numbers above, left and below of the plot.
const LEFT: f64 = 56.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 72.0;
const PLOT_WIDTH: f64 = 600.0;
const PLOT_HEIGHT: f64 = 340.0;
const LEGEND_GAP: f64 = 34.0; // between plot and legend, for the leaders
const LEGEND_NUMBER: f64 = 34.0; // from the legend's left edge, behind the mark
const LEGEND_NAME: f64 = 82.0; // behind the number
const EDGE: f64 = 16.0;
const FONT: f64 = 13.0;
const HEADING: f64 = 19.5; // 17 px, and wider for its weight
/// Of a name in the legend, in units of the font's size; tooltips and description have it whole.
const NAME_LIMIT: f64 = 18.0;

/// Draws recall over k with 95 % confidence bands as one self-contained SVG document.
///
/// The heading is `Recall at k` without a title. Series keep their order for colours and marks:
/// six colours, then dashes. Axes: k as it is given, recall from 0 to the first tick above all
/// that is drawn. With one k there are whiskers in place of bands. Without any point the axes are
/// drawn alone.
pub fn recall_curve(title: Option<&str>, series: &[Series]) -> String {
    let series: Vec<Series> = series.iter().map(drawable).collect();
    let frame = frame(&series);
    let marks = Marks::of(&series, &frame);
    let legend = frame.right() + LEGEND_GAP;
    let names = series.iter().map(|series| width(&cut(&series.name, NAME_LIMIT)) * FONT);
    let right = (legend + LEGEND_NAME + names.fold(40.0, f64::max) + EDGE).ceil();
    let bottom = frame.bottom() + BOTTOM;
    let heading = title.filter(|title| !title.trim().is_empty()).unwrap_or("Recall at k");

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"recall-curve\" role=\"img\" \
         viewBox=\"0 0 {right} {bottom}\" width=\"{right}\" height=\"{bottom}\" \
         style=\"max-width:100%\">\n\
         <title>{}</title>\n<desc>{}</desc>\n<style>{}</style>\n\
         <rect class=\"ground\" width=\"{right}\" height=\"{bottom}\"/>\n",
        escape(heading),
        escape(&description(&series, frame.ks)),
        sheet(),
    );
    let shown = cut(heading, (right - 2.0 * EDGE) / HEADING);
    svg.push_str(&text("heading", "start", (EDGE, 30.0), &shown));
    axes(&mut svg, &frame);
    svg.extend(marks.iter().map(|marks| marks.band(&frame)));
    svg.extend(marks.iter().map(|marks| marks.line(&frame)));
    draw_legend(&mut svg, &frame, &marks, legend);
    svg.push_str("</svg>\n");
    svg
}

/// The points that can be drawn, in the order of k.
fn drawable(series: &Series) -> Series {
    let points = series.points.iter().filter(|point| point.mean.is_finite());
    let points = points.map(|point| {
        let or_mean = |end: f64| if end.is_finite() { end } else { point.mean };
        Point { low: or_mean(point.low), high: or_mean(point.high), ..*point }
    });
    let mut points: Vec<Point> = points.collect();
    points.sort_by_key(|point| point.k);
    Series { name: series.name.clone(), points }
}

fn frame(series: &[Series]) -> Frame {
    let points = || series.iter().flat_map(|series| &series.points);
    let ks = || points().map(|point| point.k);
    let highest = points().map(|point| point.mean.max(point.high)).reduce(f64::max);
    Frame {
        left: LEFT,
        top: TOP,
        width: PLOT_WIDTH,
        height: PLOT_HEIGHT.max(series.len() as f64 * LINE),
        ks: (ks().min().unwrap_or(1), ks().max().unwrap_or(1)),
        ceiling: recall_ceiling(highest.unwrap_or(1.0)),
    }
}

/// What the picture shows, in words.
fn description(series: &[Series], (first, last): (u32, u32)) -> String {
    let mut words = format!(
        "Mean recall at k from {first} to {last}, with 95 % confidence intervals, of {} {}.",
        series.len(),
        if series.len() == 1 { "model" } else { "models" },
    );
    for Series { name, points } in series {
        words.push_str(&match points.last() {
            Some(Point { k, mean, low, high }) => {
                format!(" {name}: {mean:.3} ({low:.3} to {high:.3}) at {k}.")
            }
            None => format!(" {name}: no value."),
        });
    }
    words
}

/// Grid, numbers and captions.
fn axes(svg: &mut String, frame: &Frame) {
    let (left, right, bottom) = (frame.left, frame.right(), frame.bottom());
    let step = recall_step(f64::from(frame.ceiling) / 100.0);
    for hundredths in (0..=frame.ceiling).step_by(step as usize) {
        let recall = f64::from(hundredths) / 100.0;
        let y = frame.y(recall);
        let class = if hundredths == 0 { "axis" } else { "grid" };
        svg.push_str(&format!("<path class=\"{class}\" d=\"M{left} {y:.1}H{right}\"/>\n"));
        let number = if step < 10 { format!("{recall:.2}") } else { format!("{recall:.1}") };
        svg.push_str(&text("small", "end", (left - 10.0, y + 4.0), &number));
    }
    for k in k_ticks(frame.ks) {
        let x = frame.x(k);
        svg.push_str(&format!("<path class=\"axis\" d=\"M{x:.1} {bottom}v5\"/>\n"));
        svg.push_str(&text("small", "middle", (x, bottom + 20.0), &k.to_string()));
    }
    let middle = frame.left + frame.width / 2.0;
    svg.push_str(&text("small", "start", (EDGE, frame.top - 18.0), "recall@k"));
    let caption = "k: documents looked at for each query";
    svg.push_str(&text("small", "middle", (middle, bottom + 40.0), caption));
    let note = match frame.ks {
        (first, last) if first == last => {
            "mean over the queries, whisker: its 95 % confidence interval"
        }
        _ => "line: mean over the queries, band: its 95 % confidence interval",
    };
    svg.push_str(&text("small", "middle", (middle, bottom + 58.0), note));
}

/// A mark, a number and a name for each series, at the height of its line's end.
fn draw_legend(svg: &mut String, frame: &Frame, marks: &[Marks<'_>], left: f64) {
    let ends = marks.iter().map(|marks| marks.series.points.last());
    let ends: Vec<Option<&Point>> = ends.collect();
    let height = |end: &Option<&Point>| frame.y(end.map_or(0.0, |point| point.mean));
    let wishes: Vec<f64> = ends.iter().map(height).collect();
    let places = places(&wishes, frame.top, frame.bottom());
    let (first, last) = frame.ks;
    let mut ks = ends.iter().flatten().map(|point| point.k).peekable();
    if ks.peek().is_some() && ks.all(|k| k == last) {
        let caption = format!("recall@{last}");
        svg.push_str(&text("small", "start", (left + LEGEND_NUMBER, frame.top - 18.0), &caption));
    }
    for (((marks, end), wish), place) in marks.iter().zip(ends).zip(wishes).zip(places) {
        if end.is_some_and(|point| point.k == last) && first < last {
            let (from, to) = (frame.right() + 8.0, left - 6.0);
            svg.push_str(&format!(
                "<path class=\"leader\" d=\"M{from} {wish:.1}L{to} {place:.1}\"/>\n"
            ));
        }
        let number = end.map_or("-".to_owned(), |point| format!("{:.3}", point.mean));
        svg.push_str(&entry(marks, (left, place), &number));
    }
}

fn entry(marks: &Marks<'_>, (left, y): (f64, f64), number: &str) -> String {
    let (class, dash) = (colour_class(marks.index), dash(marks.index));
    let outline = marker(marks.index, left + 12.0, y);
    let name = &marks.series.name;
    format!(
        "<g class=\"{class}\"><title>{}</title><path class=\"line\"{dash} d=\"M{left} {y:.1}h24\"/>\
         <path class=\"fill halo\" d=\"{outline}\"/>{}{}</g>\n",
        escape(name),
        text("number", "start", (left + LEGEND_NUMBER, y + 4.5), number).trim_end(),
        text("name", "start", (left + LEGEND_NAME, y + 4.5), &cut(name, NAME_LIMIT)).trim_end(),
    )
}

fn text(class: &str, anchor: &str, (x, y): (f64, f64), content: &str) -> String {
    let content = escape(content);
    format!(
        "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{content}</text>\n"
    )
}
