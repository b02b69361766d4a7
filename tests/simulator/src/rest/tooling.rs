//! `tooling/query` and the describes beside it. What the user cannot see is in it as well: this is how a backup
//! learns of fields that it is blind to.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::query::JSON;
use super::{Call, columns, components};
use crate::schema::full::describe_object;
use crate::schema::short::{ShortField, ShortObject, ShortSchema};
use crate::schema::{Object, Schema, View};
use crate::soql::{self, Condition, Cursor, JsonForm, Operator, Plan, Query, Selected, SoqlError};
use crate::store::{Database, Row, Table};
use crate::value::decimal::write_integer;
use crate::value::{Id, Value};
use crate::web::{Answer, ApiError};

/// Rows of a page.
const PAGE: u64 = 2_000;
/// Objects that are made from the schema, which take only simple filters.
const VIRTUAL: [&str; 2] = ["EntityDefinition", "FieldDefinition"];
/// Leads from a field to its object; Salesforce follows the text beside it instead.
const LINK: &str = "EntityDefinitionLink";

/// Schema and rows of the Tooling API.
#[derive(Debug)]
pub(super) struct Tooling {
    schema: Arc<Schema>,
    database: Database,
}

/// Answers below `tooling`.
pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    let tooling = call.org.derived.tooling(&call.world.schema);
    match rest {
        ["query"] => {
            let text = call.request.parameter("q").filter(|text| !text.trim().is_empty());
            let text = text.ok_or_else(|| {
                ApiError::bad("MALFORMED_QUERY", "SOQL statement cannot be empty: parameter q")
            })?;
            tooling.query(call, &soql::parse(text)?)
        }
        ["query", locator] => tooling.more(call, locator),
        ["sobjects"] => {
            let mut global = tooling.schema.describe_global(&View::everything(), call.version);
            let objects = global.get_mut("sobjects").and_then(Json::as_array_mut);
            objects.into_iter().flatten().for_each(rewrite_urls);
            Ok(Answer::ok(&global))
        }
        ["sobjects", object, "describe"] => {
            let number = tooling.schema.find(object).ok_or_else(ApiError::not_found)?;
            let mut describe =
                tooling.schema.describe(number, &View::everything(), call.version, &call.request.base);
            rewrite_urls(&mut describe);
            if let Some(fields) = describe.get_mut("fields").and_then(Json::as_array_mut) {
                fields.retain(|field| field["name"] != LINK);
            }
            Ok(Answer::ok(&describe))
        }
        _ => Err(ApiError::not_found()),
    }
}

fn rewrite_urls(described: &mut Json) {
    for url in described.get_mut("urls").and_then(Json::as_object_mut).into_iter().flatten() {
        if let Some(text) = url.1.as_str() {
            *url.1 = json!(text.replacen("/sobjects/", "/tooling/sobjects/", 1));
        }
    }
}

/// The plan of a query of an object that the data API shares with the Tooling API, with the rows to run it on.
pub(super) fn shared(call: &Call<'_>, query: &Query) -> Result<Option<(Arc<Plan>, Database)>, ApiError> {
    let name = query.from.joined();
    let is_shared = VIRTUAL.iter().any(|known| known.eq_ignore_ascii_case(&name));
    if !is_shared || call.world.schema.find(&name).is_some() {
        return Ok(None);
    }
    let tooling = call.org.derived.tooling(&call.world.schema);
    Ok(Some((tooling.plan(query)?, tooling.database.clone())))
}

impl Tooling {
    /// Made from the schema of an org.
    pub(super) fn new(org: &Schema) -> Self {
        let schema = Schema::new(objects());
        let mut tables: Vec<Table> = schema.objects().iter().map(|_| Table::default()).collect();
        fill(org, &schema, &mut tables);
        Self { schema: Arc::new(schema), database: Database::new(tables) }
    }

