//! What the contents of files tell: sizes and checksums that the data leaves open, and the documents and links of
//! versions that come without.

use std::path::Path;

use super::error::LoadError;
use super::people::SET_UP;
use crate::store::transaction::{Actor, CONTENTS, Doubts, Transaction, md5_hex};
use crate::store::{Row, World};
use crate::value::{Cell, Decimal, Id, Value};

/// Completes the rows that hold contents.
pub(super) fn complete(world: &mut World, directory: &Path, owner: Option<Id>) -> Result<(), LoadError> {
    for (name, content, size, checksum) in CONTENTS {
        let Some(object) = world.schema.find(name) else { continue };
        let described = world.schema.object(object);
        let Some(content) = described.find(content) else { continue };
        let (size, checksum) = (described.find(size), described.find(checksum));
        let rows: Vec<Row> = world.database.table(object).stored_rows().cloned().collect();
        for mut row in rows {
            let open = |field: Option<usize>| field.filter(|field| row.get(*field) == Cell::Null);
            let (open_size, open_checksum) = (open(size), open(checksum));
            let Cell::Text(file) = row.get(content) else { continue };
            if open_size.is_none() && open_checksum.is_none() {
                continue;
            }
            let file = directory.join("files").join(file);
            let read = std::fs::read(&file).map_err(|source| LoadError::Read { file, source })?;
            if let Some(field) = open_size {
                let length = read.len() as i64;
                let decimal = described.fields[field].kind.is_decimal();
                let length =
                    if decimal { Value::Number(Decimal::new(length, 0)) } else { Value::Int(length) };
                row.set(field, Some(length));
            }
            if let Some(field) = open_checksum {
                row.set(field, Some(Value::Text(md5_hex(&read).into())));
            }
            world.database.table_mut(object).put(row);
        }
    }
    standard_price_book(world, owner);
    let actor = Actor::platform(owner.unwrap_or(Id::LOWEST));
    Transaction::new(world, actor, SET_UP, Doubts::default())
        .publish_loaded()
        .map_err(|refusal| LoadError::file(&directory.join("data"), format!("ContentVersion: {refusal}")))
}

/// Every org has the standard price book; one that the data does not tell of is added.
fn standard_price_book(world: &mut World, owner: Option<Id>) {
    let schema = world.schema.clone();
    let Some(object) = schema.find("Pricebook2") else { return };
    let described = schema.object(object);
    let (Some(standard), Some(prefix)) = (described.find("IsStandard"), described.key_prefix) else { return };
    let table = world.database.table(object);
    if table.stored_rows().any(|row| row.get(standard) == Cell::Bool(true)) {
        return;
    }
    let free =
        (1..=u64::from(u16::MAX)).map(|serial| Id::new(prefix, serial)).find(|id| table.find(*id).is_none());
    let Some(id) = free else { return };
    let mut row = Row::new(id);
    let stamped = Some(Value::DateTime(SET_UP));
    for (name, value) in [
        ("Id", Some(Value::Id(id))),
        ("Name", Some(Value::Text("Standard Price Book".into()))),
        ("IsStandard", Some(Value::Bool(true))),
        ("IsActive", Some(Value::Bool(true))),
        ("CreatedDate", stamped.clone()),
        ("LastModifiedDate", stamped.clone()),
        ("SystemModstamp", stamped),
        ("OwnerId", owner.map(Value::Id)),
        ("CreatedById", owner.map(Value::Id)),
        ("LastModifiedById", owner.map(Value::Id)),
    ] {
        if let Some(field) = described.find(name) {
            row.set(field, value);
        }
    }
    world.database.table_mut(object).put(row);
}
