//! Headers by which a call says how it wants its changes made (REST API guide, Headers).

use super::Call;
use crate::store::transaction::{Assignment, Options};
use crate::value::Id;

/// What the headers say; what is not said is as Salesforce does by itself.
pub(super) fn options(call: &Call<'_>) -> Options {
    let header = |name: &str| call.request.header(name).unwrap_or_default();
    Options {
        allow_duplicates: part(header("sforce-duplicate-rule-header"), "allowSave")
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        assignment: assignment(header("sforce-auto-assign")),
        ..Options::default()
    }
}

/// `Sforce-Auto-Assign`: `TRUE`, `FALSE`, or the id of a rule.
fn assignment(value: &str) -> Assignment {
    match Id::parse(value.trim()) {
        Some(rule) => Assignment::Rule(rule),
        None if value.trim().eq_ignore_ascii_case("false") => Assignment::None,
        None => Assignment::Active,
    }
}

/// A part of a header: `allowSave=true; includeRecordDetails=false`, separated by semicolons or commas.
pub(super) fn part<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split([';', ',']).find_map(|part| {
        let (known, value) = part.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_headers() {
        let header = "allowSave=true; includeRecordDetails=false, runAsCurrentUser= true";
        assert_eq!(part(header, "ALLOWSAVE"), Some("true"));
        assert_eq!(part(header, "runAsCurrentUser"), Some("true"));
        assert_eq!(part(header, "other"), None);
        assert_eq!(assignment("FALSE"), Assignment::None);
        assert_eq!(assignment(""), Assignment::Active);
    }
}
