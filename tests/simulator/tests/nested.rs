//! Queries with lists of children, groups, columns and plans; the Tooling API; searches.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;

use common::{refused, serve, serve_with};
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";

#[tokio::test]
async fn long_lists_of_children_go_on_with_pages_of_their_own() {
    let contacts: String =
        (0..4_500).map(|n| format!("C{n},{}\n", if n < 4_400 { "acme" } else { "bolt" })).collect();
    let contacts = format!("Name,AccountId\n{contacts}");
    let served = serve_with(&[("data/Contact.csv", &contacts)], &[]).await;
    let soql = "SELECT Name, (SELECT Name FROM Contacts) FROM Account ORDER BY Name";
    let mut page: Value = served.query(soql).await.json().await.unwrap();
    assert_eq!((&page["totalSize"], &page["done"]), (&json!(2), &json!(false)));
    // the children of the first fill the page
    assert_eq!(page["records"].as_array().unwrap().len(), 1);
    let mut names = BTreeSet::new();
    let mut parents = 0;
    loop {
        for parent in page["records"].as_array().unwrap() {
            parents += 1;
            let mut list = parent["Contacts"].clone();
            let mut count = 0;
            loop {
                for child in list["records"].as_array().unwrap() {
                    assert_eq!(child["attributes"]["type"], "Contact");
                    assert!(names.insert(child["Name"].as_str().unwrap().to_owned()));
                    count += 1;
                }
                let Some(next) = list["nextRecordsUrl"].as_str().map(str::to_owned) else { break };
                assert_eq!(list["done"], false);
                list = served.json(&next).await;
            }
            assert_eq!(list["totalSize"], count);
        }
        let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) else { break };
        page = served.json(&next).await;
    }
    assert_eq!((parents, names.len()), (2, 4_500));
}

#[tokio::test]
async fn refuses_more_groups_than_an_answer_holds() {
    let served = serve_with(&[], &[("Account", 3_000)]).await;
    let soql = "SELECT Name, COUNT(Id) FROM Account GROUP BY Name";
    let message = refused(served.query(soql).await, 400, "EXCEEDED_ID_LIMIT").await;
    assert_eq!(
        message,
        "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
    );
    let cut: Value = served.query(&format!("{soql} LIMIT 2000")).await.json().await.unwrap();
    assert_eq!((&cut["totalSize"], &cut["done"]), (&json!(2_000), &json!(true)));
    assert_eq!(cut["records"][0]["attributes"], json!({"type": "AggregateResult"}));
    assert!(cut["records"][0]["expr0"].is_u64());
}

