//! Delta Lake tables: one for each object.

use std::sync::Arc;

use super::{ExportError, Exported, Options, Result};
use crate::manifest::Manifest;
use crate::storage::Storage;
use crate::vault::Vault;

/// Exports.
pub(super) async fn export(
    _vault: &Vault,
    _manifest: &Manifest,
    _target: &Arc<dyn Storage>,
    _options: &Options,
    _told: impl Fn(&Exported),
) -> Result<Exported> {
    Err(ExportError::Options("delta".to_owned()))
}
