//! An org of a few objects over HTTP, just enough for the client, that counts calls and breaks on demand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use orgkeep_core::id::SalesforceId;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// One object; its rows follow from their number.
#[derive(Clone)]
pub struct Object {
    pub name: &'static str,
    pub rows: u64,
    /// Bulk refuses it.
    pub no_bulk: bool,
    /// Reading it is refused.
    pub refused: bool,
    /// The org's count is off by so many.
    pub count_off: i64,
}

pub fn object(name: &'static str, rows: u64) -> Object {
    Object { name, rows, no_bulk: false, refused: false, count_off: 0 }
}

#[derive(Default)]
pub struct Faults {
    /// So many bodies of result pages are cut in the middle.
    pub cut_bodies: AtomicI64,
    /// After so many result pages the token is set; counts down.
    pub pages_until: AtomicI64,
    pub reached: CancellationToken,
    /// Rows of a result page.
    pub page_rows: AtomicU64,
    /// Every call waits so long, milliseconds.
    pub slow: AtomicU64,
}

pub struct Org {
    pub url: String,
    pub faults: Arc<Faults>,
    pub calls: Arc<AtomicU64>,
    pub pages: Arc<AtomicU64>,
}

struct Inner {
    url: String,
    objects: Vec<Object>,
    faults: Arc<Faults>,
    calls: Arc<AtomicU64>,
    pages: Arc<AtomicU64>,
    jobs: std::sync::Mutex<BTreeMap<String, String>>,
}

pub const COLUMNS: [(&str, &str); 6] = [
    ("Id", "id"),
    ("Name", "string"),
    ("Amount__c", "currency"),
    ("IsDeleted", "boolean"),
    ("CreatedDate", "datetime"),
    ("SystemModstamp", "datetime"),
];

impl Org {
    pub async fn start(objects: Vec<Object>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let faults = Arc::new(Faults {
            page_rows: AtomicU64::new(1_000),
            pages_until: AtomicI64::new(i64::MAX),
            ..Faults::default()
        });
        let (calls, pages) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let inner = Arc::new(Inner {
            url: url.clone(),
            objects,
            faults: Arc::clone(&faults),
            calls: Arc::clone(&calls),
            pages: Arc::clone(&pages),
            jobs: std::sync::Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(inner);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, faults, calls, pages }
    }
}

/// Cells of a row, as REST has them; ids run against the numbers, so that pages have to be sorted.
pub fn row(object: &str, total: u64, n: u64) -> Vec<Option<String>> {
    let id = SalesforceId::parse(&format!("a0{}{:012}", object.len() % 10, total - n)).unwrap();
    vec![
        Some(id.to_string()),
        Some(format!("{object} \"{n}\", größer\nand more")),
        (!n.is_multiple_of(3)).then(|| format!("{n}.25")),
        Some("false".to_owned()),
        Some("2026-01-02T03:04:05.000Z".to_owned()),
        Some("2026-01-02T03:04:05.000Z".to_owned()),
    ]
}

fn refuse(status: u16, code: &str) -> Response {
    let body = json!([{"errorCode": code, "message": "as the test wants it"}]);
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

async fn answer(State(org): State<Arc<Inner>>, request: Request) -> Response {
    let slow = org.faults.slow.load(Ordering::Relaxed);
    if slow > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(slow)).await;
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    if path == "/services/oauth2/token" {
        return Json(json!({"access_token": "t", "instance_url": org.url, "token_type": "Bearer"}))
            .into_response();
    }
    org.calls.fetch_add(1, Ordering::Relaxed);
    if path == "/services/data" {
        return Json(json!([{"version": "64.0", "url": "/services/data/v64.0", "label": "x"}]))
            .into_response();
    }
    let rest = path.strip_prefix("/services/data/v64.0/").unwrap_or_default();
    let steps: Vec<&str> = rest.split('/').collect();
    match (&parts.method, steps.as_slice()) {
        (_, ["limits"]) => {
            Json(json!({"DailyApiRequests": {"Max": 1_000_000, "Remaining": 999_000}})).into_response()
        }
        (_, ["limits", "recordCount"]) => {
            let counts: Vec<Value> =
                org.objects.iter().map(|o| json!({"name": o.name, "count": o.rows})).collect();
            Json(json!({"sObjects": counts})).into_response()
        }
        (_, ["sobjects"]) => {
            let all: Vec<Value> = org
                .objects
                .iter()
                .map(|o| json!({"name": o.name, "queryable": true, "retrieveable": true, "deprecatedAndHidden": false}))
                .collect();
            Json(json!({"sobjects": all})).into_response()
        }
        (_, ["sobjects", name, "describe"]) => {
            let fields: Vec<Value> = COLUMNS
                .iter()
                .map(|(name, kind)| {
                    json!({"name": name, "type": kind, "length": 80, "precision": 18, "scale": 2, "filterable": true})
                })
                .collect();
            Json(json!({"name": name, "label": name, "keyPrefix": "a00", "fields": fields})).into_response()
        }
        (_, ["query" | "queryAll"]) => org.query(&query["q"]),
        (_, ["query" | "queryAll", cursor]) => {
            let (name, from) = cursor.split_once('-').unwrap();
            org.rest_page(org.object(name).unwrap(), from.parse().unwrap())
        }
        (&Method::POST, ["jobs", "query"]) => org.make_job(&body),
        (&Method::GET, ["jobs", "query", id]) => match org.jobs.lock().unwrap().get(*id) {
            Some(_) => {
                Json(json!({"id": id, "state": "JobComplete", "numberRecordsProcessed": 0})).into_response()
            }
            None => refuse(404, "NOT_FOUND"),
        },
        (&Method::GET, ["jobs", "query", id, "results"]) => {
            let name = org.jobs.lock().unwrap().get(*id).cloned();
            match name {
                Some(name) => org.bulk_page(org.object(&name).unwrap(), &query),
                None => refuse(404, "NOT_FOUND"),
            }
        }
        (&Method::DELETE, ["jobs", "query", id]) => {
            org.jobs.lock().unwrap().remove(*id);
            StatusCode::NO_CONTENT.into_response()
        }
        (&Method::PATCH, ["jobs", "query", id]) => {
            Json(json!({"id": id, "state": "Aborted"})).into_response()
        }
        _ => refuse(404, "NOT_FOUND"),
    }
}

impl Inner {
    fn object(&self, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.name == name)
    }

