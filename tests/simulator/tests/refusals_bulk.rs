//! What Bulk 2.0 query jobs refuse, by the numbers of the list of refusals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{ORG, Served, refused, serve, serve_as, serve_with};
use reqwest::Method;
use serde_json::{Value, json};

/// Code and words of a job that is not made.
async fn not_made(served: &Served, soql: &str, code: &str) -> String {
    refused(served.create_job(soql).await, 400, code).await
}

#[tokio::test]
async fn refuses_16_aggregates_and_groups() {
    let served = serve().await;
    for soql in [
        "SELECT COUNT() FROM Account",
        "SELECT COUNT(Id) FROM Account",
        "SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry",
        "SELECT Industry FROM Account GROUP BY Industry",
    ] {
        not_made(&served, soql, "API_ERROR").await;
    }
    // and what it refuses in the same way
    for soql in [
        "SELECT Id FROM Account LIMIT 5 OFFSET 5",
        "SELECT FIELDS(ALL) FROM Account LIMIT 200",
        "SELECT FIELDS(CUSTOM) FROM Account LIMIT 200",
        "SELECT TYPEOF Owner WHEN User THEN Name END FROM Account",
    ] {
        not_made(&served, soql, "API_ERROR").await;
    }
    assert_eq!(
        served.create_job("SELECT FIELDS(STANDARD) FROM Vote WHERE ParentId = null").await.status(),
        400
    );
    assert_eq!(served.create_job("SELECT Id FROM Account ORDER BY Name LIMIT 5").await.status(), 200);
}

#[tokio::test]
async fn refuses_17_compound_addresses() {
    let served = serve().await;
    let message = not_made(&served, "SELECT Id, Place__c FROM Account", "API_ERROR").await;
    assert_eq!(message, "Selecting compound data not supported in Bulk Query");
}

#[tokio::test]
async fn refuses_18_base64_fields() {
    let served = serve().await;
    let message = not_made(&served, "SELECT Id, Body FROM Attachment", "API_ERROR").await;
    assert!(message.contains("Body"), "{message}");
    assert_eq!(served.create_job("SELECT Id, Name FROM Attachment").await.status(), 200);
}

#[tokio::test]
async fn refuses_19_sub_selects() {
    let served = serve().await;
    let message = not_made(&served, "SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR").await;
    assert_eq!(message, "Aggregate Relationships not supported in Bulk V2 Query with CSV content type");
    let joined = "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)";
    assert_eq!(served.create_job(joined).await.status(), 200);
}

#[tokio::test]
async fn refuses_20_objects_that_bulk_does_not_support() {
    let served = serve().await;
    let message = not_made(&served, "SELECT Id FROM CaseStatus", "INVALIDENTITY").await;
    assert_eq!(message, "Entity 'CaseStatus' is not supported by the Bulk API.");
    not_made(&served, "SELECT Nothing FROM Account", "INVALID_FIELD").await;
    not_made(&served, "SELECT Id FROM Nothing", "INVALID_TYPE").await;
    not_made(&served, "SELECT", "MALFORMED_QUERY").await;
}

#[tokio::test]
async fn refuses_16_to_20_later_if_that_is_the_form() {
    let served = serve_as(&[], &[], |options| options.facts.set("bulkRefusal=later").unwrap()).await;
    for (soql, words) in [
        (
            "SELECT Id, Place__c FROM Account",
            "FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk Query",
        ),
        ("SELECT Id FROM CaseStatus", "INVALIDENTITY: Entity 'CaseStatus' is not supported by the Bulk API."),
    ] {
        let job = served.job(soql).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let info = served.json(&job).await;
        assert_eq!(info["state"], "Failed");
        assert_eq!(info["errorMessage"], format!("InvalidBatch : Failed to process query: {words}"));
        refused(served.get(&format!("{job}/results")).await, 400, "INVALIDJOBSTATE").await;
        assert_eq!(served.send(Method::DELETE, &served.token, &job, None).await.status(), 204);
    }
}

#[tokio::test]
async fn refuses_21_results_before_the_job_is_complete() {
    let served = serve().await;
    let job = served.job("SELECT Id FROM Account").await;
    refused(served.get(&format!("{job}/results")).await, 400, "INVALIDJOBSTATE").await;
    refused(served.get(&format!("{job}/resultPages")).await, 400, "INVALIDJOBSTATE").await;
    let aborted = served.send(Method::PATCH, &served.token, &job, Some(json!({"state": "Aborted"}))).await;
    assert_eq!(aborted.json::<Value>().await.unwrap()["state"], "Aborted");
    refused(served.get(&format!("{job}/results")).await, 400, "INVALIDJOBSTATE").await;
}

