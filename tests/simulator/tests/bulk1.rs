//! Bulk 1.0 queries as CumulusCI, jsforce, salesforce-bulk and simple-salesforce make them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{Served, serve, serve_with};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const NS: &str = "http://www.force.com/2009/06/asyncapi/dataload";

async fn call(served: &Served, method: Method, path: &str, kind: &str, body: &str) -> Response {
    let mut request = served
        .client
        .request(method, format!("{}/services/async/62.0/{path}", served.simulator.address))
        .header("X-SFDC-Session", &served.token);
    if !kind.is_empty() {
        request = request.header("Content-Type", kind);
    }
    request.body(body.to_owned()).send().await.unwrap()
}

fn job_info(object: &str, content: &str) -> String {
    format!(
        "<jobInfo xmlns=\"{NS}\"><operation>query</operation><object>{object}</object>\
         <concurrencyMode>Parallel</concurrencyMode><contentType>{content}</contentType></jobInfo>"
    )
}

/// The content of the first element of this name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// A job in XML, with a batch of this query; ids of job and batch.
async fn job(served: &Served, object: &str, content: &str, soql: &str) -> (String, String) {
    let made =
        call(served, Method::POST, "job", "application/xml; charset=UTF-8", &job_info(object, content)).await;
    assert_eq!(made.status(), 201);
    assert_eq!(made.headers()["content-type"], "application/xml");
    let job = element(&made.text().await.unwrap(), "id").unwrap();
    let kind = "text/csv; charset=UTF-8";
    let batch = call(served, Method::POST, &format!("job/{job}/batch"), kind, soql).await;
    assert_eq!(batch.status(), 201);
    let id = element(&batch.text().await.unwrap(), "id").unwrap();
    (job, id)
}

