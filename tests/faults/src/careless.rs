//! A test double that reads as a hasty script would: it ignores row counts and totals, takes HTML for CSV, reads
//! as much of a compressed or broken-off body as there is, and follows whatever it is told. The campaign must find
//! it out.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::harvest::{Harvest, Object, Row};
use crate::org::{BULK, BULK_PAGE, CLIENT_ID, CLIENT_SECRET, objects};
use crate::wire::{Head, Message};

const DATA: &str = "/services/data/v64.0";
/// Pages that it follows at most, so that it comes to an end.
const PAGES: usize = 40;

struct Careless {
    address: SocketAddr,
    token: String,
}

/// Reads everything, whatever comes.
pub async fn read(address: SocketAddr) -> Harvest {
    let mut client = Careless { address, token: String::new() };
    client.sign_in().await;
    let org = client.get(&format!("{DATA}/query?q=SELECT+Id+FROM+Organization")).await;
    let mut harvest =
        Harvest { org: text(&org["records"][0]["Id"]).unwrap_or_default(), ..Harvest::default() };
    for name in objects() {
        harvest.objects.insert(name.clone(), client.object(&name).await);
    }
    harvest
}

impl Careless {
    async fn object(&mut self, name: &str) -> Object {
        let described = self.get(&format!("{DATA}/sobjects/{name}/describe")).await;
        let fields: Vec<String> = described["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|field| text(&field["name"]))
            .collect();
        let count = self.get(&format!("{DATA}/queryAll?q=SELECT+count()+FROM+{name}")).await;
        let soql = format!("SELECT {} FROM {name}", fields.join(","));
        let rows = if BULK.iter().any(|(bulk, _)| *bulk == name) {
            self.bulk(&soql).await
        } else {
            self.rest(&soql, &fields).await
        };
        let mut object = Object {
            fields: fields.into_iter().map(|field| (field, String::new())).collect(),
            counted: count["totalSize"].as_u64().unwrap_or_default(),
            rows,
        };
        object.settle();
        object
    }

    async fn rest(&mut self, soql: &str, fields: &[String]) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut next = Some(format!("{DATA}/queryAll?q={}", soql.replace(' ', "+")));
        for _ in 0..PAGES {
            let Some(path) = next.take() else { break };
            let page = self.get(&path).await;
            for record in page["records"].as_array().into_iter().flatten() {
                rows.push(fields.iter().map(|field| text(&record[field.as_str()])).collect());
            }
            next = text(&page["nextRecordsUrl"]);
        }
        rows
    }

    async fn bulk(&mut self, soql: &str) -> Vec<Row> {
        let body = format!(r#"{{"operation":"queryAll","query":"{soql}"}}"#);
        let made = self.call("POST", &format!("{DATA}/jobs/query"), &body).await;
        let made: Json = serde_json::from_slice(&made.body).unwrap_or_default();
        let job = format!("{DATA}/jobs/query/{}", text(&made["id"]).unwrap_or_default());
        for _ in 0..PAGES {
            if self.get(&job).await["state"] == "JobComplete" {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let mut rows = Vec::new();
        let mut locator = String::new();
        for _ in 0..PAGES {
            let path = format!("{job}/results?maxRecords={BULK_PAGE}{locator}");
            let page = self.call("GET", &path, "").await;
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(page.body.as_slice());
            for record in reader.records().flatten() {
                rows.push(
                    record.iter().map(|cell| Some(cell.to_owned()).filter(|cell| !cell.is_empty())).collect(),
                );
            }
            match page.head.get("sforce-locator") {
                Some(next) if next != "null" => {
                    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                    locator = format!("&locator={next}");
                }
                _ => break,
            }
        }
        rows
    }

    async fn sign_in(&mut self) {
        let form =
            format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
        let answer = self.try_call("POST", "/services/oauth2/token", &form).await.unwrap_or_default();
        let answer: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        self.token = text(&answer["access_token"]).unwrap_or_default();
    }

    async fn get(&mut self, path: &str) -> Json {
        // what is no JSON has no rows
        serde_json::from_slice(&self.call("GET", path, "").await.body).unwrap_or_default()
    }

    /// Tries again what any script tries again.
    async fn call(&mut self, method: &str, path: &str, body: &str) -> Message {
        for _ in 0..3 {
            match self.try_call(method, path, body).await {
                Ok(answer) if answer.status() == 401 => self.sign_in().await,
                Ok(answer) if answer.status() < 500 => return answer,
                _ => {}
            }
        }
        Message::default()
    }

    async fn try_call(&self, method: &str, path: &str, body: &str) -> io::Result<Message> {
        let mut head = Head { first: format!("{method} {path} HTTP/1.1"), headers: Vec::new() };
        head.set("host", &self.address.to_string());
        head.set("accept-encoding", "gzip");
        head.set("authorization", &format!("Bearer {}", self.token));
        let json = body.starts_with('{');
        head.set("content-type", if json { "application/json" } else { "application/x-www-form-urlencoded" });
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(&Message { head, body: body.as_bytes().to_vec() }.to_bytes()).await?;
        let mut reader = BufReader::new(stream);
        let patience = Duration::from_mins(1);
        let head = tokio::time::timeout(patience, Head::read(&mut reader)).await??;
        let head = head.ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = head.get("content-length").and_then(|text| text.parse().ok());
        let mut body = Vec::new();
        // as much as comes, and no question why there is no more
        let _ =
            tokio::time::timeout(patience, reader.take(length.unwrap_or(u64::MAX)).read_to_end(&mut body))
                .await;
        if head.get("content-encoding") == Some("gzip") {
            let mut plain = Vec::new();
            let _ = GzDecoder::new(body.as_slice()).read_to_end(&mut plain);
            body = plain;
        }
        Ok(Message { head, body })
    }
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}
