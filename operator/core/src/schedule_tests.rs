use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn daily(hour: u8) -> Schedule {
    Schedule(Kind::Preset { rhythm: Rhythm::Daily, hour: i64::from(hour), spread: 0, first: None })
}

fn preset(rhythm: Rhythm, hour: i64, first: Option<&str>) -> Schedule {
    Schedule(Kind::Preset { rhythm, hour, spread: 7, first: first.map(at) })
}

#[test]
fn presets() {
    // 2026-01-31 is a Saturday.
    for (schedule, after, want) in [
        (daily(2), "2026-01-31T01:59:59Z", "2026-01-31T02:00:00Z"),
        (daily(2), "2026-01-31T02:00:00Z", "2026-02-01T02:00:00Z"),
        (preset(Rhythm::Daily, 2, None), "2026-01-31T02:00:00Z", "2026-01-31T02:00:07Z"),
        (preset(Rhythm::Weekly(Weekday::Sunday), 2, None), "2026-01-31T01:00:00Z", "2026-02-01T02:00:07Z"),
        (preset(Rhythm::Weekly(Weekday::Sunday), 2, None), "2026-02-01T03:00:00Z", "2026-02-08T02:00:07Z"),
        (preset(Rhythm::Weekly(Weekday::Thursday), 0, None), "1970-01-01T00:00:00Z", "1970-01-01T00:00:07Z"),
        (preset(Rhythm::ThreeTimesDaily, 2, None), "2026-01-31T03:00:00Z", "2026-01-31T10:00:07Z"),
        (preset(Rhythm::ThreeTimesDaily, 2, None), "2026-01-31T19:00:00Z", "2026-02-01T02:00:07Z"),
        // The third of the day falls into the next one.
        (preset(Rhythm::ThreeTimesDaily, 22, None), "2026-01-31T07:00:00Z", "2026-01-31T14:00:07Z"),
        (preset(Rhythm::ThreeTimesDaily, 22, None), "2026-01-31T00:00:00Z", "2026-01-31T06:00:07Z"),
        (preset(Rhythm::Every3Days, 2, None), "2026-01-31T03:00:00Z", "2026-02-01T02:00:07Z"),
        (
            preset(Rhythm::Every3Days, 2, Some("2026-02-01T02:00:07Z")),
            "2026-02-01T02:00:07Z",
            "2026-02-04T02:00:07Z",
        ),
        // A first run by hand counts by its day.
        (
            preset(Rhythm::Every3Days, 2, Some("2026-02-01T17:11:00Z")),
            "2026-02-01T17:11:00Z",
            "2026-02-04T02:00:07Z",
        ),
    ] {
        assert_eq!(schedule.next_after(at(after)), Some(at(want)), "{schedule:?} after {after}");
    }
}

#[test]
fn a_preset_is_spread_by_its_object() {
    let slot = |uid: &str| {
        let schedule = Schedule::preset(Rhythm::Daily, 2, uid, None);
        schedule.next_after(at("2026-01-31T00:00:00Z")).unwrap()
    };
    assert_eq!(slot("a"), slot("a"));
    let slots: std::collections::BTreeSet<Timestamp> = (0..50).map(|n| slot(&format!("uid-{n}"))).collect();
    assert!(slots.len() > 40);
    assert!(
        slots.iter().all(|slot| { (at("2026-01-31T02:00:00Z")..at("2026-01-31T02:10:00Z")).contains(slot) })
    );
}

