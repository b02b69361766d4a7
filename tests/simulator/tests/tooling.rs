//! The Tooling API over what was deployed: components as records, and the switches that it has for some.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::deploy::{WHOLE, begin, deployed, package, wait};
use common::metadata::{ORG, retrieve};
use common::{Served, refused, serve_with};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const RULE: &str = "<CustomObject><validationRules><fullName>Named</fullName><active>true</active>\
    <errorConditionFormula>Name = \"x\"</errorConditionFormula><errorMessage>not x</errorMessage></validationRules></CustomObject>";
const FLOW: &str = "<Flow><apiVersion>63.0</apiVersion><label>Touch</label><processType>AutoLaunchedFlow</processType>\
    <start><locationX>1</locationX><locationY>1</locationY><object>Account</object><recordTriggerType>Create</recordTriggerType>\
    <triggerType>RecordAfterSave</triggerType></start><status>Active</status></Flow>";
const META: &str = "<ApexTrigger><apiVersion>63.0</apiVersion><status>Active</status></ApexTrigger>";

async fn served() -> Served {
    let org = ORG.replace("ModifyMetadata]", "ModifyMetadata, ModifyAllData]");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let files = [
        ("objects/Account.object", RULE),
        ("flows/Touch.flow", FLOW),
        ("triggers/T.trigger", "trigger T on Account (before insert) { A.b(); }"),
        ("triggers/T.trigger-meta.xml", META),
        ("classes/ATest.cls", "@isTest class ATest { @isTest static void b() { insert new Account(); } }"),
        (
            "classes/ATest.cls-meta.xml",
            "<ApexClass><apiVersion>63.0</apiVersion><status>Active</status></ApexClass>",
        ),
    ];
    let named: &[(&str, &[&str])] = &[
        ("ValidationRule", &["Account.Named"]),
        ("Flow", &["Touch"]),
        ("ApexTrigger", &["T"]),
        ("ApexClass", &["ATest"]),
    ];
    deployed(&served, &package(&files, named)).await;
    served
}

async fn query(served: &Served, soql: &str) -> Response {
    let query = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect::<String>();
    served.get(&format!("/services/data/v63.0/tooling/query?q={query}")).await
}

async fn rows(served: &Served, soql: &str) -> Vec<Value> {
    let answer = query(served, soql).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{soql}: {text}");
    serde_json::from_str::<Value>(&text).unwrap()["records"].as_array().unwrap().clone()
}

async fn patch(served: &Served, object: &str, id: &str, metadata: Value) -> Response {
    let path = format!("/services/data/v63.0/tooling/sobjects/{object}/{id}");
    served.send(Method::PATCH, &served.token, &path, Some(json!({"Metadata": metadata}))).await
}

async fn create(served: &Served) -> u16 {
    let path = "/services/data/v63.0/sobjects/Account";
    served.send(Method::POST, &served.token, path, Some(json!({"Name": "x"}))).await.status().as_u16()
}

#[tokio::test]
async fn a_validation_rule_is_switched_off_and_on() {
    let served = served().await;
    assert_eq!(create(&served).await, 400);
    let found = rows(
        &served,
        "SELECT Id, ValidationName, Active, EntityDefinitionId FROM ValidationRule WHERE Active = true",
    )
    .await;
    assert_eq!((found.len(), found[0]["ValidationName"].as_str()), (1, Some("Named")), "{found:?}");
    let id = found[0]["Id"].as_str().unwrap();
    assert!(id.starts_with("03d"), "{id}");
    let whole =
        rows(&served, &format!("SELECT FullName, Metadata FROM ValidationRule WHERE Id = '{id}'")).await;
    assert_eq!(whole[0]["FullName"], "Account.Named");
    let mut metadata = whole[0]["Metadata"].clone();
    assert_eq!(
        (metadata["active"].as_bool(), metadata["errorMessage"].as_str()),
        (Some(true), Some("not x"))
    );
    let partly = patch(&served, "ValidationRule", id, json!({"active": false})).await;
    refused(partly, 400, "FIELD_INTEGRITY_EXCEPTION").await;
    metadata["active"] = json!(false);
    assert_eq!(patch(&served, "ValidationRule", id, metadata.clone()).await.status(), 204);
    assert_eq!(create(&served).await, 201);
    assert!(rows(&served, "SELECT Id FROM ValidationRule WHERE Active = true").await.is_empty());
    let (files, _) = retrieve(&served, &[("ValidationRule", &["Account.Named"])]).await;
    let object = String::from_utf8_lossy(&files["unpackaged/objects/Account.object"]).into_owned();
    assert!(object.contains("<active>false</active>"), "{object}");
    metadata["active"] = json!(true);
    assert_eq!(patch(&served, "ValidationRule", id, metadata).await.status(), 204);
    assert_eq!(create(&served).await, 400);
    let told = served.json(&format!("/services/data/v63.0/tooling/sobjects/ValidationRule/{id}")).await;
    assert_eq!(told["Metadata"]["active"], true);
}

