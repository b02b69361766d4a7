//! Automations over HTTP: what they refuse (41, 42 of what the simulator must refuse), and that they are seen, counted
//! and switched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{SCHEMA, Served, serve_with};
use reqwest::Method;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
const FIELDS: &str = "      Phone: {type: phone}
      Note__c: {type: string, length: 80}
      Size__c: {type: double, precision: 9, scale: 0}
      Twice__c: {type: double, precision: 9, scale: 0, formula: 'Size__c * 2'}
      Mine__c: {type: boolean, formula: 'OwnerId = $User.Id'}
";
const AUTOMATION: &str = r#"
automations:
  - {kind: ValidationRule, object: Account, name: Phone, when: 'Note__c = "rule"', message: A phone is needed, field: Phone}
  - {kind: ApexTrigger, object: Account, name: AccountTrigger, on: [before insert], when: 'Note__c = "trigger"', do: [{refuse: Not so}]}
  - {kind: ApexTrigger, object: Account, name: Broken, on: [after insert], when: 'Note__c = "broken"', do: [{refuse: 'System.NullPointerException: null', throws: true}]}
  - {kind: Flow, object: Account, name: Check_Account, on: [before insert], when: 'Note__c = "flow"', do: [{refuse: no, throws: true}]}
  - {kind: WorkflowRule, object: Account, name: Tell, on: [after insert], when: 'Note__c = "mail"', do: [{email: '"ops@acme.example"', subject: a new account}]}
  - {kind: DuplicateRule, object: Account, name: Same, matching: [Name], message: You are creating a duplicate record.}
"#;

async fn served() -> Served {
    let org = common::ORG.replace("name: Acme\n", "name: Acme\nautomation: automation.yaml\n");
    assert!(org.contains("automation.yaml"));
    let since = "      Since__c: {type: date}\n";
    let schema = SCHEMA.replace(since, &format!("{since}{FIELDS}"));
    serve_with(&[("org.yaml", &org), ("schema.yaml", &schema), ("automation.yaml", AUTOMATION)], &[]).await
}

async fn insert(served: &Served, record: Value) -> (u16, Value) {
    let path = format!("{V}/sobjects/Account");
    let answer = served.send(Method::POST, &served.token, &path, Some(record)).await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn told(served: &Served) -> (String, Value) {
    let orgs = served.json("/_simulator").await;
    let path = format!("/_simulator/orgs/{}/automations", orgs["orgs"][0]["id"].as_str().unwrap());
    let told = served.json(&path).await;
    (path, told)
}

fn of<'a>(told: &'a Value, name: &str) -> &'a Value {
    let all = told["automations"].as_array().unwrap();
    all.iter().find(|one| one["fullName"] == name).unwrap()
}

