//! `query?…&columns=true`: what the columns of an answer are. No document describes it; the keys are those that
//! the Salesforce CLI and VS Code read for their tables and CSV.

use serde_json::{Value as Json, json};

use super::Call;
use crate::schema::FieldType;
use crate::soql::{Column, Function, Plan};

/// Whether a call asks for it.
pub(super) fn wanted(call: &Call<'_>) -> bool {
    call.request.parameter("columns").is_some_and(|wanted| wanted.eq_ignore_ascii_case("true"))
}

/// The answer for a query.
pub(super) fn metadata(plan: &Plan) -> Json {
    let object = plan.described();
    let prefix = object.key_prefix.map(|prefix| String::from_utf8_lossy(&prefix).into_owned());
    json!({
        "columnMetadata": listed(plan),
        "entityName": object.name,
        "groupBy": plan.aggregate,
        "idSelected": plan.columns.iter().any(|column| column.name == "Id"),
        "keyPrefix": prefix,
    })
}

fn listed(plan: &Plan) -> Vec<Json> {
    let mut columns = Vec::new();
    for (number, column) in plan.columns.iter().enumerate() {
        match plan.function(number) {
            Some(function) => columns.push(aggregate(plan, column, function)),
            None => insert(&mut columns, plan, column, &column.names),
        }
    }
    for (name, list) in plan.lists() {
        let mut entry = entry(name, name, true);
        entry["joinColumns"] = Json::Array(listed(list));
        columns.push(entry);
    }
    columns
}

/// Puts a column below the parents that its name goes through.
fn insert(level: &mut Vec<Json>, plan: &Plan, column: &Column, names: &[String]) {
    let [first, rest @ ..] = names else { return };
    if rest.is_empty() {
        return level.push(field(plan, column, first));
    }
    let place = level.iter().position(|known| known["columnName"] == **first).unwrap_or_else(|| {
        level.push(entry(first, first, false));
        level.len() - 1
    });
    if let Some(Json::Array(within)) = level.get_mut(place).and_then(|entry| entry.get_mut("joinColumns")) {
        insert(within, plan, column, rest);
    }
}

fn field(plan: &Plan, column: &Column, name: &str) -> Json {
    let described = &plan.schema().object(column.object).fields[column.field];
    let mut entry = entry(name, name, false);
    typed(&mut entry, column.kind);
    entry["custom"] = json!(described.custom);
    entry["insertable"] = json!(described.createable);
    entry["updatable"] = json!(described.createable);
    entry
}

fn aggregate(plan: &Plan, column: &Column, function: Function) -> Json {
    let described = &plan.schema().object(column.object).fields[column.field];
    let word = match function {
        Function::CountDistinct => "COUNT_DISTINCT".to_owned(),
        other => format!("{other:?}").to_uppercase(),
    };
    let mut entry = entry(&column.name, &format!("{word}({})", described.name), true);
    typed(&mut entry, column.kind);
    entry
}

fn entry(name: &str, shown: &str, aggregate: bool) -> Json {
    json!({
        "aggregate": aggregate, "apexType": null, "booleanType": false, "columnName": name, "custom": false,
        "displayName": shown, "foreignKeyName": null, "insertable": false, "joinColumns": [],
        "numberType": false, "textType": false, "updatable": false,
    })
}

fn typed(entry: &mut Json, kind: FieldType) {
    let number = kind.is_decimal() || kind == FieldType::Int;
    let apex = match kind {
        FieldType::Id | FieldType::Reference => "Id",
        FieldType::Boolean => "Boolean",
        FieldType::Int => "Integer",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "Double",
        FieldType::Date => "Date",
        FieldType::DateTime => "Datetime",
        FieldType::Time => "Time",
        FieldType::Base64 => "Blob",
        FieldType::Address | FieldType::Location => "Location",
        _ => "String",
    };
    entry["apexType"] = json!(apex);
    entry["booleanType"] = json!(kind == FieldType::Boolean);
    entry["numberType"] = json!(number);
    entry["textType"] = json!(apex == "String");
}
