//! What a reading brought, to be compared.

use std::collections::BTreeMap;

/// A row's cells in the order of the object's columns.
pub type Row = Vec<Option<String>>;

/// One object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Fields, and their types.
    pub fields: Vec<(String, String)>,
    /// Rows as the org counts them.
    pub counted: u64,
    /// Rows by their first cell, the Id.
    pub rows: Vec<Row>,
}

/// All that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Harvest {
    /// The org's id.
    pub org: String,
    /// Objects by name.
    pub objects: BTreeMap<String, Object>,
    /// Objects that could not be read, with the error's code and words: named, not silently left out.
    pub failed: BTreeMap<String, (String, String)>,
}

impl Object {
    /// Puts the rows into an order that does not depend on the way they came; times are written alike, as REST and
    /// Bulk write them differently.
    pub fn settle(&mut self) {
        for cell in self.rows.iter_mut().flatten().flatten() {
            if cell.len() == 28 && cell.ends_with("+0000") {
                cell.replace_range(23.., "Z");
            }
        }
        self.rows.sort();
    }
}

impl Harvest {
    /// What is wrong with this one; `None` if everything that it has is as in the other, and everything that it
    /// does not have is named as failed.
    pub fn wrong(&self, right: &Self) -> Option<String> {
        if self.org != right.org {
            return Some(format!("the org is {:?}", self.org));
        }
        for (name, object) in &right.objects {
            match self.objects.get(name) {
                None if self.failed.contains_key(name) => {}
                None => return Some(format!("{name} is missing without a word")),
                Some(other) if other == object => {}
                Some(other) if other.fields != object.fields => return Some(format!("{name}: other fields")),
                Some(other) if other.counted != object.counted => {
                    return Some(format!("{name}: counted {} instead of {}", other.counted, object.counted));
                }
                Some(other) => {
                    return Some(format!(
                        "{name}: {} rows, of them {} right, instead of {}",
                        other.rows.len(),
                        other.rows.iter().filter(|row| object.rows.binary_search(row).is_ok()).count(),
                        object.rows.len()
                    ));
                }
            }
        }
        let strange = self.objects.keys().find(|name| !right.objects.contains_key(*name));
        strange.map(|name| format!("{name} is too much"))
    }
}
