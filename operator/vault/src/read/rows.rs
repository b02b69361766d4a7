//! Merges the parts of an object by Id: later parts win, deletions drop the record.
//!
//! A part is opened when the merge reaches its least Id, and closed at its end: with disjoint parts one is open at
//! a time, whatever the size of the object.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use bytes::Bytes;
use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::cell;
use crate::codec::check::{is_nobody, open};
use crate::codec::{CodecError, PartKey, raw};

/// A part of the object's state, in the order of the state: base first, then deltas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRef {
    /// Where it is, as the caller's opener understands it.
    pub path: String,
    /// Its least Id, where known; without it the part is opened at the start.
    pub min_id: Option<SalesforceId>,
}

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The object has no such field.
    #[error("{object} has no field {field}")]
    UnknownField {
        /// API name of the object.
        object: String,
        /// What was asked for.
        field: String,
    },
    /// The caller's opener failed.
    #[error("{path}: {source}")]
    Open {
        /// The part.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A part could not be decoded.
    #[error("{path}: {source}")]
    Part {
        /// The part.
        path: String,
        /// Why.
        source: CodecError,
    },
    /// The rows could not be written where they should go.
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

/// What an opener gives: a part's bytes and the key that opens it (none for a vault without encryption).
pub type Opened = Result<(Bytes, Option<PartKey>), Box<dyn std::error::Error + Send + Sync>>;

/// The rows of an object, in the order of their Ids.
pub struct Rows<F> {
    fields: Vec<String>,
    has_id: bool,
    /// Parts not opened yet, last first, with their place in the state.
    pending: Vec<(usize, PartRef)>,
    active: Vec<Cursor>,
    /// The cursor whose row was given out and must move on.
    given: Option<usize>,
    /// Rows that may still be given; `None` is all.
    left: Option<u64>,
    opener: F,
}

impl<F: FnMut(&PartRef) -> Opened> Rows<F> {
    /// Reads the named fields (all columns without) of an object as its schema was then.
    pub fn new(
        schema: &ObjectSchema,
        fields: Option<&[String]>,
        parts: Vec<PartRef>,
        opener: F,
    ) -> Result<Self, ReadError> {
        let fields = match fields {
            None => schema.columns().map(|field| field.name.clone()).collect(),
            Some(names) => names
                .iter()
                .map(|name| {
                    let field = schema.field(name).filter(|field| field.is_column());
                    field.map(|field| field.name.clone()).ok_or_else(|| ReadError::UnknownField {
                        object: schema.name.clone(),
                        field: name.clone(),
                    })
                })
                .collect::<Result<_, _>>()?,
        };
        let has_id = schema.columns().any(|field| field.name == "Id");
        let mut pending: Vec<_> = parts.into_iter().enumerate().collect();
        if has_id {
            pending.sort_by_key(|(order, part)| (part.min_id, *order));
        }
        pending.reverse();
        Ok(Self { fields, has_id, pending, active: Vec::new(), given: None, left: None, opener })
    }

    /// Names of the fields, in the order of the cells.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Gives at most so many rows.
    #[must_use]
    pub fn limit(mut self, rows: Option<u64>) -> Self {
        self.left = rows;
        self
    }

    /// The next row that is not deleted.
    #[allow(clippy::should_implement_trait)] // a row borrows from its reader
    pub fn next(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        self.left = self.left.map(|left| left - 1);
        loop {
            if let Some(given) = self.given.take() {
                self.advance(given)?;
            }
            self.open_due()?;
            let Some(best) = self.least() else { return Ok(None) };
            self.given = Some(best);
            let deleted = self.active[best].deletes();
            let best = if self.active.len() > 1 { self.pass_over_older(best)? } else { best };
            if !deleted {
                self.given = Some(best);
                return Ok(self.active.get(best).map(|cursor| Row { cursor, fields: &self.fields }));
            }
        }
    }

    /// Opens the parts that may hold the next row.
    fn open_due(&mut self) -> Result<(), ReadError> {
        while let Some((_, part)) = self.pending.last() {
            let due = match (self.least(), part.min_id) {
                (None, _) => true,
                (Some(least), Some(id)) => self.has_id && id.as_str() <= self.active[least].id(),
                (Some(_), None) => self.has_id,
            };
            if !due {
                break;
            }
            let Some((order, part)) = self.pending.pop() else { break };
            let (bytes, key) =
                (self.opener)(&part).map_err(|source| ReadError::Open { path: part.path.clone(), source })?;
            let cursor = Cursor::open(order, &part, bytes, key.as_ref(), &self.fields, self.has_id)
                .and_then(|mut cursor| Ok(cursor.next_batch()?.then_some(cursor)))
                .map_err(|source| ReadError::Part { path: part.path, source })?;
            self.active.extend(cursor);
        }
        Ok(())
    }

    /// The cursor at the least Id; of equal ones the newest part's, of rows without Id the oldest part's.
    fn least(&self) -> Option<usize> {
        (0..self.active.len()).reduce(|best, other| {
            let (a, b) = (&self.active[best], &self.active[other]);
            let newest = !a.id().is_empty() && !is_nobody(a.id());
            let order = b
                .id()
                .cmp(a.id())
                .then_with(|| if newest { a.order.cmp(&b.order) } else { b.order.cmp(&a.order) });
            if order.is_lt() { other } else { best }
        })
    }

    /// Moves all other cursors past the Id of the best, and returns where the best is then.
    fn pass_over_older(&mut self, best: usize) -> Result<usize, ReadError> {
        let (order, id) = (self.active[best].order, self.active[best].id().to_owned());
        if id.is_empty() || is_nobody(&id) {
            return Ok(best);
        }
        for other in (0..self.active.len()).rev() {
            if self.active[other].order != order && self.active[other].id() == id {
                self.advance(other)?;
            }
        }
        let best = self.active.iter().position(|cursor| cursor.order == order).unwrap_or(best);
        self.given = Some(best);
        Ok(best)
    }

    /// Moves a cursor to its next row and drops it at its end.
    fn advance(&mut self, at: usize) -> Result<(), ReadError> {
        let cursor = &mut self.active[at];
        cursor.row += 1;
        if cursor.row < cursor.batch.num_rows() {
            return Ok(());
        }
        match cursor.next_batch() {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.active.swap_remove(at);
                Ok(())
            }
            Err(source) => Err(ReadError::Part { path: cursor.path.clone(), source }),
        }
    }
}

