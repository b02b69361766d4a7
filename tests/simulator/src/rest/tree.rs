//! `composite/tree/X`: records with their children, up to 200 in five levels, made all together or not at all
//! (REST API guide, sObject Tree).

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::write::{self, MOST};
use super::{Call, headers, many, sobjects};
use crate::store::transaction::{Refusal, Transaction};
use crate::value::Id;
use crate::web::{Answer, ApiError};

/// Levels of records, and objects in all of them, at most.
const DEEPEST: usize = 5;
const MOST_OBJECTS: usize = 5;

#[derive(Deserialize)]
struct Wanted {
    records: Vec<Map<String, Json>>,
}

/// A record that is to be made: its parent is one of those before it.
struct Node {
    object: usize,
    reference: String,
    record: Map<String, Json>,
    /// The parent's number, and the name of the field that points to it.
    parent: Option<(usize, String)>,
}

/// Answers it: 201 with all ids, or 400 with what is wrong with which record.
pub(super) fn answer(call: &Call<'_>, object: &str) -> Result<Answer, ApiError> {
    call.only(&Method::POST)?;
    let number = sobjects::find(call, object)?;
    let wanted: Wanted = serde_json::from_slice(&call.request.body)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    let mut nodes = Vec::new();
    for record in wanted.records {
        gather(call, number, record, None, 1, &mut nodes)?;
    }
    check(call, number, &nodes)?;
    let made = call.transact(&headers::options(call), |transaction| insert(call, transaction, &nodes));
    Ok(match made {
        Ok(ids) => {
            let entry =
                |(id, node): (&Id, &Node)| json!({"referenceId": node.reference, "id": id.to_string()});
            let results: Vec<Json> = ids.iter().zip(&nodes).map(entry).collect();
            Answer::json(StatusCode::CREATED, &json!({"hasErrors": false, "results": results}))
        }
        Err(refused) => {
            let entry = |(number, refusal): &(usize, Refusal)| json!({"referenceId": nodes[*number].reference, "errors": [write::error(refusal)]});
            let results: Vec<Json> = refused.iter().map(entry).collect();
            Answer::json(StatusCode::BAD_REQUEST, &json!({"hasErrors": true, "results": results}))
        }
    })
}

/// Takes a record and its children apart, parents first.
fn gather(
    call: &Call<'_>,
    object: usize,
    mut record: Map<String, Json>,
    parent: Option<(usize, String)>,
    level: usize,
    nodes: &mut Vec<Node>,
) -> Result<(), ApiError> {
    if level > DEEPEST {
        return Err(invalid(format!("The tree is deeper than {DEEPEST} levels")));
    }
    if many::typed(call, &record)? != object {
        let name = &call.world.schema.object(object).name;
        return Err(invalid(format!("Records at this place of the tree must be of type {name}")));
    }
    let reference = record.get("attributes").and_then(|attributes| attributes["referenceId"].as_str());
    let reference =
        reference.ok_or_else(|| invalid("Include a reference ID for each record in the request."))?;
    let reference = reference.to_owned();
    if nodes.iter().any(|node| node.reference == reference) {
        return Err(invalid(format!("Duplicate ReferenceId provided in the request: {reference}")));
    }
    let described = call.world.schema.object(object);
    let lists: Vec<String> = record
        .iter()
        .filter(|(_, value)| value.get("records").is_some_and(Json::is_array))
        .map(|(name, _)| name.clone())
        .collect();
    let mut below = Vec::new();
    for name in lists {
        let relation = described.children.iter().find(|(known, ..)| known.eq_ignore_ascii_case(&name));
        let Some((_, child, field)) = relation else {
            let message = format!("No such relation '{name}' on sobject of type {}", described.name);
            return Err(ApiError::bad("INVALID_FIELD", message));
        };
        let child = sobjects::find(call, child)?;
        if let Some(Json::Object(mut list)) = record.remove(&name)
            && let Some(Json::Array(records)) = list.remove("records")
        {
            below.extend(records.into_iter().map(|record| (child, field.clone(), record)));
        }
    }
    let number = nodes.len();
    nodes.push(Node { object, reference, record, parent });
    for (child, field, record) in below {
        let Json::Object(record) = record else { return Err(invalid("a record is a JSON object")) };
        gather(call, child, record, Some((number, field)), level + 1, nodes)?;
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad("INVALID_INPUT", message)
}

fn check(call: &Call<'_>, root: usize, nodes: &[Node]) -> Result<(), ApiError> {
    if nodes.is_empty() {
        let name = &call.world.schema.object(root).name;
        return Err(invalid(format!("The request has no records of type {name}")));
    }
    if nodes.len() > MOST {
        let message = format!("Can't include more than {MOST} records in the request.");
        return Err(ApiError::bad("EXCEEDED_ID_LIMIT", message));
    }
    let mut objects: Vec<usize> = nodes.iter().map(|node| node.object).collect();
    objects.sort_unstable();
    objects.dedup();
    if objects.len() > MOST_OBJECTS {
        return Err(invalid(format!(
            "Can't include more than {MOST_OBJECTS} different objects in the request."
        )));
    }
    Ok(())
}

/// Makes the records; where some are refused, all that were refused are told, but not what would be below them.
fn insert(
    call: &Call<'_>,
    transaction: &mut Transaction<'_>,
    nodes: &[Node],
) -> Result<Vec<Id>, Vec<(usize, Refusal)>> {
    let mut made: Vec<Option<Id>> = Vec::with_capacity(nodes.len());
    let mut refused = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        let mut record = node.record.clone();
        if let Some((parent, field)) = &node.parent {
            let Some(parent) = made[*parent] else {
                made.push(None);
                continue;
            };
            record.insert(field.clone(), Json::String(parent.to_string()));
        }
        let cells = transaction.read_json(node.object, &call.view, &record);
        match cells.and_then(|cells| transaction.insert(node.object, cells)) {
            Ok(id) => made.push(Some(id)),
            Err(refusal) => {
                refused.push((number, refusal));
                made.push(None);
            }
        }
    }
    if refused.is_empty() { Ok(made.into_iter().flatten().collect()) } else { Err(refused) }
}
