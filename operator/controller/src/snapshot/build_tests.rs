use super::super::decide::decide;
use super::super::decide::tests::{Setup, observed};
use super::super::model::Act;
use super::*;
use crate::shared::testing::defaults;
use serde_json::{Value, json};

/// The Job's and the description's part that this module decides.
fn parts(setup: Setup) -> Value {
    let o = observed(setup);
    let decision = decide(&o);
    let built = objects(&o, &decision, "cluster-1", &defaults()).unwrap().unwrap();
    let description: Value = serde_json::from_str(&built.config_map.data.unwrap()["job.json"]).unwrap();
    let spec = built.job.spec.unwrap();
    json!({
        "name": built.job.metadata.name,
        "labels": built.job.metadata.labels,
        "owner": built.job.metadata.owner_references,
        "parallelism": spec.parallelism,
        "backoffLimit": spec.backoff_limit,
        "activeDeadlineSeconds": spec.active_deadline_seconds,
        "ttlSecondsAfterFinished": spec.ttl_seconds_after_finished,
        "description": description,
    })
}

#[test]
fn the_job_of_a_run() {
    insta::assert_yaml_snapshot!(parts(Setup::default()));
}

#[test]
fn the_job_that_reads_a_record() {
    let setup = Setup {
        run: Some(json!({"id": "run-1", "jobName": "acme-1-r1", "jobUid": "job-1",
        "attempt": 1, "startedAt": "2026-05-01T11:00:00Z"})),
        ..Setup::default()
    };
    insta::assert_yaml_snapshot!(parts(setup));
}

#[test]
fn calls_in_flight_are_shared_by_the_pods() {
    let setup = Setup { worker_spec: json!({"parallelism": 3}), ..Setup::default() };
    let description = &parts(setup)["description"];
    assert_eq!((&description["parallelism"], &description["task"]["callsInFlight"]), (&json!(3), &json!(2)));
}

#[test]
fn nothing_is_made_when_nothing_begins() {
    let o = observed(Setup { ahead: Some("other".into()), ..Setup::default() });
    let decision = decide(&o);
    assert_eq!(decision.act, Act::Nothing);
    assert!(objects(&o, &decision, "c", &defaults()).unwrap().is_none());
}
