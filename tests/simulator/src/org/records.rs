//! Data files as records: CSV with API names, and the JSON forms of the Salesforce CLI.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::error::{LoadError, files, read};
use crate::schema::{FieldType, Schema};

/// A record before labels are ids.
#[derive(Debug)]
pub(super) struct Record {
    /// Number of its object.
    pub(super) object: usize,
    /// Where it stands.
    pub(super) file: PathBuf,
    /// `line 7`, `record 3`
    pub(super) at: String,
    /// The content of its column `Id`, or its `referenceId`.
    pub(super) label: Option<String>,
    /// Field numbers and content.
    pub(super) cells: Vec<(usize, String)>,
    /// References given by a field of the parent (`Account.Name`): reference, the parent's field, content.
    pub(super) lookups: Vec<(usize, String, String)>,
    /// The record that it was nested in, by its place in the list, and the field that refers to it.
    pub(super) parent: Option<(usize, usize)>,
}

impl Record {
    fn new(object: usize, file: &Path) -> Self {
        Self {
            object,
            file: file.to_owned(),
            at: String::new(),
            label: None,
            cells: Vec::new(),
            lookups: Vec::new(),
            parent: None,
        }
    }

    pub(super) fn wrong(&self, message: impl Into<String>) -> LoadError {
        LoadError::Row { file: self.file.clone(), at: self.at.clone(), message: message.into() }
    }
}

/// All records of the data folder, file by file.
pub(super) fn load(folder: &Path, schema: &Schema) -> Result<Vec<Record>, LoadError> {
    let mut records = Vec::new();
    for file in files(folder)? {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => from_csv(&file, schema, &mut records)?,
            Some("json") => from_json(&file, schema, &mut records)?,
            _ => {}
        }
    }
    Ok(records)
}

fn find_object(name: &str, file: &Path, schema: &Schema) -> Result<usize, LoadError> {
    schema.find(name).ok_or_else(|| {
        let message = format!("object {name} is not in the schema; add it to schema.yaml or to describes/");
        LoadError::file(file, message)
    })
}

fn stem(file: &Path) -> &str {
    file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn find_field(name: &str, object: usize, schema: &Schema) -> Result<usize, String> {
    let described = schema.object(object);
    described.find(name).ok_or_else(|| {
        format!("{} has no field {name}; add it to schema.yaml or leave it out of the data", described.name)
    })
}

fn find_relationship(name: &str, object: usize, schema: &Schema) -> Result<usize, String> {
    let described = schema.object(object);
    described.find_relationship(name).ok_or_else(|| format!("{} has no relationship {name}", described.name))
}

fn from_csv(file: &Path, schema: &Schema, records: &mut Vec<Record>) -> Result<(), LoadError> {
    let object = find_object(stem(file), file, schema)?;
    let text = read(file)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let wrong = |error: csv::Error| LoadError::file(file, format!("it is not CSV: {error}"));
    let mut columns = Vec::new();
    for name in reader.headers().map_err(wrong)? {
        let (name, of_parent) = match name.trim().split_once('.') {
            Some((relationship, field)) => (relationship, Some(field.to_owned())),
            None => (name.trim(), None),
        };
        let found = match of_parent {
            Some(_) => find_relationship(name, object, schema),
            None => find_field(name, object, schema),
        };
        columns.push((found.map_err(|m| LoadError::file(file, m))?, of_parent));
    }
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        let at = format!("line {}", row.position().map_or(0, csv::Position::line));
        let mut record = Record { at, ..Record::new(object, file) };
        for ((field, of_parent), content) in columns.iter().zip(&row) {
            match of_parent {
                Some(name) if !content.is_empty() => {
                    record.lookups.push((*field, name.clone(), content.to_owned()));
                }
                Some(_) => {}
                None => add_cell(&mut record, *field, content, schema),
            }
        }
        records.push(record);
    }
    Ok(())
}

fn add_cell(record: &mut Record, field: usize, content: &str, schema: &Schema) {
    if content.is_empty() {
        return;
    }
    if schema.object(record.object).fields[field].kind == FieldType::Id {
        record.label = Some(content.to_owned());
    } else {
        record.cells.push((field, content.to_owned()));
    }
}

