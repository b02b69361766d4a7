//! The rows of an object at a snapshot, one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use orgkeep_core::schema::ObjectSchema;

use super::cell;
use super::cursor::{BLOCK_ROWS, Block, Wanted};
use super::keys::Keys;
use super::merge::Merge;
pub use super::merge::{Opened, PartRef};
use crate::codec::kind::Kind;
use crate::codec::{CodecError, raw};

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

/// The rows of an object, in the order of their Ids.
pub struct Rows<F> {
    fields: Vec<String>,
    /// Types of the fields in the schema of the snapshot.
    kinds: Vec<Kind>,
    merge: Merge<F>,
    /// The block whose rows are given out, from the first to before the second.
    block: Given,
    /// Rows that may still be given; `None` is all.
    left: Option<u64>,
}

/// Rows of a block that count and were not given out yet.
#[derive(Default)]
struct Given {
    path: Arc<str>,
    columns: Vec<Option<ArrayRef>>,
    ids: Option<arrow_array::StringArray>,
    at: usize,
    end: usize,
}

/// The fields of that name, or all columns.
pub(crate) fn chosen(schema: &ObjectSchema, fields: Option<&[String]>) -> Result<Vec<String>, ReadError> {
    let Some(names) = fields else { return Ok(schema.columns().map(|field| field.name.clone()).collect()) };
    let known = |name: &String| {
        let field = schema.field(name).filter(|field| field.is_column());
        field
            .map(|field| field.name.clone())
            .ok_or_else(|| ReadError::UnknownField { object: schema.name.clone(), field: name.clone() })
    };
    names.iter().map(known).collect()
}

/// Whether rows of an object are told apart by Id.
pub(crate) fn has_id(schema: &ObjectSchema) -> bool {
    schema.columns().any(|field| field.name == "Id")
}

impl<F: FnMut(&PartRef) -> Opened> Rows<F> {
    /// Reads the named fields (all columns without) of an object as its schema was then.
    pub fn new(
        schema: &ObjectSchema,
        fields: Option<&[String]>,
        parts: Vec<PartRef>,
        opener: F,
    ) -> Result<Self, ReadError> {
        Self::of(schema, fields, Keys::All, parts, opener)
    }

    /// As [`Rows::new`], of these keys only.
    pub fn of(
        schema: &ObjectSchema,
        fields: Option<&[String]>,
        keys: Keys,
        parts: Vec<PartRef>,
        opener: F,
    ) -> Result<Self, ReadError> {
        let fields = chosen(schema, fields)?;
        let kinds = fields.iter().map(|name| schema.field(name).map_or(Kind::Text, Kind::of)).collect();
        let names = fields.iter().cloned().chain(["_raw".to_owned()]).collect();
        let wanted = Wanted { names, ids: true, block_rows: BLOCK_ROWS, adapter: None };
        let merge = Merge::new(wanted, keys, has_id(schema), parts, opener);
        Ok(Self { fields, kinds, merge, block: Given::default(), left: None })
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
        self.block.at += 1;
        if self.block.at >= self.block.end {
            let Some(run) = self.merge.next_run()? else {
                self.left = Some(0);
                return Ok(None);
            };
            self.block.at = run.start;
            self.block.end = run.start + run.many;
            self.block.fill(run.path, run.block);
        }
        Ok(Some(Row { given: &self.block, fields: &self.fields, kinds: &self.kinds }))
    }
}

impl Given {
    fn fill(&mut self, path: &str, block: &Block) {
        if *self.path != *path {
            self.path = path.into();
        }
        self.columns.clone_from(&block.columns);
        self.ids.clone_from(&block.ids);
    }
}

/// A row, as long as the reader stands at it.
pub struct Row<'a> {
    given: &'a Given,
    fields: &'a [String],
    kinds: &'a [Kind],
}

impl Row<'_> {
    /// The Id; empty for an object without.
    pub fn id(&self) -> &str {
        self.given.ids.as_ref().map_or("", |ids| ids.value(self.given.at))
    }

    /// Names of the fields, in the order of the cells.
    pub fn field_names(&self) -> &[String] {
        self.fields
    }

    /// Cells that do not fit their column, by field; empty for nearly every row.
    pub(crate) fn raw_cells(&self) -> Result<BTreeMap<String, String>, ReadError> {
        let raws = self.given.columns.last().and_then(Option::as_ref);
        let Some(raws) = raws.and_then(|raws| raws.as_string_opt::<i32>()) else {
            return Err(self.error(CodecError::Format("_raw is no text".into())));
        };
        if raws.is_null(self.given.at) {
            return Ok(BTreeMap::new());
        }
        raw::decode(raws.value(self.given.at)).map(BTreeMap::from_iter).map_err(|source| self.error(source))
    }

    /// The column of a field and the row in it, unless the cell is null.
    pub(crate) fn typed(&self, field: usize) -> Option<(&ArrayRef, usize)> {
        let column = self.given.columns.get(field)?.as_ref()?;
        column.is_valid(self.given.at).then_some((column, self.given.at))
    }

    /// Whether JSON writes cells of the field without quotes: by the schema of the snapshot, not by the file's.
    pub(crate) fn is_bare(&self, field: usize) -> bool {
        self.kinds.get(field).is_some_and(|kind| cell::is_bare(&kind.data_type()))
    }

    pub(crate) fn error(&self, source: CodecError) -> ReadError {
        ReadError::Part { path: self.given.path.to_string(), source }
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
