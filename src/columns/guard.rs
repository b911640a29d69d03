//! Vectors of different models must not be compared: where they are of the same size nothing complains, and what
//! comes out means nothing. So statements are checked before they run, as far as the models are known by then.

use crate::postgres::query_tree::{self, Call, Constant, Operand};
use crate::postgres::registry::Registry;
use crate::postgres::relation;
use crate::postgres::settings::{NamedModel, model_name};
use pgrx::pg_sys;
use protocol::{Fault, FaultCode};

/// From here on.
pub fn install() {
    query_tree::on_comparison(check);
}

/// An embedding column.
struct Column {
    /// The table that it is registered for.
    table: String,
    name: String,
    model: String,
}

/// What makes one side's vectors.
enum Origin {
    Column(Column),
    /// A model, by its name.
    Query(String),
}

fn check(left: &Operand, right: &Operand) -> Result<(), Fault> {
    let Some(registry) = Registry::open() else { return Ok(()) };
    let origin = |operand: &Operand| match operand {
        Operand::Column { table, number } => {
            let name = relation::column_name(*table, *number)?;
            column(&registry, *table, name).map(Origin::Column)
        }
        Operand::Call(call) => model_of(&registry, call).map(Origin::Query),
    };
    let (Some(left), Some(right)) = (origin(left), origin(right)) else { return Ok(()) };
    match (left, right) {
        (Origin::Column(column), Origin::Query(model))
        | (Origin::Query(model), Origin::Column(column))
            if column.model != model =>
        {
            Err(another_models(&column, &model))
        }
        (Origin::Column(left), Origin::Column(right)) if left.model != right.model => {
            Err(of_two_models(&left, &right))
        }
        _ => Ok(()),
    }
}

/// The column as it is registered, be it by a partition's root.
fn column(registry: &Registry, table: pg_sys::Oid, name: String) -> Option<Column> {
    let tables = std::iter::once(table).chain(relation::ancestors(table));
    let (table, model) = tables
        .map(|table| (table, registry.model(table, &name)))
        .find(|(_, model)| model.is_some())?;
    Some(Column { table: relation::name(table), name, model: model? })
}

/// The model behind a call, where it is known before the call runs.
fn model_of(registry: &Registry, call: &Call) -> Option<String> {
    let setting = |model| model_name(model).ok();
    match (call.function.as_str(), &call.arguments) {
        ("embed", [Constant::Text(model), _]) => Some(model.clone()),
        ("qwen_embed", _) => setting(NamedModel::Qwen),
        ("kure_embed", _) => setting(NamedModel::Kure),
        ("siglip_embed_text" | "siglip_embed_image", _) => setting(NamedModel::Siglip),
        // As a column of both has it.
        ("combined_embed", _) => {
            Some(format!("{}+{}", setting(NamedModel::Kure)?, setting(NamedModel::Siglip)?))
        }
        // One made for another column.
        ("embed_query", [Constant::Table(table), Constant::Text(name)]) => {
            column(registry, *table, name.clone()).map(|column| column.model)
        }
        _ => None,
    }
}

const DETAIL: &str =
    "Vectors of different models cannot be compared, however alike their sizes are.";
const SETTING: &str = "With itembank_embed.model_guard = off nothing is checked.";

fn another_models(column: &Column, model: &str) -> Fault {
    let Column { table, name, model: own } = column;
    let message = format!(
        "column \"{name}\" of table {table} holds vectors of model \"{own}\", but the query's is of model \"{model}\""
    );
    let [table, name, own] = [table, name, own].map(|text| literal(text));
    Fault::new(FaultCode::InvalidParameter, message).detail(DETAIL).hint(format!(
        "Use embed_query({table}, {name}, …), which takes the column's model, or embed({own}, …). {SETTING}"
    ))
}

fn of_two_models(left: &Column, right: &Column) -> Fault {
    let message = format!(
        "column \"{}\" of table {} holds vectors of model \"{}\", but column \"{}\" of table {} those of model \"{}\"",
        left.name, left.table, left.model, right.name, right.table, right.model
    );
    Fault::new(FaultCode::InvalidParameter, message)
        .detail(DETAIL)
        .hint(format!("Compare columns of one model. {SETTING}"))
}

/// As a statement would have it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
