//! Which API version to speak: the newest that the org offers and that we have tested.

use serde::Deserialize;

use crate::error::{Error, Result};

/// The oldest version we speak: from it on a query job lists its result pages.
pub const OLDEST_TESTED: Version = Version(58);
/// The newest version that was tested.
pub const NEWEST_TESTED: Version = Version(67);

/// An API version. Salesforce numbers them `N.0`, three a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16);

impl Version {
    /// Reads `64.0`.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_suffix(".0")?.parse().ok().map(Self)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.0", self.0)
    }
}

/// One entry of `GET /services/data`.
#[derive(Debug, Deserialize)]
pub(crate) struct OfferedVersion {
    version: String,
}

/// Chooses among what the org offers; a version that was asked for must be offered and not be too old.
pub(crate) fn choose(offered: &[OfferedVersion], asked: Option<&str>) -> Result<Version> {
    let offered: Vec<Version> = offered.iter().filter_map(|entry| Version::parse(&entry.version)).collect();
    let range = match (offered.iter().min(), offered.iter().max()) {
        (Some(oldest), Some(newest)) => format!("the org offers {oldest} to {newest}"),
        _ => "the org names no version".to_owned(),
    };
    let refuse = |detail: String| Err(Error::VersionUnsupported { detail });
    let Some(asked) = asked else {
        return match offered.into_iter().filter(|v| (OLDEST_TESTED..=NEWEST_TESTED).contains(v)).max() {
            Some(version) => Ok(version),
            None => refuse(format!("{range}, we speak {OLDEST_TESTED} to {NEWEST_TESTED}")),
        };
    };
    match Version::parse(asked) {
        None => refuse(format!("{asked:?} is not a version such as {NEWEST_TESTED}")),
        Some(version) if !offered.contains(&version) => refuse(format!("{version} was asked for, {range}")),
        Some(version) if version < OLDEST_TESTED => {
            refuse(format!("{version} was asked for, we speak {OLDEST_TESTED} and later"))
        }
        Some(version) => Ok(version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_from(offered: &[&str], asked: Option<&str>) -> std::result::Result<String, String> {
        let offered: Vec<_> =
            offered.iter().map(|version| OfferedVersion { version: (*version).to_owned() }).collect();
        choose(&offered, asked).map(|v| v.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_newest_in_common_or_the_one_asked_for() {
        assert_eq!(choose_from(&["31.0", "64.0", "66.0"], None).unwrap(), "66.0");
        assert_eq!(choose_from(&["66.0", "67.0", "68.0"], None).unwrap(), "67.0");
        assert_eq!(choose_from(&["64.0", "66.0"], Some("64.0")).unwrap(), "64.0");
        assert_eq!(choose_from(&["67.0", "68.0"], Some("68.0")).unwrap(), "68.0");
    }

    #[test]
    fn none_in_common_is_said_with_both_ranges() {
        let error = choose_from(&["31.0", "57.0"], None).unwrap_err();
        assert!(error.contains("31.0 to 57.0") && error.contains("58.0 to 67.0"), "{error}");
        assert!(choose_from(&[], None).unwrap_err().contains("names no version"));
        assert!(choose_from(&["64.0"], Some("65.0")).unwrap_err().contains("64.0 to 64.0"));
        assert!(choose_from(&["50.0"], Some("50.0")).unwrap_err().contains("58.0 and later"));
        assert!(choose_from(&["64.0"], Some("v64")).unwrap_err().contains("not a version"));
    }
}
