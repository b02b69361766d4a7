//! Parts of rows that are typed and hashed already: what compaction writes.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::error::CodecError;
use super::kind::Column;
use super::part::{Part, PartFacts, PartKey, Settings};
use super::writer::{META_DELETES, properties};
use crate::search::Builder;

/// Takes finished parts.
type Ready<'a> = &'a mut dyn FnMut(Part) -> Result<(), CodecError>;

/// Writes batches, sorted by Id, into parts of a bounded size.
pub(crate) struct MergedWriter {
    schema: SchemaRef,
    properties: WriterProperties,
    settings: Settings,
    most_bytes: u64,
    open: Option<Open>,
}

/// A file that is being written.
struct Open {
    writer: ArrowWriter<Vec<u8>>,
    facts: PartFacts,
    index: Option<Builder>,
}

impl MergedWriter {
    /// A writer of files with these columns, each of about so many bytes at most.
    pub(crate) fn new(
        object: &ObjectSchema,
        schema: SchemaRef,
        key: Option<&PartKey>,
        settings: Settings,
        most_bytes: u64,
    ) -> Result<Self, CodecError> {
        let columns: Vec<Column> = object.columns().map(Column::of).collect();
        let properties = properties(object, &columns, key, settings.zstd_level)?;
        Ok(Self { schema, properties, settings, most_bytes, open: None })
    }

    /// More rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch, ready: Ready<'_>) -> Result<(), CodecError> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let Open { writer, facts, index } = match &mut self.open {
                Some(open) => open,
                none => {
                    let options = ArrowWriterOptions::new()
                        .with_properties(self.properties.clone())
                        .with_skip_arrow_metadata(true);
                    let writer = ArrowWriter::try_new_with_options(Vec::new(), self.schema.clone(), options)?;
                    let index = self.settings.index_from.map(|_| Builder::new());
                    none.insert(Open { writer, facts: PartFacts::default(), index })
                }
            };
            let room = self.settings.group_rows - writer.in_progress_rows();
            let many = room.min(rest.num_rows());
            let rows = rest.slice(0, many);
            rest = rest.slice(many, rest.num_rows() - many);
            note(&rows, facts)?;
            if let Some(index) = index {
                index.add(&rows)?;
            }
            writer.write(&rows)?;
            let full = writer.in_progress_rows() >= self.settings.group_rows
                || writer.in_progress_size() >= self.settings.group_bytes;
            if full {
                writer.flush()?;
                index.iter_mut().for_each(Builder::end_group);
                facts.row_groups += 1;
            }
            if full && writer.bytes_written() as u64 >= self.most_bytes {
                self.cut(ready)?;
            }
        }
        Ok(())
    }

    /// Ends the file; what follows goes into another.
    pub(crate) fn cut(&mut self, ready: Ready<'_>) -> Result<(), CodecError> {
        let Some(Open { mut writer, mut facts, mut index }) = self.open.take() else { return Ok(()) };
        if writer.in_progress_rows() > 0 {
            index.iter_mut().for_each(Builder::end_group);
            facts.row_groups += 1;
        }
        writer.append_key_value_metadata(KeyValue::new(META_DELETES.to_owned(), facts.deletes.to_string()));
        let bytes = writer.into_inner()?;
        facts.bytes = bytes.len() as u64;
        let pays = self.settings.index_from.is_some_and(|least| facts.bytes >= least);
        let index = index.filter(|_| pays).map(Builder::finish);
        ready(Part { bytes: bytes.into(), index, facts })
    }

    /// Ends the last file.
    pub(crate) fn finish(mut self, ready: Ready<'_>) -> Result<(), CodecError> {
        self.cut(ready)
    }
}

fn note(rows: &RecordBatch, facts: &mut PartFacts) -> Result<(), CodecError> {
    let text = |name: &str| {
        rows.column_by_name(name)
            .and_then(|column| column.as_string_opt::<i32>())
            .ok_or_else(|| CodecError::Format(format!("{name} is no text")))
    };
    facts.rows += rows.num_rows() as u64;
    facts.deletes += text("_op")?.iter().filter(|op| *op == Some("delete")).count() as u64;
    facts.raw_cells += (rows.num_rows() - text("_raw")?.null_count()) as u64;
    let ids = text("Id")?;
    let id = |row: usize| {
        SalesforceId::parse(ids.value(row)).map_err(|source| CodecError::Id { row: row as u64 + 1, source })
    };
    if facts.min_id.is_none() {
        facts.min_id = Some(id(0)?);
    }
    facts.max_id = Some(id(rows.num_rows() - 1)?);
    Ok(())
}
