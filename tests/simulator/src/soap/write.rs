//! `create`, `update`, `upsert`, `delete`, `undelete`, `emptyRecycleBin` and `merge`.

use serde_json::{Map, Value as Json};

use super::envelope::{child, children, nil, tag, text_of, texts};
use super::{Call, Fault, sobject};
use crate::rest::write::{self, Change, MOST, Outcome};
use crate::store::transaction::{Assignment, Options, Refusal, Transaction};
use crate::value::Id;

/// What the headers say of how to write.
fn options(call: &Call<'_>) -> Options {
    let envelope = call.envelope;
    let rule = envelope.header("AssignmentRuleHeader").and_then(|header| {
        let named = text_of(header, "assignmentRuleId").and_then(|id| Id::parse(id.trim()));
        named.map(Assignment::Rule)
    });
    let default = envelope.flag("AssignmentRuleHeader", "useDefaultRule");
    Options {
        allow_duplicates: envelope.flag("DuplicateRuleHeader", "allowSave"),
        // without the header no rule is used (SOAP API guide, AssignmentRuleHeader)
        assignment: rule.unwrap_or(if default { Assignment::Active } else { Assignment::None }),
        truncate: envelope.flag("AllowFieldTruncationHeader", "allowFieldTruncation"),
        ..Options::default()
    }
}

fn all_or_none(call: &Call<'_>) -> bool {
    call.envelope.flag("AllOrNoneHeader", "allOrNone")
}

fn check_count(count: usize) -> Result<(), Fault> {
    if count <= MOST {
        return Ok(());
    }
    let message = format!("record limit reached. cannot submit more than {MOST} records in this call");
    Err(Fault::new("EXCEEDED_ID_LIMIT", message))
}

/// Records made, changed, or found by an external id and changed.
pub(super) fn save(call: &Call<'_>) -> Result<String, Fault> {
    let operation = call.envelope.operation();
    let records: Vec<_> = children(operation, "sObjects").collect();
    check_count(records.len())?;
    let upsert = call.envelope.name() == "upsert";
    let key_name = text_of(operation, "externalIDFieldName").unwrap_or_default();
    let mut changes = Vec::with_capacity(records.len());
    for node in records {
        let (object, record) = sobject::read(call, node)?;
        changes.push(match call.envelope.name() {
            "create" => Change::Insert(object, record.into()),
            "update" => update(record),
            _ => {
                let named = if key_name.trim().is_empty() { "Id" } else { key_name.trim() };
                let key = write::key_field(&call.rest, object, named).ok_or_else(|| {
                    let name = &call.rest.world.schema.object(object).name;
                    let message = format!(
                        "Field name provided, {named} does not match an External ID, Salesforce Id, or indexed field for {name}"
                    );
                    Fault::new("INVALID_FIELD", message)
                })?;
                Change::Upsert(object, key, record.into())
            }
        });
    }
    let outcomes = write::run(&call.rest, &options(call), &changes, all_or_none(call));
    Ok(results(&outcomes, upsert))
}

fn update(record: Map<String, Json>) -> Change {
    let Some(id) = write::value_of(&record, "Id") else {
        return Change::Refused(Refusal::new("MISSING_ARGUMENT", "Id not specified in an update call"));
    };
    match id.as_str().and_then(Id::parse) {
        Some(id) => Change::Update(id, record.into()),
        None => Change::Refused(write::malformed(id)),
    }
}

/// What is done to records by their ids alone.
pub(super) fn by_id(call: &Call<'_>) -> Result<String, Fault> {
    let ids = texts(call.envelope.operation(), "ids");
    check_count(ids.len())?;
    let change = |text: &String| match (Id::parse(text.trim()), call.envelope.name()) {
        (None, _) => Change::Refused(write::malformed(&Json::String(text.clone()))),
        (Some(id), "delete") => Change::Delete(id),
        (Some(id), "undelete") => Change::Undelete(id),
        (Some(id), _) => Change::Purge(id),
    };
    let changes: Vec<Change> = ids.iter().map(change).collect();
    let outcomes = write::run(&call.rest, &options(call), &changes, all_or_none(call));
    Ok(results(&outcomes, false))
}

/// Records of which each takes in up to two others.
pub(super) fn merge(call: &Call<'_>) -> Result<String, Fault> {
    let requests: Vec<_> = children(call.envelope.operation(), "request").collect();
    check_count(requests.len())?;
    let mut wanted = Vec::with_capacity(requests.len());
    for request in requests {
        let master = child(request, "masterRecord");
        let master = master.ok_or_else(|| Fault::new("MISSING_ARGUMENT", "masterRecord not specified"))?;
        let (object, record) = sobject::read(call, master)?;
        let losers: Option<Vec<Id>> =
            texts(request, "recordToMergeIds").iter().map(|id| Id::parse(id.trim())).collect();
        let winner = write::value_of(&record, "Id").and_then(Json::as_str).and_then(Id::parse);
        wanted.push((object, winner, losers, write::without(&record, "Id")));
    }
    let mut out = String::new();
    for (object, winner, losers, record) in &wanted {
        let merged = call.rest.transact(&options(call), |transaction: &mut Transaction<'_>| {
            let (Some(winner), Some(losers)) = (winner, losers) else {
                return Err(Refusal::new("MALFORMED_ID", "malformed id"));
            };
            let cells = transaction.read_json(*object, &call.rest.view, record)?;
            let moved = transaction.merge(*winner, losers, cells)?;
            Ok((*winner, losers.clone(), moved))
        });
        out.push_str("<result>");
        match merged {
            Ok((winner, losers, moved)) => {
                tag(&mut out, "id", &winner.to_string());
                for id in &losers {
                    tag(&mut out, "mergedRecordIds", &id.to_string());
                }
                tag(&mut out, "success", "true");
                for id in &moved {
                    tag(&mut out, "updatedRelatedIds", &id.to_string());
                }
            }
            Err(refusal) => {
                error(&mut out, &refusal);
                nil(&mut out, "id");
                tag(&mut out, "success", "false");
            }
        }
        out.push_str("</result>");
    }
    Ok(out)
}

fn results(outcomes: &[Outcome], upsert: bool) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        out.push_str("<result>");
        if upsert {
            let created = outcome.as_ref().is_ok_and(|done| done.created);
            tag(&mut out, "created", if created { "true" } else { "false" });
        }
        match outcome {
            Ok(done) => {
                tag(&mut out, "id", &done.id.to_string());
                tag(&mut out, "success", "true");
            }
            Err(refusal) => {
                error(&mut out, refusal);
                nil(&mut out, "id");
                tag(&mut out, "success", "false");
            }
        }
        out.push_str("</result>");
    }
    out
}

fn error(out: &mut String, refusal: &Refusal) {
    out.push_str("<errors>");
    for field in &refusal.fields {
        tag(out, "fields", field);
    }
    tag(out, "message", &refusal.message);
    tag(out, "statusCode", refusal.code);
    out.push_str("</errors>");
}
