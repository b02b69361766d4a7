//! The reading of a whole org through Orgkeep's client, as the engine does it: what the client leaves to its
//! caller (the rows of a page against its head, all rows against the org's count) is held here, too.

use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use orgkeep_core::problem::{Fault, Reaction};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_salesforce::{
    Auth, BlobSource, BulkEvent, Client, Clock, ConnectOptions, CountAsk, DescribeCache, Discovery,
    Environment, Error, JobInfo, Opened, QueryJob, ReadOptions, RestQuery, Select,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::harvest::{Harvest, Object, Row};
use crate::org::{BULK, BULK_PAGE, CLIENT_ID, CLIENT_SECRET, PACKED, objects};

/// Times that a page is asked for when its body is not whole.
const PAGE_TRIES: u32 = 5;
/// Times that an object is read from its beginning.
const READINGS: u32 = 3;
/// How long a job may take, on the virtual clock.
const JOB_DEADLINE: Duration = Duration::from_hours(1);

/// Where files are.
const FILE_OBJECT: &str = "ContentVersion";

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
    let missing = names.iter().find(|name| !offered.iter().any(|object| object.name == **name));
    if let Some(name) = missing {
        return Err(own(name, Fault::WrongAnswer, "the org does not offer it"));
    }
    estimates(&client, &names).await?;
    for (name, read) in packed(&client, &names[..PACKED]).await? {
        take(&mut harvest, &name, read)?;
    }
    for name in &names[PACKED..] {
        take(&mut harvest, name, object(&client, name).await)?;
    }
    take(&mut harvest, FILE_OBJECT, files(&client).await)?;
    client.refresh_limits().await?;
    Ok(harvest)
}

/// Notes an object, or that and why it failed; an error that is about more than it ends the run.
fn take(harvest: &mut Harvest, name: &str, read: Result<Object, Trouble>) -> Result<(), Trouble> {
    match read {
        Ok(mut object) => {
            object.settle();
            harvest.objects.insert(name.to_owned(), object);
        }
        Err(trouble) if trouble.ends_the_run() => return Err(trouble),
        Err(trouble) => {
            harvest.failed.insert(name.to_owned(), (trouble.code().to_owned(), trouble.to_string()));
        }
    }
    Ok(())
}

fn own(object: &str, fault: Fault, detail: impl Into<String>) -> Trouble {
    Trouble::Own { object: object.to_owned(), fault, detail: detail.into() }
}

async fn estimates(client: &Client, names: &[String]) -> Result<(), Trouble> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match client.record_counts(&names).await.map_err(Trouble::from) {
        Err(trouble) if trouble.ends_the_run() => Err(trouble),
        // an estimate of nothing is no error; the rows are held against count()
        _ => Ok(()),
    }
}

/// Objects several in one call; what fails there is read by itself.
async fn packed(
    client: &Client,
    names: &[String],
) -> Result<Vec<(String, Result<Object, Trouble>)>, Trouble> {
    let schemas = client.describe_many(names, &mut DescribeCache::default()).await?;
    let schemas: Vec<_> = names.iter().zip(schemas).collect();
    let good: Vec<_> =
        schemas.iter().filter_map(|(name, schema)| Some((*name, schema.as_ref().ok()?))).collect();
    let asks: Vec<CountAsk> = good
        .iter()
        .map(|(name, _)| CountAsk { object: (*name).clone(), all: true, condition: None })
        .collect();
    let counts = client.count_many(&asks).await?;
    let selects: Vec<(Select, bool)> = good.iter().map(|(_, schema)| (Select::of(schema), true)).collect();
    let queries = client.query_many(&selects).await?;
    let mut read = Vec::new();
    for (((name, schema), counted), query) in good.iter().zip(counts).zip(queries) {
        let together = async {
            let counted = counted?;
            whole(name, counted, all_pages(query?).await?).map(|rows| Object {
                fields: fields(schema),
                counted,
                rows,
            })
        };
        read.push(((*name).clone(), together.await));
    }
    for (name, schema) in &schemas {
        if schema.is_err() {
            read.push(((*name).clone(), object(client, name).await));
        }
    }
    for (name, read) in &mut read {
        if read.as_ref().is_err_and(|trouble| !trouble.ends_the_run()) {
            *read = object(client, name).await;
        }
    }
    Ok(read)
}

fn fields(schema: &ObjectSchema) -> Vec<(String, String)> {
    schema.columns().map(|field| (field.name.clone(), format!("{:?}", field.field_type))).collect()
}

/// The rows, if they are as many as the org counted; an Id that comes twice is not two rows, as a snapshot's keys
/// would show.
fn whole(name: &str, counted: u64, rows: Vec<Row>) -> Result<Vec<Row>, Trouble> {
    let ids = distinct(&rows);
    if ids == counted && rows.len() as u64 == counted {
        return Ok(rows);
    }
    let detail = format!("{} rows, {ids} ids, counted {counted}", rows.len());
    Err(own(name, Fault::RowsMissing, detail))
}

