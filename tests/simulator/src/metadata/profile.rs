//! Profiles: what a retrieve tells of them depends on what else it asks for ("Profile" of the Metadata API guide): a
//! profile shows permissions for the components of the same manifest, and what belongs to no component always.

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
pub(super) fn as_asked(catalog: &Catalog<'_>, package: &Package, document: &[u8]) -> Vec<u8> {
    let Ok(mut root) = Element::parse(document) else { return document.to_vec() };
    root.children.retain(|child| {
        let Some((_, named, type_name)) = OF_COMPONENTS.iter().find(|(element, ..)| *element == child.name)
        else {
            return true;
        };
        child.text_of(named).is_some_and(|name| asks_for(package, type_name, name))
    });
    add_objects(catalog, package, &mut root);
    root.sort();
    root.document()
}

/// Whether a manifest asks for a component, by itself, by `*`, or with the object that it is part of.
fn asks_for(package: &Package, type_name: &str, name: &str) -> bool {
    let members = |of: &str| {
        let found = package.types.iter().filter(move |(known, _)| known == of);
        found.flat_map(|(_, members)| members.iter().map(String::as_str)).collect::<Vec<_>>()
    };
    let all = types::takes_wildcard(type_name) && (type_name != "CustomObject" || name.contains("__"));
    let asked = members(type_name);
    if asked.contains(&name) || all && asked.contains(&"*") {
        return true;
    }
    // fields and record types come with their object
    let Some(parent) = Key::new(type_name, name).parent() else { return false };
    asks_for(package, &parent.type_name, &parent.full_name)
}

/// What a profile says of objects of which nothing is stored: that they may be used.
fn add_objects(catalog: &Catalog<'_>, package: &Package, root: &mut Element) {
    let told: Vec<String> = root
        .children_of("objectPermissions")
        .filter_map(|o| o.text_of("object").map(str::to_owned))
        .collect();
    if !package.names_type("CustomObject") {
        return;
    }
    for object in catalog.names("CustomObject") {
        let has_rows = !object.ends_with("__mdt") && !object.ends_with("__e");
        if !has_rows || told.contains(&object) || !asks_for(package, "CustomObject", &object) {
            continue;
        }
        let mut permissions = Element::new("objectPermissions");
        for allowed in ["allowCreate", "allowDelete", "allowEdit", "allowRead"] {
            permissions.push(allowed, "true");
        }
        permissions.push("modifyAllRecords", "false");
        permissions.push("object", object);
        permissions.push("viewAllRecords", "false");
        root.children.push(permissions);
    }
}
