//! `DeployResult` and what is in it, as SOAP (elements after the Metadata WSDL, in its order) and as JSON.

use serde_json::{Map, Value as Json, json};

use super::outcome::{Coverage, Message, TestMethod, Tests};
use super::queue::{Deploy, Standing, Status};
use crate::soap::envelope::tag;
use crate::value::calendar::rest_datetime;

/// The result as JSON, as REST gives it.
pub(crate) fn json(deploy: &Deploy, details: bool) -> Json {
    let standing = deploy.standing();
    let mut result = Map::new();
    let mut put = |key: &str, value: Json| drop(result.insert(key.to_owned(), value));
    if let Some(by) = &standing.canceled_by {
        put("canceledBy", json!(by.id.to_string()));
        put("canceledByName", json!(by.name));
    }
    put("checkOnly", json!(deploy.options.check_only));
    if let Some(at) = standing.completed {
        put("completedDate", json!(zulu(at)));
    }
    put("createdBy", json!(deploy.by.id.to_string()));
    put("createdByName", json!(deploy.by.name));
    put("createdDate", json!(zulu(deploy.created)));
    if details {
        put("details", details_of(deploy, &standing));
    }
    put("done", json!(standing.status.is_done()));
    if let Some((code, message)) = standing.outcome.as_ref().and_then(|outcome| outcome.error.clone()) {
        put("errorMessage", json!(message));
        put("errorStatusCode", json!(code));
    }
    let outcome = standing.outcome.as_deref();
    let tests = outcome.and_then(|outcome| outcome.tests.as_ref());
    let failed_tests = tests.map_or(0, |tests| tests.failures().count());
    let run = tests.map_or(0, |tests| tests.methods.len());
    put("id", json!(deploy.id.to_string()));
    put("ignoreWarnings", json!(deploy.options.ignore_warnings));
    put("lastModifiedDate", json!(zulu(standing.modified)));
    put(
        "numberComponentErrors",
        json!(outcome.map_or(0, |outcome| outcome.errors(deploy.options.ignore_warnings))),
    );
    put("numberComponentsDeployed", json!(standing.deployed));
    put("numberComponentsTotal", json!(standing.total));
    put("numberTestErrors", json!(failed_tests));
    put("numberTestsCompleted", json!(run - failed_tests));
    put("numberTestsTotal", json!(run));
    put("rollbackOnError", json!(deploy.options.rollback_on_error));
    put("runTestsEnabled", json!(deploy.runs_tests() || tests.is_some()));
    if let Some(at) = standing.started {
        put("startDate", json!(zulu(at)));
    }
    put("status", json!(standing.status.name()));
    put("success", json!(standing.status == Status::Succeeded));
    Json::Object(result)
}

fn details_of(deploy: &Deploy, standing: &Standing) -> Json {
    let Some(outcome) = &standing.outcome else {
        return json!({"componentFailures": [], "componentSuccesses": [], "runTestResult": no_tests()});
    };
    let ignore = deploy.options.ignore_warnings;
    let listed = |failed: bool| -> Vec<Json> {
        let chosen = outcome.messages.iter().filter(|message| message.failed(ignore) == failed);
        chosen.map(|told| message(told, ignore, standing.modified)).collect()
    };
    let mut details = Map::new();
    details.insert("componentFailures".to_owned(), json!(listed(true)));
    details.insert("componentSuccesses".to_owned(), json!(listed(false)));
    if let Some(zip) = &outcome.retrieved {
        use base64::Engine as _;
        let zip = base64::engine::general_purpose::STANDARD.encode(zip);
        let retrieved =
            json!({"done": true, "id": "", "status": "Succeeded", "success": true, "zipFile": zip});
        details.insert("retrieveResult".to_owned(), retrieved);
    }
    details.insert("runTestResult".to_owned(), outcome.tests.as_ref().map_or_else(no_tests, run_tests));
    Json::Object(details)
}

fn no_tests() -> Json {
    run_tests(&Tests::default())
}

fn message(told: &Message, ignore_warnings: bool, at: i64) -> Json {
    let mut json = Map::new();
    let mut put = |key: &str, value: Json| drop(json.insert(key.to_owned(), value));
    put("changed", json!(told.changed));
    if told.line > 0 {
        put("columnNumber", json!(told.column));
    }
    put("componentType", json!(told.type_name));
    put("created", json!(told.created));
    put("createdDate", json!(zulu(at)));
    put("deleted", json!(told.deleted));
    put("fileName", json!(told.file));
    put("fullName", json!(told.full_name));
    if let Some(id) = told.id {
        put("id", json!(id.to_string()));
    }
    if told.line > 0 {
        put("lineNumber", json!(told.line));
    }
    if let Some((severity, problem)) = &told.problem {
        put("problem", json!(problem));
        put("problemType", json!(severity.name()));
    }
    put("success", json!(!told.failed(ignore_warnings)));
    Json::Object(json)
}

fn run_tests(tests: &Tests) -> Json {
    let id = |id: Option<crate::value::Id>| id.map(|id| id.to_string()).unwrap_or_default();
    let coverage = |of: &Coverage| {
        let missed = (of.lines - of.not_covered..of.lines)
            .map(|line| json!({"column": 0, "line": line + 1, "numExecutions": 0, "time": -1.0}));
        json!({
            "id": id(of.id), "locationsNotCovered": missed.collect::<Vec<_>>(), "name": of.name, "namespace": null,
            "numLocations": of.lines, "numLocationsNotCovered": of.not_covered, "type": of.kind,
        })
    };
    let warning = |message: &String| json!({"id": "", "message": message, "name": null, "namespace": null});
    let failure = |method: &TestMethod| {
        json!({
            "id": id(method.class_id), "message": method.failure, "methodName": method.method, "name": method.class,
            "namespace": null, "packageName": method.class,
            "stackTrace": format!("Class.{}.{}: line 1, column 1", method.class, method.method),
            "time": 1.0, "type": "Class",
        })
    };
    let success = |method: &TestMethod| json!({"id": id(method.class_id), "methodName": method.method, "name": method.class, "namespace": null, "time": 1.0});
    let passed = tests.methods.iter().filter(|method| method.failure.is_none());
    json!({
        "codeCoverage": tests.coverage.iter().map(coverage).collect::<Vec<_>>(),
        "codeCoverageWarnings": tests.warnings.iter().map(warning).collect::<Vec<_>>(),
        "failures": tests.failures().map(failure).collect::<Vec<_>>(),
        "numFailures": tests.failures().count(), "numTestsRun": tests.methods.len(),
        "successes": passed.map(success).collect::<Vec<_>>(),
        // milliseconds; nothing was run that would take any
        "totalTime": tests.methods.len() as f64,
    })
}

/// JSON as elements: a list gives one for each of its entries, null is told by `xsi:nil`.
pub(crate) fn xml(out: &mut String, name: &str, json: &Json) {
    match json {
        Json::Null => crate::soap::envelope::nil(out, name),
        Json::Array(entries) => entries.iter().for_each(|entry| xml(out, name, entry)),
        Json::Object(map) => {
            out.push('<');
            out.push_str(name);
            out.push('>');
            for (key, value) in map {
                xml(out, key, value);
            }
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
        Json::String(text) => tag(out, name, text),
        other => tag(out, name, &other.to_string()),
    }
}

/// A time as the Metadata API writes it, in JSON as well.
pub(crate) fn zulu(at: i64) -> String {
    rest_datetime(at).replace("+0000", "Z")
}
