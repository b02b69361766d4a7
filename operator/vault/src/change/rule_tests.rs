//! The rule does what it says, and comes to an end.

use super::*;
use proptest::prelude::*;

fn base(min: u128, max: u128, bytes: u64) -> Sized {
    Sized { base: true, min, max, bytes }
}

fn delta(min: u128, max: u128, bytes: u64) -> Sized {
    Sized { base: false, min, max, bytes }
}

fn rule() -> Rule {
    Rule {
        layers: 2,
        wide: 2,
        share: 25,
        pieces: 3,
        span: 1000,
        least: 10,
        fan_in: 8,
        base_fan_in: 8,
        index_from: None,
    }
}

#[test]
fn a_state_in_order_is_left_alone() {
    let parts = [base(0, 9, 1000), base(10, 19, 1000), delta(3, 15, 300), delta(2, 18, 300)];
    assert_eq!(rule().next(&parts), None);
    assert_eq!(rule().next(&[]), None);
}

#[test]
fn wide_deltas_are_cut_at_the_borders() {
    let parts = [
        base(0, 9, 1000),
        base(10, 19, 1000),
        delta(0, 19, 1),
        delta(0, 2, 1),
        delta(0, 19, 1),
        delta(0, 19, 1),
    ];
    let step = rule().next(&parts).unwrap();
    assert_eq!(step, Step { parts: vec![2, 3, 4, 5], base: false, cuts: vec![10] });
}

#[test]
fn pieces_beyond_a_share_are_written_into_their_base_part() {
    let parts = [base(0, 9, 1000), base(10, 19, 1000), delta(12, 40, 251), delta(1, 2, 250)];
    assert_eq!(rule().next(&parts).unwrap(), Step { parts: vec![1, 2], base: true, cuts: vec![] });
    // What lies after a wide delta waits for it.
    let parts = [base(0, 9, 1000), base(10, 19, 1000), delta(0, 40, 1), delta(12, 40, 251)];
    assert_eq!(rule().next(&parts), None);
}

#[test]
fn many_small_pieces_are_joined_and_large_ones_stay() {
    let parts = [base(0, 9, 10_000), delta(0, 9, 100), delta(0, 9, 1), delta(0, 9, 2), delta(0, 9, 1)];
    assert_eq!(rule().next(&parts).unwrap(), Step { parts: vec![2, 3, 4], base: false, cuts: vec![] });
}

#[test]
fn layers_are_merged_a_bounded_number_at_a_time() {
    let parts: Vec<Sized> = (0..30).map(|_| base(0, 9, 1000)).collect();
    assert_eq!(rule().next(&parts).unwrap().parts, (0..8).collect::<Vec<_>>());
    let parts = [base(0, 9, 1000), base(5, 19, 1000), base(10, 19, 1000)];
    assert_eq!(rule().next(&parts), None);
}

/// 300 layers: each part is written again some log(300) times, never as often as there are steps.
#[test]
fn many_layers_are_merged_a_few_times_each() {
    let mut parts: Vec<Sized> = (0..300).map(|_| base(0, 99_999, 1000)).collect();
    let rule = Rule { base_fan_in: 6, ..rule() };
    let (mut written, mut steps) = (0, 0);
    while let Some(step) = rule.next(&parts) {
        written += step.parts.iter().map(|at| parts[*at].bytes).sum::<u64>();
        steps += 1;
        assert!(runs(&parts, &step.parts).len() <= 6, "{step:?}");
        parts = apply(&parts, &step, rule.span);
    }
    assert!(written <= 4 * 300_000, "{written} bytes in {steps} steps");
}

/// Carries a step out on sizes alone.
fn apply(parts: &[Sized], step: &Step, span: u64) -> Vec<Sized> {
    let inputs: Vec<Sized> = step.parts.iter().map(|at| parts[*at]).collect();
    let (min, max) =
        (inputs.iter().map(|p| p.min).min().unwrap(), inputs.iter().map(|p| p.max).max().unwrap());
    let bytes: u64 = inputs.iter().map(|p| p.bytes).sum();
    let mut borders: Vec<u128> = step.cuts.iter().copied().filter(|cut| *cut > min && *cut <= max).collect();
    if step.base {
        let files = u128::from(bytes.div_ceil(span)).min(max - min + 1).max(1);
        borders = (1..files).map(|n| min + (max - min + 1) * n / files).collect();
    }
    borders.dedup();
    let mut made = Vec::new();
    let mut from = min;
    for to in borders.iter().copied().chain([max + 1]) {
        made.push(Sized {
            base: step.base,
            min: from,
            max: to - 1,
            bytes: bytes / (borders.len() as u64 + 1),
        });
        from = to;
    }
    let first = step.parts.iter().min().copied().unwrap();
    let mut next = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if at == first {
            next.append(&mut made);
        }
        if !step.parts.contains(&at) {
            next.push(*part);
        }
    }
    next.sort_by_key(|part| !part.base);
    next
}

proptest! {
    #[test]
    fn it_comes_to_an_end_and_keeps_order(
        bases in prop::collection::vec((0_u128..200, 0_u128..60, 1_u64..1500), 0..20),
        deltas in prop::collection::vec((0_u128..260, 0_u128..200, 1_u64..300), 0..40),
    ) {
        let mut parts: Vec<Sized> = bases.iter().map(|(min, len, bytes)| base(*min, min + len, *bytes)).collect();
        parts.extend(deltas.iter().map(|(min, len, bytes)| delta(*min, min + len, *bytes)));
        for _ in 0..200 {
            let Some(step) = rule().next(&parts) else { return Ok(()) };
            prop_assert!(!step.parts.is_empty());
            // No base part that stays is between two that are taken and lies over the same keys as one of them.
            let taken_between = |at: usize| step.parts.iter().any(|t| *t < at) && step.parts.iter().any(|t| *t > at);
            for stays in (0..parts.len()).filter(|at| parts[*at].base && !step.parts.contains(at) && taken_between(*at)) {
                for taken in step.parts.iter().filter(|_| step.base) {
                    let (a, b) = (parts[*taken], parts[stays]);
                    prop_assert!(a.max < b.min || b.max < a.min, "{a:?} around {b:?}");
                }
            }
            // No delta that stays is older than one that is taken and lies over the same keys, when they go to the base.
            for taken in step.parts.iter().filter(|at| !parts[**at].base && step.base) {
                for stays in (0..*taken).filter(|at| !step.parts.contains(at) && !parts[*at].base) {
                    let (a, b) = (parts[*taken], parts[stays]);
                    prop_assert!(a.max < b.min || b.max < a.min, "{a:?} over {b:?}");
                }
            }
            parts = apply(&parts, &step, rule().span);
        }
        prop_assert!(false, "no end: {parts:?}");
    }
}
