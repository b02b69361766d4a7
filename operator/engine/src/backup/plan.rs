//! The plan of a backup: which objects, through which door, in what order, by which pod.
//!
//! Made once per run by index 0 and put into the journal, so that every pod, and every later attempt, works off
//! the same list. Everything here is pure.

use std::collections::BTreeMap;

use orgkeep_core::run::Failure;
use orgkeep_core::schema::ObjectSchema;
use serde::{Deserialize, Serialize};

/// Rows up to which REST is cheaper than a Bulk job (Salesforce: Bulk is worth it above 2,000 rows).
const REST_LIMIT: u64 = 2_000;
/// Bytes of CSV that a Bulk page should have: large enough to amortise the call, small enough to repeat.
const PAGE_BYTES: u64 = 12 << 20;
/// Bounds of a Bulk page, rows.
const PAGE_ROWS: std::ops::RangeInclusive<u64> = 2_500..=100_000;

/// The way an object is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Door {
    /// REST query: few rows, or an object that Bulk refuses.
    Rest,
    /// Bulk API 2.0 query job.
    Bulk,
}

/// One object of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedObject {
    /// Its schema at the time of the plan.
    pub(crate) schema: ObjectSchema,
    /// Rows that the org estimated; it may be off.
    pub(crate) estimate: u64,
    /// The way it is read.
    pub(crate) door: Door,
    /// Index of the pod that reads it.
    pub(crate) index: u32,
}

/// The plan of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    /// When the run began to read, RFC 3339: rows created later may be missing.
    pub(crate) read_from: String,
    /// Objects, largest first.
    pub(crate) objects: Vec<PlannedObject>,
    /// Objects that cannot be read at all, known already.
    pub(crate) failures: Vec<Failure>,
}

impl Plan {
    /// Rows of all objects, as estimated.
    pub(crate) fn estimate(&self) -> u64 {
        self.objects.iter().map(|object| object.estimate).sum()
    }
}

/// Orders the objects and deals them to `parallelism` pods so that each has about the same number of rows.
///
/// Large objects go first: the longest job decides how long a run takes.
pub(crate) fn deal(
    schemas: Vec<ObjectSchema>,
    estimates: &BTreeMap<String, u64>,
    parallelism: u32,
) -> Vec<PlannedObject> {
    let mut objects: Vec<PlannedObject> = schemas
        .into_iter()
        .map(|schema| {
            let estimate = estimates.get(&schema.name).copied().unwrap_or(0);
            let door = if estimate > REST_LIMIT { Door::Bulk } else { Door::Rest };
            PlannedObject { schema, estimate, door, index: 0 }
        })
        .collect();
    objects.sort_by(|a, b| b.estimate.cmp(&a.estimate).then_with(|| a.schema.name.cmp(&b.schema.name)));
    let mut load = vec![0_u64; parallelism.max(1) as usize];
    for object in &mut objects {
        // An object costs something even when it is empty.
        let least = (0..load.len()).min_by_key(|&index| load[index]).unwrap_or(0);
        load[least] += object.estimate + 500;
        object.index = u32::try_from(least).unwrap_or(0);
    }
    objects
}

/// Rows that one Bulk page should have, from what a row of this object is likely to weigh.
///
/// The guess (a sixth of the text fields' first 120 characters, eight bytes for the rest, quotes and commas) is
/// only about the size of a page, never about what is in it.
pub(crate) fn page_rows(schema: &ObjectSchema) -> u64 {
    let row: u64 = schema
        .columns()
        .map(|field| 3 + if field.length == 0 { 8 } else { u64::from(field.length.min(120)) / 6 })
        .sum();
    (PAGE_BYTES / row.max(1)).clamp(*PAGE_ROWS.start(), *PAGE_ROWS.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use orgkeep_core::schema::{Field, FieldType};

    fn object(name: &str, text_fields: usize) -> ObjectSchema {
        let field = |name: String, length| Field {
            name,
            field_type: FieldType::String,
            length,
            precision: 0,
            scale: 0,
            calculated: false,
            compound: None,
            reference_to: Vec::new(),
            filterable: true,
        };
        ObjectSchema {
            name: name.into(),
            label: String::new(),
            key_prefix: None,
            fields: (0..text_fields).map(|n| field(format!("F{n}"), 255)).collect(),
        }
    }

    fn estimates(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
    }

    #[test]
    fn small_objects_go_by_rest_and_large_ones_first() {
        let planned = deal(
            vec![object("Tiny", 3), object("Big", 3), object("Unknown", 3)],
            &estimates(&[("Tiny", 2_000), ("Big", 2_001)]),
            1,
        );
        let view: Vec<_> = planned.iter().map(|p| (p.schema.name.as_str(), p.door, p.index)).collect();
        assert_eq!(view, [("Big", Door::Bulk, 0), ("Tiny", Door::Rest, 0), ("Unknown", Door::Rest, 0)]);
    }

    #[test]
    fn pods_get_about_the_same_number_of_rows() {
        let schemas = ["A", "B", "C", "D"].map(|name| object(name, 3)).to_vec();
        let planned =
            deal(schemas, &estimates(&[("A", 100_000), ("B", 60_000), ("C", 50_000), ("D", 10)]), 2);
        let mut load = [0_u64; 2];
        for p in &planned {
            load[p.index as usize] += p.estimate;
        }
        assert_eq!(load, [100_010, 110_000]);
    }

    #[test]
    fn wide_objects_have_shorter_pages() {
        assert_eq!(page_rows(&object("Narrow", 4)), *PAGE_ROWS.end());
        assert_eq!(page_rows(&object("Wide", 500)), *PAGE_ROWS.start());
        let middling = page_rows(&object("Middling", 60));
        assert!(PAGE_ROWS.contains(&middling) && middling < 30_000, "{middling}");
    }
}
