//! Dates, times and their text forms. All times are UTC; days count from 1970-01-01.
//!
//! The conversions between days and civil dates are Howard Hinnant's `days_from_civil` algorithms.

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// Days since 1970-01-01 of a civil date in the proleptic Gregorian calendar.
pub fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (month as i32 + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_shifted + 2) / 5 + 1) as u32;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 } as u32;
    (year_of_era + era * 400 + i32::from(month <= 2), month, day)
}

/// Days in a month.
pub fn days_in_month(year: i32, month: u32) -> u32 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)) as u32
}

/// Milliseconds since 1970 of now.
pub fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Reads `yyyy-MM-dd`.
pub fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
    let known = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year as i32, month);
    known.then(|| days_from_civil(year as i32, month, day))
}

/// Reads `HH:mm[:ss[.SSS]][Z]` as milliseconds since midnight.
pub fn parse_time(text: &str) -> Option<i32> {
    clock(text.strip_suffix('Z').unwrap_or(text))
}

/// Reads `yyyy-MM-ddTHH:mm[:ss[.SSS]]` with `Z`, `+hhmm` or `+hh:mm`, or a plain date as its midnight.
pub fn parse_datetime(text: &str) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    let days = i64::from(parse_date(text.get(..10)?)?);
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(days * DAY_MS);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset_minutes) = if let Some(time) = rest.strip_suffix(['Z', 'z']) {
        (time, 0)
    } else {
        let at = rest.rfind(['+', '-'])?;
        let zone: String = rest[at + 1..].chars().filter(|c| *c != ':').collect();
        if zone.len() != 4 {
            return None;
        }
        let minutes = number(&zone.as_bytes()[..2])? * 60 + number(&zone.as_bytes()[2..])?;
        let sign = if rest.as_bytes()[at] == b'-' { -1 } else { 1 };
        (&rest[..at], sign * i64::from(minutes))
    };
    Some(days * DAY_MS + i64::from(clock(time)?) - offset_minutes * 60_000)
}

fn clock(text: &str) -> Option<i32> {
    let (time, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = time.split(':');
    let hours = number(parts.next()?.as_bytes())?;
    let minutes = number(parts.next()?.as_bytes())?;
    let seconds = parts.next().map_or(Some(0), |s| number(s.as_bytes()))?;
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 || fraction.len() > 9 {
        return None;
    }
    let mut millis = 0;
    for (digit, weight) in fraction.bytes().zip([100, 10, 1]) {
        millis += number(&[digit])? * weight;
    }
    Some(((hours * 3_600 + minutes * 60 + seconds) * 1_000 + millis) as i32)
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits.iter().try_fold(0u32, |sum, d| d.is_ascii_digit().then(|| sum * 10 + u32::from(d - b'0')))
}

fn push_two(number: u32, out: &mut Vec<u8>) {
    out.push(b'0' + (number / 10) as u8);
    out.push(b'0' + (number % 10) as u8);
}

/// Appends `yyyy-MM-dd`.
pub fn write_date(days: i32, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    let year = year.clamp(0, 9_999) as u32;
    push_two(year / 100, out);
    push_two(year % 100, out);
    out.push(b'-');
    push_two(month, out);
    out.push(b'-');
    push_two(day, out);
}

/// Appends `HH:mm:ss.SSS` without a zone.
pub fn write_clock(millis: i32, out: &mut Vec<u8>) {
    let millis = millis.max(0) as u32;
    push_two(millis / 3_600_000, out);
    out.push(b':');
    push_two(millis / 60_000 % 60, out);
    out.push(b':');
    push_two(millis / 1_000 % 60, out);
    out.push(b'.');
    out.push(b'0' + (millis / 100 % 10) as u8);
    push_two(millis % 100, out);
}

/// Appends `yyyy-MM-ddTHH:mm:ss.SSS` without a zone.
pub fn write_datetime(millis: i64, out: &mut Vec<u8>) {
    write_date(millis.div_euclid(DAY_MS) as i32, out);
    out.push(b'T');
    write_clock(millis.rem_euclid(DAY_MS) as i32, out);
}

/// The datetime in the form of REST: `2026-01-31T10:11:12.000+0000`.
pub fn rest_datetime(millis: i64) -> String {
    let mut out = Vec::with_capacity(28);
    write_datetime(millis, &mut out);
    out.extend_from_slice(b"+0000");
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn datetimes_in_all_forms() {
        let expected = parse_datetime("2026-01-31T10:11:12.000Z").unwrap();
        for text in ["2026-01-31T10:11:12Z", "2026-01-31T10:11:12.000+0000", "2026-01-31T12:11:12.000+02:00"]
        {
            assert_eq!(parse_datetime(text), Some(expected), "{text}");
        }
        assert_eq!(rest_datetime(expected), "2026-01-31T10:11:12.000+0000");
        for text in ["2026-02-30", "2026-13-01T00:00:00Z", "2026-01-31T10:11", "2026-01-31T25:00:00Z"] {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn days_and_civil_dates_agree(days in -200_000i32..200_000) {
            let (y, m, d) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(y, m, d), days);
        }

        #[test]
        fn parsers_never_panic(text in "\\PC{0,32}") {
            let _ = (parse_date(&text), parse_datetime(&text), parse_time(&text));
        }
    }
}
