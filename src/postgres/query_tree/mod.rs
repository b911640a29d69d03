//! Statements as Postgres has analysed them: comparisons of a table's vectors with others are shown to a check.
//!
//! This runs for every statement of every session that has loaded the library, so it is in haste: first the tree alone
//! is looked at, and the catalog is asked nothing unless an operator or function that is not built in has two sides of
//! which one may be a column of vectors.

mod operand;
mod scope;

pub use operand::{Call, Constant, Operand};

use crate::postgres::error::raise;
use crate::postgres::settings;
use operand::Resolver;
use pgrx::pg_guard;
use pgrx::pg_sys::{self, Node, NodeTag};
use protocol::Fault;
use scope::{Place, Scopes, nodes};
use std::ffi::c_void;
use std::sync::OnceLock;

/// Judges what two sides of a comparison are; at least one is a column.
pub type Check = fn(&Operand, &Operand) -> Result<(), Fault>;

static CHECK: OnceLock<Check> = OnceLock::new();
static FORMER: OnceLock<pg_sys::post_parse_analyze_hook_type> = OnceLock::new();

/// Has each statement's comparisons checked from here on; a fault fails the statement.
pub fn on_comparison(check: Check) {
    if CHECK.set(check).is_err() {
        return;
    }
    // SAFETY: called when the library is loaded, by the one thread that there is.
    unsafe {
        // Set once, as above.
        let _ = FORMER.set(pg_sys::post_parse_analyze_hook);
        pg_sys::post_parse_analyze_hook = Some(analysed);
    }
}

/// Not guarded itself, and with nothing to drop: an error of the former hook passes through it as it is.
unsafe extern "C-unwind" fn analysed(
    state: *mut pg_sys::ParseState,
    query: *mut pg_sys::Query,
    jumble: *mut pg_sys::JumbleState,
) {
    // SAFETY: the arguments are those that Postgres gave.
    unsafe {
        if let Some(Some(former)) = FORMER.get() {
            former(state, query, jumble);
        }
        if settings::model_guard() && may_compare(query) {
            examine(state, query);
        }
    }
}

/// Whether there can be a column in it at all.
///
/// # Safety
/// `query` is of the parser.
unsafe fn may_compare(query: *mut pg_sys::Query) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let query = &*query;
        !query.rtable.is_null()
            || !query.cteList.is_null()
            || query.hasSubLinks
            || !within(query).is_null()
    }
}

/// The query of a statement that has one, such as EXPLAIN; not all of those are analysed a second time.
///
/// # Safety
/// `query` is of the parser.
unsafe fn within(query: &pg_sys::Query) -> *mut Node {
    let statement = query.utilityStmt;
    // SAFETY: the caller's promise; nodes are what their tags say.
    unsafe {
        let inner = match () {
            () if statement.is_null() => return statement,
            () if is(statement, NodeTag::T_ExplainStmt) => {
                (*statement.cast::<pg_sys::ExplainStmt>()).query
            }
            () if is(statement, NodeTag::T_CreateTableAsStmt) => {
                (*statement.cast::<pg_sys::CreateTableAsStmt>()).query
            }
            () if is(statement, NodeTag::T_DeclareCursorStmt) => {
                (*statement.cast::<pg_sys::DeclareCursorStmt>()).query
            }
            () => return std::ptr::null_mut(),
        };
        // EXECUTE, for one, is not analysed.
        if !inner.is_null() && is(inner, NodeTag::T_Query) { inner } else { std::ptr::null_mut() }
    }
}

/// # Safety
/// `node` is a node.
unsafe fn is(node: *const Node, tag: NodeTag) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*node).type_ == tag }
}

#[pg_guard]
unsafe extern "C-unwind" fn examine(state: *mut pg_sys::ParseState, query: *mut pg_sys::Query) {
    let Some(check) = CHECK.get() else { return };
    let mut walk = Walk::default();
    // SAFETY: the tree is of the parser, and stays as it is while it is looked at.
    unsafe {
        walk.run(query.cast());
        if walk.found.is_empty() {
            return;
        }
        let mut resolver = Resolver::new(&mut walk.scopes);
        for comparison in &walk.found {
            let Some([left, right]) = resolver.operands(comparison) else { continue };
            if let Err(fault) = check(&left, &right) {
                point_at(state, comparison.location);
                return raise(fault);
            }
        }
    }
}

/// Two values that are compared.
struct Comparison {
    sides: [*mut Node; 2],
    /// The query that it stands in.
    scope: usize,
    /// The function, where it is called by name.
    function: Option<pg_sys::Oid>,
    /// Where in the statement's text it is.
    location: i32,
}

/// A way through a tree. Not recursive: it must not reach the limit of the stack where the parser has not.
#[derive(Default)]
struct Walk {
    pending: Vec<Place>,
    scopes: Scopes,
    /// Of the node whose children are being listed.
    scope: usize,
    found: Vec<Comparison>,
}

impl Walk {
    /// # Safety
    /// `query` is a `Query` of the parser.
    unsafe fn run(&mut self, query: *mut Node) {
        // SAFETY: the caller's promise; all that is reached from it is of the parser, too.
        unsafe {
            self.enter(query, None);
            while let Some(Place { node, scope }) = self.pending.pop() {
                self.scope = scope;
                self.found.extend(comparison(node, scope));
                self.children(node);
            }
        }
    }

