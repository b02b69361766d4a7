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
use super::delta::{Candidate, Parent, RowHash, Verdict};
use super::error::CodecError;
use super::key::{NOBODY, key_of};
use super::kind::{Column, Role};
use super::part::{Part, PartFacts, PartKey, Settings};
use super::{hash, raw};
use crate::search::Builder;

/// Version of the form of parts, in the file's metadata.
pub const FORMAT: &str = "1";
/// Metadata: version of the form.
pub const META_FORMAT: &str = "orgkeep.format";
/// Metadata: API name of the object.
pub const META_OBJECT: &str = "orgkeep.object";
/// Metadata: how many rows delete.
pub const META_DELETES: &str = "orgkeep.deletes";
/// Metadata: JSON list of the fields that go into `_hash_derived`.
pub const META_DERIVED: &str = "orgkeep.derived";
/// Columns of ours before the fields.
pub const OWN_COLUMNS: [&str; 4] = ["_op", "_hash", "_hash_derived", "_raw"];
/// Columns of ours that follow in a delta: the hashes of the row that the parent holds.
pub const BEFORE_COLUMNS: [&str; 2] = ["_before", "_before_derived"];

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
    parent: Option<Box<dyn Parent>>,
}

/// Bytes of cells from which on the whole buffer is made room for: what is smaller stays small.
const GROWN: usize = 1 << 20;

/// What a file has besides its rows.
struct Layout<'a> {
    /// Fields, by their place in the object.
    order: &'a [usize],
    schema: SchemaRef,
    /// In a delta: what the parent holds of each row.
    before: Option<&'a [Option<RowHash>]>,
    /// Row groups as small as those of deltas: rows that came in no order lie over those of other parts, and a reader
    /// holds a row group of each.
    small: bool,
}

/// Rows in the order of their Ids.
struct Sorted {
    rows: Vec<u32>,
    /// Rows left out, since one of the same Id came later.
    duplicates: u64,
    /// Whether they came in this order.
    came_so: bool,
}

