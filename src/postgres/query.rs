//! A caller's own SELECT, run for its rows: with the caller's rights, and as in a read-only
//! transaction (which may still write to temporary tables, and notify).

use crate::postgres::spi::Cursor;
use crate::postgres::text::Text;
use pgrx::pg_sys;
use pgrx::spi::Spi;
use protocol::{Fault, FaultCode};
use std::ffi::CString;

const HINT: &str =
    "Give one SELECT of three columns, as text: 'SELECT query_id, item_id, score FROM ...'.";
/// Rows that are fetched together: few calls, and little memory, however wide they are; as many as PL/pgSQL takes.
const CHUNK: std::ffi::c_long = 50;

/// Query, item and number of one row.
pub type Row = (Option<Text>, Option<Text>, Option<f64>);

/// Runs `sql`, which the argument `name` gave, and hands over each of its rows.
///
/// The columns are taken by position: two ids of any type, and a number of any type. All texts of a
/// statement see what the statement sees.
pub fn for_each(
    name: &str,
    sql: &str,
    mut row: impl FnMut(Row) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let sql = sql.trim_end_matches(|c: char| c.is_whitespace() || c == ';');
    let _read_only = ReadOnly::begin();
    Spi::connect(|_| {
        check(name, sql)?;
        // The line breaks end comments of the caller's.
        let typed = format!(
            "SELECT r.a::pg_catalog.text, r.b::pg_catalog.text, r.c::pg_catalog.float8 \
             FROM (\n{sql}\n) AS r (a, b, c)"
        );
        let cursor = Cursor::open(&typed, &[], true)?;
        while let Some(rows) = cursor.fetch(CHUNK) {
            for number in 0..rows.count() {
                row((rows.value(number, 1), rows.value(number, 2), rows.value(number, 3)))?;
            }
        }
        cursor.close();
        Ok(())
    })
}

/// In the database's encoding, as SPI takes it.
fn server_text(name: &str, sql: &str) -> Result<CString, Fault> {
    CString::new(crate::postgres::text::to_server(sql)).map_err(|_| refused(name, "It has a NUL"))
}

fn refused(name: &str, what: &str) -> Fault {
    Fault::new(FaultCode::InvalidParameter, format!("{name} is not a single SELECT"))
        .detail(format!("{what}."))
        .hint(HINT)
}

/// While it lives nothing can be written, by whatever function the SELECT calls.
struct ReadOnly {
    before: bool,
}

impl ReadOnly {
    fn begin() -> Self {
        // SAFETY: the main thread's own variable. An error that is raised meanwhile ends the
        // (sub)transaction, at which Postgres restores it, or unwinds through here.
        unsafe {
            let before = pg_sys::XactReadOnly;
            pg_sys::XactReadOnly = true;
            Self { before }
        }
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { pg_sys::XactReadOnly = self.before };
    }
}

/// Whether the text is one SELECT of three columns; what does not parse is Postgres' own error.
fn check(name: &str, sql: &str) -> Result<(), Fault> {
    let text = server_text(name, sql)?;
    // SAFETY: SPI is connected; the text is NUL-terminated; the plan lives until SPI is finished, and
    // its sources as long as it.
    unsafe {
        let plan = pg_sys::SPI_prepare(text.as_ptr(), 0, std::ptr::null_mut());
        let sources = pg_sys::SPI_plan_get_plan_sources(plan);
        let count = if sources.is_null() { 0 } else { (*sources).length };
        match count {
            0 => return Err(refused(name, "It is empty")),
            1 => {}
            several => return Err(refused(name, &format!("It has {several} statements"))),
        }
        let source = pg_sys::list_nth(sources, 0).cast::<pg_sys::CachedPlanSource>();
        match (*source).commandTag {
            pg_sys::CommandTag::CMDTAG_SELECT if (*source).resultDesc.is_null() => {
                Err(refused(name, "It gives no rows"))
            }
            pg_sys::CommandTag::CMDTAG_SELECT => three_columns(name, (*source).resultDesc),
            tag => {
                let tag = std::ffi::CStr::from_ptr(pg_sys::GetCommandTagName(tag));
                Err(refused(name, &format!("It is of the kind {}", tag.to_string_lossy())))
            }
        }
    }
}

/// Others would be left out without a word, or be missed under a name of ours.
///
/// # Safety
/// `columns` describes a result.
unsafe fn three_columns(name: &str, columns: pg_sys::TupleDesc) -> Result<(), Fault> {
    // SAFETY: the caller's promise.
    let count = unsafe { (*columns).natts };
    if count == 3 {
        return Ok(());
    }
    Err(Fault::new(FaultCode::InvalidParameter, format!("{name} has {count} columns, not 3"))
        .detail("They are taken by position: query, item, and score or relevance.")
        .hint(HINT))
}