#[tokio::test]
async fn columns_and_plans() {
    let served = serve().await;
    let ask = async |parameter: &str, soql: &str, more: &str| {
        let soql: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        served.json(&format!("{V}/query?{parameter}={soql}{more}")).await
    };
    let soql = "SELECT Id, Parent.Name, Parent.Owner.Username, (SELECT Name FROM Contacts) FROM Account";
    let columns = ask("q", soql, "&columns=true").await;
    assert_eq!((&columns["entityName"], &columns["idSelected"]), (&json!("Account"), &json!(true)));
    let listed = columns["columnMetadata"].as_array().unwrap();
    let names: Vec<&str> = listed.iter().map(|column| column["columnName"].as_str().unwrap()).collect();
    assert_eq!(names, ["Id", "Parent", "Contacts"]);
    assert_eq!(listed[1]["joinColumns"][0]["columnName"], "Name");
    assert_eq!(listed[1]["joinColumns"][1]["joinColumns"][0]["columnName"], "Username");
    assert_eq!(
        (&listed[2]["aggregate"], &listed[2]["joinColumns"][0]["textType"]),
        (&json!(true), &json!(true))
    );
    let columns = ask("q", "SELECT COUNT(Id), MAX(AnnualRevenue) most FROM Account", "&columns=true").await;
    assert_eq!(columns["columnMetadata"][0]["displayName"], "COUNT(Id)");
    assert_eq!(columns["columnMetadata"][1]["columnName"], "most");
    let plan = ask("explain", "SELECT Id FROM Account WHERE Name = 'Acme'", "").await;
    assert_eq!(plan["plans"][0]["leadingOperationType"], "TableScan");
    assert_eq!(
        (&plan["plans"][0]["cardinality"], &plan["plans"][0]["sobjectCardinality"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test]
async fn tooling_tells_of_fields_that_the_user_does_not_see() {
    let served = serve().await;
    let blind = served.sign_in("blind@acme.example").await;
    let soql = "SELECT QualifiedApiName, DataType FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Account'";
    let path = |resource: &str, soql: &str| {
        let soql: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        format!("{V}/{resource}?q={soql}")
    };
    for resource in ["tooling/query", "query"] {
        let answer = served.send(reqwest::Method::GET, &blind, &path(resource, soql), None).await;
        let answer: Value = answer.json().await.unwrap();
        let hidden =
            answer["records"].as_array().unwrap().iter().find(|row| row["QualifiedApiName"] == "Secret__c");
        assert_eq!(hidden.unwrap()["DataType"], "string", "{resource}");
    }
    let answer = served.json(&path("tooling/query", "SELECT Id, Name FROM ApexClass")).await;
    // as recorded, where there are no rows
    assert_eq!(
        answer,
        json!({"size": 0, "totalSize": 0, "done": true, "queryLocator": null, "entityTypeName": null, "records": []})
    );
    let columns =
        served.json(&format!("{}&columns=true", path("tooling/query", "SELECT Id FROM ApexClass"))).await;
    assert_eq!(columns["columnMetadata"][0]["columnName"], "Id");
    let soql = "SELECT QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName = 'Account'";
    let answer = served.json(&path("tooling/query", soql)).await;
    assert_eq!((&answer["size"], &answer["entityTypeName"]), (&json!(1), &json!("EntityDefinition")));
    let url = answer["records"][0]["attributes"]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{V}/tooling/sobjects/EntityDefinition/")), "{url}");
    let soql = "SELECT QualifiedApiName, (SELECT QualifiedApiName FROM Fields) FROM EntityDefinition WHERE QualifiedApiName = 'Vote'";
    let entity = served.json(&path("tooling/query", soql)).await;
    let fields = entity["records"][0]["Fields"]["records"].as_array().unwrap();
    assert!(fields.iter().any(|row| row["QualifiedApiName"] == "ParentId"));
    let soql = "SELECT DeveloperName FROM CustomField WHERE TableEnumOrId = 'Account' ORDER BY DeveloperName";
    let custom = served.json(&path("tooling/query", soql)).await;
    assert!(custom["records"].as_array().unwrap().iter().any(|row| row["DeveloperName"] == "Secret"));
    for (soql, code) in [
        ("SELECT QualifiedApiName FROM FieldDefinition", "EXTERNAL_OBJECT_EXCEPTION"),
        ("SELECT COUNT() FROM EntityDefinition", "EXTERNAL_OBJECT_EXCEPTION"),
        (
            "SELECT QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName != 'x'",
            "EXTERNAL_OBJECT_EXCEPTION",
        ),
        ("SELECT Id FROM SourceMember", "INVALID_TYPE"),
    ] {
        refused(served.get(&path("tooling/query", soql)).await, 400, code).await;
    }
    let describe = served.json(&format!("{V}/tooling/sobjects/FieldDefinition/describe")).await;
    assert_eq!(describe["urls"]["sobject"], format!("{V}/tooling/sobjects/FieldDefinition"));
    refused(served.get(&format!("{V}/tooling/sobjects/SourceMember/describe")).await, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn searches_find_words() {
    let served = serve().await;
    let search = async |version: &str, sosl: &str| {
        let sosl: String = url::form_urlencoded::byte_serialize(sosl.as_bytes()).collect();
        served.get(&format!("/services/data/v{version}/search?q={sosl}")).await
    };
    let found = async |sosl: &str| -> Vec<String> {
        let answer: Value = search("62.0", sosl).await.json().await.unwrap();
        let records = answer["searchRecords"].as_array().unwrap();
        records.iter().map(|record| record["Name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(
        found("FIND {bolt} IN NAME FIELDS RETURNING Account(Id, Name), Contact(Name)").await,
        ["Bolt, Inc."]
    );
    assert_eq!(found("FIND {quo*} RETURNING Account(Name)").await, ["Acme"]);
    assert_eq!(found("FIND {quo*} IN NAME FIELDS RETURNING Account(Name)").await, Vec::<String>::new());
    assert_eq!(
        found("FIND {inc* OR} RETURNING Account(Name WHERE Name != 'x' LIMIT 1) LIMIT 5").await.len(),
        0
    );
    let all: Value = search("62.0", "FIND {Acme}").await.json().await.unwrap();
    assert_eq!(all["searchRecords"][0]["Id"], "0015g0000000001AAA");
    let older: Value = search("23.0", "FIND {Acme}").await.json().await.unwrap();
    assert_eq!(older[0]["errorCode"], "UNSUPPORTED_API_VERSION");
    let older: Value = search("36.0", "FIND {Acme}").await.json().await.unwrap();
    assert_eq!(older[0]["attributes"]["type"], "Account");
    for (sosl, message) in [
        ("FIND Acme", "No search term found. The search term must be enclosed in braces."),
        ("FIND {a}", "search term must be longer than one character: a"),
    ] {
        assert_eq!(refused(search("62.0", sosl).await, 400, "MALFORMED_SEARCH").await, message);
    }
    assert_eq!(served.json(&format!("{V}/recent")).await, json!([]));
}
