//! The reading of a whole org through Orgkeep's client, as the engine does it: what the client leaves to its
//! caller (the rows of a page against its head, all rows against the org's count) is held here, too.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use orgkeep_core::problem::{Fault, Reaction};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_salesforce::{Auth, Client, Clock, ConnectOptions, Environment, Error, QueryJob, Select};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::harvest::{Harvest, Object, Row};
use crate::org::{BULK, BULK_PAGE, CLIENT_ID, CLIENT_SECRET, objects};

/// Times that a page is asked for when its body is not whole.
const PAGE_TRIES: u32 = 5;
/// Times that an object is read from its beginning.
const READINGS: u32 = 3;
/// How long a job may take, on the virtual clock.
const JOB_DEADLINE: Duration = Duration::from_hours(1);

/// Why an object, or the org, was not read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The client says so.
    #[error(transparent)]
    Client(#[from] Error),
    /// The rows do not fit together.
    #[error("{object}: {fault:?}: {detail}")]
    Own {
        /// Which.
        object: String,
        /// What is wrong.
        fault: Fault,
        /// How.
        detail: String,
    },
}

impl Trouble {
    fn reaction(&self) -> Reaction {
        match self {
            Self::Client(error) => error.reaction(),
            Self::Own { fault, .. } => fault.reaction(),
        }
    }

    /// The word for it.
    pub fn code(&self) -> &str {
        match self {
            Self::Client(error) => error.code(),
            Self::Own { fault, .. } => fault.as_str(),
        }
    }

    fn ends_the_run(&self) -> bool {
        matches!(self.reaction(), Reaction::EndRun(_) | Reaction::RenewToken)
            || matches!(self, Self::Client(Error::Unreachable { .. }))
    }
}

/// Options of a client that reaches the org at this address, on the virtual clock.
fn options(address: std::net::SocketAddr) -> Result<ConnectOptions, Trouble> {
    let url = Url::parse(&format!("http://{address}"))
        .map_err(|error| Error::Options { detail: error.to_string() })?;
    let auth = Auth::ClientCredentials {
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.to_owned().into(),
    };
    let mut options = ConnectOptions::new(url, Environment::Production, auth);
    options.allow_http = true;
    let (began, base) = (Instant::now(), Timestamp::UNIX_EPOCH + Duration::from_hours(480_000));
    options.clock = Clock::new(move || base + began.elapsed());
    Ok(options)
}

/// Reads everything.
pub async fn read(address: std::net::SocketAddr) -> Result<Harvest, Trouble> {
    let client = Client::connect(options(address)?).await?;
    client.permissions().await?;
    let names = objects();
    let mut harvest = Harvest { org: client.org().id, ..Harvest::default() };
    let offered = client.describe_global().await?;
    let estimates = estimates(&client, &names).await?;
    for name in names {
        if !offered.iter().any(|object| object.name == name) {
            continue;
        }
        match object(&client, &name).await {
            Ok(mut read) => {
                // an estimate of nothing is no error; the rows were held against count()
                let _ = estimates.get(&name);
                read.settle();
                harvest.objects.insert(name, read);
            }
            Err(trouble) if trouble.ends_the_run() => return Err(trouble),
            Err(trouble) => {
                harvest.failed.insert(name, trouble.code().to_owned());
            }
        }
    }
    client.refresh_limits().await?;
    Ok(harvest)
}

async fn estimates(client: &Client, names: &[String]) -> Result<BTreeMap<String, u64>, Trouble> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match client.record_counts(&names).await {
        Ok(counts) => Ok(counts),
        Err(error) => match Trouble::from(error) {
            trouble if trouble.ends_the_run() => Err(trouble),
            _ => Ok(BTreeMap::new()),
        },
    }
}

