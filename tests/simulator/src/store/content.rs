//! Contents of base64 fields: small ones in memory, large ones in files without a name, which are gone with the last
//! that knows them.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use md5::{Digest as _, Md5};

/// Bytes that stay in memory.
const IN_MEMORY: usize = 4 * 1024 * 1024;
/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// A content, with what is told of it. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Content(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    md5: Box<str>,
    length: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Bytes),
    File(File),
}

impl Content {
    /// Its MD5 in hexadecimal digits, as `Checksum` has it.
    pub fn md5(&self) -> &str {
        &self.0.md5
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.0.length
    }

    /// Writes it, piece by piece.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.0.place {
            Place::Memory(bytes) => out.write_all(bytes),
            Place::File(file) => {
                let mut piece = vec![0; PIECE];
                let mut at = 0;
                while at < self.0.length {
                    let left = usize::try_from(self.0.length - at).unwrap_or(PIECE).min(PIECE);
                    file.read_exact_at(&mut piece[..left], at)?;
                    out.write_all(&piece[..left])?;
                    at += left as u64;
                }
                Ok(())
            }
        }
    }

    /// The whole of it, in memory.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        if let Place::Memory(bytes) = &self.0.place {
            return Ok(bytes.clone());
        }
        let mut whole = Vec::new();
        self.write_to(&mut whole)?;
        Ok(whole.into())
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        let md5 = hex(&Md5::digest(&bytes)).into();
        Self(Arc::new(Inner { md5, length: bytes.len() as u64, place: Place::Memory(bytes) }))
    }
}

/// Takes a content in as it comes.
#[derive(Default)]
pub struct ContentWriter {
    memory: Vec<u8>,
    file: Option<File>,
    digest: Md5,
    length: u64,
}

impl std::fmt::Debug for ContentWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentWriter").field("length", &self.length).finish_non_exhaustive()
    }
}

impl ContentWriter {
    /// How many bytes came so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// All of it has come.
    pub fn finish(self) -> Content {
        let place = self.file.map_or_else(|| Place::Memory(self.memory.into()), Place::File);
        Content(Arc::new(Inner { md5: hex(&self.digest.finalize()).into(), length: self.length, place }))
    }
}

impl Write for ContentWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            None if self.memory.len() + data.len() <= IN_MEMORY => self.memory.extend_from_slice(data),
            None => {
                let mut file = unnamed()?;
                file.write_all(&std::mem::take(&mut self.memory))?;
                file.write_all(data)?;
                self.file = Some(file);
            }
            Some(file) => file.write_all(data)?,
        }
        self.digest.update(data);
        self.length += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(32), |mut text, byte| {
        // writing to a string does not fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A file for reading and writing that nobody finds.
fn unnamed() -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path =
        std::env::temp_dir().join(format!("orgkeep-simulator-content-{}-{number}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn large_ones_are_in_a_file_and_read_the_same() {
        for bytes in [0, 10, IN_MEMORY, IN_MEMORY + 1, 2 * IN_MEMORY + 7] {
            let whole: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
            let mut writer = ContentWriter::default();
            whole.chunks(100_000).for_each(|part| writer.write_all(part).unwrap());
            let (written, kept) = (writer.finish(), Content::from(Bytes::from(whole.clone())));
            assert_eq!((written.md5(), written.length()), (kept.md5(), bytes as u64));
            assert_eq!(written.to_bytes().unwrap(), whole);
            assert_eq!(matches!(written.0.place, Place::File(_)), bytes > IN_MEMORY);
        }
    }
}
