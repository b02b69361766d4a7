//! Writes put together at random, by REST and by SOAP: whatever is sent, there is an answer, and it is not "unexpected
//! error".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::serve;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;

/// Calls of a run.
const CALLS: usize = 1_500;

const PATHS: &[&str] = &[
    "sobjects/Account",
    "sobjects/Account/",
    "sobjects/Account/Id",
    "sobjects/Account/Id/0015g0000000001AAA",
    "sobjects/Account/0015g0000000001AAA",
    "sobjects/Account/0015g0000000002",
    "sobjects/Account/Name/%2F%00",
    "sobjects/Contact/0035g0000000001AAA/Account",
    "sobjects/Attachment",
    "sobjects/User/0055g0000000001AAA",
    "sobjects/Nothing",
    "composite",
    "composite/batch",
    "composite/graph",
    "composite/tree/Account",
    "composite/tree/",
    "composite/sobjects",
    "composite/sobjects?ids=0015g0000000001AAA,,x&allOrNone=true",
    "composite/sobjects/Account/Id",
    "composite/sobjects/Contact/Name",
    "sobjects/Account?_HttpMethod=DELETE",
    "sobjects/Account/0015g0000000001AAA?_HttpMethod=é",
];

const RECORDS: &[&str] = &[
    "{}",
    "null",
    "[]",
    r#"{"Name": "A"}"#,
    r#"{"name": {"a": 1}, "Industry": ["x"]}"#,
    r#"{"Name": "A", "AnnualRevenue": 1e300, "ParentId": "0015g0000000001AAA"}"#,
    r#"{"Name": true, "Since__c": "2026-99-99"}"#,
    r#"{"Id": "0015g0000000001AAA", "Name": ""}"#,
    r#"{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "T", "ChildAccounts": {"records": [{"attributes": {"type": "Account", "referenceId": "a"}}]}}"#,
    r#"{"attributes": {"type": "Contact"}, "Name": "C", "Account": {"Name": "Acme"}}"#,
    r#"{"attributes": {"type": "Account"}, "Id": null, "Parent": {}}"#,
    r#"{"attributes": {"type": "Attachment", "binaryPartName": "x", "binaryPartNameAlias": "Body"}, "Body": "%%%"}"#,
    r#"{"attributes": {"type": "Nothing"}}"#,
    r#"{"attributes": 5, "Body": "aGVsbG8="}"#,
];

const WRAPPED: &[&str] = &[
    "$",
    "{\"records\": [$, $]}",
    "{\"allOrNone\": true, \"records\": [$]}",
    "{\"records\": $}",
    "{\"compositeRequest\": [{\"method\": \"POST\", \"url\": \"/services/data/v62.0/sobjects/Account\", \"referenceId\": \"a\", \"body\": $}, \
     {\"method\": \"PATCH\", \"url\": \"/services/data/v62.0/sobjects/Account/@{a.id}\", \"referenceId\": \"b\", \"body\": $}], \"allOrNone\": true}",
    "{\"graphs\": [{\"graphId\": \"1\", \"compositeRequest\": [{\"method\": \"DELETE\", \"url\": \"/services/data/v62.0/sobjects/Account/0015g0000000001AAA\", \"referenceId\": \"a\"}]}]}",
    "{\"batchRequests\": [{\"method\": \"POST\", \"url\": \"v62.0/sobjects/Account\", \"richInput\": $}]}",
    "$$",
];

const OPERATIONS: &[&str] = &[
    "create",
    "update",
    "upsert",
    "delete",
    "undelete",
    "emptyRecycleBin",
    "merge",
    "query",
    "queryAll",
    "queryMore",
    "retrieve",
    "describeSObject",
    "describeSObjects",
    "getUpdated",
    "getDeleted",
    "invalidateSessions",
    "search",
];

const ARGUMENTS: &[&str] = &[
    "",
    "<sObjects><type>Account</type><Name>A</Name></sObjects>",
    "<sObjects xsi:type=\"x:Account\"><Name/><fieldsToNull>Nothing</fieldsToNull></sObjects>",
    "<sObjects><type/><Id>0015g0000000001AAA</Id></sObjects>",
    "<sObjects><type>Account</type><Parent><type>Account</type></Parent><Id xsi:nil=\"true\"/></sObjects>",
    "<externalIDFieldName>Nothing</externalIDFieldName><sObjects><type>Contact</type></sObjects>",
    "<ids>0015g0000000001AAA</ids><ids>no id</ids><fieldList>Name,</fieldList><sObjectType>Account</sObjectType>",
    "<request><masterRecord><type>Account</type><Id>0015g0000000001AAA</Id></masterRecord><recordToMergeIds>x</recordToMergeIds></request>",
    "<request/>",
    "<queryString>SELECT Id, (SELECT Id FROM Contacts) FROM Account</queryString>",
    "<queryString>SELECT COUNT(Id), Industry FROM Account GROUP BY Industry</queryString>",
    "<queryString>SELECT</queryString><queryLocator>01g5g0000000001EAA-5</queryLocator>",
    "<sObjectType>Account</sObjectType><startDate>2026-01-01</startDate><endDate>never</endDate>",
    "<a:b/>",
];

#[tokio::test]
async fn every_write_is_answered() {
    let served = serve().await;
    let mut runner = TestRunner::deterministic();
    let mut pick =
        |from: &'static [&'static str]| prop::sample::select(from).new_tree(&mut runner).unwrap().current();
    let (mut fine, mut refused) = (0, 0);
    for number in 0..CALLS {
        let (url, method, body);
        if number % 3 == 0 {
            let operation = pick(OPERATIONS);
            let (header, argument) =
                (pick(&["", "<AllOrNoneHeader><allOrNone>1</allOrNone></AllOrNoneHeader>"]), pick(ARGUMENTS));
            body = format!(
                "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                 xmlns:a=\"x\"><e:Header><SessionHeader><sessionId>{}</sessionId></SessionHeader>{header}</e:Header><e:Body>\
                 <{operation}>{argument}{}</{operation}></e:Body></e:Envelope>",
                served.token,
                pick(ARGUMENTS)
            );
            url = format!("{}/services/Soap/{}/62.0", served.simulator.address, pick(&["u", "c"]));
            method = Method::POST;
        } else {
            body = pick(WRAPPED).replace('$', pick(RECORDS));
            url = format!("{}/services/data/v62.0/{}", served.simulator.address, pick(PATHS));
            method = [Method::POST, Method::PATCH, Method::POST, Method::DELETE][number % 4].clone();
        }
        let request =
            served.client.request(method.clone(), &url).bearer_auth(&served.token).body(body.clone());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let unexpected = status.is_server_error() && !text.contains("<soapenv:Fault>");
        assert!(
            !unexpected && !text.contains("An unexpected error"),
            "{method} {url} {body}: {status} {text}"
        );
        if !text.is_empty() && !text.starts_with('<') {
            assert!(
                serde_json::from_str::<serde_json::Value>(&text).is_ok(),
                "{method} {url} {body}: {text}"
            );
        }
        if status.is_success() { fine += 1 } else { refused += 1 }
    }
    assert!(fine > CALLS / 20 && refused > CALLS / 20, "{fine} answered, {refused} refused");
}
