//! Writes an object's short form out as a full describe result: the same keys, flags and nulls that recorded
//! describes have.

use serde_json::{Map, Value as Json, json};

use super::field::{NUMBER_FORMAT, ROLL_UP};
use super::short::{NameField, ShortField, ShortObject, SystemFields, label_of};

/// Builds a describe result of an object in short form. `prefix` is used if the short form names none.
pub fn describe_object(
    name: &str,
    short: &ShortObject,
    fields: &[(String, ShortField)],
    prefix: &str,
) -> Map<String, Json> {
    let custom = is_custom(name);
    let label = short.label.clone().unwrap_or_else(|| label_of(name));
    let has_master = fields.iter().any(|(_, field)| field.r#type == "masterdetail");
    let mut listed = system_head(short, &label, has_master);
    listed.extend(fields.iter().flat_map(|(name, field)| describe_field(name, field)));
    listed.extend(system_tail(short.system));
    let plain = short.system == SystemFields::Full;
    let base = format!("/services/data/v0.0/sobjects/{name}");
    let describe = json!({
        "actionOverrides": [], "activateable": false, "associateEntityType": null,
        "associateParentEntity": null, "childRelationships": [], "compactLayoutable": plain,
        "createable": true, "custom": custom, "customSetting": false, "deepCloneable": false,
        "defaultImplementation": null, "deletable": plain, "deprecatedAndHidden": false,
        "extendedBy": null, "extendsInterfaces": null, "feedEnabled": false, "fields": listed,
        "hasSubtypes": false, "implementedBy": null, "implementsInterfaces": null, "isInterface": false,
        "isSubtype": false, "keyPrefix": short.key_prefix.as_deref().unwrap_or(prefix), "label": label,
        "labelPlural": short.label_plural.clone().unwrap_or_else(|| plural(&label)),
        "layoutable": plain, "listviewable": null, "lookupLayoutable": null, "mergeable": false,
        "mruEnabled": plain, "name": name, "namedLayoutInfos": [], "networkScopeFieldName": null,
        "queryable": true, "recordTypeInfos": [master_record_type(name)], "replicateable": true,
        "retrieveable": true, "searchLayoutable": plain, "searchable": plain,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": format!("All {}", label.to_lowercase()), "name": "everything"}],
        "triggerable": plain, "undeletable": plain, "updateable": true,
        "urls": {
            "compactLayouts": format!("{base}/describe/compactLayouts"),
            "rowTemplate": format!("{base}/{{ID}}"),
            "approvalLayouts": format!("{base}/describe/approvalLayouts"),
            "describe": format!("{base}/describe"), "quickActions": format!("{base}/quickActions"),
            "layouts": format!("{base}/describe/layouts"), "sobject": base,
        },
    });
    let mut describe = into_map(describe);
    if let Some(urls) = describe.get_mut("urls").and_then(Json::as_object_mut).filter(|_| plain) {
        // pages of the user interface; the host is put in place where they are shown
        let prefix = short.key_prefix.as_deref().unwrap_or(prefix);
        for (key, path) in [
            ("uiDetailTemplate", "{ID}"),
            ("uiEditTemplate", "{ID}/e"),
            ("uiNewRecord", &format!("{prefix}/e")),
        ] {
            urls.insert(key.to_owned(), Json::String(format!("https://host/{path}")));
        }
    }
    for (key, value) in &short.describe {
        describe.insert(key.clone(), value.clone());
    }
    describe
}

/// The plural of a label, as English makes it most often.
fn plural(label: &str) -> String {
    match label.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        Some(stem) => format!("{stem}ies"),
        None if label.ends_with(['s', 'x']) => format!("{label}es"),
        None => format!("{label}s"),
    }
}

/// Whether an API name belongs to a custom object or field.
pub fn is_custom(name: &str) -> bool {
    name.ends_with("__c") || name.ends_with("__mdt") || name.ends_with("__x") || name.ends_with("__b")
}

/// The entry that a parent's `childRelationships` gets for a reference field.
pub fn child_relationship(child: &str, field: &str, short: &ShortField) -> Json {
    let master = short.r#type == "masterdetail";
    json!({
        "cascadeDelete": master || short.delete.as_deref() == Some("Cascade"), "childSObject": child,
        "deprecatedAndHidden": false, "field": field, "junctionIdListNames": [], "junctionReferenceTo": [],
        "relationshipName": short.children,
        "restrictedDelete": short.delete.as_deref() == Some("Restrict"),
    })
}

/// The describe entries of one field in short form: one, or three for a geolocation.
pub fn describe_field(name: &str, short: &ShortField) -> Vec<Json> {
    let mut entries = vec![Json::Object(single_field(name, short))];
    if short.r#type == "location" {
        let stem = name.strip_suffix("__c").unwrap_or(name);
        for part in ["Latitude", "Longitude"] {
            let part_short = ShortField {
                r#type: "double".to_owned(),
                label: Some(format!("{} ({part})", label_of(name))),
                precision: Some(18),
                scale: Some(short.scale.unwrap_or(15)),
                compound: Some(name.to_owned()),
                ..ShortField::default()
            };
            let mut entry = single_field(&format!("{stem}__{part}__s"), &part_short);
            entry.insert("custom".to_owned(), Json::Bool(true));
            entries.push(Json::Object(entry));
        }
    }
    entries
}

