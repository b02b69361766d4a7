use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn snapshot(seq: u64, time: &str) -> Kept {
    Kept { seq, time: at(time), whole: true, held: false }
}

/// Numbers of what is kept.
fn kept(snapshots: &[Kept], policy: &Retention, now: &str) -> Vec<u64> {
    let plan = plan(snapshots, policy, at(now));
    snapshots.iter().zip(plan).filter(|(_, why)| why.is_some()).map(|(snapshot, _)| snapshot.seq).collect()
}

#[test]
fn spans_are_of_the_calendar() {
    let all = [
        snapshot(1, "2024-02-29T12:00:00Z"),
        snapshot(2, "2026-04-29T12:00:00Z"),
        snapshot(3, "2026-04-30T12:00:00Z"),
        snapshot(4, "2026-05-31T11:00:00Z"),
        snapshot(5, "2026-05-31T12:00:00Z"),
    ];
    let now = "2026-05-31T12:00:00Z";
    let of = |keep_for| Retention { keep_for: Some(keep_for), ..Retention::default() };
    for (policy, want) in [
        (Retention::default(), vec![1, 2, 3, 4, 5]),
        (of(KeepFor::Days(1)), vec![4, 5]),
        (of(KeepFor::Days(31)), vec![3, 4, 5]),
        (of(KeepFor::Months(1)), vec![3, 4, 5]), // 31 May less a month is 30 April
        (of(KeepFor::Years(2)), vec![2, 3, 4, 5]),
        (of(KeepFor::Years(3)), vec![1, 2, 3, 4, 5]),
        (of(KeepFor::Years(u32::MAX)), vec![1, 2, 3, 4, 5]),
    ] {
        assert_eq!(kept(&all, &policy, now), want, "{policy:?}");
    }
}

#[test]
fn what_no_rule_may_touch() {
    let mut all: Vec<Kept> = (1..=6).map(|seq| snapshot(seq, &format!("2026-01-0{seq}T00:00:00Z"))).collect();
    all[5].whole = false;
    all[4].whole = false;
    all[0].held = true;
    let policy = Retention { keep_for: Some(KeepFor::Days(1)), ..Retention::default() };
    let plan = plan(&all, &policy, at("2027-01-01T00:00:00Z"));
    let want = [Some(Why::Held), None, None, Some(Why::NewestWhole), None, Some(Why::Newest)];
    assert_eq!(plan, want);
    // Of one moment the higher number is the newer.
    let twins = [snapshot(8, "2026-01-01T00:00:00Z"), snapshot(7, "2026-01-01T00:00:00Z")];
    assert_eq!(kept(&twins, &policy, "2027-01-01T00:00:00Z"), [8]);
}

#[test]
fn generations_thin_out() {
    // A snapshot at 02:00 and one at 14:00 of every day of a year.
    let begin = at("2025-06-01T02:00:00Z");
    let all: Vec<Kept> = (0..730)
        .map(|n| Kept {
            seq: n,
            time: begin.checked_add(Span::new().hours(i64::try_from(n).unwrap() * 12)).unwrap(),
            whole: true,
            held: false,
        })
        .collect();
    let generations = Generations { daily: 3, weekly: 2, monthly: 4, yearly: 5 };
    let policy = Retention { generations: Some(generations), ..Retention::default() };
    let times: Vec<String> = kept(&all, &policy, "2026-06-01T00:00:00Z")
        .into_iter()
        .map(|seq| all[usize::try_from(seq).unwrap()].time.to_string())
        .collect();
    let want = [
        "2025-12-31T14:00:00Z", // the year
        "2026-02-28T14:00:00Z", // months
        "2026-03-31T14:00:00Z",
        "2026-04-30T14:00:00Z",
        "2026-05-24T14:00:00Z", // the week that ended on Sunday
        "2026-05-29T14:00:00Z", // days
        "2026-05-30T14:00:00Z",
        "2026-05-31T14:00:00Z",
    ];
    assert_eq!(times, want);
    // The 14:00 of the last month was cut short: its 02:00 stands for the month.
    let mut broken = all.clone();
    let end_of_april = broken.iter().position(|one| one.time == at("2026-04-30T14:00:00Z")).unwrap();
    broken[end_of_april].whole = false;
    let kept = kept(&broken, &policy, "2026-06-01T00:00:00Z");
    assert!(kept.contains(&(end_of_april as u64 - 1)) && !kept.contains(&(end_of_april as u64)));
}

fn policies() -> impl Strategy<Value = Retention> {
    let keep_for = prop_oneof![
        (1u32..2000).prop_map(KeepFor::Days),
        (1u32..60).prop_map(KeepFor::Months),
        (1u32..5).prop_map(KeepFor::Years),
    ];
    let generations = (0u32..10, 0u32..10, 0u32..10, 0u32..4)
        .prop_map(|(daily, weekly, monthly, yearly)| Generations { daily, weekly, monthly, yearly });
    (proptest::option::of(keep_for), proptest::option::of(0u32..20), proptest::option::of(generations))
        .prop_map(|(keep_for, keep_last, generations)| Retention { keep_for, keep_last, generations })
}

fn lines() -> impl Strategy<Value = Vec<Kept>> {
    proptest::collection::vec((0i64..126_000_000, any::<bool>(), 0u8..20), 0..60).prop_map(|all| {
        let made = |(seq, (seconds, whole, held)): (usize, (i64, bool, u8))| Kept {
            seq: seq as u64,
            time: Timestamp::from_second(1_700_000_000 + seconds).unwrap(),
            whole,
            held: held == 0,
        };
        all.into_iter().enumerate().map(made).collect()
    })
}

proptest! {
    #[test]
    fn carried_out_again_it_retires_nothing_more(line in lines(), policy in policies(), later in 0i64..90_000_000) {
        let now = Timestamp::from_second(1_826_000_000).unwrap();
        let first = plan(&line, &policy, now);
        let left: Vec<Kept> =
            line.iter().zip(&first).filter(|(_, why)| why.is_some()).map(|(one, _)| *one).collect();
        prop_assert!(plan(&left, &policy, now).iter().all(Option::is_some));
        // Time alone brings nothing back, and never takes what no rule may touch.
        let then = Timestamp::from_second(1_826_000_000 + later).unwrap();
        for (one, why) in line.iter().zip(plan(&line, &policy, then)) {
            prop_assert!(!one.held || why.is_some());
        }
        if !line.is_empty() {
            prop_assert!(!left.is_empty());
        }
        prop_assert_eq!(line.iter().any(|one| one.whole), left.iter().any(|one| one.whole));
    }

    #[test]
    fn a_wider_policy_keeps_what_a_narrower_one_keeps(line in lines(), policy in policies(), more in 1u32..50) {
        let now = Timestamp::from_second(1_826_000_000).unwrap();
        let mut wider = policy;
        wider.keep_last = wider.keep_last.map(|last| last + more);
        wider.keep_for = wider.keep_for.map(|span| match span {
            KeepFor::Days(days) => KeepFor::Days(days + more),
            KeepFor::Months(months) => KeepFor::Months(months + more),
            KeepFor::Years(years) => KeepFor::Years(years + more),
        });
        wider.generations = wider.generations.map(|of| Generations { daily: of.daily + more, yearly: of.yearly + more, ..of });
        for (narrow, wide) in plan(&line, &policy, now).into_iter().zip(plan(&line, &wider, now)) {
            prop_assert!(narrow.is_none() || wide.is_some());
        }
    }
}
