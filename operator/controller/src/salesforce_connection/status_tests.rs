use std::sync::Arc;

use orgkeep_api::SalesforceConnection;
use orgkeep_api::common::Condition;
use orgkeep_api::run_status::ProbeStatus;
use orgkeep_core::run::OrgFacts;
use serde_json::json;

use super::*;
use crate::shared::Outcome;
use crate::shared::conditions::find;
use crate::shared::observe::WorkerState;
use crate::shared::probe_job::ProbeJob;
use crate::shared::testing::at;
use crate::shared::worker_pod::Owner;

fn observed(old: &SalesforceConnectionStatus) -> Observed {
    let mut object: SalesforceConnection = serde_json::from_value(json!({
        "metadata": {"name": "acme", "namespace": "n", "uid": "u1", "generation": 1},
        "spec": {"environment": "Sandbox", "auth": {}}}))
    .unwrap();
    object.status = Some(old.clone());
    let owner = Owner::of(&object).unwrap();
    Observed {
        object: Arc::new(object),
        job: ProbeJob { owner, name: "acme-sfc-probe".into(), worker: WorkerState::Absent, looks_at: None },
    }
}

fn after(old: &SalesforceConnectionStatus, step: Step, now: &str) -> SalesforceConnectionStatus {
    status(&observed(old), &Decision { step, outcome: Outcome::Done }, at(now))
}

fn end(word: Word) -> Step {
    let status = ProbeStatus {
        observed_generation: 1,
        finished_at: "2026-05-01T12:00:00Z".into(),
        failures_in_row: 0,
    };
    Step::Conclude { word: Box::new(word), status }
}

fn states(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
    conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
}

#[test]
fn what_the_end_of_a_probe_says() {
    let fail = |reason: Reason| Word::new(Phase::Failed, reason, "m");
    for (reason, connected, permitted, kstatus) in [
        (Reason::AuthenticationFailed, "False", "Unknown", "Stalled"),
        (Reason::SecretKeyNotFound, "False", "Unknown", "Stalled"),
        (Reason::ApiDisabled, "False", "False", "Stalled"),
        (Reason::PermissionsMissing, "True", "False", "Stalled"),
        (Reason::OrgChanged, "True", "Unknown", "Stalled"),
        (Reason::AllowanceReached, "True", "Unknown", "Reconciling"),
        (Reason::OrgUnreachable, "False", "Unknown", "Reconciling"),
        (Reason::WorkerLost, "False", "Unknown", "Reconciling"),
    ] {
        let new = after(&SalesforceConnectionStatus::default(), end(fail(reason)), "2026-05-01T12:00:00Z");
        let is = |type_: &str| find(&new.conditions, type_).map(|found| found.status.clone());
        assert_eq!(is(READY).as_deref(), Some("False"), "{reason}");
        assert_eq!(is(CONNECTED).as_deref(), Some(connected), "{reason}");
        assert_eq!(is(PERMISSIONS_SUFFICIENT).as_deref(), Some(permitted), "{reason}");
        let abnormal: Vec<_> =
            [STALLED, RECONCILING].into_iter().filter(|type_| is(type_).is_some()).collect();
        assert_eq!(abnormal, [kstatus], "{reason}");
    }
}

#[test]
fn a_healthy_connection_stays_ready_while_it_is_probed_again() {
    let mut word = Word::new(Phase::Succeeded, Reason::Connected, "m");
    word.org = Some(OrgFacts { name: "Acme".into(), ..OrgFacts::default() });
    let good = after(&SalesforceConnectionStatus::default(), end(word), "2026-05-01T12:00:00Z");
    assert_eq!(
        states(&good.conditions),
        [
            ("Ready", "True", "Connected"),
            ("Connected", "True", "Connected"),
            ("PermissionsSufficient", "True", "Succeeded"),
        ]
    );
    for step in [Step::Start, Step::Watch { waiting: None }, Step::Clear, Step::Idle { seconds: 9 }] {
        assert_eq!(after(&good, step, "2026-05-01T13:00:00Z"), good, "nothing to write");
    }
    let failed = end(Word::new(Phase::Failed, Reason::OrgUnreachable, "m"));
    let bad = after(&good, failed, "2026-05-01T13:00:00Z");
    assert_eq!(bad.org, good.org, "what is known of the org stays");
    assert_eq!(find(&bad.conditions, READY).unwrap().last_transition_time.0, at("2026-05-01T13:00:00Z"));
}
