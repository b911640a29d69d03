//! What a side of a comparison is: a table's column or a call of this extension's, seen through casts, sub-selects,
//! WITH clauses, joins and views.

use super::scope::{Place, Scopes, nodes, nth};
use super::{Comparison, is, is_built_in};
use crate::postgres::relation::Relation;
use crate::postgres::text::{self, Text};
use pgrx::FromDatum;
use pgrx::pg_sys::{self, Node, NodeTag};
use std::ffi::CStr;

/// A side of a comparison of vectors.
#[derive(Debug)]
pub enum Operand {
    /// A column of a table.
    Column {
        /// The table.
        table: pg_sys::Oid,
        /// The column's number.
        number: i16,
    },
    /// A call of one of this extension's functions.
    Call(Call),
}

/// A call and the arguments that are known before it runs.
#[derive(Debug)]
pub struct Call {
    /// The function's name.
    pub function: String,
    /// The first two arguments, whether they are given by position or by name.
    pub arguments: [Constant; 2],
}

/// An argument.
#[derive(Debug, Default)]
pub enum Constant {
    /// Left out, null, of another type, or not known yet.
    #[default]
    Unknown,
    /// A text or name.
    Text(String),
    /// A table.
    Table(pg_sys::Oid),
}

/// pgvector's types.
const TYPES: [&CStr; 3] = [c"vector", c"halfvec", c"sparsevec"];
/// pgvector's functions that make of a vector one to be compared with those made likewise.
const WRAPPERS: [&CStr; 3] = [c"binary_quantize", c"subvector", c"l2_normalize"];
const PGVECTOR: &CStr = c"vector";
const EXTENSION: &CStr = c"itembank_embed";
/// Views on views, casts of casts: nobody writes so many.
const MOST_STEPS: usize = 100;

/// Finds out what sides are.
pub struct Resolver<'a> {
    scopes: &'a mut Scopes,
    /// Kept open, since places in their queries are referred to.
    views: Vec<Relation>,
}

/// What a side comes from, by the tree alone.
enum Source {
    Column { table: pg_sys::Oid, number: i16, kind: pg_sys::Oid },
    Call(*mut pg_sys::FuncExpr),
}

enum Step {
    To(Place),
    At(Source),
}

impl<'a> Resolver<'a> {
    /// For places of these scopes.
    pub fn new(scopes: &'a mut Scopes) -> Self {
        Self { scopes, views: Vec::new() }
    }

    /// Both sides, where both are known and one is a column; the catalog is asked last.
    ///
    /// # Safety
    /// It is of the parser.
    pub unsafe fn operands(&mut self, comparison: &Comparison) -> Option<[Operand; 2]> {
        let [left, right] = comparison.sides.map(|node| Place { node, scope: comparison.scope });
        // SAFETY: the caller's promise.
        unsafe {
            let sources = [self.source(left)?, self.source(right)?];
            let mut columns = 0;
            for source in &sources {
                if let Source::Column { kind, .. } = source {
                    columns += 1;
                    if !is_vector(*kind) {
                        return None;
                    }
                }
            }
            let others_function = || comparison.function.is_some_and(|f| !belongs(f, PGVECTOR));
            if columns == 0 || others_function() {
                return None;
            }
            let [left, right] = sources;
            Some([operand(left)?, operand(right)?])
        }
    }

    unsafe fn source(&mut self, mut place: Place) -> Option<Source> {
        for _ in 0..MOST_STEPS {
            // SAFETY: each step leads to a node of the parser's.
            match unsafe { self.step(place)? } {
                Step::To(next) if next.node.is_null() => return None,
                Step::To(next) => place = next,
                Step::At(source) => return Some(source),
            }
        }
        None
    }

    unsafe fn step(&mut self, place: Place) -> Option<Step> {
        let Place { node, scope } = place;
        let to = |node: *mut Node| Some(Step::To(Place { node, scope }));
        // SAFETY: nodes are what their tags say.
        unsafe {
            match (*node).type_ {
                NodeTag::T_RelabelType => to((*node.cast::<pg_sys::RelabelType>()).arg.cast()),
                NodeTag::T_CoerceViaIO => to((*node.cast::<pg_sys::CoerceViaIO>()).arg.cast()),
                NodeTag::T_CoerceToDomain => {
                    to((*node.cast::<pg_sys::CoerceToDomain>()).arg.cast())
                }
                // One vector of many that were embedded together.
                NodeTag::T_SubscriptingRef => {
                    to((*node.cast::<pg_sys::SubscriptingRef>()).refexpr.cast())
                }
                NodeTag::T_FuncExpr => {
                    let call = node.cast::<pg_sys::FuncExpr>();
                    match passes_on(&*call) {
                        true => to(nth((*call).args, 1)?),
                        false => Some(Step::At(Source::Call(call))),
                    }
                }
                NodeTag::T_SubLink => {
                    let link = &*node.cast::<pg_sys::SubLink>();
                    let is_value = link.subLinkType == pg_sys::SubLinkType::EXPR_SUBLINK;
                    is_value.then(|| self.output(link.subselect, 1, Some(scope)))?
                }
                NodeTag::T_Var => self.variable(&*node.cast::<pg_sys::Var>(), scope),
                _ => None,
            }
        }
    }

