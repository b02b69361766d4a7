//! The files of a version: ranges of keys, written anew.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use tokio::runtime::Handle;

use super::log::Member;
use crate::codec::CodecError;
use crate::codec::key::key_of;
use crate::export::sink::Sink;
use crate::export::table::TableWriter;
use crate::export::{ExportError, Result};
use crate::keys::envelope::random;
use crate::manifest::FileRef;
use crate::read::Keys;
use crate::state::State;
use crate::storage::Storage;
use crate::vault::{Vault, compare_digest};

/// Rows of some keys, for files of so many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// From this key on.
    pub(super) from: u128,
    /// Up to but without this one; `u128::MAX`: to the last.
    pub(super) to: u128,
    /// Rows of a file.
    pub(super) rows: u64,
}

/// Where files go.
pub(super) struct Place {
    pub(super) target: Arc<dyn Storage>,
    /// Folder of the table.
    pub(super) table: String,
    /// The version that they are for.
    pub(super) version: u64,
}

/// A file that is being written.
struct Open {
    path: String,
    writer: TableWriter,
    from: u128,
    ids: Option<(String, String)>,
    failed: crate::export::sink::Failure,
}

/// Writes the rows of these keys. Blocks.
pub(super) fn write(
    vault: &Vault,
    state: &State,
    fields: &[String],
    spans: &[Span],
    place: &Place,
    runtime: &Handle,
) -> Result<Vec<Member>> {
    let token = hex::encode(random::<4>()?);
    let object = &state.object;
    let mut members = Vec::new();
    for span in spans {
        let all = (span.from, span.to) == (0, u128::MAX);
        let keys = if all { Keys::All } else { Keys::Range(span.from, span.to) };
        let mut batches = vault.batches(state, Some(fields), keys)?;
        let schema = micros_schema(batches.schema());
        let mut open: Option<Open> = None;
        loop {
            let batch =
                batches.next().map_err(|source| ExportError::Read { object: object.clone(), source })?;
            let Some(batch) = batch else { break };
            let mut rest = micros(&batch, &schema).map_err(|source| encode(object, source))?;
            while rest.num_rows() > 0 {
                if open.as_ref().is_some_and(|open| open.writer.rows() >= span.rows)
                    && let Some(full) = open.take()
                {
                    members.push(end(full, place, object, runtime)?);
                }
                let current = match &mut open {
                    Some(current) => current,
                    none => {
                        let from =
                            if members.is_empty() && span.from == 0 { 0 } else { first(&rest, span.from) };
                        let number = members.len() + 1;
                        let path = format!("part-{:06}-{number:05}-{token}.parquet", place.version);
                        let full = format!("{}/{path}", place.table);
                        let sink = runtime.block_on(Sink::begin(&place.target, &full))?;
                        let failed = sink.failure();
                        let writer =
                            TableWriter::new(sink, &schema, None).map_err(|source| encode(object, source))?;
                        none.insert(Open { path, writer, from, ids: None, failed })
                    }
                };
                let room = usize::try_from(span.rows - current.writer.rows()).unwrap_or(usize::MAX);
                let many = room.min(rest.num_rows());
                let rows = rest.slice(0, many);
                rest = rest.slice(many, rest.num_rows() - many);
                note(&rows, &mut current.ids);
                if let Err(source) = current.writer.write(&rows) {
                    return Err(current.failed.told(&place.target).unwrap_or(encode(object, source)));
                }
            }
        }
        if let Some(last) = open {
            members.push(end(last, place, object, runtime)?);
        }
    }
    Ok(members)
}

fn encode(object: &str, source: CodecError) -> ExportError {
    ExportError::Encode { object: object.to_owned(), source }
}

/// Ends a file.
fn end(open: Open, place: &Place, object: &str, runtime: &Handle) -> Result<Member> {
    let Open { path, writer, from, ids, failed } = open;
    let rows = writer.rows();
    let sink = match writer.finish() {
        Ok(sink) => sink,
        Err(source) => return Err(failed.told(&place.target).unwrap_or(encode(object, source))),
    };
    let stored =
        runtime.block_on(sink.finish()).map_err(|error| ExportError::target(&place.target, error))?;
    if !stored.compared {
        let full = format!("{}/{path}", place.table);
        let file = FileRef { path: full.clone(), size: stored.size, sha256: stored.sha256 };
        if let Some(why) = runtime.block_on(compare_digest(&place.target, &file))? {
            return Err(ExportError::Altered { path: full, why });
        }
    }
    Ok(Member { path, size: stored.size, rows, ids, from: Some(from) })
}

fn ids(rows: &RecordBatch) -> Option<&arrow_array::StringArray> {
    rows.column_by_name("Id")?.as_string_opt::<i32>().filter(|ids| !ids.is_empty())
}

/// Key of the first row.
fn first(rows: &RecordBatch, otherwise: u128) -> u128 {
    ids(rows).map_or(otherwise, |ids| key_of(ids.value(0).as_bytes()))
}

fn note(rows: &RecordBatch, known: &mut Option<(String, String)>) {
    let Some(ids) = ids(rows) else { return };
    let last = ids.value(ids.len() - 1).to_owned();
    match known {
        Some((_, greatest)) => *greatest = last,
        None => *known = Some((ids.value(0).to_owned(), last)),
    }
}

/// Delta Lake's instants are in microseconds.
fn micros_schema(schema: &SchemaRef) -> SchemaRef {
    let column = |field: &Arc<Field>| match field.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            Field::new(field.name(), DataType::Timestamp(TimeUnit::Microsecond, zone.clone()), true)
        }
        _ => field.as_ref().clone(),
    };
    Arc::new(Schema::new(schema.fields().iter().map(column).collect::<Vec<_>>()))
}

fn micros(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, CodecError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for column in batch.columns() {
        columns.push(match column.as_primitive_opt::<TimestampMillisecondType>() {
            Some(millis) => {
                let micros: TimestampMicrosecondArray = millis.try_unary(|value: i64| {
                    value
                        .checked_mul(1000)
                        .ok_or_else(|| ArrowError::ComputeError("an instant too far".into()))
                })?;
                Arc::new(micros.with_timezone("UTC"))
            }
            None => Arc::clone(column),
        });
    }
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
