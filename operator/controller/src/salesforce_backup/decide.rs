//! What a backup does next, from what was read. Pure.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use orgkeep_api::salesforce_backup::SalesforceBackupStatus;
use orgkeep_api::{SalesforceBackup, Snapshot, labels, names};
use orgkeep_core::reason::Reason;
use orgkeep_core::schedule::Schedule;

use super::clock::{Moment, moment, schedule};
use super::model::{Decision, Make, Observed, Origin, is_active, is_made_by, newest};
use super::reference::{self, Blocked};
use super::status;
use crate::shared::Outcome;
use crate::shared::events::Note;
use crate::shared::time::{parse, rfc3339, seconds_between, whole};

/// A sleeping process wakes at least so often, because clocks are set.
const LONGEST_WAIT: u64 = 3600;
/// After a name was taken, the next minute has another.
const TAKEN_WAIT: u64 = 60;
/// Names that are tried for one `runNow`, a minute each.
const MOST_NAMES: i64 = 60;

/// Decides.
pub fn decide(observed: &Observed) -> Decision {
    let Observed { now, backup, .. } = observed;
    let old = backup.status.clone().unwrap_or_default();
    let mut new = old.clone();
    new.observed_generation = backup.metadata.generation;
    let (moment, wrong) = read_clock(backup, &old, *now);
    new.next_run_time = moment.next.map(rfc3339);
    let mut notes = Vec::new();
    let mut make = None;
    if let Some(due) = moment.due {
        make = take_slot(observed, due.slot, &mut new, &mut notes);
    }
    if make.is_none() {
        make = run_now(observed, &mut new);
    }
    if let Some(made) = &make {
        new.first_run_time.get_or_insert_with(|| rfc3339(made.slot));
        new.last_run_time = Some(rfc3339(made.slot));
    }
    let blocked = wrong.or_else(|| unready(observed));
    status::sum_up(observed, make.as_ref(), blocked.as_ref(), &mut new);
    let outcome = match moment.next {
        Some(next) => Outcome::wait_seconds(seconds_between(*now, next).min(LONGEST_WAIT)),
        None if blocked.is_some() => Outcome::Blocked,
        None => Outcome::Done,
    };
    Decision { make, status: new, notes, outcome }
}

/// The same when the name of the Snapshot turned out to be taken: the slot is left out, and the schedule goes
/// on; a `runNow` is tried again under the next name.
pub fn name_taken(observed: &Observed, decided: Decision) -> Decision {
    let Some(made) = decided.make else { return decided };
    let old = observed.backup.status.clone().unwrap_or_default();
    let mut new = SalesforceBackupStatus {
        last_run_time: old.last_run_time.clone(),
        first_run_time: old.first_run_time.clone(),
        last_run_now: old.last_run_now.clone(),
        last_snapshot: old.last_snapshot.clone(),
        phase: old.phase.clone(),
        ..decided.status
    };
    let (_, wrong) = read_clock(&observed.backup, &old, observed.now);
    let blocked = wrong.or_else(|| unready(observed));
    status::sum_up(observed, None, blocked.as_ref(), &mut new);
    let mut notes = decided.notes;
    notes.push(taken(&made.name));
    let outcome = match made.origin {
        Origin::RunNow { .. } => Outcome::wait_seconds(TAKEN_WAIT),
        Origin::Schedule => decided.outcome,
    };
    Decision { make: None, status: new, notes, outcome }
}

fn taken(name: &str) -> Note {
    let reason = Reason::NameTaken;
    let text = format!(
        "Snapshot {name} exists and was not made by this backup; its run is left out; {}",
        reason.advice()
    );
    Note::warning(reason, "Schedule", text)
}

