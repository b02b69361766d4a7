//! Metadata that an org has without anybody having loaded or deployed it: what its schema and its rows say, in the form
//! of components. What is stored goes before it.

use serde_json::Value as Json;

use super::xml::Element;
use crate::schema::{Field, FieldType, Object};
use crate::store::{RowRef, World};
use crate::value::Cell;

/// Profiles by the names that the metadata of standard ones has.
pub(super) const PROFILES: [(&str, &str); 9] = [
    ("System Administrator", "Admin"),
    ("Standard User", "Standard"),
    ("Standard Platform User", "StandardAul"),
    ("Read Only", "ReadOnly"),
    ("Solution Manager", "SolutionManager"),
    ("Marketing User", "MarketingProfile"),
    ("Contract Manager", "ContractManager"),
    ("Minimum Access - Salesforce", "Minimum Access - Salesforce"),
    ("Guest License User", "Guest License User"),
];

/// Sets of standard values, and a field that shows them.
pub(super) const VALUE_SETS: [(&str, &str, &str); 20] = [
    ("AccountOwnership", "Account", "Ownership"),
    ("AccountRating", "Account", "Rating"),
    ("AccountType", "Account", "Type"),
    ("CampaignStatus", "Campaign", "Status"),
    ("CampaignType", "Campaign", "Type"),
    ("CaseOrigin", "Case", "Origin"),
    ("CasePriority", "Case", "Priority"),
    ("CaseReason", "Case", "Reason"),
    ("CaseStatus", "Case", "Status"),
    ("CaseType", "Case", "Type"),
    ("ContractStatus", "Contract", "Status"),
    ("EventSubject", "Event", "Subject"),
    ("Industry", "Account", "Industry"),
    ("LeadSource", "Lead", "LeadSource"),
    ("LeadStatus", "Lead", "Status"),
    ("OpportunityStage", "Opportunity", "StageName"),
    ("OpportunityType", "Opportunity", "Type"),
    ("Salutation", "Contact", "Salutation"),
    ("TaskPriority", "Task", "Priority"),
    ("TaskStatus", "Task", "Status"),
];

/// The names of a type's components that are listed without being stored: all of them, or those of one object.
pub(super) fn names(world: &World, type_name: &str, parent: Option<&str>) -> Vec<String> {
    let objects = || {
        let all = world.schema.objects().iter();
        all.filter(move |object| parent.is_none_or(|name| object.name == name) && has_metadata(object))
    };
    match type_name {
        "CustomObject" => objects().map(|object| object.name.clone()).collect(),
        "CustomField" => objects()
            .flat_map(|object| {
                object.fields.iter().filter(|field| is_own(field)).map(|field| of(object, &field.name))
            })
            .collect(),
        "RecordType" => {
            objects().flat_map(|object| record_types(object).map(|(name, ..)| of(object, name))).collect()
        }
        "Layout" => objects().filter(|object| has_layout(object)).map(|object| layout_of(object)).collect(),
        "Profile" => profiles(world),
        // sets of standard values are known by name, and not listed (Metadata API guide, StandardValueSet)
        _ => Vec::new(),
    }
}

/// The document of a component that is not stored. Parts have a document of their own, as stored ones do.
pub(super) fn document(world: &World, type_name: &str, full_name: &str) -> Option<Element> {
    let object = |name: &str| {
        let found = world.schema.objects().iter().find(|object| object.name == name)?;
        has_metadata(found).then_some(found)
    };
    match type_name {
        "CustomObject" => object(full_name).map(|object| describe(object)),
        "CustomField" => {
            let (name, field) = full_name.split_once('.')?;
            let object = object(name)?;
            let field = object.fields.iter().find(|known| known.name == field)?;
            field_document(object, field)
        }
        "RecordType" => {
            let (name, own) = full_name.split_once('.')?;
            let object = object(name)?;
            let (name, label, active) = record_types(object).find(|(name, ..)| *name == own)?;
            let mut root = Element::new("RecordType");
            root.push("fullName", name);
            root.push("active", active.to_string());
            root.push("label", label);
            Some(root)
        }
        "Layout" => {
            let (name, _) = full_name.split_once('-')?;
            let object = object(name)?;
            (has_layout(object) && layout_of(object) == full_name).then(|| layout(object))
        }
        "Profile" => profiles(world).iter().any(|name| name == full_name).then(|| profile(full_name)),
        "StandardValueSet" => value_set(world, full_name),
        _ => None,
    }
}

/// The standard fields of a standard object, which its document tells of although they are not listed.
pub(super) fn standard_fields(world: &World, object: &str) -> Vec<String> {
    let standard = |known: &Object| !known.is_custom() && !known.name.contains("__") && has_metadata(known);
    let found = world.schema.objects().iter().find(|known| known.name == object && standard(known));
    let fields = found.into_iter().flat_map(|object| {
        let told =
            object.fields.iter().filter(|field| !field.custom && field_document(object, field).is_some());
        told.map(|field| of(object, &field.name))
    });
    fields.collect()
}