async fn text(served: &Served, path: &str) -> String {
    let answer = call(served, Method::GET, path, "", "").await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

async fn ended(served: &Served, job: &str, batch: &str) -> String {
    loop {
        let info = text(served, &format!("job/{job}/batch/{batch}")).await;
        if !info.contains("Queued") && !info.contains("InProgress") {
            return info;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Names of the elements of a document in their order.
fn names(xml: &str) -> Vec<String> {
    let tags = xml.split('<').skip(1).filter(|tag| !tag.starts_with(['/', '?']));
    tags.map(|tag| tag.split(|c: char| c == '>' || c.is_whitespace()).next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn xml_has_the_shape_of_the_recorded_exchange() {
    let served = serve().await;
    let made = call(&served, Method::POST, "job", "application/xml", &job_info("Account", "CSV")).await;
    let text_of_job = made.text().await.unwrap();
    // the templates of CumulusCI's cassettes (BSD-3-Clause), element by element
    let head = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><jobInfo\n   xmlns=\"{NS}\">\n <id>750");
    assert!(text_of_job.starts_with(&head), "{text_of_job}");
    let recorded = "jobInfo id operation object createdById createdDate systemModstamp state concurrencyMode contentType \
                    numberBatchesQueued numberBatchesInProgress numberBatchesCompleted numberBatchesFailed \
                    numberBatchesTotal numberRecordsProcessed numberRetries apiVersion numberRecordsFailed \
                    totalProcessingTime apiActiveProcessingTime apexProcessingTime";
    assert_eq!(names(&text_of_job).join(" "), recorded);
    assert_eq!(element(&text_of_job, "apiVersion").as_deref(), Some("62.0"));
    let date = element(&text_of_job, "createdDate").unwrap();
    assert!(date.ends_with('Z') && date.len() == "2022-10-20T16:45:36.000Z".len(), "{date}");
    let job = element(&text_of_job, "id").unwrap();
    let empty = text(&served, &format!("job/{job}/batch")).await;
    assert_eq!(
        empty,
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><batchInfoList\n   xmlns=\"{NS}\" />")
    );
    let path = format!("job/{job}/batch");
    let batch = call(&served, Method::POST, &path, "text/csv", "SELECT Id FROM Account").await;
    let info = batch.text().await.unwrap();
    let recorded = "id jobId state createdDate systemModstamp numberRecordsProcessed numberRecordsFailed \
                    totalProcessingTime apiActiveProcessingTime apexProcessingTime";
    assert_eq!(names(&info).join(" "), format!("batchInfo {recorded}"));
    assert_eq!(element(&info, "state").as_deref(), Some("Queued"));
    let list = text(&served, &path).await;
    assert_eq!(names(&list).join(" "), format!("batchInfoList batchInfo {recorded}"));
}

#[tokio::test]
async fn csv_from_the_job_to_its_end() {
    let served = serve().await;
    let soql = "SELECT Id, Name, Parent.Name, AnnualRevenue FROM Account ORDER BY Name";
    let (job, batch) = job(&served, "Account", "CSV", soql).await;
    let early = call(&served, Method::GET, &format!("job/{job}/batch/{batch}/result"), "", "").await;
    assert_eq!(early.status(), 400);
    assert!(early.text().await.unwrap().contains("<exceptionCode>InvalidBatch</exceptionCode>"));
    let close = format!("<jobInfo xmlns=\"{NS}\"><state>Closed</state></jobInfo>");
    let closed = call(&served, Method::POST, &format!("job/{job}"), "application/xml", &close).await;
    assert_eq!(element(&closed.text().await.unwrap(), "state").as_deref(), Some("Closed"));
    let info = ended(&served, &job, &batch).await;
    assert_eq!(element(&info, "numberRecordsProcessed").as_deref(), Some("2"));
    // whatever the request's own type says (tap-salesforce)
    let path = format!("job/{job}/batch/{batch}");
    let same = call(&served, Method::GET, &path, "application/json", "").await;
    assert_eq!(same.text().await.unwrap(), info);
    let list = text(&served, &format!("job/{job}/batch/{batch}/result")).await;
    let result = element(&list, "result").unwrap();
    assert!(result.starts_with("752"));
    assert_eq!(list, format!("<result-list xmlns=\"{NS}\"><result>{result}</result></result-list>"));
    let rows = text(&served, &format!("job/{job}/batch/{batch}/result/{result}")).await;
    assert_eq!(
        rows,
        "\"Id\",\"Name\",\"Parent.Name\",\"AnnualRevenue\"\n\"0015g0000000001AAA\",\"Acme\",\"\",\"1000.0\"\n\
         \"0015g0000000002AAA\",\"Bolt, Inc.\",\"Acme\",\"123456789012345.67\"\n"
    );
    assert_eq!(text(&served, &format!("job/{job}/batch/{batch}/request")).await, soql);
    let job_info = text(&served, &format!("job/{job}")).await;
    for (name, value) in
        [("numberBatchesCompleted", "1"), ("numberBatchesTotal", "1"), ("numberRecordsProcessed", "2")]
    {
        assert_eq!(element(&job_info, name).as_deref(), Some(value), "{name}");
    }
    let late = call(&served, Method::POST, &format!("job/{job}/batch"), "text/csv", soql).await;
    assert!(late.text().await.unwrap().contains("InvalidJobState"));
}

#[tokio::test]
async fn no_rows_come_in_words() {
    let served = serve().await;
    let (job, batch) = job(&served, "Account", "CSV", "SELECT Id FROM Account WHERE Name = 'nobody'").await;
    ended(&served, &job, &batch).await;
    let list = text(&served, &format!("job/{job}/batch/{batch}/result")).await;
    let path = format!("job/{job}/batch/{batch}/result/{}", element(&list, "result").unwrap());
    assert_eq!(text(&served, &path).await, "Records not found for this query");
}

#[tokio::test]
async fn json_as_simple_salesforce_reads_it() {
    let served = serve().await;
    let kind = "application/json";
    let body =
        json!({"operation": "query", "object": "Account", "concurrencyMode": 0, "contentType": "JSON"});
    let made: Value = call(&served, Method::POST, "job", kind, &body.to_string()).await.json().await.unwrap();
    assert_eq!((&made["concurrencyMode"], &made["state"]), (&json!("Parallel"), &json!("Open")));
    assert!(made["createdDate"].as_str().unwrap().ends_with("+0000"));
    assert_eq!(made["apiVersion"].to_string(), "62.0");
    let job = made["id"].as_str().unwrap();
    let soql = "SELECT Id, Name, SystemModstamp, Since__c, Parent.Name, Parent.Owner.Username FROM Account ORDER BY Name";
    let batch: Value =
        call(&served, Method::POST, &format!("job/{job}/batch"), kind, soql).await.json().await.unwrap();
    let batch = batch["id"].as_str().unwrap();
    let info = loop {
        let path = format!("job/{job}/batch/{batch}");
        let info: Value = call(&served, Method::GET, &path, kind, "").await.json().await.unwrap();
        if info["state"] == "Completed" {
            break info;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((&info["stateMessage"], &info["numberRecordsProcessed"]), (&Value::Null, &json!(2)));
    let path = format!("job/{job}/batch/{batch}/result");
    let results: Vec<String> = call(&served, Method::GET, &path, kind, "").await.json().await.unwrap();
    let rows: Value =
        call(&served, Method::GET, &format!("{path}/{}", results[0]), kind, "").await.json().await.unwrap();
    let url = "/services/data/v62.0/sobjects/Account/0015g0000000001AAA";
    assert_eq!(rows[0]["attributes"], json!({"type": "Account", "url": url}));
    assert!(rows[0]["SystemModstamp"].as_i64().unwrap() > 1_000_000_000_000);
    assert_eq!((&rows[0]["Parent"], &rows[1]["Parent"]["Name"]), (&Value::Null, &json!("Acme")));
    assert_eq!(rows[1]["Parent"]["Owner"]["Username"], "admin@acme.example");
    let list: Value =
        call(&served, Method::GET, &format!("job/{job}/batch"), kind, "").await.json().await.unwrap();
    assert_eq!(list["batchInfo"][0]["id"], batch);
    let request = call(&served, Method::GET, &format!("job/{job}/batch/{batch}/request"), kind, "").await;
    assert_eq!(request.text().await.unwrap(), soql);
}

#[tokio::test]
async fn xml_results_nest_their_parents() {
    let served = serve().await;
    let soql = "SELECT Name, Description, Parent.Name FROM Account ORDER BY Name";
    let (job, batch) = job(&served, "Account", "XML", soql).await;
    ended(&served, &job, &batch).await;
    let list = text(&served, &format!("job/{job}/batch/{batch}/result")).await;
    let path = format!("job/{job}/batch/{batch}/result/{}", element(&list, "result").unwrap());
    let rows = text(&served, &path).await;
    assert!(
        rows.contains(
            "<records xsi:type=\"sObject\"><type>Account</type><Name>Acme</Name><Description>two\nlines, and \
             \"quotes\"</Description><Parent xsi:nil=\"true\"/></records>"
        ),
        "{rows}"
    );
    assert!(
        rows.contains("<Parent xsi:type=\"sObject\"><type>Account</type><Name>Acme</Name></Parent>"),
        "{rows}"
    );
}

#[tokio::test]
async fn chunks_are_batches_of_their_own() {
    let served = serve_with(&[], &[("Account", 2_500)]).await;
    let url = format!("{}/services/async/62.0/job", served.simulator.address);
    let made = served
        .client
        .post(url)
        .header("X-SFDC-Session", &served.token)
        .header("Sforce-Enable-PKChunking", "chunkSize=1000;")
        .body(job_info("Account", "CSV"))
        .send()
        .await
        .unwrap();
    let job = element(&made.text().await.unwrap(), "id").unwrap();
    let path = format!("job/{job}/batch");
    let first = call(&served, Method::POST, &path, "text/csv", "SELECT Id FROM Account").await;
    let first = element(&first.text().await.unwrap(), "id").unwrap();
    assert!(ended(&served, &job, &first).await.contains("<state>NotProcessed</state>"));
    let list = text(&served, &path).await;
    let batches: Vec<String> =
        list.split("<batchInfo>").skip(1).filter_map(|info| element(info, "id")).collect();
    assert_eq!(batches.len(), 4);
    let (mut ids, mut counts) = (Vec::new(), Vec::new());
    for batch in &batches[1..] {
        ended(&served, &job, batch).await;
        let request = text(&served, &format!("{path}/{batch}/request")).await;
        assert!(request.starts_with("SELECT Id FROM Account WHERE Id >= 001"), "{request}");
        let list = text(&served, &format!("{path}/{batch}/result")).await;
        let result = element(&list, "result").unwrap();
        let rows = text(&served, &format!("{path}/{batch}/result/{result}")).await;
        counts.push(rows.lines().count() - 1);
        ids.extend(rows.lines().skip(1).map(str::to_owned));
    }
    // three rows are loaded, one of them in the recycle bin, where it still counts in its range
    assert_eq!(counts, [999, 1_000, 503]);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2_502);
    let info = text(&served, &format!("job/{job}")).await;
    assert_eq!(element(&info, "numberBatchesTotal").as_deref(), Some("4"));
    let cut = call(&served, Method::POST, &path, "text/csv", "SELECT Id FROM Account LIMIT 5").await;
    let cut = element(&cut.text().await.unwrap(), "id").unwrap();
    assert!(ended(&served, &job, &cut).await.contains("PK chunking works only with"));
}

#[tokio::test]
async fn refusals_in_the_words_that_clients_know() {
    let served = serve().await;
    for (soql, words) in [
        (
            "SELECT Id, Place__c FROM Account",
            "InvalidBatch : Failed to process query: FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk Query",
        ),
        (
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            "FeatureNotEnabled : Aggregate Relationships not supported in Bulk Query with CSV content type",
        ),
        (
            "SELECT Id FROM Contact",
            "InvalidBatch : Failed to process query: INVALID_TYPE_FOR_OPERATION: The root entity of the requested query (Contact) does not match the entity of the requested Bulk API Job (Account).",
        ),
        ("SELECT Nothing FROM Account", "InvalidBatch : Failed to process query: INVALID_FIELD: "),
        (
            "SELECT COUNT() FROM Account",
            "InvalidBatch : Failed to process query: FUNCTIONALITY_NOT_ENABLED: ",
        ),
    ] {
        let (job, batch) = job(&served, "Account", "CSV", soql).await;
        let info = ended(&served, &job, &batch).await;
        assert_eq!(element(&info, "state").as_deref(), Some("Failed"));
        let message = element(&info, "stateMessage").unwrap();
        assert!(message.starts_with(words), "{message}");
    }
    let error = async |path: &str, body: &str| {
        let answer = call(&served, Method::POST, path, "application/xml", body).await;
        assert_eq!(answer.status(), 400);
        let text = answer.text().await.unwrap();
        assert!(
            text.starts_with(&format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error\n   xmlns=\"{NS}\">"
            )),
            "{text}"
        );
        (element(&text, "exceptionCode").unwrap(), element(&text, "exceptionMessage").unwrap())
    };
    assert_eq!(error("job", "no job").await.0, "InvalidXML");
    assert_eq!(error("job", &job_info("Nothing", "CSV")).await.0, "InvalidJob");
    assert_eq!(error("job", &job_info("Account", "PDF")).await.0, "InvalidJob");
    let unsupported = error("job", &job_info("CaseStatus", "CSV")).await;
    assert_eq!(
        unsupported,
        ("InvalidEntity".to_owned(), "Entity 'CaseStatus' is not supported by the Bulk API.".to_owned())
    );
    let (id, _) = job(&served, "Account", "CSV", "SELECT Id FROM Account").await;
    assert_eq!(error(&format!("job/{id}/batch"), "").await.0, "ClientInputError");
    assert_eq!(
        error("job/7505g00000000zzAAA", "<jobInfo><state>Closed</state></jobInfo>").await.0,
        "InvalidJob"
    );
}

#[tokio::test]
async fn a_dead_session_is_told_with_400_and_an_aborted_job_is_not_processed() {
    let served = serve().await;
    let url = format!("{}/services/async/62.0/job", served.simulator.address);
    let without = served.client.post(&url).bearer_auth(&served.token).body(job_info("Account", "CSV"));
    let answer = without.send().await.unwrap();
    assert_eq!(answer.status(), 400);
    // what jsforce looks for
    assert!(answer.text().await.unwrap().contains("<exceptionCode>InvalidSessionId</exceptionCode>"));
    let dead = served.client.post(&url).header("X-SFDC-Session", "dead").json(&json!({}));
    let answer: Value = dead.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["exceptionCode"], "InvalidSessionId");
    let (job, batch) = job(&served, "Account", "CSV", "SELECT Id FROM Account WHERE Name LIKE 'x%'").await;
    // what was done by then is done
    let body = "<jobInfo><state>Aborted</state></jobInfo>";
    let aborted = call(&served, Method::POST, &format!("job/{job}"), "application/xml", body).await;
    assert_eq!(element(&aborted.text().await.unwrap(), "state").as_deref(), Some("Aborted"));
    let state = element(&ended(&served, &job, &batch).await, "state").unwrap();
    assert!(state == "NotProcessed" || state == "Completed", "{state}");
    assert_eq!(
        call(&served, Method::POST, &format!("job/{job}"), "application/xml", body).await.status(),
        400
    );
}
