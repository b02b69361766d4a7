//! The schema of an org: objects and fields, read from describe results alone. What `schema.yaml` and the
//! built-in objects give in short form is first written out as a describe result, so that there is one path
//! from a description to behaviour.

mod change;
pub mod field;
pub mod full;
pub mod object;
mod output;
mod relation;
pub mod short;
mod versions;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

pub use change::{Changed, SchemaChange};
pub use field::{Field, FieldType};
pub use object::{Object, TYPE_PICKLISTS, TypePicklist};
pub use relation::{Locking, OnDelete, Relation};
pub use view::View;

/// When an org's schema was set up, in milliseconds since 1970: 2020-01-01T00:00:00Z.
pub const SET_UP: i64 = 1_577_836_800_000;

/// All objects of an org, in the order of their names.
#[derive(Debug, Default)]
pub struct Schema {
    objects: Vec<Arc<Object>>,
    relations: Vec<Vec<Relation>>,
    /// References by which roll-ups sum up an object, by its number.
    summed: Vec<Vec<usize>>,
    locking: Vec<Vec<Locking>>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<[u8; 3], usize>,
}

impl Schema {
    /// A schema of these objects.
    pub fn new(objects: Vec<Object>) -> Self {
        Self::of(objects.into_iter().map(Arc::new).collect())
    }

    fn of(mut objects: Vec<Arc<Object>>) -> Self {
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        let by_name = objects.iter().enumerate().map(|(n, o)| (o.name.to_ascii_lowercase(), n)).collect();
        let by_prefix = objects.iter().enumerate().filter_map(|(n, o)| Some((o.key_prefix?, n))).collect();
        let mut schema = Self {
            objects,
            relations: Vec::new(),
            summed: Vec::new(),
            locking: Vec::new(),
            by_name,
            by_prefix,
        };
        schema.summed = relation::summed(&schema);
        schema.relations = relation::relations(&schema);
        schema.locking = relation::locking(&schema);
        schema
    }

    /// All objects; an object's place in it is its number.
    pub fn objects(&self) -> &[Arc<Object>] {
        &self.objects
    }

    /// The object with this number, which came from this schema.
    pub fn object(&self, number: usize) -> &Object {
        &self.objects[number]
    }

    /// The references that point to an object, and what becomes of them when their target is deleted.
    pub fn relations_to(&self, object: usize) -> &[Relation] {
        &self.relations[object]
    }

    /// The references of an object by which roll-ups of its masters sum it up.
    pub fn summed(&self, object: usize) -> &[usize] {
        &self.summed[object]
    }

    /// The references of an object whose targets are locked with its records.
    pub fn locking(&self, object: usize) -> &[Locking] {
        &self.locking[object]
    }

    /// When anything of it was last changed, in milliseconds since 1970.
    pub fn changed(&self) -> i64 {
        self.objects.iter().map(|object| object.changed).max().unwrap_or(SET_UP)
    }

    /// The number of an object by its API name, in any case.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The number of the object whose ids begin so.
    pub fn find_prefix(&self, prefix: [u8; 3]) -> Option<usize> {
        self.by_prefix.get(&prefix).copied()
    }
}
