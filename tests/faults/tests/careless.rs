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
        run(reader, &plans[1..2], 1).unwrap() // the second page of the first job
    };
    assert_eq!(wrong(&run(Reader::Careless)), 1);
    let ours = run(Reader::Orgkeep);
    assert_eq!(wrong(&ours), 0, "{ours:?}");
    assert_ne!(ours[0].outcome, Outcome::Unfired);
}
