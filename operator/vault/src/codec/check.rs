//! Decodes a part again and proves that every row is what was hashed when it was written.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::error::CodecError;
use super::kind::Role;
use super::part::PartKey;
use super::writer::{FORMAT, META_DERIVED, META_FORMAT, OWN_COLUMNS};
use super::{hash, raw};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartCheck {
    /// Rows of the part.
    pub rows: u64,
    /// Of these, deletions.
    pub deletes: u64,
}

/// Rows that a read decodes at once.
const BATCH: usize = 1024;

/// Opens a part; a part that should be encrypted and is not is refused.
pub(crate) fn open(
    bytes: Bytes,
    key: Option<&PartKey>,
) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, CodecError> {
    let mut options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    if let Some(key) = key {
        if !bytes.ends_with(b"PARE") {
            return Err(CodecError::Format("not encrypted, though there is a key for it".into()));
        }
        options = options.with_file_decryption_properties(key.decryption()?);
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)?;
    match meta(&builder, META_FORMAT) {
        Some(FORMAT) => Ok(builder.with_batch_size(BATCH)),
        Some(other) => Err(CodecError::Format(format!("version {other}, known is {FORMAT}"))),
        None => Err(CodecError::Format(format!("no {META_FORMAT} in its metadata"))),
    }
}

fn meta<'a>(builder: &'a ParquetRecordBatchReaderBuilder<Bytes>, name: &str) -> Option<&'a str> {
    let pairs = builder.metadata().file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == name)?.value.as_deref()
}

/// Rows of a part by its footer, decrypted: what a ledger counts.
pub fn part_rows(bytes: Bytes, key: Option<&PartKey>) -> Result<u64, CodecError> {
    let builder = open(bytes, key)?;
    u64::try_from(builder.metadata().file_metadata().num_rows())
        .map_err(|_| CodecError::Format("a negative number of rows".into()))
}

/// Decodes every row of a part, computes its hashes again and holds them against those stored.
pub fn check_part(bytes: Bytes, key: Option<&PartKey>) -> Result<PartCheck, CodecError> {
    let builder = open(bytes, key)?;
    let derived = meta(&builder, META_DERIVED).unwrap_or("[]");
    let derived: Vec<String> = serde_json::from_str(derived)
        .map_err(|_| CodecError::Format(format!("{META_DERIVED} is not a list")))?;
    let mut check = PartCheck::default();
    let mut last = String::new();
    for batch in builder.build()? {
        check_batch(&batch?, &derived, &mut last, &mut check)?;
    }
    Ok(check)
}

fn check_batch(
    batch: &RecordBatch,
    derived: &[String],
    last: &mut String,
    check: &mut PartCheck,
) -> Result<(), CodecError> {
    let (mut sums, mut derived_sums) = (vec![0; batch.num_rows()], vec![0; batch.num_rows()]);
    let schema = batch.schema();
    let role = |name: &str| Role::of(name, derived.iter().any(|field| field == name));
    for (field, column) in schema.fields().iter().zip(batch.columns()).skip(OWN_COLUMNS.len()) {
        match role(field.name()) {
            Role::Compared => hash::add_column(hash::seed(field.name()), column, &mut sums)?,
            Role::Derived => hash::add_column(hash::seed(field.name()), column, &mut derived_sums)?,
            Role::Viewed => {}
        }
    }
    let own = own_columns(batch)?;
    for row in (0..batch.num_rows()).filter(|row| own.raw.is_valid(*row)) {
        for (name, text) in raw::decode(own.raw.value(row))? {
            let of = schema
                .field_with_name(&name)
                .map_err(|_| CodecError::Format(format!("_raw names {name}, which is no column")))?;
            let sums = match role(&name) {
                Role::Compared => &mut sums,
                Role::Derived => &mut derived_sums,
                Role::Viewed => continue,
            };
            sums[row] = sums[row].wrapping_add(hash::raw(hash::seed(&name), of.data_type(), &text));
        }
    }
    let ids = batch.column_by_name("Id").and_then(|ids| ids.as_string_opt::<i32>());
    for row in 0..batch.num_rows() {
        let at = check.rows;
        match own.op.is_valid(row).then(|| own.op.value(row)) {
            Some("upsert") => {
                let fits = own.hash.is_valid(row) && own.hash.value(row) == sums[row].to_le_bytes();
                let derived_fits = if derived.is_empty() {
                    own.derived.is_null(row)
                } else {
                    own.derived.is_valid(row) && own.derived.value(row) == derived_sums[row].to_le_bytes()
                };
                if !fits || !derived_fits {
                    return Err(CodecError::Hash { row: at });
                }
            }
            Some("delete") => check.deletes += 1,
            other => return Err(CodecError::Format(format!("_op is {other:?}"))),
        }
        if let Some(ids) = ids {
            let id = ids.value(row);
            if id < last.as_str() || (id == last.as_str() && !is_nobody(id)) {
                return Err(CodecError::Order { row: at });
            }
            last.replace_range(.., id);
        }
        check.rows += 1;
    }
    Ok(())
}

/// The Id that virtual objects give to every row.
pub(crate) fn is_nobody(id: &str) -> bool {
    id == "000000000000000AAA"
}

/// The columns of ours in a batch.
struct OwnColumns<'a> {
    op: &'a arrow_array::StringArray,
    hash: &'a arrow_array::FixedSizeBinaryArray,
    derived: &'a arrow_array::FixedSizeBinaryArray,
    raw: &'a arrow_array::StringArray,
}

fn own_columns(batch: &RecordBatch) -> Result<OwnColumns<'_>, CodecError> {
    let expected =
        [DataType::Utf8, DataType::FixedSizeBinary(16), DataType::FixedSizeBinary(16), DataType::Utf8];
    for (at, (name, kind)) in OWN_COLUMNS.iter().zip(expected).enumerate() {
        let schema = batch.schema();
        if schema.fields().get(at).is_none_or(|field| field.name() != name || *field.data_type() != kind) {
            return Err(CodecError::Format(format!("column {at} is not {name}")));
        }
    }
    Ok(OwnColumns {
        op: batch.column(0).as_string(),
        hash: batch.column(1).as_fixed_size_binary(),
        derived: batch.column(2).as_fixed_size_binary(),
        raw: batch.column(3).as_string(),
    })
}
