//! The registry of embedding columns, read as Postgres reads its own catalogs: at any moment of a transaction, in
//! any process, by the latest snapshot, with no rights needed, and without running a statement.

use crate::postgres::relation::{self, Relation};
use crate::postgres::text::Text;
use pgrx::{FromDatum, pg_sys};
use std::ffi::CStr;

const TABLE: &CStr = c"embedding_columns";
/// The columns that are read, with their types.
const COLUMNS: [(&CStr, pg_sys::Oid); 3] =
    [(c"tbl", pg_sys::REGCLASSOID), (c"target", pg_sys::NAMEOID), (c"model", pg_sys::TEXTOID)];

/// The registry of this database.
pub struct Registry {
    relation: Relation,
    /// Numbers of [`COLUMNS`].
    columns: [i16; 3],
}

impl Registry {
    /// `None` where the extension is not installed, is just being created or changed, or is of a version that has no
    /// such table.
    pub fn open() -> Option<Self> {
        // SAFETY: a plain read of this process' variable.
        if unsafe { pg_sys::creating_extension } {
            return None;
        }
        // SAFETY: a look at the catalog; the name is NUL-terminated.
        let table = unsafe { pg_sys::get_relname_relid(TABLE.as_ptr(), namespace()?) };
        if relation::kind(table) != pg_sys::RELKIND_RELATION {
            return None;
        }
        let columns = COLUMNS.map(|(name, kind)| number(table, name, kind));
        if columns.contains(&0) {
            return None;
        }
        Some(Self { relation: Relation::open(table)?, columns })
    }

    /// The model of a column; `None` where it is no embedding column.
    pub fn model(&self, table: pg_sys::Oid, column: &str) -> Option<String> {
        let [tbl, target, model] = self.columns;
        let value = pg_sys::Datum::from(table);
        let index = primary_key(&self.relation);
        let mut scan = Scan::begin(&self.relation, index, tbl, pg_sys::F_OIDEQ, value);
        while let Some(row) = scan.next() {
            // SAFETY: the columns are of these types; the name is copied before the row goes.
            let name = unsafe { scan.value::<&CStr>(row, target) };
            if name.is_some_and(|name| crate::postgres::text::name(name) == column) {
                // SAFETY: as above.
                return unsafe { scan.value::<Text>(row, model) }.map(Text::into_string);
            }
        }
        None
    }
}

/// Schema of the extension in this database; `None` where it is not installed, or somebody changes the catalog.
fn namespace() -> Option<pg_sys::Oid> {
    namespace_in(&Relation::open(pg_sys::ExtensionRelationId)?)
}

/// The same; waits for who changes the catalog.
pub fn installed_namespace() -> Option<pg_sys::Oid> {
    namespace_in(&Relation::wait_for(pg_sys::ExtensionRelationId))
}

fn namespace_in(catalog: &Relation) -> Option<pg_sys::Oid> {
    let name = pg_sys::Datum::from(c"itembank_embed".as_ptr());
    let column = pg_sys::Anum_pg_extension_extname as i16;
    let mut scan = Scan::begin(catalog, pg_sys::InvalidOid, column, pg_sys::F_NAMEEQ, name);
    let row = scan.next()?;
    // SAFETY: the column is an oid.
    unsafe { scan.value(row, pg_sys::Anum_pg_extension_extnamespace as i16) }
}

/// The registry's table; `None` where the extension is not installed.
pub fn table() -> Option<pg_sys::Oid> {
    // SAFETY: a look at the catalog; the name is NUL-terminated.
    let table = unsafe { pg_sys::get_relname_relid(TABLE.as_ptr(), installed_namespace()?) };
    (table != pg_sys::InvalidOid).then_some(table)
}

/// The number of a column of that name and type; 0 where there is none.
fn number(table: pg_sys::Oid, name: &CStr, kind: pg_sys::Oid) -> i16 {
    // SAFETY: looks at the catalog; the name is NUL-terminated.
    unsafe {
        let number = pg_sys::get_attnum(table, name.as_ptr());
        if number > 0 && pg_sys::get_atttype(table, number) == kind { number } else { 0 }
    }
}

/// Its index; `InvalidOid` where somebody has dropped that.
fn primary_key(table: &Relation) -> pg_sys::Oid {
    // SAFETY: the relation is open.
    #[cfg(feature = "pg18")]
    unsafe {
        pg_sys::RelationGetPrimaryKeyIndex(table.as_ptr(), false)
    }
    // SAFETY: as above.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        pg_sys::RelationGetPrimaryKeyIndex(table.as_ptr())
    }
}

/// A scan for one value of one column.
struct Scan<'a> {
    relation: &'a Relation,
    scan: pg_sys::SysScanDesc,
}

impl<'a> Scan<'a> {
    /// `equals` is the function that compares the column with the value; without an index the table is read.
    fn begin(
        relation: &'a Relation,
        index: pg_sys::Oid,
        column: i16,
        equals: u32,
        value: pg_sys::Datum,
    ) -> Self {
        let mut key = pg_sys::ScanKeyData::default();
        let strategy = pg_sys::BTEqualStrategyNumber as u16;
        // SAFETY: the relation is open; the key is copied. No snapshot stands for the newest.
        unsafe {
            pg_sys::ScanKeyInit(&mut key, column, strategy, pg_sys::Oid::from(equals), value);
            let scan = pg_sys::systable_beginscan(
                relation.as_ptr(),
                index,
                index != pg_sys::InvalidOid,
                std::ptr::null_mut(),
                1,
                &mut key,
            );
            Self { relation, scan }
        }
    }

    /// The next row, valid until the one after it.
    fn next(&mut self) -> Option<pg_sys::HeapTuple> {
        // SAFETY: the scan is under way.
        let row = unsafe { pg_sys::systable_getnext(self.scan) };
        (!row.is_null()).then_some(row)
    }

    /// # Safety
    /// The row is the scan's last, the column is of the type that `T` reads.
    unsafe fn value<T: FromDatum>(&self, row: pg_sys::HeapTuple, column: i16) -> Option<T> {
        let mut is_null = true;
        // SAFETY: the caller's promise; the description is the relation's own.
        unsafe {
            let description = (*self.relation.as_ptr()).rd_att;
            let datum = pg_sys::heap_getattr(row, column.into(), description, &mut is_null);
            T::from_datum(datum, is_null)
        }
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        // After an error Postgres ends it.
        if !std::thread::panicking() {
            // SAFETY: begun by `begin`, ended once, before the relation is closed.
            unsafe { pg_sys::systable_endscan(self.scan) };
        }
    }
}
