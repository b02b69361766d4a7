//! Keys that never leave a key management service: it wraps and unwraps the root key.

mod aws;

use std::fmt;

use async_trait::async_trait;

use super::envelope::Secret;
use crate::error::Result;
pub(super) use aws::{AWS, Aws};

/// A key of a key management service. What it wrapped can be unwrapped by the same key for the same vault only.
#[async_trait]
pub trait Kms: fmt::Debug + Send + Sync {
    /// The key's address, which tells it apart from others and holds no secret.
    fn id(&self) -> &str;

    /// Wraps 32 bytes for a vault; text that can be stored in the clear.
    async fn wrap(&self, vault_id: &str, secret: &Secret) -> Result<String>;

    /// What was wrapped; `None` if it was not wrapped by this key for this vault.
    async fn unwrap(&self, vault_id: &str, wrapped: &str) -> Result<Option<Secret>>;
}
