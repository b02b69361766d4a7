//! Bundles: snapshots of a vault in one file, for a site that no network reaches.
//!
//! A bundle is a tar archive. Its first member, `bundle.json`, is signed by the vault's key and names every other
//! member with its size and digest, in order, and what must be at the other side already ([`index`]). What is in it is
//! encrypted as it is in the vault: who carries it needs no key, and who applies it neither. Files come before the
//! manifests that name them, so that a bundle can be read once, from a pipe, and one that is cut leaves whole snapshots
//! or none.

mod apply;
mod create;
mod error;
mod index;
mod tar;

use serde::Serialize;

pub use apply::{apply, verify};
pub use create::{Selection, create};
pub use error::BundleError;

/// Result of what is done with bundles.
pub type Result<T, E = BundleError> = std::result::Result<T, E>;

/// What is in a bundle, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundled {
    /// Drawn when it was made.
    pub bundle_id: String,
    /// The vault.
    pub vault_id: String,
    /// Public half of the key that signed it, base64: compare it with what you know of the vault.
    pub signing_key: String,
    /// Lines of history.
    pub lines: u64,
    /// Snapshots that were written (by `apply`: that were not there).
    pub snapshots: u64,
    /// Snapshots that were there.
    pub present: u64,
    /// Files that were written.
    pub files: u64,
    /// Bytes of all members that were written or read.
    pub bytes: u64,
    /// Snapshots that must be at the other side already, `<line>/<number>`.
    pub needs: Vec<String>,
}
