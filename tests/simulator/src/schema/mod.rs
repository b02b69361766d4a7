//! The schema of an org: objects and fields, read from describe results alone. What `schema.yaml` and the
//! built-in objects give in short form is first written out as a describe result, so that there is one path
//! from a description to behaviour.

pub mod field;
pub mod full;
pub mod object;
mod output;
pub mod short;
mod view;

use std::collections::HashMap;

pub use field::{Field, FieldType};
pub use object::Object;
pub use view::View;

/// All objects of an org, in the order of their names.
#[derive(Debug, Default)]
pub struct Schema {
    objects: Vec<Object>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<[u8; 3], usize>,
}

impl Schema {
    /// A schema of these objects.
    pub fn new(mut objects: Vec<Object>) -> Self {
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        let by_name = objects.iter().enumerate().map(|(n, o)| (o.name.to_ascii_lowercase(), n)).collect();
        let by_prefix = objects.iter().enumerate().filter_map(|(n, o)| Some((o.key_prefix?, n))).collect();
        Self { objects, by_name, by_prefix }
    }

    /// All objects; an object's place in it is its number.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The object with this number, which came from this schema.
    pub fn object(&self, number: usize) -> &Object {
        &self.objects[number]
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
