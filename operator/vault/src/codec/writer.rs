//! Rows to parts: collect, sort by Id, type, hash, encode, encrypt.
//!
//! Holds at most a buffer of rows (48 MiB by default), one row group as Parquet encodes it, and the parts that the
//! caller has not taken yet. A page larger than the buffer becomes several parts, each sorted.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};
use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::arena::{Arena, Op};
use super::columns::{Batch, RawCell};
use super::csv::Splitter;
use super::error::CodecError;
use super::kind::{Column, Role};
use super::part::{Part, PartFacts, PartKey, Settings};
use super::{hash, raw};

/// Version of the form of parts, in the file's metadata.
pub const FORMAT: &str = "1";
/// Metadata: version of the form.
pub const META_FORMAT: &str = "orgkeep.format";
/// Metadata: API name of the object.
pub const META_OBJECT: &str = "orgkeep.object";
/// Metadata: JSON list of the fields that go into `_hash_derived`.
pub const META_DERIVED: &str = "orgkeep.derived";
/// Columns of ours before the fields.
pub const OWN_COLUMNS: [&str; 4] = ["_op", "_hash", "_hash_derived", "_raw"];

/// Makes parts of the rows of one object.
#[derive(Debug)]
pub struct PartWriter {
    columns: Vec<Column>,
    /// Columns in the order of the file: Id, SystemModstamp, then as describe has them.
    order: Vec<usize>,
    id: Option<usize>,
    schema: SchemaRef,
    properties: WriterProperties,
    settings: Settings,
    arena: Arena,
    splitter: Splitter,
    parts: Vec<Part>,
    taken: u64,
}

impl PartWriter {
    /// A writer for the columns of an object; without a key the parts are not encrypted.
    pub fn new(object: &ObjectSchema, key: Option<&PartKey>, settings: Settings) -> Result<Self, CodecError> {
        let columns: Vec<Column> = object.columns().map(Column::of).collect();
        let id = columns.iter().position(|column| column.name == "Id");
        let stamp = columns.iter().position(|column| column.name == "SystemModstamp");
        let mut order: Vec<usize> = id.into_iter().chain(stamp).collect();
        order.extend((0..columns.len()).filter(|index| Some(*index) != id && Some(*index) != stamp));
        let schema = file_schema(order.iter().map(|index| &columns[*index]));
        let properties = properties(object, &columns, key, settings.zstd_level)?;
        let names = columns.iter().map(|column| column.name.clone()).collect();
        Ok(Self {
            arena: Arena::new(columns.len()),
            splitter: Splitter::new(names, id),
            columns,
            order,
            id,
            schema,
            properties,
            settings,
            parts: Vec::new(),
            taken: 0,
        })
    }

    /// Takes a chunk of a Bulk CSV page; each page begins with its header and is closed by [`Self::end_page`].
    pub fn push_csv(&mut self, mut chunk: &[u8]) -> Result<(), CodecError> {
        loop {
            let taken = self.splitter.push(chunk, &mut self.arena, self.settings.buffer_bytes.max(1))?;
            chunk = &chunk[taken..];
            if chunk.is_empty() {
                return Ok(());
            }
            self.flush()?;
        }
    }

    /// Ends a page of CSV and returns its rows, to be held against what the server said.
    pub fn end_page(&mut self) -> Result<u64, CodecError> {
        let rows = self.splitter.end_page()?;
        self.taken += rows;
        Ok(rows)
    }

    /// Takes a row as REST gives it: a cell per column of [`ObjectSchema::columns`], numbers as they stand in JSON.
    ///
    /// Null and empty text are one, as in Bulk.
    pub fn push_row(&mut self, cells: &[Option<&str>]) -> Result<(), CodecError> {
        let row = self.taken + 1;
        if self.splitter.in_page() {
            return Err(CodecError::Misuse("a row while a page of CSV is open"));
        }
        if cells.len() != self.columns.len() {
            return Err(CodecError::Cells { row, expected: self.columns.len(), found: cells.len() });
        }
        if let Some(id) = self.id {
            SalesforceId::parse(cells[id].unwrap_or_default())
                .map_err(|source| CodecError::Id { row, source })?;
        }
        self.add(row, cells, Op::Upsert)
    }

    /// Takes the deletion of a record.
    pub fn push_delete(&mut self, id: &SalesforceId) -> Result<(), CodecError> {
        if self.splitter.in_page() {
            return Err(CodecError::Misuse("a deletion while a page of CSV is open"));
        }
        let Some(column) = self.id else {
            return Err(CodecError::Misuse("a deletion in an object without an Id"));
        };
        let mut cells = vec![None; self.columns.len()];
        cells[column] = Some(id.as_str());
        self.add(self.taken + 1, &cells, Op::Delete)
    }

