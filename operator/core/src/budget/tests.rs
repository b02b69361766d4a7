//! Single decisions; `operator/core/tests/budget.rs` has the schedules.

use super::*;

const LAG: Duration = Duration::from_mins(5);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn told(used: u64) -> Observed {
    Observed { used, allowance: 16_000 }
}

/// One call that takes no time and brings a count.
fn call(budget: &mut Budget, second: i64, used: u64) {
    let ticket = budget.begin(at(second)).unwrap();
    budget.end(ticket, at(second), Some(told(used)));
}

fn reached(budget: &Budget, second: i64) -> bool {
    matches!(budget.denied(at(second)), Some(Denied::Reached(_)))
}

#[test]
fn before_any_count_one_call_at_a_time() {
    let mut budget = Budget::new(Terms::alone(75, LAG), at(0));
    let first = budget.begin(at(0)).unwrap();
    assert!(matches!(budget.begin(at(0)), Err(Denied::Wait(_))));
    budget.end(first, at(1), None);
    call(&mut budget, 1, 10);
    let (_one, _two) = (budget.begin(at(1)).unwrap(), budget.begin(at(1)).unwrap());
}

#[test]
fn the_mark_and_own_calls_that_are_not_yet_told() {
    let mut budget = Budget::new(Terms::alone(75, LAG), at(0));
    call(&mut budget, 0, 11_949);
    // Own: one begun. The others' average of the day is 0.14 calls a second, 42 in five minutes.
    assert_eq!(budget.expected(at(0)).unwrap().count, 11_949 + 1 + 42);
    for _ in 0..8 {
        let ticket = budget.begin(at(0)).unwrap();
        budget.end(ticket, at(0), None);
    }
    let denied = budget.begin(at(0)).unwrap_err();
    let Denied::Reached(reached) = denied else { panic!("{denied:?}") };
    assert_eq!((reached.expected, reached.mark, reached.observed.used), (12_000, 12_000, 11_949));
}

#[test]
fn what_rolled_out_of_the_window_makes_room_again() {
    let mut budget = Budget::new(Terms::alone(75, LAG), at(0));
    call(&mut budget, 0, 12_000);
    assert!(reached(&budget, 0) && reached(&budget, 3600));
    budget.observe(told(9_000), at(7200));
    assert!(!reached(&budget, 7200));
}

#[test]
fn others_who_speed_up_are_given_their_highest_rate() {
    let mut budget = Budget::new(Terms::alone(75, LAG), at(0));
    call(&mut budget, 0, 1_000);
    call(&mut budget, 60, 1_600); // 10 a second
    call(&mut budget, 120, 1_601); // and quiet again
    let expected = budget.expected(at(120)).unwrap();
    assert!((2_900..=3_300).contains(&expected.others), "{expected:?}");
}

#[test]
fn a_share_of_untold_calls_is_waited_for() {
    let mut budget = Budget::new(Terms::alone(75, LAG), at(0));
    let share = Terms::alone(75, LAG).share(16_000);
    assert_eq!(share, 750);
    for _ in 0..share {
        call(&mut budget, 10, 100);
    }
    let denied = budget.begin(at(20)).unwrap_err();
    assert_eq!(denied, Denied::Wait(at(10 + 1 + 360)));
    assert!(budget.begin(at(371)).is_ok());
}

#[test]
fn other_workers_and_earlier_lives_are_reserved_for() {
    let terms = Terms { workers: 4, ..Terms::alone(75, LAG) };
    assert_eq!(terms.share(16_000), 187);
    let mut budget = Budget::new(terms, at(0));
    call(&mut budget, 0, 0);
    assert_eq!(budget.expected(at(0)).unwrap().count, 1 + 3 * 2 * 187);
    let again = Terms { lives: 1, ..Terms::alone(75, LAG) };
    let mut budget = Budget::new(again, at(0));
    call(&mut budget, 0, 0);
    assert_eq!(budget.expected(at(0)).unwrap().count, 1 + 750);
    // the second life has half of a share until the first one's calls are told
    for _ in 1..375 {
        call(&mut budget, 0, 0);
    }
    assert!(matches!(budget.begin(at(0)), Err(Denied::Wait(_))));
    call(&mut budget, 361, 400);
    let expected = budget.expected(at(361)).unwrap();
    assert_eq!(expected.count, 400 + 1 + expected.others, "{expected:?}");
}

#[test]
fn an_answer_that_comes_late_knows_less() {
    let mut budget = Budget::new(Terms::alone(75, LAG), at(0));
    call(&mut budget, 0, 100);
    let slow = budget.begin(at(1)).unwrap();
    call(&mut budget, 50, 200);
    budget.end(slow, at(60), Some(told(150)));
    assert_eq!(budget.observed().unwrap().0, told(200));
}
