//! CSV with something wrong in it. What is damaged is the row in the middle, or the only one.

use bytes::Bytes;

use super::plan::BadCsv;

/// The same with that fault in it; unchanged if there is nothing to damage.
pub(super) fn spoil(csv: &Bytes, bad: BadCsv) -> Bytes {
    let lines = lines(csv);
    let Some(header) = lines.first().cloned() else { return csv.clone() };
    let rows = &lines[1..];
    // row in the middle, without its line ending
    let middle = rows.get(rows.len() / 2).map(|line| {
        let mut end = line.end;
        while end > line.start && matches!(csv[end - 1], b'\n' | b'\r') {
            end -= 1;
        }
        line.start..end
    });
    let insert = |at: usize, text: &[u8]| [&csv[..at], text, &csv[at..]].concat();
    let spoilt = match (bad, middle) {
        (BadCsv::OpenQuote, _) => {
            let Some(last) = csv.iter().rposition(|byte| *byte == b'"') else { return csv.clone() };
            [&csv[..last], &csv[last + 1..]].concat()
        }
        (BadCsv::WrongHeader, _) => insert(header.start + 1, b"x"),
        (BadCsv::NoHeader, _) => csv[header.end..].to_vec(),
        (BadCsv::Bom, _) => insert(0, b"\xEF\xBB\xBF"),
        (BadCsv::StrayQuote, Some(row)) => insert(row.start + 1, b"x\"y"),
        (BadCsv::ExtraValue, Some(row)) => {
            let text = [&[delimiter(csv)][..], b"\"more\""].concat();
            insert(row.end, &text)
        }
        (BadCsv::MissingValue, Some(row)) => {
            let Some(from) = last_value(&csv[row.clone()], delimiter(csv)) else { return csv.clone() };
            [&csv[..row.start + from], &csv[row.end..]].concat()
        }
        (BadCsv::NotUtf8, Some(row)) => insert(row.start + 1, b"\xFF"),
        (_, None) => return csv.clone(),
    };
    spoilt.into()
}

/// Where the lines are, line endings with them; ones in quotes do not count.
fn lines(csv: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut lines, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, byte) in csv.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => {
                lines.push(start..at + 1);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < csv.len() {
        lines.push(start..csv.len());
    }
    lines
}

/// What stands behind the first value of the header.
fn delimiter(csv: &[u8]) -> u8 {
    let behind = csv.iter().skip(1).position(|byte| *byte == b'"').and_then(|at| csv.get(at + 2));
    behind.copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).unwrap_or(b',')
}

/// Where the delimiter before the last value is.
fn last_value(row: &[u8], delimiter: u8) -> Option<usize> {
    let (mut quoted, mut last) = (false, None);
    for (at, byte) in row.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            byte if *byte == delimiter && !quoted => last = Some(at),
            _ => {}
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_damage_is_where_it_should_be() {
        let csv = Bytes::from_static(b"\"Id\",\"Name\"\n\"1\",\"a\n,\"\"b\"\n\"2\",\"c\"\n");
        let spoilt = |bad| String::from_utf8_lossy(&spoil(&csv, bad)).into_owned();
        assert_eq!(spoilt(BadCsv::OpenQuote), "\"Id\",\"Name\"\n\"1\",\"a\n,\"\"b\"\n\"2\",\"c\n");
        assert_eq!(spoilt(BadCsv::WrongHeader), "\"xId\",\"Name\"\n\"1\",\"a\n,\"\"b\"\n\"2\",\"c\"\n");
        assert_eq!(spoilt(BadCsv::NoHeader), "\"1\",\"a\n,\"\"b\"\n\"2\",\"c\"\n");
        assert_eq!(spoilt(BadCsv::StrayQuote), "\"Id\",\"Name\"\n\"1\",\"a\n,\"\"b\"\n\"x\"y2\",\"c\"\n");
        assert_eq!(
            spoilt(BadCsv::ExtraValue),
            "\"Id\",\"Name\"\n\"1\",\"a\n,\"\"b\"\n\"2\",\"c\",\"more\"\n"
        );
        assert_eq!(spoilt(BadCsv::MissingValue), "\"Id\",\"Name\"\n\"1\",\"a\n,\"\"b\"\n\"2\"\n");
        assert!(std::str::from_utf8(&spoil(&csv, BadCsv::NotUtf8)).is_err());
        assert!(spoil(&csv, BadCsv::Bom).starts_with(b"\xEF\xBB\xBF\"Id\""));
        let empty = Bytes::from_static(b"\"Id\"\n");
        assert_eq!(spoil(&empty, BadCsv::ExtraValue), empty);
    }
}
