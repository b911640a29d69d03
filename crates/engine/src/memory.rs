//! Which models have to go so that another one fits: the least recently used, idle ones before busy ones.
//!
//! Only decides; [`crate::models`] does.

use std::time::Instant;

/// A model that is held.
#[derive(Debug, Clone, Copy)]
pub struct Holder {
    /// Of its load.
    pub number: u64,
    /// Of its files.
    pub bytes: u64,
    /// Whether no request is under way.
    pub idle: bool,
    /// Whether it is about to go anyway.
    pub closing: bool,
    /// When it was last used.
    pub used: Instant,
}

/// How a model gets its room.
#[derive(Debug, PartialEq, Eq)]
pub enum Room {
    /// It has it.
    Here,
    /// When these, and those that are closing or still loading, have gone.
    After(Vec<u64>),
    /// Not even alone.
    Never,
}

/// Room for `need` bytes beside the holders and `reserved` bytes of models that are being loaded.
pub fn room(holders: &[Holder], reserved: u64, need: u64, limit: u64) -> Room {
    if need > limit {
        return Room::Never;
    }
    let held = |holders: &[&Holder]| {
        holders.iter().fold(reserved, |sum, holder| sum.saturating_add(holder.bytes))
    };
    let fits = |bytes: u64| bytes.saturating_add(need) <= limit;
    if fits(held(&holders.iter().collect::<Vec<_>>())) {
        return Room::Here;
    }
    let mut staying: Vec<&Holder> = holders.iter().filter(|holder| !holder.closing).collect();
    // The last is the first to go.
    staying.sort_by_key(|holder| (holder.idle, std::cmp::Reverse(holder.used)));
    let mut going = Vec::new();
    while !fits(held(&staying)) {
        match staying.pop() {
            Some(holder) => going.push(holder.number),
            None => break,
        }
    }
    Room::After(going)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn holder(number: u64, bytes: u64, age: u64) -> Holder {
        let used = Instant::now() + Duration::from_secs(1000 - age);
        Holder { number, bytes, idle: true, closing: false, used }
    }

    #[test]
    fn what_fits_sends_nobody_away() {
        assert_eq!(room(&[holder(1, 40, 1), holder(2, 40, 2)], 10, 10, 100), Room::Here);
        assert_eq!(room(&[], 0, 100, 100), Room::Here);
    }

    #[test]
    fn the_least_recently_used_goes_first_and_no_more_than_needed() {
        let holders = [holder(1, 30, 5), holder(2, 30, 9), holder(3, 30, 1)];
        assert_eq!(room(&holders, 0, 40, 100), Room::After(vec![2]));
        assert_eq!(room(&holders, 0, 50, 100), Room::After(vec![2, 1]));
        assert_eq!(room(&holders, 0, 100, 100), Room::After(vec![2, 1, 3]));
    }

    #[test]
    fn a_busy_one_goes_last() {
        let busy = Holder { idle: false, ..holder(1, 50, 100) };
        assert_eq!(room(&[busy, holder(2, 50, 1)], 0, 50, 100), Room::After(vec![2]));
        assert_eq!(room(&[busy, holder(2, 50, 1)], 0, 60, 100), Room::After(vec![2, 1]));
    }

    #[test]
    fn one_that_is_closing_is_waited_for() {
        let closing = Holder { closing: true, ..holder(1, 50, 1) };
        assert_eq!(room(&[closing, holder(2, 50, 9)], 0, 50, 100), Room::After(vec![]));
        assert_eq!(room(&[closing, holder(2, 50, 9)], 0, 60, 100), Room::After(vec![2]));
    }

    #[test]
    fn what_is_being_loaded_is_waited_for_too() {
        assert_eq!(room(&[], 60, 50, 100), Room::After(vec![]));
    }

    #[test]
    fn larger_than_the_limit_never_fits() {
        assert_eq!(room(&[holder(1, 1, 1)], 0, 101, 100), Room::Never);
        assert_eq!(room(&[], u64::MAX, u64::MAX, u64::MAX), Room::Here, "no limit");
    }
}
