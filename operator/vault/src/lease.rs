//! The lease: one writer per line.
//!
//! It keeps honest writers apart; what protects the history from one thought dead is the conditional put of the
//! manifest, and the void that whoever takes over an expired lease puts before it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::erase::{ERASES, Redaction};
use crate::error::{Result, VaultError};
use crate::keys::envelope::random;
use crate::layout::{self, FORMAT_VERSION};
use crate::line::Line;
use crate::manifest::{Manifest, ParentRef};
use crate::storage::{StorageErrorKind, Version};
use crate::vault::now;

/// Clocks may differ by so much.
const SKEW: Duration = Duration::from_secs(5);
/// Tries at a lease that others want, too.
const TRIES: usize = 5;

/// `lease.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseDocument {
    format_version: u32,
    line_id: String,
    run_id: String,
    /// Random, of this holder alone.
    token: String,
    acquired_at: String,
    expires_at: Timestamp,
    released: bool,
}

/// The right to write a line, for a while.
#[derive(Debug)]
pub struct Lease {
    line: Line,
    document: LeaseDocument,
    version: Version,
    duration: Duration,
}

fn expiry(duration: Duration) -> Result<Timestamp> {
    Timestamp::now().checked_add(duration).map_err(|error| VaultError::internal(error.to_string()))
}

fn is_conflict(error: &VaultError) -> bool {
    matches!(error, VaultError::Storage(error) if error.kind == StorageErrorKind::Conflict)
}

impl Line {
    /// Takes the line's lease for a run. A later attempt of the same run takes it on at once, another run once
    /// it is released, or expired: then a void takes the number that the former holder may be about to commit.
    pub async fn lease(&self, run_id: &str, duration: Duration) -> Result<Lease> {
        let vault = self.vault();
        let path = layout::lease(self.id());
        for _ in 0..TRIES {
            let there = vault.read_mutable::<LeaseDocument>(&path).await?;
            if let Some((holder, _)) = &there
                && !holder.released
                && holder.run_id != run_id
                && Timestamp::now() < holder.expires_at.checked_add(SKEW).unwrap_or(holder.expires_at)
            {
                return Err(VaultError::LineBusy {
                    line: self.id().to_owned(),
                    run: holder.run_id.clone(),
                    until: holder.expires_at.to_string(),
                });
            }
            let document = LeaseDocument {
                format_version: FORMAT_VERSION,
                line_id: self.id().to_owned(),
                run_id: run_id.to_owned(),
                token: hex::encode(random::<16>()?),
                acquired_at: now(),
                expires_at: expiry(duration)?,
                released: false,
            };
            let holder_erases = there.as_ref().is_some_and(|(holder, _)| holder.run_id.starts_with(ERASES));
            match vault.replace(&path, there.as_ref().map(|(_, version)| version), &document).await {
                Ok(version) => {
                    // What was erased before is seen from here on.
                    vault.forget_overlay(self.id());
                    let lease = Lease { line: self.clone(), document, version, duration };
                    // Attempts of one run know each other's manifest by the run; all others are stopped by a void.
                    if there.is_some_and(|(holder, _)| !holder.released && holder.run_id != run_id) {
                        lease.put_void().await?;
                        if holder_erases {
                            lease.put_void_redaction().await?;
                        }
                    }
                    return Ok(lease);
                }
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(VaultError::LineBusy {
            line: self.id().to_owned(),
            run: "of others".to_owned(),
            until: "they are done".to_owned(),
        })
    }
}

impl Line {
    /// The run that holds the line's lease and did not release it, and when the lease expires or expired.
    pub(crate) async fn holder(&self) -> Result<Option<(String, Timestamp)>> {
        let there = self.vault().read_mutable::<LeaseDocument>(&layout::lease(self.id())).await?;
        Ok(there.filter(|(holder, _)| !holder.released).map(|(holder, _)| (holder.run_id, holder.expires_at)))
    }
}

impl Lease {
    /// The run that holds it.
    pub fn run_id(&self) -> &str {
        &self.document.run_id
    }

    /// How long it holds without renewal.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Holds it for its duration from now; `LeaseLost` if another took it over.
    pub async fn renew(&mut self) -> Result<()> {
        let mut document = self.document.clone();
        document.expires_at = expiry(self.duration)?;
        self.write(document).await
    }

    /// Gives it up. Losing it before is no failure here.
    pub async fn release(mut self) -> Result<()> {
        let mut document = self.document.clone();
        document.released = true;
        match self.write(document).await {
            Err(VaultError::LeaseLost { .. }) => Ok(()),
            other => other,
        }
    }

    async fn write(&mut self, document: LeaseDocument) -> Result<()> {
        let path = layout::lease(self.line.id());
        match self.line.vault().replace(&path, Some(&self.version), &document).await {
            Ok(version) => {
                self.version = version;
                self.document = document;
                Ok(())
            }
            Err(error) if is_conflict(&error) => {
                let there = self.line.vault().read_mutable::<LeaseDocument>(&path).await?;
                match there {
                    // An answer to an earlier renewal was lost on its way.
                    Some((holder, version)) if holder.token == self.document.token => {
                        self.version = self.line.vault().replace(&path, Some(&version), &document).await?;
                        self.document = document;
                        Ok(())
                    }
                    holder => Err(VaultError::LeaseLost {
                        line: self.line.id().to_owned(),
                        by: holder.map_or_else(|| "unknown".to_owned(), |(holder, _)| holder.run_id),
                    }),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the next free number of a redaction, so that an erasure thought dead loses its put there.
    async fn put_void_redaction(&self) -> Result<()> {
        let vault = self.line.vault();
        loop {
            let last = vault.redactions(self.line.id()).await?.pop();
            let mut void = Redaction {
                format_version: FORMAT_VERSION,
                kind: "void".to_owned(),
                vault_id: vault.id().to_owned(),
                line_id: self.line.id().to_owned(),
                number: last.as_ref().map_or(1, |last| last.number + 1),
                parent: last.map(|last| ParentRef { seq: last.number, digest: last.digest }),
                time: now(),
                ..Redaction::default()
            };
            let bytes = void.sign(vault.keys())?;
            if vault.put_once(&void.path(), bytes.into()).await? {
                tracing::info!(line = self.line.id(), number = void.number, "put a void redaction");
                return Ok(());
            }
        }
    }

    /// Takes the next free number, so that a writer thought dead loses its put there.
    pub(crate) async fn put_void(&self) -> Result<()> {
        loop {
            let numbers = self.line.numbers().await?;
            let mut void = Manifest {
                format_version: FORMAT_VERSION,
                kind: "void".to_owned(),
                vault_id: self.line.vault().id().to_owned(),
                line_id: self.line.id().to_owned(),
                seq: numbers.last().map_or(1, |last| last + 1),
                run_id: self.document.run_id.clone(),
                completion_time: now(),
                ..Manifest::default()
            };
            let bytes = void.sign(self.line.vault().keys())?;
            if self.line.vault().put_once(&void.path(), bytes.into()).await? {
                tracing::info!(line = self.line.id(), seq = void.seq, "put a void");
                return Ok(());
            }
        }
    }
}
