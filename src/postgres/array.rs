//! One-dimensional `text[]` and `bytea[]` arguments.

use crate::postgres::error::raise;
use crate::postgres::text::Text;
use crate::postgres::varlena::Bytes;
use pgrx::callconv::{Arg, ArgAbi};
use pgrx::{FromDatum, pg_sys};
use protocol::{Fault, FaultCode};

/// Elements that are taken from one array: they are copied, and most of a million NULLs is overhead.
const MAX_ELEMENTS: i32 = 1_000_000;

/// A `text[]`; elements may be NULL.
pub struct TextArray(pub Vec<Option<String>>);

/// A `bytea[]`; elements may be NULL.
pub struct ByteaArray(pub Vec<Option<Vec<u8>>>);

// SAFETY: the argument's Datum is a text[], as the function's declaration has it.
unsafe impl<'fcx> ArgAbi<'fcx> for TextArray {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        let elements = unsafe { elements::<Text>(arg, pg_sys::TEXTOID) };
        Self(elements.into_iter().map(|text| text.map(Text::into_string)).collect())
    }
}

// SAFETY: the argument's Datum is a bytea[], as the function's declaration has it.
unsafe impl<'fcx> ArgAbi<'fcx> for ByteaArray {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        let elements = unsafe { elements::<Bytes>(arg, pg_sys::BYTEAOID) };
        Self(elements.into_iter().map(|bytes| bytes.map(|bytes| bytes.0)).collect())
    }
}

pgrx::impl_sql_translatable!(TextArray, "text[]");
pgrx::impl_sql_translatable!(ByteaArray, "bytea[]");

/// The elements of an array of a varlena type, in order.
///
/// # Safety
/// `arg` is not null and holds an array of `element_type`, which `T` reads.
unsafe fn elements<T: FromDatum>(arg: Arg<'_, '_>, element_type: pg_sys::Oid) -> Vec<Option<T>> {
    // SAFETY: the caller's promise; deconstruct_array allocates both results with `count` entries.
    unsafe {
        let Some(datum) = arg.unbox_arg_using_from_datum::<RawDatum>() else { return Vec::new() };
        let array = pg_sys::pg_detoast_datum(datum.0.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        if (*array).ndim > 1 {
            return raise(multidimensional((*array).ndim));
        }
        let total = pg_sys::ArrayGetNItems((*array).ndim, dimensions_of(array));
        if total > MAX_ELEMENTS {
            return raise(too_many(total));
        }
        let (mut datums, mut nulls) = (std::ptr::null_mut(), std::ptr::null_mut());
        let mut count = 0;
        let align = pg_sys::TYPALIGN_INT as std::ffi::c_char;
        pg_sys::deconstruct_array(
            array,
            element_type,
            -1,
            false,
            align,
            &mut datums,
            &mut nulls,
            &mut count,
        );
        let count = usize::try_from(count).unwrap_or(0);
        let values = (0..count).map(|i| T::from_datum(*datums.add(i), *nulls.add(i)));
        values.collect()
    }
}

/// Where the lengths of an array's dimensions are: right behind its header (ARR_DIMS).
fn dimensions_of(array: *const pg_sys::ArrayType) -> *const i32 {
    // Only computes an address; the caller has checked that an array is there.
    array.wrapping_add(1).cast()
}

fn too_many(elements: i32) -> Fault {
    Fault::new(FaultCode::LimitExceeded, "too many elements in one array")
        .detail(format!("It has {elements}; at most {MAX_ELEMENTS} are taken."))
        .hint("Use several calls; a few thousand rows a call are as fast.")
}

/// A Datum as it came, still to be read.
struct RawDatum(pg_sys::Datum);

impl FromDatum for RawDatum {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        (!is_null).then_some(Self(datum))
    }
}

fn multidimensional(dimensions: i32) -> Fault {
    Fault::new(FaultCode::InvalidParameter, "array must be one-dimensional")
        .detail(format!("It has {dimensions} dimensions."))
        .hint("Give a flat array, such as one built by array_agg over a text column.")
}
