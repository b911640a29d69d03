//! What all threads of the process share.

use crate::aside::Preparing;
use crate::models::Models;
use crate::settings::Settings;
use crate::statistics::Statistics;
use protocol::{EngineSettings, EngineStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The engine of this process.
pub struct Engine {
    /// Replaced whenever the supervisor sends others.
    pub settings: Arc<Settings>,
    /// Counts.
    pub statistics: Arc<Statistics>,
    /// Models, loaded and loading.
    pub models: Arc<Models>,
    /// Threads that make rows of requests.
    pub preparing: Arc<Preparing>,
    /// Sessions that are connected.
    pub connections: AtomicUsize,
    started: Instant,
}

impl Engine {
    /// Without models and sessions.
    pub fn new(settings: EngineSettings) -> Self {
        let started = Instant::now();
        let settings = Arc::new(Settings::new(settings));
        let statistics = Arc::new(Statistics::new());
        Self {
            models: Arc::new(Models::new(Arc::clone(&settings), Arc::clone(&statistics))),
            preparing: Arc::new(Preparing::new(Arc::clone(&settings))),
            settings,
            statistics,
            connections: AtomicUsize::new(0),
            started,
        }
    }

    /// How it fares.
    pub fn status(&self) -> EngineStatus {
        let (queue, run) = self.statistics.overall();
        EngineStatus {
            queue,
            run,
            pid: std::process::id(),
            since_reset: self.statistics.since().as_secs_f64(),
            uptime: self.started.elapsed().as_secs_f64(),
            connections: self.connections.load(Ordering::Relaxed),
            memory: own_memory().unwrap_or(0),
            models: self.models.statistics(),
        }
    }
}

/// Bytes of memory that are no file's.
fn own_memory() -> Option<u64> {
    anonymous(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `RssAnon` of proc_pid_status(5), in bytes.
fn anonymous(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_that_which_is_no_files() {
        let status = "Name:\tx\nRssAnon:\t    5120 kB\nRssFile:\t  9000 kB\n";
        assert_eq!(anonymous(status), Some(5120 * 1024));
        assert_eq!(anonymous("Name:\tx\n"), None);
        assert!(own_memory().is_some_and(|bytes| bytes > 0));
    }
}
