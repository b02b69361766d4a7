//! Typed columns from the cells of the arena.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMillisecondBuilder,
};
use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use orgkeep_core::id::SalesforceId;

use super::arena::{Arena, append};
use super::error::CodecError;
use super::kind::{Column, Kind};
use super::number::{Decimal, power_of_ten};
use super::time;

/// A cell that does not fit the type of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawCell {
    /// Row of the batch.
    pub row: usize,
    /// Column of the object.
    pub column: usize,
}

/// Rows of the arena that become one batch, in their order.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Where the cells are.
    pub arena: &'a Arena,
    /// Which rows.
    pub rows: &'a [u32],
}

impl<'a> Batch<'a> {
    /// The text of a cell; null is empty. Cells are checked to be UTF-8 each when they come in, too.
    #[inline]
    pub fn cell(&self, row: usize, column: usize) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.arena.cell(self.rows[row] as usize, column))
            .map_err(|_| CodecError::Format("rows that are not UTF-8".into()))
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = (usize, &'a [u8])> {
        let Self { arena, rows, .. } = *self;
        rows.iter().enumerate().map(move |(row, of)| (row, arena.cell(*of as usize, column)))
    }

    /// Makes one column; what does not fit goes to `raw`.
    pub fn column(
        &self,
        index: usize,
        column: &Column,
        raw: &mut Vec<RawCell>,
    ) -> Result<ArrayRef, CodecError> {
        let many = self.rows.len();
        macro_rules! typed {
            ($builder:expr, $parse:expr) => {{
                let mut builder = $builder;
                let parse = $parse;
                for (row, cell) in self.cells(index) {
                    if cell.is_empty() {
                        builder.append_null();
                    } else if let Some(value) = parse(cell) {
                        builder.append_value(value);
                    } else {
                        builder.append_null();
                        raw.push(RawCell { row, column: index });
                    }
                }
                Ok(Arc::new(builder.finish()))
            }};
        }
        match column.kind {
            Kind::Text => self.text_column(index),
            Kind::Decimal { precision, scale } => {
                let limit = power_of_ten(u32::from(precision)).unwrap_or(i128::MAX);
                let builder = Decimal128Builder::with_capacity(many)
                    .with_precision_and_scale(precision, scale as i8)?;
                let scale = u32::from(scale);
                typed!(builder, |cell| Decimal::parse(cell)
                    .and_then(|value| value.at_scale(scale))
                    .filter(|value| *value > -limit && *value < limit))
            }
            Kind::Int => typed!(Int32Builder::with_capacity(many), |cell| whole(cell)
                .and_then(|value| i32::try_from(value).ok())),
            Kind::Long => typed!(Int64Builder::with_capacity(many), |cell| whole(cell)
                .and_then(|value| i64::try_from(value).ok())),
            Kind::Boolean => typed!(BooleanBuilder::with_capacity(many), |cell: &[u8]| match cell {
                b"true" => Some(true),
                b"false" => Some(false),
                _ => None,
            }),
            Kind::Date => typed!(Date32Builder::with_capacity(many), time::parse_date),
            Kind::Instant => typed!(
                TimestampMillisecondBuilder::with_capacity(many).with_timezone("UTC"),
                time::parse_instant
            ),
        }
    }

    /// Values and offsets are filled side by side; that they are text is checked once for the whole column.
    fn text_column(&self, index: usize) -> Result<ArrayRef, CodecError> {
        let many = self.rows.len();
        let mut values: Vec<u8> = Vec::with_capacity(many * 8);
        let mut offsets: Vec<i32> = Vec::with_capacity(many + 1);
        let mut nulls = NullBufferBuilder::new(many);
        offsets.push(0);
        for row in self.rows {
            let (from, bytes) = self.arena.cell_and_on(*row as usize, index);
            append(&mut values, from, bytes);
            offsets.push(values.len() as i32);
            nulls.append(bytes > 0);
        }
        let offsets = OffsetBuffer::new(offsets.into());
        Ok(Arc::new(StringArray::try_new(offsets, values.into(), nulls.finish())?))
    }

    /// Makes the column `Id`: always the 18 characters.
    pub fn ids(&self, index: usize) -> Result<ArrayRef, CodecError> {
        let mut builder = StringBuilder::with_capacity(self.rows.len(), 18 * self.rows.len());
        for row in 0..self.rows.len() {
            let cell = self.cell(row, index)?;
            if cell.len() == 18 {
                builder.append_value(cell);
            } else {
                let id = SalesforceId::parse(cell)
                    .map_err(|source| CodecError::Id { row: row as u64 + 1, source })?;
                builder.append_value(id.as_str());
            }
        }
        Ok(Arc::new(builder.finish()))
    }
}

fn whole(cell: &[u8]) -> Option<i128> {
    Decimal::parse(cell).and_then(|value| value.at_scale(0))
}
