//! The status of a backup: a sum of its Snapshots, and of what it refers to. Pure.

use jiff::Timestamp;
use kube::ResourceExt;
use orgkeep_api::Snapshot;
use orgkeep_api::common::condition;
use orgkeep_api::salesforce_backup::{
    DeletionPolicy, ObjectsStatus, SalesforceBackupSpec, SalesforceBackupStatus,
};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::Phase;

use super::model::{Make, Observed, is_active, is_from_catalog, newest, phase_of};
use super::reference::Blocked;
use crate::shared::conditions::{ConditionSet, State, find};
use crate::shared::events::{Note, of_ready};
use crate::shared::time::parse;

/// Fills in what the Snapshots say, and the conditions.
pub fn sum_up(
    observed: &Observed,
    make: Option<&Make>,
    blocked: Option<&Blocked>,
    new: &mut SalesforceBackupStatus,
) {
    let runs: Vec<&Snapshot> =
        observed.snapshots.iter().filter(|snapshot| !is_from_catalog(snapshot)).collect();
    match (make, newest(runs.iter().copied())) {
        (Some(made), _) => {
            new.phase = Some(Phase::Pending.as_str().to_owned());
            new.last_snapshot = Some(made.name.clone());
        }
        (None, Some(run)) => {
            let phase = run.status.as_ref().and_then(|status| status.phase.clone());
            new.phase = phase.or_else(|| Some(Phase::Pending.as_str().to_owned()));
            new.last_snapshot = Some(run.name_any());
        }
        // All were deleted: what they said stays.
        (None, None) => {}
    }
    let line = runs.iter().filter(|run| line_of(run).is_some()).max_by_key(|run| ended(run));
    new.line_id = line.and_then(|run| line_of(run)).or(new.line_id.take());
    new.last_success_time = last_success(observed, new);
    let finished = runs
        .iter()
        .copied()
        .filter(|run| phase_of(run).is_some_and(Phase::is_terminal))
        .max_by_key(|run| (ended(run), run.creation_timestamp().map(|time| time.0), run.name_any()));
    if let Some(counts) = finished.and_then(|run| run.status.as_ref()?.counts.as_ref()) {
        new.objects = Some(ObjectsStatus { total: counts.objects, failed: counts.errors });
    }
    let applied = |run: &&Snapshot| run.status.as_ref().is_some_and(|status| status.retention.is_some());
    let newest = runs.iter().copied().filter(applied).max_by_key(|run| ended(run));
    if let Some(retention) = newest.and_then(|run| run.status.as_ref()?.retention.clone()) {
        new.retention = Some(retention);
    }
    new.conditions = conditions(observed, blocked, finished, new);
}

fn line_of(run: &Snapshot) -> Option<String> {
    run.status.as_ref()?.line_id.clone().filter(|line| !line.is_empty())
}

fn ended(run: &Snapshot) -> Option<Timestamp> {
    run.status.as_ref()?.completion_time.as_deref().and_then(parse)
}

/// Never earlier than it was: a Snapshot object may be deleted, its success stays. What the catalog shows of
/// the same line counts, so that an alert on the age of the last success survives a new cluster.
fn last_success(observed: &Observed, new: &SalesforceBackupStatus) -> Option<String> {
    let adopted = Some(observed.backup.spec.line_id.clone()).filter(|line| !line.is_empty());
    let counts = |snapshot: &&Snapshot| {
        let line = line_of(snapshot);
        phase_of(snapshot) == Some(Phase::Succeeded)
            && (!is_from_catalog(snapshot) || line.is_some() && (line == new.line_id || line == adopted))
    };
    let newest = observed.snapshots.iter().filter(counts).filter_map(ended).max();
    let old = new.last_success_time.as_deref().and_then(parse);
    match newest.max(old) {
        Some(at) if Some(at) != old => Some(crate::shared::time::rfc3339(at)),
        _ => new.last_success_time.clone(),
    }
}

fn conditions(
    observed: &Observed,
    blocked: Option<&Blocked>,
    finished: Option<&Snapshot>,
    new: &SalesforceBackupStatus,
) -> Vec<orgkeep_api::common::Condition> {
    let spec = &observed.backup.spec;
    let old = observed.backup.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let mut set = ConditionSet::new(old, new.observed_generation, observed.now);
    match blocked {
        Some(Blocked { reason, message }) => {
            set.set(condition::READY, State::False, reason, message);
            if reason.is_configuration() {
                set.stalled(reason, message);
            } else {
                set.reconciling(reason, message);
            }
        }
        None if spec.schedule.is_some() && spec.suspend => {
            let reason = Reason::Suspended;
            set.set(
                condition::READY,
                State::True,
                reason,
                &format!("the schedule is suspended; {}", reason.advice()),
            );
        }
        None if spec.schedule.is_some() => {
            set.set(
                condition::READY,
                State::True,
                Reason::Scheduled,
                "status.nextRunTime says when it is next due",
            );
        }
        None => {
            set.set(
                condition::READY,
                State::True,
                Reason::Succeeded,
                "there is no schedule: it runs when spec.runNow or a Snapshot object asks for it",
            );
        }
    }
    succeeded(&mut set, observed, finished);
    retained(&mut set, spec, new);
    covered(&mut set, spec);
    set.finish()
}

