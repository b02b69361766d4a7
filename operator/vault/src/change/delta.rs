//! A state over its parent: the parent's parts, then the deltas of this run; and what they come to.

use std::collections::BTreeMap;

use orgkeep_core::schema::ObjectSchema;

use super::below::broken;
use super::history::History;
use super::rule::Rule;
use super::{ChangeCounts, ChangeKind, Changes};
use crate::attempt::{Attempt, schema_digest};
use crate::error::{Result, VaultError};
use crate::manifest::{FileRef, Manifest, ObjectEntry};
use crate::state::{Part, PartKind, State, StateRef};
use crate::vault::Vault;

impl Attempt {
    /// Writes the state of an object as its parent with these deltas over it (as a [`crate::codec::PartWriter`] over
    /// [`Vault::below`] wrote them, in the order of the pages), and counts what changed; with a rule compacted by it.
    /// Where nothing changed and nothing is to be compacted, the parent's state is this one, too.
    pub async fn put_delta_state(
        &self,
        manifest: &Manifest,
        parent: &State,
        schema: &ObjectSchema,
        deltas: Vec<Part>,
        rule: Option<&Rule>,
    ) -> Result<StateRef> {
        let vault = self.run().line().vault();
        let object = parent.object.as_str();
        let digest = schema_digest(schema)?;
        let (mut parts, mut former) = inherit(parent, &digest);
        parts.extend(deltas.iter().map(|part| Part { kind: PartKind::Delta, ..part.clone() }));
        let compacted = match rule {
            Some(rule) => self.compact(object, schema, &mut parts, rule).await?,
            None => false,
        };
        if deltas.is_empty() && !compacted && digest == parent.schema_digest {
            let mut same = vault.state_ref(manifest, parent)?;
            same.changes = Some(Changes { counts: Some(ChangeCounts::default()), ..Changes::default() });
            return Ok(same);
        }
        let (counts, users) = vault.count_changes(&deltas).await?;
        let rows = (parent.rows + counts.added).checked_sub(counts.deleted).ok_or_else(|| {
            VaultError::internal(format!("{} rows of {object} deleted, of {}", counts.deleted, parent.rows))
        })?;
        let bound_to = users_bound_to(self.run().line().id(), object, self.run().id());
        let changes = vault.seal_users(&bound_to, counts, users)?;
        former.retain(|digest, _| parts.iter().any(|part| part.schema_digest == *digest));
        let state = self.write_state(object, schema, rows, parts, former).await?;
        Ok(StateRef { changes: Some(changes), ..state })
    }
}

/// The parent's parts, each with the digest of its schema where that is not the new one, and those schemas.
pub(crate) fn inherit(parent: &State, digest: &str) -> (Vec<Part>, BTreeMap<String, ObjectSchema>) {
    let mut former = BTreeMap::new();
    let mut parts = parent.parts.clone();
    for part in &mut parts {
        let own =
            if part.schema_digest.is_empty() { &parent.schema_digest } else { &part.schema_digest }.clone();
        if own == digest {
            part.schema_digest.clear();
            continue;
        }
        if let Some(schema) = parent.schema_of(part) {
            former.insert(own.clone(), schema.clone());
        }
        part.schema_digest = own;
    }
    (parts, former)
}

/// What the counts by user are sealed for.
fn users_bound_to(line: &str, object: &str, run: &str) -> String {
    format!("{line}/{object}/{run}")
}

impl Vault {
    /// The state of an object in a manifest, for another manifest that names it, too.
    pub fn state_ref(&self, manifest: &Manifest, state: &State) -> Result<StateRef> {
        let entry = manifest.object(&state.object).and_then(|entry| entry.state.as_ref());
        // Where it was read from: not where it stood before something was erased from it.
        let file: FileRef = entry.map(|_| state.file.clone()).ok_or_else(|| VaultError::ObjectNotFound {
            snapshot: manifest.snapshot_id(),
            object: state.object.clone(),
        })?;
        Ok(StateRef {
            object: state.object.clone(),
            file,
            rows: state.rows,
            schema_digest: state.schema_digest.clone(),
            parts: state.parts.iter().flat_map(Part::files).collect(),
            new_bytes: 0,
            changes: None,
        })
    }

    /// Changes of an object in a snapshot by the user who made them (Id; empty where it is not known, as with most
    /// deletions); `None` where nothing was compared.
    pub fn users(
        &self,
        manifest: &Manifest,
        entry: &ObjectEntry,
    ) -> Result<Option<BTreeMap<String, ChangeCounts>>> {
        let Some(sealed) = &entry.sealed_users else { return Ok(entry.users.clone()) };
        let bound_to = users_bound_to(&manifest.line_id, &entry.name, &manifest.run_id);
        let opened = self.keys().open_of_manifest(&bound_to, sealed)?;
        let mut users: BTreeMap<String, ChangeCounts> = serde_json::from_slice(&opened)
            .map_err(|_| VaultError::corrupted(manifest.path(), "its counts by user are none"))?;
        // A user who was erased since is not named.
        if !manifest.erased.is_empty() {
            for user in users.keys().cloned().collect::<Vec<_>>() {
                if manifest.erased.contains(&self.keys().id_hash(&user)?)
                    && let Some(counts) = users.remove(&user)
                {
                    users.entry(String::new()).or_default().add(&counts);
                }
            }
        }
        Ok(Some(users))
    }

    fn seal_users(
        &self,
        bound_to: &str,
        counts: ChangeCounts,
        users: BTreeMap<String, ChangeCounts>,
    ) -> Result<Changes> {
        let text = serde_json::to_vec(&users).map_err(|error| VaultError::internal(error.to_string()))?;
        let sealed_users = self.keys().seal_for_manifest(bound_to, &text)?;
        let users = sealed_users.is_none().then_some(users);
        Ok(Changes { counts: Some(counts), sealed_users, users })
    }

    /// What deltas come to, in all and by user; reads them again, and nothing else.
    async fn count_changes(&self, deltas: &[Part]) -> Result<(ChangeCounts, BTreeMap<String, ChangeCounts>)> {
        let refs = self.part_refs(deltas)?;
        let opener = self.opener(deltas.to_vec());
        let counted = tokio::task::spawn_blocking(move || {
            let mut history = History::new(refs, opener);
            let (mut counts, mut users) = (ChangeCounts::default(), BTreeMap::new());
            while let Some(net) = history.next()? {
                let Some(kind) = net.kind else { continue };
                counts.count(kind);
                count_user(&mut users, history.user(kind), kind);
            }
            Ok((counts, users))
        });
        counted.await.map_err(|error| VaultError::internal(error.to_string()))?.map_err(broken)
    }
}

fn count_user(users: &mut BTreeMap<String, ChangeCounts>, user: &str, kind: ChangeKind) {
    match users.get_mut(user) {
        Some(counts) => counts.count(kind),
        None => users.entry(user.to_owned()).or_default().count(kind),
    }
}
