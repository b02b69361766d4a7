//! Rows whose parts do not fit together, read again by their ids.

use std::collections::HashMap;

use super::{Join, Row};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::soql::{Select, is_in};

/// How often a row that changed between its parts is read again.
const READ_AGAIN: usize = 5;
/// Ids in one query: their condition must fit into the room that parts leave in a URI.
pub(crate) const IDS_AT_ONCE: usize = 20;

/// Reads rows by their ids until their parts agree; one that is gone, or no longer meets the conditions, is left
/// out. `parts` are selects that fit into a URI with such a condition, and `join` is made of them.
pub(crate) async fn read_again(
    client: &Client,
    join: &Join,
    parts: &[Select],
    all: bool,
    ids: &[String],
) -> Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(ids.len());
    for some in ids.chunks(IDS_AT_ONCE) {
        let mut open = some.to_vec();
        for _ in 0..READ_AGAIN {
            if open.is_empty() {
                break;
            }
            let mut read = by_id(client, parts, all, &open).await?;
            open.retain(|id| match read.remove(id) {
                None => false,
                Some(parts) => match join.whole(parts) {
                    Some(row) => {
                        rows.push(row);
                        false
                    }
                    None => true,
                },
            });
        }
        if let Some(id) = open.first() {
            return Err(Error::RowsMoved {
                object: parts.first().map(|part| part.object().to_owned()).unwrap_or_default(),
                detail: format!("{id} changed {READ_AGAIN} times"),
            });
        }
    }
    Ok(rows)
}

/// What each part gives of the ids.
async fn by_id(
    client: &Client,
    parts: &[Select],
    all: bool,
    ids: &[String],
) -> Result<HashMap<String, Vec<Option<Row>>>> {
    let condition = is_in("Id", ids);
    let mut read: HashMap<String, Vec<Option<Row>>> = HashMap::new();
    for (part, select) in parts.iter().enumerate() {
        for row in crate::rest::read_all(client, &select.clone().filter(condition.clone()), all).await? {
            if let Some(id) = row.first().cloned().flatten() {
                read.entry(id).or_insert_with(|| vec![None; parts.len()])[part] = Some(row);
            }
        }
    }
    Ok(read)
}
