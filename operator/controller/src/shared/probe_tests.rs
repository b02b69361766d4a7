use super::*;
use crate::shared::testing::at;

const NOW: &str = "2026-05-01T12:00:00Z";

fn finished(reason: Reason, phase: Phase) -> WorkerState {
    let at = Some(at("2026-05-01T11:59:30Z"));
    WorkerState::Finished { outcome: Box::new(Word::new(phase, reason, "m")), at }
}

fn view<'a>(worker: &'a WorkerState, looks_at: Option<i64>, status: Option<&'a ProbeStatus>) -> View<'a> {
    View { generation: 2, uid: "u1", status, interval: 900, news: None, worker, looks_at, now: at(NOW) }
}

fn book(generation: i64, finished_at: &str, failures: i32) -> ProbeStatus {
    ProbeStatus {
        observed_generation: generation,
        finished_at: finished_at.to_owned(),
        failures_in_row: failures,
    }
}

#[test]
fn when_a_probe_is_made() {
    let absent = WorkerState::Absent;
    for (what, status, step) in [
        ("nothing is known", None, Some(Step::Start)),
        ("the spec changed", Some(book(1, "2026-05-01T11:59:00Z", 0)), Some(Step::Start)),
        ("it is fresh", Some(book(2, "2026-05-01T11:59:00Z", 0)), Some(Step::Idle { seconds: 840 })),
        ("the interval is over", Some(book(2, "2026-05-01T11:45:00Z", 0)), Some(Step::Start)),
        ("it failed just now", Some(book(2, "2026-05-01T11:59:59Z", 1)), None),
        ("it failed a while ago", Some(book(2, "2026-05-01T11:59:30Z", 1)), Some(Step::Start)),
        ("it failed often", Some(book(2, "2026-05-01T11:58:00Z", 9)), None),
    ] {
        let found = decide(&view(&absent, None, status.as_ref()));
        match step {
            Some(step) => assert_eq!(found, step, "{what}"),
            None => assert!(matches!(found, Step::Idle { .. }), "{what}: {found:?}"),
        }
    }
}

#[test]
fn failures_are_never_followed_by_a_storm() {
    // However long a cause stays: in an hour a handful of Jobs, not hundreds.
    let mut jobs = 0;
    let mut seconds = 0;
    let mut failures = 0;
    while seconds < 3600 {
        jobs += 1;
        failures += 1;
        seconds += wait("u1", failures, 900);
    }
    assert!((8..=18).contains(&jobs), "{jobs}");
    assert!(wait("u1", i32::MAX, 900) <= 375);
    assert!(wait("u1", 5, 60) <= 75, "never much longer than the interval");
    assert_eq!(wait("u1", 3, 900), wait("u1", 3, 900));
}

#[test]
fn a_probe_of_an_older_spec_is_thrown_away() {
    for worker in [WorkerState::Running { pods: vec![] }, finished(Reason::Connected, Phase::Succeeded)] {
        assert_eq!(decide(&view(&worker, Some(1), None)), Step::Discard);
        assert_eq!(decide(&view(&worker, None, None)), Step::Discard);
    }
}

#[test]
fn an_end_is_concluded_once() {
    let good = finished(Reason::Connected, Phase::Succeeded);
    let before = book(2, "2026-05-01T11:40:00Z", 3);
    let Step::Conclude { word, status } = decide(&view(&good, Some(2), Some(&before))) else { panic!() };
    assert_eq!(word.phase, Phase::Succeeded);
    assert_eq!(status, book(2, "2026-05-01T11:59:30Z", 0));
    assert_eq!(decide(&view(&good, Some(2), Some(&status))), Step::Clear);

    let bad = finished(Reason::AuthenticationFailed, Phase::Failed);
    let Step::Conclude { status, .. } = decide(&view(&bad, Some(2), Some(&before))) else { panic!() };
    assert_eq!(status.failures_in_row, 4);
}

#[test]
fn silence_has_a_meaning() {
    for (worker, reason) in [
        (WorkerState::Lost { message: "m".into(), at: None }, Reason::WorkerLost),
        (WorkerState::OutOfMemory { message: "m".into(), at: None }, Reason::WorkerOutOfMemory),
        (WorkerState::Stopped { outcome: None, at: None }, Reason::Stopped),
    ] {
        let Step::Conclude { word, .. } = decide(&view(&worker, Some(2), None)) else { panic!("{worker:?}") };
        assert_eq!((word.phase, word.reason), (Phase::Failed, reason));
        assert!(word.message.contains(reason.advice()));
    }
}

#[test]
fn a_pod_that_does_not_start_is_given_up() {
    let waiting = |since: &str| WorkerState::Waiting {
        reason: Reason::WorkerNotStarting,
        message: "ImagePullBackOff".into(),
        since: Some(at(since)),
    };
    let early = waiting("2026-05-01T11:59:00Z");
    assert!(matches!(decide(&view(&early, Some(2), None)), Step::Watch { waiting: Some(_) }));
    let late = waiting("2026-05-01T11:50:00Z");
    let Step::Conclude { word, status } = decide(&view(&late, Some(2), None)) else { panic!() };
    assert_eq!((word.reason, status.failures_in_row), (Reason::WorkerNotStarting, 1));
}

#[test]
fn news_hasten_a_good_probe_only() {
    let absent = WorkerState::Absent;
    let good = book(2, "2026-05-01T11:59:00Z", 0);
    let with =
        |status, news: &str| decide(&View { news: Some(at(news)), ..view(&absent, None, Some(status)) });
    assert_eq!(with(&good, "2026-05-01T11:59:30Z"), Step::Start);
    assert!(matches!(with(&good, "2026-05-01T11:58:00Z"), Step::Idle { .. }), "seen already");
    assert!(matches!(with(&good, "2026-05-01T12:10:00Z"), Step::Idle { .. }), "another clock's future");
    let bad = book(2, "2026-05-01T11:59:00Z", 9);
    assert!(matches!(with(&bad, "2026-05-01T11:59:30Z"), Step::Idle { .. }), "the wait after failures stays");
}
