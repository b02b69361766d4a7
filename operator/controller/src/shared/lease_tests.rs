use super::*;
use crate::shared::testing::{self, at, status};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn spec(holder: &str, renewed: &str) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(15),
        renew_time: Some(MicroTime(at(renewed))),
        acquire_time: Some(MicroTime(at("2026-05-01T00:00:00Z"))),
        lease_transitions: Some(4),
        ..LeaseSpec::default()
    }
}

#[test]
fn decisions() {
    let now = at("2026-05-01T12:00:00Z");
    let long_ago = "2020-01-01T00:00:00Z";
    let other = spec("b", long_ago);
    let seen = |spec: &LeaseSpec, seconds_ago: i64| {
        Some(Sighting::update(None, spec, now - SignedDuration::from_secs(seconds_ago)))
    };
    let moved = seen(&spec("b", "2020-01-01T00:00:05Z"), 60);
    for (what, lease, last, step) in [
        ("there is none", None, None, Step::Take),
        ("given back", Some(spec("", long_ago)), None, Step::Take),
        ("mine", Some(spec("a", long_ago)), None, Step::Renew),
        ("never seen before, however old it says it is", Some(other.clone()), None, Step::Wait),
        ("seen unchanged for less than it lasts", Some(other.clone()), seen(&other, 15), Step::Wait),
        ("seen unchanged for longer", Some(other.clone()), seen(&other, 16), Step::Take),
        ("renewed meanwhile", Some(other.clone()), moved, Step::Wait),
    ] {
        assert_eq!(decide("a", lease.as_ref(), last.as_ref(), now), step, "{what}");
    }
}

#[test]
fn a_claim_counts_transitions_and_keeps_the_time_of_taking() {
    let now = at("2026-05-01T12:00:00Z");
    let old = spec("b", "2026-05-01T11:00:00Z");
    let taken = claim("a", Some(&old), Step::Take, now);
    assert_eq!((taken.lease_transitions, taken.acquire_time.unwrap().0), (Some(5), now));
    let renewed = claim("a", Some(&old), Step::Renew, now);
    assert_eq!((renewed.lease_transitions, renewed.renew_time.unwrap().0), (Some(4), now));
    assert_ne!(renewed.acquire_time.unwrap().0, now);
    assert_eq!(claim("a", None, Step::Take, now).lease_transitions, Some(0));
}

/// A Lease as an API server keeps it: a write with an old resourceVersion is refused.
fn server(state: Arc<Mutex<Option<Value>>>) -> kube::Client {
    let answer = move |call: &testing::Call| {
        let mut state = state.lock().unwrap();
        let version = |value: &Value| value["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
        let store = |state: &mut Option<Value>, mut new: Value, old: u64| {
            new["metadata"]["resourceVersion"] = json!((old + 1).to_string());
            *state = Some(new.clone());
            Some((200, new))
        };
        match (call.line.split(' ').next().unwrap_or_default(), state.clone()) {
            ("GET", Some(found)) => Some((200, found)),
            ("POST", None) => store(&mut state, call.body.clone(), 0),
            ("POST", Some(_)) => Some((409, status(409, "AlreadyExists"))),
            ("PUT", Some(found)) if version(&found) == version(&call.body) => {
                store(&mut state, call.body.clone(), version(&found).parse().unwrap())
            }
            ("PUT", Some(_)) => Some((409, status(409, "Conflict"))),
            _ => None,
        }
    };
    testing::client(answer).0
}

fn clock() -> Timestamp {
    at("2026-05-01T12:00:00Z")
}

fn later() -> Timestamp {
    at("2026-05-01T12:01:00Z")
}

#[tokio::test]
async fn one_wins_gives_back_and_the_other_follows() {
    let state = Arc::new(Mutex::new(None));
    let new =
        |me: &str| Election::new(server(Arc::clone(&state)), "n", "lease", me, Arc::new(Fence::new()), clock);
    let (mut a, mut b) = (new("a"), new("b"));
    assert!(a.attempt().await.unwrap());
    assert!(!b.attempt().await.unwrap());
    assert!(a.attempt().await.unwrap(), "renewed");
    assert!(!b.attempt().await.unwrap());
    b.give_back().await.unwrap();
    assert!(!b.attempt().await.unwrap(), "nobody gives back what another holds");
    a.give_back().await.unwrap();
    assert!(b.attempt().await.unwrap());
    assert!(!a.attempt().await.unwrap());
}

#[tokio::test]
async fn a_lapsed_lease_is_taken_and_its_holder_sees_it() {
    let state = Arc::new(Mutex::new(None));
    let new =
        |me: &str| Election::new(server(Arc::clone(&state)), "n", "lease", me, Arc::new(Fence::new()), clock);
    let (mut a, mut b) = (new("a"), new("b"));
    assert!(a.attempt().await.unwrap());
    assert!(!b.attempt().await.unwrap(), "seen for the first time");
    b.clock = later;
    assert!(b.attempt().await.unwrap(), "unchanged for a minute");
    assert!(!a.attempt().await.unwrap(), "lost");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_lost_it_stops_holding() {
    let state = Arc::new(Mutex::new(None));
    let mut a = Election::new(server(Arc::clone(&state)), "n", "lease", "a", Arc::new(Fence::new()), clock);
    assert!(a.attempt().await.unwrap());
    state.lock().unwrap().as_mut().unwrap()["spec"]["holderIdentity"] = json!("b");
    assert!(a.fence.is_open(clock()));
    tokio::time::timeout(Duration::from_secs(30), a.hold()).await.unwrap();
    assert!(!a.fence.is_open(clock()));
}

#[test]
fn a_fence_closes_by_itself() {
    let fence = Fence::new();
    assert!(!fence.is_open(clock()));
    fence.extend(clock());
    assert!(fence.is_open(clock()) && !fence.is_open(later()));
    fence.open();
    assert!(fence.is_open(later()));
}

/// Tokio's clock, which a paused test moves.
fn virtual_clock() -> Timestamp {
    static START: std::sync::OnceLock<tokio::time::Instant> = std::sync::OnceLock::new();
    let passed = START.get_or_init(tokio::time::Instant::now).elapsed();
    clock() + SignedDuration::try_from(passed).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_holder_without_an_api_server_stops_in_time() {
    let (client, _) = testing::client(|_| Some((500, status(500, "InternalError"))));
    let fence = Arc::new(Fence::new());
    let mut a = Election::new(client, "n", "lease", "a", Arc::clone(&fence), virtual_clock);
    fence.extend(virtual_clock());
    let began = tokio::time::Instant::now();
    a.hold().await;
    assert!(began.elapsed() < DURATION, "{:?}", began.elapsed());
    assert!(!fence.is_open(virtual_clock()));
}