    fn add(&mut self, row: u64, cells: &[Option<&str>], op: Op) -> Result<(), CodecError> {
        if self.arena.rows() > 0 && self.arena.bytes() >= self.settings.buffer_bytes {
            self.flush()?;
        }
        for cell in cells {
            self.arena.extend(cell.unwrap_or_default().as_bytes());
            self.arena.end_cell();
        }
        if self.arena.too_large() {
            return Err(CodecError::TooLarge { row });
        }
        self.arena.end_row(op);
        self.taken = row;
        Ok(())
    }

    /// Rows handed over so far in ended pages and row by row.
    pub fn rows(&self) -> u64 {
        self.taken
    }

    /// The parts that are ready; they are not kept.
    pub fn take_parts(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    /// Makes a part of what is held; nothing when nothing is.
    ///
    /// Called at the end of a page, so that a page is done as a whole or not at all.
    pub fn flush(&mut self) -> Result<(), CodecError> {
        if self.arena.rows() == 0 {
            return Ok(());
        }
        let part = self.encode()?;
        self.parts.push(part);
        self.arena.clear();
        Ok(())
    }

    /// Ends and returns the parts not taken yet; an object without rows has none.
    pub fn finish(mut self) -> Result<Vec<Part>, CodecError> {
        if self.splitter.in_page() {
            self.end_page()?;
        }
        self.flush()?;
        Ok(self.parts)
    }

    fn encode(&self) -> Result<Part, CodecError> {
        let (rows, duplicates) = self.sorted();
        let Some(text) = self.arena.text() else {
            return Err(CodecError::Format("rows that are not UTF-8".into()));
        };
        let options =
            ArrowWriterOptions::new().with_properties(self.properties.clone()).with_skip_arrow_metadata(true);
        let room = self.arena.data_bytes() / 4;
        let mut writer =
            ArrowWriter::try_new_with_options(Vec::with_capacity(room), self.schema.clone(), options)?;
        let mut facts = PartFacts { rows: rows.len() as u64, duplicates, ..PartFacts::default() };
        let mut group = (0, 0);
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (many, bytes) = self.next_batch(rest, self.settings.group_rows - group.0);
            let (batch, after) = rest.split_at(many);
            let columns = self.batch(Batch { arena: &self.arena, text, rows: batch }, &mut facts)?;
            writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)?;
            group = (group.0 + many, group.1 + bytes);
            if group.0 >= self.settings.group_rows || group.1 >= self.settings.group_bytes || after.is_empty()
            {
                writer.flush()?;
                facts.row_groups += 1;
                group = (0, 0);
            }
            rest = after;
        }
        let bytes = writer.into_inner()?;
        if let (Some(id), Some(first), Some(last)) = (self.id, rows.first(), rows.last()) {
            let of = |row: u32| {
                SalesforceId::from_bytes(self.arena.cell(row as usize, id))
                    .map_err(|source| CodecError::Id { row: u64::from(row) + 1, source })
            };
            (facts.min_id, facts.max_id) = (Some(of(*first)?), Some(of(*last)?));
        }
        facts.bytes = bytes.len() as u64;
        Ok(Part { bytes: bytes.into(), facts })
    }

    /// Rows in the order of their Ids, of equal Ids the one that came last; and how many that left out.
    fn sorted(&self) -> (Vec<u32>, u64) {
        let many = self.arena.rows();
        let Some(id) = self.id else { return ((0..many as u32).collect(), 0) };
        let mut keys: Vec<(u128, u32)> =
            (0..many).map(|row| (sort_key(self.arena.cell(row, id)), row as u32)).collect();
        keys.sort_unstable();
        let nobody = sort_key(&[b'0'; 15]);
        let mut rows: Vec<u32> = Vec::with_capacity(many);
        for (at, (key, row)) in keys.iter().enumerate() {
            // Virtual objects give every row the Id of nobody; these are rows all the same.
            if *key == nobody || keys.get(at + 1).is_none_or(|(next, _)| next != key) {
                rows.push(*row);
            }
        }
        let left_out = (many - rows.len()) as u64;
        (rows, left_out)
    }

    /// Rows and bytes of the next batch.
    fn next_batch(&self, rows: &[u32], most: usize) -> (usize, usize) {
        let (mut many, mut bytes) = (0, 0);
        for row in rows.iter().take(most.min(self.settings.batch_rows).max(1)) {
            bytes += self.arena.row_bytes(*row as usize);
            many += 1;
            if bytes >= self.settings.batch_bytes {
                break;
            }
        }
        (many, bytes)
    }

    fn batch(&self, batch: Batch<'_>, facts: &mut PartFacts) -> Result<Vec<ArrayRef>, CodecError> {
        let many = batch.rows.len();
        let mut raw_cells = Vec::new();
        let (mut sums, mut derived) = (vec![0_u128; many], vec![0_u128; many]);
        let mut fields = Vec::with_capacity(self.order.len());
        for index in &self.order {
            let column = &self.columns[*index];
            let array = if Some(*index) == self.id {
                batch.ids(*index)?
            } else {
                batch.column(*index, column, &mut raw_cells)?
            };
            match column.role {
                Role::Compared => hash::add_column(column.seed, &array, &mut sums)?,
                Role::Derived => hash::add_column(column.seed, &array, &mut derived)?,
                Role::Viewed => {}
            }
            fields.push(array);
        }
        for RawCell { row, column } in &raw_cells {
            let text = batch.cell(*row, *column);
            let column = &self.columns[*column];
            let sums = match column.role {
                Role::Compared => &mut sums,
                Role::Derived => &mut derived,
                Role::Viewed => continue,
            };
            sums[*row] = sums[*row].wrapping_add(hash::raw(column.seed, &column.kind.data_type(), text));
        }
        facts.raw_cells += raw_cells.len() as u64;

        let (mut ops, mut hashes) = (StringBuilder::new(), FixedSizeBinaryBuilder::with_capacity(many, 16));
        let mut derived_hashes = FixedSizeBinaryBuilder::with_capacity(many, 16);
        let has_derived = self.columns.iter().any(|column| column.role == Role::Derived);
        for (at, row) in batch.rows.iter().enumerate() {
            let op = self.arena.op(*row as usize);
            ops.append_value(op.as_str());
            if op == Op::Delete {
                facts.deletes += 1;
                hashes.append_null();
                derived_hashes.append_null();
                continue;
            }
            hashes.append_value(sums[at].to_le_bytes())?;
            if has_derived {
                derived_hashes.append_value(derived[at].to_le_bytes())?;
            } else {
                derived_hashes.append_null();
            }
        }
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(ops.finish()),
            Arc::new(hashes.finish()),
            Arc::new(derived_hashes.finish()),
            self.raw_column(batch, raw_cells),
        ];
        columns.append(&mut fields);
        Ok(columns)
    }

    fn raw_column(&self, batch: Batch<'_>, mut cells: Vec<RawCell>) -> ArrayRef {
        let mut builder = StringBuilder::new();
        cells.sort_by_key(|cell| cell.row);
        let mut rest = cells.as_slice();
        for row in 0..batch.rows.len() {
            let of_row = rest.iter().take_while(|cell| cell.row == row).count();
            let (cells, after) = rest.split_at(of_row);
            rest = after;
            if cells.is_empty() {
                builder.append_null();
                continue;
            }
            builder.append_value(raw::encode(
                cells
                    .iter()
                    .map(|cell| (self.columns[cell.column].name.as_str(), batch.cell(cell.row, cell.column))),
            ));
        }
        Arc::new(builder.finish())
    }
}