impl PartWriter {
    /// A writer for the columns of an object; without a key the parts are not encrypted.
    pub fn new(object: &ObjectSchema, key: Option<&PartKey>, settings: Settings) -> Result<Self, CodecError> {
        let columns: Vec<Column> = object.columns().map(Column::of).collect();
        let id = columns.iter().position(|column| column.name == "Id");
        let stamp = columns.iter().position(|column| column.name == "SystemModstamp");
        let mut order: Vec<usize> = id.into_iter().chain(stamp).collect();
        order.extend((0..columns.len()).filter(|index| Some(*index) != id && Some(*index) != stamp));
        let schema = file_schema(order.iter().map(|index| &columns[*index]), false);
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
            parent: None,
        })
    }

    /// Writes deltas over a parent: rows that it holds as they are are left out, and columns without any value.
    pub fn over(mut self, parent: Box<dyn Parent>) -> Result<Self, CodecError> {
        if self.id.is_none() {
            return Err(CodecError::Misuse("a delta of an object without an Id"));
        }
        self.parent = Some(parent);
        Ok(self)
    }

    /// Takes a chunk of a Bulk CSV page; each page begins with its header and is closed by [`Self::end_page`].
    pub fn push_csv(&mut self, mut chunk: &[u8]) -> Result<(), CodecError> {
        loop {
            let taken = self.splitter.push(chunk, &mut self.arena, self.settings.buffer_bytes.max(1))?;
            chunk = &chunk[taken..];
            if chunk.is_empty() {
                if self.arena.data_bytes() > GROWN {
                    self.arena.reserve(self.settings.buffer_bytes);
                }
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
        let Sorted { rows, duplicates, came_so } = self.sorted();
        let part = match self.parent.take() {
            Some(mut parent) => {
                let part = self.encode_changes(&rows, duplicates, parent.as_mut());
                self.parent = Some(parent);
                part?
            }
            None => {
                let layout =
                    Layout { order: &self.order, schema: self.schema.clone(), before: None, small: !came_so };
                Some(self.encode(&rows, duplicates, &layout)?)
            }
        };
        self.parts.extend(part);
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

    /// A part of what the parent does not hold; none if that is nothing.
    fn encode_changes(
        &self,
        rows: &[u32],
        duplicates: u64,
        parent: &mut dyn Parent,
    ) -> Result<Option<Part>, CodecError> {
        let candidates = self.candidates(rows)?;
        let verdicts = parent.settle(&candidates)?;
        if verdicts.len() != rows.len() {
            return Err(CodecError::Misuse("the parent did not settle all rows"));
        }
        let (mut kept, mut before) = (Vec::new(), Vec::new());
        for (row, verdict) in rows.iter().zip(verdicts) {
            if let Verdict::Keep(held) = verdict {
                kept.push(*row);
                before.push(held);
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        let stamp = self.columns.iter().position(|column| column.name == "SystemModstamp");
        let filled = |index: &usize| {
            Some(*index) == self.id
                || Some(*index) == stamp
                || kept.iter().any(|row| !self.arena.cell(*row as usize, *index).is_empty())
        };
        let order: Vec<usize> = self.order.iter().copied().filter(filled).collect();
        let schema = file_schema(order.iter().map(|index| &self.columns[*index]), true);
        let layout = Layout { order: &order, schema, before: Some(&before), small: false };
        let mut part = self.encode(&kept, duplicates, &layout)?;
        part.facts.unchanged = (rows.len() - kept.len()) as u64;
        Ok(Some(part))
    }

    /// Keys and hashes of rows, typed and forgotten again batch by batch.
    fn candidates(&self, rows: &[u32]) -> Result<Vec<Candidate>, CodecError> {
        let mut candidates = Vec::with_capacity(rows.len());
        let mut rest = rows;
        while !rest.is_empty() {
            let (many, _) = self.next_batch(rest, self.settings.batch_rows);
            let (rows, after) = rest.split_at(many);
            let batch = Batch { arena: &self.arena, rows };
            let (hashes, ..) = self.typed(batch, &self.order)?;
            for (row, hash) in rows.iter().zip(hashes) {
                let key = self.id.map_or(0, |id| key_of(self.arena.cell(*row as usize, id)));
                let deletes = self.arena.op(*row as usize) == Op::Delete;
                candidates.push(Candidate { key, hash, deletes });
            }
            rest = after;
        }
        Ok(candidates)
    }

    fn encode(&self, rows: &[u32], duplicates: u64, layout: &Layout<'_>) -> Result<Part, CodecError> {
        let options =
            ArrowWriterOptions::new().with_properties(self.properties.clone()).with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), layout.schema.clone(), options)?;
        let mut facts = PartFacts { rows: rows.len() as u64, duplicates, ..PartFacts::default() };
        let (mut group_rows, mut group_bytes) = (self.settings.group_rows, self.settings.group_bytes);
        if layout.small {
            let small = Settings::delta();
            (group_rows, group_bytes) =
                (group_rows.min(small.group_rows), group_bytes.min(small.group_bytes));
        }
        let mut index = self.settings.index_from.map(|_| Builder::new());
        let mut group = (0, 0);
        let mut rest = rows;
        while !rest.is_empty() {
            let (many, bytes) = self.next_batch(rest, group_rows - group.0);
            let before = rows.len() - rest.len();
            let (batch, after) = rest.split_at(many);
            let before = layout.before.map(|held| &held[before..before + many]);
            let batch = Batch { arena: &self.arena, rows: batch };
            let columns = self.batch(batch, layout.order, before, &mut facts)?;
            let batch = RecordBatch::try_new(layout.schema.clone(), columns)?;
            if let Some(index) = &mut index {
                index.add(&batch)?;
            }
            writer.write(&batch)?;
            group = (group.0 + many, group.1 + bytes);
            if group.0 >= group_rows || group.1 >= group_bytes || after.is_empty() {
                writer.flush()?;
                index.iter_mut().for_each(Builder::end_group);
                facts.row_groups += 1;
                group = (0, 0);
                // As much room as the rest will take by what came of the first: growing would copy.
                if facts.row_groups == 1 {
                    let done = rows.len() - after.len();
                    let more = writer.bytes_written() / done.max(1) * after.len();
                    writer.inner_mut().reserve_exact(more + more / 16);
                }
            }
            rest = after;
        }
        writer.append_key_value_metadata(KeyValue::new(META_DELETES.to_owned(), facts.deletes.to_string()));
        let bytes = writer.into_inner()?;
        if let (Some(id), Some(first), Some(last)) = (self.id, rows.first(), rows.last()) {
            let of = |row: u32| {
                SalesforceId::from_bytes(self.arena.cell(row as usize, id))
                    .map_err(|source| CodecError::Id { row: u64::from(row) + 1, source })
            };
            (facts.min_id, facts.max_id) = (Some(of(*first)?), Some(of(*last)?));
        }
        facts.bytes = bytes.len() as u64;
        let pays = self.settings.index_from.is_some_and(|least| facts.bytes >= least);
        let index = index.filter(|_| pays).map(Builder::finish);
        Ok(Part { bytes: bytes.into(), index, facts })
    }

    /// Rows in the order of their Ids, of equal Ids the one that came last.
    fn sorted(&self) -> Sorted {
        let many = self.arena.rows();
        let Some(id) = self.id else {
            return Sorted { rows: (0..many as u32).collect(), duplicates: 0, came_so: true };
        };
        let mut keys: Vec<(u128, u32)> =
            (0..many).map(|row| (key_of(self.arena.cell(row, id)), row as u32)).collect();
        // Pages mostly come in the order of their Ids.
        let came_so = keys.is_sorted();
        if !came_so {
            keys.sort_unstable();
        }
        let mut rows: Vec<u32> = Vec::with_capacity(many);
        for (at, (key, row)) in keys.iter().enumerate() {
            // Virtual objects give every row the Id of nobody; these are rows all the same.
            if *key == NOBODY || keys.get(at + 1).is_none_or(|(next, _)| next != key) {
                rows.push(*row);
            }
        }
        let duplicates = (many - rows.len()) as u64;
        Sorted { rows, duplicates, came_so }
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

    /// Fields of a batch and the hashes of its rows.
    fn typed(&self, batch: Batch<'_>, order: &[usize]) -> Result<Typed, CodecError> {
        let many = batch.rows.len();
        let mut raw_cells = Vec::new();
        let (mut sums, mut derived) = (vec![0_u128; many], vec![0_u128; many]);
        let mut fields = Vec::with_capacity(order.len());
        for index in order {
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
            let text = batch.cell(*row, *column)?;
            let column = &self.columns[*column];
            let sums = match column.role {
                Role::Compared => &mut sums,
                Role::Derived => &mut derived,
                Role::Viewed => continue,
            };
            sums[*row] = sums[*row].wrapping_add(hash::raw(column.seed, &column.kind.data_type(), text));
        }
        let hashes = sums.into_iter().zip(derived).map(|(hash, derived)| RowHash { hash, derived }).collect();
        Ok((hashes, fields, raw_cells))
    }

    fn batch(
        &self,
        batch: Batch<'_>,
        order: &[usize],
        before: Option<&[Option<RowHash>]>,
        facts: &mut PartFacts,
    ) -> Result<Vec<ArrayRef>, CodecError> {
        let many = batch.rows.len();
        let (sums, mut fields, raw_cells) = self.typed(batch, order)?;
        facts.raw_cells += raw_cells.len() as u64;
        let (mut ops, mut hashes) = (StringBuilder::new(), FixedSizeBinaryBuilder::with_capacity(many, 16));
        let mut derived_hashes = FixedSizeBinaryBuilder::with_capacity(many, 16);
        let has_derived = self.columns.iter().any(|column| column.role == Role::Derived);
        for (row, sums) in batch.rows.iter().zip(&sums) {
            let op = self.arena.op(*row as usize);
            ops.append_value(op.as_str());
            if op == Op::Delete {
                facts.deletes += 1;
                hashes.append_null();
                derived_hashes.append_null();
                continue;
            }
            hashes.append_value(sums.hash.to_le_bytes())?;
            if has_derived {
                derived_hashes.append_value(sums.derived.to_le_bytes())?;
            } else {
                derived_hashes.append_null();
            }
        }
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(ops.finish()),
            Arc::new(hashes.finish()),
            Arc::new(derived_hashes.finish()),
            self.raw_column(batch, raw_cells)?,
        ];
        if let Some(before) = before {
            columns.extend(before_columns(before, has_derived)?);
        }
        columns.append(&mut fields);
        Ok(columns)
    }

    fn raw_column(&self, batch: Batch<'_>, mut cells: Vec<RawCell>) -> Result<ArrayRef, CodecError> {
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
            let mut texts = Vec::with_capacity(of_row);
            for cell in cells {
                texts.push((self.columns[cell.column].name.as_str(), batch.cell(cell.row, cell.column)?));
            }
            builder.append_value(raw::encode(texts));
        }
        Ok(Arc::new(builder.finish()))
    }
}

/// Hashes of rows, their fields, and the cells that do not fit.
type Typed = (Vec<RowHash>, Vec<ArrayRef>, Vec<RawCell>);

/// The hashes of what the parent holds, null where it holds nothing.
pub(crate) fn before_columns(
    before: &[Option<RowHash>],
    has_derived: bool,
) -> Result<[ArrayRef; 2], CodecError> {
    let mut hashes = FixedSizeBinaryBuilder::with_capacity(before.len(), 16);
    let mut derived = FixedSizeBinaryBuilder::with_capacity(before.len(), 16);
    for held in before {
        match held {
            Some(held) => hashes.append_value(held.hash.to_le_bytes())?,
            None => hashes.append_null(),
        }
        match held {
            Some(held) if has_derived => derived.append_value(held.derived.to_le_bytes())?,
            _ => derived.append_null(),
        }
    }
    Ok([Arc::new(hashes.finish()), Arc::new(derived.finish())])
}

fn file_schema<'a>(fields: impl Iterator<Item = &'a Column>, delta: bool) -> SchemaRef {
    let mut all = own_fields(delta);
    all.extend(fields.map(Column::arrow));
    Arc::new(Schema::new(all))
}

/// Columns of ours.
pub(crate) fn own_fields(delta: bool) -> Vec<ArrowField> {
    let [op, hash, derived, raw] = OWN_COLUMNS;
    let mut own = vec![
        ArrowField::new(op, DataType::Utf8, true),
        ArrowField::new(hash, DataType::FixedSizeBinary(16), true),
        ArrowField::new(derived, DataType::FixedSizeBinary(16), true),
        ArrowField::new(raw, DataType::Utf8, true),
    ];
    if delta {
        own.extend(BEFORE_COLUMNS.map(|name| ArrowField::new(name, DataType::FixedSizeBinary(16), true)));
    }
    own
}

/// One V1 data page per column chunk, no dictionary, statistics only where readers prune by them: see the format.
pub(crate) fn properties(
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
    for name in ["_hash", "_hash_derived", "_before", "_before_derived"] {
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