/// A part that is being read.
struct Cursor {
    order: usize,
    path: String,
    reader: ParquetRecordBatchReader,
    batch: RecordBatch,
    row: usize,
    names: Vec<Option<String>>,
    /// Columns of the batch: of each field, and ours.
    columns: Vec<Option<ArrayRef>>,
    ids: Option<StringArray>,
    ops: Option<StringArray>,
    raws: Option<StringArray>,
}

impl Cursor {
    fn open(
        order: usize,
        part: &PartRef,
        bytes: Bytes,
        key: Option<&PartKey>,
        fields: &[String],
        has_id: bool,
    ) -> Result<Self, CodecError> {
        let builder = open(bytes, key)?;
        let in_file = builder.schema().clone();
        let present = |name: &str| in_file.index_of(name).ok();
        let own = ["_op", "_raw"].into_iter().chain(has_id.then_some("Id"));
        let mut wanted = Vec::new();
        for name in own {
            wanted.push(present(name).ok_or_else(|| CodecError::Format(format!("no column {name}")))?);
        }
        wanted.extend(fields.iter().filter_map(|name| present(name)));
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let names = fields.iter().map(|name| present(name).map(|_| name.clone())).collect();
        let reader = builder.with_projection(mask).build()?;
        Ok(Self {
            order,
            path: part.path.clone(),
            batch: RecordBatch::new_empty(in_file),
            reader,
            row: 0,
            names,
            columns: Vec::new(),
            ids: None,
            ops: None,
            raws: None,
        })
    }

    /// Decodes the next rows; false at the end.
    fn next_batch(&mut self) -> Result<bool, CodecError> {
        for batch in self.reader.by_ref() {
            self.batch = batch?;
            if self.batch.num_rows() > 0 {
                let text = |name: &str| {
                    self.batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).cloned()
                };
                (self.ids, self.ops, self.raws) = (text("Id"), text("_op"), text("_raw"));
                if self.ops.is_none() || self.raws.is_none() {
                    return Err(CodecError::Format("_op or _raw is no text".into()));
                }
                let by_name = |name: &String| self.batch.column_by_name(name).cloned();
                self.columns = self.names.iter().map(|name| name.as_ref().and_then(by_name)).collect();
                self.row = 0;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn id(&self) -> &str {
        self.ids.as_ref().map_or("", |ids| ids.value(self.row))
    }

    fn deletes(&self) -> bool {
        self.ops.as_ref().is_some_and(|ops| ops.value(self.row) == "delete")
    }
}

/// A row, as long as the reader stands at it.
pub struct Row<'a> {
    cursor: &'a Cursor,
    fields: &'a [String],
}

impl Row<'_> {
    /// The Id; empty for an object without.
    pub fn id(&self) -> &str {
        self.cursor.id()
    }

    /// Names of the fields, in the order of the cells.
    pub fn field_names(&self) -> &[String] {
        self.fields
    }

    /// Cells that do not fit their column, by field; empty for nearly every row.
    pub(super) fn raw_cells(&self) -> Result<BTreeMap<String, String>, ReadError> {
        match &self.cursor.raws {
            Some(raws) if raws.is_valid(self.cursor.row) => raw::decode(raws.value(self.cursor.row))
                .map(BTreeMap::from_iter)
                .map_err(|source| self.error(source)),
            _ => Ok(BTreeMap::new()),
        }
    }

    /// The column of a field and the row in it, unless the cell is null.
    pub(super) fn typed(&self, field: usize) -> Option<(&ArrayRef, usize)> {
        let column = self.cursor.columns.get(field)?.as_ref()?;
        column.is_valid(self.cursor.row).then_some((column, self.cursor.row))
    }

    pub(super) fn column(&self, field: usize) -> Option<&ArrayRef> {
        self.cursor.columns.get(field)?.as_ref()
    }

    pub(super) fn error(&self, source: CodecError) -> ReadError {
        ReadError::Part { path: self.cursor.path.clone(), source }
    }

    /// The cells as text in Bulk's form, in the order of the fields.
    pub fn texts(&self) -> Result<Vec<Option<String>>, ReadError> {
        let raw = self.raw_cells()?;
        let mut cells = Vec::with_capacity(self.fields.len());
        for (at, name) in self.fields.iter().enumerate() {
            cells.push(match (self.typed(at), raw.get(name)) {
                (Some((column, row)), _) => {
                    let mut out = Vec::new();
                    cell::write_text(column, row, &mut out).map_err(|source| self.error(source))?;
                    Some(String::from_utf8_lossy(&out).into_owned())
                }
                (None, raw) => raw.cloned(),
            });
        }
        Ok(cells)
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
