//! The list of what is to be erased.

use std::collections::{BTreeMap, BTreeSet};

use orgkeep_core::id::{IdError, SalesforceId};

use crate::codec::key::{NOBODY, id_of, key_of};

/// A line of a list that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// What stands there is no record id.
    #[error("line {line}: {source}; write one id a line, or Object,Id")]
    Id {
        /// Number of the line, from 1.
        line: usize,
        /// Why.
        source: IdError,
    },
    /// The id that Salesforce gives to rows without one.
    #[error("line {line}: 000000000000000 is the id of no record")]
    Nobody {
        /// Number of the line, from 1.
        line: usize,
    },
    /// There is none in it.
    #[error("the list has no id")]
    Empty,
}

/// Record ids, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// By key: the objects that it is to be erased of; none: of all.
    ids: BTreeMap<u128, BTreeSet<String>>,
    /// Entries that said nothing new.
    duplicates: u64,
}

impl Ids {
    /// Reads a list: an id (15 or 18 characters) or `Object,Id` on each line. Empty lines and lines that begin with
    /// `#` are passed over, and so is a heading (`Id` or `Object,Id`).
    pub fn parse(text: &str) -> Result<Self, ListError> {
        let mut all = Self::default();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (object, id) = match line.rsplit_once(',') {
                Some((object, id)) => (Some(object.trim().trim_matches('"')), id.trim().trim_matches('"')),
                None => (None, line.trim_matches('"')),
            };
            if number == 0 && id.eq_ignore_ascii_case("id") {
                continue;
            }
            let id = SalesforceId::parse(id).map_err(|source| ListError::Id { line: number + 1, source })?;
            if key_of(id.as_bytes()) == NOBODY {
                return Err(ListError::Nobody { line: number + 1 });
            }
            all.add(object, &id);
        }
        if all.ids.is_empty() { Err(ListError::Empty) } else { Ok(all) }
    }

    /// One more; without an object it is erased of all.
    pub fn add(&mut self, object: Option<&str>, id: &SalesforceId) {
        let key = key_of(id.as_bytes());
        let object = object.filter(|object| !object.is_empty()).map(str::to_lowercase);
        match (self.ids.get_mut(&key), object) {
            (None, object) => {
                self.ids.insert(key, object.into_iter().collect());
            }
            (Some(objects), Some(object)) => {
                self.duplicates += 1;
                if !objects.is_empty() {
                    objects.insert(object);
                }
            }
            (Some(objects), None) => {
                self.duplicates += 1;
                objects.clear();
            }
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Lines that said nothing new.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = SalesforceId> + '_ {
        self.ids.keys().filter_map(|key| id_of(*key))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = u128> + '_ {
        self.ids.keys().copied()
    }

    /// Whether it is to be erased of any object: the files of records are keyed by the record alone.
    pub(super) fn has(&self, key: u128) -> bool {
        self.ids.contains_key(&key)
    }

    /// Keys that are to be erased of an object, ascending.
    pub(super) fn of(&self, object: &str) -> Vec<u128> {
        let object = object.to_lowercase();
        let wanted = |objects: &BTreeSet<String>| objects.is_empty() || objects.contains(&object);
        self.ids.iter().filter(|(_, objects)| wanted(objects)).map(|(key, _)| *key).collect()
    }

    /// What it comes to, for the name of unfinished work: the same list gives the same text.
    pub(super) fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for (key, objects) in &self.ids {
            // writing to a String cannot fail
            let _ = writeln!(text, "{key:032x} {objects:?}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_all_forms_are_read_and_bad_lines_named() {
        let list = "Object,Id\n# a comment\n\nAccount,001000000000001AAA\n001000000000001\n\"Contact\",\"003000000000abC\"\n";
        let ids = Ids::parse(list).unwrap();
        assert_eq!((ids.len(), ids.duplicates()), (2, 1));
        assert_eq!(ids.of("Lead").len(), 1, "given without an object it goes of all");
        assert_eq!(ids.of("contact").len(), 2);
        for (bad, line) in [("001000000000001\nx", 2), ("001000000000001AAB", 1), ("001;000000000000", 1)] {
            match Ids::parse(bad).unwrap_err() {
                ListError::Id { line: found, .. } => assert_eq!(found, line, "{bad}"),
                other => panic!("{other}"),
            }
        }
        assert_eq!(Ids::parse("000000000000000").unwrap_err(), ListError::Nobody { line: 1 });
        assert_eq!(Ids::parse("# none\n").unwrap_err(), ListError::Empty);
    }
}
