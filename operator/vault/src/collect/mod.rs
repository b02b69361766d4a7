//! Retention and collection: snapshots that no rule keeps are retired, and a while later their files are deleted.
//!
//! **Mark**: `deletions.json` names what is retired; from then on it is in no catalog. **Wait**: whoever began to read
//! it before goes on for the grace. **Sweep**, under the line's lease: what is due is noted as being deleted, runs that
//! nobody went on with are closed, a void takes the next number, everything is read again, the epoch is raised, and
//! then whatever no standing snapshot rests on is deleted. A collection that is killed anywhere is finished by the next.
//!
//! Why nothing that a snapshot names is ever deleted: while it deletes, a collection holds the lease, so no run is at
//! work. A run thought dead whose commit is on its way either made its snapshot before the void, which is read after
//! it, or loses its number to the void; before it tries a higher one it sees that it lost the lease or was closed, and
//! a run that goes on after a sweep holds all that it names against the storage before it commits. Files that a run may
//! still name are kept until it is closed.

mod deletions;
mod holds;
mod plan;
mod report;
mod sweep;
mod view;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use orgkeep_core::retention::Retention;

pub use deletions::{Deletions, Gone, Retired, Through};
pub use holds::Hold;
pub use report::{Amount, Collection, LineCollection, Waiting};

use crate::error::{Result, VaultError};
use crate::keys::envelope::random;
use crate::lease::Lease;
use crate::line::Line;
use crate::vault::Vault;
use sweep::Sweep;
use view::View;

/// How long a reader of a retired snapshot may go on.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);
/// How long a run may rest before it is closed.
pub const ABANDON: Duration = Duration::from_secs(72 * 3600);
/// How long the lease of a collection by itself holds.
const LEASE: Duration = Duration::from_secs(120);

/// What to collect.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is kept; without it nothing is retired, and what was retired before is deleted.
    pub policy: Option<Retention>,
    /// Time between retiring a snapshot and deleting its files.
    pub grace: Duration,
    /// Runs that gave no sign of life for so long are closed.
    pub abandon: Duration,
    /// Say what would be done, and change nothing.
    pub dry_run: bool,
    /// Only this line.
    pub line: Option<String>,
    /// The time; that of the machine if none is given.
    pub now: Option<Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self { policy: None, grace: GRACE, abandon: ABANDON, dry_run: false, line: None, now: None }
    }
}

/// Collects all lines of a vault, or one. What keeps a line from being collected is told in its report; an error only
/// where the storage itself fails.
pub async fn collect(vault: &Vault, options: &Options) -> Result<Collection> {
    if !options.dry_run {
        vault.check_writable()?;
    }
    let lines = match &options.line {
        Some(id) => vec![vault.line(id).await?],
        None => vault.lines().await?,
    };
    let mut collection = Collection { dry_run: options.dry_run, ..Collection::default() };
    for line in lines {
        let collected = match line_by_itself(&line, options).await {
            Ok(collected) => collected,
            Err(error) if keeps_from(&error) => LineCollection {
                line: line.id().to_owned(),
                blocked: Some(error.to_string()),
                ..LineCollection::default()
            },
            Err(error) => return Err(error),
        };
        collection.lines.push(collected);
    }
    Ok(collection)
}

/// Whether an error is about the line, and not about reaching the storage.
fn keeps_from(error: &VaultError) -> bool {
    matches!(
        error,
        VaultError::LineBusy { .. }
            | VaultError::LeaseLost { .. }
            | VaultError::Corrupted { .. }
            | VaultError::FormatUnsupported { .. }
    ) || error.is_not_found()
}

/// Collects a line that no run is at work on.
async fn line_by_itself(line: &Line, options: &Options) -> Result<LineCollection> {
    // A run that died lately may go on: it is not taken for dead as quickly as by another run.
    if let Some((run, expires)) = line.holder().await?
        && !run.starts_with("collect-")
    {
        let until = plan::due_at(expires, options.abandon);
        if until > options.now.unwrap_or_else(Timestamp::now) {
            return Err(VaultError::LineBusy { line: line.id().to_owned(), run, until: until.to_string() });
        }
    }
    if options.dry_run {
        return Sweep::new(line, None, options).dry_run().await;
    }
    let name = format!("collect-{}", hex::encode(random::<8>()?));
    let mut lease = line.lease(&name, LEASE).await?;
    let collected = collect_line(line, &mut lease, options).await;
    let released = lease.release().await;
    let collected = collected?;
    released?;
    Ok(collected)
}

/// Collects a line whose lease is held: by a run after it committed, or by a collection.
pub fn collect_line<'a>(
    line: &'a Line,
    lease: &'a mut Lease,
    options: &'a Options,
) -> BoxFuture<'a, Result<LineCollection>> {
    async move {
        line.vault().check_writable()?;
        Sweep::new(line, Some(lease), options).run().await
    }
    .boxed()
}

/// What a line's rules and runs come to.
fn decide(view: &View, options: &Options, now: Timestamp) -> (plan::Marks, BTreeSet<String>) {
    let before = now.checked_sub(options.abandon).unwrap_or(Timestamp::MIN);
    let closing = view.abandoned(before);
    let oldest_run = view
        .open
        .iter()
        .filter(|(run, _)| !closing.contains(*run))
        .filter_map(|(_, life)| life.map(|(begun, _)| begun))
        .min();
    let marks = plan::marks(&plan::Facts {
        standing: &view.standing,
        retired: &view.deletions.retired,
        holds: &view.holds,
        policy: options.policy.as_ref(),
        now,
        grace: options.grace,
        oldest_run,
    });
    (marks, closing)
}
