//! How long to wait before the engine is started again.

use std::time::Duration;

/// A run that was of use for so long was no false start.
const USEFUL: Duration = Duration::from_secs(1);
const FIRST: Duration = Duration::from_millis(100);
/// Where it was ready, callers may be waiting.
const LONGEST_AFTER_READY: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Grows with every start that came to nothing.
#[derive(Debug, Default)]
pub struct Backoff {
    delay: Duration,
    failures: u32,
}

impl Backoff {
    /// After a run has ended.
    pub fn after(&mut self, was_ready: bool, lived: Duration) -> Duration {
        if was_ready && lived >= USEFUL {
            *self = Self::default();
            return Duration::ZERO;
        }
        self.failures = if was_ready { 0 } else { self.failures.saturating_add(1) };
        let longest = if was_ready { LONGEST_AFTER_READY } else { LONGEST };
        self.delay = (self.delay * 2).clamp(FIRST, longest);
        self.delay
    }

    /// Starts in a row that never came to be ready.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Something has changed: what was learnt holds no more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The engine takes connections.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}
