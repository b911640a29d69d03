//! What a window function sees of its partition (`windowapi.h`, which pgrx does not bind).
//!
//! The functions declared here have had these signatures since PostgreSQL 8.4.

use crate::postgres::text::Text;
use crate::postgres::varlena::{self, Bytes};
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary as guarded;
use pgrx::{FromDatum, pg_sys};
use protocol::{Fault, FaultCode};
use std::ffi::{c_int, c_void};

/// Rows that are taken from one partition, as elements from one array.
const MAX_ROWS: usize = 1_000_000;
/// `WINDOW_SEEK_HEAD`: rows are counted from the partition's first.
const SEEK_HEAD: c_int = 1;

unsafe extern "C-unwind" {
    fn WinGetPartitionLocalMemory(
        object: *mut pg_sys::WindowObjectData,
        size: usize,
    ) -> *mut c_void;
    fn WinGetCurrentPosition(object: *mut pg_sys::WindowObjectData) -> i64;
    fn WinGetPartitionRowCount(object: *mut pg_sys::WindowObjectData) -> i64;
    fn WinGetFuncArgInPartition(
        object: *mut pg_sys::WindowObjectData,
        argument: c_int,
        position: c_int,
        seek: c_int,
        set_mark: bool,
        is_null: *mut bool,
        is_out: *mut bool,
    ) -> pg_sys::Datum;
}

/// The rows that a window function is called over.
pub struct Partition {
    object: *mut pg_sys::WindowObjectData,
    rows: usize,
    arguments: c_int,
}

/// What is kept of a row between the calls for a partition; all zeros before the first.
#[repr(C)]
struct Kept {
    number: f32,
    is_number: bool,
}

impl Partition {
    /// The partition of the call under way.
    pub fn of(fcinfo: pg_sys::FunctionCallInfo) -> Result<Self, Fault> {
        // SAFETY: Postgres calls with a valid fcinfo; the context of a window function's call is a
        // WindowObject, which the tag tells, and otherwise it is not touched.
        let (object, rows, arguments) = unsafe {
            let context = (*fcinfo).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_WindowObjectData {
                return Err(no_window());
            }
            let object = context.cast::<pg_sys::WindowObjectData>();
            (object, guarded(|| WinGetPartitionRowCount(object)), (*fcinfo).nargs.into())
        };
        let rows = usize::try_from(rows).unwrap_or(0);
        if rows > MAX_ROWS {
            return Err(too_many(rows));
        }
        Ok(Self { object, rows, arguments })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// An argument of a row that the function declares as text; none where it has no such.
    pub fn text(&self, argument: c_int, row: usize) -> Option<Text> {
        self.argument(argument, row)
    }

    /// An argument of a row that the function declares as bytea; none where it has no such.
    pub fn bytea(&self, argument: c_int, row: usize) -> Option<Vec<u8>> {
        self.argument::<Bytes>(argument, row).map(|bytes| bytes.0)
    }

    /// Lets `look` at an argument of a row as it is stored, see [`varlena::stored`]; none where it is
    /// null. It is declared as of a variable-length type.
    pub fn stored<T>(
        &self,
        argument: c_int,
        row: usize,
        look: impl FnOnce(Option<&[u8]>) -> T,
    ) -> T {
        let datum = self.datum(argument, row);
        // SAFETY: the Datum is that of a variable-length argument, and looked at before the next one
        // is asked for.
        look(datum.map(|datum| unsafe { varlena::stored(datum) }))
    }

    /// The current row's number; `compute` gives those of all rows, once a partition.
    pub fn number(
        &self,
        compute: impl FnOnce() -> Result<Vec<Option<f32>>, Fault>,
    ) -> Result<Option<f32>, Fault> {
        // A flag that all are there, then one for each row.
        let size = (self.rows + 1) * size_of::<Kept>();
        // SAFETY: the memory is zeroed when it is first asked for, maximally aligned, lives as long as
        // the partition, and has the same size at each call for it; zeros are a valid Kept.
        let kept = unsafe {
            let start = guarded(|| WinGetPartitionLocalMemory(self.object, size)).cast::<Kept>();
            std::slice::from_raw_parts_mut(start, self.rows + 1)
        };
        let Some((done, kept)) = kept.split_first_mut() else { return Ok(None) };
        if !done.is_number {
            for (kept, number) in kept.iter_mut().zip(compute()?) {
                *kept = Kept { number: number.unwrap_or_default(), is_number: number.is_some() };
            }
            done.is_number = true;
        }
        // SAFETY: the object is that of the call under way.
        let row = unsafe { guarded(|| WinGetCurrentPosition(self.object)) };
        let kept = usize::try_from(row).ok().and_then(|row| kept.get(row));
        Ok(kept.filter(|kept| kept.is_number).map(|kept| kept.number))
    }

    fn argument<T: FromDatum>(&self, argument: c_int, row: usize) -> Option<T> {
        let datum = self.datum(argument, row)?;
        // SAFETY: the declaration gives the argument the type that T reads, as the callers' own
        // documents ask; it is copied before the next one is asked for.
        unsafe { T::from_datum(datum, false) }
    }

    fn datum(&self, argument: c_int, row: usize) -> Option<pg_sys::Datum> {
        // Rows with large images take a while.
        pgrx::check_for_interrupts!();
        if argument >= self.arguments {
            return None;
        }
        let (mut is_null, mut is_out) = (true, true);
        // At most MAX_ROWS.
        let position = c_int::try_from(row).unwrap_or(c_int::MAX);
        // SAFETY: the object is that of the call under way, and the function has such an argument.
        let datum = unsafe {
            guarded(|| {
                WinGetFuncArgInPartition(
                    self.object,
                    argument,
                    position,
                    SEEK_HEAD,
                    false,
                    &mut is_null,
                    &mut is_out,
                )
            })
        };
        (!is_null && !is_out).then_some(datum)
    }
}

fn no_window() -> Fault {
    Fault::new(FaultCode::InvalidParameter, "a window function was called without a window")
        .detail("It scores the rows of a window together.")
        .hint("Write OVER () behind the call.")
}

fn too_many(rows: usize) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "too many rows in one window")
        .detail(format!("It has {rows}; at most {MAX_ROWS} are taken."))
        .hint("Rerank the best hits of a search: SELECT ... FROM (SELECT ... LIMIT 50) AS hits.")
}
