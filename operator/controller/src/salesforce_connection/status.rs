//! A connection's status; pure.

use jiff::Timestamp;
use orgkeep_api::SalesforceConnectionStatus;
use orgkeep_api::common::condition::{CONNECTED, PERMISSIONS_SUFFICIENT, READY, RECONCILING, STALLED};
use orgkeep_api::run_status::{ApiUsageStatus, OrgStatus};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome as Word, Phase};

use super::decide::Decision;
use super::gather::Observed;
use crate::shared::conditions::{ConditionSet, State};
use crate::shared::probe::Step;

/// The status after a pass.
pub fn status(observed: &Observed, decision: &Decision, now: Timestamp) -> SalesforceConnectionStatus {
    let generation = observed.object.metadata.generation;
    let old = observed.object.status.clone().unwrap_or_default();
    let mut new = old.clone();
    new.observed_generation = generation;
    let mut set = ConditionSet::new(&old.conditions, generation, now);
    match &decision.step {
        Step::Conclude { word, status } => {
            new.probe = Some(status.clone());
            if let Some(org) = &word.org {
                new.org = Some(OrgStatus::from(org));
            }
            if let Some(usage) = &word.usage {
                new.api_usage = Some(ApiUsageStatus::from(usage));
            }
            concluded(&mut set, word);
        }
        Step::Start | Step::Discard | Step::Watch { .. } => at_work(&mut set, observed, &decision.step),
        Step::Idle { .. } | Step::Clear => {
            for type_ in [READY, CONNECTED, PERMISSIONS_SUFFICIENT, RECONCILING, STALLED] {
                set.keep(type_);
            }
        }
    }
    new.conditions = set.finish();
    new
}

/// While a probe is at work, what the last one said of the same spec stays.
fn at_work(set: &mut ConditionSet<'_>, observed: &Observed, step: &Step) {
    let generation = observed.object.metadata.generation.unwrap_or(0);
    let probe = observed.object.status.as_ref().and_then(|status| status.probe.as_ref());
    let known = probe.is_some_and(|probe| probe.observed_generation == generation);
    let (reason, message) = match step {
        Step::Watch { waiting: Some((reason, message)) } => (*reason, message.clone()),
        _ => (Reason::Pending, "the org is being probed".to_owned()),
    };
    if known {
        for type_ in [READY, CONNECTED, PERMISSIONS_SUFFICIENT, RECONCILING, STALLED] {
            set.keep(type_);
        }
        return;
    }
    for type_ in [READY, CONNECTED, PERMISSIONS_SUFFICIENT] {
        set.set(type_, State::Unknown, reason, &message);
    }
    set.reconciling(reason, &message);
}

fn concluded(set: &mut ConditionSet<'_>, word: &Word) {
    let (reason, message) = (word.reason, word.message.as_str());
    if word.phase == Phase::Succeeded {
        set.set(READY, State::True, reason, message);
        set.set(CONNECTED, State::True, Reason::Connected, message);
        set.set(
            PERMISSIONS_SUFFICIENT,
            State::True,
            Reason::Succeeded,
            "the user may read what a backup needs",
        );
        return;
    }
    set.set(READY, State::False, reason, message);
    if signed_in(word) {
        set.set(CONNECTED, State::True, Reason::Connected, "the org let us in");
    } else {
        set.set(CONNECTED, State::False, reason, message);
    }
    match reason {
        Reason::PermissionsMissing | Reason::ApiDisabled => {
            set.set(PERMISSIONS_SUFFICIENT, State::False, reason, message);
        }
        _ => {
            set.set(
                PERMISSIONS_SUFFICIENT,
                State::Unknown,
                reason,
                "not known: the probe did not get so far",
            );
        }
    }
    if reason.is_configuration() {
        set.stalled(reason, message);
    } else {
        set.reconciling(reason, "the org is probed again, with longer waits each time");
    }
}

/// Whether the probe failed only after the org had let it in.
fn signed_in(word: &Word) -> bool {
    word.org.is_some()
        || matches!(
            word.reason,
            Reason::PermissionsMissing
                | Reason::AllowanceReached
                | Reason::OrgChanged
                | Reason::EnvironmentMismatch
        )
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
