//! A plain client of Bulk 2.0 ingest.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::Served;

const JOBS: &str = "/services/data/v62.0/jobs/ingest";

/// What a job is to do.
pub struct Wanted {
    pub job: Value,
    gzip: bool,
}

impl Wanted {
    pub fn new(object: &str, operation: &str) -> Self {
        Self { job: json!({"object": object, "operation": operation}), gzip: false }
    }

    pub fn key(self, name: &str) -> Self {
        self.with("externalIdFieldName", name)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.job[name] = json!(value);
        self
    }

    pub fn gzip(mut self) -> Self {
        self.gzip = true;
        self
    }
}

impl Served {
    pub async fn new_load(&self, job: &Value) -> Response {
        self.send(Method::POST, &self.token, JOBS, Some(job.clone())).await
    }

    pub async fn put_csv(&self, path: &str, csv: impl Into<reqwest::Body>) -> Response {
        let request = self.client.put(format!("{}{path}", self.simulator.address)).bearer_auth(&self.token);
        request.header("content-type", "text/csv").body(csv).send().await.unwrap()
    }

    pub async fn set_state(&self, path: &str, state: &str) -> Response {
        self.send(Method::PATCH, &self.token, path, Some(json!({"state": state}))).await
    }

    /// Makes a job, uploads its rows and ends the upload; its path.
    pub async fn begin(&self, wanted: &Wanted, csv: String) -> String {
        let made = self.new_load(&wanted.job).await;
        assert_eq!(made.status(), 200, "{}", made.text().await.unwrap());
        let made: Value = made.json().await.unwrap();
        let path = format!("{JOBS}/{}", made["id"].as_str().unwrap());
        let url = format!("{}{path}/batches", self.simulator.address);
        let mut put =
            self.client.put(url).bearer_auth(&self.token).header("content-type", "text/csv; charset=UTF-8");
        if wanted.gzip {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(csv.as_bytes()).unwrap();
            put = put.header("content-encoding", "gzip").body(encoder.finish().unwrap());
        } else {
            put = put.body(csv);
        }
        assert_eq!(put.send().await.unwrap().status(), 201);
        assert_eq!(self.set_state(&path, "UploadComplete").await.status(), 200);
        path
    }

    /// The same, to the end of the job; its path and what is told of it.
    pub async fn load(&self, wanted: &Wanted, csv: String) -> (String, Value) {
        let path = self.begin(wanted, csv).await;
        let info = self.ended(&path).await;
        (path, info)
    }

    /// Waits for the end of a job.
    pub async fn ended(&self, path: &str) -> Value {
        for _ in 0..3_000 {
            let info = self.json(path).await;
            if matches!(info["state"].as_str(), Some("JobComplete" | "Failed" | "Aborted")) {
                return info;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path} does not end");
    }

    /// Rows of a result, the header first.
    pub async fn results(&self, path: &str, kind: &str) -> Vec<Vec<String>> {
        let answer = self.get(&format!("{path}/{kind}")).await;
        assert_eq!(answer.status(), 200, "{kind}");
        let text = answer.text().await.unwrap();
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }
}

/// The values of a column.
pub fn column<'a>(rows: &'a [Vec<String>], name: &str) -> Vec<&'a str> {
    let at = rows[0].iter().position(|known| known == name).unwrap();
    rows[1..].iter().map(|row| row[at].as_str()).collect()
}

/// Rows by the value of a column.
pub fn by(rows: &[Vec<String>], name: &str) -> HashMap<String, Vec<String>> {
    let at = rows[0].iter().position(|known| known == name).unwrap();
    rows[1..].iter().map(|row| (row[at].clone(), row.clone())).collect()
}
