//! Strings with their escapes, LIKE patterns, and dates that are meant relative to today.

use crate::value::calendar::{civil_from_days, days_from_civil};

/// The text that a string literal means.
pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for piece in pieces(raw) {
        match piece {
            Piece::Plain(c) | Piece::Escaped(c) => out.push(c),
        }
    }
    out
}

enum Piece {
    Plain(char),
    Escaped(char),
}

fn pieces(raw: &str) -> impl Iterator<Item = Piece> {
    let mut chars = raw.chars();
    std::iter::from_fn(move || {
        let next = chars.next()?;
        if next != '\\' {
            return Some(Piece::Plain(next));
        }
        Some(Piece::Escaped(match chars.next()? {
            'n' | 'N' => '\n',
            'r' | 'R' => '\r',
            't' | 'T' => '\t',
            'b' | 'B' => '\u{8}',
            'f' | 'F' => '\u{c}',
            'u' | 'U' => {
                let digits: String = chars.by_ref().take(4).collect();
                u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).unwrap_or('\u{FFFD}')
            }
            other => other,
        }))
    })
}

/// A LIKE pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern(Vec<Wild>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wild {
    Any,
    One,
    Char(char),
}

impl Pattern {
    /// Reads a pattern: `%` and `_` unless they are escaped.
    pub(super) fn new(raw: &str) -> Self {
        let mut wild = Vec::new();
        for piece in pieces(raw) {
            match piece {
                Piece::Plain('%') => wild.push(Wild::Any),
                Piece::Plain('_') => wild.push(Wild::One),
                Piece::Plain(c) | Piece::Escaped(c) => wild.extend(c.to_lowercase().map(Wild::Char)),
            }
        }
        Self(wild)
    }

    /// Whether a text matches, in any case.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        // greedy with one point to go back to: the last `%`
        let (mut at, mut pattern) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(pattern) {
                Some(Wild::Any) => {
                    back = Some((at, pattern + 1));
                    pattern += 1;
                }
                Some(Wild::One) => (at, pattern) = (at + 1, pattern + 1),
                Some(Wild::Char(c)) if *c == text[at] => (at, pattern) = (at + 1, pattern + 1),
                _ => match back {
                    Some((from, after)) => {
                        back = Some((from + 1, after));
                        (at, pattern) = (from + 1, after);
                    }
                    None => return false,
                },
            }
        }
        self.0[pattern..].iter().all(|w| *w == Wild::Any)
    }
}

/// Whether a word names a range of dates, and whether it takes a number.
pub(super) fn range_takes_number(word: &str) -> Option<bool> {
    let upper = word.to_ascii_uppercase();
    range(word, Some(1), 0).map(|_| upper.contains("_N_") || upper.starts_with("N_"))
}

