//! The structural half of the API server's validation: types, bounds, patterns, required and unknown fields.
//!
//! Covers the keywords that our own definitions use; a test holds the definitions to that list.

use regex::Regex;
use serde_json::{Map, Value};

/// Appends to `errors` what is wrong with `value`, each with its path.
pub(crate) fn check(schema: &Value, value: &Value, path: &str, errors: &mut Vec<String>) {
    let mut wrong = |what: String| errors.push(format!("{path}: {what}"));
    if value.is_null() {
        if schema["nullable"] != Value::Bool(true) {
            wrong("must not be null".to_owned());
        }
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let words: Vec<String> =
            allowed.iter().filter(|word| !word.is_null()).map(Value::to_string).collect();
        wrong(format!("{value} is not one of {}", words.join(", ")));
        return;
    }
    if schema["x-kubernetes-int-or-string"] == Value::Bool(true) {
        match value {
            Value::String(text) => string(schema, text, path, errors),
            Value::Number(number) if number.is_i64() || number.is_u64() => {}
            _ => wrong(format!("must be a whole number or a text, is {value}")),
        }
        return;
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(map)) => object(schema, map, path, errors),
        (Some("array"), Value::Array(items)) => array(schema, items, path, errors),
        (Some("string"), Value::String(text)) => string(schema, text, path, errors),
        (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {
            bounds(schema, number.as_f64(), path, errors);
        }
        (Some("number"), Value::Number(number)) => bounds(schema, number.as_f64(), path, errors),
        (Some("boolean"), Value::Bool(_)) | (None, _) => {}
        (Some(expected), _) => wrong(format!("must be of type {expected}, is {value}")),
    }
}

fn object(schema: &Value, map: &Map<String, Value>, path: &str, errors: &mut Vec<String>) {
    let limit = schema["maxProperties"].as_u64();
    if limit.is_some_and(|limit| map.len() as u64 > limit) {
        errors.push(format!("{path}: must have at most {} entries", limit.unwrap_or_default()));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(name) {
            errors.push(format!("{path}.{name}: is required"));
        }
    }
    for (name, value) in map {
        let inner = format!("{path}.{name}");
        if let Some(known) = schema["properties"].get(name) {
            check(known, value, &inner, errors);
        } else if schema["additionalProperties"].is_object() {
            check(&schema["additionalProperties"], value, &inner, errors);
        } else if schema.get("properties").is_some() {
            errors.push(format!("{inner}: is not a field of this kind"));
        }
    }
}

fn array(schema: &Value, items: &[Value], path: &str, errors: &mut Vec<String>) {
    let length = items.len() as u64;
    if schema["minItems"].as_u64().is_some_and(|least| length < least) {
        errors.push(format!("{path}: must have at least {} entries", schema["minItems"]));
    }
    if schema["maxItems"].as_u64().is_some_and(|most| length > most) {
        errors.push(format!("{path}: must have at most {} entries", schema["maxItems"]));
    }
    let is_set = schema["x-kubernetes-list-type"] == "set";
    for (index, item) in items.iter().enumerate() {
        if is_set && items[..index].contains(item) {
            errors.push(format!("{path}[{index}]: {item} is there twice"));
        }
        check(&schema["items"], item, &format!("{path}[{index}]"), errors);
    }
}

fn string(schema: &Value, text: &str, path: &str, errors: &mut Vec<String>) {
    let length = text.chars().count() as u64;
    if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        errors.push(format!("{path}: must have at least {} characters", schema["minLength"]));
    }
    if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
        errors.push(format!("{path}: must have at most {} characters", schema["maxLength"]));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        match Regex::new(pattern) {
            Ok(regex) if regex.is_match(text) => {}
            Ok(_) => errors.push(format!("{path}: {text:?} does not match {pattern}")),
            Err(error) => errors.push(format!("{path}: the schema's pattern is broken: {error}")),
        }
    }
}

fn bounds(schema: &Value, number: Option<f64>, path: &str, errors: &mut Vec<String>) {
    let Some(number) = number else { return };
    if schema["minimum"].as_f64().is_some_and(|least| number < least) {
        errors.push(format!("{path}: must be at least {}, is {number}", schema["minimum"]));
    }
    if schema["maximum"].as_f64().is_some_and(|most| number > most) {
        errors.push(format!("{path}: must be at most {}, is {number}", schema["maximum"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot, crds};

    /// Keywords that [`check`] carries out, or that say nothing about validity.
    const KNOWN: &[&str] = &[
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "maxProperties",
        "nullable",
        "default",
        "description",
        "format",
        "x-kubernetes-validations",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-int-or-string",
    ];

    fn keywords(schema: &Value, unknown: &mut Vec<String>) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            match keyword.as_str() {
                "properties" => {
                    value.as_object().into_iter().flatten().for_each(|(_, inner)| keywords(inner, unknown));
                }
                "items" | "additionalProperties" => keywords(value, unknown),
                known if KNOWN.contains(&known) => {}
                other => unknown.push(other.to_owned()),
            }
        }
    }

    #[test]
    fn our_definitions_use_no_keyword_that_is_not_checked() {
        let schemas = [
            crds::schema::<SalesforceConnection>(),
            crds::schema::<BackupVault>(),
            crds::schema::<SalesforceBackup>(),
            crds::schema::<Snapshot>(),
        ];
        let mut unknown = Vec::new();
        for schema in schemas {
            keywords(&schema.unwrap()["properties"]["spec"], &mut unknown);
        }
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
