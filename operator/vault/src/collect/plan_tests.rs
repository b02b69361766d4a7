//! What is retired, restored, due, by facts alone.

use super::*;

fn numbered(seq: u64) -> Numbered {
    let time = Timestamp::from_second(i64::try_from(seq).unwrap() * 3600).unwrap();
    Numbered { seq, digest: format!("d{seq}"), run_id: format!("r{seq}"), void: false, time, whole: true }
}

fn retired(seq: u64, at: i64) -> Retired {
    let Numbered { digest, run_id, time, whole, .. } = numbered(seq);
    let retired_at = Timestamp::from_second(at).unwrap();
    Retired { seq, digest, run_id, time, whole, retired_at, ..Retired::default() }
}

const NOW: i64 = 1_000_000;
const GRACE: u64 = 1000;

fn facts<'a>(standing: &'a [Numbered], retired: &'a [Retired], policy: Option<&'a Retention>) -> Facts<'a> {
    Facts {
        standing,
        retired,
        holds: &[],
        policy,
        now: Timestamp::from_second(NOW).unwrap(),
        grace: Duration::from_secs(GRACE),
        oldest_run: None,
    }
}

#[test]
fn without_a_policy_nothing_is_retired_and_what_was_goes_on_its_way() {
    let standing = [numbered(4), numbered(5)];
    let old = [retired(1, 0), retired(2, NOW - 10)];
    let marks = marks(&facts(&standing, &old, None));
    assert_eq!((marks.retire, marks.restore, marks.due), (vec![], vec![], vec![1]));
    assert_eq!(marks.waiting, [(2, Timestamp::from_second(NOW - 10 + 1000).unwrap())]);
}

#[test]
fn a_run_that_began_before_holds_up_what_was_retired_since() {
    let standing = [numbered(4)];
    let old = [retired(1, 10), retired(2, 30), Retired { sweeping: true, ..retired(3, 30) }];
    let oldest_run = Some(Timestamp::from_second(20).unwrap());
    let marks = marks(&Facts { oldest_run, ..facts(&standing, &old, None) });
    assert_eq!((marks.due, marks.sweeping), (vec![1, 3], vec![3]));
}

#[test]
fn a_longer_rule_restores_what_is_not_being_deleted() {
    let policy = Retention { keep_last: Some(3), ..Retention::default() };
    let standing = [numbered(5)];
    let old = [retired(1, 0), Retired { sweeping: true, ..retired(3, 0) }, retired(4, 0)];
    let marks = marks(&facts(&standing, &old, Some(&policy)));
    assert_eq!((marks.restore, marks.due, marks.kept), (vec![1, 4], vec![3], 3));
}

#[test]
fn voids_go_only_below_the_newest_snapshot() {
    let void = |seq| Numbered { void: true, ..numbered(seq) };
    let standing = [void(1), numbered(2), void(3), numbered(4), void(5)];
    assert_eq!(marks(&facts(&standing, &[], None)).voids, [1, 3]);
}

#[test]
fn files_are_told_by_their_places() {
    assert_eq!(place("objects/Account/run-1.2/state.json"), Place::OfRun("run-1"));
    assert_eq!(place("objects/Account/run.1.2/0001.parquet"), Place::OfRun("run.1"));
    assert_eq!(place("objects/Account/erase-3.1/0001.parquet"), Place::OfErasure(3));
    assert_eq!(place("blobs/ab/abc"), Place::Shared);
    assert_eq!(place("blobs/lists/abc.json"), Place::Shared);
    for unknown in ["line.1.json", "runs/r/plan.json", "objects/Account/odd/x", "objects/x", "search/x"] {
        assert_eq!(place(unknown), Place::Unknown, "{unknown}");
    }
}
