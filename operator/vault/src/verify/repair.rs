//! Repair: builds anew what follows from something else in the vault, and says of the rest what is lost with it.
//!
//! Rebuilt are lists of files (from the tree that they are of), indexes (from their rows), states (from the journal of their run and a schema of the same digest, and only if the bytes come to the
//! digest that the signed manifest names), the documents of lines (from their newest manifest), leases and sweep
//! counts. Parts and manifests exist once: their snapshots are told.

use std::collections::BTreeSet;

use orgkeep_core::schema::ObjectSchema;
use serde::Serialize;
use serde_json::Value;

use super::lines::is_finding;
use super::{Options, Problem, verify};
use crate::attempt::schema_digest;
use crate::canonical;
use crate::change::inherit;
use crate::digest;
use crate::error::Result;
use crate::layout::{self, FORMAT_VERSION};
use crate::line::Line;
use crate::manifest::{FileRef, Manifest, ObjectEntry};
use crate::state::{Part, PartKind, State};
use crate::vault::Vault;

/// A file that was put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuilt {
    /// The file.
    pub file: String,
    /// From what.
    pub from: String,
}

/// A file that cannot be put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
    /// Snapshots that rest on it, `<line>/<id>`.
    pub snapshots: Vec<String>,
    /// Objects of these snapshots that cannot be read in full; empty where that cannot be told.
    pub objects: Vec<String>,
}

/// What a repair did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// What was put right.
    pub rebuilt: Vec<Rebuilt>,
    /// What was not.
    pub lost: Vec<Lost>,
}

/// Repairs what a verification finds; the vault must be open for writing.
pub async fn repair(vault: &Vault, options: &Options) -> Result<Repair> {
    vault.check_writable()?;
    let mut done = Repair::default();
    // What a document hid comes to light once it is there again.
    for _ in 0..4 {
        done.lost.clear();
        let rebuilt = done.rebuilt.len();
        for problem in verify(vault, options).await?.problems {
            // the same file, told for another snapshot
            if done.rebuilt.iter().skip(rebuilt).any(|known| known.file == problem.file) {
                continue;
            }
            match rebuild(vault, &problem).await? {
                Some(from) => done.rebuilt.push(Rebuilt { file: problem.file, from }),
                None => {
                    let objects = objects(vault, &problem).await?;
                    let Problem { file, snapshots, problem } = problem;
                    done.lost.push(Lost { file, problem, snapshots, objects });
                }
            }
        }
        if done.rebuilt.len() == rebuilt {
            break;
        }
    }
    Ok(done)
}

/// From what a file was built anew; `None` if it was not.
async fn rebuild(vault: &Vault, problem: &Problem) -> Result<Option<String>> {
    let path = problem.file.as_str();
    let steps: Vec<&str> = path.split('/').collect();
    match steps.as_slice() {
        ["lines", line, "line.json"] => rebuild_line(vault, line).await,
        ["lines", _, "lease.json"] => {
            vault.storage().delete_mutable(path).await?;
            Ok(Some("nothing: a lease that cannot be read is held by nobody".to_owned()))
        }
        ["lines", line, "epoch.json"] => {
            vault.storage().delete_mutable(path).await?;
            vault.put_epoch(line).await?;
            Ok(Some("nothing: sweeps are counted anew".to_owned()))
        }
        ["lines", line, "runs", run, ..] => {
            let over = vault.line(line).await?.run(run)?.committed().await?.is_some();
            if over {
                vault.storage().delete(path).await?;
            }
            Ok(over.then(|| "nothing: the run is over, and its journal not needed".to_owned()))
        }
        ["lines", line, "blobs", "lists", _] => rebuild_list(vault, line, path).await,
        ["lines", line, "objects", object, attempt, "state.json"] => {
            rebuild_state(vault, line, object, attempt, path).await
        }
        ["lines", line, "objects", object, _, file] if file.strip_suffix(".terms").is_some() => {
            rebuild_index(vault, line, object, path).await
        }
        _ => Ok(None),
    }
}

