//! An opened part: its footer, and its row groups as they are asked for.

use std::ops::Range;

use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::error::CodecError;
use super::key::key_of;
use super::part::PartKey;
use super::source::PartData;
use super::writer::{FORMAT, META_DELETES, META_DERIVED, META_FORMAT};

/// A part whose footer is read and authentic.
#[derive(Debug, Clone)]
pub(crate) struct PartFile {
    data: PartData,
    metadata: ArrowReaderMetadata,
    id: Option<usize>,
}

impl PartFile {
    /// Opens a part; one that should be encrypted and is not is refused.
    pub(crate) fn open(data: PartData, key: Option<&PartKey>) -> Result<Self, CodecError> {
        let mut options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let held = data.held();
        if let Some(key) = key {
            let end = parquet::file::reader::ChunkReader::get_bytes(&held, data.size().saturating_sub(4), 4)?;
            if *end != *b"PARE" {
                return Err(CodecError::Format("not encrypted, though there is a key for it".into()));
            }
            options = options.with_file_decryption_properties(key.decryption()?);
        }
        let metadata = ArrowReaderMetadata::load(&held, options)?;
        let id = metadata.schema().index_of("Id").ok();
        let file = Self { data, metadata, id };
        match file.meta(META_FORMAT) {
            Some(FORMAT) => Ok(file),
            Some(other) => Err(CodecError::Format(format!("version {other}, known is {FORMAT}"))),
            None => Err(CodecError::Format(format!("no {META_FORMAT} in its metadata"))),
        }
    }

    fn meta(&self, name: &str) -> Option<&str> {
        let pairs = self.metadata.metadata().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == name)?.value.as_deref()
    }

    /// Columns of the file.
    pub(crate) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Rows of the file.
    pub(crate) fn rows(&self) -> Result<u64, CodecError> {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows())
            .map_err(|_| CodecError::Format("a negative number of rows".into()))
    }

    /// Rows that delete; not known of files that were written before this was noted.
    pub(crate) fn deletes(&self) -> Option<u64> {
        self.meta(META_DELETES)?.parse().ok()
    }

    /// Fields that go into `_hash_derived`.
    pub(crate) fn derived(&self) -> Result<Vec<String>, CodecError> {
        serde_json::from_str(self.meta(META_DERIVED).unwrap_or("[]"))
            .map_err(|_| CodecError::Format(format!("{META_DERIVED} is not a list")))
    }

    /// Row groups.
    pub(crate) fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Least and greatest key of a row group.
    pub(crate) fn keys(&self, group: usize) -> Option<(u128, u128)> {
        let statistics = self.metadata.metadata().row_group(group).column(self.id?).statistics()?;
        Some((key_of(statistics.min_bytes_opt()?), key_of(statistics.max_bytes_opt()?)))
    }

    /// Which of these columns the file has, as a mask for [`Self::read_group`].
    pub(crate) fn mask<'a>(&self, names: impl Iterator<Item = &'a str>) -> ProjectionMask {
        let present = names.filter_map(|name| self.schema().index_of(name).ok());
        ProjectionMask::roots(self.metadata.parquet_schema(), present)
    }

    /// Rows of a row group, and where each of its columns is with how many values.
    #[allow(clippy::type_complexity)] // told by the line above
    pub(super) fn chunks(&self, group: usize) -> Result<(u64, Vec<(Range<u64>, u64)>), CodecError> {
        let group = self.metadata.metadata().row_group(group);
        let count = |number: i64| {
            u64::try_from(number).map_err(|_| CodecError::Format("a negative number of values".into()))
        };
        let mut chunks = Vec::with_capacity(group.num_columns());
        for column in group.columns() {
            let (start, length) = column.byte_range();
            chunks.push((start..start + length, count(column.num_values())?));
        }
        Ok((count(group.num_rows())?, chunks))
    }

    /// Rows of a row group, and bytes of these of its columns before compression.
    pub(crate) fn extent(&self, group: usize, mask: &ProjectionMask) -> (u64, u64) {
        let group = self.metadata.metadata().row_group(group);
        let columns = group.columns().iter().enumerate().filter(|(at, _)| mask.leaf_included(*at));
        let bytes = columns.map(|(_, column)| column.uncompressed_size().unsigned_abs()).sum();
        (group.num_rows().unsigned_abs(), bytes)
    }

    fn ranges(&self, group: usize, mask: &ProjectionMask) -> Vec<Range<u64>> {
        let columns = self.metadata.metadata().row_group(group).columns();
        let mut ranges: Vec<_> = columns
            .iter()
            .enumerate()
            .filter(|(at, _)| mask.leaf_included(*at))
            .map(|(_, column)| {
                let (start, length) = column.byte_range();
                start..start + length
            })
            .collect();
        ranges.sort_by_key(|range| range.start);
        ranges
    }

    /// Decodes columns of a row group.
    pub(crate) fn read_group(
        &self,
        group: usize,
        mask: &ProjectionMask,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, CodecError> {
        let window = self.data.window(&self.ranges(group, mask)).map_err(CodecError::Read)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(window, self.metadata.clone());
        Ok(builder
            .with_row_groups(vec![group])
            .with_projection(mask.clone())
            .with_batch_size(batch_rows)
            .build()?)
    }
}
