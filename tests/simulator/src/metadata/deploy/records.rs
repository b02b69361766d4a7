//! Components that are rows as well: record types, and the records of custom metadata types.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::effect::{Context, Problem, document};
use crate::metadata::Key;
use crate::metadata::mdapi::Unit;
use crate::metadata::xml::Element;
use crate::schema::short::ShortField;
use crate::schema::{FieldType, Object, SchemaChange, TYPE_PICKLISTS};
use crate::store::{Row, RowRef, World};
use crate::value::{Cell, Id, Value};

/// A record type: the object's describe names it, its values hold for records of it, and it is a row.
pub(super) fn record_type(world: &mut World, unit: &Unit, context: &Context<'_>) -> Result<(), Problem> {
    let Some(root) = document(unit) else { return Ok(()) };
    let Some((object, own)) = unit.key.full_name.split_once('.') else { return Ok(()) };
    let Some(number) = world.schema.find(object) else { return Ok(()) };
    let described = world.schema.object(number);
    let mut infos =
        described.describe.get("recordTypeInfos").and_then(Json::as_array).cloned().unwrap_or_default();
    let known = infos.iter().position(|info| info["developerName"] == *own && info["master"] != true);
    let stored = world.metadata.get(&unit.key).and_then(|component| component.id);
    let id = known.and_then(|known| Id::parse(infos[known]["recordTypeId"].as_str()?)).or(stored);
    let Some(id) = id else { return Ok(()) };
    let label = root.text_of("label").filter(|label| !label.is_empty()).unwrap_or(own);
    let active = root.text_of("active") != Some("false");
    let first = !infos.iter().any(|info| info["master"] != true);
    let info = json!({
        "active": active, "available": active, "defaultRecordTypeMapping": false, "developerName": own,
        "master": false, "name": label, "recordTypeId": id.to_string(),
        "urls": {"layout": format!("/services/data/v0.0/sobjects/{object}/describe/layouts/{id}")},
    });
    match known {
        Some(known) => {
            let default = infos[known]["defaultRecordTypeMapping"].clone();
            infos[known] = info;
            infos[known]["defaultRecordTypeMapping"] = default;
        }
        None => infos.insert(0, info),
    }
    let mut picklists = described.describe.get(TYPE_PICKLISTS).cloned().unwrap_or_else(|| json!({}));
    picklists[id.to_string()] = picklists_of(&root);
    let describe = BTreeMap::from([
        ("recordTypeInfos".to_owned(), json!(infos)),
        (TYPE_PICKLISTS.to_owned(), picklists),
    ]);
    let at = context.stamp.at;
    let object = object.to_owned();
    if first && described.find("RecordTypeId").is_none() && world.schema.find("RecordType").is_some() {
        let definition = ShortField {
            r#type: "reference".to_owned(),
            to: vec!["RecordType".to_owned()],
            relationship: Some("RecordType".to_owned()),
            label: Some("Record Type ID".to_owned()),
            ..ShortField::default()
        };
        let field = "RecordTypeId".to_owned();
        let add = SchemaChange::AddField { object: object.clone(), field, definition };
        world.change_schema(&add, at).map_err(Problem::new)?;
    }
    world
        .change_schema(&SchemaChange::SetObject { object: object.clone(), describe }, at)
        .map_err(Problem::new)?;
    let cells = [
        ("Name", text(label)),
        ("DeveloperName", text(own)),
        ("SobjectType", text(&object)),
        ("IsActive", Some(Value::Bool(active))),
    ];
    put(world, "RecordType", id, &cells, context);
    Ok(())
}

/// The values that a record type lets its records have, in the form that the schema reads.
fn picklists_of(root: &Element) -> Json {
    let mut fields = serde_json::Map::new();
    for picklist in root.children_of("picklistValues") {
        let Some(field) = picklist.text_of("picklist") else { continue };
        let values: Vec<(String, bool)> = picklist
            .children_of("values")
            .filter_map(|value| Some((decoded(value.text_of("fullName")?), value.flag("default"))))
            .collect();
        let default = values.iter().find(|(_, default)| *default).map(|(name, _)| name.clone());
        let names: Vec<&String> = values.iter().map(|(name, _)| name).collect();
        fields.insert(field.to_owned(), json!({"values": names, "default": default}));
    }
    Json::Object(fields)
}

