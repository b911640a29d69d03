//! Writes partial states of each metric, and the metrics' names, into a folder, for the fuzzer to start from:
//! `seeds FOLDER`.

use retrieval_metrics::{Gain, Mean, Metric, Options};
use std::error::Error;
use std::fs;
use std::path::PathBuf;

const NAMES: [&str; 11] = [
    "recall@5",
    "precision@5",
    "hit_rate@3",
    "mrr",
    "mrr@10",
    "map",
    "map@10",
    "ndcg@10",
    "r_precision",
    "bpref",
    "judged@10",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args_os().nth(1).ok_or("which folder?")?.into();
    for name in NAMES {
        fs::write(folder.join(name), name)?;
        let metric: Metric = name.parse()?;
        for (gain, kind) in [(Gain::Linear, "linear"), (Gain::Exponential, "exponential")] {
            let empty = Mean::new(metric, Options::new(1, gain)?);
            fs::write(folder.join(format!("{name}-{kind}-empty")), empty.to_bytes())?;
            fs::write(folder.join(format!("{name}-{kind}")), filled(empty)?.to_bytes())?;
        }
    }
    Ok(())
}

/// Two queries: of the one all documents are ranked, of the other some are missed and unjudged.
fn filled(mut mean: Mean) -> Result<Mean, Box<dyn Error>> {
    for rank in 1..=5 {
        mean.observe(b"q1", Some(rank), Some(rank as i32 % 3))?;
    }
    for (rank, relevance) in
        [(Some(1), None), (Some(70), Some(2)), (None, Some(1)), (None, Some(0))]
    {
        mean.observe("질의".as_bytes(), rank, relevance)?;
    }
    Ok(mean)
}
