//! The row hash: it tells that a row changed, without reading the row.
//!
//! The sum modulo 2^128 over the cells that are not null of
//! `xxh3_128(canonical bytes, seed = xxh3_64(field name))`, stored as 16 bytes little-endian. Order of columns does
//! not matter, a column of nulls changes nothing. It detects change, not tampering. The canonical bytes of a cell:
//!
//! | value | bytes |
//! |---|---|
//! | text, and a cell of `_raw` that is no number | its UTF-8, the latter after a byte `ff` |
//! | number of any type, also in `_raw` of a numeric column | mantissa without zeros at its end, 16 bytes little-endian, signed; exponent of ten, 4 bytes little-endian, signed; zero is 0, 0 |
//! | Boolean | `00` or `01` |
//! | day | days since 1970-01-01, 4 bytes little-endian, signed |
//! | instant | milliseconds since 1970-01-01T00:00Z, 8 bytes little-endian, signed |
//!
//! So the hash stays when describe changes a number's scale or turns an integer into a decimal.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::error::CodecError;
use super::number::Decimal;

/// The seed for a field's cells.
pub fn seed(field: &str) -> u64 {
    xxh3_64(field.as_bytes())
}

/// Hash of a cell by its canonical bytes.
#[inline]
pub fn cell(seed: u64, canonical: &[u8]) -> u128 {
    xxh3_128_with_seed(canonical, seed)
}

/// Hash of a number.
#[inline]
pub fn number(seed: u64, value: Decimal) -> u128 {
    let Decimal { mantissa, exponent } = value.normal();
    let mut canonical = [0_u8; 20];
    canonical[..16].copy_from_slice(&mantissa.to_le_bytes());
    canonical[16..].copy_from_slice(&exponent.to_le_bytes());
    cell(seed, &canonical)
}

/// Hash of a cell that stands in `_raw`.
pub fn raw(seed: u64, of: &DataType, text: &str) -> u128 {
    let numeric = matches!(of, DataType::Decimal128(..) | DataType::Int32 | DataType::Int64);
    if let Some(value) = Decimal::parse(text.as_bytes()).filter(|_| numeric) {
        return number(seed, value);
    }
    let mut canonical = Vec::with_capacity(text.len() + 1);
    canonical.push(0xff);
    canonical.extend_from_slice(text.as_bytes());
    cell(seed, &canonical)
}

/// Adds the cells of a column to the sums of their rows.
pub fn add_column(seed: u64, column: &ArrayRef, sums: &mut [u128]) -> Result<(), CodecError> {
    let nulls = column.nulls();
    match column.data_type() {
        DataType::Utf8 => {
            let column = column.as_string::<i32>();
            add(nulls, sums, |row| cell(seed, column.value(row).as_bytes()));
        }
        DataType::Decimal128(_, scale) => {
            let exponent = -i32::from(*scale);
            let values = column.as_primitive::<Decimal128Type>().values();
            add(nulls, sums, |row| number(seed, Decimal { mantissa: values[row], exponent }));
        }
        DataType::Int32 => {
            let values = column.as_primitive::<Int32Type>().values();
            add(nulls, sums, |row| number(seed, Decimal { mantissa: values[row].into(), exponent: 0 }));
        }
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>().values();
            add(nulls, sums, |row| number(seed, Decimal { mantissa: values[row].into(), exponent: 0 }));
        }
        DataType::Boolean => {
            let (no, yes) = (cell(seed, &[0]), cell(seed, &[1]));
            let values = column.as_boolean().values();
            add(nulls, sums, |row| if values.value(row) { yes } else { no });
        }
        DataType::Date32 => {
            let values = column.as_primitive::<Date32Type>().values();
            add(nulls, sums, |row| cell(seed, &values[row].to_le_bytes()));
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let values = column.as_primitive::<TimestampMillisecondType>().values();
            add(nulls, sums, |row| cell(seed, &values[row].to_le_bytes()));
        }
        other => return Err(CodecError::Format(format!("a column of type {other}"))),
    }
    Ok(())
}

/// Adds the hashes of the rows that are not null. Most cells of a wide table are null: their bits are skipped by the
/// word, where a branch for each row would be guessed wrong for many.
#[inline]
fn add(nulls: Option<&NullBuffer>, sums: &mut [u128], hash: impl Fn(usize) -> u128) {
    match nulls {
        None => {
            for (row, sum) in sums.iter_mut().enumerate() {
                *sum = sum.wrapping_add(hash(row));
            }
        }
        Some(nulls) => {
            for row in nulls.valid_indices() {
                sums[row] = sums[row].wrapping_add(hash(row));
            }
        }
    }
}

#[cfg(test)]
#[path = "hash_tests.rs"]
mod tests;
