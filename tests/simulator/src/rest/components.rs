//! Components as records of the Tooling API: rows of metadata, automations and deploys, their `Metadata`, and the few that
//! can be changed there.

use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::Call;
use crate::automation::{Automation, Kind};
use crate::metadata::xml::Element;
use crate::metadata::{Component, Key, deploy};
use crate::org::OrgType;
use crate::schema::{Object, Schema};
use crate::store::{Database, Row, World};
use crate::value::calendar::parse_datetime;
use crate::value::{Id, Value};
use crate::web::{Answer, ApiError};

/// Objects whose rows are components, by the types of these.
const TYPES: [&str; 7] =
    ["ValidationRule", "ApexClass", "ApexTrigger", "Flow", "FlowDefinition", "WorkflowRule", "CustomObject"];

/// A component as a record: its id, its name, and its cells.
struct Record {
    id: Id,
    full_name: String,
    cells: Vec<(&'static str, Option<Value>)>,
}

/// Puts the rows of an object of the Tooling API into its table.
pub(super) fn fill(call: &Call<'_>, schema: &Schema, database: &mut Database, object: usize) {
    let described = schema.object(object);
    for record in records(call, &described.name) {
        let row = row(described, &record);
        database.table_mut(object).put(row);
    }
}

fn row(object: &Object, record: &Record) -> Row {
    let mut row = Row::new(record.id);
    let own = [("Id", Some(Value::Id(record.id))), ("FullName", text(&record.full_name))];
    for (name, value) in own.iter().chain(&record.cells) {
        if let Some(field) = object.find(name) {
            row.set(field, value.clone());
        }
    }
    row
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::Text(text.into()))
}

/// The id of something that has none of its own: always the same for a name.
fn id_of(prefix: [u8; 3], name: &str) -> Id {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    Id::new(prefix, 62u64.pow(8) + hash % (60 * 62u64.pow(8)))
}

fn records(call: &Call<'_>, object: &str) -> Vec<Record> {
    let world = &call.world;
    if object == "DeployRequest" {
        return deploys(call);
    }
    if !TYPES.contains(&object) {
        return Vec::new();
    }
    // a flow is an automation, of which its definition is told
    let of_flows = object == "FlowDefinition";
    let type_name = if of_flows { "Flow" } else { object };
    let kind = kind_of(type_name);
    let mut found: Vec<Record> = world
        .metadata
        .of_type(type_name)
        .map(|(key, component)| {
            let automation = kind.and_then(|kind| world.automations.find(kind, &key.full_name));
            record(object, &key.full_name, automation, Some(component))
        })
        .collect();
    // those that are declared without metadata
    let declared = world.automations.all().filter(|automation| Some(automation.kind) == kind);
    for automation in
        declared.filter(|automation| world.metadata.find(type_name, &automation.full_name).is_none())
    {
        found.push(record(object, &automation.full_name, Some(automation), None));
    }
    found
}

fn kind_of(type_name: &str) -> Option<Kind> {
    [Kind::ValidationRule, Kind::ApexTrigger, Kind::Flow, Kind::WorkflowRule]
        .into_iter()
        .find(|kind| kind.name() == type_name)
}

