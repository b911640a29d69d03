//! Queries within queries: what a column's reference means depends on where it stands.

use pgrx::pg_sys::{self, Node};
use std::ffi::CStr;

/// A node and the query that it stands in.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Of the parser.
    pub node: *mut Node,
    /// Of [`Scopes`].
    pub scope: usize,
}

/// Queries, each with the one around it.
#[derive(Default)]
pub struct Scopes(Vec<(*mut pg_sys::Query, Option<usize>)>);

impl Scopes {
    /// A number for the query.
    pub fn add(&mut self, query: *mut pg_sys::Query, parent: Option<usize>) -> usize {
        self.0.push((query, parent));
        self.0.len() - 1
    }

    /// The query so many levels further out.
    pub fn outer(&self, mut scope: usize, levels: u32) -> Option<usize> {
        for _ in 0..levels {
            scope = self.0.get(scope)?.1?;
        }
        Some(scope)
    }

    /// An entry of the query's range table; these count from 1.
    ///
    /// # Safety
    /// The queries are of the parser.
    pub unsafe fn entry(&self, scope: usize, number: i32) -> Option<&pg_sys::RangeTblEntry> {
        let (query, _) = self.0.get(scope)?;
        // SAFETY: the caller's promise.
        unsafe { Some(&*nth((**query).rtable, number)?.cast::<pg_sys::RangeTblEntry>()) }
    }

    /// The query of a WITH clause, to be read as part of the query that has the clause.
    ///
    /// # Safety
    /// As [`Self::entry`]; `name` is NUL-terminated.
    pub unsafe fn with(&self, scope: usize, name: *const std::ffi::c_char) -> Option<*mut Node> {
        let (query, _) = self.0.get(scope)?;
        // SAFETY: the caller's promise.
        unsafe {
            let name = CStr::from_ptr(name);
            nodes((**query).cteList)
                .map(|expression| &*expression.cast::<pg_sys::CommonTableExpr>())
                .find(|expression| CStr::from_ptr(expression.ctename) == name)
                .map(|expression| expression.ctequery)
        }
    }
}

/// The elements of a list; null is an empty one.
///
/// # Safety
/// It is null or a list of nodes, and lives as long as the iterator.
pub unsafe fn nodes(list: *mut pg_sys::List) -> impl Iterator<Item = *mut Node> {
    // SAFETY: the caller's promise; so many elements are there.
    let elements: &[pg_sys::ListCell] = unsafe {
        match list.is_null() || (*list).length <= 0 {
            true => &[],
            false => std::slice::from_raw_parts((*list).elements, (*list).length as usize),
        }
    };
    // SAFETY: a list of nodes holds pointers.
    elements.iter().map(|cell| unsafe { cell.ptr_value.cast() })
}

/// An element, counted from 1.
///
/// # Safety
/// As [`nodes`].
pub unsafe fn nth(list: *mut pg_sys::List, number: i32) -> Option<*mut Node> {
    let place = usize::try_from(number).ok()?.checked_sub(1)?;
    // SAFETY: the caller's promise.
    unsafe { nodes(list).nth(place) }.filter(|node| !node.is_null())
}
