//! Components of metadata of a saved org: their files below `metadata/`, and `metadata.csv` with whose they are.

use std::path::Path;

use bytes::Bytes;

use super::super::error::LoadError;
use super::{SaveError, Writer};
use crate::metadata::zip::is_inside;
use crate::metadata::{Component, File, Key, Stamp, Store};
use crate::value::Id;
use crate::value::calendar::{parse_datetime, rest_datetime};

/// Where it stands which file belongs to whom.
const INDEX: &str = "metadata.csv";
/// Its columns. A component has a line for each of its files.
const COLUMNS: [&str; 11] = [
    "Type",
    "FullName",
    "Id",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "Namespace",
    "Managed",
    "Path",
    "File",
];

/// Writes all components.
pub(super) fn write(writer: &mut Writer, store: &Store) -> Result<(), SaveError> {
    if store.is_empty() {
        return Ok(());
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| SaveError::Form(format!("{INDEX}: {error}"));
    csv.write_record(COLUMNS).map_err(failed)?;
    let mut paths = std::collections::HashSet::new();
    for (key, component) in store.all() {
        let mut line = |path: &str, file: &str| {
            csv.write_record([
                &*key.type_name,
                &*key.full_name,
                &component.id.map(|id| id.to_string()).unwrap_or_default(),
                &rest_datetime(component.created.at),
                &component.created.by.to_string(),
                &rest_datetime(component.modified.at),
                &component.modified.by.to_string(),
                component.namespace.as_deref().unwrap_or_default(),
                if component.managed { "true" } else { "false" },
                path,
                file,
            ])
            .map_err(failed)
        };
        if component.files.is_empty() {
            line("", "")?;
        }
        for file in component.files.iter() {
            // parts of a document share its path; the first one, or the document itself, has it as its place
            let place = if is_inside(&file.path) && paths.insert(file.path.to_string()) {
                file.path.to_string()
            } else {
                format!("{}.parts/{}/{}.xml", safe(&file.path), key.type_name, safe(&key.full_name))
            };
            line(&file.path, &place)?;
            writer.write(&format!("metadata/{place}"), &file.bytes)?;
        }
    }
    let csv = csv.into_inner().map_err(|error| SaveError::Form(error.error().to_string()))?;
    writer.write(INDEX, &csv)
}

/// A name that any file system takes, and that no other name gives.
fn safe(name: &str) -> String {
    let mut text = String::new();
    for (number, character) in name.chars().enumerate() {
        match character {
            '/' => text.push('/'),
            '.' if number > 0 && !text.ends_with('/') => text.push('.'),
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') => text.push(c),
            other => {
                let mut bytes = [0; 4];
                let bytes = other.encode_utf8(&mut bytes).bytes();
                bytes.for_each(|byte| text.push_str(&format!("%{byte:02X}")));
            }
        }
    }
    text
}

/// Reads all components.
pub(super) fn load(directory: &Path) -> Result<Store, LoadError> {
    let index = directory.join(INDEX);
    let mut store = Store::default();
    if !index.exists() {
        return Ok(store);
    }
    let wrong = |message: String| LoadError::file(&index, message);
    let text = super::super::error::read(&index)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    if reader.headers().map_err(|error| wrong(error.to_string()))?.iter().ne(COLUMNS) {
        return Err(wrong(format!("its columns are not {}", COLUMNS.join(","))));
    }
    let mut open: Option<(Key, Component, Vec<File>)> = None;
    let mut put = |(key, component, files): (Key, Component, Vec<File>)| {
        store.put_whole(key, Component { files: files.into(), ..component });
    };
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let bad = |column: usize| wrong(format!("line {line}: {} is `{}`", COLUMNS[column], cell(column)));
        let stamp = |column: usize| {
            let at = parse_datetime(cell(column)).ok_or_else(|| bad(column))?;
            let by = Id::parse(cell(column + 1)).ok_or_else(|| bad(column + 1))?;
            Ok(Stamp { at, by })
        };
        let key = Key::new(cell(0), cell(1));
        if open.as_ref().is_none_or(|(known, ..)| *known != key) {
            open.take().into_iter().for_each(&mut put);
            let id = if cell(2).is_empty() { None } else { Some(Id::parse(cell(2)).ok_or_else(|| bad(2))?) };
            let component = Component {
                id,
                files: Vec::new().into(),
                created: stamp(3)?,
                modified: stamp(5)?,
                namespace: (!cell(7).is_empty()).then(|| cell(7).into()),
                managed: cell(8) == "true",
            };
            open = Some((key, component, Vec::new()));
        }
        let (path, place) = (cell(9), cell(10));
        if let (Some((_, _, files)), false) = (&mut open, place.is_empty()) {
            if !is_inside(place) {
                return Err(bad(10));
            }
            let file = directory.join("metadata").join(place);
            let bytes = std::fs::read(&file).map_err(|source| LoadError::Read { file, source })?;
            files.push(File::new(path, Bytes::from(bytes)));
        }
    }
    open.take().into_iter().for_each(&mut put);
    Ok(store)
}
