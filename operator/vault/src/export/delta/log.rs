//! The log of a Delta table: what it says is there, and the next version of it.
//!
//! Of the protocol (`github.com/delta-io/delta/blob/master/PROTOCOL.md`) as much as readers of version 1 know: a file
//! `_delta_log/<version>.json` put once for each version, with actions in lines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;
use serde_json::{Value, json};

use crate::codec::key::key_of;
use crate::codec::kind::Kind;
use crate::export::{ExportError, Result};
use crate::storage::{Storage, StorageErrorKind};

/// Application that versions are numbered for in `txn`: the version there is the snapshot's number.
const APP: &str = "orgkeep";
/// Tag of a file: the Id from which on rows are in it; empty for the first.
const FROM: &str = "orgkeep.from";
/// Version of the protocol that a reader must know.
const READER: u64 = 1;
/// And a writer.
const WRITER: u64 = 2;

/// A file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Path in the table.
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) rows: u64,
    /// Least and greatest Id.
    pub(super) ids: Option<(String, String)>,
    /// The key from which on rows are in it; `None`: it is not ours.
    pub(super) from: Option<u128>,
}

/// What the log comes to.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The next version.
    pub(super) next: u64,
    /// The snapshot of the newest version.
    pub(super) snapshot: Option<u64>,
    /// The files that count, by path.
    pub(super) members: BTreeMap<String, Member>,
    /// The table's id, schema and configuration.
    pub(super) metadata: Option<Value>,
}

/// A version to be.
pub(super) struct Version<'a> {
    pub(super) snapshot: u64,
    /// Milliseconds since 1970 when the snapshot was complete.
    pub(super) time: i64,
    /// Another schema than before, or the first.
    pub(super) metadata: Option<Value>,
    /// Paths of files that no longer count.
    pub(super) removed: &'a BTreeSet<String>,
    pub(super) added: &'a [Member],
    /// Who and what, for people.
    pub(super) told: Value,
}

fn folder(table: &str) -> String {
    format!("{table}/_delta_log/")
}

fn path(table: &str, version: u64) -> String {
    format!("{}{version:020}.json", folder(table))
}

fn version_of(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?.strip_suffix(".json")?;
    if name.len() == 20 { name.parse().ok() } else { None }
}

impl Log {
    /// Reads the log of a table; one that is not there is empty.
    pub(super) async fn read(target: &Arc<dyn Storage>, table: &str) -> Result<Self> {
        let refused = |error| ExportError::target(target, error);
        let there = target.list(&folder(table)).map_ok(|entry| version_of(&entry.path));
        let there: Vec<Option<u64>> = there.try_collect().await.map_err(refused)?;
        let mut versions: Vec<u64> = there.into_iter().flatten().collect();
        versions.sort_unstable();
        let mut log = Self::default();
        for version in versions {
            if version != log.next {
                return Err(wrong(
                    table,
                    format!("version {} is not in its log; export to an empty place", log.next),
                ));
            }
            let bytes = target.get(&path(table, version)).await.map_err(refused)?;
            log.apply(table, &bytes)?;
            log.next += 1;
        }
        Ok(log)
    }

    /// Takes the actions of a version in.
    fn apply(&mut self, table: &str, bytes: &[u8]) -> Result<()> {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let action: Value = serde_json::from_slice(line)
                .map_err(|error| wrong(table, format!("version {} of its log: {error}", self.next)))?;
            if let Some(protocol) = action.get("protocol") {
                let needs = |name: &str| protocol.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX);
                if needs("minReaderVersion") > READER || needs("minWriterVersion") > WRITER {
                    return Err(wrong(
                        table,
                        "something else made it a table of a newer protocol; export to an empty place"
                            .to_owned(),
                    ));
                }
            }
            if let Some(metadata) = action.get("metaData") {
                self.metadata = Some(metadata.clone());
            }
            if let Some(txn) =
                action.get("txn").filter(|txn| txn.get("appId").and_then(Value::as_str) == Some(APP))
            {
                self.snapshot = txn.get("version").and_then(Value::as_u64);
            }
            if let Some(path) = action.pointer("/remove/path").and_then(Value::as_str) {
                self.members.remove(path);
            }
            if let Some(add) = action.get("add") {
                let member = member(add)
                    .ok_or_else(|| wrong(table, format!("version {} of its log names no file", self.next)))?;
                self.members.insert(member.path.clone(), member);
            }
        }
        Ok(())
    }

    /// A value of the table's configuration.
    pub(super) fn configured(&self, name: &str) -> Option<&str> {
        self.metadata.as_ref()?.get("configuration")?.get(name)?.as_str()
    }

    /// The schema as the log writes it.
    pub(super) fn schema(&self) -> Option<&str> {
        self.metadata.as_ref()?.get("schemaString")?.as_str()
    }

    /// The files with the keys from which on rows are in them, in their order; `None` if something else put files in.
    pub(super) fn ranges(&self) -> Option<Vec<(u128, &Member)>> {
        let mut ranges: Vec<(u128, &Member)> =
            self.members.values().map(|member| Some((member.from?, member))).collect::<Option<_>>()?;
        ranges.sort_by_key(|(from, _)| *from);
        if let Some(first) = ranges.first_mut() {
            first.0 = 0;
        }
        Some(ranges)
    }

    /// Makes a version of the table: all of it or nothing.
    pub(super) async fn commit(
        &mut self,
        target: &Arc<dyn Storage>,
        table: &str,
        version: &Version<'_>,
    ) -> Result<()> {
        let bytes = Bytes::from(version.lines(self.next == 0));
        let path = path(table, self.next);
        match target.put_if_absent(&path, bytes.clone()).await {
            Ok(()) => {}
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
                let there = target.get(&path).await.map_err(|error| ExportError::target(target, error))?;
                if there != bytes {
                    let why =
                        format!("something else wrote version {} at the same time; export again", self.next);
                    return Err(wrong(table, why));
                }
            }
            Err(error) => return Err(ExportError::target(target, error)),
        }
        self.apply(table, &bytes)?;
        self.next += 1;
        Ok(())
    }
}

