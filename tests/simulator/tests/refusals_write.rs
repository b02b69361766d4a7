//! What the simulator refuses of writes, as Salesforce does, by the numbers of the list.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Served, serve_only};
use reqwest::Method;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
const ORG: &str = r"
name: Acme
limits: {dataStorageMB: 10240}
users:
  - {username: admin@acme.example, password: secret, permissions: [ApiEnabled, ViewAllData, ModifyAllData, QueryAllFiles]}
  - {username: auditor@acme.example, password: secret, permissions: [ApiEnabled, ViewAllData, ModifyAllData, CreateAuditFields, UpdateInactiveOwner]}
  - {username: gone@acme.example, active: false, permissions: []}
connectedApps:
  - {clientId: app, clientSecret: app-secret, flows: [Password]}
";
const SCHEMA: &str = r"
objects:
  Account:
    fields:
      Name: {type: string, length: 255, required: true}
      Industry: {type: picklist, values: [Energy, Food], restricted: true}
      Key__c: {type: string, length: 40, externalId: true, unique: true}
      Loose__c: {type: string, length: 40, externalId: true}
      Sum__c: {type: double, precision: 18, scale: 2, formula: '1 + 1'}
      Number__c: {type: autonumber}
      Contract__c: {type: reference, to: [Contract__c]}
  Contact:
    fields:
      AccountId: {type: reference, to: [Account], relationship: Account, children: Contacts}
  Contract__c:
    fields:
      Account__c: {type: reference, to: [Account], delete: Restrict}
  Product2: {}
  Pricebook2: {}
  PricebookEntry: {}
";
const ACCOUNTS: &str = "Id,Name,Key__c,Loose__c\nacme,Acme,A-1,x\nbolt,Bolt,B-1,x\n";
const THING: &str = r#"{"name": "Thing__c", "keyPrefix": "a0T", "custom": true, "createable": true, "updateable": true,
 "deletable": true, "undeletable": true, "queryable": true, "retrieveable": true,
 "recordTypeInfos": [
  {"recordTypeId": "012000000000000AAA", "master": true, "available": true, "defaultRecordTypeMapping": false, "developerName": "Master", "name": "Master"},
  {"recordTypeId": "0125g0000000001AAA", "master": false, "available": true, "defaultRecordTypeMapping": true, "developerName": "Small", "name": "Small"}],
 "recordTypePicklists": {"0125g0000000001AAA": {"Size__c": {"values": ["S"]}}},
 "fields": [
  {"name": "Id", "type": "id", "createable": false, "updateable": false, "nillable": false},
  {"name": "Name", "type": "string", "length": 80, "label": "Name", "defaultedOnCreate": true},
  {"name": "RecordTypeId", "type": "reference", "referenceTo": ["RecordType"], "relationshipName": "RecordType"},
  {"name": "Size__c", "type": "picklist", "length": 255, "restrictedPicklist": true, "label": "Size",
   "picklistValues": [{"value": "S", "active": true}, {"value": "L", "active": true}]}]}"#;

async fn served() -> Served {
    served_with(ORG).await
}

async fn served_with(org: &str) -> Served {
    let files = [
        ("org.yaml", org),
        ("schema.yaml", SCHEMA),
        ("describes/Thing__c.json", THING),
        ("data/Account.csv", ACCOUNTS),
        ("data/Contract__c.csv", "Name,Account__c\nC,bolt\n"),
        ("data/Product2.csv", "Name\nWidget\n"),
        ("data/Pricebook2.csv", "Name,IsStandard\nStandard,true\nOwn,false\n"),
    ];
    serve_only(&files).await
}

