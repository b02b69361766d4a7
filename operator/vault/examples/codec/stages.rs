//! Where the time of writing goes: stages by themselves, on the same rows.

use arrow_array::RecordBatch;
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::codec::arena::Arena;
use orgkeep_vault::codec::csv::Splitter;
use orgkeep_vault::codec::{Part, PartKey, hash};
use orgkeep_vault::read::{Batches, Keys, PartRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::{Outcome, timed};

/// Seconds of CPU that each stage takes; what is left of the whole is typing the cells.
pub(crate) fn stages(
    csv: &[u8],
    schema: &ObjectSchema,
    parts: &[Part],
    key: &PartKey,
) -> Outcome<Vec<(&'static str, f64)>> {
    let names = schema.columns().map(|field| field.name.clone()).collect();
    let (split, ()) = timed(|| {
        let mut splitter = Splitter::new(names, Some(0));
        let mut arena = Arena::new(schema.columns().count());
        for mut chunk in csv.chunks(64 << 10) {
            while !chunk.is_empty() {
                chunk = &chunk[splitter.push(chunk, &mut arena, 4 << 20)?..];
                if arena.bytes() >= 4 << 20 {
                    arena.clear();
                }
            }
        }
        Ok(())
    })?;
    let (mut hashing, mut plain, mut compressed) = (0.0, 0.0, 0.0);
    // A part at a time, so that memory stays what it is.
    for part in parts {
        let batches = batches(schema, part, key)?;
        let (took, ()) = timed(|| {
            for batch in &batches {
                let mut sums = vec![0_u128; batch.num_rows()];
                for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                    hash::add_column(hash::seed(field.name()), column, &mut sums)?;
                }
                std::hint::black_box(sums);
            }
            Ok(())
        })?;
        hashing += took;
        plain += timed(|| encode(&batches, Compression::UNCOMPRESSED))?.0;
        compressed += timed(|| encode(&batches, Compression::ZSTD(ZstdLevel::try_new(1)?)))?.0;
    }
    Ok(vec![
        ("splitting CSV", split),
        ("hashing rows", hashing),
        ("encoding Parquet", plain),
        ("zstd 1", compressed - plain),
    ])
}

/// The rows of a part as Arrow batches, as many in each as are typed at once.
fn batches(schema: &ObjectSchema, part: &Part, key: &PartKey) -> Outcome<Vec<RecordBatch>> {
    let parts = vec![PartRef { path: String::new(), min_id: part.facts.min_id, max_id: part.facts.max_id }];
    let mut reading = Batches::new(schema, None, Keys::All, parts, |_: &PartRef| {
        Ok((part.bytes.clone().into(), Some(key.clone())))
    })?;
    let mut batches = Vec::new();
    while let Some(batch) = reading.next()? {
        batches.push(batch);
    }
    Ok(batches)
}

/// The batches as a file like ours: one page a column of a row group, no dictionary.
fn encode(batches: &[RecordBatch], compression: Compression) -> Outcome<usize> {
    let Some(first) = batches.first() else { return Ok(0) };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_size_limit(usize::MAX)
        .set_data_page_row_count_limit(usize::MAX)
        .set_max_row_group_row_count(Some(16 << 10))
        .set_column_encoding(ColumnPath::from("Id"), Encoding::DELTA_BYTE_ARRAY)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), first.schema(), Some(properties))?;
    for batch in batches {
        writer.write(batch)?;
    }
    Ok(writer.into_inner()?.len())
}
