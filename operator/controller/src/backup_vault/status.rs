//! A vault's status; pure.

use jiff::Timestamp;
use orgkeep_api::BackupVaultStatus;
use orgkeep_api::backup_vault::BackupVaultSpec;
use orgkeep_api::common::condition::{READY, RECONCILING, RECOVERY_KEY, STALLED};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome as Word, Phase, VaultFacts, cut_to};

use super::decide::Decision;
use super::gather::Observed;
use crate::shared::conditions::{ConditionSet, State};
use crate::shared::probe::Step;

/// The status after a pass.
pub fn status(observed: &Observed, decision: &Decision, now: Timestamp) -> BackupVaultStatus {
    let generation = observed.object.metadata.generation;
    let old = observed.object.status.clone().unwrap_or_default();
    let mut new = old.clone();
    new.observed_generation = generation;
    let mut set = ConditionSet::new(&old.conditions, generation, now);
    recovery_key(&mut set, &observed.object.spec);
    match &decision.step {
        Step::Conclude { word, status } => {
            new.probe = Some(status.clone());
            if let Some(facts) = &word.vault {
                learn(&mut new, facts);
            }
            concluded(&mut set, word);
        }
        Step::Start | Step::Discard | Step::Watch { .. } => at_work(&mut set, observed, &decision.step),
        Step::Idle { .. } | Step::Clear => keep(&mut set),
    }
    new.conditions = set.finish();
    new
}

fn keep(set: &mut ConditionSet<'_>) {
    for type_ in [READY, RECONCILING, STALLED] {
        set.keep(type_);
    }
}

/// What the probe found. The signing key is kept as first seen; the worker refuses another.
fn learn(status: &mut BackupVaultStatus, facts: &VaultFacts) {
    let text =
        |text: &str, limit: usize| Some(cut_to(text, limit).to_owned()).filter(|text| !text.is_empty());
    let int = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    status.vault_id = text(&facts.vault_id, 64).or(status.vault_id.take());
    status.signing_key = status.signing_key.take().or_else(|| text(&facts.signing_key, 128));
    status.snapshots = Some(int(facts.snapshots));
    status.bytes = Some(int(facts.bytes));
}

fn recovery_key(set: &mut ConditionSet<'_>, spec: &BackupVaultSpec) {
    let encryption = &spec.encryption;
    if encryption.disabled {
        let text = "the vault is not encrypted, as asked: whoever reads the storage reads the data";
        set.set(RECOVERY_KEY, State::True, Reason::EncryptionDisabled, text);
    } else if encryption.recipients.is_empty() {
        let text = format!(
            "only the cluster's key opens this vault: lose it and the data is lost; {}",
            Reason::NoRecoveryKey.advice()
        );
        set.set(RECOVERY_KEY, State::False, Reason::NoRecoveryKey, &text);
    } else {
        let text =
            format!("{} recipient(s) can open the vault without the cluster", encryption.recipients.len());
        set.set(RECOVERY_KEY, State::True, Reason::RecoveryKeyPresent, &text);
    }
}

/// While a probe is at work, what the last one said of the same spec stays.
fn at_work(set: &mut ConditionSet<'_>, observed: &Observed, step: &Step) {
    let generation = observed.object.metadata.generation.unwrap_or(0);
    let probe = observed.object.status.as_ref().and_then(|status| status.probe.as_ref());
    if probe.is_some_and(|probe| probe.observed_generation == generation) {
        return keep(set);
    }
    let (reason, message) = match step {
        Step::Watch { waiting: Some((reason, message)) } => (*reason, message.as_str()),
        _ => (Reason::Pending, "the vault is being probed"),
    };
    set.set(READY, State::Unknown, reason, message);
    set.reconciling(reason, message);
}

fn concluded(set: &mut ConditionSet<'_>, word: &Word) {
    let (reason, message) = (word.reason, word.message.as_str());
    if word.phase == Phase::Succeeded {
        return set.set(READY, State::True, reason, message);
    }
    set.set(READY, State::False, reason, message);
    if reason.is_configuration() {
        set.stalled(reason, message);
    } else {
        set.reconciling(reason, "the vault is probed again, with longer waits each time");
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
