//! One cell of a part as text or JSON, exactly.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use crate::codec::CodecError;
use crate::codec::number::Decimal;
use crate::codec::time::{write_date, write_instant};

/// Writes a cell that is not null as Bulk would, without quotes.
pub(crate) fn write_text(column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let integer = |value: i64| Decimal { mantissa: value.into(), exponent: 0 };
    match column.data_type() {
        DataType::Utf8 => out.extend_from_slice(column.as_string::<i32>().value(row).as_bytes()),
        DataType::Decimal128(_, scale) => {
            let mantissa = column.as_primitive::<Decimal128Type>().value(row);
            Decimal { mantissa, exponent: -i32::from(*scale) }.write(out);
        }
        DataType::Int32 => integer(column.as_primitive::<Int32Type>().value(row).into()).write(out),
        DataType::Int64 => integer(column.as_primitive::<Int64Type>().value(row)).write(out),
        DataType::Boolean => {
            out.extend_from_slice(if column.as_boolean().value(row) { b"true" } else { b"false" });
        }
        DataType::Date32 => write_date(column.as_primitive::<Date32Type>().value(row), out),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            write_instant(column.as_primitive::<TimestampMillisecondType>().value(row), out);
        }
        other => return Err(CodecError::Format(format!("a column of type {other}"))),
    }
    Ok(())
}

/// Whether JSON writes cells of this type without quotes.
pub(crate) fn is_bare(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Int32 | DataType::Int64 | DataType::Boolean)
}
