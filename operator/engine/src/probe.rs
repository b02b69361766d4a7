//! A look at an org, and a look at a vault.

use orgkeep_api::worker::{Catalog, CatalogEntry, ProbeConnectionTask, ProbeVaultTask};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome, Phase};
use orgkeep_vault::{Manifest, Vault};

use crate::connect;
use crate::context::Context;
use crate::ending::Ending;
use crate::vault_access;

/// Calls in flight while probing.
const CALLS_IN_FLIGHT: u32 = 2;

/// Signs in and asks what the user may do.
pub(crate) async fn connection(task: &ProbeConnectionTask, context: &Context) -> Outcome {
    let connected =
        connect::connect(&task.connection, CALLS_IN_FLIGHT, 1, task.org_id.as_deref(), context).await;
    let client = match connected {
        Ok(client) => client,
        Err(ending) => return ending.outcome(),
    };
    let org = client.org();
    if client.refresh_token_rotated() {
        // Nothing here can write to the user's Secret, so what it holds is used up by this very sign-in.
        return Outcome::new(
            Phase::Failed,
            Reason::AuthenticationFailed,
            "the connected app rotates refresh tokens, so the one in the Secret works once: switch rotation off and \
             store a new token, or use jwtBearer",
        );
    }
    let mut outcome = match client.permissions().await {
        Err(error) => Ending::from(error).outcome(),
        Ok(permissions) => match permissions.missing().as_slice() {
            [] => Outcome::new(
                Phase::Succeeded,
                Reason::Connected,
                format!("signed in to {} ({})", org.name, org.id),
            ),
            missing => Outcome::new(
                Phase::Failed,
                Reason::PermissionsMissing,
                format!("the user lacks {}; {}", missing.join(", "), Reason::PermissionsMissing.advice()),
            ),
        },
    };
    outcome.api_calls = client.calls().api_calls();
    outcome.usage = Some(client.usage());
    outcome.org = Some(org);
    outcome
}

/// Opens the vault (or makes it), tries its promises, and lists its newest snapshots.
pub(crate) async fn vault(task: &ProbeVaultTask, context: &Context) -> Outcome {
    match look(task, context).await {
        Ok(outcome) => outcome,
        Err(ending) => ending.outcome(),
    }
}

async fn look(task: &ProbeVaultTask, context: &Context) -> Result<Outcome, Ending> {
    let vault = vault_access::open(&task.vault, task.signing_key.as_deref(), true, context).await?;
    let facts = vault.facts().await?;
    let catalog = catalog(&vault, task.catalog_keep).await?;
    tracing::info!(vault = facts.vault_id, snapshots = facts.snapshots, "the vault is open");
    match serde_json::to_value(&catalog) {
        Ok(value) => context.result.set(value),
        Err(error) => tracing::warn!(%error, "the catalog cannot be served"),
    }
    let message = format!("vault {} holds {} snapshots", facts.vault_id, facts.snapshots);
    let mut outcome = Outcome::new(Phase::Succeeded, Reason::Available, message);
    outcome.vault = Some(facts);
    Ok(outcome)
}

async fn catalog(vault: &Vault, keep: u32) -> Result<Catalog, Ending> {
    let manifests = vault.catalog(keep as usize).await?;
    Ok(Catalog { snapshots: manifests.iter().map(entry).collect() })
}

/// A snapshot as the catalog shows it.
fn entry(manifest: &Manifest) -> CatalogEntry {
    CatalogEntry {
        line_id: manifest.line_id.clone(),
        snapshot_id: manifest.snapshot_id(),
        cluster: manifest.owner.cluster.clone(),
        namespace: manifest.owner.namespace.clone(),
        backup_name: manifest.owner.backup_name.clone(),
        snapshot_name: manifest.snapshot_name.clone(),
        phase: manifest.phase.clone(),
        start_time: manifest.start_time.clone(),
        completion_time: manifest.completion_time.clone(),
        manifest_digest: manifest.digest.clone(),
        size_bytes: manifest.size_bytes,
        counts: manifest.counts.clone(),
        completeness: manifest.completeness.clone(),
        api_calls: manifest.api_calls,
    }
}
