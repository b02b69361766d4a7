//! The rows of an object at a snapshot as Arrow batches, every column of the type that the snapshot's schema has.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use orgkeep_core::schema::ObjectSchema;

use super::adapt::Adapter;
use super::cursor::{BLOCK_ROWS, Block, Wanted};
use super::keys::Keys;
use super::merge::{Merge, Opened, PartRef};
use super::rows::{ReadError, chosen, has_id};
use crate::codec::CodecError;
use crate::codec::kind::Kind;

/// Batches of an object's rows, in the order of their Ids.
pub struct Batches<F> {
    merge: Merge<F>,
    schema: SchemaRef,
    gather: Gather,
}

impl<F: FnMut(&PartRef) -> Opened> Batches<F> {
    /// Reads the named fields (all columns without) of these keys, and `_raw` after them.
    pub fn new(
        schema: &ObjectSchema,
        fields: Option<&[String]>,
        keys: Keys,
        parts: Vec<PartRef>,
        opener: F,
    ) -> Result<Self, ReadError> {
        let fields = chosen(schema, fields)?;
        let mut columns = Vec::with_capacity(fields.len() + 1);
        for name in &fields {
            let kind = schema.field(name).map_or(Kind::Text, Kind::of);
            columns.push(Field::new(name, kind.data_type(), true));
        }
        columns.push(Field::new("_raw", DataType::Utf8, true));
        Ok(Self::with(columns, schema, keys, parts, opener))
    }

    /// Reads these columns, ours among them.
    pub(crate) fn with(
        columns: Vec<Field>,
        schema: &ObjectSchema,
        keys: Keys,
        parts: Vec<PartRef>,
        opener: F,
    ) -> Self {
        let names = columns.iter().map(|column| column.name().clone()).collect();
        let adapter = Some(Arc::new(Adapter::new(schema)));
        let wanted = Wanted { names, ids: false, block_rows: BLOCK_ROWS, adapter };
        Self {
            merge: Merge::new(wanted, keys, has_id(schema), parts, opener),
            schema: Arc::new(Schema::new(columns)),
            gather: Gather::default(),
        }
    }

    /// Columns of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows; `None` at the end.
    #[allow(clippy::should_implement_trait)] // it fails
    pub fn next(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        while !self.gather.is_full() {
            let Some(run) = self.merge.next_run()? else { break };
            self.gather.add(run.block, run.start, run.many);
        }
        self.gather.take(&self.schema).map_err(unfit)
    }
}

fn unfit(source: CodecError) -> ReadError {
    ReadError::Part { path: "the merge of the parts".to_owned(), source }
}

/// Bytes of cells of a batch, about.
const BATCH_BYTES: usize = 8 << 20;

/// Rows of several blocks that become one batch.
#[derive(Default)]
pub(crate) struct Gather {
    blocks: Vec<Held>,
    places: Vec<(usize, usize)>,
    bytes: usize,
}

/// A block that rows were taken from.
#[derive(Clone)]
struct Held {
    serial: u64,
    columns: Vec<Option<ArrayRef>>,
    /// Bytes of one of its rows, about.
    row_bytes: usize,
}

impl Gather {
    /// Whether it is enough for a batch.
    pub(crate) fn is_full(&self) -> bool {
        self.places.len() >= BLOCK_ROWS || self.bytes >= BATCH_BYTES
    }

    /// More rows.
    pub(crate) fn add(&mut self, block: &Block, start: usize, many: usize) {
        let at = match self.blocks.iter().rposition(|held| held.serial == block.serial) {
            Some(at) => at,
            None => {
                let bytes: usize = block.columns.iter().flatten().map(Array::get_array_memory_size).sum();
                let (serial, columns) = (block.serial, block.columns.clone());
                self.blocks.push(Held { serial, columns, row_bytes: bytes / block.keys.len().max(1) });
                self.blocks.len() - 1
            }
        };
        self.bytes += many * self.blocks[at].row_bytes;
        self.places.extend((start..start + many).map(|row| (at, row)));
    }

    /// Forgets all rows.
    pub(crate) fn forget(&mut self) {
        self.blocks.clear();
        self.places.clear();
        self.bytes = 0;
    }

    /// Takes over the rows of another.
    pub(crate) fn append(&mut self, other: &mut Self) {
        for (block, row) in &other.places {
            let held = &other.blocks[*block];
            let at = match self.blocks.iter().rposition(|known| known.serial == held.serial) {
                Some(at) => at,
                None => {
                    self.blocks.push(held.clone());
                    self.blocks.len() - 1
                }
            };
            self.bytes += held.row_bytes;
            self.places.push((at, *row));
        }
        other.forget();
    }

    /// The rows as a batch of these columns, the first of each block's; none if there are no rows.
    pub(crate) fn take(&mut self, schema: &SchemaRef) -> Result<Option<RecordBatch>, CodecError> {
        let (Some(first), Some(last)) = (self.places.first(), self.places.last()) else { return Ok(None) };
        // Rows of one block that nothing lies over go out as they are.
        let whole = self.blocks.len() == 1 && last.1 - first.1 + 1 == self.places.len();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (at, field) in schema.fields().iter().enumerate() {
            let present = self.blocks.iter().filter_map(|block| block.columns[at].as_ref());
            let Some(most) = present.map(arrow_array::Array::len).max() else {
                columns.push(new_null_array(field.data_type(), self.places.len()));
                continue;
            };
            if let (true, Some(column)) = (whole, self.blocks[0].columns[at].as_ref()) {
                columns.push(column.slice(first.1, self.places.len()));
                continue;
            }
            // Any row of a block that lacks the column must find a null.
            let missing = new_null_array(field.data_type(), most.max(BLOCK_ROWS));
            let arrays: Vec<&dyn Array> = self
                .blocks
                .iter()
                .map(|block| block.columns[at].as_ref().unwrap_or(&missing).as_ref())
                .collect();
            columns.push(interleave(&arrays, &self.places)?);
        }
        let batch = RecordBatch::try_new(schema.clone(), columns)?;
        self.forget();
        Ok(Some(batch))
    }
}
