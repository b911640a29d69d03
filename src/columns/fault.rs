//! Whose an error is that a row's content or embedding ended in: the row's, or everybody's.

/// Classes of SQLSTATE that are no row's: connections, transactions, resources, locks, an operator's wish, the system,
/// configuration. A large object or a text search configuration that a row names and that is not there is the row's.
const OF_NO_ROW: [&str; 8] = ["08", "25", "40", "53", "55", "57", "58", "F0"];

/// Whether an error may be of one row, and not of the session, the server or the engine.
pub fn may_be_of_row(code: &str) -> bool {
    !OF_NO_ROW.iter().any(|class| code.starts_with(class))
}
