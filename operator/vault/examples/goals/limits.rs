//! Limits: how fast what cannot be had faster is, on the same bytes in the same run.

use std::io::Read;
use std::path::Path;

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
}

impl Limits {
    /// Measured on the first 200 MB of a file, a CPU second each.
    pub(crate) fn of(csv: &Path) -> Outcome<Self> {
        let mut bytes = Vec::new();
        std::fs::File::open(csv)?.take(200 << 20).read_to_end(&mut bytes)?;
        let megabytes = bytes.len() as f64 / 1e6;
        // As many threads as a vault works with at a time: two that run at once may be slower than one.
        let speed = |threads: usize, work: &(dyn Fn(&mut Vec<u8>) -> Outcome<()> + Sync)| -> Outcome<f64> {
            let now = || cpu().map(|(user, system)| user + system);
            let mut targets = vec![bytes.clone(); threads];
            let start = now()?;
            let mut rounds = 0.0;
            while now()? - start < 1.0 {
                std::thread::scope(|scope| {
                    let running: Vec<_> =
                        targets.iter_mut().map(|target| scope.spawn(move || work(target))).collect();
                    running.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread broke")?)
                })?;
                rounds += threads as f64;
            }
            Ok(megabytes * rounds / (now()? - start))
        };
        let memcpy = speed(1, &|target| {
            target.copy_from_slice(std::hint::black_box(&bytes));
            Ok(())
        })?;
        let sha256 = speed(2, &|target| {
            std::hint::black_box(ring::digest::digest(&ring::digest::SHA256, target));
            Ok(())
        })?;
        let key = ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &[7; 32]).map_err(|_| "no key")?;
        let key = ring::aead::LessSafeKey::new(key);
        let aes = speed(1, &|target| {
            let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
            let tag = key.seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), target);
            tag.map(drop).map_err(|_| "not sealed".into())
        })?;
        let xxh3 = speed(1, &|target| {
            std::hint::black_box(xxhash_rust::xxh3::xxh3_128(target));
            Ok(())
        })?;
        Ok(Self { memcpy, sha256, aes, xxh3 })
    }
}

/// Hands on what it reads, and compresses it by zstd 1 in passing, some megabytes at a time, into the same memory each
/// time: so the limit is measured at the moment at which the work is that is held against it. The machine is not equally
/// fast all the time.
pub(crate) struct Beside<R> {
    inner: R,
    slice: Vec<u8>,
    compressed: Vec<u8>,
    compressor: zstd::bulk::Compressor<'static>,
    /// Bytes read, and what zstd made of them.
    pub(crate) bytes: [u64; 2],
    /// Seconds of CPU that zstd took.
    pub(crate) cpu: f64,
}

/// Bytes that are compressed at a time.
const SLICE: usize = 16 << 20;
/// … in pages of this size.
const PAGE: usize = 1 << 20;

impl<R: Read> Beside<R> {
    pub(crate) fn new(inner: R) -> Outcome<Self> {
        let compressor = zstd::bulk::Compressor::new(1)?;
        let (slice, compressed) = (Vec::with_capacity(SLICE), vec![0; 2 * PAGE]);
        Ok(Self { inner, slice, compressed, compressor, bytes: [0; 2], cpu: 0.0 })
    }

    /// MB of input per second of CPU.
    pub(crate) fn speed(&self) -> f64 {
        self.bytes[0] as f64 / 1e6 / self.cpu
    }

    fn compress(&mut self) -> std::io::Result<()> {
        let start = thread_cpu()?;
        for page in self.slice.chunks(PAGE) {
            self.bytes[1] += self.compressor.compress_to_buffer(page, self.compressed.as_mut_slice())? as u64;
        }
        self.cpu += thread_cpu()? - start;
        self.bytes[0] += self.slice.len() as u64;
        self.slice.clear();
        Ok(())
    }
}

impl<R: Read> Read for Beside<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let many = self.inner.read(buffer)?;
        self.slice.extend_from_slice(&buffer[..many]);
        if self.slice.len() + buffer.len() > SLICE || many == 0 {
            self.compress()?;
        }
        Ok(many)
    }
}

/// Seconds of CPU of this thread.
fn thread_cpu() -> std::io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = stat.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
    nanos.map(|nanos| nanos / 1e9).ok_or_else(|| std::io::Error::other("no schedstat"))
}