    /// A column that a query gives. What comes from several queries, as with UNION, is not known.
    unsafe fn output(
        &mut self,
        query: *mut Node,
        number: i16,
        parent: Option<usize>,
    ) -> Option<Step> {
        // SAFETY: the parser's node, or null; its lists are of target entries.
        unsafe {
            if query.is_null() || !is(query, NodeTag::T_Query) {
                return None;
            }
            let query = query.cast::<pg_sys::Query>();
            if !(*query).setOperations.is_null() {
                return None;
            }
            let list = match (*query).commandType {
                pg_sys::CmdType::CMD_SELECT => (*query).targetList,
                _ => (*query).returningList,
            };
            let entry = &*nth(list, number.into())?.cast::<pg_sys::TargetEntry>();
            let scope = self.scopes.add(query, parent);
            Some(Step::To(Place { node: entry.expr.cast(), scope }))
        }
    }

    unsafe fn variable(&mut self, variable: &pg_sys::Var, scope: usize) -> Option<Step> {
        let number = variable.varattno;
        let scope = self.scopes.outer(scope, variable.varlevelsup)?;
        let to = |node: *mut Node| Some(Step::To(Place { node, scope }));
        // SAFETY: the parser's; an entry of a kind has that kind's fields.
        unsafe {
            let entry = self.scopes.entry(scope, variable.varno)?;
            match entry.rtekind {
                pg_sys::RTEKind::RTE_RELATION | pg_sys::RTEKind::RTE_NAMEDTUPLESTORE => {
                    let (table, view) = (entry.relid, is_view(entry));
                    match view {
                        true => self.view(table, number),
                        false => column(table, number, variable.vartype),
                    }
                }
                pg_sys::RTEKind::RTE_SUBQUERY => {
                    let query = entry.subquery.cast();
                    self.output(query, number, Some(scope))
                }
                pg_sys::RTEKind::RTE_CTE => {
                    let (name, levels) = (entry.ctename, entry.ctelevelsup);
                    let scope = self.scopes.outer(scope, levels)?;
                    let query = self.scopes.with(scope, name)?;
                    self.output(query, number, Some(scope))
                }
                pg_sys::RTEKind::RTE_JOIN => to(nth(entry.joinaliasvars, number.into())?),
                pg_sys::RTEKind::RTE_FUNCTION if number == 1 => to(of_function(entry)?),
                // GROUP BY's expressions.
                #[cfg(feature = "pg18")]
                pg_sys::RTEKind::RTE_GROUP => to(nth(entry.groupexprs, number.into())?),
                _ => None,
            }
        }
    }

    /// A column of a view, or of what a view's query has stored.
    unsafe fn view(&mut self, view: pg_sys::Oid, number: i16) -> Option<Step> {
        let open = Relation::open(view)?;
        // SAFETY: it is open, and has a rule: it cannot be without one while a statement uses it.
        unsafe {
            let relation = open.as_ptr();
            if (*relation).rd_rules.is_null() {
                return None;
            }
            let query = pg_sys::get_view_query(relation).cast();
            self.views.push(open);
            self.output(query, number, None)
        }
    }
}

/// Whether the vectors that come out are, to a comparison, those that go in.
///
/// # Safety
/// It is of the parser.
unsafe fn passes_on(call: &pg_sys::FuncExpr) -> bool {
    match call.funcformat {
        pg_sys::CoercionForm::COERCE_EXPLICIT_CAST | pg_sys::CoercionForm::COERCE_IMPLICIT_CAST => {
            true
        }
        _ if is_built_in(call.funcid) => call.funcid.to_u32() == pg_sys::F_UNNEST_ANYARRAY,
        // SAFETY: gives a NUL-terminated name, or null.
        _ => unsafe {
            let name = pg_sys::get_func_name(call.funcid);
            !name.is_null()
                && WRAPPERS.contains(&CStr::from_ptr(name))
                && belongs(call.funcid, PGVECTOR)
        },
    }
}

