//! The components of an org.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use rpds::RedBlackTreeMapSync;

use super::types;
use crate::schema::SchemaChange;
use crate::value::Id;

/// A component's type and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// `CustomField`.
    pub type_name: Arc<str>,
    /// `Account.Level__c`.
    pub full_name: Arc<str>,
}

impl Key {
    /// A key of these two.
    pub fn new(type_name: &str, full_name: &str) -> Self {
        Self { type_name: type_name.into(), full_name: full_name.into() }
    }

    /// For parts of others, whose name this is: `Account` of `Account.Level__c`.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (of, part) = types::part(&self.type_name)?;
        if types::is_flat(part.name) {
            return Some(Self::new(of.name, of.name));
        }
        let (parent, _) = self.full_name.split_once('.')?;
        Some(Self::new(of.name, parent))
    }

    /// For parts of others, the name within them: `Level__c` of `Account.Level__c`.
    pub(crate) fn own_name(&self) -> &str {
        match types::part(&self.type_name) {
            Some((_, part)) if !types::is_flat(part.name) => {
                self.full_name.split_once('.').map_or(&*self.full_name, |(_, own)| own)
            }
            _ => &self.full_name,
        }
    }
}

/// A file of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its place in a package: `classes/A.cls`.
    pub path: Arc<str>,
    /// What it holds.
    pub bytes: Bytes,
}

impl File {
    /// A file of these two.
    pub fn new(path: impl Into<Arc<str>>, bytes: impl Into<Bytes>) -> Self {
        Self { path: path.into(), bytes: bytes.into() }
    }
}

/// Who did something, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub at: i64,
    /// The user.
    pub by: Id,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its id, where its type has any.
    pub id: Option<Id>,
    /// Its files in the order of their paths; content before its `-meta.xml`. A part of another component has one: the
    /// path is that of the document that holds it, the bytes are a document of its own, as source format has it.
    pub files: Arc<[File]>,
    /// When it came to be.
    pub created: Stamp,
    /// When it was changed last.
    pub modified: Stamp,
    /// The package's namespace.
    pub namespace: Option<Arc<str>>,
    /// Whether it came with a managed package.
    pub managed: bool,
}

impl Component {
    /// The document that describes it: the `-meta.xml` where there is one, else the only file.
    pub(crate) fn document(&self) -> Option<&File> {
        let meta = self.files.iter().find(|file| file.path.ends_with("-meta.xml"));
        meta.or_else(|| self.files.first())
    }
}

/// All components of an org. A clone is cheap and stays as it is.
#[derive(Clone, Debug)]
pub struct Store {
    components: RedBlackTreeMapSync<Key, Arc<Component>>,
    /// The serial of the next id.
    next: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self { components: RedBlackTreeMapSync::new_sync(), next: 1 }
    }
}

impl Store {
    /// Serials of ids that are made here begin above those of rows that the org was loaded with.
    const FIRST: u64 = 1_000_000;

    /// A component.
    pub fn get(&self, key: &Key) -> Option<&Arc<Component>> {
        self.components.get(key)
    }

    /// A component by type and name.
    pub(crate) fn find(&self, type_name: &str, full_name: &str) -> Option<&Arc<Component>> {
        self.get(&Key::new(type_name, full_name))
    }

    /// Stores a component's files: a new one, or in the place of what it had. Says whether it is new.
    pub fn put(&mut self, key: Key, files: impl Into<Arc<[File]>>, stamp: Stamp) -> bool {
        let files = files.into();
        if let Some(known) = self.components.get(&key) {
            let changed = Component { files, modified: stamp, ..Component::clone(known) };
            self.components.insert_mut(key, Arc::new(changed));
            return false;
        }
        let id = types::key_prefix(&key.type_name).map(|prefix| Id::new(prefix, Self::FIRST + self.next));
        self.next += 1;
        let component =
            Component { id, files, created: stamp, modified: stamp, namespace: None, managed: false };
        self.components.insert_mut(key, Arc::new(component));
        true
    }

    /// Stores a component as it is; ids that are made later do not meet its own.
    pub fn put_whole(&mut self, key: Key, component: Component) {
        if let Some((serial, true)) = component.id.map(|id| id.position(id.prefix())) {
            // ids that come from names are far above those that are counted
            if (Self::FIRST..Self::FIRST * Self::FIRST).contains(&serial) {
                self.next = self.next.max(serial - Self::FIRST + 1);
            }
        }
        self.components.insert_mut(key, Arc::new(component));
    }

