//! The campaign itself: a fault is seen in a careless client, and none in a reading without faults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use orgkeep_faults::campaign::{Outcome, Reader, all_plans, calls, run, wrong};
use orgkeep_faults::kind::Kind;

#[test]
fn a_full_read_is_at_least_200_calls_and_befallen_by_every_kind() {
    let plans = all_plans(&calls(Reader::Orgkeep).unwrap());
    assert!(calls(Reader::Orgkeep).unwrap().len() >= 200);
    for kind in Kind::ALL {
        assert!(plans.iter().any(|plan| plan.kind == *kind), "{kind:?} befalls no call");
    }
}

#[test]
fn a_page_that_comes_twice_is_seen_in_a_careless_client_and_not_in_ours() {
    let run = |reader| {
        let plans: Vec<_> = all_plans(&calls(reader).unwrap())
            .into_iter()
            .filter(|plan| plan.kind == Kind::PageTwice)
            .collect();
        // The first page of the first job, too: no page was before it, so that its second one comes twice. How often a
        // job is asked for its state differs from run to run, so that a call's number may mean either.
        run(reader, &plans[..2], 1).unwrap()
    };
    let careless = run(Reader::Careless);
    assert_eq!(wrong(&careless), 2, "{careless:?}");
    let ours = run(Reader::Orgkeep);
    assert_eq!(wrong(&ours), 0, "{ours:?}");
    assert!(ours.iter().all(|run| run.outcome != Outcome::Unfired), "{ours:?}");
}