async fn object(client: &Client, name: &str) -> Result<Object, Trouble> {
    let schema = client.describe(name).await?;
    let counted = client.count(name, true, None).await?;
    let bulk = BULK.iter().position(|(bulk, _)| *bulk == name);
    let mut reading = 1;
    loop {
        let rows = match bulk {
            None => all_pages(client.query(&Select::of(&schema), true)).await,
            Some(way) => by_bulk(client, &schema, way).await,
        };
        match rows.and_then(|rows| whole(name, counted, rows)) {
            Ok(rows) => return Ok(Object { fields: fields(&schema), counted, rows }),
            Err(trouble) => match trouble.reaction() {
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

async fn all_pages(mut query: RestQuery) -> Result<Vec<Row>, Trouble> {
    let mut rows = Vec::new();
    while let Some(page) = query.next_page().await? {
        rows.extend(page.rows);
    }
    Ok(rows)
}

/// By Bulk, or by REST where the org refuses that.
async fn by_bulk(client: &Client, schema: &ObjectSchema, way: usize) -> Result<Vec<Row>, Trouble> {
    let select = Select::of(schema);
    let deadline = Some(Instant::now() + JOB_DEADLINE);
    let (job, info) = match client.open_query(&select, true, &CancellationToken::new(), deadline).await? {
        Opened::Bulk(job, info) => (job, info),
        Opened::Rest(query, _) => return all_pages(*query).await,
    };
    let columns = select.columns();
    let rows = match way {
        // page by page, as a caller that keeps its own journal
        0 => pages(&job, columns).await?,
        // several pages at once, found by their heads
        1 => at_once(&job, Discovery::Chain, Some(BULK_PAGE), &info, columns).await?,
        // by the job's list of pages, which are of the org's own size
        _ => at_once(&job, Discovery::ResultPages, None, &info, columns).await?,
    };
    if let Some(all) = info.number_records_processed
        && all != rows.len() as u64
    {
        let detail = format!("{} rows, the job says {all}", rows.len());
        return Err(own(&schema.name, Fault::RowsMissing, detail));
    }
    // What stays in the org goes away by itself.
    let _ = job.delete().await;
    Ok(rows)
}

async fn at_once(
    job: &QueryJob,
    discovery: Discovery,
    max_records: Option<u32>,
    info: &JobInfo,
    columns: &[String],
) -> Result<Vec<Row>, Trouble> {
    let options = ReadOptions { parallel: 3, max_records, discovery, ..ReadOptions::default() };
    let mut reader = job.read(options, info.number_records_processed);
    let (mut rows, mut page) = (Vec::new(), Vec::new());
    while let Some(event) = reader.next().await? {
        match event {
            BulkEvent::Begins { .. } => page.clear(),
            BulkEvent::Csv(piece) => page.extend_from_slice(&piece),
            BulkEvent::Ends(_) => {
                let read = parse(&page, columns);
                rows.extend(read.map_err(|detail| own(job.object(), Fault::PageWrong, detail))?);
            }
        }
    }
    Ok(rows)
}

/// All versions of files: their records, and what is in them, as its length and sum.
async fn files(client: &Client) -> Result<Object, Trouble> {
    let schema = client.describe(FILE_OBJECT).await?;
    let counted = client.count(FILE_OBJECT, true, None).await?;
    let mut rows = all_pages(client.query(&Select::of(&schema), true)).await?;
    rows = whole(FILE_OBJECT, counted, rows)?;
    let columns = Select::of(&schema).columns().to_vec();
    let at = |name: &str| columns.iter().position(|column| column == name);
    for row in &mut rows {
        let cell = |name: &str| at(name).and_then(|at| row.get(at)).cloned().flatten().unwrap_or_default();
        let length = cell("ContentSize").parse().unwrap_or_default();
        let source =
            BlobSource::new(FILE_OBJECT, &cell("Id"), "VersionData").length(length).md5(&cell("Checksum"));
        row.push(Some(content(client, &source).await?));
    }
    Ok(Object { fields: fields(&schema), counted, rows })
}

/// What is in a file: its length and a sum over it.
async fn content(client: &Client, source: &BlobSource) -> Result<String, Trouble> {
    let mut reading = 1;
    'again: loop {
        let mut blob = client.blob(source.clone());
        let (mut bytes, mut sum) = (0_u64, 0_u64);
        loop {
            match blob.next_chunk().await {
                Ok(Some(piece)) => {
                    bytes += piece.len() as u64;
                    let add = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
                    sum = piece.iter().fold(sum, add);
                }
                Ok(None) => return Ok(format!("{bytes} bytes, sum {sum:x}")),
                Err(error) if matches!(error.reaction(), Reaction::Retry { .. }) && reading < READINGS => {
                    reading += 1;
                    continue 'again;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Rows by their Id, which is the first cell.
fn distinct(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.first()).collect::<std::collections::HashSet<_>>().len() as u64
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