    /// Takes a component away; whether there was one.
    pub fn remove(&mut self, key: &Key) -> bool {
        self.components.remove_mut(key)
    }

    /// Takes away what no longer holds after a change of the schema; of a field with another name the schema tells from
    /// then on.
    pub(crate) fn follow(&mut self, change: &SchemaChange) {
        match change {
            SchemaChange::RemoveField { object, field } | SchemaChange::RenameField { object, field, .. } => {
                self.remove(&Key::new("CustomField", &format!("{object}.{field}")));
            }
            SchemaChange::RemoveObject { object } => {
                let parts = types::find("CustomObject").map(|of| of.parts.as_slice()).unwrap_or_default();
                let mut gone = vec![Key::new("CustomObject", object)];
                for part in parts {
                    gone.extend(self.parts(part.name, object).map(|(key, _)| key.clone()));
                }
                for key in &gone {
                    self.remove(key);
                }
            }
            // a deploy stores what it changed
            _ => {}
        }
    }

    /// The components of a type, by name.
    pub fn of_type<'a>(&'a self, type_name: &'a str) -> impl Iterator<Item = (&'a Key, &'a Arc<Component>)> {
        self.from(Key::new(type_name, "")).take_while(move |(key, _)| &*key.type_name == type_name)
    }

    /// The parts of one type that stand in one component.
    pub(crate) fn parts<'a>(
        &'a self,
        type_name: &'a str,
        parent: &'a str,
    ) -> Box<dyn Iterator<Item = (&'a Key, &'a Arc<Component>)> + 'a> {
        if types::is_flat(type_name) {
            return Box::new(self.of_type(type_name));
        }
        let start = format!("{parent}.");
        let from = self.from(Key::new(type_name, &start));
        Box::new(
            from.take_while(move |(key, _)| {
                &*key.type_name == type_name && key.full_name.starts_with(&*start)
            }),
        )
    }

    /// All components, by type and name.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &Arc<Component>)> {
        self.components.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.components.size()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    fn from(&self, key: Key) -> impl Iterator<Item = (&Key, &Arc<Component>)> {
        self.components.range::<Key, _>((Bound::Included(key), Bound::Unbounded))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn components_keep_their_ids_and_are_found_by_type_and_parent() {
        let mut store = Store::default();
        let stamp = |at| Stamp { at, by: Id::LOWEST };
        let file = || vec![File::new("objects/A.object", "x")];
        assert!(store.put(Key::new("CustomField", "A.b__c"), file(), stamp(1)));
        assert!(store.put(Key::new("CustomField", "AB.c__c"), file(), stamp(1)));
        assert!(store.put(Key::new("CustomObject", "A"), file(), stamp(1)));
        let before = store.clone();
        let id = store.find("CustomField", "A.b__c").unwrap().id;
        assert!(!store.put(Key::new("CustomField", "A.b__c"), vec![File::new("y", "z")], stamp(2)));
        let changed = store.find("CustomField", "A.b__c").unwrap();
        assert_eq!((changed.id, changed.created.at, changed.modified.at), (id, 1, 2));
        assert_eq!(store.of_type("CustomField").count(), 2);
        assert_eq!(store.parts("CustomField", "A").count(), 1);
        assert!(store.remove(&Key::new("CustomObject", "A")) && store.len() == 2 && before.len() == 3);
        let key = Key::new("CustomField", "A.b__c");
        assert_eq!((key.parent(), key.own_name()), (Some(Key::new("CustomObject", "A")), "b__c"));
        let object = "Level__c".to_owned();
        store.put(Key::new("ValidationRule", "Level__c.V"), file(), stamp(3));
        store.put(Key::new("CustomObject", "Level__c"), file(), stamp(3));
        store.follow(&SchemaChange::RemoveObject { object });
        assert_eq!(store.len(), 2);
        let label = Key::new("CustomLabel", "L");
        assert_eq!((label.parent(), label.own_name()), (Some(Key::new("CustomLabels", "CustomLabels")), "L"));
    }
}
