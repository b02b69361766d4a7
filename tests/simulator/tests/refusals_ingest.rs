//! What Salesforce refuses of loads, each by its number in the list of refusals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::loads::Wanted;
use common::{ORG, Served, refused, serve, serve_as, serve_with};
use orgkeep_simulator::Facts;
use reqwest::Method;
use serde_json::{Value, json};

const JOBS: &str = "/services/data/v62.0/jobs/ingest";
const HARD: &str =
    "hardDelete operation requires special user profile permission, please contact your system administrator";

async fn open(served: &Served) -> String {
    let made = served.new_load(&json!({"object": "Account", "operation": "insert"})).await;
    format!("{JOBS}/{}", made.json::<Value>().await.unwrap()["id"].as_str().unwrap())
}

#[tokio::test]
async fn refuses_46_hard_delete_without_its_permission() {
    let served = serve().await;
    let message = refused(
        served.new_load(&json!({"object": "Account", "operation": "hardDelete"})).await,
        400,
        "FEATURENOTENABLED",
    )
    .await;
    assert_eq!(message, HARD);
    let url = format!("{}/services/async/62.0/job", served.simulator.address);
    let request = served.client.post(url).header("x-sfdc-session", &served.token);
    let wish = json!({"operation": "hardDelete", "object": "Account", "contentType": "CSV"});
    let answer = request.json(&wish).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let told: Value = answer.json().await.unwrap();
    assert_eq!(told, json!({"exceptionCode": "FeatureNotEnabled", "exceptionMessage": HARD}));
}

#[tokio::test]
async fn refuses_47_a_second_upload() {
    let served = serve().await;
    let path = open(&served).await;
    assert_eq!(served.put_csv(&format!("{path}/batches"), "Name\na\n").await.status(), 201);
    let message =
        refused(served.put_csv(&format!("{path}/batches"), "Name\nb\n").await, 400, "INVALIDJOB").await;
    assert!(message.starts_with("Found multiple contents for job: <750"), "{message}");
    served.set_state(&path, "UploadComplete").await;
    refused(served.put_csv(&format!("{path}/batches"), "Name\nc\n").await, 400, "INVALIDJOBSTATE").await;
    assert_eq!(served.ended(&path).await["numberRecordsProcessed"], 1);
    // as it was seen in 2018: the upload is taken, and the end of it refused
    let mut facts = Facts::default();
    facts.set("ingestSecondUpload=atClose").unwrap();
    let served = serve_as(&[], &[], |options| options.facts = facts).await;
    let path = open(&served).await;
    for _ in 0..2 {
        assert_eq!(served.put_csv(&format!("{path}/batches"), "Name\na\n").await.status(), 201);
    }
    refused(served.set_state(&path, "UploadComplete").await, 400, "INVALIDJOB").await;
    assert_eq!(served.set_state(&path, "Aborted").await.status(), 200);
}

#[tokio::test]
async fn refuses_48_another_line_ending_than_the_jobs() {
    let served = serve().await;
    for (ending, csv) in [("LF", "Name\r\na\r\n"), ("CRLF", "Name\na\n"), ("LF", "Name\na\r\nb\n")] {
        let wanted = Wanted::new("Account", "insert").with("lineEnding", ending);
        let (path, info) = served.load(&wanted, csv.to_owned()).await;
        assert_eq!((&info["state"], &info["numberRecordsProcessed"]), (&json!("Failed"), &json!(0)));
        let words = format!(
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {ending}"
        );
        assert_eq!(info["errorMessage"], words.as_str());
        assert!(served.results(&path, "unprocessedrecords").await.len() > 1);
    }
    let mixed = "Name,Description\na,\"b\r\nc\"\n";
    let (_, info) = served.load(&Wanted::new("Account", "insert"), mixed.to_owned()).await;
    assert_eq!((&info["state"], &info["numberRecordsFailed"]), (&json!("JobComplete"), &json!(0)));
    let mut facts = Facts::default();
    facts.set("ingestBreaks=refused").unwrap();
    let served = serve_as(&[], &[], |options| options.facts = facts).await;
    let (_, info) = served.load(&Wanted::new("Account", "insert"), mixed.to_owned()).await;
    assert_eq!(info["state"], "Failed");
}