fn succeeded(set: &mut ConditionSet<'_>, observed: &Observed, finished: Option<&Snapshot>) {
    let type_ = condition::BACKUP_SUCCEEDED;
    let Some(run) = finished else {
        let old = observed.backup.status.as_ref().map_or(&[][..], |status| &status.conditions);
        // Its Snapshot was deleted; what it said stays.
        if find(old, type_).is_some_and(|old| old.status != State::Unknown.as_str()) {
            set.keep(type_);
        } else {
            let waiting = if observed.snapshots.iter().any(is_active) {
                "the first run has not ended yet"
            } else {
                "there was no run yet"
            };
            set.set(type_, State::Unknown, Reason::Pending, waiting);
        }
        return;
    };
    let name = run.name_any();
    let said = run.status.as_ref().and_then(|status| find(&status.conditions, condition::READY));
    let message = said.map_or_else(|| name.clone(), |ready| format!("{name}: {}", ready.message));
    if phase_of(run) == Some(Phase::Succeeded) {
        set.set(type_, State::True, Reason::Succeeded, &message);
    } else {
        let reason = said.map_or(Reason::InternalError.as_str(), |ready| ready.reason.as_str());
        set.set(type_, State::False, reason, &message);
    }
}

/// Says what became of older snapshots, where there are rules for them.
fn retained(set: &mut ConditionSet<'_>, spec: &SalesforceBackupSpec, new: &SalesforceBackupStatus) {
    let type_ = condition::RETENTION_APPLIED;
    let Some(found) = &new.retention else {
        if !spec.retention.is_unlimited() {
            set.set(
                type_,
                State::Unknown,
                Reason::Pending,
                "rules are applied at the end of a run that succeeds",
            );
        }
        return;
    };
    if let Some(why) = &found.blocked {
        let reason = Reason::RetentionBlocked;
        set.set(type_, State::False, reason, &format!("{why}; {}", reason.advice()));
    } else if found.locked_bytes > 0 {
        let reason = Reason::RetentionLocked;
        let until = found.blocked_until.as_deref().unwrap_or("later");
        let text = format!(
            "{} bytes are locked by the storage, the last until {until}; {}",
            found.locked_bytes,
            reason.advice()
        );
        set.set(type_, State::False, reason, &text);
    } else {
        let text = format!("{} snapshots are kept, {} wait to be deleted", found.kept, found.waiting);
        set.set(type_, State::True, Reason::Succeeded, &text);
    }
}

/// Says honestly what of the spec this version does not carry out.
fn covered(set: &mut ConditionSet<'_>, spec: &SalesforceBackupSpec) {
    let asked = [
        (spec.scope.files.enabled, "file contents (scope.files)"),
        (spec.scope.metadata.enabled, "metadata components (scope.metadata)"),
        (
            spec.deletion.policy == DeletionPolicy::Delete,
            "deletion.policy Delete: the data stays in the vault",
        ),
    ];
    let missing: Vec<&str> = asked.iter().filter(|(asked, _)| *asked).map(|(_, what)| *what).collect();
    if missing.is_empty() {
        set.set(
            condition::SCOPE_COVERED,
            State::True,
            Reason::Succeeded,
            "all that spec asks for is carried out",
        );
    } else {
        let reason = Reason::NotInThisVersion;
        let message =
            format!("records are backed up; not carried out: {}; {}", missing.join(", "), reason.advice());
        set.set(condition::SCOPE_COVERED, State::False, reason, &message);
    }
}

/// What is worth an event: `Ready` that turns, and how the newest run ended.
pub fn news(old: Option<&SalesforceBackupStatus>, new: &SalesforceBackupStatus) -> Vec<Note> {
    let before = old.map_or(&[][..], |old| &old.conditions);
    let mut notes: Vec<Note> = of_ready(before, &new.conditions, "Reconcile").into_iter().collect();
    let last = old.and_then(|old| old.last_snapshot.as_ref());
    if let Some(name) = new.last_snapshot.as_ref().filter(|name| Some(*name) != last)
        && new.last_run_time != old.and_then(|old| old.last_run_time.clone())
    {
        notes.push(Note::normal(Reason::Scheduled, "Schedule", format!("Snapshot {name} was made")));
    }
    let said = |conditions| find(conditions, condition::BACKUP_SUCCEEDED).cloned();
    if let Some(now) = said(&new.conditions)
        && said(before).is_none_or(|was| (was.status, was.reason) != (now.status.clone(), now.reason.clone()))
    {
        match now.status.as_str() {
            "True" => notes.push(Note::normal(now.reason, "Backup", now.message)),
            "False" => notes.push(Note::warning(now.reason, "Backup", now.message)),
            _ => {}
        }
    }
    notes
}