fn record(
    object: &str,
    name: &str,
    automation: Option<&Automation>,
    component: Option<&std::sync::Arc<Component>>,
) -> Record {
    let root =
        component.and_then(|component| Element::parse(&component.document()?.bytes).ok()).unwrap_or_default();
    let told = |element: &str| root.text_of(element).and_then(text);
    let own = name.split_once('.').map_or(name, |(_, own)| own);
    let active = automation.is_some_and(|automation| automation.active);
    let of = automation
        .map_or_else(|| name.split('.').next().unwrap_or_default(), |automation| &automation.object);
    let version = component.and_then(|component| component.id).unwrap_or_else(|| id_of(*b"301", name));
    let definition = automation
        .map(|automation| automation.id)
        .filter(|id| id.prefix() == *b"300")
        .unwrap_or_else(|| id_of(*b"300", name));
    let status = || {
        let told = root.text_of("status").unwrap_or("Active");
        text(if automation.is_none() || active { told } else { "Inactive" })
    };
    let body = || {
        let file = component?.files.iter().find(|file| !file.path.ends_with("-meta.xml"))?;
        text(&String::from_utf8_lossy(&file.bytes))
    };
    let number =
        |element: &str| Value::parse(crate::schema::FieldType::Double, root.text_of(element)?).ok().flatten();
    let mut cells: Vec<(&'static str, Option<Value>)> = match object {
        "ValidationRule" => vec![
            ("ValidationName", text(own)),
            ("Active", Some(Value::Bool(active))),
            ("Description", told("description")),
            ("EntityDefinitionId", text(of)),
            ("ErrorDisplayField", told("errorDisplayField")),
            ("ErrorMessage", told("errorMessage")),
        ],
        "ApexClass" => vec![
            ("Name", text(name)),
            ("Status", status()),
            ("Body", body()),
            ("ApiVersion", number("apiVersion")),
        ],
        "ApexTrigger" => vec![
            ("Name", text(name)),
            ("Status", status()),
            ("Body", body()),
            ("TableEnumOrId", text(of)),
            ("ApiVersion", number("apiVersion")),
        ],
        "WorkflowRule" => vec![("Name", text(own)), ("TableEnumOrId", text(of))],
        "CustomObject" => vec![("DeveloperName", text(name.trim_end_matches("__c")))],
        "FlowDefinition" => vec![
            ("DeveloperName", text(name)),
            ("MasterLabel", told("label")),
            ("ActiveVersionId", is_active_flow(automation, &root).then_some(Value::Id(version))),
            ("LatestVersionId", Some(Value::Id(version))),
        ],
        "Flow" => {
            let told_status = root.text_of("status").unwrap_or("Active");
            let status = if automation.is_none() || active { told_status } else { "Obsolete" };
            vec![
                ("MasterLabel", told("label")),
                ("DefinitionId", Some(Value::Id(definition))),
                ("Status", text(status)),
                ("ProcessType", told("processType")),
                ("VersionNumber", Some(Value::Int(1))),
            ]
        }
        _ => Vec::new(),
    };
    let namespace = automation
        .and_then(|automation| automation.namespace.as_deref())
        .or_else(|| component.and_then(|component| component.namespace.as_deref()));
    cells.push(("NamespacePrefix", namespace.and_then(text)));
    let changed = automation.map(|automation| automation.changed).filter(|at| *at > 0);
    if let Some(component) = component {
        let modified = changed.unwrap_or_default().max(component.modified.at);
        cells.extend([
            ("CreatedDate", Some(Value::DateTime(component.created.at))),
            ("CreatedById", Some(Value::Id(component.created.by))),
            ("LastModifiedDate", Some(Value::DateTime(modified))),
            ("LastModifiedById", Some(Value::Id(component.modified.by))),
            ("SystemModstamp", Some(Value::DateTime(modified))),
        ]);
    } else if let Some(at) = changed {
        cells.extend([
            ("LastModifiedDate", Some(Value::DateTime(at))),
            ("SystemModstamp", Some(Value::DateTime(at))),
        ]);
    }
    let id = match object {
        "FlowDefinition" => definition,
        "Flow" => version,
        _ => automation
            .map(|automation| automation.id)
            .or_else(|| component.and_then(|component| component.id))
            .unwrap_or_else(|| id_of(*b"01I", name)),
    };
    Record { id, full_name: name.to_owned(), cells }
}

fn is_active_flow(automation: Option<&Automation>, root: &Element) -> bool {
    automation.map_or_else(|| root.text_of("status") == Some("Active"), |automation| automation.active)
}