#[tokio::test]
async fn refuses_49_what_is_above_the_sizes() {
    let served = serve().await;
    let path = open(&served).await;
    // 112.5 MB are 150 MB in base64
    let large = vec![b'x'; 112_500_001];
    let message =
        refused(served.put_csv(&format!("{path}/batches"), large).await, 400, "CLIENTINPUTERROR").await;
    assert!(message.contains("Exceeded max size limit of 150000000"), "{message}");
    assert_eq!(
        served.put_csv(&format!("{path}/batches"), "Name\na\n").await.status(),
        201,
        "nothing was kept"
    );
    let long = "x".repeat(32_001);
    for (csv, words) in [
        (format!("Name,Description\na,{long}\n"), "Exceeded max field size: 32001"),
        (
            format!("{}\n1\n", vec!["Name"; 5_001].join(",")),
            "Exceeded max number of columns per record : 5000",
        ),
        (format!("Name\n{}\n", vec![&long[2..]; 13].join(",")), "Exceeded max length for one record: 415987"),
    ] {
        let (_, info) = served.load(&Wanted::new("Account", "insert"), csv).await;
        assert_eq!((&info["state"], &info["numberRecordsProcessed"]), (&json!("Failed"), &json!(0)));
        let message = info["errorMessage"].as_str().unwrap();
        assert!(
            message.starts_with("InvalidBatch : Failed to parse CSV. ") && message.contains(words),
            "{message}"
        );
    }
    let request = served.client.put(format!("{}{path}/batches", served.simulator.address));
    let request = request.bearer_auth(&served.token).header("content-type", "application/json").body("{}");
    refused(request.send().await.unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE").await;
}

#[tokio::test]
async fn refuses_50_rows_whose_parent_another_writer_holds() {
    let org =
        ORG.replace("dailyApiRequests: 100000", "dailyApiRequests: 100000, bulkChunkMs: 500, lockWaitMs: 50");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let found: Value = served.query("SELECT Id FROM Account WHERE Name = 'Acme'").await.json().await.unwrap();
    let account = found["records"][0]["Id"].as_str().unwrap();
    let rows = |name: &str| {
        let rows: String = (0..400).map(|row| format!("{name} {row},{account}\n")).collect();
        format!("Name,AccountId\n{rows}")
    };
    let wanted = Wanted::new("Contact", "insert");
    let first = served.begin(&wanted, rows("First")).await;
    let second = served.begin(&wanted, rows("Second")).await;
    let (first_info, second_info) = (served.ended(&first).await, served.ended(&second).await);
    let failed = |info: &Value| info["numberRecordsFailed"].as_u64().unwrap();
    let together = failed(&first_info) + failed(&second_info);
    assert!(together >= 200, "{first_info} {second_info}");
    let loser = if failed(&second_info) > 0 { &second } else { &first };
    let told = served.results(loser, "failedResults").await;
    let words = format!(
        "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: {account}:--"
    );
    assert_eq!(told[1][1], words);
    // whoever is alone gets in, and every row is there once
    let mut again = String::from("Name,AccountId\n");
    for path in [&first, &second] {
        for row in &served.results(path, "failedResults").await[1..] {
            again.push_str(&format!("{},{}\n", row[2], row[3]));
        }
    }
    let (_, info) = served.load(&wanted, again).await;
    assert_eq!((failed(&info), &info["numberRecordsProcessed"]), (0, &json!(together)));
    let count =
        served.query("SELECT count() FROM Contact WHERE Name LIKE 'First%' OR Name LIKE 'Second%'").await;
    assert_eq!(count.json::<Value>().await.unwrap()["totalSize"], 800);
}

#[tokio::test]
async fn refuses_what_is_no_load() {
    let served = serve().await;
    for (wish, code, words) in [
        (
            json!({"object": "Nothing__c", "operation": "insert"}),
            "INVALIDJOB",
            "Unable to find object: Nothing__c",
        ),
        (json!({"object": "Account", "operation": "merge"}), "INVALIDJOB", "merge"),
        (
            json!({"object": "Account", "operation": "upsert"}),
            "INVALIDJOB",
            "External ID was blank for Account",
        ),
        (
            json!({"object": "Account", "operation": "upsert", "externalIdFieldName": "Industry"}),
            "INVALIDJOB",
            "Field name provided, Industry does not match an External ID",
        ),
        (
            json!({"object": "CaseStatus", "operation": "insert"}),
            "INVALIDENTITY",
            "not supported by the Bulk API",
        ),
        (json!({"object": "Account", "operation": "insert", "contentType": "JSON"}), "INVALIDJOB", "CSV"),
        (json!({"object": "Account", "operation": "insert", "lineEnding": "CR"}), "INVALIDJOB", "lineEnding"),
        (json!("nothing"), "JSON_PARSER_ERROR", ""),
    ] {
        let message = refused(served.new_load(&wish).await, 400, code).await;
        assert!(message.contains(words), "{message}");
    }
    let hidden = served.sign_in("blind@acme.example").await;
    let wish = json!({"object": "Contact", "operation": "insert"});
    refused(served.send(Method::POST, &hidden, JOBS, Some(wish)).await, 400, "INVALIDJOB").await;
    let path = format!("{JOBS}/750000000000000AAA");
    refused(served.get(&path).await, 404, "NOT_FOUND").await;
    let path = open(&served).await;
    refused(served.set_state(&path, "JobComplete").await, 400, "INVALIDJOBSTATE").await;
    refused(served.get(&format!("{path}/batches")).await, 405, "METHOD_NOT_ALLOWED").await;
    // a job without rows comes to its end
    assert_eq!(served.set_state(&path, "UploadComplete").await.status(), 200);
    assert_eq!(served.ended(&path).await["state"], "JobComplete");
    let again = refused(served.set_state(&path, "Aborted").await, 400, "INVALIDJOBSTATE").await;
    assert_eq!(again, "Aborting already Completed Job not allowed");
}