    fn plan(&self, query: &Query) -> Result<Arc<Plan>, ApiError> {
        let plan = Plan::new(&self.schema, &View::everything(), query)?;
        let object = plan.described().name.as_str();
        if VIRTUAL.contains(&object) {
            simple(query)?;
        }
        let filtered =
            |condition| filters(condition, &["EntityDefinitionId", "DurableId", "EntityDefinition."]);
        if object == "FieldDefinition" && !query.condition.as_ref().is_some_and(filtered) {
            // as users report it: the columns that rows are kept by
            let message =
                "FieldDefinition: a filter on a reified column is required [EntityDefinitionId,DurableId]";
            return Err(external(message).into());
        }
        Ok(Arc::new(plan))
    }

    fn query(&self, call: &Call<'_>, query: &Query) -> Result<Answer, ApiError> {
        let plan = self.plan(query)?;
        if columns::wanted(call) {
            return Ok(Answer::ok(&columns::metadata(&plan)));
        }
        let mut database = self.database.clone();
        let object = plan.described().name.clone();
        if let Some(number) = self.schema.find(&object) {
            components::fill(call, &self.schema, &mut database, number);
        }
        let cursor = Arc::new(plan.open(database, false));
        cursor.check()?;
        let whole = |selected: &Selected| match selected {
            Selected::Field(path) => {
                matches!(path.joined().to_ascii_lowercase().as_str(), "metadata" | "fullname")
            }
            _ => false,
        };
        if !query.select.iter().any(whole) {
            return Ok(page(call, &cursor, 0, None));
        }
        if cursor.total() > 1 {
            let message = "When retrieving results with Metadata or FullName fields, the query qualifications must specify \
                           no more than one row for retrieval.";
            return Err(ApiError::bad("MALFORMED_QUERY", message));
        }
        Ok(with_metadata(call, &object, &page(call, &cursor, 0, None)))
    }

    fn more(&self, call: &Call<'_>, locator: &str) -> Result<Answer, ApiError> {
        let dead = || ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
        let (id, from) = locator.rsplit_once('-').ok_or_else(dead)?;
        let (id, from) = (Id::parse(id).ok_or_else(dead)?, from.parse().map_err(|_| dead())?);
        let (cursor, _) = call.org.cursors.find(id, call.user_id()).ok_or_else(dead)?;
        if from > cursor.total() {
            return Err(dead());
        }
        Ok(page(call, &cursor, from, Some(id)))
    }
}

/// A page whose only record tells its metadata, which is no text as other cells are.
fn with_metadata(call: &Call<'_>, object: &str, page: &Answer) -> Answer {
    let told = page.content().and_then(|content| serde_json::from_slice::<Json>(content).ok());
    let mut told = told.unwrap_or_default();
    for record in told["records"].as_array_mut().into_iter().flatten() {
        let id = record["attributes"]["url"].as_str().and_then(|url| Id::parse(url.rsplit('/').next()?));
        if let (Some(id), Some(_)) = (id, record.get("Metadata")) {
            record["Metadata"] = components::metadata(call, object, id);
        }
    }
    Answer::ok(&told)
}

/// A page in the recorded form, which has more keys than that of the data API.
fn page(call: &Call<'_>, cursor: &Arc<Cursor>, from: u64, id: Option<Id>) -> Answer {
    let base = format!("/services/data/v{}/tooling", call.version);
    let form = JsonForm::at(cursor.plan(), &format!("{base}/sobjects/"));
    let (total, count) = (cursor.total(), cursor.plan().count);
    let end = if count { total } else { total.min(from.saturating_add(PAGE)) };
    let mut out = b"{\"size\":".to_vec();
    write_integer(i64::try_from(end - from).unwrap_or(i64::MAX), &mut out);
    out.extend_from_slice(b",\"totalSize\":");
    write_integer(i64::try_from(total).unwrap_or(i64::MAX), &mut out);
    if end < total {
        let id = id.unwrap_or_else(|| call.org.cursors.add(call.user_id(), call.version, PAGE, cursor));
        let url = format!(",\"done\":false,\"nextRecordsUrl\":\"{base}/query/{id}-{end}\"");
        out.extend_from_slice(url.as_bytes());
    } else {
        out.extend_from_slice(b",\"done\":true");
    }
    let name =
        (total > 0 && !cursor.plan().aggregate && !count).then(|| cursor.plan().described().name.clone());
    out.extend_from_slice(
        format!(",\"queryLocator\":null,\"entityTypeName\":{},\"records\":[", json!(name)).as_bytes(),
    );
    let mut scratch = String::new();
    let rows = cursor.rows(from, if count { 0 } else { end - from });
    for (number, row) in rows.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        cursor.write_json_row(row, &form, &mut scratch, &mut out);
    }
    out.extend_from_slice(b"]}");
    Answer::bytes(StatusCode::OK, JSON, out)
}

