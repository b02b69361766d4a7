//! Rows, deletions and contents of a saved org.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::{Numbers, SaveError, Writer};
use crate::metadata::zip::is_inside;
use crate::schema::{FieldType, Object};
use crate::store::{Row, Table, World, plain};
use crate::value::Cell;
use crate::value::calendar::rest_datetime;

/// The column that tells of a row that it is deleted, where its `IsDeleted` does not.
pub(super) const DELETED: &str = "$deleted";

/// Writes what an object has of rows, and gives its numbers.
pub(super) fn write(writer: &mut Writer, world: &World, number: usize) -> Result<Numbers, SaveError> {
    let object = world.schema.object(number);
    let table = world.database.table(number);
    write_rows(writer, object, table)?;
    write_bin(writer, object, table)?;
    if let Some(generator) = table.generator() {
        let purged: Vec<String> = table.purged().map(|id| id.to_string()).collect();
        let kept = serde_json::json!({"generator": generator.kept(), "purged": purged});
        writer.json(&format!("generated/{}.json", object.name), &kept)?;
    }
    let fields = object.fields.iter().enumerate();
    let numbers = fields.filter_map(|(n, field)| Some((field.name.clone(), table.last_number(n)?))).collect();
    Ok(Numbers { changed: object.changed, inserted: table.inserted(), numbers })
}

fn write_rows(writer: &mut Writer, object: &Object, table: &Table) -> Result<(), SaveError> {
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let mut odd = false;
    for row in table.stored_rows() {
        used.extend(row.cells().map(|(field, _)| field));
        odd |= row.deleted != told_deleted(object, row);
    }
    let Some(id) = object.find("Id") else { return Ok(()) };
    used.remove(&id);
    let mut csv = csv::Writer::from_writer(Vec::new());
    let failed = |error: &dyn std::fmt::Display| SaveError::Form(format!("{}: {error}", object.name));
    let names = used.iter().map(|field| object.fields[*field].name.as_str());
    let header = ["Id"].into_iter().chain(odd.then_some(DELETED)).chain(names);
    csv.write_record(header).map_err(|error| failed(&error))?;
    let mut rows = 0;
    for row in table.stored_rows() {
        csv.write_field(row.id.to_string()).map_err(|error| failed(&error))?;
        if odd {
            csv.write_field(row.deleted.to_string()).map_err(|error| failed(&error))?;
        }
        for field in &used {
            csv.write_field(plain(row.get(*field))).map_err(|error| failed(&error))?;
        }
        csv.write_record(None::<&[u8]>).map_err(|error| failed(&error))?;
        rows += 1;
    }
    if rows == 0 {
        return Ok(());
    }
    writer.saved.rows += rows;
    let csv = csv.into_inner().map_err(|error| failed(&error.error().to_string()))?;
    writer.write(&format!("data/{}.csv", object.name), &csv)
}

/// Whether the fields of a row tell that it is deleted (archived activities are, for queries).
pub(super) fn told_deleted(object: &Object, row: &Row) -> bool {
    let set = |name: &str| object.find(name).is_some_and(|field| row.get(field) == Cell::Bool(true));
    set("IsDeleted") || set("IsArchived") && matches!(object.name.as_str(), "Task" | "Event")
}

/// `Id,At,With,Purged,Cleared`; what was cleared as `record.Field` with spaces between.
fn write_bin(writer: &mut Writer, object: &Object, table: &Table) -> Result<(), SaveError> {
    let mut text = String::from("Id,At,With,Purged,Cleared\n");
    let mut any = false;
    for (id, gone) in table.all_gone() {
        any = true;
        let purged = gone.purged.map(rest_datetime).unwrap_or_default();
        let cleared: Vec<String> =
            gone.cleared.iter().map(|cleared| format!("{}.{}", cleared.record, cleared.field)).collect();
        let at = rest_datetime(gone.at);
        let _ = writeln!(text, "{id},{at},{},{purged},{}", gone.with, cleared.join(" "));
    }
    if any { writer.write(&format!("bin/{}.csv", object.name), text.as_bytes()) } else { Ok(()) }
}

/// Writes the contents that stored rows name.
pub(super) fn files(writer: &mut Writer, world: &World, from: &Path) -> Result<(), SaveError> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (number, object) in world.schema.objects().iter().enumerate() {
        let held = object.fields.iter().enumerate().filter(|(_, field)| field.kind == FieldType::Base64);
        for (field, _) in held {
            names.extend(world.database.table(number).stored_rows().filter_map(|row| match row.get(field) {
                Cell::Text(name) => Some(name),
                _ => None,
            }));
        }
    }
    for name in names {
        if !is_inside(name) {
            return Err(SaveError::Form(format!("the file {name} lies outside of the folder of files")));
        }
        match world.database.file(name) {
            Some(content) => writer.content(&format!("files/{name}"), &content)?,
            None => writer.copy(&from.join(name), &format!("files/{name}"))?,
        }
    }
    Ok(())
}
