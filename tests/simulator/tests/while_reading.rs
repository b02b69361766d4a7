//! Reading goes on while users and administrators change the org.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Served, serve, serve_with};
use orgkeep_simulator::value::calendar::rest_datetime;
use reqwest::Method;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
const ACME: &str = "0015g0000000001AAA";

impl Served {
    /// What a user or an administrator does.
    async fn act(&self, method: Method, path: &str, body: Value) -> u16 {
        let path = format!("/_simulator/orgs/{}{path}", self.simulator.orgs[0].id);
        self.send(method, "none", &path, Some(body)).await.status().as_u16()
    }

    /// Ids that were deleted in the last hour and up to the next minute.
    async fn deleted(&self) -> Vec<String> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let time = |millis: i64| {
            let text = rest_datetime(millis).replace("+0000", "+00:00");
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
        };
        let window = format!("start={}&end={}", time(now - 3_600_000), time(now + 120_000));
        let answer = self.json(&format!("{V}/sobjects/Account/deleted/?{window}")).await;
        let records = answer["deletedRecords"].as_array().unwrap();
        records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn deletions_are_told_until_they_are_taken_back() {
    let served = serve().await;
    let path = format!("/records/{ACME}");
    let before = served.deleted().await;
    assert!(!before.iter().any(|id| id == ACME));
    assert_eq!(served.act(Method::DELETE, &path, Value::Null).await, 204);
    assert!(served.deleted().await.iter().any(|id| id == ACME));
    assert_eq!(served.act(Method::POST, &format!("{path}/undelete"), json!({})).await, 204);
    assert_eq!(served.deleted().await, before);
    assert_eq!(served.act(Method::DELETE, &path, Value::Null).await, 204);
    assert_eq!(served.act(Method::POST, &format!("{path}/purge"), json!({})).await, 204);
    // what is gone for good is told as well, though no query gives it
    assert!(served.deleted().await.iter().any(|id| id == ACME));
    let all = served.json(&format!("{V}/queryAll?q=SELECT+Id+FROM+Account+WHERE+Id='{ACME}'")).await;
    assert_eq!(all["totalSize"], 0);
}

#[tokio::test]
async fn pages_go_on_with_the_rows_that_were_there() {
    let served = serve_with(&[], &[("Account", 3_000)]).await;
    let first: Value =
        served.query("SELECT Id, Name, Secret__c FROM Account ORDER BY Id DESC").await.json().await.unwrap();
    assert_eq!(first["totalSize"], 3_002);
    // the last rows of the answer are the first ones of the org
    assert_eq!(served.act(Method::DELETE, &format!("/records/{ACME}"), Value::Null).await, 204);
    let again: Value = served.query("SELECT COUNT() FROM Account").await.json().await.unwrap();
    assert_eq!(again["totalSize"], 3_001);
    let next = served.json(first["nextRecordsUrl"].as_str().unwrap()).await;
    let rows = next["records"].as_array().unwrap();
    assert_eq!((rows.len(), &next["done"], &rows.last().unwrap()["Id"]), (1_002, &json!(true), &json!(ACME)));
}

#[tokio::test]
async fn describes_are_sent_again_when_the_schema_has_changed() {
    let served = serve().await;
    let path = format!("{V}/sobjects/Account/describe");
    let stamp = served.get(&path).await.headers()["last-modified"].to_str().unwrap().to_owned();
    let ask = async || {
        let url = format!("{}{path}", served.simulator.address);
        let request = served.client.get(url).bearer_auth(&served.token).header("If-Modified-Since", &stamp);
        request.send().await.unwrap()
    };
    assert_eq!(ask().await.status(), 304);
    // HTTP dates are full seconds
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let change = json!({"do": "removeField", "object": "Account", "field": "Secret__c"});
    assert_eq!(served.act(Method::POST, "/schema", change).await / 100, 2);
    let changed = ask().await;
    assert_eq!(changed.status(), 200);
    let describe: Value = changed.json().await.unwrap();
    assert!(!describe["fields"].as_array().unwrap().iter().any(|field| field["name"] == "Secret__c"));
    let global =
        served.get(&format!("{V}/sobjects")).await.headers()["last-modified"].to_str().unwrap().to_owned();
    assert!(global != stamp);
    let contact = format!("{V}/sobjects/Contact/describe");
    let unchanged = served.get(&contact).await.headers()["last-modified"].to_str().unwrap().to_owned();
    assert_eq!(unchanged, stamp);
    assert_eq!(served.query("SELECT Secret__c FROM Account").await.status(), 400);
    let soql = "SELECT+QualifiedApiName+FROM+FieldDefinition+WHERE+EntityDefinitionId='Account'";
    let fields = served.json(&format!("{V}/tooling/query?q={soql}")).await;
    assert!(!fields["records"].as_array().unwrap().iter().any(|row| row["QualifiedApiName"] == "Secret__c"));
}

#[tokio::test]
async fn describes_are_sent_again_when_the_user_sees_less() {
    let served = serve().await;
    let path = format!("{V}/sobjects/Account/describe");
    let stamp = served.get(&path).await.headers()["last-modified"].to_str().unwrap().to_owned();
    let hide = json!({"fields": ["Account.Secret__c"]});
    assert_eq!(served.act(Method::POST, "/users/admin@acme.example/hide", hide).await / 100, 2);
    let url = format!("{}{path}", served.simulator.address);
    let request = served.client.get(url).bearer_auth(&served.token).header("If-Modified-Since", &stamp);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let describe: Value = answer.json().await.unwrap();
    assert!(!describe["fields"].as_array().unwrap().iter().any(|field| field["name"] == "Secret__c"));
}
