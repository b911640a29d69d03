//! Bytes behind a Datum of a variable-length type, wherever they are stored.

use pgrx::{FromDatum, pg_sys};

/// Gives the bytes to `read`; a copy that had to be made, of a value that was compressed or stored
/// apart, is freed behind it.
///
/// # Safety
/// `datum` is not null and of a variable-length type.
pub unsafe fn read<T>(datum: pg_sys::Datum, read: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: the caller's promise; what `read` makes of the bytes does not borrow from them.
    unsafe {
        let original = datum.cast_mut_ptr::<pg_sys::varlena>();
        let detoasted = pg_sys::pg_detoast_datum_packed(original);
        let found = read(pgrx::varlena::varlena_to_byte_slice(detoasted));
        if detoasted != original {
            pg_sys::pfree(detoasted.cast());
        }
        found
    }
}

/// The bytes of a value as it is stored: with its header, compressed or not, or where it is stored
/// apart. Where they are equal, so are the values.
///
/// # Safety
/// `datum` is not null and of a variable-length type; the bytes live as long as it.
pub unsafe fn stored<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: the caller's promise; a varlena has as many bytes as its header says.
    unsafe {
        let start = datum.cast_mut_ptr::<pg_sys::varlena>();
        std::slice::from_raw_parts(start.cast(), pgrx::varsize_any(start))
    }
}

/// A `bytea`, copied.
pub struct Bytes(pub Vec<u8>);

impl FromDatum for Bytes {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        // SAFETY: the caller's promise: a bytea, where it is not null.
        (!is_null).then(|| Self(unsafe { read(datum, <[u8]>::to_vec) }))
    }
}
