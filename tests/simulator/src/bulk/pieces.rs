//! Where the rows of a page are: one run of them, or several where results are not in the order of ids.

/// Rows of a part that keeps its order, of results that do not.
const PART: u64 = 1_000;

/// Runs of rows, `(from, how many)`, that stand at `from` and the `rows` behind it.
pub(super) fn pieces(total: u64, from: u64, rows: u64, shuffled: bool) -> Vec<(u64, u64)> {
    let end = total.min(from.saturating_add(rows));
    if !shuffled {
        return vec![(from, end.saturating_sub(from))];
    }
    // small results have parts, too
    let part = PART.min((total / 3).max(1));
    let parts = total.div_ceil(part);
    let (mut at, mut runs) = (0, Vec::new());
    for number in shuffle(parts) {
        let begins = number * part;
        let length = part.min(total - begins);
        let (low, high) = (from.max(at), end.min(at + length));
        if low < high {
            runs.push((begins + low - at, high - low));
        }
        at += length;
    }
    runs
}

/// The numbers below `parts` in an order that is always the same: odd ones first, each from behind.
fn shuffle(parts: u64) -> impl Iterator<Item = u64> {
    let odd = (0..parts).rev().filter(|number| number % 2 == 1);
    odd.chain((0..parts).rev().filter(|number| number % 2 == 0))
}

/// Rows of a page that is shorter than asked for: the same for the same page.
pub(super) fn short(from: u64, rows: u64) -> u64 {
    let less = from.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    rows - less % (rows / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_on_one_page() {
        for (total, page) in [(0, 5), (1, 1), (10, 3), (2_500, 999), (10_000, 4_096)] {
            for shuffled in [false, true] {
                let mut seen = vec![0; total];
                let mut from = 0;
                while from < total as u64 {
                    let runs = pieces(total as u64, from, page, shuffled);
                    assert_eq!(runs.iter().map(|(_, rows)| rows).sum::<u64>(), page.min(total as u64 - from));
                    for (begins, rows) in runs {
                        (begins..begins + rows).for_each(|row| seen[row as usize] += 1);
                    }
                    from += page;
                }
                assert!(seen.iter().all(|times| *times == 1), "{total} {page} {shuffled}");
            }
        }
        assert_ne!(pieces(2_500, 0, 2_500, true)[0].0, 0);
        assert!((1..100).all(|from| (1..=100).contains(&short(from, 100)) && short(from, 1) <= 1));
    }
}
