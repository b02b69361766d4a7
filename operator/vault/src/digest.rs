//! SHA-256 as the vault writes it: lower-case hex, and `sha256:…` where the algorithm is named with it.

use ring::digest::{Context, SHA256};

/// Hex of the SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(ring::digest::digest(&SHA256, bytes))
}

/// The form that a status and `--expect` name a manifest by.
pub(crate) fn named(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

/// A digest over bytes that come piece by piece.
pub(crate) struct Running(Context, u64);

impl Running {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256), 0)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
        self.1 += bytes.len() as u64;
    }

    /// Bytes seen, and the hex of their digest.
    pub(crate) fn finish(self) -> (u64, String) {
        (self.1, hex::encode(self.0.finish()))
    }
}
