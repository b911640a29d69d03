//! pgvector's `vector`.
//!
//! Layout (pgvector 0.5–0.8, `src/vector.h`): varlena header, int16 dimensions, int16 unused (0),
//! float4 elements. The type's Oid is never looked up by name, since a search path may be empty: it
//! comes from the declaration of the function that returns it.

use crate::postgres::error::raise;
use crate::postgres::varlena;
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::{FromDatum, pg_sys};
use protocol::{Fault, FaultCode};

/// pgvector's limit.
const MAX_DIMENSIONS: usize = 16_000;

/// A `vector`.
pub struct Vector(pub Vec<f32>);

/// A `vector[]` result; elements may be NULL.
pub struct VectorArray(pub Vec<Option<Vec<f32>>>);

// SAFETY: returns a complete varlena of type vector in the current memory context.
unsafe impl BoxRet for Vector {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        let datum = datum(&self.0);
        // SAFETY: as above.
        unsafe { fcinfo.return_raw_datum(datum) }
    }
}

// SAFETY: returns a complete array whose element type is that of the function's declared result.
unsafe impl BoxRet for VectorArray {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: fcinfo is that of the running call, so flinfo is set.
        unsafe {
            let function = (*(*fcinfo.as_mut_ptr()).flinfo).fn_oid;
            let element = pg_sys::get_element_type(pg_sys::get_func_rettype(function));
            fcinfo.return_raw_datum(array(self.0.iter().map(Option::as_deref), element))
        }
    }
}

impl FromDatum for Vector {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        // SAFETY: the caller's promise: a vector, where it is not null.
        (!is_null).then(|| Self(unsafe { varlena::read(datum, elements) }))
    }
}

/// Behind the varlena header: dimensions and an unused word, then the elements, at any alignment.
fn elements(bytes: &[u8]) -> Vec<f32> {
    let elements = bytes.get(4..).unwrap_or_default().chunks_exact(size_of::<f32>());
    elements.map(|e| f32::from_ne_bytes([e[0], e[1], e[2], e[3]])).collect()
}

pgrx::impl_sql_translatable!(Vector, "vector");
pgrx::impl_sql_translatable!(VectorArray, "vector[]");

/// A palloc'd `vector[]`; `element` is the type `vector`.
pub fn array<'a>(
    vectors: impl Iterator<Item = Option<&'a [f32]>>,
    element: pg_sys::Oid,
) -> pg_sys::Datum {
    let (mut datums, mut nulls) = (Vec::new(), Vec::new());
    for vector in vectors {
        nulls.push(vector.is_none());
        datums.push(vector.map_or(pg_sys::Datum::null(), datum));
    }
    let Ok(mut count) = i32::try_from(datums.len()) else {
        return raise(bad_size(datums.len()));
    };
    // SAFETY: the arrays outlive the call that copies them, and lengths match.
    unsafe {
        if count == 0 {
            return pg_sys::construct_empty_array(element).into();
        }
        let (mut length, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(element, &mut length, &mut by_value, &mut align);
        let mut lower_bound = 1;
        let array = pg_sys::construct_md_array(
            datums.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            &mut count,
            &mut lower_bound,
            element,
            i32::from(length),
            by_value,
            align,
        );
        array.into()
    }
}

/// The type of arrays of an element type.
pub fn array_type(element: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a look at the catalog.
    unsafe { pg_sys::get_array_type(element) }
}

/// A palloc'd `vector`.
fn datum(elements: &[f32]) -> pg_sys::Datum {
    const HEADER: usize = 8;
    let dimensions = elements.len();
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return raise(bad_size(dimensions));
    }
    let size = HEADER + size_of_val(elements);
    // SAFETY: `size` bytes are allocated, zeroed and maximally aligned; header, dimensions and
    // elements are written inside them. The casts cannot truncate below MAX_DIMENSIONS.
    unsafe {
        let start = pg_sys::palloc0(size).cast::<u8>();
        pgrx::set_varsize_4b(start.cast(), size as i32);
        start.add(4).cast::<i16>().write(dimensions as i16);
        start.add(HEADER).cast::<f32>().copy_from_nonoverlapping(elements.as_ptr(), dimensions);
        pg_sys::Datum::from(start)
    }
}

fn bad_size(size: usize) -> Fault {
    Fault::new(FaultCode::Internal, "a vector or an array of vectors has an impossible size")
        .detail(format!("Its size is {size}; a vector has 1 to {MAX_DIMENSIONS} dimensions."))
        .hint("This is a bug; please report it.")
}
