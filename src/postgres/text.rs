//! `text` values as UTF-8 strings, whatever the database's encoding.
//!
//! pgrx takes the bytes of a `text` as they are; in an EUC_KR or SQL_ASCII database that would be
//! mojibake or undefined behaviour. Here they are converted and checked by Postgres itself, which
//! raises 22021 for bytes that are not text.

use crate::postgres::varlena;
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::ffi::CStr;

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;

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
        // SAFETY: the caller's promise: a text, where it is not null.
        (!is_null).then(|| Self(unsafe { varlena::read(datum, from_server) }))
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
        // A null never comes here: the argument is either strict or an Option.
        unsafe { arg.unbox_arg_using_from_datum() }.unwrap_or(Self(String::new()))
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
    // A varlena has less than 1 GB.
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    // SAFETY: the pointer and the length are those of a live slice. The result is the input
    // itself or a palloc'd, NUL-terminated string.
    unsafe {
        let start = bytes.as_ptr().cast::<std::ffi::c_char>();
        let converted = pg_sys::pg_server_to_any(start, length, UTF8);
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

/// A `name` of the catalog.
pub fn name(name: &CStr) -> String {
    from_server(name.to_bytes())
}

/// UTF-8 text in the database's encoding, with `?` for each character that it lacks: a message is
/// worth more than its last character.
///
/// The result is only copied into Datums and messages; where the encoding is not UTF-8 it is no valid
/// `str`, and nothing that relies on that may be called on it.
pub fn to_server(text: &str) -> String {
    // SAFETY: reads a variable that is fixed when the session starts.
    let encoding = unsafe { pg_sys::GetDatabaseEncoding() };
    if text.is_ascii() || encoding == UTF8 || encoding == pg_sys::pg_enc::PG_SQL_ASCII as i32 {
        return text.to_owned();
    }
    // SAFETY: looks up the catalog inside a transaction, as every function call is.
    let convert = unsafe { pg_sys::FindDefaultConversionProc(UTF8, encoding) };
    let characters = text.chars().map(|character| converted(character, convert, encoding));
    let bytes: Vec<u8> = characters.flatten().collect();
    // SAFETY: see above.
    unsafe { String::from_utf8_unchecked(bytes) }
}

/// One character in the encoding `to`.
fn converted(character: char, convert: pg_sys::Oid, to: i32) -> Vec<u8> {
    const LONGEST: usize = 16; // no encoding of Postgres takes more than four bytes
    let mut source = [0; 4];
    let source = character.encode_utf8(&mut source).as_bytes();
    let mut target = [0u8; LONGEST];
    if convert == pg_sys::InvalidOid || character.is_ascii() {
        return if character.is_ascii() { source.to_vec() } else { vec![b'?'] };
    }
    // SAFETY: both buffers are live for the call, with their lengths; a failed conversion gives 0.
    unsafe {
        let done = pg_sys::pg_do_encoding_conversion_buf(
            convert,
            UTF8,
            to,
            source.as_ptr().cast_mut().cast(),
            source.len() as i32,
            target.as_mut_ptr().cast(),
            LONGEST as i32,
            true,
        );
        match done {
            0 => vec![b'?'],
            _ => CStr::from_ptr(target.as_ptr().cast()).to_bytes().to_vec(),
        }
    }
}
