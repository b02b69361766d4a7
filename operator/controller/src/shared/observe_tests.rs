use super::*;
use crate::shared::testing;
use orgkeep_core::run::Phase;
use serde_json::{Value, json};

fn see(job: Option<Value>, pods: Vec<Value>) -> WorkerState {
    let job: Option<Job> = job.map(|job| serde_json::from_value(job).unwrap());
    let pods: Vec<Pod> = pods.into_iter().map(|pod| serde_json::from_value(pod).unwrap()).collect();
    observe(job.as_ref(), &pods)
}

fn job(conditions: &[(&str, &str)]) -> Option<Value> {
    Some(testing::job("j", 1, conditions))
}

fn ended_pod(name: &str, code: i32, reason: &str, message: Option<&str>, finished: &str) -> Value {
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    let state = json!({"terminated": {"exitCode": code, "reason": reason, "message": message,
        "finishedAt": finished}});
    testing::pod(name, phase, state)
}

fn word(phase: Phase, reason: Reason) -> String {
    Outcome::new(phase, reason, "words").to_message()
}

const EARLY: &str = "2026-05-01T11:58:10Z";
const LATE: &str = "2026-05-01T11:59:10Z";

#[test]
fn no_job_is_absent_and_a_running_pod_is_running() {
    assert_eq!(see(None, vec![]), WorkerState::Absent);
    let running = see(job(&[]), vec![testing::pod("p", "Running", json!({"running": {}}))]);
    assert_eq!(running.addresses(), ["127.0.0.1"]);
}

#[test]
fn pods_of_another_job_are_not_looked_at() {
    let mut other = testing::pod("p", "Running", json!({"running": {}}));
    other["metadata"]["ownerReferences"][0]["uid"] = json!("job-0");
    assert!(matches!(see(job(&[]), vec![other]), WorkerState::Waiting { reason: Reason::Pending, .. }));
}

#[test]
fn waiting_says_why() {
    for (state, reason, says) in [
        (
            json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
            Reason::WorkerNotStarting,
            "no such image",
        ),
        (json!({"waiting": {"reason": "ContainerCreating"}}), Reason::Pending, "ContainerCreating"),
    ] {
        let seen = see(job(&[]), vec![testing::pod("p", "Pending", state)]);
        let WorkerState::Waiting { reason: found, message, since } = seen else { panic!("{seen:?}") };
        assert_eq!(found, reason);
        assert!(message.contains(says), "{message}");
        assert!(since.is_some());
    }
    let mut pod = testing::pod("p", "Pending", json!({}));
    pod["status"] = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]});
    let seen = see(job(&[]), vec![pod]);
    assert!(matches!(seen, WorkerState::Waiting { reason: Reason::WorkerNotStarting, .. }), "{seen:?}");
    let between = see(job(&[]), vec![ended_pod("p", 1, "Error", None, EARLY)]);
    assert!(matches!(between, WorkerState::Waiting { reason: Reason::Pending, .. }), "{between:?}");
}

#[test]
fn the_last_word_counts() {
    let good = word(Phase::Succeeded, Reason::Succeeded);
    let seen = see(
        job(&[("Complete", "")]),
        vec![ended_pod("a", 137, "Error", None, EARLY), ended_pod("b", 0, "Completed", Some(&good), LATE)],
    );
    let WorkerState::Finished { outcome, at } = seen else { panic!("{seen:?}") };
    assert_eq!(outcome.phase, Phase::Succeeded);
    assert!(at.is_some());

    let bad = word(Phase::Failed, Reason::SecretNotFound);
    let pods = vec![ended_pod("a", 78, "Error", Some(&bad), LATE)];
    let seen = see(job(&[("Failed", "PodFailurePolicy")]), pods);
    let WorkerState::Finished { outcome, .. } = seen else { panic!("{seen:?}") };
    assert_eq!(outcome.reason, Reason::SecretNotFound);
}

#[test]
fn of_several_pods_the_one_that_leads_speaks() {
    let (lead, other) =
        (word(Phase::Succeeded, Reason::Succeeded), word(Phase::Succeeded, Reason::NothingToDo));
    let mut pods = vec![
        ended_pod("a", 0, "Completed", Some(&other), LATE),
        ended_pod("b", 0, "Completed", Some(&lead), EARLY),
    ];
    pods[0]["metadata"]["annotations"] = json!({INDEX: "1"});
    pods[1]["metadata"]["annotations"] = json!({INDEX: "0"});
    let seen = see(job(&[("Complete", "")]), pods);
    let WorkerState::Finished { outcome, .. } = seen else { panic!("{seen:?}") };
    assert_eq!(outcome.reason, Reason::Succeeded);
}

#[test]
fn ends_without_a_good_word_are_told_apart() {
    let stopped = word(Phase::InProgress, Reason::Stopped);
    let failed = || job(&[("Failed", "PodFailurePolicy")]);
    let see_one = |code, reason: &str, message: Option<&str>| {
        see(failed(), vec![ended_pod("p", code, reason, message, LATE)])
    };
    assert!(matches!(see_one(75, "Error", Some(&stopped)), WorkerState::Stopped { outcome: Some(_), .. }));
    assert!(matches!(see_one(75, "Error", None), WorkerState::Stopped { outcome: None, .. }));
    assert!(matches!(see_one(137, "OOMKilled", None), WorkerState::OutOfMemory { .. }));
    let seen = see_one(101, "Error", Some("thread main panicked"));
    let WorkerState::Lost { message, .. } = &seen else { panic!("{seen:?}") };
    assert!(message.contains("101") && message.contains("thread main panicked"), "{message}");
    let gone = see(failed(), vec![]);
    assert!(matches!(gone, WorkerState::Lost { .. }) && gone.is_over(), "{gone:?}");
}

#[test]
fn a_suspended_job_tells_whether_pods_are_left() {
    let mut suspended = testing::job("j", 1, &[]);
    suspended["spec"]["suspend"] = json!(true);
    let running = testing::pod("p", "Running", json!({"running": {}}));
    assert_eq!(see(Some(suspended.clone()), vec![running]), WorkerState::Suspended { pods: 1 });
    assert_eq!(see(Some(suspended), vec![]), WorkerState::Suspended { pods: 0 });
}
