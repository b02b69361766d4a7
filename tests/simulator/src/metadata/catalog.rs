//! All components of an org, as the Metadata API shows them: the stored ones, and those that schema and rows imply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::automatic;
use super::implied;
use super::mdapi;
use super::store::{Component, File, Key, Stamp};
use super::types::{self, Type};
use super::xml::Element;
use crate::automation::Automation;
use crate::org::User;
use crate::schema::{Field, SET_UP};
use crate::store::{Hidden, World};
use crate::value::Id;

/// The components of a world.
pub(crate) struct Catalog<'a> {
    world: &'a World,
    /// Whoever set the org up.
    admin: Id,
    /// Its users, by number.
    people: &'a [Person],
}

/// What profiles tell of a user.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The name of the profile in metadata.
    pub(crate) profile: String,
    /// What the user may do.
    pub(crate) permissions: Vec<String>,
}

impl Person {
    /// What profiles tell of a user.
    pub(crate) fn new(user: &User) -> Self {
        let profile = implied::profile_name(&user.profile).to_owned();
        Self { profile, permissions: user.permissions.clone() }
    }
}

impl<'a> Catalog<'a> {
    /// The components of a world whose first user this is.
    pub(crate) fn new(world: &'a World, admin: Id) -> Self {
        Self { world, admin, people: &[] }
    }

    /// The same, knowing who its users are, of whom profiles tell.
    pub(crate) fn with_people(self, people: &'a [Person]) -> Self {
        Self { people, ..self }
    }

    /// Whether an object or a field (`Account.Size__c`) is hidden from all who have a profile.
    pub(super) fn hides(&self, profile: &str, name: &str) -> bool {
        let mut of =
            self.people.iter().zip(self.world.hidden.iter()).filter(|(one, _)| one.profile == profile);
        let hidden = |hidden: &Hidden| hidden.fields.contains(name) || hidden.objects.contains(name);
        of.next().is_some_and(|(_, first)| hidden(first)) && of.all(|(_, other)| hidden(other))
    }

    /// What those may do who have a profile.
    pub(super) fn permissions(&self, profile: &str) -> BTreeSet<String> {
        let of = self.people.iter().filter(|one| one.profile == profile);
        of.flat_map(|one| one.permissions.iter().cloned()).collect()
    }

    /// The fields of an object that a profile can withhold, and whether they can be edited at all.
    pub(super) fn open_fields(&self, object: &str) -> Vec<(String, bool)> {
        let Some(number) = self.world.schema.find(object) else { return Vec::new() };
        let described = self.world.schema.object(number);
        let fields = described.fields.iter().filter(|field| field.custom && field.name.ends_with("__c"));
        // what must be filled in is open to everybody
        let fields = fields.filter(|field| !field.required && !field.master);
        let told = |field: &Field| (format!("{}.{}", described.name, field.name), !field.calculated);
        fields.map(told).collect()
    }

    /// The layout of an object that all see for whom no other one is chosen.
    pub(super) fn first_layout(&self, object: &str) -> Option<String> {
        let start = format!("{object}-");
        self.names("Layout").into_iter().find(|name| name.starts_with(&start))
    }

    /// The names of a type's components, in order. Standard objects and fields that are only implied are not among
    /// those of fields.
    pub(crate) fn names(&self, type_name: &str) -> BTreeSet<String> {
        let mut names: BTreeSet<String> =
            self.world.metadata.of_type(type_name).map(|(key, _)| key.full_name.to_string()).collect();
        names.extend(implied::names(self.world, type_name, None));
        names.extend(automatic::names(self.world, type_name));
        let Some(of) = types::find(type_name) else { return names };
        // whatever holds a part is there, and so is the folder that something lies in
        for part in of.parts.iter().filter(|part| part.addressable) {
            let held = self.world.metadata.of_type(part.name).filter_map(|(key, _)| key.parent());
            names.extend(held.map(|parent| parent.full_name.to_string()));
        }
        if of.is_folder {
            names.extend(self.filled_folders(of));
        }
        names
    }

    /// The folders of a type in which something lies.
    fn filled_folders(&self, folders: &Type) -> BTreeSet<String> {
        let content = types::in_directory(folders.directory).find(|of| of.in_folder);
        let keys = content.into_iter().flat_map(|of| self.world.metadata.of_type(of.name));
        keys.filter_map(|(key, _)| Some(key.full_name.rsplit_once('/')?.0.to_owned())).collect()
    }