/// What the clock says, and what is wrong with the schedule.
fn read_clock(
    backup: &SalesforceBackup,
    old: &SalesforceBackupStatus,
    now: Timestamp,
) -> (Moment, Option<Blocked>) {
    let nothing = Moment { due: None, next: None };
    let Some(asked) = &backup.spec.schedule else { return (nothing, None) };
    let first = old.first_run_time.as_deref().and_then(parse);
    let anchor = old.next_run_time.as_deref().and_then(parse);
    let uid = backup.uid().unwrap_or_default();
    let again = |at: Timestamp| -> Option<Schedule> { schedule(asked, &uid, first.or(Some(at))).ok() };
    match schedule(asked, &uid, first) {
        Ok(_) if backup.spec.suspend => (nothing, None),
        Ok(found) => {
            let mut moment = moment(&found, anchor, now);
            // The first run of all may be what the next ones are counted from.
            if let Some(due) = moment.due {
                moment.next = again(due.slot).and_then(|counted| counted.next_after(now));
            }
            (moment, None)
        }
        Err(error) => {
            let message = format!("spec.schedule: {error}");
            (nothing, Some(Blocked::new(Reason::InvalidObject, &message)))
        }
    }
}

fn unready(observed: &Observed) -> Option<Blocked> {
    let spec = &observed.backup.spec;
    let connection = reference::connection(&spec.connection_ref.name, &observed.connection);
    let vault = reference::vault(&spec.vault_ref.name, &observed.vault);
    connection.err().or(vault.err())
}

/// What a slot that is due comes to.
fn take_slot(
    observed: &Observed,
    slot: Timestamp,
    new: &mut SalesforceBackupStatus,
    notes: &mut Vec<Note>,
) -> Option<Make> {
    let name = name_at(&observed.backup, slot);
    if let Some(there) = observed.snapshots.iter().find(|snapshot| snapshot.name_any() == name) {
        if is_made_by(there, &observed.backup) {
            // Made in a pass that did not come to write its status.
            new.first_run_time.get_or_insert_with(|| rfc3339(slot));
            new.last_run_time = Some(rfc3339(slot));
        } else {
            notes.push(taken(&name));
        }
        return None;
    }
    if let Some(active) = newest(observed.snapshots.iter().filter(|snapshot| is_active(snapshot))) {
        let text = format!(
            "the slot of {} is left out: Snapshot {} has not ended",
            rfc3339(slot),
            active.name_any()
        );
        notes.push(Note::normal(Reason::LineBusy, "Schedule", text));
        return None;
    }
    Some(Make { name, slot, origin: Origin::Schedule })
}

/// What `runNow` comes to. While a run is under way the token waits for its end.
fn run_now(observed: &Observed, new: &mut SalesforceBackupStatus) -> Option<Make> {
    let backup = &observed.backup;
    let token = backup.spec.run_now.as_str();
    if token.is_empty() || new.last_run_now.as_deref() == Some(token) {
        return None;
    }
    let answers = |snapshot: &&Snapshot| {
        is_made_by(snapshot, backup)
            && snapshot.annotations().get(labels::RUN_NOW).map(String::as_str) == Some(token)
    };
    if let Some(answer) = observed.snapshots.iter().find(answers) {
        let slot = answer.annotations().get(labels::SLOT).and_then(|slot| parse(slot));
        new.last_run_now = Some(token.to_owned());
        new.last_run_time = slot.map(rfc3339).or(new.last_run_time.take());
        return None;
    }
    if observed.snapshots.iter().any(is_active) {
        return None;
    }
    let there: BTreeSet<String> = observed.snapshots.iter().map(ResourceExt::name_any).collect();
    let slot = (0..MOST_NAMES)
        .filter_map(|minute| observed.now.checked_add(SignedDuration::from_mins(minute)).ok())
        .find(|slot| !there.contains(&name_at(backup, *slot)))?;
    new.last_run_now = Some(token.to_owned());
    let name = name_at(backup, slot);
    // What it stands for is now, whatever minute its name has.
    Some(Make { name, slot: whole(observed.now), origin: Origin::RunNow { token: token.to_owned() } })
}

fn name_at(backup: &SalesforceBackup, slot: Timestamp) -> String {
    names::snapshot(&backup.name_any(), &slot.strftime("%Y%m%d-%H%M").to_string())
}

#[cfg(test)]
#[path = "decide_tests.rs"]
pub(crate) mod tests;
