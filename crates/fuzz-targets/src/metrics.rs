//! Any bytes as the partial state of an aggregate, as a parallel worker hands it to the leader, or as the name of a
//! metric: an error, or a mean in [0, 1] that is the same after another journey; no panic.

use retrieval_metrics::{Mean, Metric};

/// Reads a state, and a name.
pub fn metrics(bytes: &[u8]) {
    if let Ok(mean) = Mean::from_bytes(bytes) {
        state(&mean);
    }
    let Ok(name) = std::str::from_utf8(bytes) else { return };
    if let Ok(metric) = name.parse::<Metric>() {
        assert_eq!(metric.to_string().parse(), Ok(metric));
    }
}

fn state(mean: &Mean) {
    let again = Mean::from_bytes(&mean.to_bytes()).expect("what was read can be written");
    assert_eq!(again.to_bytes(), mean.to_bytes());
    let value = mean.finish();
    if let Ok(Some(value)) = value {
        assert!((0.0..=1.0).contains(&value), "{value}");
    }
    assert_eq!(again.finish(), value);
    // The same documents twice: most metrics say so, none panics.
    let mut twice = again;
    if twice.merge(mean.clone()).is_ok() {
        drop(twice.finish());
    }
    // A document more.
    let mut longer = mean.clone();
    if longer.observe(b"query", Some(65), Some(1)).is_ok() {
        drop(longer.finish());
    }
}
