//! `describeGlobal`, `describeSObject` and `describeSObjects`: the describe of REST with the elements and in the order
//! of the Partner WSDL 47.0.

use serde_json::{Map, Value as Json};

use super::envelope::{tag, texts};
use super::{Call, Fault};

/// Objects of a call at most (SOAP API guide).
const MOST: usize = 100;

/// Elements of a describe that the WSDL does not have, since REST alone tells them.
const REST_ONLY: [&str; 9] = [
    "associateEntityType",
    "associateParentEntity",
    "extendedBy",
    "extendsInterfaces",
    "lookupLayoutable",
    "listviewable",
    "sobjectDescribeOption",
    "urls",
    "defaultValues",
];
/// Elements that are null where they have no value; others are left out then.
const NILLABLE: [&str; 8] = [
    "defaultImplementation",
    "filteredLookupInfo",
    "implementedBy",
    "implementsInterfaces",
    "keyPrefix",
    "networkScopeFieldName",
    "recordTypeId",
    "encoding",
];

/// All objects.
pub(super) fn global(call: &Call<'_>) -> String {
    let told = call.rest.world.schema.describe_global(&call.rest.view, call.rest.version);
    let mut out = String::new();
    element(&mut out, "result", &told);
    out
}

/// One object, or several.
pub(super) fn objects(call: &Call<'_>) -> Result<String, Fault> {
    let names = texts(call.envelope.operation(), "sObjectType");
    if names.len() > MOST {
        return Err(Fault::new(
            "EXCEEDED_ID_LIMIT",
            format!("No more than {MOST} objects can be described in a call"),
        ));
    }
    let (schema, view) = (&call.rest.world.schema, &call.rest.view);
    let mut out = String::new();
    for name in &names {
        let name = name.trim();
        let object = schema.find(name).filter(|object| view.sees_object(*object));
        let object = object
            .ok_or_else(|| Fault::new("INVALID_TYPE", format!("sObject type '{name}' is not supported.")))?;
        let mut told = schema.describe(object, view, call.rest.version, &call.rest.request.base);
        if let (Some(urls), Some(told)) = (told.get("urls").cloned(), told.as_object_mut()) {
            for (key, url) in
                [("urlDetail", "uiDetailTemplate"), ("urlEdit", "uiEditTemplate"), ("urlNew", "uiNewRecord")]
            {
                told.insert(key.to_owned(), urls.get(url).cloned().unwrap_or(Json::Null));
            }
        }
        element(&mut out, "result", &told);
    }
    Ok(out)
}

/// Writes a value; the elements of an object are in the order of their names, as in the WSDL.
fn element(out: &mut String, name: &str, value: &Json) {
    match value {
        Json::Null if NILLABLE.contains(&name) => super::envelope::nil(out, name),
        Json::Null => {}
        Json::Array(list) => list.iter().for_each(|entry| element(out, name, entry)),
        Json::Object(map) => {
            out.push_str(&format!("<{name}>"));
            inner(out, map);
            out.push_str(&format!("</{name}>"));
        }
        Json::String(text) => tag(out, name, text),
        other => tag(out, name, &other.to_string()),
    }
}

fn inner(out: &mut String, map: &Map<String, Json>) {
    let mut keys: Vec<&String> = map.keys().filter(|key| !REST_ONLY.contains(&key.as_str())).collect();
    keys.sort_unstable();
    for key in keys {
        element(out, key, &map[key]);
    }
}
