//! Colours, for light and dark readers, and the shapes that tell series apart without them.

/// Colours on light and on dark ground, in the manner of Okabe and Ito (2008), "Color Universal
/// Design". Each stands out from its ground by 3:1 or more (WCAG 2.2, 1.4.11), and from the others
/// also for readers who lack one kind of cone.
const COLOURS: [(&str, &str); 6] = [
    ("#0066b3", "#5b9dff"), // blue
    ("#e06a10", "#e8702a"), // orange
    ("#1b9e5a", "#4fd6a8"), // green
    ("#cc6fa8", "#d473b0"), // purple
    ("#6f5200", "#f0e442"), // brown, yellow
    ("#333333", "#ffffff"), // black, white
];

/// Dashes of a line: the first six series have none, the next six the first of these, and so on.
const DASHES: [&str; 3] = ["7 3", "2 3", "9 3 2 3"];

/// The class of a series' colour.
pub fn colour_class(series: usize) -> String {
    format!("c{}", series % COLOURS.len())
}

/// The attribute that dashes a series' line, with a space before it; empty for the first six.
pub fn dash(series: usize) -> String {
    match (series / COLOURS.len()).checked_sub(1) {
        Some(round) => format!(r#" stroke-dasharray="{}""#, DASHES[round % DASHES.len()]),
        None => String::new(),
    }
}

/// The style sheet; each rule names the class of the picture, lest it reach a page around it.
pub fn sheet() -> String {
    let mut sheet = String::from(LIGHT);
    for (number, (light, _)) in COLOURS.iter().enumerate() {
        sheet.push_str(&colour(number, light));
    }
    sheet.push_str(DARK);
    for (number, (_, dark)) in COLOURS.iter().enumerate() {
        sheet.push_str(&colour(number, dark));
    }
    sheet.push_str("}\n");
    sheet
}

fn colour(number: usize, colour: &str) -> String {
    format!(
        ".recall-curve .c{number} .line{{stroke:{colour}}}\
         .recall-curve .c{number} .fill{{fill:{colour}}}\n"
    )
}

const LIGHT: &str = r#"
.recall-curve{color-scheme:light dark;font:13px system-ui,-apple-system,"Segoe UI","Apple SD Gothic Neo","Malgun Gothic","Noto Sans CJK KR","Noto Sans KR",sans-serif}
.recall-curve .ground{fill:#fff}
.recall-curve text{fill:#1f2730}
.recall-curve .heading{font-size:17px;font-weight:600}
.recall-curve .small{font-size:12px;fill:#56616c}
.recall-curve .number{font-weight:600}
.recall-curve .grid{stroke:#e4e8ec;stroke-width:1}
.recall-curve .axis{stroke:#8b96a1;stroke-width:1}
.recall-curve .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.recall-curve .edge{fill:none;stroke-width:1;stroke-opacity:.4}
.recall-curve .band{fill-opacity:.12}
.recall-curve .halo{stroke:#fff;stroke-width:1}
.recall-curve .leader{fill:none;stroke:#8b96a1;stroke-width:.8;stroke-opacity:.7}
"#;

const DARK: &str = "@media (prefers-color-scheme:dark){
.recall-curve .ground{fill:#14181d}
.recall-curve text{fill:#e7ebef}
.recall-curve .small{fill:#9fabb7}
.recall-curve .grid{stroke:#29313a}
.recall-curve .axis,.recall-curve .leader{stroke:#66727e}
.recall-curve .band{fill-opacity:.16}
.recall-curve .halo{stroke:#14181d}
";

/// The mark of a series around a point: its outline as an SVG path, about 8 pixels wide.
pub fn marker(series: usize, x: f64, y: f64) -> String {
    let outline: &[(f64, f64)] = match series % 6 {
        0 => return circle(x, y),
        1 => &[(-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)],
        2 => &[(0.0, -4.8), (4.6, 3.4), (-4.6, 3.4)],
        3 => &[(0.0, -5.2), (5.2, 0.0), (0.0, 5.2), (-5.2, 0.0)],
        4 => &[(0.0, 4.8), (4.6, -3.4), (-4.6, -3.4)],
        _ => &[
            (-1.5, -4.6),
            (1.5, -4.6),
            (1.5, -1.5),
            (4.6, -1.5),
            (4.6, 1.5),
            (1.5, 1.5),
            (1.5, 4.6),
            (-1.5, 4.6),
            (-1.5, 1.5),
            (-4.6, 1.5),
            (-4.6, -1.5),
            (-1.5, -1.5),
        ],
    };
    let corners: Vec<String> =
        outline.iter().map(|(dx, dy)| format!("{:.1} {:.1}", x + dx, y + dy)).collect();
    format!("M{}Z", corners.join("L"))
}

fn circle(x: f64, y: f64) -> String {
    format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", x - 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Linear red, green and blue (WCAG 2.2).
    fn linear(colour: &str) -> [f64; 3] {
        [1, 3, 5].map(|at| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn times(matrix: [[f64; 3]; 3], rgb: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(rgb).map(|(m, v)| m * v).sum::<f64>().clamp(0.0, 1.0))
    }

    /// CIE 1976 L*a*b* of linear sRGB under D65.
    fn lab(rgb: [f64; 3]) -> [f64; 3] {
        let rows = [[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8727]];
        let cube_root = |t: f64| if t > 0.008856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let [x, y, z] = times(rows, rgb).map(cube_root);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour| times([[0.2126, 0.7152, 0.0722]; 3], linear(colour))[0] + 0.05;
        let (a, b) = (luminance(a), luminance(b));
        a.max(b) / a.min(b)
    }

    #[test]
    fn colours_stand_out_from_both_grounds() {
        for (light, dark) in COLOURS {
            assert!(contrast(light, "#ffffff") >= 3.0, "{light}");
            assert!(contrast(dark, "#14181d") >= 3.0, "{dark}");
        }
    }

    /// Vision as it is usual, and without one kind of cone: Machado, Oliveira and Fernandes
    /// (2009), severity 1.
    const VISIONS: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]],
        [[0.3673, 0.8606, -0.228], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
    ];

    #[test]
    fn colours_stand_out_from_each_other_for_colour_blind_readers() {
        let (light, dark): (Vec<_>, Vec<_>) = COLOURS.into_iter().unzip();
        for (vision, colours) in VISIONS.into_iter().flat_map(|v| [(v, &light), (v, &dark)]) {
            let seen: Vec<_> = colours.iter().map(|c| lab(times(vision, linear(c)))).collect();
            for (i, a) in seen.iter().enumerate() {
                for (j, b) in seen.iter().enumerate().skip(i + 1) {
                    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
                    let difference = squares.sum::<f64>().sqrt();
                    assert!(difference > 20.0, "{} {}: {difference}", colours[i], colours[j]);
                }
            }
        }
    }

    #[test]
    fn two_dozen_series_look_different() {
        let looks: BTreeSet<_> = (0..24).map(|s| (colour_class(s), dash(s))).collect();
        assert_eq!(looks.len(), 24);
    }

    #[test]
    fn each_of_six_has_its_own_marker() {
        let markers: BTreeSet<_> = (0..6).map(|s| marker(s, 0.0, 0.0)).collect();
        assert_eq!(markers.len(), 6);
    }
}
