//! Decodes a part again and proves that every row is what was hashed when it was written.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;

use super::error::CodecError;
use super::file::PartFile;
use super::kind::Role;
use super::part::PartKey;
use super::source::PartData;
use super::writer::OWN_COLUMNS;
use super::{hash, raw};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartCheck {
    /// Rows of the part.
    pub rows: u64,
    /// Of these, deletions.
    pub deletes: u64,
}

/// Rows that a check decodes at once.
const BATCH: usize = 1024;

/// Rows of a part by its footer, decrypted: what a ledger counts.
pub fn part_rows(bytes: impl Into<PartData>, key: Option<&PartKey>) -> Result<u64, CodecError> {
    PartFile::open(bytes.into(), key)?.rows()
}

/// Decodes every row of a part, computes its hashes again and holds them against those stored.
pub fn check_part(bytes: impl Into<PartData>, key: Option<&PartKey>) -> Result<PartCheck, CodecError> {
    let file = PartFile::open(bytes.into(), key)?;
    let derived = file.derived()?;
    let mut check = PartCheck::default();
    let mut last = String::new();
    let all = ProjectionMask::all();
    for group in 0..file.groups() {
        for batch in file.read_group(group, &all, BATCH)? {
            check_batch(&batch?, &derived, &mut last, &mut check)?;
        }
    }
    if file.deletes().is_some_and(|noted| noted != check.deletes) {
        return Err(CodecError::Format(format!("{} rows delete, another number was noted", check.deletes)));
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
    let fields = schema.fields().iter().zip(batch.columns());
    for (field, column) in fields.filter(|(field, _)| !field.name().starts_with('_')) {
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
fn is_nobody(id: &str) -> bool {
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
