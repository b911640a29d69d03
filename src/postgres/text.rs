//! `text` values as UTF-8 strings, whatever the database's encoding.
//!
//! pgrx takes the bytes of a `text` as they are; in an EUC_KR or SQL_ASCII database that would be
//! mojibake or undefined behaviour. Here they are converted and checked by Postgres itself, which
//! raises 22021 for bytes that are not text.

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::ffi::CStr;

/// A `text` argument or result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, given away.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromDatum for Text {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: a non-null Datum of type text points to a varlena; what is read is copied before
        // the detoasted value is freed.
        unsafe {
            let original = datum.cast_mut_ptr::<pg_sys::varlena>();
            let detoasted = pg_sys::pg_detoast_datum_packed(original);
            let text = from_server(pgrx::varlena::varlena_to_byte_slice(detoasted));
            if detoasted != original {
                pg_sys::pfree(detoasted.cast());
            }
            Some(Self(text))
        }
    }
}

impl IntoDatum for Text {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        to_server(&self.0).into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTOID
    }
}

// SAFETY: reads the argument's own Datum, which pgrx has checked not to be null.
unsafe impl<'fcx> ArgAbi<'fcx> for Text {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        match unsafe { arg.unbox_arg_using_from_datum() } {
            Some(text) => text,
            None => error!("unexpected null text argument"),
        }
    }
}

// SAFETY: the Datum is a fresh varlena in the caller's memory context.
unsafe impl BoxRet for Text {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: as above.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

pgrx::impl_sql_translatable!(Text, "text");

/// Bytes in the database's encoding, converted to UTF-8 and validated.
fn from_server(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let Ok(length) = i32::try_from(bytes.len()) else { error!("text value is too long") };
    // SAFETY: the pointer and the length are those of a live slice. The result is the input
    // itself or a palloc'd, NUL-terminated string.
    unsafe {
        let start = bytes.as_ptr().cast::<std::ffi::c_char>();
        let utf8 = pg_sys::pg_enc::PG_UTF8 as i32;
        let converted = pg_sys::pg_server_to_any(start, length, utf8);
        let unchanged = std::ptr::eq(converted, start);
        let converted = match unchanged {
            true => bytes,
            false => CStr::from_ptr(converted).to_bytes(),
        };
        let text = String::from_utf8_lossy(converted).into_owned();
        if !unchanged {
            pg_sys::pfree(converted.as_ptr().cast_mut().cast());
        }
        text
    }
}

/// UTF-8 text in the database's encoding; what that cannot hold is Postgres' error 22P05.
pub fn to_server(text: &str) -> String {
    // SAFETY: as in `from_server`. The result is only copied by callers into Datums and messages;
    // where the encoding is not UTF-8, no str method that relies on UTF-8 is called on it.
    unsafe {
        if pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 {
            return text.to_owned();
        }
        let Ok(length) = i32::try_from(text.len()) else { error!("text value is too long") };
        let start = text.as_ptr().cast::<std::ffi::c_char>();
        let utf8 = pg_sys::pg_enc::PG_UTF8 as i32;
        let converted = pg_sys::pg_any_to_server(start, length, utf8);
        if std::ptr::eq(converted, start) {
            return text.to_owned();
        }
        let bytes = CStr::from_ptr(converted).to_bytes().to_vec();
        pg_sys::pfree(converted.cast());
        String::from_utf8_unchecked(bytes)
    }
}