    /// A component. Those that are implied are as old as the org.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Component>> {
        let flow = automatic::find(self.world, key);
        if let Some(stored) = self.world.metadata.get(key) {
            return Some(flow.and_then(|flow| in_step(stored, flow)).unwrap_or_else(|| stored.clone()));
        }
        let document = self.implied(key)?;
        let (of, path) = match (types::find(&key.type_name), key.parent()) {
            (Some(of), _) => (of, mdapi::document_path(of, &key.full_name)),
            (None, Some(parent)) => {
                let of = types::find(&parent.type_name)?;
                (of, mdapi::document_path(of, &parent.full_name))
            }
            (None, None) => return None,
        };
        // standard objects have no id of their own
        let has_id = of.name != "CustomObject" || key.full_name.contains("__");
        let stamp = Stamp { at: SET_UP, by: self.admin };
        if let Some(flow) = flow {
            return Some(Arc::new(self.declared(flow, &path, &document)));
        }
        Some(Arc::new(Component {
            id: types::key_prefix(&key.type_name).filter(|_| has_id).map(|prefix| implied_id(prefix, key)),
            files: vec![File::new(path, document.document())].into(),
            created: stamp,
            modified: stamp,
            namespace: None,
            managed: false,
        }))
    }

    /// The definition of a flow that has none of its own.
    fn declared(&self, flow: &Automation, path: &str, document: &Element) -> Component {
        Component {
            id: Some(flow.id),
            files: vec![File::new(path, document.document())].into(),
            created: Stamp { at: SET_UP, by: self.admin },
            modified: Stamp { at: flow.changed.max(SET_UP), by: self.admin },
            namespace: flow.namespace.as_deref().filter(|name| !name.is_empty()).map(Into::into),
            managed: flow.is_managed(),
        }
    }

    /// The document of a component that is not stored.
    fn implied(&self, key: &Key) -> Option<Element> {
        if let Some(of) = types::find(&key.type_name).filter(|of| of.is_folder) {
            // the folder of a managed package, for one, in which reports of one's own may lie
            let filled = self.filled_folders(of).contains(&*key.full_name);
            let name = key.full_name.rsplit('/').next().unwrap_or_default();
            return filled.then(|| {
                let mut root = Element::new(of.name);
                root.push("name", name);
                root
            });
        }
        if let Some(flow) = automatic::find(self.world, key) {
            return Some(automatic::document(flow));
        }
        implied::document(self.world, &key.type_name, &key.full_name)
    }

    /// Whether there is such a component.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.world.metadata.get(key).is_some() || self.implied(key).is_some()
    }

    /// The parts of one type that stand in a component; with `all` those of standard fields, too.
    pub(crate) fn parts(&self, type_name: &str, parent: &str, all: bool) -> BTreeSet<String> {
        let stored = self.world.metadata.parts(type_name, parent);
        let mut names: BTreeSet<String> = stored.map(|(key, _)| key.full_name.to_string()).collect();
        if types::part(type_name).is_some_and(|(of, _)| of.name == "CustomObject") {
            names.extend(implied::names(self.world, type_name, Some(parent)));
            if all && type_name == "CustomField" {
                names.extend(implied::standard_fields(self.world, parent));
            }
        }
        names
    }

    /// The document of a component with all that stands in it, or none where there is no such component.
    pub(crate) fn whole(&self, of: &Type, full_name: &str) -> Option<Element> {
        let key = Key::new(of.name, full_name);
        let own = self.document(&key);
        let mut parts = BTreeMap::new();
        for part in of.parts.iter().filter(|part| part.addressable) {
            parts.insert(part.name, self.parts(part.name, full_name, true));
        }
        if own.is_none() && parts.values().all(BTreeSet::is_empty) {
            return None;
        }
        Some(self.with_parts(of, own, &parts))
    }

    /// A document with these parts, given by type and name.
    pub(crate) fn with_parts(
        &self,
        of: &Type,
        own: Option<Element>,
        names: &BTreeMap<&str, BTreeSet<String>>,
    ) -> Element {
        let mut parts = Vec::new();
        for part in &of.parts {
            for name in names.get(part.name).into_iter().flatten() {
                if let Some(document) = self.document(&Key::new(part.name, name)) {
                    parts.push((part, document));
                }
            }
        }
        mdapi::put_together(of, own, parts)
    }

    /// The document of a component by itself.
    pub(crate) fn document(&self, key: &Key) -> Option<Element> {
        let Some(stored) = self.world.metadata.get(key) else {
            return self.implied(key);
        };
        let mut root = Element::parse(&stored.document()?.bytes).ok()?;
        if let Some(flow) = automatic::find(self.world, key) {
            automatic::switch(&mut root, flow.active);
        }
        Some(root)
    }
}

/// A stored definition that says something else of its flow than the org does, in step with it.
fn in_step(stored: &Component, flow: &Automation) -> Option<Arc<Component>> {
    let document = stored.document()?;
    let mut root = Element::parse(&document.bytes).ok()?;
    if !automatic::switch(&mut root, flow.active) {
        return None;
    }
    let path = document.path.clone();
    let files: Vec<File> = stored
        .files
        .iter()
        .map(|file| if file.path == path { File::new(path.clone(), root.document()) } else { file.clone() })
        .collect();
    let modified = Stamp { at: flow.changed.max(stored.modified.at), ..stored.modified };
    Some(Arc::new(Component { files: files.into(), modified, ..stored.clone() }))
}

/// An id that is always the same for a name: its hash by FNV-1a.
fn implied_id(prefix: [u8; 3], key: &Key) -> Id {
    let bytes = key.type_name.bytes().chain(key.full_name.bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    // above those that are counted
    Id::new(prefix, 62u64.pow(8) + hash % (60 * 62u64.pow(8)))
}
