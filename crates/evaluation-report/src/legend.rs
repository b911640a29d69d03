//! The legend at the right: each series' mark, last value and name, as near to its line's end as
//! the others allow.

/// Pixels from one line of the legend to the next.
pub const LINE: f64 = 20.0;

/// Where the lines of the legend stand: one a wish, in the same order, within [top, bottom] and
/// at least [`LINE`] apart where there is room for that.
///
/// Wishes are heights in pixels. Those that are equal keep their order.
pub fn places(wishes: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by(|a, b| wishes[*a].total_cmp(&wishes[*b]));
    let mut places = vec![0.0; wishes.len()];
    let mut free = top;
    for index in &order {
        places[*index] = wishes[*index].max(free);
        free = places[*index] + LINE;
    }
    let mut limit = bottom;
    for index in order.iter().rev() {
        places[*index] = places[*index].min(limit);
        limit = places[*index] - LINE;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stays_where_there_is_room() {
        assert_eq!(places(&[100.0, 10.0, 50.0], 0.0, 200.0), [100.0, 10.0, 50.0]);
        assert_eq!(places(&[50.0, 50.0, 50.0], 0.0, 200.0), [50.0, 70.0, 90.0]);
        assert_eq!(places(&[199.0, 200.0], 0.0, 200.0), [180.0, 200.0]);
        assert_eq!(places(&[], 0.0, 200.0), [] as [f64; 0]);
    }

    proptest! {
        #[test]
        fn never_overlap(wishes in prop::collection::vec(0.0..400.0, 0..=20)) {
            let mut places = places(&wishes, 0.0, 400.0);
            places.sort_by(f64::total_cmp);
            prop_assert!(places.iter().all(|y| (-1e-9..=400.0).contains(y)));
            prop_assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 1e-9));
        }
    }
}
