//! A whole file in order, piece by piece, for a thread that may block.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;

use super::volume::from_io;
use super::{Storage, StorageResult};

/// Bytes of a piece of a file in a directory: what the nearest cache of a processor holds while they are worked on.
const LOCAL_PIECE: usize = 256 << 10;

/// The pieces of a file; no more than it was said to have.
pub(crate) struct Pieces<'a> {
    storage: &'a Arc<dyn Storage>,
    path: &'a str,
    at: u64,
    size: u64,
    local: Option<File>,
    runtime: Handle,
    piece: BytesMut,
    local_piece: Vec<u8>,
}

impl<'a> Pieces<'a> {
    /// Of a file with so many bytes.
    pub(crate) fn open(
        storage: &'a Arc<dyn Storage>,
        path: &'a str,
        size: u64,
        runtime: Handle,
    ) -> StorageResult<Self> {
        let local = storage.open_local(path).transpose()?;
        Ok(Self {
            storage,
            path,
            at: 0,
            size,
            local,
            runtime,
            piece: BytesMut::new(),
            local_piece: Vec::new(),
        })
    }

    /// The next piece, of whatever size; none at the end. What the caller does to it stays without effect.
    pub(crate) fn next(&mut self) -> StorageResult<Option<&mut [u8]>> {
        let left = self.size - self.at;
        let many = match &mut self.local {
            Some(file) => {
                self.local_piece.clear();
                // into room that is there, which a buffer of zeros would have to be made for each file
                self.local_piece.reserve(LOCAL_PIECE);
                let mut some = file.take(left.min(LOCAL_PIECE as u64));
                some.read_to_end(&mut self.local_piece).map_err(|error| from_io(self.path, &error))?;
                let many = self.local_piece.len();
                self.at += many as u64;
                return Ok(Some(self.local_piece.as_mut_slice()).filter(|_| many > 0));
            }
            None if left == 0 => 0,
            None => {
                let end = self.at + left.min(self.storage.step());
                let bytes: Bytes = self.runtime.block_on(self.storage.get_range(self.path, self.at..end))?;
                self.piece = bytes.into();
                self.piece.len()
            }
        };
        self.at += many as u64;
        Ok(if many == 0 { None } else { Some(&mut self.piece[..many]) })
    }
}
