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
        while self.gather.rows() < BLOCK_ROWS {
            let Some(run) = self.merge.next_run()? else { break };
            self.gather.add(run.block, run.start, run.many);
        }
        self.gather.take(&self.schema).map_err(unfit)
    }
}

fn unfit(source: CodecError) -> ReadError {
    ReadError::Part { path: "the merge of the parts".to_owned(), source }
}

/// Rows of several blocks that become one batch.
#[derive(Default)]
pub(crate) struct Gather {
    blocks: Vec<Vec<Option<ArrayRef>>>,
    serials: Vec<u64>,
    places: Vec<(usize, usize)>,
}

impl Gather {
    /// Rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.places.len()
    }

    /// More rows.
    pub(crate) fn add(&mut self, block: &Block, start: usize, many: usize) {
        let at = match self.serials.iter().rposition(|known| *known == block.serial) {
            Some(at) => at,
            None => {
                self.blocks.push(block.columns.clone());
                self.serials.push(block.serial);
                self.blocks.len() - 1
            }
        };
        self.places.extend((start..start + many).map(|row| (at, row)));
    }

    /// Forgets all rows.
    pub(crate) fn forget(&mut self) {
        self.blocks.clear();
        self.serials.clear();
        self.places.clear();
    }

    /// Takes over the rows of another.
    pub(crate) fn append(&mut self, other: &mut Self) {
        for (block, row) in &other.places {
            let serial = other.serials[*block];
            let at = match self.serials.iter().rposition(|known| *known == serial) {
                Some(at) => at,
                None => {
                    self.blocks.push(other.blocks[*block].clone());
                    self.serials.push(serial);
                    self.blocks.len() - 1
                }
            };
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
            let present = self.blocks.iter().filter_map(|block| block[at].as_ref());
            let Some(most) = present.map(arrow_array::Array::len).max() else {
                columns.push(new_null_array(field.data_type(), self.places.len()));
                continue;
            };
            if let (true, Some(column)) = (whole, self.blocks[0][at].as_ref()) {
                columns.push(column.slice(first.1, self.places.len()));
                continue;
            }
            // Any row of a block that lacks the column must find a null.
            let missing = new_null_array(field.data_type(), most.max(BLOCK_ROWS));
            let arrays: Vec<&dyn Array> =
                self.blocks.iter().map(|block| block[at].as_ref().unwrap_or(&missing).as_ref()).collect();
            columns.push(interleave(&arrays, &self.places)?);
        }
        let batch = RecordBatch::try_new(schema.clone(), columns)?;
        self.forget();
        Ok(Some(batch))
    }
}
