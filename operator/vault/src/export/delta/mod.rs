//! Delta Lake tables: one for each object, in which each snapshot that changed it is a version.
//!
//! A version replaces the files whose ranges of keys hold a change, and leaves the others ("copy on write"): the one
//! way that every reader of Delta Lake opens. The version says which snapshot it is (`txn` for programs, `userMetadata`
//! for people), so that exporting again adds only what is new, and an export that was cut goes on.

mod log;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use orgkeep_core::schema::ObjectSchema;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::timeline::{Moment, Timeline};
use super::{ExportError, Exported, Options, Result, pick};
use crate::change::ChangeKind;
use crate::codec::key::key_of;
use crate::keys::envelope::random;
use crate::manifest::Manifest;
use crate::read::rows::has_id;
use crate::state::State;
use crate::storage::Storage;
use crate::vault::Vault;
use log::{Log, Version, wrong};
use write::{Place, Span};

/// A range that has grown to more than this many hundredths of what a file should hold is cut.
const GROWN: u64 = 150;

/// One export: what all tables share.
struct Tables<'a> {
    vault: &'a Vault,
    manifest: &'a Manifest,
    target: &'a Arc<dyn Storage>,
    options: &'a Options,
}

/// Exports the history of objects up to a snapshot, or what their tables lack of it.
pub(super) async fn export(
    vault: &Vault,
    manifest: &Manifest,
    target: &Arc<dyn Storage>,
    options: &Options,
    told: impl Fn(&Exported),
) -> Result<Exported> {
    let line = vault.line(&manifest.line_id).await?;
    let timeline = Timeline::read(&line, manifest.seq).await?;
    let tables = Tables { vault, manifest, target, options };
    let mut done = Exported::default();
    for entry in pick::objects(manifest, &options.objects)? {
        let moments = timeline.of(&entry.name);
        if moments.is_empty() || !tables.table(&entry.name, moments, &mut done, &told).await? {
            done.missing += 1;
        } else {
            done.objects += 1;
        }
        told(&done);
    }
    Ok(done)
}

/// What a new version is made of.
struct Step {
    /// Files that no longer count.
    removed: BTreeSet<String>,
    spans: Vec<Span>,
    /// Rows of the table before that stay.
    kept: u64,
    /// Whether all is written anew.
    whole: bool,
}