fn of(object: &Object, own: &str) -> String {
    format!("{}.{own}", object.name)
}

/// Objects that can be customized; what the server keeps for itself is none.
fn has_metadata(object: &Object) -> bool {
    let kept = ["History", "Share", "Feed", "ChangeEvent", "__Tag", "__hd", "__ViewStat", "__VoteStat"];
    if kept.iter().any(|suffix| object.name.ends_with(suffix)) {
        return false;
    }
    object.is_custom() || object.name.contains("__") || has_layout(object)
}

fn has_layout(object: &Object) -> bool {
    object.allows("layoutable") && object.allows("createable") && !object.allows("customSetting")
}

/// Custom fields, but for the parts that geolocations are made of.
fn is_own(field: &Field) -> bool {
    field.custom && field.name.ends_with("__c")
}

fn layout_of(object: &Object) -> String {
    format!("{}-{} Layout", object.name, label(object))
}

fn label(object: &Object) -> String {
    object.describe.get("label").and_then(Json::as_str).unwrap_or(&object.name).to_owned()
}

/// Developer name, label, whether active.
fn record_types(object: &Object) -> impl Iterator<Item = (&str, &str, bool)> {
    let infos = object.describe.get("recordTypeInfos").and_then(Json::as_array).map(Vec::as_slice);
    infos.unwrap_or_default().iter().filter(|info| info["master"] != Json::Bool(true)).filter_map(|info| {
        let name = info["name"].as_str()?;
        let developer_name = info["developerName"].as_str().unwrap_or(name);
        Some((developer_name, name, info["active"] != Json::Bool(false)))
    })
}