fn external(message: &str) -> SoqlError {
    SoqlError { code: "EXTERNAL_OBJECT_EXCEPTION", message: message.to_owned() }
}

/// What these objects do not answer, in the words of the page "SOQL Operation Limitations".
fn simple(query: &Query) -> Result<(), SoqlError> {
    let grouped = query.count
        || !query.group.is_empty()
        || query.select.iter().any(|selected| matches!(selected, Selected::Aggregate(..)));
    if grouped {
        return Err(external(
            "The requested operation is not yet supported by this SObject storage type, contact salesforce.com support \
             for more information.",
        ));
    }
    query.condition.as_ref().map_or(Ok(()), simple_condition)
}

fn simple_condition(condition: &Condition) -> Result<(), SoqlError> {
    match condition {
        Condition::And(all) => all.iter().try_for_each(simple_condition),
        Condition::Or(_) => Err(external("Disjunctions not supported")),
        Condition::Compare(_, Operator::Equal | Operator::In | Operator::Like, _) => Ok(()),
        _ => Err(external("Only equals comparisons permitted")),
    }
}

/// Whether a condition compares one of the fields for every row that it lets through.
fn filters(condition: &Condition, fields: &[&str]) -> bool {
    match condition {
        Condition::And(all) => all.iter().any(|condition| filters(condition, fields)),
        Condition::Compare(name, Operator::Equal | Operator::In, _) => {
            let name = name.joined().to_ascii_lowercase();
            fields.iter().any(|field| {
                let field = field.to_ascii_lowercase();
                name == field || field.ends_with('.') && name.starts_with(&field)
            })
        }
        _ => false,
    }
}

fn objects() -> Vec<Object> {
    let Ok(short) = serde_yaml::from_str::<ShortSchema>(include_str!("tooling.yaml")) else {
        return Vec::new();
    };
    let object = |(name, object): (serde_yaml::Value, serde_yaml::Value)| {
        let name = name.as_str()?;
        let short: ShortObject = serde_yaml::from_value(object).ok()?;
        let fields: Vec<(String, ShortField)> = short
            .fields
            .iter()
            .filter_map(|(name, field)| {
                Some((name.as_str()?.to_owned(), serde_yaml::from_value(field.clone()).ok()?))
            })
            .collect();
        Object::from_describe(describe_object(name, &short, &fields, "0xx")).ok()
    };
    short.objects.into_iter().filter_map(object).collect()
}