/// An index of words, from the rows that it is of.
async fn rebuild_index(vault: &Vault, line: &str, object: &str, path: &str) -> Result<Option<String>> {
    let line = vault.line(line).await?;
    for seq in line.numbers().await?.into_iter().rev() {
        let Ok(manifest) = line.read_number(seq).await else { continue };
        if !manifest.files.iter().any(|file| file.path == path) {
            continue;
        }
        let Ok(state) = vault.state(&manifest, object).await else { continue };
        let is_its = |part: &&Part| part.index.as_ref().is_some_and(|index| index.path == path);
        let Some(part) = state.parts.iter().find(is_its) else { continue };
        return match vault.put_index_again(part).await {
            Ok(true) => Ok(Some("the rows that it is of".to_owned())),
            Ok(false) => Ok(None),
            Err(error) if is_finding(&error) => Ok(None),
            Err(error) => Err(error),
        };
    }
    Ok(None)
}

async fn rebuild_line(vault: &Vault, line: &str) -> Result<Option<String>> {
    let mut newest = None;
    for seq in vault.seqs(line).await?.into_iter().rev() {
        if let Ok(manifest) = vault.manifest_at(line, seq).await
            && !manifest.is_void()
        {
            newest = Some(manifest);
            break;
        }
    }
    let Some(newest) = newest else { return Ok(None) };
    vault.put_line_again(line, &newest).await?;
    Ok(Some(format!("manifest {}", newest.seq)))
}

/// A list of files, from the tree that it is of.
async fn rebuild_list(vault: &Vault, line: &str, path: &str) -> Result<Option<String>> {
    let line = vault.line(line).await?;
    for seq in line.numbers().await?.into_iter().rev() {
        let Ok(manifest) = line.read_number(seq).await else { continue };
        let Some(tree) = manifest.trees.iter().find(|tree| tree.list.path == path) else { continue };
        if vault.tree(&tree.tree).await.is_ok() && line.put_list_again(tree).await? {
            return Ok(Some(format!("the tree {:?} of snapshot {seq}", tree.name)));
        }
    }
    Ok(None)
}

async fn rebuild_state(
    vault: &Vault,
    line: &str,
    object: &str,
    attempt: &str,
    path: &str,
) -> Result<Option<String>> {
    let Some((run, number)) = attempt.rsplit_once('.') else { return Ok(None) };
    let Ok(number) = number.parse::<u32>() else { return Ok(None) };
    let line = vault.line(line).await?;
    let mut manifests = Vec::new();
    for seq in line.numbers().await? {
        manifests.extend(line.read_number(seq).await.ok().filter(|manifest| !manifest.is_void()));
    }
    let named = |manifest: &&Manifest| {
        let entry = manifest.object(object)?;
        (entry.state.as_ref()?.path == path).then(|| (entry.clone(), manifest.seq))
    };
    let Some((entry, seq)) = manifests.iter().find_map(|manifest| named(&manifest)) else { return Ok(None) };
    let Some(wanted) = entry.state.clone() else { return Ok(None) };
    let Some(record) = line.run(run)?.shard(object).await.ok().flatten() else { return Ok(None) };
    let Some(schema) = find_schema(vault, &line, &manifests, run, &entry).await? else { return Ok(None) };
    let state = State {
        format_version: FORMAT_VERSION,
        kind: "state".to_owned(),
        vault_id: vault.id().to_owned(),
        line_id: line.id().to_owned(),
        object: object.to_owned(),
        run_id: run.to_owned(),
        attempt: number,
        rows: entry.records,
        schema_digest: entry.schema_digest.clone(),
        schema,
        former_schemas: std::collections::BTreeMap::default(),
        parts: record.parts.clone(),
        file: FileRef::default(),
    };
    let mut candidates = vec![state.clone()];
    // A delta: its parent's parts come first.
    let before = manifests.iter().rev().find(|manifest| manifest.seq < seq);
    if let Some(before) = before
        && let Ok(parent) = vault.state(before, object).await
    {
        let (mut parts, former_schemas) = inherit(&parent, &entry.schema_digest);
        parts.extend(record.parts.iter().map(|part| Part { kind: PartKind::Delta, ..part.clone() }));
        candidates.push(State { former_schemas, parts, ..state });
    }
    for candidate in candidates {
        let bytes = canonical::to_vec(&candidate)?;
        if digest::sha256(&bytes) == wanted.sha256 {
            vault.storage().delete(path).await?;
            vault.put_once(path, bytes.into()).await?;
            return Ok(Some(format!("the journal of run {run}")));
        }
    }
    Ok(None)
}

