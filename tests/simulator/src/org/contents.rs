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
    let actor = Actor::platform(owner.unwrap_or(Id::LOWEST));
    Transaction::new(world, actor, SET_UP, Doubts::default())
        .publish_loaded()
        .map_err(|refusal| LoadError::file(&directory.join("data"), format!("ContentVersion: {refusal}")))
}
