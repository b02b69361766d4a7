//! Parts written anew without some of their rows: the same cells, hashes and settings, and nothing else.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use orgkeep_core::schema::ObjectSchema;

use super::find::{FoundPart, unreadable};
use crate::attempt::Attempt;
use crate::codec::file::PartFile;
use crate::codec::key::key_of;
use crate::codec::merged::MergedWriter;
use crate::codec::part::INDEX_FROM;
use crate::codec::{self, CodecError, PartKey, Settings, check_part};
use crate::digest;
use crate::error::{Result, VaultError};
use crate::state::{Part, PartKind};

/// Rows decoded at a time, of rows of usual size.
const ROWS: u64 = 1024;
/// Bytes of cells decoded at a time.
const BYTES: u64 = 8 << 20;

impl Attempt {
    /// Writes a part without the rows of these records (keys ascending); `None` if no row is left.
    ///
    /// What was written is decoded, held against its hashes and counted before it counts as a part.
    pub(super) async fn without(&self, found: &FoundPart, keys: Arc<[u128]>) -> Result<Option<Part>> {
        let vault = self.run().line().vault();
        let old = &found.part;
        let (data, old_key) = vault.open_part(old).await?;
        let key = self.run().data_key(&found.object).await?;
        let (new_key, schema, kind, indexed) =
            (key.part_key(), found.schema.clone(), old.kind, old.index.is_some());
        let (path, left) = (old.path.clone(), old.rows.saturating_sub(found.rows));
        let writing = tokio::task::spawn_blocking(move || {
            let file = PartFile::open(data, old_key.as_ref())?;
            let made = write(&file, &schema, new_key.as_ref(), kind, indexed, &keys)?;
            let rows = match &made {
                Some(part) => check_part(part.bytes.clone(), new_key.as_ref())?.rows,
                None => 0,
            };
            if rows != left {
                return Err(CodecError::Format(format!("{rows} rows were left of it, not {left}")));
            }
            Ok(made)
        });
        let made = writing.await.map_err(|error| VaultError::internal(error.to_string()))?;
        let Some(made) = made.map_err(|error| unreadable(&path, error))? else { return Ok(None) };
        let name = name_of(&old.path);
        let new = self.put_encoded(&found.object, &name, made, &key).await?;
        Ok(Some(Part { kind: old.kind, schema_digest: old.schema_digest.clone(), ..new }))
    }
}

/// A name that follows from the old path, so that no two meet.
pub(super) fn name_of(path: &str) -> String {
    digest::sha256(path.as_bytes()).get(..32).unwrap_or_default().to_owned()
}

fn write(
    file: &PartFile,
    schema: &ObjectSchema,
    key: Option<&PartKey>,
    kind: PartKind,
    indexed: bool,
    keys: &[u128],
) -> Result<Option<codec::Part>, CodecError> {
    let settings = if kind == PartKind::Delta { Settings::delta() } else { Settings::default() };
    let settings = Settings { index_from: indexed.then_some(INDEX_FROM), ..settings };
    let columns = file.schema().clone();
    let mask = file.mask(columns.fields().iter().map(|field| field.name().as_str()));
    // never cut: one file stands in the place of one
    let mut writer = MergedWriter::new(schema, columns.clone(), key, settings, u64::MAX)?;
    let mut made = None;
    let mut ready = |part: codec::Part| {
        if made.replace(part).is_some() {
            return Err(CodecError::Misuse("one part became two"));
        }
        Ok(())
    };
    for group in 0..file.groups() {
        let (rows, bytes) = file.extent(group, &mask);
        let at_a_time = (rows * BYTES / bytes.max(1)).clamp(1, ROWS) as usize;
        for batch in file.read_group(group, &mask, at_a_time)? {
            let batch = batch?;
            let kept = filter_record_batch(&batch, &keep(&batch, keys)?)?;
            if kept.num_rows() > 0 {
                let kept = RecordBatch::try_new(columns.clone(), kept.columns().to_vec())?;
                writer.write(&kept, &mut ready)?;
            }
        }
    }
    writer.finish(&mut ready)?;
    Ok(made)
}

/// Which rows stay.
fn keep(batch: &RecordBatch, keys: &[u128]) -> Result<BooleanArray, CodecError> {
    let ids = batch
        .column_by_name("Id")
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| CodecError::Format("Id is no text".into()))?;
    Ok((0..ids.len())
        .map(|row| {
            let gone = ids.is_valid(row) && keys.binary_search(&key_of(ids.value(row).as_bytes())).is_ok();
            Some(!gone)
        })
        .collect())
}