#[tokio::test]
async fn refuses_41_what_a_rule_a_trigger_or_a_flow_refuses() {
    let served = served().await;
    for (note, code, message, fields) in [
        ("rule", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "A phone is needed", json!(["Phone"])),
        ("trigger", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Not so", json!([])),
        (
            "broken",
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "Broken: execution of AfterInsert\n\ncaused by: ",
            json!([]),
        ),
        ("flow", "CANNOT_EXECUTE_FLOW_TRIGGER", "“Check_Account” process failed", json!([])),
    ] {
        let (status, body) = insert(&served, json!({"Name": note, "Note__c": note})).await;
        assert_eq!(
            (status, &body[0]["errorCode"], &body[0]["fields"]),
            (400, &json!(code), &fields),
            "{body}"
        );
        assert!(body[0]["message"].as_str().unwrap().contains(message), "{body}");
    }
    let found: Value = served.query("SELECT Id FROM Account").await.json().await.unwrap();
    assert_eq!(found["totalSize"], 2);
    let (_, told) = told(&served).await;
    for name in ["Account.Phone", "AccountTrigger", "Broken", "Check_Account"] {
        assert_eq!(
            (&of(&told, name)["fired"], &of(&told, name)["refused"]),
            (&json!(1), &json!(1)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn refuses_42_a_duplicate_without_allow_save() {
    let served = served().await;
    let record = json!({"Name": "Acme"});
    let (status, body) = insert(&served, record.clone()).await;
    assert_eq!((status, &body[0]["errorCode"]), (400, &json!("DUPLICATES_DETECTED")));
    assert_eq!(body[0]["message"], "You are creating a duplicate record.");
    let address = format!("{}{V}/sobjects/Account", served.simulator.address);
    let allowed = served
        .client
        .post(address)
        .bearer_auth(&served.token)
        .header("Sforce-Duplicate-Rule-Header", "allowSave=true")
        .json(&record)
        .send()
        .await
        .unwrap();
    assert_eq!(allowed.status().as_u16(), 201);
}

#[tokio::test]
async fn what_is_switched_off_does_not_fire_and_is_seen() {
    let served = served().await;
    let (path, before) = told(&served).await;
    assert!(of(&before, "Account.Phone")["id"].as_str().unwrap().starts_with("03d"));
    let switch =
        |active: bool| json!({"kind": "ValidationRule", "fullName": "Account.Phone", "active": active});
    let answer = served.send(Method::POST, &served.token, &path, Some(switch(false))).await;
    assert_eq!(answer.status().as_u16(), 200);
    let record = |name: &str| json!({"Name": name, "Note__c": "rule"});
    assert_eq!(insert(&served, record("A")).await.0, 201);
    served.send(Method::POST, &served.token, &path, Some(switch(true))).await;
    assert_eq!(insert(&served, record("B")).await.0, 400);
    assert_eq!(insert(&served, json!({"Name": "C", "Note__c": "mail"})).await.0, 201);
    let (_, after) = told(&served).await;
    assert_eq!(of(&after, "Account.Phone")["fired"], 1);
    assert_ne!(
        of(&after, "Account.Phone")["lastModifiedDate"],
        of(&before, "Account.Phone")["lastModifiedDate"]
    );
    assert_eq!((&of(&after, "Account.Tell")["emails"], &after["emailsSent"]), (&json!(1), &json!(1)));
    assert_eq!(after["emails"][0]["to"], "ops@acme.example");
    let unknown = json!({"kind": "Flow", "fullName": "Nope", "active": true});
    assert_eq!(served.send(Method::POST, &served.token, &path, Some(unknown)).await.status().as_u16(), 400);
    served.send(Method::DELETE, &served.token, &format!("{path}/counts"), None).await;
    assert_eq!(told(&served).await.1["emailsSent"], 0);
    let page = served.client.get(format!("{}/_simulator", served.simulator.address));
    let page = page.header("accept", "text/html").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<h2>Automations</h2>") && page.contains("Check_Account"), "{page}");
}

#[tokio::test]
async fn formulas_are_read_and_filtered_by_and_move_no_stamp() {
    let served = served().await;
    let (_, made) = insert(&served, json!({"Name": "A", "Size__c": 21})).await;
    let soql = "SELECT Twice__c, Mine__c, SystemModstamp FROM Account WHERE Twice__c > 41";
    let found: Value = served.query(soql).await.json().await.unwrap();
    assert_eq!(
        (&found["records"][0]["Twice__c"], &found["records"][0]["Mine__c"]),
        (&json!(42.0), &json!(true))
    );
    let path = format!("{V}/sobjects/Account/{}", made["id"].as_str().unwrap());
    let refused = served.send(Method::PATCH, &served.token, &path, Some(json!({"Twice__c": 1}))).await;
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body[0]["errorCode"], "INVALID_FIELD_FOR_INSERT_UPDATE");
}

#[tokio::test]
async fn loads_meet_them_row_by_row_and_are_counted() {
    let served = served().await;
    let made = served.new_load(&json!({"object": "Account", "operation": "insert"})).await;
    let made: Value = made.json().await.unwrap();
    let url = format!("/{}", made["contentUrl"].as_str().unwrap());
    let rows: String =
        (0..300).map(|row| format!("Row {row},{}\n", if row % 3 == 0 { "rule" } else { "mail" })).collect();
    assert_eq!(served.put_csv(&url, format!("Name,Note__c\n{rows}")).await.status(), 201);
    let path = format!("{V}/jobs/ingest/{}", made["id"].as_str().unwrap());
    served.set_state(&path, "UploadComplete").await;
    let info = served.ended(&path).await;
    assert_eq!((&info["numberRecordsProcessed"], &info["numberRecordsFailed"]), (&json!(300), &json!(100)));
    let failed = served.results(&path, "failedResults").await;
    assert_eq!(failed.len(), 101);
    assert_eq!(failed[1][1], "FIELD_CUSTOM_VALIDATION_EXCEPTION:A phone is needed:Phone --");
    let (_, told) = told(&served).await;
    assert_eq!((&of(&told, "Account.Phone")["refused"], &told["emailsSent"]), (&json!(100), &json!(200)));
}
