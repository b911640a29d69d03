//! Statements of ours, run through SPI with typed parameters, and their rows.
//!
//! To be called inside of `Spi::connect`. An error of the statement is raised as Postgres' own.

use crate::postgres::memory::Scratch;
use crate::postgres::text::{Text, to_server};
use crate::postgres::vector;
use pgrx::{FromDatum, IntoDatum, pg_sys};
use protocol::{Fault, FaultCode};
use std::ffi::{CString, c_char, c_long};
use std::ptr::null;

/// A parameter of a statement, in the order `$1`, `$2`, …
pub enum Parameter<'a> {
    /// `text`
    Text(Option<&'a str>),
    /// `oid`
    Oid(pg_sys::Oid),
    /// `int4`
    Int(i32),
    /// `int8[]`
    Numbers(&'a [i64]),
    /// `oid[]`
    Oids(Vec<pg_sys::Oid>),
    /// `text[]`
    Texts(Vec<Option<&'a str>>),
    /// `vector[]`, with the type `vector`.
    Vectors(Vec<Option<&'a [f32]>>, pg_sys::Oid),
}

/// Rows that a statement gave, or a part of them; freed when they are done with.
pub struct Rows {
    table: *mut pg_sys::SPITupleTable,
    count: usize,
}

/// An open query. Not closed after an error: Postgres does that with the (sub)transaction.
pub struct Cursor(pg_sys::Portal);

/// Runs one statement, which sees what was written before it, and gives its rows.
pub fn execute(sql: &str, parameters: &[Parameter<'_>]) -> Result<Rows, Fault> {
    run(sql, parameters, false)
}

/// Runs one query by the snapshot that is active.
pub fn query(sql: &str, parameters: &[Parameter<'_>]) -> Result<Rows, Fault> {
    run(sql, parameters, true)
}

fn run(sql: &str, parameters: &[Parameter<'_>], read_only: bool) -> Result<Rows, Fault> {
    let text = statement(sql)?;
    let (_scratch, mut bound) = Scratch::fill(|| Bound::of(parameters));
    // SAFETY: SPI is connected; the arrays have `count` entries and outlive the call, which copies nothing
    // that it keeps.
    let code = unsafe {
        pg_sys::SPI_execute_with_args(
            text.as_ptr(),
            bound.count(),
            bound.types.as_mut_ptr(),
            bound.values.as_mut_ptr(),
            bound.nulls.as_ptr(),
            read_only,
            0,
        )
    };
    if code < 0 { Err(refused(code)) } else { Ok(Rows::take()) }
}

impl Cursor {
    /// Opens a query; where it is not `read_only` it sees what was written before it.
    pub fn open(sql: &str, parameters: &[Parameter<'_>], read_only: bool) -> Result<Self, Fault> {
        let text = statement(sql)?;
        let (_scratch, mut bound) = Scratch::fill(|| Bound::of(parameters));
        // SAFETY: as in `run`; the portal copies the parameters.
        let portal = unsafe {
            pg_sys::SPI_cursor_open_with_args(
                null(),
                text.as_ptr(),
                bound.count(),
                bound.types.as_mut_ptr(),
                bound.values.as_mut_ptr(),
                bound.nulls.as_ptr(),
                read_only,
                0,
            )
        };
        Ok(Self(portal))
    }

    /// The next rows, at most so many; none at the end.
    pub fn fetch(&self, most: c_long) -> Option<Rows> {
        // SAFETY: the portal is open.
        unsafe { pg_sys::SPI_cursor_fetch(self.0, true, most) };
        let rows = Rows::take();
        (rows.count > 0).then_some(rows)
    }

    /// Done with it.
    pub fn close(self) {
        // SAFETY: the portal is open.
        unsafe { pg_sys::SPI_cursor_close(self.0) };
    }
}

impl Rows {
    /// Those of the SPI call just made.
    fn take() -> Self {
        // SAFETY: this thread's own variables, of the last call.
        let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
        let count = if table.is_null() { 0 } else { usize::try_from(count).unwrap_or(0) };
        Self { table, count }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// A value; columns count from 1. `T` reads the type that the statement gives there.
    pub fn value<T: FromDatum>(&self, row: usize, column: i32) -> Option<T> {
        if row >= self.count {
            return None;
        }
        let mut is_null = true;
        // SAFETY: the table holds so many rows; a value is copied before the table is freed.
        unsafe {
            let tuple = *(*self.table).vals.add(row);
            let datum = pg_sys::SPI_getbinval(tuple, (*self.table).tupdesc, column, &mut is_null);
            T::from_datum(datum, is_null)
        }
    }

    /// A `text`, as UTF-8.
    pub fn text(&self, row: usize, column: i32) -> Option<String> {
        self.value::<Text>(row, column).map(Text::into_string)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // After an error Postgres has freed it, or will, with the context that it lies in.
        if self.table.is_null() || std::thread::panicking() {
            return;
        }
        // SAFETY: it is these rows' own, and freed once.
        unsafe { pg_sys::SPI_freetuptable(self.table) };
    }
}

/// Parameters as SPI takes them.
struct Bound {
    types: Vec<pg_sys::Oid>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<c_char>,
}

impl Bound {
    fn of(parameters: &[Parameter<'_>]) -> Self {
        let mut bound = Self { types: Vec::new(), values: Vec::new(), nulls: Vec::new() };
        for parameter in parameters {
            let (datum, kind) = parameter.datum();
            bound.nulls.push(if datum.is_some() { b' ' } else { b'n' } as c_char);
            bound.values.push(datum.unwrap_or(pg_sys::Datum::null()));
            bound.types.push(kind);
        }
        bound
    }

    fn count(&self) -> i32 {
        i32::try_from(self.types.len()).unwrap_or(0)
    }
}

impl Parameter<'_> {
    fn datum(&self) -> (Option<pg_sys::Datum>, pg_sys::Oid) {
        let text = |text: &str| to_server(text);
        match self {
            Parameter::Text(value) => (value.map(text).into_datum(), pg_sys::TEXTOID),
            Parameter::Oid(oid) => (oid.into_datum(), pg_sys::OIDOID),
            Parameter::Int(number) => (number.into_datum(), pg_sys::INT4OID),
            Parameter::Numbers(numbers) => (numbers.to_vec().into_datum(), pg_sys::INT8ARRAYOID),
            Parameter::Oids(oids) => (oids.clone().into_datum(), pg_sys::OIDARRAYOID),
            Parameter::Texts(texts) => {
                let texts: Vec<Option<String>> = texts.iter().map(|t| t.map(text)).collect();
                (texts.into_datum(), pg_sys::TEXTARRAYOID)
            }
            Parameter::Vectors(vectors, element) => {
                let array = vector::array(vectors.iter().copied(), *element);
                (Some(array), vector::array_type(*element))
            }
        }
    }
}

/// In the database's encoding, as SPI takes it.
fn statement(sql: &str) -> Result<CString, Fault> {
    CString::new(to_server(sql)).map_err(|_| {
        Fault::new(FaultCode::InvalidParameter, "a statement has a NUL byte")
            .detail("Names and expressions of SQL cannot have one.")
            .hint("Leave it out.")
    })
}

fn refused(code: i32) -> Fault {
    Fault::new(FaultCode::Internal, "a statement of the extension was refused")
        .detail(format!("SPI's code is {code}."))
        .hint("This is a bug; please report it.")
}
