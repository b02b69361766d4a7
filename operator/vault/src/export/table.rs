//! Rows as Parquet. What is encrypted has the form of the vault's own parts, the one that DuckDB and pyarrow read; what
//! is not has several pages in a column of a row group.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::sink::Sink;
use crate::codec::{CodecError, PartKey};

/// Rows of a row group.
const GROUP_ROWS: usize = 64 << 10;
/// Of an encrypted one, whose columns are a page each.
const PAGE_ROWS: usize = 16 << 10;
/// Bytes of a row group that are held.
const GROUP_BYTES: usize = 24 << 20;
/// Level of zstd.
const ZSTD: i32 = 3;

/// Writes batches into a file.
pub(super) struct TableWriter {
    writer: ArrowWriter<Sink>,
    group_rows: usize,
    rows: u64,
}

impl TableWriter {
    /// A file of these columns, encrypted if there is a key.
    pub(super) fn new(sink: Sink, schema: &SchemaRef, key: Option<&PartKey>) -> Result<Self, CodecError> {
        let mut builder = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by(concat!("orgkeep ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD)?))
            // Row groups are cut by us.
            .set_max_row_group_row_count(None)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            // As in the vault's own parts: dictionaries cost time there and make a second page.
            .set_dictionary_enabled(false)
            .set_offset_index_disabled(true);
        if let Some(key) = key {
            builder = builder
                .set_data_page_size_limit(usize::MAX)
                .set_data_page_row_count_limit(usize::MAX)
                .with_file_encryption_properties(key.encryption()?);
        }
        let options =
            ArrowWriterOptions::new().with_properties(builder.build()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, schema.clone(), options)?;
        Ok(Self { writer, group_rows: if key.is_some() { PAGE_ROWS } else { GROUP_ROWS }, rows: 0 })
    }

    /// More rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), CodecError> {
        self.writer.write(batch)?;
        self.rows += batch.num_rows() as u64;
        if self.writer.in_progress_rows() >= self.group_rows || self.writer.in_progress_size() >= GROUP_BYTES
        {
            self.writer.flush()?;
        }
        Ok(())
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the file; the sink, which holds all of it.
    pub(super) fn finish(self) -> Result<Sink, CodecError> {
        Ok(self.writer.into_inner()?)
    }
}