/// The deploys of the org, those that wait and run at once: who lost a deploy's answer finds it here.
fn deploys(call: &Call<'_>) -> Vec<Record> {
    let time = |json: &Json| json.as_str().and_then(parse_datetime).map(Value::DateTime);
    let int = |json: &Json| json.as_i64().map(Value::Int);
    let told = |deploy: &std::sync::Arc<deploy::queue::Deploy>| {
        let result = deploy::result(deploy);
        let cells = vec![
            ("Status", result["status"].as_str().and_then(text)),
            ("CheckOnly", result["checkOnly"].as_bool().map(Value::Bool)),
            ("CreatedById", Some(Value::Id(deploy.by.id))),
            ("CreatedDate", time(&result["createdDate"])),
            ("LastModifiedDate", time(&result["lastModifiedDate"])),
            ("SystemModstamp", time(&result["lastModifiedDate"])),
            ("StartDate", time(&result["startDate"])),
            ("CompletedDate", time(&result["completedDate"])),
            ("ErrorMessage", result["errorMessage"].as_str().and_then(text)),
            ("IgnoreWarnings", result["ignoreWarnings"].as_bool().map(Value::Bool)),
            ("RollbackOnError", result["rollbackOnError"].as_bool().map(Value::Bool)),
            ("NumberComponentsTotal", int(&result["numberComponentsTotal"])),
            ("NumberComponentsDeployed", int(&result["numberComponentsDeployed"])),
            ("NumberComponentErrors", int(&result["numberComponentErrors"])),
            ("NumberTestsTotal", int(&result["numberTestsTotal"])),
            ("NumberTestErrors", int(&result["numberTestErrors"])),
        ];
        Record { id: deploy.id, full_name: String::new(), cells }
    };
    call.org.deploys.all().iter().map(told).collect()
}

/// The `Metadata` of the record with this id, as JSON.
pub(super) fn metadata(call: &Call<'_>, object: &str, id: Id) -> Json {
    let Some(found) = records(call, object).into_iter().find(|record| record.id == id) else {
        return Json::Null;
    };
    metadata_of(&call.world, object, &found)
}

fn metadata_of(world: &World, object: &str, record: &Record) -> Json {
    let name = &record.full_name;
    let flow = world.automations.find(Kind::Flow, name);
    if object == "FlowDefinition" {
        let component = world.metadata.find("Flow", name).and_then(|component| component.document());
        let root = component.and_then(|file| Element::parse(&file.bytes).ok()).unwrap_or_default();
        let active = is_active_flow(flow, &root);
        return json!({
            "activeVersionNumber": if active { json!(1) } else { Json::Null }, "description": null,
            "masterLabel": root.text_of("label"), "urls": null,
        });
    }
    let automation = kind_of(object).and_then(|kind| world.automations.find(kind, name));
    let document = world.metadata.find(object, name).and_then(|component| component.document());
    let Some(root) = document.and_then(|file| Element::parse(&file.bytes).ok()) else {
        return automation
            .map_or(Json::Null, |automation| json!({"active": automation.active, "urls": null}));
    };
    let mut json = as_json(&root);
    if let (Some(map), Some(automation)) = (json.as_object_mut(), automation) {
        map.remove("fullName");
        if object != "ApexTrigger" && object != "Flow" {
            map.insert("active".to_owned(), json!(automation.active));
        }
    }
    json
}

