//! Records of a batch in JSON or XML, made rows with columns as CSV has them.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use crate::bulk::load::Given;
use crate::schema::Object;

/// Rows and the names of their columns.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Vec<Given<'static>>>,
    known: HashMap<String, usize>,
}

impl Records {
    fn set(&mut self, row: &mut Vec<Given<'static>>, name: String, given: Given<'static>) {
        let next = self.names.len();
        let column = *self.known.entry(name.to_ascii_lowercase()).or_insert(next);
        if column == next {
            self.names.push(name);
        }
        if row.len() <= column {
            row.resize(column + 1, Given::Nothing);
        }
        row[column] = given;
    }

    /// All values of a row, one for each column.
    pub(super) fn row(&self, number: usize) -> impl Iterator<Item = Given<'static>> {
        let row = &self.rows[number];
        (0..self.names.len()).map(|column| row.get(column).cloned().unwrap_or(Given::Nothing))
    }

    /// Reads an array of objects; a parent is an object with one field of it.
    pub(super) fn of_json(body: &[u8], object: &Object) -> Result<Self, String> {
        let wrong = |error: String| format!("InvalidBatch : Unable to parse the batch: {error}");
        let all: Vec<Map<String, Json>> =
            serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
        let mut records = Self::default();
        for record in all {
            let mut row = Vec::new();
            for (name, value) in record {
                match value {
                    Json::Object(_) if name == "attributes" => {}
                    Json::Object(parent) => {
                        let kind =
                            parent.get("attributes").and_then(|a| a["type"].as_str()).map(str::to_owned);
                        for (key, value) in parent.into_iter().filter(|(key, _)| key != "attributes") {
                            let name = parent_name(object, &name, kind.as_deref(), &key);
                            records.set(&mut row, name, of_json(value).map_err(wrong)?);
                        }
                    }
                    value => records.set(&mut row, name, of_json(value).map_err(wrong)?),
                }
            }
            records.rows.push(row);
        }
        Ok(records)
    }

    /// Reads `sObjects`; a parent is an `sObject` with one field of it.
    pub(super) fn of_xml(body: &[u8], object: &Object) -> Result<Self, String> {
        let wrong = |error: &str| format!("InvalidXML : {error}");
        let text = std::str::from_utf8(body).map_err(|_| wrong("the batch is not UTF-8"))?;
        let document = roxmltree::Document::parse(text).map_err(|error| wrong(&error.to_string()))?;
        let root = document.root_element();
        if root.tag_name().name() != "sObjects" {
            return Err(wrong("sObjects is expected"));
        }
        let mut records = Self::default();
        for record in elements(root) {
            let mut row = Vec::new();
            for field in elements(record) {
                let name = field.tag_name().name();
                match elements(field).next() {
                    None => records.set(&mut row, name.to_owned(), of_element(field)),
                    Some(parent) => {
                        let is_kind = |part: &roxmltree::Node<'_, '_>| part.tag_name().name() == "type";
                        let kind = elements(parent).find(is_kind).and_then(|kind| kind.text());
                        for key in elements(parent).filter(|part| !is_kind(part)) {
                            let name = parent_name(object, name, kind, key.tag_name().name());
                            records.set(&mut row, name, of_element(key));
                        }
                    }
                }
            }
            records.rows.push(row);
        }
        Ok(records)
    }
}

fn elements<'a, 'input: 'a>(
    node: roxmltree::Node<'a, 'input>,
) -> impl Iterator<Item = roxmltree::Node<'a, 'input>> {
    node.children().filter(roxmltree::Node::is_element)
}

/// The name of a parent's column; CSV names its type only where there are several.
fn parent_name(object: &Object, relationship: &str, kind: Option<&str>, key: &str) -> String {
    let field = object.find_relationship(relationship).map(|field| &object.fields[field]);
    match kind.filter(|_| field.is_some_and(|field| field.reference_to.len() > 1)) {
        Some(kind) => format!("{kind}:{relationship}.{key}"),
        None => format!("{relationship}.{key}"),
    }
}

fn of_json(value: Json) -> Result<Given<'static>, String> {
    Ok(match value {
        Json::Null => Given::Null,
        Json::String(text) if text.is_empty() => Given::Null,
        Json::String(text) => Given::Text(Cow::Owned(text)),
        Json::Bool(_) | Json::Number(_) => Given::Text(Cow::Owned(value.to_string())),
        other => return Err(format!("{other} is no value of a field")),
    })
}

fn of_element(element: roxmltree::Node<'_, '_>) -> Given<'static> {
    let is_nil = element.attributes().any(|a| a.name() == "nil" && matches!(a.value(), "true" | "1"));
    match element.text() {
        _ if is_nil => Given::Null,
        Some(text) if !text.is_empty() => Given::Text(Cow::Owned(text.to_owned())),
        _ => Given::Nothing,
    }
}