/// Names of values are percent-encoded where names of components could not hold them.
fn decoded(name: &str) -> String {
    let query = format!("n={}", name.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map_or_else(|| name.to_owned(), |(_, name)| name.into_owned())
}

/// A record of a custom metadata type: `Type.Name` is a row of `Type__mdt`.
pub(super) fn custom_metadata(world: &mut World, unit: &Unit, context: &Context<'_>) -> Result<(), Problem> {
    let Some(root) = document(unit) else { return Ok(()) };
    let Some((object, own)) = place(&unit.key) else { return Ok(()) };
    let Some(number) = world.schema.find(&object) else {
        return Err(Problem::new(format!("Entity of type 'CustomObject' named '{object}' cannot be found")));
    };
    let described = world.schema.object(number);
    let mut cells = vec![
        ("DeveloperName", text(&own)),
        ("QualifiedApiName", text(&own)),
        ("MasterLabel", root.text_of("label").and_then(text)),
        ("Label", root.text_of("label").and_then(text)),
        ("Language", text("en_US")),
    ];
    let mut values = Vec::new();
    for value in root.children_of("values") {
        let field = value.text_of("field").unwrap_or_default();
        let Some(known) = described.find(field) else {
            let message = format!("In field: field - no CustomField named {object}.{field} found");
            return Err(Problem { message, line: value.line });
        };
        let told = value.child("value");
        let told =
            told.filter(|told| !told.attributes.iter().any(|(name, nil)| name == "xsi:nil" && nil == "true"));
        let told = told.map(|told| told.text.as_str()).unwrap_or_default();
        let read = match described.fields[known].kind {
            FieldType::Reference if told.is_empty() => Some(None),
            FieldType::Reference => related(world, &described.fields[known].reference_to, told).map(Some),
            kind => Value::parse(kind, told).ok(),
        };
        let read = read.ok_or_else(|| Problem {
            message: format!("Invalid value for {field}: {told}"),
            line: value.line,
        })?;
        values.push((described.fields[known].name.clone(), read));
    }
    cells.extend(values.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let id = match row_of(world, number, &own) {
        Some(id) => id,
        None => {
            let prefix = described.key_prefix.unwrap_or(*b"m00");
            world.database.table_mut(number).next_id(prefix)
        }
    };
    put(world, &object, id, &cells, context);
    Ok(())
}

/// What a metadata relationship holds: the id of a record of a custom metadata type, which is named by its developer
/// name, or the name of an object or field itself. `None` if there is no such record (yet: it may come with the same
/// deploy).
fn related(world: &World, targets: &[String], told: &str) -> Option<Value> {
    let Some(number) = targets.iter().find_map(|target| world.schema.find(target)) else {
        return text(told);
    };
    row_of(world, number, told).map(Value::Id)
}

/// Takes the row of a component away.
pub(super) fn remove(world: &mut World, key: &Key) {
    let Some((object, own)) = place(key) else { return };
    let Some(number) = world.schema.find(&object) else { return };
    if let Some(id) = row_of(world, number, &own) {
        world.database.table_mut(number).purge(id);
    }
}

/// Object and name of a record of a custom metadata type.
fn place(key: &Key) -> Option<(String, String)> {
    let (of, own) = key.full_name.split_once('.')?;
    let of = of.strip_suffix("__mdt").unwrap_or(of);
    Some((format!("{of}__mdt"), own.to_owned()))
}

fn row_of(world: &World, number: usize, own: &str) -> Option<Id> {
    let field = world.schema.object(number).find("DeveloperName")?;
    let mut rows = world.database.table(number).scan(crate::store::Bounds::ALL, false);
    rows.find_map(|row| match row {
        RowRef::Stored(row) if row.get(field) == Cell::Text(own) => Some(row.id),
        _ => None,
    })
}

/// Writes a row of a set-up object, with its stamps.
fn put(world: &mut World, object: &str, id: Id, cells: &[(&str, Option<Value>)], context: &Context<'_>) {
    let schema = world.schema.clone();
    let Some(number) = schema.find(object) else { return };
    let described: &Object = schema.object(number);
    let table = world.database.table_mut(number);
    let known = match table.find(id) {
        Some(RowRef::Stored(row)) => Some(row.clone()),
        _ => None,
    };
    let is_new = known.is_none();
    let mut row = known.unwrap_or_else(|| Row::new(id));
    let (at, by) = (Some(Value::DateTime(context.stamp.at)), Some(Value::Id(context.stamp.by)));
    let mut all: Vec<(&str, Option<Value>)> = vec![
        ("Id", Some(Value::Id(id))),
        ("LastModifiedDate", at.clone()),
        ("LastModifiedById", by.clone()),
        ("SystemModstamp", at.clone()),
    ];
    if is_new {
        all.extend([("CreatedDate", at), ("CreatedById", by)]);
    }
    all.extend(cells.iter().cloned());
    for (name, value) in all {
        if let Some(field) = described.find(name) {
            row.set(field, value);
        }
    }
    table.put(row);
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::Text(text.into()))
}