fn column(table: pg_sys::Oid, number: i16, kind: pg_sys::Oid) -> Option<Step> {
    let known = number > 0 && table != pg_sys::InvalidOid;
    known.then_some(Step::At(Source::Column { table, number, kind }))
}

fn is_view(entry: &pg_sys::RangeTblEntry) -> bool {
    let kind = entry.relkind as u8;
    entry.rtekind == pg_sys::RTEKind::RTE_RELATION
        && (kind == pg_sys::RELKIND_VIEW || kind == pg_sys::RELKIND_MATVIEW)
}

/// The one function of a FROM clause's item whose one column is the function's result.
///
/// # Safety
/// It is of the parser.
unsafe fn of_function(entry: &pg_sys::RangeTblEntry) -> Option<*mut Node> {
    // SAFETY: the caller's promise.
    unsafe {
        let mut functions = nodes(entry.functions);
        let function = &*functions.next()?.cast::<pg_sys::RangeTblFunction>();
        let is_only = functions.next().is_none() && function.funccolcount == 1;
        is_only.then_some(function.funcexpr)
    }
}

/// Whether a type is one of pgvector's, or a domain over one.
fn is_vector(kind: pg_sys::Oid) -> bool {
    // SAFETY: a look at the catalog; the name is read before the tuple is released.
    unsafe {
        let kind = pg_sys::Datum::from(pg_sys::getBaseType(kind));
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::TYPEOID as i32, kind);
        if tuple.is_null() {
            return false;
        }
        let row = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>();
        let found = TYPES.contains(&CStr::from_ptr((&raw const (*row).typname.data).cast()));
        pg_sys::ReleaseSysCache(tuple);
        found
    }
}

/// Whether a function is an extension's.
fn belongs(function: pg_sys::Oid, extension: &CStr) -> bool {
    // SAFETY: looks at the catalog; the name is NUL-terminated.
    unsafe {
        let owner = pg_sys::getExtensionOfObject(pg_sys::ProcedureRelationId, function);
        owner != pg_sys::InvalidOid && owner == pg_sys::get_extension_oid(extension.as_ptr(), true)
    }
}

/// # Safety
/// It is of the parser.
unsafe fn operand(source: Source) -> Option<Operand> {
    let call = match source {
        Source::Column { table, number, .. } => return Some(Operand::Column { table, number }),
        Source::Call(call) => call,
    };
    // SAFETY: the caller's promise; names are NUL-terminated.
    unsafe {
        let function = (*call).funcid;
        if is_built_in(function) || !belongs(function, EXTENSION) {
            return None;
        }
        let name = pg_sys::get_func_name(function);
        if name.is_null() {
            return None;
        }
        let function = text::name(CStr::from_ptr(name));
        Some(Operand::Call(Call { function, arguments: arguments((*call).args) }))
    }
}

/// # Safety
/// A call's, of the parser.
unsafe fn arguments(list: *mut pg_sys::List) -> [Constant; 2] {
    let mut known = [Constant::Unknown, Constant::Unknown];
    // SAFETY: the caller's promise.
    unsafe {
        for (place, node) in nodes(list).enumerate() {
            let (place, node) = match is(node, NodeTag::T_NamedArgExpr) {
                true => {
                    let named = &*node.cast::<pg_sys::NamedArgExpr>();
                    (usize::try_from(named.argnumber).unwrap_or(usize::MAX), named.arg.cast())
                }
                false => (place, node),
            };
            if let Some(argument) = known.get_mut(place) {
                *argument = constant(node);
            }
        }
    }
    known
}

/// # Safety
/// An expression of the parser's.
unsafe fn constant(mut node: *mut Node) -> Constant {
    // SAFETY: the caller's promise; a value is read as the type that it says it has.
    unsafe {
        while is(node, NodeTag::T_RelabelType) {
            node = (*node.cast::<pg_sys::RelabelType>()).arg.cast();
        }
        if !is(node, NodeTag::T_Const) {
            return Constant::Unknown;
        }
        let value = &*node.cast::<pg_sys::Const>();
        let (datum, is_null) = (value.constvalue, value.constisnull);
        let text = match value.consttype {
            pg_sys::TEXTOID | pg_sys::VARCHAROID => {
                Text::from_datum(datum, is_null).map(Text::into_string)
            }
            pg_sys::NAMEOID => <&CStr>::from_datum(datum, is_null).map(text::name),
            pg_sys::REGCLASSOID if !is_null => {
                return Constant::Table(pg_sys::Oid::from(datum.value() as u32));
            }
            _ => None,
        };
        text.map_or(Constant::Unknown, Constant::Text)
    }
}