fn from_json(file: &Path, schema: &Schema, records: &mut Vec<Record>) -> Result<(), LoadError> {
    let json: Json = serde_json::from_str(&read(file)?)
        .map_err(|error| LoadError::file(file, format!("it is not JSON: {error}")))?;
    let listed = match &json {
        Json::Array(listed) => listed,
        Json::Object(map) => map
            .get("records")
            .and_then(Json::as_array)
            .ok_or_else(|| LoadError::file(file, "it has no list `records`, and is no list itself"))?,
        _ => return Err(LoadError::file(file, "it has no list `records`, and is no list itself")),
    };
    if listed.first().is_some_and(|first| first.get("sobject").is_some() && first.get("files").is_some()) {
        return Ok(()); // a plan of the Salesforce CLI, which names the other files
    }
    let mut number = 0;
    add_listed(listed, None, file, schema, &mut number, records)
}

fn add_listed(
    listed: &[Json],
    parent: Option<(usize, &str, usize)>,
    file: &Path,
    schema: &Schema,
    number: &mut usize,
    records: &mut Vec<Record>,
) -> Result<(), LoadError> {
    for json in listed {
        *number += 1;
        let at = format!("record {number}");
        let row_error = |message: String| LoadError::Row { file: file.to_owned(), at: at.clone(), message };
        let Json::Object(map) = json else { return Err(row_error("it is not an object".to_owned())) };
        let attributes = map.get("attributes");
        let named = attributes.and_then(|a| a["type"].as_str());
        let object = match (named, parent) {
            (Some(name), _) | (None, Some((_, name, _))) => find_object(name, file, schema)?,
            (None, None) => find_object(stem(file), file, schema)?,
        };
        let label = attributes.and_then(|a| a["referenceId"].as_str()).map(str::to_owned);
        let parent = parent.map(|(place, _, field)| (place, field));
        records.push(Record { at: at.clone(), label, parent, ..Record::new(object, file) });
        add_fields(map, records.len() - 1, file, schema, number, records)?;
    }
    Ok(())
}

fn add_fields(
    map: &Map<String, Json>,
    place: usize,
    file: &Path,
    schema: &Schema,
    number: &mut usize,
    records: &mut Vec<Record>,
) -> Result<(), LoadError> {
    let object = records[place].object;
    for (key, value) in map.iter().filter(|(key, _)| *key != "attributes") {
        if let Some(children) = value.get("records").and_then(Json::as_array) {
            let known =
                schema.object(object).children.iter().find(|(name, ..)| name.eq_ignore_ascii_case(key));
            let Some((_, child, field)) = known else {
                let message = format!("{} has no list of children {key}", schema.object(object).name);
                return Err(records[place].wrong(message));
            };
            let child_number = find_object(child, file, schema)?;
            let field = find_field(field, child_number, schema).map_err(|m| records[place].wrong(m))?;
            add_listed(children, Some((place, child, field)), file, schema, number, records)?;
            continue;
        }
        if let Json::Object(parts) = value {
            add_object(key, parts, &mut records[place], schema)?;
            continue;
        }
        let content = match value {
            Json::Null => continue,
            Json::String(text) => text.clone(),
            Json::Bool(_) | Json::Number(_) => value.to_string(),
            _ => return Err(records[place].wrong(format!("{key} is a list, which no field holds"))),
        };
        let field = find_field(key, object, schema).map_err(|m| records[place].wrong(m))?;
        add_cell(&mut records[place], field, &content, schema);
    }
    Ok(())
}

/// An object within a record: an address, whose parts are fields of their own, or a parent named by a field.
fn add_object(
    key: &str,
    parts: &Map<String, Json>,
    record: &mut Record,
    schema: &Schema,
) -> Result<(), LoadError> {
    let described = schema.object(record.object);
    if described.find(key).is_some_and(|field| described.fields[field].kind.is_compound()) {
        return Ok(());
    }
    let field = find_relationship(key, record.object, schema).map_err(|m| record.wrong(m))?;
    let mut given = parts.iter().filter(|(name, value)| *name != "attributes" && !value.is_null());
    let (Some((name, value)), None) = (given.next(), given.next()) else {
        return Err(record.wrong(format!("{key}: name the parent by one field")));
    };
    let content = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    record.lookups.push((field, name.clone(), content));
    Ok(())
}