    fn query(&self, soql: &str) -> Response {
        let after = soql.split(" FROM ").nth(1).unwrap_or_default();
        let name = after.split(' ').next().unwrap_or_default();
        if name == "Organization" {
            let row = json!({"attributes": {}, "Id": "00D000000000001AAA", "Name": "Acme", "OrganizationType": "Enterprise Edition",
                "InstanceName": "NA1", "IsSandbox": false});
            return Json(json!({"totalSize": 1, "done": true, "records": [row]})).into_response();
        }
        if name == "UserPermissionAccess" {
            return refuse(400, "INVALID_TYPE");
        }
        let Some(object) = self.object(name) else { return refuse(400, "INVALID_TYPE") };
        if soql.contains("count()") {
            let moved = soql.contains(" WHERE ");
            let count = if moved { 0 } else { object.rows.saturating_add_signed(object.count_off) };
            return Json(json!({"totalSize": count, "done": true, "records": []})).into_response();
        }
        if object.refused { refuse(400, "INVALID_FIELD") } else { self.rest_page(object, 0) }
    }

    #[allow(clippy::unused_self)] // beside its siblings
    fn rest_page(&self, object: &Object, from: u64) -> Response {
        let to = (from + 2_000).min(object.rows);
        let records: Vec<Value> = (from..to)
            .map(|n| {
                let cells = row(object.name, object.rows, n);
                let mut record = serde_json::Map::new();
                for ((name, kind), cell) in COLUMNS.iter().zip(cells) {
                    let value = match (*kind, cell) {
                        (_, None) => Value::Null,
                        ("boolean", Some(text)) => Value::Bool(text == "true"),
                        ("currency", Some(text)) => serde_json::from_str(&text).unwrap(),
                        (_, Some(text)) => Value::String(text),
                    };
                    record.insert((*name).to_owned(), value);
                }
                Value::Object(record)
            })
            .collect();
        let mut page = json!({"totalSize": object.rows, "done": to == object.rows, "records": records});
        if to < object.rows {
            page["nextRecordsUrl"] = json!(format!("/services/data/v64.0/query/{}-{to}", object.name));
        }
        Json(page).into_response()
    }

    fn make_job(&self, body: &[u8]) -> Response {
        let job: Value = serde_json::from_slice(body).unwrap();
        let soql = job["query"].as_str().unwrap();
        let name = soql.split(" FROM ").nth(1).unwrap().split(' ').next().unwrap();
        let object = self.object(name).unwrap();
        if object.no_bulk {
            return refuse(400, "INVALIDENTITY");
        }
        if object.refused {
            return refuse(400, "INVALID_FIELD");
        }
        let mut jobs = self.jobs.lock().unwrap();
        let id = format!("750{:015}", jobs.len() + 1);
        jobs.insert(id.clone(), name.to_owned());
        Json(json!({"id": id, "state": "UploadComplete"})).into_response()
    }

    fn bulk_page(&self, object: &Object, query: &BTreeMap<String, String>) -> Response {
        self.pages.fetch_add(1, Ordering::Relaxed);
        if self.faults.pages_until.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.faults.reached.cancel();
        }
        let from: u64 = query.get("locator").map_or(0, |text| text.parse().unwrap());
        let asked = query.get("maxRecords").map_or(u64::MAX, |text| text.parse().unwrap());
        let to = (from + asked.min(self.faults.page_rows.load(Ordering::Relaxed))).min(object.rows);
        let quote = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
        let header: Vec<String> = COLUMNS.iter().map(|(name, _)| quote(name)).collect();
        let mut csv = format!("{}\n", header.join(","));
        for n in from..to {
            let cells = row(object.name, object.rows, n);
            let cells: Vec<String> =
                cells.iter().map(|cell| quote(cell.as_deref().unwrap_or_default())).collect();
            csv.push_str(&cells.join(","));
            csv.push('\n');
        }
        let locator = if to < object.rows { to.to_string() } else { "null".to_owned() };
        let cut = self.faults.cut_bodies.fetch_sub(1, Ordering::Relaxed) > 0;
        let chunks: Vec<Result<Bytes, std::io::Error>> = if cut {
            let half = Bytes::copy_from_slice(&csv.as_bytes()[..csv.len() / 2]);
            vec![Ok(half), Err(std::io::Error::other("cut"))]
        } else {
            vec![Ok(Bytes::from(csv))]
        };
        Response::builder()
            .header("content-type", "text/csv")
            .header("sforce-numberofrecords", to - from)
            .header("sforce-locator", locator)
            .body(Body::from_stream(futures::stream::iter(chunks)))
            .unwrap()
    }
}
