//! What a subject's ids lead to: records of a snapshot whose reference fields name one of them, level by level.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::{FieldType, ObjectSchema};

use super::Ids;
use crate::change::broken;
use crate::codec::key::{NOBODY, key_of};
use crate::error::{Result, VaultError};
use crate::manifest::Manifest;
use crate::read::Keys;
use crate::vault::Vault;

/// References that say who did something, not what a record belongs to.
const BY_WHOM: [&str; 4] = ["CreatedById", "LastModifiedById", "OwnerId", "RecordTypeId"];

/// Which references to follow.
#[derive(Debug, Clone, Default)]
pub struct Children {
    /// Levels.
    pub depth: u32,
    /// Only records of these objects; empty: of all.
    pub objects: Vec<String>,
}

/// Fields of a schema that are followed.
fn references(schema: &ObjectSchema) -> Vec<String> {
    schema
        .columns()
        .filter(|field| field.field_type == FieldType::Reference)
        .filter(|field| !BY_WHOM.contains(&field.name.as_str()))
        .map(|field| field.name.clone())
        .collect()
}

/// Records of a snapshot that lead to these ids, with their objects: a list for review, which erases nothing.
///
/// Reads the reference columns of every object once for each level.
pub async fn children(
    vault: &Vault,
    manifest: &Manifest,
    ids: &Ids,
    options: &Children,
) -> Result<BTreeSet<(String, SalesforceId)>> {
    let mut known: HashSet<u128> = ids.keys().collect();
    let mut frontier = known.clone();
    let mut found = BTreeSet::new();
    for _ in 0..options.depth {
        let mut next = HashSet::new();
        for entry in manifest.objects.iter().filter(|entry| entry.state.is_some()) {
            let wanted = |name: &String| name.eq_ignore_ascii_case(&entry.name);
            if !options.objects.is_empty() && !options.objects.iter().any(wanted) {
                continue;
            }
            let state = vault.state(manifest, &entry.name).await?;
            let mut fields = references(&state.schema);
            if fields.is_empty() || state.schema.columns().all(|field| field.name != "Id") {
                continue;
            }
            fields.push("Id".to_owned());
            let mut batches = vault.batches(&state, Some(&fields), Keys::All)?;
            let (parents, names) = (std::mem::take(&mut frontier), fields);
            let read = tokio::task::spawn_blocking(move || {
                let mut children: BTreeMap<u128, SalesforceId> = BTreeMap::new();
                while let Some(batch) = batches.next()? {
                    let column = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
                    let Some(own) = column("Id") else { continue };
                    for texts in names.iter().filter(|name| *name != "Id").filter_map(|name| column(name)) {
                        for row in (0..texts.len()).filter(|row| texts.is_valid(*row) && own.is_valid(*row)) {
                            let key = key_of(own.value(row).as_bytes());
                            if parents.contains(&key_of(texts.value(row).as_bytes()))
                                && key != NOBODY
                                && let Ok(id) = SalesforceId::parse(own.value(row))
                            {
                                children.insert(key, id);
                            }
                        }
                    }
                }
                Ok((children, parents))
            });
            let read: std::result::Result<_, crate::read::ReadError> =
                read.await.map_err(|error| VaultError::internal(error.to_string()))?;
            let (children, parents) = read.map_err(broken)?;
            frontier = parents;
            for (key, id) in children {
                if known.insert(key) {
                    next.insert(key);
                    found.insert((entry.name.clone(), id));
                }
            }
        }
        if next.is_empty() {
            break;
        }
        frontier = next;
    }
    Ok(found)
}
