//! Limits: how fast what cannot be had faster is, on the same bytes in the same run.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::Outcome;
use crate::meter::cpu;

/// MB per second of CPU of what cannot be had faster, on the same bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Copying.
    pub(crate) memcpy: f64,
    /// SHA-256, by `ring`.
    pub(crate) sha256: f64,
    /// AES-256-GCM, by `ring`.
    pub(crate) aes: f64,
    /// xxh3 with 128 bits.
    pub(crate) xxh3: f64,
    /// zstd at level 1, in pages of a megabyte.
    pub(crate) zstd: f64,
    /// What zstd leaves.
    pub(crate) zstd_ratio: f64,
}

impl Limits {
    /// Between two measurements.
    pub(crate) fn mean(&self, other: &Self) -> Self {
        let mean = |one: f64, other: f64| f64::midpoint(one, other);
        Self {
            memcpy: mean(self.memcpy, other.memcpy),
            sha256: mean(self.sha256, other.sha256),
            aes: mean(self.aes, other.aes),
            xxh3: mean(self.xxh3, other.xxh3),
            zstd: mean(self.zstd, other.zstd),
            zstd_ratio: self.zstd_ratio,
        }
    }

    /// Measured on the first 200 MB of a file, a CPU second each.
    pub(crate) fn of(csv: &Path) -> Outcome<Self> {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        std::fs::File::open(csv)?.take(200 << 20).read_to_end(&mut bytes)?;
        let megabytes = bytes.len() as f64 / 1e6;
        let speed = |work: &mut dyn FnMut() -> Outcome<()>| -> Outcome<f64> {
            let now = || cpu().map(|(user, system)| user + system);
            let start = now()?;
            let mut rounds = 0.0;
            while now()? - start < 1.0 {
                work()?;
                rounds += 1.0;
            }
            Ok(megabytes * rounds / (now()? - start))
        };
        let mut target = vec![0; bytes.len()];
        let memcpy = speed(&mut || {
            target.copy_from_slice(std::hint::black_box(&bytes));
            Ok(())
        })?;
        let sha256 = speed(&mut || {
            std::hint::black_box(ring::digest::digest(&ring::digest::SHA256, &bytes));
            Ok(())
        })?;
        let key = ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &[7; 32]).map_err(|_| "no key")?;
        let key = ring::aead::LessSafeKey::new(key);
        let aes = speed(&mut || {
            let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
            let tag = key.seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), &mut target);
            tag.map(drop).map_err(|_| "not sealed".into())
        })?;
        let xxh3 = speed(&mut || {
            std::hint::black_box(xxhash_rust::xxh3::xxh3_128(&bytes));
            Ok(())
        })?;
        let mut compressed = 0;
        let zstd = speed(&mut || {
            compressed = compress(&bytes)?;
            Ok(())
        })?;
        Ok(Self { memcpy, sha256, aes, xxh3, zstd, zstd_ratio: compressed as f64 / bytes.len() as f64 })
    }
}

/// The bytes through zstd 1 in pages of a megabyte; how many come out.
fn compress(bytes: &[u8]) -> Outcome<usize> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_size_limit(1)
        .build();
    let blob = |chunk| Arc::new(BinaryArray::from_vec(vec![chunk])) as ArrayRef;
    let first = RecordBatch::try_from_iter([("b", blob(&bytes[..0]))])?;
    let mut writer = ArrowWriter::try_new(Vec::new(), first.schema(), Some(properties))?;
    for chunk in bytes.chunks(1 << 20) {
        writer.write(&RecordBatch::try_from_iter([("b", blob(chunk))])?)?;
    }
    Ok(writer.into_inner()?.len())
}
