//! Lines for the server's log, written to the supervisor's pipe.
//!
//! Nothing here may block: a supervisor that does not read must not hold up the engine, so a line that
//! finds the pipe full is lost, and counted.

use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use std::borrow::Cow;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

/// A pipe takes so many bytes whole or not at all (`PIPE_BUF`).
const LONGEST: usize = 4096;

static LOST: AtomicU64 = AtomicU64::new(0);

/// To be called first: the pipe does not block, and panics are lines too.
pub fn start() {
    let out = rustix::stdio::stdout();
    if fstat(out).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
        && let Ok(flags) = fcntl_getfl(out)
    {
        let _ = fcntl_setfl(out, flags | OFlags::NONBLOCK);
    }
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        warning(format_args!("{panic} (thread {:?})", thread.name().unwrap_or("?")));
    }));
}

/// Something worth knowing.
pub fn line(message: impl Display) {
    write(&message.to_string());
}

/// Something that an administrator should look at.
pub fn warning(message: impl Display) {
    write(&format!("WARNING: {message}"));
}

/// A message of the protocol with the supervisor, as it is.
pub fn signal(word: &str) {
    write(word);
}

fn write(line: &str) {
    let lost = LOST.swap(0, Ordering::Relaxed);
    if lost > 0 && !send(&format!("WARNING: {lost} lines of the engine's log are lost")) {
        LOST.fetch_add(lost, Ordering::Relaxed);
    }
    if !send(line) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether it was written; half a line cannot be, for it is no longer than the pipe takes whole.
fn send(line: &str) -> bool {
    let bytes = one_line(line);
    rustix::io::retry_on_intr(|| rustix::io::write(rustix::stdio::stdout(), bytes.as_bytes()))
        .is_ok()
}

/// The message without what would end or hide its line, shortened to what a pipe takes whole.
fn one_line(message: &str) -> String {
    let clean: Cow<str> = if message.contains(char::is_control) {
        message.replace(char::is_control, " ").into()
    } else {
        message.into()
    };
    let mut end = clean.len().min(LONGEST - 1);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}\n", &clean[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_that_a_pipe_takes_whole() {
        assert_eq!(one_line("a\nready\n\u{1b}[1m"), "a ready  [1m\n");
        let long = one_line(&"ä".repeat(5000));
        assert!(long.len() <= LONGEST && long.ends_with("ä\n"));
    }
}