/// Rows of the objects that are made from the schema.
fn fill(org: &Schema, schema: &Schema, tables: &mut [Table]) {
    let [Some(entities), Some(fields)] = VIRTUAL.map(|name| schema.find(name)) else { return };
    let flag =
        |object: &Object, key: &str| Some(Value::Bool(object.describe.get(key) == Some(&Json::Bool(true))));
    let told = |json: Option<&Json>| json.and_then(Json::as_str).and_then(text);
    let custom_fields = schema.find("CustomField");
    let mut field_count = 0;
    for (number, object) in org.objects().iter().enumerate() {
        let entity = Id::new(*b"4ie", number as u64 + 1);
        let (label, plural) = (object.describe.get("label"), object.describe.get("labelPlural"));
        let cells = [
            ("DurableId", text(&object.name)),
            ("DeveloperName", text(developer_name(&object.name))),
            ("QualifiedApiName", text(&object.name)),
            ("NamespacePrefix", namespace(&object.name)),
            ("MasterLabel", told(label)),
            ("Label", told(label)),
            ("PluralLabel", told(plural)),
            ("KeyPrefix", object.key_prefix.and_then(|prefix| text(&String::from_utf8_lossy(&prefix)))),
            ("IsCustomSetting", flag(object, "customSetting")),
            ("IsCustomizable", flag(object, "layoutable")),
            ("IsQueryable", flag(object, "queryable")),
            ("IsRetrieveable", flag(object, "retrieveable")),
            ("IsReplicateable", flag(object, "replicateable")),
            ("IsDeprecatedAndHidden", flag(object, "deprecatedAndHidden")),
            ("IsApexTriggerable", flag(object, "triggerable")),
            ("IsEverCreatable", flag(object, "createable")),
            ("IsEverUpdatable", flag(object, "updateable")),
            ("IsEverDeletable", flag(object, "deletable")),
        ];
        tables[entities].put(row(schema.object(entities), entity, &cells));
        for (field_number, field) in object.fields.iter().enumerate() {
            field_count += 1;
            let described = object.describe.get("fields").and_then(|fields| fields.get(field_number));
            let label = described.and_then(|field| field.get("label"));
            let is = |key: &str| Some(Value::Bool(described.is_some_and(|field| field[key] == true)));
            let int = |number: usize| i64::try_from(number).ok().map(Value::Int);
            let cells = [
                ("DurableId", text(&format!("{}.{}", object.name, field.name))),
                ("DeveloperName", text(developer_name(&field.name))),
                ("QualifiedApiName", text(&field.name)),
                ("NamespacePrefix", namespace(&field.name)),
                ("EntityDefinitionId", text(&object.name)),
                (LINK, Some(Value::Id(entity))),
                ("Label", told(label)),
                ("MasterLabel", told(label)),
                ("DataType", told(described.and_then(|field| field.get("type")))),
                ("Length", int(field.length)),
                ("Precision", int(usize::from(field.precision))),
                ("Scale", int(usize::from(field.scale))),
                ("RelationshipName", field.relationship.as_deref().and_then(text)),
                ("IsCalculated", Some(Value::Bool(field.calculated))),
                ("IsCompound", Some(Value::Bool(field.kind.is_compound() || !field.name_parts.is_empty()))),
                ("IsIndexed", Some(Value::Bool(field.unique))),
                ("IsNameField", is("nameField")),
                ("IsNillable", Some(Value::Bool(field.nillable))),
            ];
            tables[fields].put(row(schema.object(fields), Id::new(*b"4fe", field_count), &cells));
            let Some(custom) = custom_fields.filter(|_| field.custom) else { continue };
            let cells = [
                ("DeveloperName", text(developer_name(&field.name))),
                ("TableEnumOrId", text(&object.name)),
                ("NamespacePrefix", namespace(&field.name)),
            ];
            tables[custom].put(row(schema.object(custom), Id::new(*b"00N", field_count), &cells));
        }
    }
}

fn row(object: &Object, id: Id, cells: &[(&str, Option<Value>)]) -> Row {
    let mut row = Row::new(id);
    let own = [("Id", Some(Value::Id(id)))];
    for (name, value) in own.iter().chain(cells) {
        if let Some(field) = object.find(name) {
            row.set(field, value.clone());
        }
    }
    row
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::Text(text.into()))
}

/// `npsp__Level__c` → `Level`
fn developer_name(name: &str) -> &str {
    let stem = name.rsplit_once("__").filter(|(_, suffix)| suffix.len() <= 4).map_or(name, |(stem, _)| stem);
    stem.split_once("__").map_or(stem, |(_, rest)| rest)
}

/// `npsp__Level__c` → `npsp`
fn namespace(name: &str) -> Option<Value> {
    let (stem, _) = name.rsplit_once("__")?;
    text(stem.split_once("__")?.0)
}
