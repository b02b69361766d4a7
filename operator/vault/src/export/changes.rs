//! What changed between two states, with the rows as they are afterwards: chunk by chunk, in the order of the keys.

use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    new_null_array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_select::filter::filter_record_batch;
use orgkeep_core::schema::ObjectSchema;
use serde_json::Value;
use tokio::runtime::Handle;

use super::Result;
use super::error::ExportError;
use super::records::{RecordWriter, Style};
use super::table::TableWriter;
use crate::change::{ChangeKind, Comparison};
use crate::codec::CodecError;
use crate::codec::key::{id_of, key_of};
use crate::codec::kind::Kind;
use crate::manifest::FileRef;
use crate::read::{Batches, Keys, ReadError, Rows};
use crate::state::State;
use crate::vault::Vault;

/// Changes that are held at a time.
const CHUNK: usize = 32 << 10;
/// Columns of ours before the fields.
pub(super) const OWN: [&str; 3] = ["_op", "_snapshot", "_time"];

/// What changed from one state to another.
#[derive(Clone)]
pub(super) struct Changes {
    pub(super) object: String,
    /// The state before; `None`: there was none, and every row is new.
    pub(super) before: Option<FileRef>,
    pub(super) after: FileRef,
    /// The fields of all states that are exported, of the newest types.
    pub(super) schema: ObjectSchema,
    /// Fields that are wanted.
    pub(super) fields: Vec<String>,
    pub(super) snapshot: u64,
    /// RFC 3339.
    pub(super) time: String,
}

/// Some changes, by key.
enum Chunk {
    /// All rows are new.
    All,
    /// These.
    Some(Vec<(u128, ChangeKind)>),
}

impl Chunk {
    fn keys(&self) -> Option<Arc<[u128]>> {
        let Self::Some(changes) = self else { return None };
        Some(changes.iter().filter(|(_, kind)| *kind != ChangeKind::Deleted).map(|(key, _)| *key).collect())
    }

    /// What happened to a row; `None` if nothing did.
    fn kind(&self, key: u128) -> Option<ChangeKind> {
        match self {
            Self::All => Some(ChangeKind::Added),
            Self::Some(changes) => {
                let at = changes.binary_search_by_key(&key, |(known, _)| *known).ok()?;
                Some(changes[at].1)
            }
        }
    }

    fn gone(&self) -> impl Iterator<Item = u128> + '_ {
        let changes = match self {
            Self::All => &[][..],
            Self::Some(changes) => changes,
        };
        changes.iter().filter(|(_, kind)| *kind == ChangeKind::Deleted).map(|(key, _)| *key)
    }
}

fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Updated => "updated",
        ChangeKind::Recalculated => "recalculated",
        ChangeKind::Deleted => "deleted",
    }
}

impl Changes {
    /// Fields that the state has, of those that are wanted.
    fn present(&self, after: &State) -> Vec<String> {
        let has = |name: &&String| after.schema.columns().any(|field| field.name == **name);
        self.fields.iter().filter(has).cloned().collect()
    }

    /// The state afterwards, and how it differs from the one before.
    fn open(&self, vault: &Vault) -> Result<(State, Option<Comparison>)> {
        let runtime = Handle::current();
        let after = runtime.block_on(vault.read_state(&self.after))?;
        let Some(before) = &self.before else { return Ok((after, None)) };
        let before = runtime.block_on(vault.read_state(before))?;
        let comparison = vault.compare(&before, vault, &after)?;
        Ok((after, Some(comparison)))
    }

    /// The next changes; nothing at the end.
    fn chunk(comparison: &mut Option<Comparison>, begun: &mut bool) -> Result<Option<Chunk>> {
        let first = !std::mem::replace(begun, true);
        let Some(comparison) = comparison else { return Ok(first.then_some(Chunk::All)) };
        let mut changes = Vec::new();
        while changes.len() < CHUNK {
            let Some(difference) = comparison.next()? else { break };
            changes.push((key_of(difference.id.as_bytes()), difference.kind));
        }
        // A comparison goes from key to key; what is searched must be sorted.
        changes.sort_unstable_by_key(|(key, _)| *key);
        Ok((!changes.is_empty()).then_some(Chunk::Some(changes)))
    }

    fn read(&self, source: ReadError) -> ExportError {
        ExportError::Read { object: self.object.clone(), source }
    }

    /// Every row that a chunk names must have been found.
    fn found(&self, chunk: &Chunk, rows: u64) -> Result<()> {
        match chunk.keys() {
            Some(keys) if keys.len() as u64 != rows => Err(ExportError::Incomplete {
                object: self.object.clone(),
                rows,
                expected: keys.len() as u64,
            }),
            _ => Ok(()),
        }
    }

    /// Writes them as text; how many. Blocks.
    pub(super) fn records(&self, vault: &Vault, out: &mut impl Write, style: Style) -> Result<u64> {
        let (after, mut comparison) = self.open(vault)?;
        let present = self.present(&after);
        let mut to = RecordWriter::new(out, style, &self.fields, &present);
        to.head(&OWN).map_err(|source| self.read(source))?;
        let mut begun = false;
        let mut all = 0;
        while let Some(chunk) = Self::chunk(&mut comparison, &mut begun)? {
            let keys = chunk.keys();
            let nothing = keys.as_ref().is_some_and(|keys| keys.is_empty());
            let keys = keys.map_or(Keys::All, Keys::Near);
            if !nothing {
                let parts = vault.part_refs(&after.parts)?;
                let opener = vault.opener(after.parts.clone());
                let mut rows = Rows::of(&after.schema, Some(&present), keys, parts, opener)
                    .map_err(|source| self.read(source))?;
                let mut found = 0;
                while let Some(row) = rows.next().map_err(|source| self.read(source))? {
                    let Some(kind) = chunk.kind(key_of(row.id().as_bytes())) else { continue };
                    if kind != ChangeKind::Deleted {
                        to.row(&self.own(kind), &row).map_err(|source| self.read(source))?;
                        found += 1;
                    }
                }
                self.found(&chunk, found)?;
                if matches!(chunk, Chunk::All) && found != after.rows {
                    let object = self.object.clone();
                    return Err(ExportError::Incomplete { object, rows: found, expected: after.rows });
                }
                all += found;
            }
            for id in chunk.gone().filter_map(id_of) {
                to.gone(&self.own(ChangeKind::Deleted), id.as_str()).map_err(|source| self.read(source))?;
                all += 1;
            }
        }
        to.finish().map_err(|source| self.read(source))?;
        Ok(all)
    }

