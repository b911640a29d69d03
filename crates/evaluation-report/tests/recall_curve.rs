//! The SVG as a parser reads it: well-formed, complete, deterministic, whatever the input.

use evaluation_report::{Point, Series, recall_curve};
use proptest::prelude::*;
use roxmltree::{Document, Node};

fn series(name: &str, last: u32) -> Series {
    let points = (1..=last).map(|k| {
        let mean = f64::from(k) / f64::from(last + 1);
        Point { k, mean, low: mean * 0.9, high: mean * 1.1 }
    });
    Series { name: name.to_owned(), points: points.collect() }
}

fn named<'a, 'input>(svg: &'a Document<'input>, tag: &str) -> Vec<Node<'a, 'input>> {
    svg.descendants().filter(|node| node.has_tag_name(tag)).collect()
}

fn of_class<'a, 'input>(svg: &'a Document<'input>, class: &str) -> Vec<Node<'a, 'input>> {
    let has = |node: &Node<'_, '_>| {
        node.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class))
    };
    svg.descendants().filter(has).collect()
}

fn texts(svg: &Document<'_>) -> Vec<String> {
    named(svg, "text").iter().map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

#[test]
fn names_are_escaped_and_survive() {
    let name = r#"한국어 <b>"&'</b>"#;
    let svg = recall_curve(Some("재현율 & <k>"), &[series(name, 3)]);
    assert!(svg.is_ascii(), "so that no encoding harms it");
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(named(&svg, "title")[0].text(), Some("재현율 & <k>"));
    assert!(texts(&svg).iter().any(|text| text == name));
    assert_eq!(
        named(&svg, "desc")[0].text().unwrap(),
        format!(
            "Mean recall at k from 1 to 3, with 95 % confidence intervals, of 1 model. \
             {name}: 0.750 (0.675 to 0.825) at 3."
        )
    );
}

#[test]
fn long_names_are_cut_in_the_legend_alone() {
    let name = "아주 긴 모델 이름 ".repeat(20);
    let svg = recall_curve(Some(&name), &[series(&name, 2)]);
    let svg = Document::parse(&svg).unwrap();
    let cut: Vec<_> = texts(&svg).into_iter().filter(|text| text.ends_with('…')).collect();
    assert_eq!(cut.len(), 2, "heading and legend: {cut:?}");
    assert!(named(&svg, "desc")[0].text().unwrap().contains(&name));
}

#[test]
fn draws_a_band_a_line_and_marks_for_each_series() {
    let svg = recall_curve(None, &[series("a", 20), series("b", 20)]);
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(of_class(&svg, "band").len(), 2);
    assert_eq!(named(&svg, "polyline").len(), 2 * 3, "the line and both edges of the band");
    assert_eq!(of_class(&svg, "halo").len(), 2 * (20 + 1), "with that of the legend");
    let texts = texts(&svg);
    for expected in ["Recall at k", "recall@20", "0.952", "a", "b", "1", "15", "20", "1.0", "0.0"] {
        assert!(texts.iter().any(|text| text == expected), "{expected}");
    }
}

#[test]
fn one_k_has_whiskers_side_by_side() {
    let svg = recall_curve(None, &[series("a", 1), series("b", 1)]);
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(of_class(&svg, "band").len() + named(&svg, "polyline").len(), 0);
    let marks = of_class(&svg, "halo");
    assert_ne!(marks[0].attribute("d"), marks[1].attribute("d"));
    assert!(texts(&svg).iter().any(|text| text.contains("whisker")));
}

#[test]
fn many_points_are_marked_at_the_ticks() {
    let svg = recall_curve(None, &[series("a", 100)]);
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(of_class(&svg, "halo").len(), 6 + 1);
    assert_eq!(named(&svg, "polyline")[2].attribute("points").unwrap().split(' ').count(), 100);
}

#[test]
fn values_that_are_no_numbers_are_left_out() {
    let mut broken = series("broken", 3);
    broken.points[0].mean = f64::NAN;
    broken.points[1].low = f64::NAN;
    broken.points[1].high = f64::INFINITY;
    let nothing = Series { name: "nothing".to_owned(), points: Vec::new() };
    let svg = recall_curve(None, &[broken, nothing]);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(of_class(&svg, "band").len(), 1);
    assert!(texts(&svg).iter().any(|text| text == "nothing"));
    assert!(named(&svg, "desc")[0].text().unwrap().ends_with("nothing: no value."));
}

#[test]
fn no_series_is_a_picture_of_the_axes() {
    let svg = recall_curve(Some("  "), &[]);
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(named(&svg, "title")[0].text(), Some("Recall at k"));
    assert!(of_class(&svg, "number").is_empty());
}

#[test]
fn needs_nothing_from_elsewhere_and_styles_nothing_but_itself() {
    let svg = recall_curve(None, &[series("a", 5)]);
    let svg = Document::parse(&svg).unwrap();
    for tag in ["script", "image", "use", "a", "foreignObject", "link"] {
        assert!(named(&svg, tag).is_empty(), "{tag}");
    }
    let sheet = named(&svg, "style")[0].text().unwrap();
    assert!(!sheet.contains("url(") && !sheet.contains("@import") && !sheet.contains("@font-face"));
    for rule in sheet.split('}').map(str::trim).filter(|rule| !rule.is_empty()) {
        let rule = rule.trim_start_matches("@media (prefers-color-scheme:dark){").trim();
        for selector in rule.split('{').next().unwrap_or_default().split(',') {
            assert!(selector.trim().starts_with(".recall-curve"), "{selector}");
        }
    }
}

fn any_point() -> impl Strategy<Value = Point> {
    let recall = || prop_oneof![9 => 0.0..=1.0, 1 => any::<f64>()];
    let k = prop_oneof![1_u32..200, any::<u32>()];
    (k, recall(), recall(), recall()).prop_map(|(k, mean, low, high)| Point { k, mean, low, high })
}

fn any_series() -> impl Strategy<Value = Series> {
    (any::<String>(), prop::collection::vec(any_point(), 0..12))
        .prop_map(|(name, points)| Series { name, points })
}

proptest! {
    #[test]
    fn always_well_formed_within_its_box_and_the_same(
        title in prop::option::of(any::<String>()),
        series in prop::collection::vec(any_series(), 0..30),
    ) {
        let svg = recall_curve(title.as_deref(), &series);
        prop_assert_eq!(&svg, &recall_curve(title.as_deref(), &series));
        prop_assert!(svg.is_ascii());
        let svg = Document::parse(&svg).unwrap();
        let size = |name| svg.root_element().attribute(name).unwrap().parse::<f64>().unwrap();
        let (width, height) = (size("width"), size("height"));
        for node in named(&svg, "text") {
            let at = |name| node.attribute(name).unwrap().parse::<f64>().unwrap();
            prop_assert!((0.0..=width).contains(&at("x")) && (0.0..=height).contains(&at("y")));
        }
        for line in named(&svg, "polyline") {
            for point in line.attribute("points").unwrap().split(' ') {
                let (x, y) = point.split_once(',').unwrap();
                prop_assert!((0.0..=width).contains(&x.parse::<f64>().unwrap()));
                prop_assert!((0.0..=height).contains(&y.parse::<f64>().unwrap()));
            }
        }
    }
}
