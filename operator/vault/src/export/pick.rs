//! Which objects, which fields, and which keys go into which file: decided without a look at any row.

use orgkeep_core::schema::ObjectSchema;

use super::error::ExportError;
use crate::manifest::{Manifest, ObjectEntry};

/// Objects of a snapshot that these patterns name, by name; every pattern must name one.
pub(super) fn objects<'a>(
    manifest: &'a Manifest,
    patterns: &[String],
) -> Result<Vec<&'a ObjectEntry>, ExportError> {
    if let Some(pattern) =
        patterns.iter().find(|pattern| !manifest.objects.iter().any(|entry| matches(pattern, &entry.name)))
    {
        return Err(ExportError::NoObject { snapshot: manifest.seq, pattern: pattern.clone() });
    }
    let wanted = |entry: &&ObjectEntry| {
        patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, &entry.name))
    };
    Ok(manifest.objects.iter().filter(wanted).collect())
}

/// Whether a name, in any case, is of a pattern with `*` and `?`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    // The last star, and how much of the name it stands for so far.
    let (mut at, mut p, mut star) = (0, 0, None);
    while at < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, at));
                p += 1;
            }
            Some(c) if *c == b'?' || c.eq_ignore_ascii_case(&name[at]) => {
                p += 1;
                at += 1;
            }
            _ => match star {
                Some((from, taken)) => {
                    star = Some((from, taken + 1));
                    p = from + 1;
                    at = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Columns of an object that are wanted, `Id` first and always; `None` where none of the wanted fields is in it.
pub(super) fn columns(schema: &ObjectSchema, wanted: &[String]) -> Option<Vec<String>> {
    let names = schema.columns().map(|field| field.name.clone());
    if wanted.is_empty() {
        return Some(names.collect());
    }
    let asked = |name: &String| {
        wanted.iter().any(|wanted| match wanted.split_once('.') {
            Some((object, field)) => matches(object, &schema.name) && matches(field, name),
            None => matches(wanted, name),
        })
    };
    let found: Vec<String> = names.filter(|name| name == "Id" || asked(name)).collect();
    found.iter().any(asked).then_some(found)
}

/// Cuts the keys of an object into ranges of at least so many rows (the last one may have fewer), by the least and
/// greatest keys and rows of its base parts. Each range is from the first number up to but without the second.
pub(super) fn ranges(parts: &[(u128, u128, u64)], rows_per_file: u64) -> Vec<(u128, u128)> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let (mut ranges, mut from, mut rows, mut greatest) = (Vec::new(), 0, 0, 0);
    for (least, most, many) in parts {
        if rows >= rows_per_file && least > greatest {
            ranges.push((from, least));
            (from, rows) = (least, 0);
        }
        rows += many;
        greatest = greatest.max(most);
    }
    ranges.push((from, u128::MAX));
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, is) in [
            ("Account", "account", true),
            ("Acc*", "AccountHistory", true),
            ("*__c", "Invoice__c", true),
            ("*__c", "Invoice__ce", false),
            ("A?count", "Account", true),
            ("*o*n*", "Account", true),
            ("*", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn ranges_cover_all_keys_and_cut_no_part() {
        assert_eq!(ranges(&[], 10), [(0, u128::MAX)]);
        let parts = [(20, 29, 10), (10, 19, 10), (30, 39, 10), (35, 44, 5), (45, 50, 5)];
        assert_eq!(ranges(&parts, 10), [(0, 20), (20, 30), (30, 45), (45, u128::MAX)]);
        assert_eq!(ranges(&parts, 15), [(0, 30), (30, 45), (45, u128::MAX)]);
        assert_eq!(ranges(&parts, 100), [(0, u128::MAX)]);
    }
}
