//! Records as clients send them, in JSON, made cells.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::{Cells, Refusal, Transaction};
use crate::schema::{Field, FieldType, View};
use crate::value::{Id, Value};

impl Transaction<'_> {
    /// The cells of a record in JSON: fields by name, parents by a field of theirs
    /// (`{"Account": {"Key__c": "a"}}`), contents in base64, which are kept. What the user may not see is not
    /// there.
    pub fn read_json(
        &mut self,
        object: usize,
        view: &View,
        record: &Map<String, Json>,
    ) -> Result<Cells, Refusal> {
        let mut cells = Cells::new();
        for (name, json) in record.iter().filter(|(name, _)| *name != "attributes") {
            let described = self.described(object);
            let seen = |field: &usize| view.sees_field(object, *field);
            if let Json::Object(parent) = json
                && let Some(field) = described.find_relationship(name).filter(seen)
            {
                cells.push((field, Some(Value::Id(self.find_parent(object, field, view, parent)?))));
                continue;
            }
            let field = described.find(name).filter(seen).ok_or_else(|| no_column(name, &described.name))?;
            let kind = described.fields[field].kind;
            let value = match json {
                Json::Null => None,
                Json::String(text) if kind == FieldType::Base64 => {
                    let content = STANDARD.decode(text.as_bytes()).ok();
                    let content = content.ok_or_else(|| wrong_type(&described.fields[field], text))?;
                    Some(self.keep_file(Bytes::from(content)))
                }
                Json::String(text) => read_text(&described.fields[field], text)?,
                Json::Bool(_) | Json::Number(_) => read_text(&described.fields[field], &json.to_string())?,
                Json::Array(_) | Json::Object(_) => {
                    return Err(wrong_type(&described.fields[field], &json.to_string()));
                }
            };
            cells.push((field, value));
        }
        Ok(cells)
    }

    fn find_parent(
        &mut self,
        object: usize,
        field: usize,
        view: &View,
        parent: &Map<String, Json>,
    ) -> Result<Id, Refusal> {
        let reference = &self.described(object).fields[field];
        let (name, targets) = (reference.name.clone(), reference.reference_to.clone());
        let named = parent.get("attributes").and_then(|attributes| attributes["type"].as_str());
        let mut given = parent.iter().filter(|(name, _)| *name != "attributes");
        let (Some((key, value)), None) = (given.next(), given.next()) else {
            return Err(Refusal::field("INVALID_FIELD", &name, "name the parent by one field"));
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        for target in targets.iter().filter(|target| named.is_none_or(|named| named == *target)) {
            let Some(target) = self.world.schema.find(target) else { continue };
            let described = self.described(target);
            let Some(key) = described.find(key).filter(|key| view.sees_field(target, *key)) else { continue };
            let found = match read_text(&described.fields[key], &text)? {
                Some(Value::Id(id)) => vec![id],
                Some(value) => self.find_by(target, key, value.as_cell()),
                None => Vec::new(),
            };
            match found.as_slice() {
                [] => {}
                [id] => return Ok(*id),
                _ => {
                    let message = format!("{key}: more than one record found for external id field");
                    return Err(Refusal::field("DUPLICATE_EXTERNAL_ID", &name, message));
                }
            }
        }
        let message = format!(
            "Foreign key external ID: {text} not found for field {key} in entity {}",
            targets.join(" or ")
        );
        // recorded: it tells no fields
        Err(Refusal::new("INVALID_FIELD", message))
    }
}

/// The value of a field in the text form that JSON and CSV share.
pub fn read_text(field: &Field, text: &str) -> Result<Option<Value>, Refusal> {
    if field.kind.is_id() && !text.is_empty() && Id::parse(text).is_none() {
        let message = format!("{}: id value of incorrect type: {text}", field.label);
        return Err(Refusal::field("MALFORMED_ID", &field.name, message));
    }
    // recorded: addresses of e-mail come back in lower case
    let lower = (field.kind == FieldType::Email).then(|| text.to_lowercase());
    Value::parse(field.kind, lower.as_deref().unwrap_or(text)).map_err(|_| wrong_type(field, text))
}

fn wrong_type(field: &Field, text: &str) -> Refusal {
    let message = format!("{}: value not of required type: {text}", field.label);
    Refusal::field("INVALID_TYPE_ON_FIELD_IN_RECORD", &field.name, message)
}

fn no_column(name: &str, object: &str) -> Refusal {
    Refusal::new("INVALID_FIELD", format!("No such column '{name}' on sobject of type {object}"))
}