/// Gives a field of an older recorded describe the keys that came later.
pub fn complete_field(field: &mut Map<String, Json>) {
    let text = |key: &str| field.get(key).and_then(Json::as_str).map(str::to_owned);
    let (Some(name), Some(kind)) = (text("name"), text("type")) else { return };
    let length = field.get("length").and_then(Json::as_u64).and_then(|l| u32::try_from(l).ok());
    let short = ShortField { r#type: kind, length, ..ShortField::default() };
    for (key, value) in single_field(&name, &short) {
        field.entry(key).or_insert(value);
    }
}

fn into_map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

fn master_record_type(object: &str) -> Json {
    let id = "012000000000000AAA";
    json!({
        "active": true, "available": true, "defaultRecordTypeMapping": true, "developerName": "Master",
        "master": true, "name": "Master", "recordTypeId": id,
        "urls": {"layout": format!("/services/data/v0.0/sobjects/{object}/describe/layouts/{id}")},
    })
}

/// Type in describe, SOAP type and default length of a short type.
fn type_facts(short: &str) -> (&str, &'static str, u32) {
    match short {
        "id" => ("id", "tns:ID", 18),
        "reference" | "masterdetail" => ("reference", "tns:ID", 18),
        "autonumber" => ("string", "xsd:string", 30),
        "string" => ("string", "xsd:string", 255),
        "textarea" => ("textarea", "xsd:string", 255),
        "picklist" | "combobox" | "url" => (short, "xsd:string", 255),
        "multipicklist" => (short, "xsd:string", 4099),
        "email" => (short, "xsd:string", 80),
        "phone" => (short, "xsd:string", 40),
        "encryptedstring" => (short, "xsd:string", 175),
        "boolean" => (short, "xsd:boolean", 0),
        "int" => (short, "xsd:int", 0),
        "double" | "currency" | "percent" => (short, "xsd:double", 0),
        "date" => (short, "xsd:date", 0),
        "datetime" => (short, "xsd:dateTime", 0),
        "time" => (short, "xsd:time", 0),
        "base64" => (short, "xsd:base64Binary", 0),
        "address" => (short, "urn:address", 0),
        "location" => (short, "urn:location", 0),
        other => (other, "xsd:anyType", 0),
    }
}

fn single_field(name: &str, short: &ShortField) -> Map<String, Json> {
    let (kind, soap, default_length) = type_facts(&short.r#type);
    let custom = is_custom(name);
    let length = short.length.unwrap_or(default_length);
    let decimal = matches!(kind, "double" | "currency" | "percent");
    let reference = kind == "reference";
    let master = short.r#type == "masterdetail";
    let picklist = matches!(kind, "picklist" | "multipicklist");
    let compound = matches!(kind, "address" | "location");
    let auto_number = short.r#type == "autonumber";
    let calculated = short.formula.is_some() || short.summary || short.roll_up.is_some();
    let writable = !(calculated || auto_number || compound || short.read_only);
    let long = (kind == "textarea" && length > 255) || kind == "base64";
    let relationship = reference.then(|| short.relationship.clone().unwrap_or_else(|| up_name(name)));
    let marked = |v: &String| picklist && short.default.as_ref().and_then(Json::as_str) == Some(v);
    let value = |v: &String| json!({"active": true, "defaultValue": marked(v), "label": v, "validFor": null, "value": v});
    let values: Vec<Json> = short.values.iter().map(value).collect();
    let mut described = into_map(json!({
        "aggregatable": !long && !compound && kind != "boolean", "aiPredictionField": false,
        "autoNumber": auto_number, "byteLength": length * if matches!(kind, "id" | "reference") { 1 } else { 3 },
        "calculated": calculated, "calculatedFormula": short.formula, "cascadeDelete": master,
        "caseSensitive": short.case_sensitive, "compoundFieldName": short.compound, "controllerName": null,
        "createable": writable, "custom": custom, "defaultValue": if picklist { &None } else { &short.default },
        "defaultValueFormula": null, "defaultedOnCreate": short.default.is_some() || kind == "boolean",
        "dependentPicklist": false, "deprecatedAndHidden": false,
        "digits": if kind == "int" { short.precision.unwrap_or(9) } else { 0 },
        "displayLocationInDecimal": kind == "location", "encrypted": kind == "encryptedstring",
        "externalId": short.external_id, "extraTypeInfo": if long && kind == "textarea" { json!("plaintextarea") } else { Json::Null },
        "filterable": !long, "filteredLookupInfo": null, "formulaTreatNullNumberAsZero": short.blank_as_zero,
        "groupable": !long && !compound && !decimal && kind != "datetime", "highScaleNumber": false,
        "htmlFormatted": short.html, "idLookup": short.external_id || kind == "id", "inlineHelpText": short.help,
        "label": short.label.clone().unwrap_or_else(|| label_of(name)), "length": length, "mask": null,
        "maskType": null, "name": name, "nameField": false, "namePointing": short.to.len() > 1,
        "nillable": !short.required && !master && kind != "boolean" && kind != "id", "permissionable": custom && !short.required && !master,
        "picklistValues": values, "polymorphicForeignKey": short.to.len() > 1,
        "precision": if decimal { short.precision.unwrap_or(18) } else { 0 },
        "queryByDistance": compound, "referenceTargetField": null, "referenceTo": short.to,
        "relationshipName": relationship, "relationshipOrder": if master { json!(short.order.unwrap_or(0)) } else { Json::Null },
        "restrictedDelete": short.delete.as_deref() == Some("Restrict"),
        "restrictedPicklist": short.restricted,
        "scale": if decimal { short.scale.unwrap_or(0) } else { 0 }, "searchPrefilterable": reference,
        "soapType": soap, "sortable": !long && !compound && kind != "multipicklist", "type": kind, "unique": short.unique,
        "updateable": writable && (!master || short.reparentable), "writeRequiresMasterRead": false,
    }));
    if short.html {
        described.insert("extraTypeInfo".to_owned(), json!("richtextarea"));
    }
    if let Some(format) = &short.display_format {
        described.insert(NUMBER_FORMAT.to_owned(), json!(format));
    }
    if let Some(roll_up) = &short.roll_up {
        described.insert(ROLL_UP.to_owned(), json!(roll_up));
    }
    described
}

/// `Account__c` → `Account__r`, `AccountId` → `Account`.
fn up_name(field: &str) -> String {
    match field.strip_suffix("__c") {
        Some(stem) => format!("{stem}__r"),
        None => field.strip_suffix("Id").unwrap_or(field).to_owned(),
    }
}

fn system_field(name: &str, kind: &str, to: &[&str], required: bool) -> Json {
    let short = ShortField {
        r#type: kind.to_owned(),
        required,
        read_only: true,
        to: to.iter().map(|t| (*t).to_owned()).collect(),
        ..ShortField::default()
    };
    let mut field = single_field(name, &short);
    field.insert("defaultedOnCreate".to_owned(), Json::Bool(true));
    Json::Object(field)
}

fn system_head(short: &ShortObject, label: &str, has_master: bool) -> Vec<Json> {
    let mut id = single_field("Id", &ShortField { r#type: "id".to_owned(), ..ShortField::default() });
    for (key, value) in
        [("createable", json!(false)), ("updateable", json!(false)), ("defaultedOnCreate", json!(true))]
    {
        id.insert(key.to_owned(), value);
    }
    id.insert("label".to_owned(), json!("Record ID"));
    let mut head = vec![Json::Object(id)];
    if short.system == SystemFields::Full && !has_master {
        let owner = ShortField {
            r#type: "reference".to_owned(),
            required: true,
            to: vec!["Group".to_owned(), "User".to_owned()],
            ..ShortField::default()
        };
        let mut owner = single_field("OwnerId", &owner);
        owner.insert("defaultedOnCreate".to_owned(), Json::Bool(true));
        head.push(Json::Object(owner));
    }
    if matches!(short.system, SystemFields::Full | SystemFields::Link) {
        head.push(system_field("IsDeleted", "boolean", &[], true));
    }
    if short.name_field != NameField::None {
        let auto = short.name_field == NameField::AutoNumber;
        let name = ShortField {
            r#type: if auto { "autonumber" } else { "string" }.to_owned(),
            label: Some(short.name_label.clone().unwrap_or_else(|| format!("{label} Name"))),
            length: Some(80),
            display_format: short.name_format.clone(),
            required: auto,
            ..ShortField::default()
        };
        let mut name = single_field("Name", &name);
        for (key, value) in
            [("nameField", true), ("idLookup", true), ("nillable", !auto), ("defaultedOnCreate", true)]
        {
            name.insert(key.to_owned(), Json::Bool(value));
        }
        head.push(Json::Object(name));
    }
    head
}

fn system_tail(system: SystemFields) -> Vec<Json> {
    if system == SystemFields::Bare {
        return Vec::new();
    }
    if system == SystemFields::Link {
        return vec![system_field("SystemModstamp", "datetime", &[], true)];
    }
    vec![
        system_field("CreatedDate", "datetime", &[], true),
        system_field("CreatedById", "reference", &["User"], true),
        system_field("LastModifiedDate", "datetime", &[], true),
        system_field("LastModifiedById", "reference", &["User"], true),
        system_field("SystemModstamp", "datetime", &[], true),
    ]
}
