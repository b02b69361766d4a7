//! Bulk API 2.0 ingest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::loads::{Wanted, by, column};
use common::{Served, refused, serve, serve_as, serve_only, serve_with};
use orgkeep_simulator::faults::FaultPlan;
use reqwest::Method;
use serde_json::{Value, json};

const JOBS: &str = "/services/data/v62.0/jobs/ingest";

async fn rows(served: &Served, soql: &str) -> Vec<Value> {
    let answer = served.query(soql).await;
    assert_eq!(answer.status(), 200, "{soql}");
    answer.json::<Value>().await.unwrap()["records"].as_array().unwrap().clone()
}

async fn count(served: &Served, filter: &str) -> u64 {
    let query = format!("SELECT count() FROM Account WHERE {filter}");
    served.query(&query).await.json::<Value>().await.unwrap()["totalSize"].as_u64().unwrap()
}

#[tokio::test]
async fn a_job_goes_through_its_states_and_gives_rows_back_in_another_order() {
    let served = serve().await;
    let made = served.new_load(&json!({"object": "account", "operation": "insert"})).await;
    let made: Value = made.json().await.unwrap();
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("750"), "{made}");
    assert_eq!((&made["state"], &made["object"]), (&json!("Open"), &json!("Account")));
    assert_eq!(made["contentUrl"], format!("services/data/v62.0/jobs/ingest/{id}/batches"));
    assert_eq!(made["apiVersion"].to_string(), "62.0");
    assert!(made.get("jobType").is_none() && made.get("externalIdFieldName").is_none());
    let csv: String = (0..500).map(|row| format!("New {row},{row}\n")).collect();
    let url = format!("/{}", made["contentUrl"].as_str().unwrap());
    assert_eq!(served.put_csv(&url, format!("Name,AnnualRevenue\n{csv}")).await.status(), 201);
    let path = format!("{JOBS}/{id}");
    refused(served.get(&format!("{path}/successfulResults")).await, 400, "INVALIDJOBSTATE").await;
    refused(served.send(Method::DELETE, &served.token, &path, None).await, 400, "API_ERROR").await;
    let closed: Value = served.set_state(&path, "UploadComplete").await.json().await.unwrap();
    assert_eq!(closed["state"], "UploadComplete");
    assert!(closed.get("contentUrl").is_none());
    let info = served.ended(&path).await;
    assert_eq!((&info["state"], &info["jobType"]), (&json!("JobComplete"), &json!("V2Ingest")));
    assert_eq!((&info["numberRecordsProcessed"], &info["numberRecordsFailed"]), (&json!(500), &json!(0)));
    assert!(info["totalProcessingTime"].as_u64() >= Some(150) && info["retries"] == 0);
    let done = served.results(&path, "successfulResults/").await;
    assert_eq!(done[0], ["sf__Id", "sf__Created", "Name", "AnnualRevenue"]);
    assert_eq!(done.len(), 501);
    assert!(done[1..].iter().all(|row| row[0].starts_with("001") && row[1] == "true"));
    let names = column(&done, "Name");
    assert_ne!(names[..3], ["New 0", "New 1", "New 2"]);
    assert_eq!(
        served.results(&path, "failedResults").await,
        [["sf__Id", "sf__Error", "Name", "AnnualRevenue"]]
    );
    assert_eq!(served.results(&path, "unprocessedrecords").await, [["Name", "AnnualRevenue"]]);
    let by_name = by(&done, "Name");
    for row in rows(&served, "SELECT Id, Name, AnnualRevenue FROM Account WHERE Name LIKE 'New %'").await {
        let told = &by_name[row["Name"].as_str().unwrap()];
        assert_eq!(
            (row["Id"].as_str(), row["AnnualRevenue"].as_f64()),
            (Some(told[0].as_str()), told[3].parse().ok())
        );
    }
    assert_eq!(served.send(Method::DELETE, &served.token, &path, None).await.status(), 204);
    refused(served.get(&path).await, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn updates_leave_what_is_empty_and_empty_what_is_not_available() {
    let served = serve().await;
    let found = rows(&served, "SELECT Id, Name FROM Account WHERE Name IN ('Acme', 'Bolt, Inc.')").await;
    let id =
        |name: &str| found.iter().find(|row| row["Name"] == name).unwrap()["Id"].as_str().unwrap().to_owned();
    let (acme, bolt) = (id("Acme"), id("Bolt, Inc."));
    let csv = format!(
        "Id,Industry,AnnualRevenue,Description\n{acme},,#N/A,\"a, \"\"b\"\"\nc\"\n{bolt},Energy,,#N/A\n001000000000001AAA,Food,,\n"
    );
    let (path, info) = served.load(&Wanted::new("Account", "update"), csv).await;
    assert_eq!((&info["numberRecordsProcessed"], &info["numberRecordsFailed"]), (&json!(3), &json!(1)));
    let failed = served.results(&path, "failedResults").await;
    assert_eq!(
        failed[1][..2],
        ["001000000000001AAA", "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--"]
    );
    let done = served.results(&path, "successfulResults").await;
    assert!(done[1..].iter().all(|row| row[1] == "false"));
    assert_eq!(by(&done, "Id")[&acme][5], "a, \"b\"\nc");
    let read =
        |id: &str| format!("SELECT Industry, AnnualRevenue, Description FROM Account WHERE Id = '{id}'");
    let row = &rows(&served, &read(&acme)).await[0];
    assert_eq!((&row["Industry"], &row["AnnualRevenue"]), (&json!("Energy"), &Value::Null));
    assert_eq!(row["Description"], "a, \"b\"\nc");
    let row = &rows(&served, &read(&bolt)).await[0];
    assert_eq!((&row["Industry"], row["AnnualRevenue"].is_number()), (&json!("Energy"), true));
    // the same record twice in a transaction
    let csv = format!("Id,Industry\n{acme},Food\n{acme},Energy\n");
    let (path, info) = served.load(&Wanted::new("Account", "update"), csv).await;
    assert_eq!(info["numberRecordsFailed"], 2);
    let failed = served.results(&path, "failedResults").await;
    assert!(failed[1][1].starts_with("DUPLICATE_VALUE:Duplicate id specified"), "{failed:?}");
}

const KEYED: &str = r"
objects:
  Parent__c:
    keyPrefix: a01
    fields:
      Key__c: {type: string, length: 40, externalId: true, unique: true}
  Child__c:
    keyPrefix: a02
    fields:
      Key__c: {type: string, length: 40, externalId: true, unique: true}
      Parent__c: {type: reference, to: [Parent__c], relationship: Parent__r}
      Any__c: {type: reference, to: [Parent__c, Child__c], relationship: Any__r}
      Body__c: {type: base64}
";

#[tokio::test]
async fn upserts_find_records_and_parents_by_external_ids() {
    let served = serve_only(&[("schema.yaml", KEYED)]).await;
    let parents = Wanted::new("Parent__c", "upsert").key("Key__c");
    let (path, info) = served.load(&parents, "Key__c,Name\np1,One\np2,Two\n".to_owned()).await;
    assert_eq!(info["externalIdFieldName"], "Key__c");
    assert!(served.results(&path, "successfulResults").await[1..].iter().all(|row| row[1] == "true"));
    let (path, _) = served.load(&parents, "Key__c,Name\nP2,Zwei\np3,Drei\n".to_owned()).await;
    let done = by(&served.results(&path, "successfulResults").await, "Key__c");
    assert_eq!((done["P2"][1].as_str(), done["p3"][1].as_str()), ("false", "true"));
    let children = Wanted::new("Child__c", "upsert").key("Key__c");
    let csv = "Key__c,Parent__r.Key__c,Parent__c:Any__r.Key__c\nc1,p1,p2\nc2,p9,\nc3,#N/A,p3\n,p1,\nc4,p1,\nc4,p2,\n";
    let (path, info) = served.load(&children, csv.to_owned()).await;
    assert_eq!((&info["numberRecordsProcessed"], &info["numberRecordsFailed"]), (&json!(6), &json!(4)));
    let failed = by(&served.results(&path, "failedResults").await, "Key__c");
    assert!(
        failed["c2"][1]
            .contains("Foreign key external ID: p9 not found for field Key__c in entity Parent__c")
    );
    assert!(failed[""][1].starts_with("MISSING_ARGUMENT:Key__c not specified:Key__c --"), "{failed:?}");
    assert_eq!(failed["c4"][1], "DUPLICATE_VALUE:Duplicate external id specified: c4:Key__c --");
    let found = rows(&served, "SELECT Key__c, Parent__r.Name FROM Child__c ORDER BY Key__c").await;
    let told: Vec<(&str, Option<&str>)> = found
        .iter()
        .map(|row| (row["Key__c"].as_str().unwrap(), row["Parent__r"]["Name"].as_str()))
        .collect();
    assert_eq!(told, [("c1", Some("One")), ("c3", None)]);
    for (header, words) in [
        ("Key__c,Nothing__c", "InvalidBatch : Field name not found : Nothing__c"),
        ("Name", "InvalidBatch : Field name not found : Key__c"),
        (
            "Key__c,Parent__c:Parent__r.Key__c",
            "type is not needed for non polymorphic foreign key references: Parent__r",
        ),
        ("Key__c,Any__r.Key__c", "type is needed"),
        ("Key__c,Any__r:Parent__c.Key__c", "Field name not found"),
        ("Key__c,Parent__r.Nothing", "Field name not found : Parent__r.Nothing"),
        ("Key__c,Body__c", "Base64"),
        ("\u{feff}Key__c", "Field name not found : \u{feff}Key__c"),
    ] {
        let (path, info) = served.load(&children, format!("{header}\nx,y\n")).await;
        assert_eq!(
            (&info["state"], &info["numberRecordsProcessed"]),
            (&json!("Failed"), &json!(0)),
            "{header}"
        );
        assert!(info["errorMessage"].as_str().unwrap().contains(words), "{info}");
        assert_eq!(served.results(&path, "unprocessedrecords").await[1][0], "x", "{header}");
        assert_eq!(served.results(&path, "successfulResults").await.len(), 1);
    }
}

#[tokio::test]
async fn formats_multipart_lists_and_abort() {
    let served = serve().await;
    let wanted = Wanted::new("Account", "insert").with("columnDelimiter", "PIPE").with("lineEnding", "CRLF");
    let (path, info) =
        served.load(&wanted, "Name|Description\r\na|\"x|y\"\r\nb|\"1\n2\"\r\n".to_owned()).await;
    assert_eq!((&info["columnDelimiter"], &info["lineEnding"]), (&json!("PIPE"), &json!("CRLF")));
    assert_eq!(info["numberRecordsFailed"], 0, "{info}");
    let text = served.get(&format!("{path}/successfulResults")).await.text().await.unwrap();
    assert!(text.starts_with("\"sf__Id\"|\"sf__Created\"|\"Name\"|\"Description\"\r\n"), "{text}");
    assert_eq!(count(&served, "Name IN ('a', 'b')").await, 2);
    let body = "--B\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n\
                {\"object\":\"Account\",\"contentType\":\"CSV\",\"operation\":\"insert\"}\r\n--B\r\nContent-Type: text/csv\r\n\
                Content-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\nName\nby parts\n\r\n--B--\r\n";
    let request =
        served.client.post(format!("{}{JOBS}", served.simulator.address)).bearer_auth(&served.token);
    let made =
        request.header("content-type", "multipart/form-data; boundary=B").body(body).send().await.unwrap();
    let made: Value = made.json().await.unwrap();
    assert_eq!(made["state"], "UploadComplete", "{made}");
    served.ended(&format!("{JOBS}/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(count(&served, "Name = 'by parts'").await, 1);
    let open = served.new_load(&json!({"object": "Account", "operation": "insert"})).await;
    let open: Value = open.json().await.unwrap();
    let path = format!("{JOBS}/{}", open["id"].as_str().unwrap());
    assert_eq!(served.set_state(&path, "Aborted").await.json::<Value>().await.unwrap()["state"], "Aborted");
    let message = refused(served.set_state(&path, "UploadComplete").await, 400, "INVALIDJOBSTATE").await;
    assert_eq!(message, "Closing already Aborted Job not allowed");
    let list = served.json(&format!("{JOBS}?jobType=V2Ingest")).await;
    assert_eq!((list["records"].as_array().unwrap().len(), &list["done"]), (3, &json!(true)));
    assert!(list["records"][0].get("numberRecordsProcessed").is_none());
    assert!(served.json(&format!("{JOBS}?jobType=Classic")).await["records"].as_array().unwrap().is_empty());
    assert!(served.json("/services/data/v62.0/jobs/query").await["records"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn rows_that_cannot_be_read_fail_alone_and_gzip_is_undone() {
    let served = serve().await;
    let csv = "Name,Since__c,AnnualRevenue,Id\n\"good\",2026-01-31,1.0E3,\n\"stray\" ,,,\nbad,31.1.2026,,\n\
               wide,,,,\nshort\nwith,,,001000000000001AAA\n,,,\nz,1940-06-07Z,,\n";
    let (path, info) = served.load(&Wanted::new("Account", "insert").gzip(), csv.to_owned()).await;
    let failed = served.results(&path, "failedResults").await;
    assert_eq!(
        (&info["state"], &info["numberRecordsFailed"]),
        (&json!("JobComplete"), &json!(4)),
        "{failed:?}"
    );
    let errors: Vec<&str> = failed[1..].iter().map(|row| row[1].split(':').next().unwrap()).collect();
    for code in ["CLIENT_INPUT_ERROR", "INVALID_TYPE_ON_FIELD_IN_RECORD", "INVALID_FIELD_FOR_INSERT_UPDATE"] {
        assert!(errors.contains(&code), "{code}: {errors:?}");
    }
    let good = rows(&served, "SELECT AnnualRevenue, Since__c FROM Account WHERE Name = 'good'").await;
    assert_eq!((&good[0]["AnnualRevenue"], &good[0]["Since__c"]), (&json!(1000.0), &json!("2026-01-31")));
    assert_eq!(count(&served, "Name IN ('short', 'z')").await, 2);
}

#[tokio::test]
async fn deletes_go_to_the_bin_and_hard_ones_past_it() {
    let org =
        common::ORG.replace("ViewAllData, QueryAllFiles]", "ViewAllData, QueryAllFiles, BulkApiHardDelete]");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let ids = rows(&served, "SELECT Id FROM Account").await;
    let id = |row: usize| ids[row]["Id"].as_str().unwrap();
    let (_, info) = served.load(&Wanted::new("Account", "delete"), format!("Id\n{}\n", id(0))).await;
    assert_eq!(info["numberRecordsFailed"], 0);
    let csv = format!("Id\n{}\n{}\n{}\n", id(0), id(1), "003000000000001AAA");
    let (path, info) = served.load(&Wanted::new("Account", "hardDelete"), csv).await;
    assert_eq!(
        (&info["operation"], &info["numberRecordsFailed"]),
        (&json!("hardDelete"), &json!(1)),
        "{info}"
    );
    let failed = served.results(&path, "failedResults").await;
    assert!(failed[1][1].starts_with("MALFORMED_ID:"), "{failed:?}");
    let all = served.json("/services/data/v62.0/queryAll?q=SELECT+Id+FROM+Account").await;
    assert_eq!(all["totalSize"], 1, "the one that was in the bin before: {all}");
}

#[tokio::test]
async fn jobs_are_lost_in_the_middle_as_the_plan_says() {
    let served = serve().await;
    let csv: String = (0..1_000).map(|row| format!("Lost {row}\n")).collect();
    let csv = format!("Name\n{csv}");
    let plan = |job: &str| {
        let text = format!("faults: [{{match: {{resource: IngestState}}, do: {{job: {job}}}}}]");
        served.simulator.set_faults(FaultPlan::from_yaml(&text).unwrap());
    };
    plan("{failAfter: {rows: 300, message: 'InternalServerError : gone'}}");
    let (path, info) = served.load(&Wanted::new("Account", "insert"), csv.clone()).await;
    assert_eq!((&info["state"], &info["numberRecordsProcessed"]), (&json!("Failed"), &json!(400)), "{info}");
    assert_eq!(info["errorMessage"], "InternalServerError : gone");
    assert_eq!(served.results(&path, "successfulResults").await.len(), 401);
    assert_eq!(served.results(&path, "unprocessedrecords").await.len(), 601);
    assert_eq!(served.simulator.faults()[0].fired, 1);
    plan("{abortAfter: {rows: 200}}");
    let (path, info) = served.load(&Wanted::new("Account", "insert"), csv.clone()).await;
    assert_eq!((&info["state"], &info["numberRecordsProcessed"]), (&json!("Aborted"), &json!(200)), "{info}");
    assert_eq!(served.results(&path, "unprocessedrecords").await.len(), 801);
    let before = count(&served, "Name LIKE 'Lost %'").await;
    plan("stall");
    let path = served.begin(&Wanted::new("Account", "insert"), csv.clone()).await;
    while count(&served, "Name LIKE 'Lost %'").await < before + 1_000 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let info = served.json(&path).await;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"]),
        (&json!("InProgress"), &json!(1_000)),
        "{info}"
    );
    plan("{fail: 'InvalidBatch : no'}");
    let (path, info) = served.load(&Wanted::new("Account", "insert"), csv).await;
    assert_eq!((&info["state"], &info["numberRecordsProcessed"]), (&json!("Failed"), &json!(0)));
    assert_eq!(served.results(&path, "unprocessedrecords").await.len(), 1_001);
}

#[tokio::test]
async fn rows_are_refused_and_answers_lost_as_the_plan_says() {
    let served = serve().await;
    let csv: String = (0..1_000).map(|row| format!("Row {row}\n")).collect();
    let csv = format!("Name\n{csv}");
    let plan = "seed: 3\nfaults: [{match: {resource: IngestCreate}, most: 1, do: {rows: {chance: 0.2}}}]";
    served.simulator.set_faults(FaultPlan::from_yaml(plan).unwrap());
    let (path, info) = served.load(&Wanted::new("Account", "insert"), csv.clone()).await;
    let failed = info["numberRecordsFailed"].as_u64().unwrap();
    assert!((100..300).contains(&failed), "{info}");
    let told = served.results(&path, "failedResults").await;
    assert_eq!(told.len() as u64, failed + 1);
    assert_eq!(
        told[1][1],
        "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records:--"
    );
    assert_eq!(count(&served, "Name LIKE 'Row %'").await, 1_000 - failed);
    // in REST as well
    let plan = "faults: [{match: {resource: Collections}, do: {rows: {text: second}}}]";
    served.simulator.set_faults(FaultPlan::from_yaml(plan).unwrap());
    let record = |name: &str| json!({"attributes": {"type": "Account"}, "Name": name});
    let body = json!({"records": [record("first"), record("second")]});
    let path = "/services/data/v62.0/composite/sobjects";
    let told: Value = served.send(Method::POST, &served.token, path, Some(body)).await.json().await.unwrap();
    assert_eq!((&told[0]["success"], &told[1]["success"]), (&json!(true), &json!(false)), "{told}");
    assert_eq!(told[1]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW");
    let loads = &served.json("/_simulator").await["orgs"][0]["loads"];
    assert_eq!(loads["rows"], 1_000);
    assert!(
        loads["bytes"].as_u64() > Some(5_000) && loads["rowsPerBusySecond"].as_f64() > Some(0.0),
        "{loads}"
    );
    // each call that writes is carried out, and its answer lost
    for resource in ["IngestCreate", "IngestUpload", "IngestState"] {
        let plan = format!("faults: [{{match: {{resource: {resource}}}, n: 1, do: {{close: after}}}}]");
        served.simulator.set_faults(FaultPlan::from_yaml(&plan).unwrap());
        let request = |method: Method, path: &str| {
            let request = served.client.request(method, format!("{}{path}", served.simulator.address));
            request.bearer_auth(&served.token)
        };
        let wish = json!({"object": "Account", "operation": "insert"});
        let mut made = request(Method::POST, JOBS).json(&wish).send().await;
        if resource == "IngestCreate" {
            assert!(made.is_err());
            let list = served.json(JOBS).await;
            assert_eq!(
                list["records"].as_array().unwrap().iter().filter(|job| job["state"] == "Open").count(),
                1
            );
            made = request(Method::POST, JOBS).json(&wish).send().await;
        }
        let id = made.unwrap().json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        let path = format!("{JOBS}/{id}");
        let put = request(Method::PUT, &format!("{path}/batches")).header("content-type", "text/csv");
        let put = put.body(format!("Name\n{resource}\n")).send().await;
        assert_eq!(put.is_err(), resource == "IngestUpload");
        let closed = request(Method::PATCH, &path).json(&json!({"state": "UploadComplete"})).send().await;
        assert_eq!(closed.is_err(), resource == "IngestState");
        assert_eq!(served.ended(&path).await["state"], "JobComplete");
        assert_eq!(count(&served, &format!("Name = '{resource}'")).await, 1);
        assert_eq!(served.simulator.faults()[0].fired, 1);
    }
}

#[tokio::test]
async fn batches_are_counted_and_the_rest_is_left_where_none_is_allowed() {
    let org =
        common::ORG.replace("dailyApiRequests: 100000", "dailyApiRequests: 100000, dailyBulkApiBatches: 2");
    let served = serve_as(&[("org.yaml", &org)], &[], |_| {}).await;
    let csv: String = (0..25_000).map(|row| format!("{row}\n")).collect();
    let (path, info) = served.load(&Wanted::new("Account", "insert"), format!("Name\n{csv}")).await;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"].as_u64().unwrap() % 5_000),
        (&json!("Failed"), 0),
        "{info}"
    );
    assert!(info["errorMessage"].as_str().unwrap().contains("ExceededQuota"));
    let (done, rest) = (
        served.results(&path, "successfulResults").await.len(),
        served.results(&path, "unprocessedrecords").await.len(),
    );
    assert_eq!(done + rest, 25_002);
    let limits = served.json("/services/data/v62.0/limits").await;
    assert_eq!(limits["DailyBulkApiBatches"], json!({"Max": 2, "Remaining": 0}));
    let again = served.new_load(&json!({"object": "Account", "operation": "insert"})).await;
    refused(again, 400, "EXCEEDEDQUOTA").await;
}
