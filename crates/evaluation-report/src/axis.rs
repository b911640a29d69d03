//! The two axes: where the ticks stand, and which pixel a value is.

/// Pixels of the plot inside of the picture, and the values at its edges.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Left edge, pixels.
    pub left: f64,
    /// Upper edge, pixels.
    pub top: f64,
    /// Pixels.
    pub width: f64,
    /// Pixels.
    pub height: f64,
    /// First and last k.
    pub ks: (u32, u32),
    /// Recall at the upper edge, in hundredths; the lower edge is 0.
    pub ceiling: u32,
}

impl Frame {
    /// Where k stands; in the middle where there is only one.
    pub fn x(&self, k: u32) -> f64 {
        let (first, last) = self.ks;
        if first >= last {
            return self.left + self.width / 2.0;
        }
        let share = f64::from(k.saturating_sub(first)) / f64::from(last - first);
        self.left + self.width * share
    }

    /// Where a recall stands; what lies outside of the plot is drawn at its edge.
    pub fn y(&self, recall: f64) -> f64 {
        let share = (recall * 100.0 / f64::from(self.ceiling)).clamp(0.0, 1.0);
        self.top + self.height * (1.0 - share)
    }

    /// The right edge, pixels.
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// The lower edge, pixels.
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// Hundredths of recall from one tick to the next, for values up to this one: at most 8 ticks.
pub fn recall_step(highest: f64) -> u32 {
    let highest = hundredths(highest);
    [1, 2, 5, 10].into_iter().find(|step| highest <= f64::from(step * 8)).unwrap_or(20)
}

/// The first tick, in hundredths of recall, that no value exceeds.
pub fn recall_ceiling(highest: f64) -> u32 {
    let step = recall_step(highest);
    let ticks = (hundredths(highest) / f64::from(step)).ceil() as u32;
    ticks.max(1) * step
}

/// Less a little, for 0.07 * 100 is more than 7 in floating point.
fn hundredths(recall: f64) -> f64 {
    recall.clamp(0.0, 1.0) * 100.0 - 1e-9
}

/// The ks that are written at the axis: first, last, and round ones between.
pub fn k_ticks((first, last): (u32, u32)) -> Vec<u32> {
    let step = k_step(last.saturating_sub(first));
    let half = step.div_ceil(2);
    let clear = |k: &u32| k - first >= half && last - k >= half;
    let round = (first / step + 1..=last / step).map(|n| n * step).filter(|k| *k < last);
    let mut ticks = vec![first];
    ticks.extend(round.filter(clear));
    ticks.extend((last > first).then_some(last));
    ticks
}

/// 1, 2 or 5 times a power of ten: every k of a dozen, otherwise about eight ticks.
fn k_step(range: u32) -> u32 {
    if range < 12 {
        return 1;
    }
    let powers = (0..=8).map(|power| 10_u32.pow(power));
    let mut steps = powers.flat_map(|ten| [ten, 2 * ten, 5 * ten]);
    steps.find(|step| range / step <= 8).unwrap_or(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round() {
        for (ks, ticks) in [
            ((1, 1), vec![1]),
            ((1, 5), vec![1, 2, 3, 4, 5]),
            ((1, 12), (1..=12).collect()),
            ((1, 20), vec![1, 5, 10, 15, 20]),
            ((1, 22), vec![1, 5, 10, 15, 22]),
            ((1, 23), vec![1, 5, 10, 15, 20, 23]),
            ((1, 100), vec![1, 20, 40, 60, 80, 100]),
            ((7, 30), vec![7, 10, 15, 20, 25, 30]),
        ] {
            assert_eq!(k_ticks(ks), ticks);
        }
        for (highest, step, ceiling) in [
            (0.0, 1, 1),
            (0.01, 1, 1),
            (0.07, 1, 7),
            (0.656, 10, 70),
            (0.8, 10, 80),
            (0.81, 20, 100),
            (1.0, 20, 100),
            (7.0, 20, 100),
        ] {
            assert_eq!((recall_step(highest), recall_ceiling(highest)), (step, ceiling));
        }
    }

    proptest! {
        #[test]
        fn ticks_rise_from_first_to_last(first in 0_u32.., range in 0_u32..) {
            let last = first.saturating_add(range);
            let ticks = k_ticks((first, last));
            prop_assert_eq!((ticks[0], ticks[ticks.len() - 1]), (first, last));
            prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(ticks.len() <= 13);
        }

        #[test]
        fn no_recall_is_above_the_ceiling(recall in 0.0..=1.0) {
            prop_assert!(hundredths(recall) <= f64::from(recall_ceiling(recall)));
            prop_assert!(recall_ceiling(recall) / recall_step(recall) <= 8);
        }
    }
}