async fn object(client: &Client, name: &str) -> Result<Object, Trouble> {
    let schema = client.describe(name).await?;
    let counted = client.count(name, true, None).await?;
    let fields =
        schema.columns().map(|field| (field.name.clone(), format!("{:?}", field.field_type))).collect();
    let mut by_bulk = BULK.iter().any(|(bulk, _)| *bulk == name);
    let mut reading = 1;
    loop {
        let rows = if by_bulk { bulk(client, &schema).await } else { rest(client, &schema).await };
        let rows = match rows {
            // as a snapshot's keys would show: an Id that comes twice is not two rows
            Ok(rows) if distinct(&rows) == counted => Ok(rows),
            Ok(rows) => Err(Trouble::Own {
                object: name.to_owned(),
                fault: Fault::RowsMissing,
                detail: format!("{} rows, {} ids, counted {counted}", rows.len(), distinct(&rows)),
            }),
            Err(trouble) => Err(trouble),
        };
        match rows {
            Ok(rows) => return Ok(Object { fields, counted, rows }),
            Err(trouble) => match trouble.reaction() {
                Reaction::FallBackToRest if by_bulk => by_bulk = false,
                Reaction::Retry { .. } | Reaction::ReadAgain
                    if reading < READINGS && !trouble.ends_the_run() =>
                {
                    reading += 1;
                }
                _ => return Err(trouble),
            },
        }
    }
}

/// Rows by their Id, which is the first cell.
fn distinct(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.first()).collect::<std::collections::HashSet<_>>().len() as u64
}

async fn rest(client: &Client, schema: &ObjectSchema) -> Result<Vec<Row>, Trouble> {
    let mut query = client.query(&Select::of(schema), true);
    let mut rows = Vec::new();
    while let Some(page) = query.next_page().await? {
        rows.extend(page.rows);
    }
    Ok(rows)
}

async fn bulk(client: &Client, schema: &ObjectSchema) -> Result<Vec<Row>, Trouble> {
    let select = Select::of(schema);
    let job = client.create_query_job(&select, true).await?;
    let info = job.wait(&CancellationToken::new(), Some(Instant::now() + JOB_DEADLINE)).await?;
    let rows = pages(&job, select.columns()).await?;
    if let Some(all) = info.number_records_processed
        && all != rows.len() as u64
    {
        let detail = format!("{} rows, the job says {all}", rows.len());
        return Err(Trouble::Own { object: schema.name.clone(), fault: Fault::RowsMissing, detail });
    }
    // What stays in the org goes away by itself.
    let _ = job.delete().await;
    Ok(rows)
}

async fn pages(job: &QueryJob, columns: &[String]) -> Result<Vec<Row>, Trouble> {
    let mut rows = Vec::new();
    let mut locator: Option<String> = None;
    loop {
        let mut tries = 0;
        let (read, next) = loop {
            tries += 1;
            let page = job.page(locator.as_deref(), Some(BULK_PAGE)).await?;
            let (announced, next) = (page.rows_announced, page.next.clone());
            match page_rows(job, page.body, announced, columns).await {
                Ok(read) => break (read, next),
                Err(trouble)
                    if matches!(trouble.reaction(), Reaction::Retry { .. }) && tries < PAGE_TRIES => {}
                Err(trouble) => return Err(trouble),
            }
        };
        rows.extend(read);
        locator = next;
        if locator.is_none() {
            return Ok(rows);
        }
    }
}

type Body = futures::stream::BoxStream<'static, orgkeep_salesforce::Result<BytesOf>>;
type BytesOf = bytes::Bytes;

async fn page_rows(
    job: &QueryJob,
    mut body: Body,
    announced: Option<u64>,
    columns: &[String],
) -> Result<Vec<Row>, Trouble> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    let wrong =
        |detail: String| Trouble::Own { object: job.object().to_owned(), fault: Fault::PageWrong, detail };
    let rows = parse(&bytes, columns).map_err(wrong)?;
    match announced {
        Some(announced) if announced != rows.len() as u64 => {
            Err(wrong(format!("{} rows, announced {announced}", rows.len())))
        }
        _ => Ok(rows),
    }
}

/// Reads a page of CSV, and takes nothing for granted.
fn parse(bytes: &[u8], columns: &[String]) -> Result<Vec<Row>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if !bytes.ends_with(b"\n") {
        return Err("it does not end with a line end".to_owned());
    }
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?;
    if !header.iter().eq(columns.iter().map(String::as_str)) {
        return Err(format!("the header is {header:?}"));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        rows.push(record.iter().map(|cell| Some(cell.to_owned()).filter(|cell| !cell.is_empty())).collect());
    }
    Ok(rows)
}