/// A schema of the entry's digest: in another state of the object, or in the plan of a run.
async fn find_schema(
    vault: &Vault,
    line: &Line,
    manifests: &[Manifest],
    run: &str,
    entry: &ObjectEntry,
) -> Result<Option<ObjectSchema>> {
    let mut seen: BTreeSet<&FileRef> = BTreeSet::new();
    for manifest in manifests {
        let Some(file) = manifest.object(&entry.name).and_then(|entry| entry.state.as_ref()) else {
            continue;
        };
        if !seen.insert(file) {
            continue;
        }
        let Ok(state) = vault.read_state(file).await else { continue };
        let schemas = [state.schema].into_iter().chain(state.former_schemas.into_values());
        for schema in schemas {
            if schema_digest(&schema)? == entry.schema_digest {
                return Ok(Some(schema));
            }
        }
    }
    let runs: BTreeSet<&str> =
        manifests.iter().map(|manifest| manifest.run_id.as_str()).chain([run]).collect();
    for run in runs {
        let plan: Option<Value> = line.run(run)?.plan().await.ok().flatten();
        if let Some(schema) = plan.and_then(|plan| schema_within(&plan, &entry.schema_digest)) {
            return Ok(Some(schema));
        }
    }
    Ok(None)
}

/// A schema of that digest anywhere in a document.
fn schema_within(value: &Value, wanted: &str) -> Option<ObjectSchema> {
    match value {
        Value::Object(members) => {
            if members.contains_key("fields")
                && let Ok(schema) = serde_json::from_value::<ObjectSchema>(value.clone())
                && schema_digest(&schema).is_ok_and(|digest| digest == wanted)
            {
                return Some(schema);
            }
            members.values().find_map(|value| schema_within(value, wanted))
        }
        Value::Array(values) => values.iter().find_map(|value| schema_within(value, wanted)),
        _ => None,
    }
}

/// Objects that rest on the file in the snapshots that it touches.
async fn objects(vault: &Vault, problem: &Problem) -> Result<Vec<String>> {
    if let Some(object) = problem.file.split('/').skip_while(|step| *step != "objects").nth(1) {
        return Ok(vec![object.to_owned()]);
    }
    // a blob is of no object; trees are not told, since a lost one cannot be read
    if problem.file.contains("/blobs/") {
        return Ok(Vec::new());
    }
    let mut objects = BTreeSet::new();
    for snapshot in &problem.snapshots {
        if let Ok(manifest) = vault.find_snapshot(snapshot).await {
            objects.extend(manifest.objects.into_iter().map(|entry| entry.name));
        }
    }
    Ok(objects.into_iter().collect())
}

impl Vault {
    /// Numbers that are taken in a line, lowest first, though its document be lost.
    async fn seqs(&self, line: &str) -> Result<Vec<u64>> {
        use futures::TryStreamExt as _;
        let mut seqs: Vec<u64> = self
            .storage()
            .list(&layout::snapshots(line))
            .try_filter_map(|entry| async move { Ok(layout::seq_of(&entry.path)) })
            .try_collect()
            .await?;
        seqs.sort_unstable();
        Ok(seqs)
    }

    async fn manifest_at(&self, line: &str, seq: u64) -> Result<Manifest> {
        let bytes = self.storage().get(&layout::snapshot(line, seq)).await?;
        Manifest::read(&bytes, self.id(), line, seq, self.signing_key())
    }
}
