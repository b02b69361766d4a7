//! What a task works with.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::progress::Tracker;
use crate::secrets::SecretSource;
use crate::serve::ResultSlot;

/// What a task works with; cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Where Secrets and ConfigMaps come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Folder that a volume vault's `path` is relative to: the claim's mount, or the YAML's folder.
    pub volume_root: std::path::PathBuf,
    /// Progress.
    pub tracker: Tracker,
    /// A result for `/result`.
    pub result: ResultSlot,
    /// Set when the task has to stop and keep its journal.
    pub cancel: CancellationToken,
    /// Which pod of the Job this is, from 0.
    pub index: u32,
    /// Name of this process in leases: the pod's name.
    pub holder: String,
}