fn profiles(world: &World) -> Vec<String> {
    let mut names = vec!["Admin".to_owned(), "Standard".to_owned()];
    if let Some(number) = world.schema.find("Profile")
        && let Some(field) = world.schema.object(number).find("Name")
    {
        for row in world.database.table(number).scan(crate::store::Bounds::ALL, false) {
            let RowRef::Stored(row) = row else { continue };
            if let Cell::Text(name) = row.get(field) {
                names.push(profile_name(name).to_owned());
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The name that a profile has in metadata.
pub(super) fn profile_name(name: &str) -> &str {
    PROFILES.iter().find(|(known, _)| *known == name).map_or(name, |(_, metadata)| metadata)
}

fn profile(name: &str) -> Element {
    let mut root = Element::new("Profile");
    root.push("custom", (!PROFILES.iter().any(|(_, known)| *known == name)).to_string());
    root.push("userLicense", "Salesforce");
    root
}

fn describe(object: &Object) -> Element {
    let mut root = Element::new("CustomObject");
    let plural = object.describe.get("labelPlural").and_then(Json::as_str).unwrap_or(&object.name);
    if object.name.ends_with("__mdt") || object.allows("customSetting") {
        if object.allows("customSetting") {
            let hierarchy = object.find("SetupOwnerId").is_some();
            root.push("customSettingsType", if hierarchy { "Hierarchy" } else { "List" });
        }
        root.push("label", label(object));
        if object.name.ends_with("__mdt") {
            root.push("pluralLabel", plural);
        }
        root.push("visibility", "Public");
        return root;
    }
    if !object.is_custom() {
        root.push("enableFeeds", object.allows("feedEnabled").to_string());
        root.push("sharingModel", "ReadWrite");
        return root;
    }
    let master = object.fields.iter().any(|field| field.master);
    root.push("deploymentStatus", "Deployed");
    root.push("enableFeeds", object.allows("feedEnabled").to_string());
    root.push("label", label(object));
    if let Some(field) = object.find("Name").map(|number| &object.fields[number]) {
        let mut name = Element::new("nameField");
        if field.auto_number {
            name.push("displayFormat", field.number_format.as_deref().unwrap_or("{0}"));
        }
        name.push("label", field.label.clone());
        name.push("type", if field.auto_number { "AutoNumber" } else { "Text" });
        root.children.push(name);
    }
    root.push("pluralLabel", plural);
    root.push("sharingModel", if master { "ControlledByParent" } else { "ReadWrite" });
    root
}

/// A field; none for what no metadata tells of: ids, stamps, and the parts that others are made of.
fn field_document(object: &Object, field: &Field) -> Option<Element> {
    let mut root = Element::new("CustomField");
    root.push("fullName", field.name.clone());
    if !field.custom {
        let kept = ["Id", "IsDeleted", "CreatedDate", "LastModifiedDate", "SystemModstamp", "CreatedById"];
        let settable = field.createable || field.updateable || field.kind == FieldType::Address;
        if kept.contains(&field.name.as_str()) || field.compound.is_some() || !settable {
            return None;
        }
        match field.kind {
            FieldType::Picklist => root.push("type", "Picklist"),
            FieldType::Reference => root.push("type", "Lookup"),
            _ => {}
        }
        return Some(root);
    }
    if !is_own(field) {
        return None;
    }
    let described = object.describe.get("fields").and_then(Json::as_array);
    let described = described.and_then(|fields| fields.iter().find(|json| json["name"] == *field.name));
    let text = |key: &str| described.and_then(|json| json[key].as_str()).map(str::to_owned);
    if let Some(help) = text("inlineHelpText") {
        root.push("inlineHelpText", help);
    }
    root.push("label", field.label.clone());
    if let Some(formula) = text("calculatedFormula").filter(|_| field.calculated) {
        root.push("formula", formula);
    }
    let plain = !field.calculated;
    if plain && field.kind != FieldType::Boolean && !field.auto_number {
        root.push("required", (field.required && !field.master).to_string());
    }
    if field.external_id {
        root.push("externalId", "true");
    }
    if field.unique {
        root.push("caseSensitive", field.case_sensitive.to_string());
        root.push("unique", "true");
    }
    let html = described.is_some_and(|json| json["htmlFormatted"] == Json::Bool(true));
    kind(&mut root, field, html);
    root.sort();
    Some(root)
}

/// Type and sizes of a custom field.
fn kind(root: &mut Element, field: &Field, html: bool) {
    let plain = !field.calculated;
    let length = |root: &mut Element| root.push("length", field.length.to_string());
    let kind = match field.kind {
        _ if field.auto_number => {
            root.push("displayFormat", field.number_format.as_deref().unwrap_or("{0}"));
            "AutoNumber"
        }
        FieldType::Int | FieldType::Double | FieldType::Currency | FieldType::Percent => {
            root.push("precision", field.precision.max(1).to_string());
            root.push("scale", field.scale.to_string());
            match field.kind {
                FieldType::Currency => "Currency",
                FieldType::Percent => "Percent",
                _ => "Number",
            }
        }
        FieldType::TextArea if plain && (html || field.length > 255) => {
            length(root);
            root.push("visibleLines", "3");
            if html { "Html" } else { "LongTextArea" }
        }
        FieldType::TextArea if plain => "TextArea",
        FieldType::Picklist | FieldType::MultiPicklist => {
            root.children.push(values(field));
            if field.kind == FieldType::MultiPicklist {
                root.push("visibleLines", "4");
                "MultiselectPicklist"
            } else {
                "Picklist"
            }
        }
        FieldType::Reference => {
            root.push("referenceTo", field.reference_to.first().cloned().unwrap_or_default());
            if field.master { "MasterDetail" } else { "Lookup" }
        }
        FieldType::Boolean => {
            if plain {
                root.push("defaultValue", "false");
            }
            "Checkbox"
        }
        FieldType::Date => "Date",
        FieldType::DateTime => "DateTime",
        FieldType::Time => "Time",
        FieldType::Email => "Email",
        FieldType::Phone => "Phone",
        FieldType::Url => "Url",
        FieldType::Location => {
            root.push("scale", "5");
            "Location"
        }
        FieldType::Encrypted => {
            length(root);
            "EncryptedText"
        }
        _ => {
            if plain {
                length(root);
            }
            "Text"
        }
    };
    root.push("type", kind);
}

fn values(field: &Field) -> Element {
    let mut definition = Element::new("valueSetDefinition");
    definition.push("sorted", "false");
    for name in &field.picklist {
        let mut value = Element::new("value");
        value.push("fullName", name.clone());
        value.push("default", "false");
        value.push("label", name.clone());
        definition.children.push(value);
    }
    let mut set = Element::new("valueSet");
    if field.restricted_picklist {
        set.push("restricted", "true");
    }
    set.children.push(definition);
    set
}

fn value_set(world: &World, name: &str) -> Option<Element> {
    let (_, object, field) = VALUE_SETS.iter().find(|(known, ..)| *known == name)?;
    let object = world.schema.object(world.schema.find(object)?);
    let field = &object.fields[object.find(field)?];
    let mut root = Element::new("StandardValueSet");
    root.push("sorted", "false");
    for name in &field.picklist {
        let mut value = Element::new("standardValue");
        value.push("fullName", name.clone());
        value.push("default", "false");
        value.push("label", name.clone());
        root.children.push(value);
    }
    Some(root)
}

/// A layout with the fields that must be on any.
fn layout(object: &Object) -> Element {
    let mut root = Element::new("Layout");
    let mut section = Element::new("layoutSections");
    section.push("customLabel", "false");
    section.push("detailHeading", "false");
    section.push("editHeading", "true");
    section.push("label", "Information");
    let mut column = Element::new("layoutColumns");
    let shown =
        object.fields.iter().filter(|field| field.required && field.createable || field.name == "Name");
    for field in shown.filter(|field| field.compound.is_none()) {
        let mut item = Element::new("layoutItems");
        item.push("behavior", if field.createable { "Required" } else { "Readonly" });
        item.push("field", field.name.clone());
        column.children.push(item);
    }
    section.children.push(column);
    section.children.push(Element::new("layoutColumns"));
    section.push("style", "TwoColumnsTopToBottom");
    root.children.push(section);
    root
}