#[tokio::test]
async fn a_flow_is_switched_off_by_its_definition() {
    let served = served().await;
    let found = rows(&served, "SELECT Id, DeveloperName, ActiveVersionId FROM FlowDefinition").await;
    assert_eq!(found[0]["DeveloperName"], "Touch");
    let (id, version) = (found[0]["Id"].as_str().unwrap(), found[0]["ActiveVersionId"].as_str().unwrap());
    assert!(id.starts_with("300") && version.starts_with("301"), "{found:?}");
    let flows = rows(&served, &format!("SELECT Status FROM Flow WHERE DefinitionId = '{id}'")).await;
    assert_eq!(flows[0]["Status"], "Active");
    assert_eq!(patch(&served, "FlowDefinition", id, json!({"activeVersionNumber": 0})).await.status(), 204);
    let found =
        rows(&served, "SELECT Metadata, ActiveVersionId FROM FlowDefinition WHERE DeveloperName = 'Touch'")
            .await;
    assert_eq!(
        (&found[0]["ActiveVersionId"], &found[0]["Metadata"]["activeVersionNumber"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(patch(&served, "FlowDefinition", id, json!({"activeVersionNumber": 1})).await.status(), 204);
    let found = rows(&served, "SELECT ActiveVersionId FROM FlowDefinition").await;
    assert_eq!(found[0]["ActiveVersionId"], version);
}

#[tokio::test]
async fn code_is_not_changed_there_in_production_and_metadata_takes_one_row() {
    let served = served().await;
    let found = rows(&served, "SELECT Id, Name, Status, TableEnumOrId FROM ApexTrigger").await;
    assert_eq!((found[0]["Name"].as_str(), found[0]["TableEnumOrId"].as_str()), (Some("T"), Some("Account")));
    let off =
        patch(&served, "ApexTrigger", found[0]["Id"].as_str().unwrap(), json!({"status": "Inactive"})).await;
    refused(off, 400, "INVALID_OPERATION").await;
    let two = RULE.replace("Named", "Other");
    deployed(
        &served,
        &package(&[("objects/Account.object", &two)], &[("ValidationRule", &["Account.Other"])]),
    )
    .await;
    refused(query(&served, "SELECT Id, Metadata FROM ValidationRule").await, 400, "MALFORMED_QUERY").await;
    refused(query(&served, "SELECT Id FROM SourceMember").await, 400, "INVALID_TYPE").await;
    let missing = served.get("/services/data/v63.0/tooling/sobjects/ValidationRule/03d000000000001AAA").await;
    assert_eq!(missing.status(), 404);
}

#[tokio::test]
async fn deploys_are_found_whose_answer_was_lost() {
    let served = served().await;
    let rule = package(&[("objects/Account.object", RULE)], &[("ValidationRule", &["Account.Named"])]);
    let id = begin(&served, &rule, WHOLE).await;
    let soql =
        "SELECT Id, Status, CheckOnly, CreatedDate FROM DeployRequest ORDER BY CreatedDate DESC LIMIT 50";
    let found = rows(&served, soql).await;
    assert_eq!((found[0]["Id"].as_str(), found.len()), (Some(id.as_str()), 2), "{found:?}");
    assert!(["Pending", "InProgress"].contains(&found[0]["Status"].as_str().unwrap()), "{found:?}");
    wait(&served, &id).await;
    let done = rows(&served, "SELECT Status FROM DeployRequest WHERE Status = 'Succeeded'").await;
    assert_eq!(done.len(), 2);
}
