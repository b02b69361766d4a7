//! Reads what was saved. Unlike a directory that a person writes, it is complete: nothing is filled in.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::super::automation;
use super::super::error::{LoadError, files, read};
use super::super::settings::Settings;
use super::super::{Org, check, generate};
use super::rows::{DELETED, told_deleted};
use super::{FORMAT, MANIFEST, Manifest, components};
use crate::schema::{FieldType, Object, Schema};
use crate::store::generator::{Column, Kept};
use crate::store::{Cleared, Database, Generator, Gone, Row, Table};
use crate::value::calendar::parse_datetime;
use crate::value::{Id, Value};

/// Whether a directory was saved.
pub(in super::super) fn is_saved(directory: &Path) -> bool {
    directory.join(MANIFEST).is_file()
}

/// Loads a saved org; rows can be generated of objects that have none generated yet.
pub(in super::super) fn load(
    directory: &Path,
    mut settings: Settings,
    scale: &[(String, u64)],
) -> Result<Org, LoadError> {
    let file = directory.join(MANIFEST);
    let manifest: Manifest =
        serde_yaml::from_str(&read(&file)?).map_err(|error| LoadError::file(&file, error.to_string()))?;
    if manifest.format != FORMAT {
        let message = format!("it was saved in the form {}, this reads {FORMAT}", manifest.format);
        return Err(LoadError::file(&file, message));
    }
    let schema = schema(directory, &manifest)?;
    let org_file = directory.join("org.yaml");
    check(&mut settings, &schema, directory).map_err(|message| LoadError::file(&org_file, message))?;
    let mut tables: Vec<Table> = schema.objects().iter().map(|_| Table::default()).collect();
    for file in files(&directory.join("generated"))? {
        let object = object_of(&file, &schema)?;
        generated(&file, schema.object(object), &mut tables[object])?;
    }
    for file in files(&directory.join("data"))? {
        let object = object_of(&file, &schema)?;
        rows(&file, schema.object(object), &mut tables[object])?;
    }
    for file in files(&directory.join("bin"))? {
        let object = object_of(&file, &schema)?;
        bin(&file, &mut tables[object])?;
    }
    for (name, numbers) in &manifest.objects {
        let Some(object) = schema.find(name) else { continue };
        tables[object].set_inserted(numbers.inserted);
        for (field, number) in &numbers.numbers {
            if let Some(field) = schema.object(object).find(field) {
                tables[object].set_last_number(field, *number);
            }
        }
    }
    for (object, count) in scale {
        let number = schema.find(object);
        if number.is_some_and(|number| tables[number].generator().is_some()) {
            let message = "rows of it were generated before the org was saved".to_owned();
            return Err(LoadError::Scale { object: object.clone(), count: *count, message });
        }
    }
    generate(scale, &schema, &mut tables)?;
    let mut database = Database::new(tables).indexed(&schema);
    let automations = automation::Saved::load(directory)?.restore(&mut database, &settings);
    Ok(Org {
        settings,
        database,
        automations: Arc::new(automations),
        schema: Arc::new(schema),
        metadata: components::load(directory)?,
        directory: directory.to_owned(),
    })
}

fn schema(directory: &Path, manifest: &Manifest) -> Result<Schema, LoadError> {
    let mut objects = Vec::new();
    for file in files(&directory.join("describes"))? {
        let describe: Map<String, Json> =
            serde_json::from_str(&read(&file)?).map_err(|error| LoadError::file(&file, error.to_string()))?;
        let mut object =
            Object::from_describe(describe).map_err(|message| LoadError::file(&file, message))?;
        if let Some(numbers) = manifest.objects.get(&object.name) {
            object.changed = numbers.changed;
        }
        objects.push(object);
    }
    Ok(Schema::new(objects))
}

/// The object that a file is named after.
fn object_of(file: &Path, schema: &Schema) -> Result<usize, LoadError> {
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    schema.find(name).ok_or_else(|| LoadError::file(file, format!("there is no describe of {name}")))
}

/// `generated/X.json`.
#[derive(Deserialize)]
struct Generated {
    generator: Kept<Column>,
    purged: Vec<Id>,
}

fn generated(file: &Path, object: &Object, table: &mut Table) -> Result<(), LoadError> {
    let wrong = |message: String| LoadError::file(file, message);
    let kept: Generated = serde_json::from_str(&read(file)?).map_err(|error| wrong(error.to_string()))?;
    if kept.generator.width() != object.fields.len() {
        return Err(wrong("it was made for other fields than the describe has".to_owned()));
    }
    table.set_generator(Generator::of(kept.generator));
    kept.purged.into_iter().for_each(|id| table.purge(id));
    Ok(())
}

fn rows(file: &Path, object: &Object, table: &mut Table) -> Result<(), LoadError> {
    let text = read(file)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let no_csv = |error: csv::Error| LoadError::file(file, format!("it is not CSV: {error}"));
    let mut columns = Vec::new();
    for name in reader.headers().map_err(no_csv)? {
        let field = object.find(name);
        if field.is_none() && name != DELETED {
            return Err(LoadError::file(file, format!("{} has no field {name}", object.name)));
        }
        columns.push(field);
    }
    for record in reader.records() {
        let record = record.map_err(no_csv)?;
        let at = format!("line {}", record.position().map_or(0, csv::Position::line));
        let wrong = |message: String| LoadError::Row { file: file.to_owned(), at: at.clone(), message };
        let place =
            columns.iter().position(|field| field.is_some_and(|f| object.fields[f].kind == FieldType::Id));
        let id = place.and_then(|place| Id::parse(record.get(place)?));
        let id = id.ok_or_else(|| wrong("it has no Id".to_owned()))?;
        let mut row = Row::new(id);
        let mut deleted = None;
        for (field, content) in columns.iter().zip(&record) {
            match field {
                Some(number) => {
                    let field = &object.fields[*number];
                    let value = Value::parse(field.kind, content);
                    row.set(*number, value.map_err(|error| wrong(format!("{}: {error}", field.name)))?);
                }
                None => deleted = Some(content == "true"),
            }
        }
        row.deleted = deleted.unwrap_or_else(|| told_deleted(object, &row));
        table.put(row);
    }
    Ok(())
}

fn bin(file: &Path, table: &mut Table) -> Result<(), LoadError> {
    let text = read(file)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    for record in reader.records() {
        let record = record.map_err(|error| LoadError::file(file, format!("it is not CSV: {error}")))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let read = || {
            let purged = match cell(3) {
                "" => None,
                at => Some(parse_datetime(at)?),
            };
            let cleared = cell(4).split_whitespace().map(|cleared| {
                let (record, field) = cleared.split_once('.')?;
                Some(Cleared { record: Id::parse(record)?, field: field.into() })
            });
            let cleared = cleared.collect::<Option<Vec<_>>>()?;
            let gone = Gone { at: parse_datetime(cell(1))?, with: Id::parse(cell(2))?, purged, cleared };
            Some((Id::parse(cell(0))?, gone))
        };
        let (id, gone) = read().ok_or_else(|| LoadError::Row {
            file: file.to_owned(),
            at: format!("line {line}"),
            message: "it is no deletion".to_owned(),
        })?;
        table.set_gone(id, Some(gone));
    }
    Ok(())
}