#[test]
fn cron_with_clock_changes() {
    // Berlin: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00 again.
    for (expression, zone, after, want) in [
        ("0 */6 * * *", "UTC", "2026-01-31T05:00:00Z", "2026-01-31T06:00:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z"),
        // A gap: shifted forward, to 03:30 on the wall, once.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", "2026-03-29T01:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:10:00Z", "2026-03-29T01:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"),
        // What is shifted past a slot of its own does not hide it.
        ("30,0 2,3 29 3 *", "Europe/Berlin", "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"),
        ("*/10 * * * *", "Europe/Berlin", "2026-03-29T00:50:00Z", "2026-03-29T01:00:00Z"),
        ("*/10 * * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z"),
        ("15 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", "2026-03-29T01:15:00Z"),
        // A repeat: the first time only.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T01:00:00Z", "2026-10-25T00:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"),
        ("0 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"),
        // A day that a country left out.
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-30T22:00:00Z"),
        ("0 0 * * SUN", "UTC", "2026-01-31T05:00:00Z", "2026-02-01T00:00:00Z"),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
    ] {
        let schedule = Schedule::cron(expression, zone).unwrap();
        assert_eq!(schedule.next_after(at(after)), Some(at(want)), "{expression} {zone} after {after}");
        assert!(schedule.is_slot(at(want)));
    }
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    for (expression, zone, word) in [
        ("61 * * * *", "UTC", "cannot be read"),
        ("* * * *", "UTC", "five fields"),
        ("0 0 30 2 *", "UTC", "never due"),
        ("0 0 * * *", "Mars/Olympus", "time zone"),
        ("a b c d e", "UTC", "cannot be read"),
    ] {
        let error = Schedule::cron(expression, zone).unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn missed_slots_are_one() {
    let schedule = Schedule::cron("0 */6 * * *", "UTC").unwrap();
    let due = |after: &str, now: &str| schedule.due(at(after), at(now));
    assert_eq!(due("2026-01-31T06:00:00Z", "2026-01-31T11:59:59Z"), None);
    let one = Due { slot: at("2026-01-31T12:00:00Z"), missed: false };
    assert_eq!(due("2026-01-31T06:00:00Z", "2026-01-31T12:00:00Z"), Some(one));
    assert_eq!(due("2026-01-31T06:00:00Z", "2026-01-31T17:00:00Z"), Some(one));
    let late = Due { slot: at("2026-01-31T12:00:00Z"), missed: true };
    assert_eq!(due("2020-01-31T06:00:00Z", "2026-01-31T17:00:00Z"), Some(late));
    let yearly = Schedule::cron("0 0 1 1 *", "UTC").unwrap();
    assert_eq!(
        yearly.due(at("2020-06-01T00:00:00Z"), at("2025-12-31T00:00:00Z")),
        Some(Due { slot: at("2025-01-01T00:00:00Z"), missed: true })
    );
}

proptest! {
    #[test]
    fn slots_go_forward_and_none_is_left_out(
        seconds in 1_500_000_000_i64..2_200_000_000,
        minute in 0_u8..60, hour in 0_u8..24, every in 1_u8..30,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        often in any::<bool>(),
    ) {
        let expression =
            if often { format!("*/{every} * * * *") } else { format!("{minute} {hour} * * *") };
        let schedule = Schedule::cron(&expression, zone).unwrap();
        let after = Timestamp::from_second(seconds).unwrap();
        let next = schedule.next_after(after).unwrap();
        prop_assert!(next > after);
        prop_assert!(schedule.is_slot(next));
        // From any moment before it, it is the next one.
        let middle = Timestamp::from_second(i64::midpoint(seconds, next.as_second() - 1)).unwrap();
        prop_assert_eq!(schedule.next_after(middle), Some(next));
        // Once a day is once a day, whatever the clock does.
        if !often {
            let gap = next.duration_since(after);
            prop_assert!(gap <= SignedDuration::from_hours(26), "{gap:?}");
        }
    }

    #[test]
    fn due_is_the_newest_slot_up_to_now(
        seconds in 1_500_000_000_i64..2_200_000_000, behind in 0_i64..100_000_000,
        rhythm in prop::sample::select(vec![
            Rhythm::Daily, Rhythm::Every3Days, Rhythm::Weekly(Weekday::Sunday), Rhythm::ThreeTimesDaily,
        ]),
        hour in 0_u8..24, uid in "[a-f0-9]{8}",
    ) {
        let now = Timestamp::from_second(seconds).unwrap();
        let after = Timestamp::from_second(seconds - behind).unwrap();
        let first = Timestamp::from_second(1_400_000_000).ok();
        let schedule = Schedule::preset(rhythm, hour, &uid, first);
        match schedule.due(after, now) {
            Some(due) => {
                prop_assert!(after < due.slot && due.slot <= now);
                prop_assert!(schedule.is_slot(due.slot));
                prop_assert!(schedule.next_after(due.slot).unwrap() > now);
                prop_assert_eq!(schedule.due(due.slot, now), None);
                prop_assert_eq!(due.missed, schedule.next_after(after).unwrap() < due.slot);
            }
            None => prop_assert!(schedule.next_after(after).unwrap() > now),
        }
    }
}