/// An element as JSON: names that come twice become lists.
fn as_json(element: &Element) -> Json {
    if element.children.is_empty() {
        return match element.text.as_str() {
            "" => Json::Null,
            "true" => json!(true),
            "false" => json!(false),
            text => match (element.name.as_str(), text.parse::<f64>()) {
                ("apiVersion" | "precision" | "scale" | "length" | "locationX" | "locationY", Ok(number)) => {
                    json!(number)
                }
                _ => json!(text),
            },
        };
    }
    let mut map = Map::new();
    for child in &element.children {
        let value = as_json(child);
        match map.get_mut(&child.name) {
            None => drop(map.insert(child.name.clone(), value)),
            Some(Json::Array(all)) => all.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Json::Object(map)
}

/// JSON as the children of an element.
fn from_json(root: &mut Element, json: &Map<String, Json>) {
    for (name, value) in json.iter().filter(|(name, _)| *name != "urls") {
        root.children.retain(|child| child.name != *name);
        let all = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        for value in all {
            match value {
                Json::Null => {}
                Json::Object(map) => {
                    let mut child = Element::new(name);
                    from_json(&mut child, &map);
                    root.children.push(child);
                }
                Json::String(text) => root.push(name, text),
                other => root.push(name, other.to_string()),
            }
        }
    }
}

/// A record with its metadata: `tooling/sobjects/ValidationRule/ID`.
pub(super) fn answer(call: &Call<'_>, object: &str, id: &str) -> Result<Answer, ApiError> {
    let id = Id::parse(id).ok_or_else(ApiError::not_found)?;
    let found = records(call, object).into_iter().find(|record| record.id == id);
    let found = found.ok_or_else(ApiError::not_found)?;
    match call.request.method {
        Method::GET => Ok(Answer::ok(&shown(call, object, &found))),
        Method::PATCH => change(call, object, &found),
        ref method => Err(ApiError::method(method, "GET,HEAD,PATCH")),
    }
}

fn shown(call: &Call<'_>, object: &str, record: &Record) -> Json {
    let url = format!("/services/data/v{}/tooling/sobjects/{object}/{}", call.version, record.id);
    let mut map = Map::new();
    map.insert("attributes".to_owned(), json!({"type": object, "url": url}));
    map.insert("Id".to_owned(), json!(record.id.to_string()));
    for (name, value) in &record.cells {
        let told = match value {
            None => Json::Null,
            Some(Value::Bool(value)) => json!(value),
            Some(Value::Int(value)) => json!(value),
            Some(value) => json!(crate::store::plain(value.as_cell())),
        };
        map.insert((*name).to_owned(), told);
    }
    map.insert("FullName".to_owned(), json!(record.full_name));
    map.insert("Metadata".to_owned(), metadata_of(&call.world, object, record));
    Json::Object(map)
}

/// Changes a component by its `Metadata`: validation rules, workflow rules and the active version of flows.
fn change(call: &Call<'_>, object: &str, record: &Record) -> Result<Answer, ApiError> {
    if !call.user.may("ModifyMetadata")
        && !call.user.may("ModifyAllData")
        && !call.user.may("CustomizeApplication")
    {
        let message = "insufficient access rights on object id";
        return Err(ApiError::forbidden("INSUFFICIENT_ACCESS", message));
    }
    let body: Json = serde_json::from_slice(&call.request.body)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    if matches!(object, "ApexClass" | "ApexTrigger") {
        // code is changed in sandboxes alone, and there by a MetadataContainer; the words are Salesforce's, the code is
        // not recorded
        let production = call.org.org.settings.r#type == OrgType::Production;
        let what = if object == "ApexClass" { "Apex Class" } else { "Apex Trigger" };
        let message = if production {
            format!("Can not alter {what} in an active organization")
        } else {
            format!("{what} is changed by a MetadataContainer")
        };
        return Err(ApiError::bad("INVALID_OPERATION", message));
    }
    let given = body["Metadata"].as_object();
    let given = given.ok_or_else(|| ApiError::bad("INVALID_FIELD", "The record has no Metadata"))?;
    if object == "ValidationRule" {
        // the metadata that is given is taken whole, not beside what there was
        for field in ["active", "errorConditionFormula", "errorMessage"] {
            if given.get(field).is_none_or(Json::is_null) && has_document(call, object, record) {
                let message = format!("Required field is missing: {field}");
                return Err(ApiError::bad("FIELD_INTEGRITY_EXCEPTION", message));
            }
        }
    }
    let by = Id::parse(call.user_id()).unwrap_or(Id::LOWEST);
    let changed = call.org.change_at(|world, at| {
        let stamp = crate::metadata::Stamp { at, by };
        let key = Key::new(object, &record.full_name);
        if object == "FlowDefinition" || !has_document(call, object, record) {
            let kind = if object == "FlowDefinition" { Some(Kind::Flow) } else { kind_of(object) };
            let active = match given.get("activeVersionNumber") {
                Some(number) => number.as_u64().unwrap_or_default() > 0,
                None => given.get("active") == Some(&Json::Bool(true)),
            };
            if let Some(kind) = kind {
                let automations = std::sync::Arc::make_mut(&mut world.automations);
                automations
                    .set_active(kind, &record.full_name, active, at)
                    .map_err(|error| error.to_string())?;
            }
            if object == "FlowDefinition" {
                let mut root = Element::new("FlowDefinition");
                root.push("activeVersionNumber", if active { "1" } else { "0" });
                let path = format!("flowDefinitions/{}.flowDefinition", record.full_name);
                world.metadata.put(key, vec![crate::metadata::File::new(path, root.document())], stamp);
            }
            return Ok(());
        }
        let mut root = Element::new(object);
        root.push("fullName", record.full_name.clone());
        from_json(&mut root, given);
        deploy::put(world, object, &root, &call.org.org, stamp)
    });
    changed.map_err(|message: String| ApiError::bad("FIELD_INTEGRITY_EXCEPTION", message))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn has_document(call: &Call<'_>, object: &str, record: &Record) -> bool {
    call.world.metadata.find(object, &record.full_name).is_some()
}