/// The days that a date literal means on a day: from the first to before the last.
pub(super) fn range(word: &str, number: Option<i32>, today: i32) -> Option<(i32, i32)> {
    // fiscal years are those of the calendar, as in an org that set nothing else
    let word = word.to_ascii_uppercase().replace("FISCAL_", "");
    let n = number.unwrap_or(1).clamp(0, 20_000);
    let week = today - (today + 4).rem_euclid(7);
    let months = |from: i32, to: i32| (month_start(today, from), month_start(today, to));
    let quarter = {
        let (_, month, _) = civil_from_days(today);
        -((month as i32 - 1) % 3)
    };
    let quarters = |from: i32, to: i32| months(quarter + 3 * from, quarter + 3 * to);
    let year = {
        let (_, month, _) = civil_from_days(today);
        1 - month as i32
    };
    let years = |from: i32, to: i32| months(year + 12 * from, year + 12 * to);
    Some(match word.as_str() {
        "TODAY" => (today, today + 1),
        "YESTERDAY" => (today - 1, today),
        "TOMORROW" => (today + 1, today + 2),
        "LAST_WEEK" => (week - 7, week),
        "THIS_WEEK" => (week, week + 7),
        "NEXT_WEEK" => (week + 7, week + 14),
        "LAST_90_DAYS" => (today - 90, today + 1),
        "NEXT_90_DAYS" => (today + 1, today + 91),
        "LAST_N_DAYS" => (today - n, today + 1),
        "NEXT_N_DAYS" => (today + 1, today + 1 + n),
        "N_DAYS_AGO" => (today - n, today - n + 1),
        "LAST_N_WEEKS" => (week - 7 * n, week),
        "NEXT_N_WEEKS" => (week + 7, week + 7 + 7 * n),
        "N_WEEKS_AGO" => (week - 7 * n, week - 7 * n + 7),
        "N_MONTHS_AGO" => months(-n, 1 - n),
        "N_QUARTERS_AGO" => quarters(-n, 1 - n),
        "N_YEARS_AGO" => years(-n, 1 - n),
        "LAST_MONTH" => months(-1, 0),
        "THIS_MONTH" => months(0, 1),
        "NEXT_MONTH" => months(1, 2),
        "LAST_N_MONTHS" => months(-n, 0),
        "NEXT_N_MONTHS" => months(1, 1 + n),
        "LAST_QUARTER" => quarters(-1, 0),
        "THIS_QUARTER" => quarters(0, 1),
        "NEXT_QUARTER" => quarters(1, 2),
        "LAST_N_QUARTERS" => quarters(-n, 0),
        "NEXT_N_QUARTERS" => quarters(1, 1 + n),
        "LAST_YEAR" => years(-1, 0),
        "THIS_YEAR" => years(0, 1),
        "NEXT_YEAR" => years(1, 2),
        "LAST_N_YEARS" => years(-n, 0),
        "NEXT_N_YEARS" => years(1, 1 + n),
        _ => return None,
    })
}

/// The first day of the month that is so many months away from a day's.
fn month_start(day: i32, months: i32) -> i32 {
    let (year, month, _) = civil_from_days(day);
    let counted = year * 12 + month as i32 - 1 + months;
    days_from_civil(counted.div_euclid(12), counted.rem_euclid(12) as u32 + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::calendar::parse_date;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("Acme%", "ACME Inc.", true),
            ("%inc_", "Acme Inc.", true),
            ("a%b%c", "axxbyyc", true),
            ("a%b%c", "axxbyy", false),
            ("50\\%", "50%", true),
            ("50\\%", "50x", false),
            ("", "", true),
            ("%", "", true),
            ("_", "", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(r"O\'Brien \\ \u00e9\n"), "O'Brien \\ é\n");
    }

    #[test]
    fn ranges_of_a_wednesday() {
        let day = |text: &str| parse_date(text).unwrap();
        let today = day("2026-11-25");
        for (word, number, from, to) in [
            ("TODAY", None, "2026-11-25", "2026-11-26"),
            ("yesterday", None, "2026-11-24", "2026-11-25"),
            ("THIS_WEEK", None, "2026-11-22", "2026-11-29"),
            ("LAST_N_DAYS", Some(3), "2026-11-22", "2026-11-26"),
            ("LAST_MONTH", None, "2026-10-01", "2026-11-01"),
            ("THIS_QUARTER", None, "2026-10-01", "2027-01-01"),
            ("LAST_YEAR", None, "2025-01-01", "2026-01-01"),
            ("NEXT_N_MONTHS", Some(2), "2026-12-01", "2027-02-01"),
            ("N_WEEKS_AGO", Some(1), "2026-11-15", "2026-11-22"),
            ("N_MONTHS_AGO", Some(3), "2026-08-01", "2026-09-01"),
            ("N_QUARTERS_AGO", Some(1), "2026-07-01", "2026-10-01"),
            ("THIS_FISCAL_QUARTER", None, "2026-10-01", "2027-01-01"),
            ("LAST_N_FISCAL_YEARS", Some(2), "2024-01-01", "2026-01-01"),
            ("N_FISCAL_YEARS_AGO", Some(2), "2024-01-01", "2025-01-01"),
        ] {
            assert_eq!(range(word, number, today), Some((day(from), day(to))), "{word}");
        }
        assert_eq!(range("SOMEDAY", None, today), None);
    }
}
