//! Where a part's bytes come from: memory, or ranges that are read as they are needed.

use std::fmt;
use std::io::{self, Cursor};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// A file that is read by ranges.
pub trait Ranges: Send + Sync {
    /// Bytes of the range, all of them. Blocks.
    fn read(&self, range: Range<u64>) -> io::Result<Bytes>;
}

/// The bytes of a part.
#[derive(Clone)]
pub enum PartData {
    /// All of them.
    Whole(Bytes),
    /// Its end, held against its digest by whoever opened it; the rest is read as it is needed.
    ///
    /// The footer in the end names the file's random id, which every encrypted page authenticates: nothing but
    /// this file's pages in their places can be decrypted after it. Without encryption a part must come whole.
    Ranges {
        /// Size of the file.
        size: u64,
        /// Its last bytes: the whole footer.
        end: Bytes,
        /// The file.
        file: Arc<dyn Ranges>,
    },
}

impl fmt::Debug for PartData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartData").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl From<Bytes> for PartData {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl PartData {
    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Ranges { size, .. } => *size,
        }
    }

    /// Bytes at the end of the file, the footer among them.
    pub(crate) fn end(&self) -> Bytes {
        match self {
            Self::Whole(end) | Self::Ranges { end, .. } => end.clone(),
        }
    }

    /// A window on what is in memory already: the end of the file, at least.
    pub(crate) fn held(&self) -> Window {
        match self {
            Self::Whole(bytes) => Window { size: bytes.len() as u64, pieces: vec![(0, bytes.clone())] },
            Self::Ranges { size, end, .. } => {
                Window { size: *size, pieces: vec![(size.saturating_sub(end.len() as u64), end.clone())] }
            }
        }
    }

    /// A window on these ranges, which are in order; what is near together is read at once.
    pub(crate) fn window(&self, ranges: &[Range<u64>]) -> io::Result<Window> {
        /// Bytes that are read for nothing rather than asked for by another request.
        const GAP: u64 = 64 << 10;
        let Self::Ranges { size, file, .. } = self else { return Ok(self.held()) };
        let mut joined: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end + GAP => last.end = last.end.max(range.end),
                _ => joined.push(range.clone()),
            }
        }
        let mut pieces = Vec::with_capacity(joined.len());
        for range in joined {
            let bytes = file.read(range.clone())?;
            if bytes.len() as u64 != range.end - range.start {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was"));
            }
            pieces.push((range.start, bytes));
        }
        Ok(Window { size: *size, pieces })
    }
}

/// Pieces of a file, as the parquet crate reads them.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    size: u64,
    pieces: Vec<(u64, Bytes)>,
}

impl Window {
    fn from(&self, start: u64) -> Result<Bytes> {
        self.pieces
            .iter()
            .rev()
            .find(|(at, bytes)| *at <= start && start <= at + bytes.len() as u64)
            .map(|(at, bytes)| bytes.slice((start - at) as usize..))
            .ok_or_else(|| ParquetError::EOF(format!("byte {start} was not read")))
    }
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Window {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.from(start).map(Cursor::new)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} were not all read")));
        }
        Ok(bytes.slice(..length))
    }
}
