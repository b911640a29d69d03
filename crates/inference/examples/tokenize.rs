//! Token ids as the engine makes them: `tokenize [--plain] TOKENIZER_JSON`, a JSON string a line on
//! standard input, a JSON array of ids a line on standard output.
//!
//! For comparing with other implementations; `--plain` tokenizes special tokens like any other text.

use inference::TextEncoder;
use std::error::Error;
use std::io::{self, BufRead, Write};

const NO_LIMIT: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let plain = arguments.first().is_some_and(|first| first == "--plain");
    let [path] = arguments.split_off(usize::from(plain)).try_into().map_err(|_| "one file")?;
    let json = std::fs::read_to_string(path)?;
    let encoder = TextEncoder::parse(&json, NO_LIMIT, plain).map_err(|error| error.to_string())?;
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let ids = encoder.encode(&text)?.ids;
        writeln!(out, "{}", serde_json::to_string(&ids)?)?;
    }
    Ok(())
}