/// Ids in the order of their bytes: the first fifteen characters decide, the others follow from them.
fn sort_key(id: &[u8]) -> u128 {
    let mut key = [0_u8; 16];
    let many = id.len().min(15);
    key[..many].copy_from_slice(&id[..many]);
    u128::from_be_bytes(key)
}

fn file_schema<'a>(fields: impl Iterator<Item = &'a Column>) -> SchemaRef {
    let [op, hash, derived, raw] = OWN_COLUMNS;
    let mut all = vec![
        ArrowField::new(op, DataType::Utf8, true),
        ArrowField::new(hash, DataType::FixedSizeBinary(16), true),
        ArrowField::new(derived, DataType::FixedSizeBinary(16), true),
        ArrowField::new(raw, DataType::Utf8, true),
    ];
    all.extend(fields.map(Column::arrow));
    Arc::new(Schema::new(all))
}

/// One V1 data page per column chunk, no dictionary, statistics only where readers prune by them: see the format.
fn properties(
    object: &ObjectSchema,
    columns: &[Column],
    key: Option<&PartKey>,
    zstd_level: i32,
) -> Result<WriterProperties, CodecError> {
    let derived: Vec<&str> =
        columns.iter().filter(|c| c.role == Role::Derived).map(|c| c.name.as_str()).collect();
    let metadata = vec![
        KeyValue::new(META_FORMAT.to_owned(), FORMAT.to_owned()),
        KeyValue::new(META_OBJECT.to_owned(), object.name.clone()),
        KeyValue::new(META_DERIVED.to_owned(), serde_json::Value::from(derived).to_string()),
    ];
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("orgkeep ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(metadata))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(zstd_level)?))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        // Row groups are cut by us; no limit may cut a page.
        .set_max_row_group_row_count(None)
        .set_data_page_size_limit(usize::MAX)
        .set_data_page_row_count_limit(usize::MAX)
        .set_column_encoding(ColumnPath::from("_op"), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding(ColumnPath::from("Id"), Encoding::DELTA_BYTE_ARRAY);
    for name in ["Id", "SystemModstamp"] {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::Chunk);
    }
    for name in ["_hash", "_hash_derived"] {
        builder = builder.set_column_compression(ColumnPath::from(name), Compression::UNCOMPRESSED);
    }
    if let Some(key) = key {
        builder = builder.with_file_encryption_properties(key.encryption()?);
    }
    Ok(builder.build())
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
