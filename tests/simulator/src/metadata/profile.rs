//! Profiles: what a retrieve tells of them depends on what else it asks for ("Profile" of the Metadata API guide): a
//! profile shows permissions for the components of the same manifest, and what belongs to no component always.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::catalog::Catalog;
use super::package::Package;
use super::store::Key;
use super::types;
use super::xml::Element;

/// Elements of a profile that tell of a component: the element within that names it, and its type.
const OF_COMPONENTS: [(&str, &str, &str); 13] = [
    ("applicationVisibilities", "application", "CustomApplication"),
    ("classAccesses", "apexClass", "ApexClass"),
    ("customMetadataTypeAccesses", "name", "CustomObject"),
    ("customPermissions", "name", "CustomPermission"),
    ("customSettingAccesses", "name", "CustomObject"),
    ("externalDataSourceAccesses", "externalDataSource", "ExternalDataSource"),
    ("fieldPermissions", "field", "CustomField"),
    ("flowAccesses", "flow", "Flow"),
    ("layoutAssignments", "layout", "Layout"),
    ("objectPermissions", "object", "CustomObject"),
    ("pageAccesses", "apexPage", "ApexPage"),
    ("recordTypeVisibilities", "recordType", "RecordType"),
    ("tabVisibilities", "tab", "CustomTab"),
];

/// The document of a profile with what this manifest lets it tell.
pub(super) fn as_asked(catalog: &Catalog<'_>, asked: &Asked<'_>, name: &str, document: &[u8]) -> Vec<u8> {
    let Ok(mut root) = Element::parse(document) else { return document.to_vec() };
    root.children.retain(|child| {
        let Some((_, named, type_name)) = OF_COMPONENTS.iter().find(|(element, ..)| *element == child.name)
        else {
            return true;
        };
        child.text_of(named).is_some_and(|name| asked.has(type_name, name))
    });
    complete(catalog, asked, name, &mut root);
    root.document()
}

/// What a manifest asks for, by type.
pub(super) struct Asked<'a>(HashMap<&'a str, HashSet<&'a str>>);

impl<'a> Asked<'a> {
    /// What this manifest asks for.
    pub(super) fn new(package: &'a Package) -> Self {
        let mut asked: HashMap<&str, HashSet<&str>> = HashMap::new();
        for (name, members) in &package.types {
            asked.entry(name).or_default().extend(members.iter().map(String::as_str));
        }
        Self(asked)
    }

    /// Whether it asks for a component, by itself, by `*`, or with the object that it is part of.
    fn has(&self, type_name: &str, name: &str) -> bool {
        let all = types::takes_wildcard(type_name) && (type_name != "CustomObject" || name.contains("__"));
        let members = self.0.get(type_name);
        if members.is_some_and(|members| members.contains(name) || all && members.contains("*")) {
            return true;
        }
        // fields and record types come with their object
        let parent = Key::new(type_name, name).parent();
        parent.is_some_and(|parent| self.has(&parent.type_name, &parent.full_name))
    }
}

/// The document of a profile with all that it tells: what a read gives, which has no manifest.
pub(super) fn whole(catalog: &Catalog<'_>, name: &str, mut root: Element) -> Element {
    let mut package = Package::default();
    for (_, _, type_name) in OF_COMPONENTS {
        if !package.names_type(type_name) {
            catalog.names(type_name).iter().for_each(|name| package.add(type_name, name));
        }
    }
    complete(catalog, &Asked::new(&package), name, &mut root);
    root
}

/// What a profile says of which nothing is stored: that its users may use objects and fields, unless the org hides
/// them, which layout they see, and what they may do beside.
fn complete(catalog: &Catalog<'_>, asked: &Asked<'_>, name: &str, root: &mut Element) {
    let told = |root: &Element, element: &str, named: &str| -> BTreeSet<String> {
        root.children_of(element).filter_map(|told| told.text_of(named).map(str::to_owned)).collect()
    };
    let objects = told(root, "objectPermissions", "object");
    let fields = told(root, "fieldPermissions", "field");
    let layouts: BTreeSet<String> = told(root, "layoutAssignments", "layout");
    for object in catalog.names("CustomObject") {
        if !asked.has("CustomObject", &object) {
            continue;
        }
        let has_rows = !object.ends_with("__mdt") && !object.ends_with("__e");
        if has_rows && !objects.contains(&object) {
            root.children.push(object_permissions(&object, !catalog.hides(name, &object)));
        }
        for (field, editable) in catalog.open_fields(&object) {
            if !fields.contains(&field) {
                let readable = !catalog.hides(name, &field);
                root.children.push(field_permissions(&field, readable, editable && readable));
            }
        }
    }
    for layout in catalog.names("Layout") {
        let object = layout.split('-').next().unwrap_or_default();
        let assigned = layouts.iter().any(|known| known.split('-').next() == Some(object));
        if asked.has("Layout", &layout) && catalog.first_layout(object).as_ref() == Some(&layout) && !assigned
        {
            let mut assignment = Element::new("layoutAssignments");
            assignment.push("layout", layout);
            root.children.push(assignment);
        }
    }
    let permissions = told(root, "userPermissions", "name");
    for permission in catalog.permissions(name) {
        if !permissions.contains(&permission) {
            let mut told = Element::new("userPermissions");
            told.push("enabled", "true");
            told.push("name", permission);
            root.children.push(told);
        }
    }
    let place = |element: &Element| {
        let named =
            OF_COMPONENTS.iter().find(|(known, ..)| *known == element.name).map_or("name", |(_, n, _)| n);
        element.text_of(named).unwrap_or_default().to_owned()
    };
    root.children.sort_by_key(|child| (child.name.clone(), place(child)));
}

fn object_permissions(object: &str, allowed: bool) -> Element {
    let mut permissions = Element::new("objectPermissions");
    for may in ["allowCreate", "allowDelete", "allowEdit", "allowRead"] {
        permissions.push(may, allowed.to_string());
    }
    permissions.push("modifyAllRecords", "false");
    permissions.push("object", object);
    permissions.push("viewAllRecords", "false");
    permissions
}

fn field_permissions(field: &str, readable: bool, editable: bool) -> Element {
    let mut permissions = Element::new("fieldPermissions");
    permissions.push("editable", editable.to_string());
    permissions.push("field", field);
    permissions.push("readable", readable.to_string());
    permissions
}