impl Served {
    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.call_as(&self.token, method, path, body).await
    }

    async fn call_as(&self, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let answer =
            self.send(method, token, &format!("{V}/{path}"), Some(body).filter(|body| !body.is_null())).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    async fn create(&self, object: &str, record: Value) -> (u16, Value) {
        self.call(Method::POST, &format!("sobjects/{object}"), record).await
    }

    async fn made(&self, object: &str, record: Value) -> String {
        let (status, body) = self.create(object, record).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    async fn ids(&self, soql: &str) -> Vec<String> {
        let answer: Value = self.query(soql).await.json().await.unwrap();
        answer["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["Id"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn soap(&self, body: &str) -> String {
        let message = format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\"><e:Header>\
             <SessionHeader><sessionId>{}</sessionId></SessionHeader></e:Header><e:Body>{body}</e:Body></e:Envelope>",
            self.token
        );
        let url = format!("{}/services/Soap/u/62.0", self.simulator.address);
        self.client.post(url).body(message).send().await.unwrap().text().await.unwrap()
    }
}

/// Holds an answer against a status, a code and fields; the message.
fn refused((status, body): (u16, Value), expected: u16, code: &str, fields: &[&str]) -> String {
    let error = &body[0];
    assert_eq!(
        (status, error["errorCode"].as_str(), &error["fields"]),
        (expected, Some(code), &json!(fields)),
        "{body}"
    );
    assert_eq!(body.as_array().unwrap().len(), 1, "{body}");
    error["message"].as_str().unwrap().to_owned()
}

/// The same of an entry of a collection.
fn row_refused(row: &Value, code: &str) -> String {
    assert_eq!(
        (&row["success"], row["errors"][0]["statusCode"].as_str()),
        (&json!(false), Some(code)),
        "{row}"
    );
    row["errors"][0]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn refuses_31_a_required_field_missing() {
    let served = served().await;
    let message = refused(
        served.create("Account", json!({"Industry": "Food"})).await,
        400,
        "REQUIRED_FIELD_MISSING",
        &["Name"],
    );
    assert_eq!(message, "Required fields are missing: [Name]");
    let id = &served.ids("SELECT Id FROM Account").await[0];
    let emptied = served.call(Method::PATCH, &format!("sobjects/Account/{id}"), json!({"Name": null})).await;
    refused(emptied, 400, "REQUIRED_FIELD_MISSING", &["Name"]);
}

#[tokio::test]
async fn refuses_32_a_string_too_long() {
    let served = served().await;
    let name = "x".repeat(256);
    let message =
        refused(served.create("Account", json!({"Name": name})).await, 400, "STRING_TOO_LONG", &["Name"]);
    assert_eq!(message, format!("Name: data value too large: {name} (max length=255)"));
}

#[tokio::test]
async fn refuses_33_a_bad_value_of_a_restricted_picklist() {
    let served = served().await;
    let answer = served.create("Account", json!({"Name": "A", "Industry": "Mining"})).await;
    let message = refused(answer, 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", &["Industry"]);
    assert_eq!(message, "Industry: bad value for restricted picklist field: Mining");
}

#[tokio::test]
async fn refuses_34_a_picklist_value_not_open_to_the_record_type() {
    let served = served().await;
    served.made("Thing__c", json!({"Size__c": "S", "RecordTypeId": "0125g0000000001AAA"})).await;
    let answer =
        served.create("Thing__c", json!({"Size__c": "L", "RecordTypeId": "0125g0000000001AAA"})).await;
    let message = refused(answer, 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", &["Size__c"]);
    assert_eq!(message, "Size: bad value for restricted picklist field: L");
}

#[tokio::test]
async fn refuses_35_a_duplicate_value_of_a_unique_field() {
    let served = served().await;
    let holder = &served.ids("SELECT Id FROM Account WHERE Key__c = 'A-1'").await[0];
    let answer = served.create("Account", json!({"Name": "A", "Key__c": "a-1"})).await;
    let message = refused(answer, 400, "DUPLICATE_VALUE", &["Key__c"]);
    assert_eq!(
        message,
        format!("duplicate value found: Key__c duplicates value on record with id: {holder}")
    );
}

#[tokio::test]
async fn refuses_36_an_upsert_that_matches_several() {
    let served = served().await;
    let (status, body) =
        served.call(Method::PATCH, "sobjects/Account/Loose__c/x", json!({"Name": "Both"})).await;
    let urls: Vec<String> = served
        .ids("SELECT Id FROM Account")
        .await
        .iter()
        .map(|id| format!("{V}/sobjects/Account/{id}"))
        .collect();
    assert_eq!((status, body), (300, json!(urls)));
    let rows = json!({"records": [{"attributes": {"type": "Account"}, "Loose__c": "x", "Name": "Both"}]});
    let (_, rows) = served.call(Method::PATCH, "composite/sobjects/Account/Loose__c", rows).await;
    row_refused(&rows[0], "DUPLICATE_EXTERNAL_ID");
    let unknown = served.call(Method::PATCH, "sobjects/Account/Industry/Food", json!({"Name": "x"})).await;
    assert_eq!(
        (unknown.0, &unknown.1[0]["message"]),
        (404, &json!("Provided external ID field does not exist or is not accessible: Industry"))
    );
}

#[tokio::test]
async fn refuses_37_fields_that_the_server_writes() {
    let served = served().await;
    let auditor = served.sign_in("auditor@acme.example").await;
    for field in ["Sum__c", "Number__c", "CreatedDate", "SystemModstamp"] {
        let value = if field.ends_with("__c") { json!("1") } else { json!("2020-01-01T00:00:00Z") };
        let record = json!({"Name": "A", field: value});
        let message = refused(
            served.create("Account", record.clone()).await,
            400,
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            &[field],
        );
        assert!(
            message.starts_with(&format!(
                "Unable to create/update fields: {field}. Please check the security settings"
            )),
            "{message}"
        );
        let (status, _) = served.call_as(&auditor, Method::POST, "sobjects/Account", record).await;
        assert_eq!(status, if field == "CreatedDate" { 201 } else { 400 }, "{field}");
    }
    let id = &served.ids("SELECT Id FROM Account").await[0];
    let update = json!({"CreatedDate": "2020-01-01T00:00:00Z"});
    let answer = served.call_as(&auditor, Method::PATCH, &format!("sobjects/Account/{id}"), update).await;
    refused(answer, 400, "INVALID_FIELD_FOR_INSERT_UPDATE", &["CreatedDate"]);
}

#[tokio::test]
async fn refuses_38_a_reference_to_what_is_missing_deleted_or_of_another_type() {
    let served = served().await;
    let contact = |account: &str| json!({"Name": "C", "AccountId": account});
    let missing = served.create("Contact", contact("001000000000001AAA")).await;
    assert_eq!((missing.0, &missing.1[0]["errorCode"]), (400, &json!("INVALID_CROSS_REFERENCE_KEY")));
    let gone = served.made("Account", json!({"Name": "Gone"})).await;
    assert_eq!(served.call(Method::DELETE, &format!("sobjects/Account/{gone}"), Value::Null).await.0, 204);
    let deleted = served.create("Contact", contact(&gone)).await;
    assert_eq!((deleted.0, &deleted.1[0]["errorCode"]), (400, &json!("ENTITY_IS_DELETED")));
    let product = &served.ids("SELECT Id FROM Product2").await[0];
    let message = refused(
        served.create("Contact", contact(product)).await,
        400,
        "FIELD_INTEGRITY_EXCEPTION",
        &["AccountId"],
    );
    assert!(message.contains("id value of incorrect type"), "{message}");
    refused(served.create("Contact", contact("no id")).await, 400, "MALFORMED_ID", &["AccountId"]);
    let named = served.create("Contact", json!({"Name": "C", "Account": {"Key__c": "none"}})).await;
    let message = refused(named, 400, "INVALID_FIELD", &[]);
    assert_eq!(message, "Foreign key external ID: none not found for field Key__c in entity Account");
}

#[tokio::test]
async fn refuses_39_a_delete_restricted_by_a_child() {
    let served = served().await;
    let id = &served.ids("SELECT Id FROM Account WHERE Name = 'Bolt'").await[0];
    let message = refused(
        served.call(Method::DELETE, &format!("sobjects/Account/{id}"), Value::Null).await,
        400,
        "DELETE_FAILED",
        &[],
    );
    assert!(
        message.starts_with(&format!(
            "Your attempt to delete {id} could not be completed because it is associated with"
        )),
        "{message}"
    );
    assert_eq!(served.ids("SELECT Id FROM Account").await.len(), 2);
}

#[tokio::test]
async fn refuses_40_an_inactive_owner_without_the_permission() {
    let served = served().await;
    let owner = &served.ids("SELECT Id FROM User WHERE IsActive = false").await[0];
    let record = json!({"Name": "A", "OwnerId": owner});
    let (status, body) = served.create("Account", record.clone()).await;
    assert_eq!((status, &body[0]["errorCode"]), (400, &json!("INACTIVE_OWNER_OR_USER")), "{body}");
    assert!(
        body[0]["message"]
            .as_str()
            .unwrap()
            .contains(&format!("operation performed with inactive user [{}]", &owner[..15])),
        "{body}"
    );
    let auditor = served.sign_in("auditor@acme.example").await;
    assert_eq!(served.call_as(&auditor, Method::POST, "sobjects/Account", record).await.0, 201);
}

#[tokio::test]
async fn refuses_43_more_than_200_in_a_collection() {
    let served = served().await;
    let rows = |count: usize| json!({"records": vec![json!({"attributes": {"type": "Account"}, "Name": "A"}); count]});
    let (status, body) = served.call(Method::POST, "composite/sobjects", rows(201)).await;
    assert_eq!((status, &body[0]["errorCode"]), (400, &json!("EXCEEDED_ID_LIMIT")));
    assert_eq!(
        body[0]["message"],
        "record limit reached. cannot submit more than 200 records into this call"
    );
    let (status, body) = served.call(Method::POST, "composite/sobjects", rows(200)).await;
    assert_eq!((status, body.as_array().unwrap().len()), (200, 200));
    let ids = vec!["0015g0000000001AAA"; 201].join(",");
    let (status, _) =
        served.call(Method::DELETE, &format!("composite/sobjects?ids={ids}"), Value::Null).await;
    assert_eq!(status, 400);
    // more than ten runs of the same object
    let mixed: Vec<Value> = (0..11)
        .map(|n| json!({"attributes": {"type": if n % 2 == 0 { "Account" } else { "Contact" }}, "Name": "M"}))
        .collect();
    let (_, rows) = served.call(Method::POST, "composite/sobjects", json!({"records": mixed})).await;
    row_refused(&rows[0], "LIMIT_EXCEEDED");
    let tree: Vec<Value> = (0..201)
        .map(|n| json!({"attributes": {"type": "Account", "referenceId": format!("r{n}")}, "Name": "T"}))
        .collect();
    assert_eq!(served.call(Method::POST, "composite/tree/Account", json!({"records": tree})).await.0, 400);
    assert_eq!(served.ids("SELECT Id FROM Account").await.len(), 202);
}

#[tokio::test]
async fn refuses_44_the_rest_where_one_of_all_or_none_fails() {
    let served = served().await;
    let rows = json!({"allOrNone": true, "records": [
        {"attributes": {"type": "Account"}, "Name": "Good"}, {"attributes": {"type": "Account"}}, {"attributes": {"type": "Contact"}, "Name": "Also good"},
    ]});
    let (status, rows) = served.call(Method::POST, "composite/sobjects", rows).await;
    assert_eq!(status, 200);
    let message = row_refused(&rows[0], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(
        message,
        "Record rolled back because not all records were valid and the request was using AllOrNone header"
    );
    row_refused(&rows[1], "REQUIRED_FIELD_MISSING");
    row_refused(&rows[2], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    let ids = served.ids("SELECT Id FROM Account ORDER BY Name").await;
    let (_, gone) = served
        .call(
            Method::DELETE,
            &format!("composite/sobjects?allOrNone=true&ids={}", ids.join(",")),
            Value::Null,
        )
        .await;
    row_refused(&gone[0], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    row_refused(&gone[1], "DELETE_FAILED");
    assert_eq!(served.ids("SELECT Id FROM Account").await, ids);
}

#[tokio::test]
async fn refuses_45_setup_and_other_objects_in_one_call() {
    let served = served().await;
    let rows = json!({"records": [
        {"attributes": {"type": "Account"}, "Name": "A"}, {"attributes": {"type": "Group"}, "Name": "G", "Type": "Regular"},
    ]});
    let (_, rows) = served.call(Method::POST, "composite/sobjects", rows).await;
    assert_eq!(rows[0]["success"], true);
    let message = row_refused(&rows[1], "MIXED_DML_OPERATION");
    assert!(message.starts_with("DML operation on setup object is not permitted"), "{message}");
    let parts = |all: bool| {
        json!({"allOrNone": all, "compositeRequest": [
            {"method": "POST", "url": format!("{V}/sobjects/Account"), "referenceId": "a", "body": {"Name": "A"}},
            {"method": "POST", "url": format!("{V}/sobjects/Group"), "referenceId": "g", "body": {"Name": "G", "Type": "Regular"}},
        ]})
    };
    // one transaction, and then two
    let (_, together) = served.call(Method::POST, "composite", parts(true)).await;
    assert_eq!(together["compositeResponse"][1]["body"][0]["errorCode"], "MIXED_DML_OPERATION", "{together}");
    let (_, apart) = served.call(Method::POST, "composite", parts(false)).await;
    assert_eq!(apart["compositeResponse"][1]["httpStatusCode"], 201, "{apart}");
}

#[tokio::test]
async fn refuses_51_undelete_of_what_was_purged() {
    let served = served().await;
    let id = served.made("Account", json!({"Name": "Gone"})).await;
    served.call(Method::DELETE, &format!("sobjects/Account/{id}"), Value::Null).await;
    let purged = served.soap(&format!("<emptyRecycleBin><ids>{id}</ids></emptyRecycleBin>")).await;
    assert!(purged.contains("<success>true</success>"), "{purged}");
    let back = served.soap(&format!("<undelete><ids>{id}</ids></undelete>")).await;
    assert!(
        back.contains("<statusCode>UNDELETE_FAILED</statusCode>")
            && back.contains("<success>false</success>"),
        "{back}"
    );
}

#[tokio::test]
async fn refuses_52_a_custom_price_before_the_standard_one() {
    let served = served().await;
    let product = served.ids("SELECT Id FROM Product2").await.remove(0);
    let standard = served.ids("SELECT Id FROM Pricebook2 WHERE IsStandard = true").await.remove(0);
    let own = served.ids("SELECT Id FROM Pricebook2 WHERE IsStandard = false").await.remove(0);
    let entry =
        |book: &str| json!({"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 5, "IsActive": true});
    let (status, body) = served.create("PricebookEntry", entry(&own)).await;
    assert_eq!((status, &body[0]["errorCode"]), (400, &json!("STANDARD_PRICE_NOT_DEFINED")), "{body}");
    assert_eq!(body[0]["message"], "Before creating a custom price, create a standard price.");
    served.made("PricebookEntry", entry(&standard)).await;
    served.made("PricebookEntry", entry(&own)).await;
}

#[tokio::test]
async fn refuses_53_records_where_the_storage_is_full() {
    // 2 kB a record: 512 to the megabyte
    let served = served_with(&ORG.replace("dataStorageMB: 10240", "dataStorageMB: 1")).await;
    let rows = json!({"records": vec![json!({"attributes": {"type": "Account"}, "Name": "A"}); 200]});
    let mut last = Value::Null;
    for _ in 0..4 {
        last = served.call(Method::POST, "composite/sobjects", rows.clone()).await.1;
    }
    let message = row_refused(&last[199], "STORAGE_LIMIT_EXCEEDED");
    assert_eq!(message, "storage limit exceeded");
    let (status, body) = served.create("Account", json!({"Name": "A"})).await;
    assert_eq!((status, &body[0]["errorCode"]), (400, &json!("STORAGE_LIMIT_EXCEEDED")));
}