#[tokio::test]
async fn refuses_22_result_pages_of_another_version() {
    let served = serve().await;
    let job = served.complete_job("SELECT Id FROM Account").await;
    assert_eq!(served.get(&format!("{job}/resultPages")).await.status(), 200);
    for path in ["resultPages", "results"] {
        let other = served.get(&format!("{}/{path}", job.replace("v62.0", "v60.0"))).await;
        refused(other, 409, "API_VERSION_MISMATCH").await;
    }
    // neither is older than it is
    refused(served.get(&format!("{}/resultPages", job.replace("v62.0", "v57.0"))).await, 404, "NOT_FOUND")
        .await;
    refused(served.get("/services/data/v46.0/jobs/query").await, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn refuses_23_the_deletion_of_a_job_that_runs() {
    let served = serve().await;
    let job = served.job("SELECT Id FROM Account").await;
    let message =
        refused(served.send(Method::DELETE, &served.token, &job, None).await, 400, "API_ERROR").await;
    assert_eq!(message, "Error encountered when deleting the job because the job is not terminated");
    let abort = || served.send(Method::PATCH, &served.token, &job, Some(json!({"state": "Aborted"})));
    assert_eq!(abort().await.status(), 200);
    refused(abort().await, 400, "INVALIDJOBSTATE").await;
    assert_eq!(served.send(Method::DELETE, &served.token, &job, None).await.status(), 204);
    refused(served.get(&job).await, 404, "NOT_FOUND").await;
    let job = served.complete_job("SELECT Id FROM Account").await;
    let late = served.send(Method::PATCH, &served.token, &job, Some(json!({"state": "Aborted"}))).await;
    assert_eq!(refused(late, 400, "INVALIDJOBSTATE").await, "Aborting already Completed Job not allowed");
}

#[tokio::test]
async fn refuses_jobs_once_results_fill_the_storage() {
    let org = ORG.replace("100000}", "100000, dailyBulkV2QueryFileStorageMB: 1}");
    let served = serve_with(&[("org.yaml", &org)], &[("Account", 100_000)]).await;
    served.complete_job("SELECT Id FROM Account").await;
    let limits = served.json("/services/data/v62.0/limits").await;
    assert_eq!(limits["DailyBulkV2QueryFileStorageMB"], json!({"Max": 1, "Remaining": -1}));
    let message = not_made(&served, "SELECT Id FROM Account", "LIMIT_EXCEEDED").await;
    assert_eq!(message, "Max bulk v2 query result size stored (1024) kb per 24 hrs has been exceeded");
}

#[tokio::test]
async fn refuses_wrong_wishes_locators_and_jobs_above_the_allowance() {
    let served =
        serve_with(&[("org.yaml", &ORG.replace("100000}", "100000, dailyBulkV2QueryJobs: 2}"))], &[]).await;
    let create = async |body: Value| {
        served.send(Method::POST, &served.token, "/services/data/v62.0/jobs/query", Some(body)).await
    };
    let query = "SELECT Id FROM Account";
    for body in [
        json!({"operation": "insert", "query": query}),
        json!({"operation": "query"}),
        json!({"operation": "query", "query": query, "contentType": "JSON"}),
        json!({"operation": "query", "query": query, "columnDelimiter": "SPACE"}),
        json!({"operation": "query", "query": query, "lineEnding": "CR"}),
    ] {
        refused(create(body).await, 400, "INVALIDJOB").await;
    }
    refused(create(json!(["x"])).await, 400, "JSON_PARSER_ERROR").await;
    let (one, two) = (served.complete_job(query).await, served.complete_job(query).await);
    let message = not_made(&served, query, "LIMIT_EXCEEDED").await;
    assert_eq!(message, "Max bulk v2 query jobs (2) per 24 hrs has been reached (2)");
    let first = served.get(&format!("{one}/results?maxRecords=1")).await;
    let locator = first.headers()["sforce-locator"].to_str().unwrap().to_owned();
    assert_eq!(served.get(&format!("{one}/results?locator={locator}")).await.status(), 200);
    for path in [format!("{two}/results?locator={locator}"), format!("{one}/results?locator=MjAw")] {
        refused(served.get(&path).await, 400, "INVALID_QUERY_LOCATOR").await;
    }
    refused(served.get(&format!("{one}/results?maxRecords=0")).await, 400, "INVALID_SEARCH").await;
    let closed = served.send(Method::PATCH, &served.token, &one, Some(json!({"state": "Open"}))).await;
    refused(closed, 400, "INVALIDJOB").await;
}
