//! Days and instants as Salesforce writes them: `2026-01-31`, `…T10:11:12.000Z` (Bulk), `….000+0000` (REST).

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Days since 1970-01-01 of a `yyyy-MM-dd` that exists.
pub fn parse_date(text: &[u8]) -> Option<i32> {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text else { return None };
    let (year, month, day) = (number(&[a, b, c, d])?, number(&[e, f])?, number(&[g, h])?);
    let days = *DAYS.get(month as usize)? + u32::from(month == 2 && is_leap(year));
    if day == 0 || day > days {
        return None;
    }
    // Years from March, so that a leap day is the last one; 400 years later, so that none is negative.
    let (year, month) = if month > 2 { (year + 400, month - 3) } else { (year + 399, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year;
    Some(days as i32 - 719_468 - 146_097)
}

/// Days of the months, from 1; February without its leap day.
const DAYS: [u32; 13] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Milliseconds since 1970 of an instant; `None` where anything would be lost (microseconds) or is unknown.
pub fn parse_instant(text: &[u8]) -> Option<i64> {
    let days = i64::from(parse_date(text.get(..10)?)?);
    let &[b'T', a, b, b':', c, d, b':', e, f] = text.get(10..19)? else { return None };
    let (hour, minute, second) = (number(&[a, b])?, number(&[c, d])?, number(&[e, f])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (millis, zone) = match &text[19..] {
        [b'.', a, b, c, zone @ ..] => (number(&[*a, *b, *c])?, zone),
        zone => (0, zone),
    };
    let offset = match zone {
        b"Z" | b"+0000" | b"+00:00" => 0,
        [sign @ (b'+' | b'-'), a, b, rest @ ..] => {
            let rest = if let [b':', rest @ ..] = rest { rest } else { rest };
            let &[c, d] = rest else { return None };
            let minutes = i64::from(number(&[*a, *b])? * 60 + number(&[c, d])?);
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let clock = i64::from((hour * 60 + minute) * 60 + second) * 1000 + i64::from(millis);
    Some(days * DAY + clock - offset * 60_000)
}

/// Writes a day as `yyyy-MM-dd`.
pub fn write_date(days: i32, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(i64::from(days));
    out.extend_from_slice(format!("{year:04}-{month:02}-{day:02}").as_bytes());
}

/// Writes an instant as Bulk does.
pub fn write_instant(millis: i64, out: &mut Vec<u8>) {
    write_date(millis.div_euclid(DAY) as i32, out);
    let clock = millis.rem_euclid(DAY);
    let (seconds, millis) = (clock / 1000, clock % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    out.extend_from_slice(format!("T{hour:02}:{minute:02}:{second:02}.{millis:03}Z").as_bytes());
}

#[inline]
fn number(digits: &[u8]) -> Option<u32> {
    let mut sum = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum = sum * 10 + u32::from(digit);
    }
    Some(sum)
}

/// Year, month and day in the Gregorian calendar, which Salesforce carries back to the year 1700.
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_day_of_two_leap_cycles_is_read_and_no_other() {
        for end in ["0000-01-01", "9999-12-31"] {
            let (year, month, day) = civil_from_days(i64::from(parse_date(end.as_bytes()).unwrap()));
            assert_eq!(format!("{year:04}-{month:02}-{day:02}"), end);
        }
        let mut expected = parse_date(b"1600-01-01").unwrap();
        for year in 1600..2400 {
            for month in 0..=13 {
                for day in 0..=32 {
                    let Some(days) = parse_date(format!("{year:04}-{month:02}-{day:02}").as_bytes()) else {
                        continue;
                    };
                    assert_eq!(days, expected, "{year}-{month}-{day}");
                    assert_eq!(civil_from_days(i64::from(days)), (year, month, day));
                    expected += 1;
                }
            }
        }
        assert_eq!(civil_from_days(i64::from(expected)), (2400, 1, 1));
    }

    #[test]
    fn bulk_and_rest_forms_are_one_instant() {
        let bulk = parse_instant(b"2026-01-31T10:11:12.000Z").unwrap();
        for rest in ["2026-01-31T10:11:12.000+0000", "2026-01-31T10:11:12Z", "2026-01-31T12:11:12.000+02:00"]
        {
            assert_eq!(parse_instant(rest.as_bytes()), Some(bulk), "{rest}");
        }
        assert_eq!(bulk, 1_769_854_272_000);
    }

    #[test]
    fn what_is_no_date_stays_text() {
        for text in ["", "2026-02-30", "2026-13-01", "2026-1-1", "1940-06-07Z", "26-01-01"] {
            assert_eq!(parse_date(text.as_bytes()), None, "{text}");
        }
        for text in
            ["2026-01-31", "2026-01-31T10:11:12.000001Z", "2026-01-31T24:00:00.000Z", "2026-01-31T10:11"]
        {
            assert_eq!(parse_instant(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn days_and_instants_come_back(millis in -8_500_000_000_000_i64..64_000_000_000_000) {
            let mut text = Vec::new();
            write_instant(millis, &mut text);
            prop_assert_eq!(parse_instant(&text), Some(millis));
            let days = millis.div_euclid(DAY) as i32;
            let mut text = Vec::new();
            write_date(days, &mut text);
            prop_assert_eq!(parse_date(&text), Some(days));
        }
    }
}
