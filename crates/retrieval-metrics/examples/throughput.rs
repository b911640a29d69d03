//! Time and memory of an aggregate over many rows, which come query by query (`grouped`) or dealt
//! out over all queries (`scattered`):
//! `cargo run --release -p retrieval-metrics --example throughput -- ROWS QUERIES grouped METRIC`

use retrieval_metrics::{Mean, Metric, Options};
use std::io::Write;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rows, queries, order, metric] = arguments.as_slice() else {
        return Err("ROWS QUERIES grouped|scattered METRIC".into());
    };
    measure(metric.parse()?, rows.parse()?, queries.parse()?, order == "scattered")
}

fn measure(metric: Metric, rows: u32, queries: u32, scattered: bool) -> Result<(), Failure> {
    let each = rows / queries;
    let before = resident()?;
    let start = Instant::now();
    let mut mean = Mean::new(metric, Options::default());
    let mut id = Vec::new();
    for row in 0..each * queries {
        let (query, place) = if scattered {
            ((u64::from(row) * 7919 % u64::from(queries)) as u32, row / queries)
        } else {
            (row / each, row % each)
        };
        id.clear();
        write!(id, "query-{query:08}")?;
        let mixed = row.wrapping_mul(2_654_435_761) >> 16;
        let rank = (!mixed.is_multiple_of(5)).then_some(place + 1);
        let grade = (mixed % 3 != 1).then_some((mixed % 7) as i32 - 3);
        mean.observe(&id, rank, grade)?;
    }
    let observed = start.elapsed();
    let held = resident()?.saturating_sub(before);
    let value = mean.finish()?;
    let finished = start.elapsed() - observed;
    let bytes = mean.to_bytes();
    let copy = Mean::from_bytes(&bytes)?;
    let carried = start.elapsed() - observed - finished;
    writeln!(
        std::io::stdout(),
        "{metric}: observe {observed:.0?}, finish {finished:.0?}, to and from {} kB {carried:.0?}; \
         {held} kB held; value {:.6}, {} after the bytes",
        bytes.len() / 1024,
        value.unwrap_or_default(),
        if copy.finish()? == value { "the same" } else { "ANOTHER" },
    )?;
    Ok(())
}

/// Resident memory of this process in kB, where Linux tells it.
fn resident() -> Result<usize, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
