//! Records in XML, and the same in JSON, in which all that writes and reads records has them.

use roxmltree::Node;
use serde_json::{Map, Value as Json};

use super::data::zulu;
use super::envelope::{is_nil, nil, tag, text, text_of, type_of};
use super::{Api, Call, Fault};
use crate::schema::{FieldType, Schema};

/// Reads a record: the number of its object, and its fields. A field that is null is left alone, as SOAP does; those of
/// `fieldsToNull` are emptied.
pub(super) fn read(call: &Call<'_>, node: Node<'_, '_>) -> Result<(usize, Map<String, Json>), Fault> {
    let name =
        object_name(node).ok_or_else(|| Fault::new("INVALID_TYPE", "Must send a concrete entity type."))?;
    let schema = &call.rest.world.schema;
    let found = schema.find(&name).filter(|object| call.rest.view.sees_object(*object));
    let object = found.ok_or_else(|| {
        let message = format!("sObject type '{name}' is not supported.");
        Fault::new("INVALID_TYPE", message)
    })?;
    let mut record = Map::new();
    for field in node.children().filter(Node::is_element) {
        let field_name = field.tag_name().name();
        match field_name {
            "type" => {}
            "fieldsToNull" => drop(record.insert(text(field), Json::Null)),
            _ if is_nil(field) => {}
            _ => {
                if let Some(value) = value(schema, object, field) {
                    record.insert(field_name.to_owned(), value);
                }
            }
        }
    }
    Ok((object, record))
}

/// By its type element (partner) or the type of its element (enterprise).
fn object_name(node: Node<'_, '_>) -> Option<String> {
    let told = text_of(node, "type").map(|name| name.trim().to_owned());
    told.or_else(|| type_of(node).map(str::to_owned)).filter(|name| !name.is_empty() && name != "sObject")
}

/// The value of a field: text, or a parent that is named by a field of its own. Nothing for what is empty.
fn value(schema: &Schema, object: usize, field: Node<'_, '_>) -> Option<Json> {
    let mut parent = Map::new();
    for inner in field.children().filter(Node::is_element) {
        if inner.tag_name().name() != "type" {
            parent.insert(inner.tag_name().name().to_owned(), Json::String(text(inner)));
        }
    }
    if let Some(name) = object_name(field).filter(|_| field.children().any(|child| child.is_element())) {
        parent.insert("attributes".to_owned(), serde_json::json!({"type": name}));
    }
    if !parent.is_empty() {
        return Some(Json::Object(parent));
    }
    let mut text = text(field);
    let described = schema.object(object);
    let kind = described.find(field.tag_name().name()).map(|field| described.fields[field].kind);
    if kind == Some(FieldType::Base64) {
        // libraries break base64 into lines
        text.retain(|c| !c.is_ascii_whitespace());
    }
    (!text.is_empty()).then_some(Json::String(text))
}

/// Writes a record, or null, as an element of this name.
pub(super) fn write(call: &Call<'_>, out: &mut String, element: &str, record: &Json) {
    let Json::Object(record) = record else { return nil(out, element) };
    let name =
        record.get("attributes").and_then(|attributes| attributes["type"].as_str()).unwrap_or("sObject");
    let enterprise = call.api == Api::Enterprise && name != "AggregateResult";
    let kind = if enterprise { name } else { "sObject" };
    out.push_str(&format!("<{element} xsi:type=\"sf:{kind}\">"));
    if !enterprise {
        tag(out, "sf:type", name);
        // the type has an Id of its own; one that is selected comes once more among the fields
        match record.get("Id").and_then(Json::as_str) {
            Some(id) => tag(out, "sf:Id", id),
            None => nil(out, "sf:Id"),
        }
    }
    let schema = &call.rest.world.schema;
    let described = schema.find(name).map(|object| schema.object(object));
    for (key, value) in record.iter().filter(|(key, _)| *key != "attributes") {
        let element = format!("sf:{key}");
        let field = described.and_then(|object| Some(&object.fields[object.find(key)?]));
        match value {
            Json::Null => nil(out, &element),
            Json::Object(inner) if inner.contains_key("records") => list(call, out, &element, inner),
            Json::Object(inner) if inner.contains_key("attributes") => write(call, out, &element, value),
            Json::Object(inner) => compound(out, &element, inner),
            Json::String(text)
                if field.is_none_or(|field| field.kind == FieldType::DateTime) && is_time(text) =>
            {
                tag(out, &element, &zulu(text));
            }
            Json::String(text) => tag(out, &element, text),
            other => tag(out, &element, &other.to_string()),
        }
    }
    out.push_str(&format!("</{element}>"));
}

/// `2026-01-31T10:11:12.000+0000`
fn is_time(text: &str) -> bool {
    text.len() == 28 && text.as_bytes()[10] == b'T' && text.ends_with("+0000")
}

/// Children of a record.
fn list(call: &Call<'_>, out: &mut String, element: &str, list: &Map<String, Json>) {
    out.push_str(&format!("<{element} xsi:type=\"QueryResult\">"));
    result(call, out, list);
    out.push_str(&format!("</{element}>"));
}

/// The elements of a QueryResult.
pub(super) fn result(call: &Call<'_>, out: &mut String, page: &Map<String, Json>) {
    tag(out, "done", if page.get("done") == Some(&Json::Bool(false)) { "false" } else { "true" });
    match page.get("nextRecordsUrl").and_then(Json::as_str).and_then(|url| url.rsplit('/').next()) {
        Some(locator) => tag(out, "queryLocator", locator),
        None => nil(out, "queryLocator"),
    }
    for record in page.get("records").and_then(Json::as_array).into_iter().flatten() {
        write(call, out, "records", record);
    }
    tag(out, "size", &page.get("totalSize").map_or_else(|| "0".to_owned(), Json::to_string));
}

/// An address or a location.
fn compound(out: &mut String, element: &str, parts: &Map<String, Json>) {
    let kind =
        if parts.contains_key("city") || parts.contains_key("street") { "address" } else { "location" };
    out.push_str(&format!("<{element} xsi:type=\"{kind}\">"));
    for (part, value) in parts {
        match value {
            Json::Null => nil(out, part),
            Json::String(text) => tag(out, part, text),
            other => tag(out, part, &other.to_string()),
        }
    }
    out.push_str(&format!("</{element}>"));
}
