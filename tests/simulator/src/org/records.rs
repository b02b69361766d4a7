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
    /// The record that it was nested in, by its place in the list, and the field that refers to it.
    pub(super) parent: Option<(usize, usize)>,
}

impl Record {
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

fn from_csv(file: &Path, schema: &Schema, records: &mut Vec<Record>) -> Result<(), LoadError> {
    let object = find_object(stem(file), file, schema)?;
    let text = read(file)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let wrong = |error: csv::Error| LoadError::file(file, format!("it is not CSV: {error}"));
    let mut columns = Vec::new();
    for name in reader.headers().map_err(wrong)? {
        columns.push(find_field(name.trim(), object, schema).map_err(|m| LoadError::file(file, m))?);
    }
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        let at = format!("line {}", row.position().map_or(0, csv::Position::line));
        let mut record = Record { object, file: file.to_owned(), at, label: None, cells: Vec::new(), parent: None };
        for (field, content) in columns.iter().zip(&row) {
            add_cell(&mut record, *field, content, schema);
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
        Json::Object(map) => map.get("records").and_then(Json::as_array).ok_or_else(|| {
            LoadError::file(file, "it has no list `records`, and is no list itself")
        })?,
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
        records.push(Record { object, file: file.to_owned(), at: at.clone(), label, cells: Vec::new(), parent });
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
            let known = schema.object(object).children.iter().find(|(name, ..)| name.eq_ignore_ascii_case(key));
            let Some((_, child, field)) = known else {
                let message = format!("{} has no list of children {key}", schema.object(object).name);
                return Err(records[place].wrong(message));
            };
            let child_number = find_object(child, file, schema)?;
            let field = find_field(field, child_number, schema).map_err(|m| records[place].wrong(m))?;
            add_listed(children, Some((place, child, field)), file, schema, number, records)?;
            continue;
        }
        let content = match value {
            Json::Null => continue,
            Json::String(text) => text.clone(),
            Json::Bool(_) | Json::Number(_) => value.to_string(),
            _ => return Err(records[place].wrong(format!("{key} is a list or an object; give its parts"))),
        };
        let field = find_field(key, object, schema).map_err(|m| records[place].wrong(m))?;
        add_cell(&mut records[place], field, &content, schema);
    }
    Ok(())
}