impl Version<'_> {
    fn lines(&self, first: bool) -> String {
        let whole = self.metadata.is_some();
        let mode = if whole { "Overwrite" } else { "Append" };
        let mut actions = vec![json!({"commitInfo": {
            "timestamp": self.time,
            "operation": "WRITE",
            "operationParameters": {"mode": mode},
            "engineInfo": concat!("orgkeep/", env!("CARGO_PKG_VERSION")),
            "isBlindAppend": false,
            "userMetadata": self.told.to_string(),
            "orgkeepSnapshot": self.snapshot,
        }})];
        if first {
            actions.push(json!({"protocol": {"minReaderVersion": READER, "minWriterVersion": WRITER}}));
        }
        if let Some(metadata) = &self.metadata {
            actions.push(json!({"metaData": metadata}));
        }
        actions.push(json!({"txn": {"appId": APP, "version": self.snapshot, "lastUpdated": self.time}}));
        for path in self.removed {
            actions.push(json!({"remove": {
                "path": path, "deletionTimestamp": self.time, "dataChange": true, "partitionValues": {},
            }}));
        }
        for member in self.added {
            let mut stats = json!({"numRecords": member.rows});
            if let Some((least, greatest)) = &member.ids {
                stats["minValues"] = json!({"Id": least});
                stats["maxValues"] = json!({"Id": greatest});
                stats["nullCount"] = json!({"Id": 0});
            }
            let from =
                member.from.and_then(crate::codec::key::id_of).map_or(String::new(), |id| id.to_string());
            actions.push(json!({"add": {
                "path": member.path,
                "partitionValues": {},
                "size": member.size,
                "modificationTime": self.time,
                "dataChange": true,
                "stats": stats.to_string(),
                "tags": {FROM: from},
            }}));
        }
        actions.iter().map(|action| format!("{action}\n")).collect()
    }
}

fn member(add: &Value) -> Option<Member> {
    let path = add.get("path")?.as_str()?.to_owned();
    let stats: Value = add.get("stats").and_then(Value::as_str).and_then(|s| serde_json::from_str(s).ok())?;
    let from = add.pointer("/tags").and_then(|tags| tags.get(FROM)).and_then(Value::as_str);
    let from = from.and_then(|id| {
        if id.is_empty() { Some(0) } else { SalesforceId::parse(id).ok().map(|id| key_of(id.as_bytes())) }
    });
    // With a deletion vector there are fewer rows than the file has.
    let from = from.filter(|_| add.get("deletionVector").is_none_or(Value::is_null));
    let text = |at: &str| stats.pointer(at).and_then(Value::as_str).map(str::to_owned);
    Some(Member {
        path,
        size: add.get("size")?.as_u64()?,
        rows: stats.get("numRecords").and_then(Value::as_u64)?,
        ids: text("/minValues/Id").zip(text("/maxValues/Id")),
        from,
    })
}

/// The schema of a table with these fields of an object, and `_raw`, as the log writes it.
pub(super) fn schema_string(schema: &ObjectSchema, fields: &[String]) -> String {
    let mut columns: Vec<Value> = fields
        .iter()
        .filter_map(|name| schema.field(name))
        .map(|field| {
            let of = match Kind::of(field) {
                Kind::Text => "string".to_owned(),
                Kind::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
                Kind::Int => "integer".to_owned(),
                Kind::Long => "long".to_owned(),
                Kind::Boolean => "boolean".to_owned(),
                Kind::Date => "date".to_owned(),
                Kind::Instant => "timestamp".to_owned(),
            };
            json!({"name": field.name, "type": of, "nullable": true, "metadata": {}})
        })
        .collect();
    columns.push(json!({"name": "_raw", "type": "string", "nullable": true, "metadata": {}}));
    json!({"type": "struct", "fields": columns}).to_string()
}

pub(super) fn wrong(table: &str, why: String) -> ExportError {
    ExportError::Table { table: table.to_owned(), why }
}