    fn own(&self, kind: ChangeKind) -> [(&'static str, Value); 3] {
        let values = [Value::from(word(kind)), Value::from(self.snapshot), Value::from(self.time.as_str())];
        let [op, snapshot, time] = values;
        [(OWN[0], op), (OWN[1], snapshot), (OWN[2], time)]
    }

    /// Columns of [`Self::batches`].
    pub(super) fn arrow(&self) -> SchemaRef {
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let types = [DataType::Utf8, DataType::Int64, time];
        let mut columns: Vec<Field> =
            OWN.iter().zip(types).map(|(name, of)| Field::new(*name, of, true)).collect();
        for name in &self.fields {
            let kind = self.schema.field(name).map_or(Kind::Text, Kind::of);
            columns.push(Field::new(name, kind.data_type(), true));
        }
        columns.push(Field::new("_raw", DataType::Utf8, true));
        Arc::new(Schema::new(columns))
    }

    /// Writes them as batches. Blocks.
    pub(super) fn batches(&self, vault: &Vault, to: &mut TableWriter) -> Result<()> {
        let encode = |source: CodecError| ExportError::Encode { object: self.object.clone(), source };
        let schema = self.arrow();
        let (after, mut comparison) = self.open(vault)?;
        let present = self.present(&after);
        let mut columns: Vec<Field> = present
            .iter()
            .map(|name| {
                Field::new(name, self.schema.field(name).map_or(Kind::Text, Kind::of).data_type(), true)
            })
            .collect();
        columns.push(Field::new("_raw", DataType::Utf8, true));
        let mut begun = false;
        while let Some(chunk) = Self::chunk(&mut comparison, &mut begun)? {
            let keys = chunk.keys();
            let nothing = keys.as_ref().is_some_and(|keys| keys.is_empty());
            let keys = keys.map_or(Keys::All, Keys::Near);
            if !nothing {
                let parts = vault.part_refs(&after.parts)?;
                let opener = vault.opener(after.parts.clone());
                let mut batches = Batches::with(columns.clone(), &self.schema, keys, parts, opener);
                let mut found = 0;
                while let Some(batch) = batches.next().map_err(|source| self.read(source))? {
                    let batch = self.with_kinds(&batch, &chunk, &schema).map_err(encode)?;
                    found += batch.num_rows() as u64;
                    to.write(&batch).map_err(encode)?;
                }
                self.found(&chunk, found)?;
                if matches!(chunk, Chunk::All) && found != after.rows {
                    let object = self.object.clone();
                    return Err(ExportError::Incomplete { object, rows: found, expected: after.rows });
                }
            }
            let gone: Vec<String> = chunk.gone().filter_map(id_of).map(|id| id.to_string()).collect();
            if !gone.is_empty() {
                let ids: ArrayRef = Arc::new(StringArray::from_iter_values(gone));
                let ops = vec![word(ChangeKind::Deleted); ids.len()];
                let id = |name: &str| (name == "Id").then(|| Arc::clone(&ids));
                to.write(&self.batch(&ops, &schema, id).map_err(encode)?).map_err(encode)?;
            }
        }
        Ok(())
    }

    /// Rows of a batch that a chunk names, with what happened to them.
    fn with_kinds(
        &self,
        batch: &RecordBatch,
        chunk: &Chunk,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, CodecError> {
        let ids = batch
            .column_by_name("Id")
            .and_then(|ids| ids.as_string_opt::<i32>())
            .ok_or_else(|| CodecError::Format("Id is no text".into()))?;
        let kinds: Vec<Option<ChangeKind>> = (0..ids.len())
            .map(|row| chunk.kind(key_of(ids.value(row).as_bytes())).filter(|k| *k != ChangeKind::Deleted))
            .collect();
        let named: BooleanArray = kinds.iter().map(|kind| Some(kind.is_some())).collect();
        let batch = filter_record_batch(batch, &named)?;
        let ops: Vec<&str> = kinds.into_iter().flatten().map(word).collect();
        self.batch(&ops, schema, |name| batch.column_by_name(name).cloned())
    }

    /// A batch of these rows; columns that `column` does not give are null.
    fn batch(
        &self,
        ops: &[&str],
        schema: &SchemaRef,
        column: impl Fn(&str) -> Option<ArrayRef>,
    ) -> Result<RecordBatch, CodecError> {
        let time = self.time.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond);
        let time = time.map_err(|error| CodecError::Format(format!("the snapshot's time: {error}")))?;
        let snapshot = i64::try_from(self.snapshot).unwrap_or(i64::MAX);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(ops.to_vec())),
            Arc::new(Int64Array::from(vec![snapshot; ops.len()])),
            Arc::new(TimestampMillisecondArray::from(vec![time; ops.len()]).with_timezone("UTC")),
        ];
        for field in schema.fields().iter().skip(OWN.len()) {
            columns
                .push(column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), ops.len())));
        }
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }
}