impl Tables<'_> {
    /// Brings a table up to the last of these moments; false if it has none of the fields.
    async fn table(
        &self,
        object: &str,
        moments: &[Moment],
        done: &mut Exported,
        told: &impl Fn(&Exported),
    ) -> Result<bool> {
        let mut log = Log::read(self.target, object).await?;
        self.is_ours(object, &log)?;
        let known = log.snapshot.unwrap_or(0);
        let mut before = match moments.iter().rev().find(|moment| moment.seq <= known) {
            Some(moment) if log.next > 0 => Some(self.vault.read_state(&moment.state).await?),
            _ => None,
        };
        done.present += log.next;
        for moment in moments.iter().filter(|moment| moment.seq > known) {
            let state = self.vault.read_state(&moment.state).await?;
            let Some(fields) = pick::columns(&state.schema, &self.options.fields) else { return Ok(false) };
            let schema = log::schema_string(&state.schema, &fields);
            let same = log.schema() == Some(&*schema);
            let step = self.step(&log, before.take().filter(|_| same), &state).await?;
            if !step.whole && step.removed.is_empty() && step.spans.is_empty() {
                before = Some(state);
                continue;
            }
            let place =
                Place { target: Arc::clone(self.target), table: object.to_owned(), version: log.next };
            let (vault, writing) = (self.vault.clone(), state.clone());
            let (spans, names, runtime) = (step.spans, fields, Handle::current());
            let written = tokio::task::spawn_blocking(move || {
                write::write(&vault, &writing, &names, &spans, &place, &runtime)
            });
            let added = written.await.map_err(|error| ExportError::Internal(error.to_string()))??;
            let rows = step.kept + added.iter().map(|member| member.rows).sum::<u64>();
            // A version is what the snapshot says it holds, or there is none.
            if rows != state.rows {
                return Err(ExportError::Incomplete {
                    object: object.to_owned(),
                    rows,
                    expected: state.rows,
                });
            }
            let version = Version {
                snapshot: moment.seq,
                time: millis(&moment.time)?,
                metadata: if same {
                    None
                } else {
                    Some(self.metadata(&log, &state.schema, schema, &moment.time)?)
                },
                removed: &step.removed,
                added: &added,
                told: json!({
                    "vault": self.vault.id(), "line": self.manifest.line_id, "snapshot": moment.seq,
                    "time": moment.time,
                }),
            };
            log.commit(self.target, object, &version).await?;
            done.versions += 1;
            done.files += added.len() as u64;
            done.rows += added.iter().map(|member| member.rows).sum::<u64>();
            done.bytes += added.iter().map(|member| member.size).sum::<u64>();
            told(done);
            before = Some(state);
        }
        Ok(true)
    }

    /// Refuses a table of something else.
    fn is_ours(&self, object: &str, log: &Log) -> Result<()> {
        if log.next == 0 {
            return Ok(());
        }
        for (name, value) in self.configuration(object) {
            if log.configured(name) != Some(&*value) {
                let why = format!("its {name} is not {value:?}; export to an empty place");
                return Err(wrong(object, why));
            }
        }
        Ok(())
    }

    fn configuration(&self, object: &str) -> [(&'static str, String); 4] {
        [
            ("orgkeep.vault", self.vault.id().to_owned()),
            ("orgkeep.line", self.manifest.line_id.clone()),
            ("orgkeep.object", object.to_owned()),
            ("orgkeep.fields", self.options.fields.join(",")),
        ]
    }

    fn metadata(&self, log: &Log, schema: &ObjectSchema, columns: String, time: &str) -> Result<Value> {
        let id = match log.metadata.as_ref().and_then(|metadata| metadata.get("id")).and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => uuid()?,
        };
        let configuration: serde_json::Map<String, Value> =
            self.configuration(&schema.name).into_iter().map(|(n, v)| (n.to_owned(), v.into())).collect();
        Ok(json!({
            "id": id,
            "name": schema.name,
            "description": schema.label,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": columns,
            "partitionColumns": [],
            "configuration": configuration,
            "createdTime": millis(time)?,
        }))
    }

    /// What the next version is made of. Without a state before all is written anew.
    async fn step(&self, log: &Log, before: Option<State>, state: &State) -> Result<Step> {
        let per_file = self.options.rows_per_file;
        let whole = || Step {
            removed: log.members.keys().cloned().collect(),
            spans: vec![Span { from: 0, to: u128::MAX, rows: per_file }],
            kept: 0,
            whole: true,
        };
        let (Some(before), Some(ranges)) = (before, log.ranges()) else { return Ok(whole()) };
        if !has_id(&state.schema) {
            return Ok(whole());
        }
        let starts: Vec<u128> = ranges.iter().map(|(from, _)| *from).collect();
        let (vault, after) = (self.vault.clone(), state.clone());
        let runtime = Handle::current();
        let counted = tokio::task::spawn_blocking(move || -> Result<Vec<Change>> {
            let _in_runtime = runtime.enter();
            let mut comparison = vault.compare(&before, &vault, &after)?;
            let mut changes = vec![Change::default(); starts.len().max(1)];
            while let Some(difference) = comparison.next()? {
                let key = key_of(difference.id.as_bytes());
                let at = starts.partition_point(|start| *start <= key).saturating_sub(1);
                changes[at].touched = true;
                match difference.kind {
                    ChangeKind::Added => changes[at].added += 1,
                    ChangeKind::Deleted => changes[at].deleted += 1,
                    ChangeKind::Updated | ChangeKind::Recalculated => {}
                }
            }
            Ok(changes)
        });
        let changes = counted.await.map_err(|error| ExportError::Internal(error.to_string()))??;
        let mut step = Step { removed: BTreeSet::new(), spans: Vec::new(), kept: 0, whole: false };
        let mut expected = 0;
        for (at, change) in changes.iter().enumerate() {
            let range = ranges.get(at);
            let rows = range.map_or(0, |(_, member)| member.rows);
            if !change.touched {
                step.kept += rows;
                expected += rows;
                continue;
            }
            let rows = (rows + change.added).saturating_sub(change.deleted);
            expected += rows;
            step.removed.extend(range.map(|(_, member)| member.path.clone()));
            let from = range.map_or(0, |(from, _)| *from);
            let to = ranges.get(at + 1).map_or(u128::MAX, |(next, _)| *next);
            step.spans.push(Span { from, to, rows: rows_of_a_file(rows, per_file) });
        }
        // The history was changed under the table (records were erased), or something else wrote to it.
        if expected != state.rows {
            return Ok(whole());
        }
        Ok(step)
    }
}

/// What happened in a range of keys.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    touched: bool,
    added: u64,
    deleted: u64,
}

/// Rows of each file that a range of so many becomes: one file, unless it has grown too far; then equal ones.
fn rows_of_a_file(rows: u64, per_file: u64) -> u64 {
    if rows <= per_file.saturating_mul(GROWN) / 100 {
        return rows.max(1);
    }
    rows.div_ceil(rows.div_ceil(per_file))
}

/// Milliseconds since 1970.
fn millis(time: &str) -> Result<i64> {
    let time: jiff::Timestamp =
        time.parse().map_err(|error| ExportError::Internal(format!("the snapshot's time: {error}")))?;
    Ok(time.as_millisecond())
}

/// A random id in the form that tables have.
fn uuid() -> Result<String> {
    let mut bytes = random::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_when_it_has_grown() {
        for (rows, per_file, expected) in
            [(0, 100, 1), (90, 100, 90), (150, 100, 150), (151, 100, 76), (1000, 100, 100), (1001, 100, 91)]
        {
            assert_eq!(rows_of_a_file(rows, per_file), expected);
        }
    }
}
