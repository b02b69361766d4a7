//! Bodies that may be larger than memory should hold: beyond a few megabytes they are put into a file that has no
//! name any more, and is gone with the last who reads it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flate2::write::GzDecoder;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use hyper::body::Body as HttpBody;

/// Bytes that stay in memory.
const IN_MEMORY: usize = 4 * 1024 * 1024;
/// Bytes that are kept at most; the rest is read and counted, so that the handler can say that it was too much.
const KEPT: u64 = 160 * 1024 * 1024;

/// A body that was read to its end.
#[derive(Debug)]
pub(crate) struct Spooled {
    content: Content,
    bytes: u64,
    received: u64,
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    File(File),
}

/// Whether a call may have a body of any size.
pub(crate) fn is_large(method: &Method, path: &str) -> bool {
    *method == Method::PUT && path.contains("/jobs/ingest/")
}

impl Spooled {
    /// Reads a body; what is compressed is kept as it was before.
    pub(crate) async fn read<B>(mut body: B, headers: &HeaderMap) -> io::Result<Self>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let coding = headers.get("content-encoding").and_then(|coding| coding.to_str().ok());
        let is_gzip = coding.is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let mut received = 0;
        let mut sink = if is_gzip {
            Decoding::Gzip(Box::new(GzDecoder::new(Sink::default())))
        } else {
            Decoding::None(Sink::default())
        };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            let Ok(data) = frame.into_data() else { continue };
            received += data.len() as u64;
            match &mut sink {
                Decoding::None(sink) => sink.write_all(&data)?,
                Decoding::Gzip(sink) => sink.write_all(&data)?,
            }
        }
        let sink = match sink {
            Decoding::None(sink) => sink,
            Decoding::Gzip(decoder) => decoder.finish()?,
        };
        let content = sink.file.map_or_else(|| Content::Memory(sink.memory.into()), Content::File);
        Ok(Self { content, bytes: sink.bytes, received })
    }

    /// Content that is in memory already.
    pub(crate) fn of(content: Bytes) -> Self {
        let bytes = content.len() as u64;
        Self { content: Content::Memory(content), bytes, received: bytes }
    }

    /// How many bytes it has; of one that was too large fewer can be read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many went over the wire.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// A part of it; less where it ends.
    pub(crate) fn read_at(&self, from: u64, length: usize) -> io::Result<Bytes> {
        match &self.content {
            Content::Memory(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(from..from.saturating_add(length).min(bytes.len())))
            }
            Content::File(file) => {
                let left = self.bytes.min(KEPT).saturating_sub(from);
                let mut part = vec![0; length.min(usize::try_from(left).unwrap_or(usize::MAX))];
                file.read_exact_at(&mut part, from)?;
                Ok(part.into())
            }
        }
    }
}

enum Decoding {
    None(Sink),
    Gzip(Box<GzDecoder<Sink>>),
}

#[derive(Debug, Default)]
struct Sink {
    memory: Vec<u8>,
    file: Option<File>,
    bytes: u64,
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let kept = usize::try_from(KEPT.saturating_sub(self.bytes)).unwrap_or(usize::MAX).min(data.len());
        match &mut self.file {
            None if self.memory.len() + kept <= IN_MEMORY => self.memory.extend_from_slice(&data[..kept]),
            None => {
                let mut file = unnamed()?;
                file.write_all(&std::mem::take(&mut self.memory))?;
                file.write_all(&data[..kept])?;
                self.file = Some(file);
            }
            Some(file) => file.write_all(&data[..kept])?,
        }
        self.bytes += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file for reading and writing that nobody finds.
fn unnamed() -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("orgkeep-simulator-{}-{number}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn large_ones_are_in_a_file_and_read_the_same() {
        for bytes in [10, IN_MEMORY, IN_MEMORY + 1] {
            let content: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
            let plain =
                Spooled::read(Full::new(Bytes::from(content.clone())), &HeaderMap::new()).await.unwrap();
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&content).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert("content-encoding", "gzip".parse().unwrap());
            let packed = Full::new(Bytes::from(encoder.finish().unwrap()));
            let packed = Spooled::read(packed, &headers).await.unwrap();
            for spooled in [plain, packed] {
                assert_eq!(spooled.bytes(), bytes as u64);
                assert_eq!(spooled.read_at(0, usize::MAX >> 1).unwrap(), content);
                assert_eq!(spooled.read_at(bytes as u64 - 3, 9).unwrap(), content[bytes - 3..]);
                assert!(spooled.read_at(bytes as u64 + 5, 9).unwrap().is_empty());
            }
        }
    }
}
