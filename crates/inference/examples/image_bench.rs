//! The image path for tests/bench/p7.py and other programs that want to compare it.
//!
//! Reads lines of five fields between tabs: a file, a width, a height (0 and 0: do not resize),
//! `bilinear` or `bicubic`, and how many runs. Answers each with a line of nanoseconds per run of
//! decode and resize (the median), width and height, or with `error` and why; then the pixels.

use inference::image::{Filter, ImageLimits, Rgb, decode, resize};
use std::io::{self, BufRead, Write};
use std::time::Instant;

const LIMITS: ImageLimits = ImageLimits { max_bytes: 1 << 30, max_pixels: 1 << 30 };

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        match answer(&line?) {
            Ok((nanoseconds, image)) => {
                writeln!(out, "{nanoseconds}\t{}\t{}", image.width, image.height)?;
                out.write_all(&image.pixels)?;
            }
            Err(error) => writeln!(out, "error\t{}", error.replace(['\n', '\t'], " "))?,
        }
        out.flush()?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<(u128, Rgb), String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [file, width, height, filter, runs] = fields[..] else {
        return Err("five fields are wanted".to_owned());
    };
    let number = |text: &str| text.parse::<usize>().map_err(|error| error.to_string());
    let size = (number(width)?, number(height)?);
    let filter = if filter == "bilinear" { Filter::Bilinear } else { Filter::Bicubic };
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let mut times = Vec::new();
    loop {
        let start = Instant::now();
        let image = work(&bytes, size, filter)?;
        times.push(start.elapsed().as_nanos());
        if times.len() >= number(runs)? {
            times.sort_unstable();
            return Ok((times[times.len() / 2], image));
        }
    }
}

fn work(bytes: &[u8], (width, height): (usize, usize), filter: Filter) -> Result<Rgb, String> {
    let image = decode(bytes, false, &LIMITS)
        .map_err(|fault| format!("{fault}: {}", fault.detail.clone().unwrap_or_default()))?;
    match (width, height) {
        (0, _) | (_, 0) => Ok(image),
        _ => Ok(resize(&image, width, height, filter)),
    }
}
