//! What evaluations hold in memory, counted in bytes against one limit for all of a process.
//!
//! Allocations that fail end the process; so callers count before they take more, and give up in time.

use std::cell::Cell;
use std::rc::Rc;

/// Counts for one thread; shared by all that is counted together.
#[derive(Debug)]
pub struct Meter {
    limit: usize,
    held: Cell<usize>,
}

/// What one holder has on a meter; given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    meter: Rc<Meter>,
    bytes: usize,
}

/// More would be held than the meter's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} bytes would be held in memory")]
pub struct OverLimit {
    /// The limit, in bytes.
    pub limit: usize,
}

impl Meter {
    /// Of nothing yet, for at most `limit` bytes.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self { limit, held: Cell::new(0) })
    }

    /// Bytes of all holders together.
    pub fn held(&self) -> usize {
        self.held.get()
    }
}

impl Held {
    /// Nothing yet.
    pub fn nothing(meter: &Rc<Meter>) -> Self {
        Self { meter: Rc::clone(meter), bytes: 0 }
    }

    /// From now on `bytes`, instead of what was held before.
    ///
    /// # Errors
    /// Where all holders together would be over the limit; then what was held before still counts.
    pub fn set(&mut self, bytes: usize) -> Result<(), OverLimit> {
        let limit = self.meter.limit;
        let held = (self.meter.held.get() - self.bytes).saturating_add(bytes);
        // What shrinks is welcome, wherever the others are.
        if held > limit && bytes > self.bytes {
            return Err(OverLimit { limit });
        }
        self.meter.held.set(held);
        self.bytes = bytes;
        Ok(())
    }

    /// As [`Held::set`], for more than before.
    ///
    /// # Errors
    /// As there.
    pub fn add(&mut self, bytes: usize) -> Result<(), OverLimit> {
        self.set(self.bytes.saturating_add(bytes))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.meter.held.set(self.meter.held.get() - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_holders_count_together_until_they_are_gone() {
        let meter = Meter::new(100);
        let (mut a, mut b) = (Held::nothing(&meter), Held::nothing(&meter));
        assert_eq!((a.set(60), b.set(40), meter.held()), (Ok(()), Ok(()), 100));
        assert_eq!(b.add(1), Err(OverLimit { limit: 100 }));
        assert_eq!(meter.held(), 100);
        assert_eq!((a.set(59), b.add(1), meter.held()), (Ok(()), Ok(()), 100));
        drop(a);
        assert_eq!(meter.held(), 41);
        assert_eq!(b.add(usize::MAX), Err(OverLimit { limit: 100 }));
        drop(b);
        assert_eq!(meter.held(), 0);
    }
}