    /// The commonest nodes are seen to here: each call of Postgres' has its price.
    ///
    /// # Safety
    /// `node` is a node of the parser's.
    unsafe fn children(&mut self, node: *mut Node) {
        // SAFETY: nodes are what their tags say.
        unsafe {
            match (*node).type_ {
                NodeTag::T_Query => self.enter(node, Some(self.scope)),
                NodeTag::T_OpExpr => self.pend((*node.cast::<pg_sys::OpExpr>()).args.cast()),
                NodeTag::T_FuncExpr => self.pend((*node.cast::<pg_sys::FuncExpr>()).args.cast()),
                NodeTag::T_BoolExpr => self.pend((*node.cast::<pg_sys::BoolExpr>()).args.cast()),
                NodeTag::T_FromExpr => {
                    let from = &*node.cast::<pg_sys::FromExpr>();
                    self.pend(from.fromlist.cast());
                    self.pend(from.quals);
                }
                _ => {
                    let this = (&raw mut *self).cast();
                    pg_sys::expression_tree_walker(node, Some(child), this);
                }
            }
        }
    }

    /// # Safety
    /// As [`Self::run`].
    unsafe fn enter(&mut self, node: *mut Node, parent: Option<usize>) {
        let query = node.cast::<pg_sys::Query>();
        self.scope = self.scopes.add(query, parent);
        let this = (&raw mut *self).cast();
        // SAFETY: the caller's promise. A join's columns are looked up where they are used.
        unsafe {
            self.pend(within(&*query));
            let flags = pg_sys::QTW_IGNORE_JOINALIASES as i32;
            pg_sys::query_tree_walker(query, Some(child), this, flags);
        }
    }

    /// # Safety
    /// `node` is null or a node.
    unsafe fn pend(&mut self, node: *mut Node) {
        if node.is_null() {
            return;
        }
        // SAFETY: the caller's promise; the elements of these lists are nodes.
        unsafe {
            match (*node).type_ {
                NodeTag::T_Var | NodeTag::T_Const | NodeTag::T_Param | NodeTag::T_RangeTblRef => {}
                NodeTag::T_List => nodes(node.cast()).for_each(|element| self.pend(element)),
                NodeTag::T_TargetEntry => {
                    self.pend((*node.cast::<pg_sys::TargetEntry>()).expr.cast());
                }
                _ => self.pending.push(Place { node, scope: self.scope }),
            }
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn child(node: *mut Node, walk: *mut c_void) -> bool {
    // SAFETY: called back by the walkers above, with what they were given.
    unsafe { (*walk.cast::<Walk>()).pend(node) };
    false
}

/// What may be a comparison of vectors, by the numbers that a node has: not built in, of two sides, to a number or a bool.
///
/// # Safety
/// `node` is a node of the parser's.
unsafe fn comparison(node: *mut Node, scope: usize) -> Option<Comparison> {
    // SAFETY: the caller's promise.
    unsafe {
        let (oid, result, arguments, function, location) = match (*node).type_ {
            NodeTag::T_OpExpr => {
                let operator = &*node.cast::<pg_sys::OpExpr>();
                (operator.opno, operator.opresulttype, operator.args, None, operator.location)
            }
            NodeTag::T_FuncExpr => {
                let call = &*node.cast::<pg_sys::FuncExpr>();
                (call.funcid, call.funcresulttype, call.args, Some(call.funcid), call.location)
            }
            _ => return None,
        };
        if is_built_in(oid) || !matches!(result, pg_sys::FLOAT8OID | pg_sys::BOOLOID) {
            return None;
        }
        let mut arguments = nodes(arguments);
        let (left, right) = (arguments.next()?, arguments.next()?);
        let sides = [left, right];
        arguments.next().is_none().then_some(Comparison { sides, scope, function, location })
    }
}

fn is_built_in(object: pg_sys::Oid) -> bool {
    object.to_u32() < pg_sys::FirstNormalObjectId
}

/// Adds to the error that is raised next where in the statement it is.
///
/// # Safety
/// `state` outlives that.
unsafe fn point_at(state: *mut pg_sys::ParseState, location: i32) {
    // In memory that Postgres frees: these are read when this function's frame is gone.
    // SAFETY: whoever catches the error puts the stack of callbacks back.
    unsafe {
        let spot = pg_sys::palloc(size_of::<Spot>()).cast::<Spot>();
        spot.write(Spot { state, location });
        let size = size_of::<pg_sys::ErrorContextCallback>();
        let callback = pg_sys::palloc(size).cast::<pg_sys::ErrorContextCallback>();
        callback.write(pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(show),
            arg: spot.cast(),
        });
        pg_sys::error_context_stack = callback;
    }
}

struct Spot {
    state: *mut pg_sys::ParseState,
    location: i32,
}

#[pg_guard]
unsafe extern "C-unwind" fn show(spot: *mut c_void) {
    // SAFETY: called with what `point_at` has written.
    unsafe {
        let spot = &*spot.cast::<Spot>();
        pg_sys::parser_errposition(spot.state, spot.location);
    }
}
