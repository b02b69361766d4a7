//! The fault plan as it is written: `faults.yaml`, or the body of a PUT to `/_simulator/faults`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::FaultError;

/// What goes wrong, and when. Of several faults that would fire at a call, the first does.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FaultPlan {
    /// What `chance` is drawn from: the same seed and the same calls give the same faults.
    pub seed: u64,
    /// The faults, in their order.
    pub faults: Vec<Fault>,
}

/// One fault: which calls it is for, at which of them it fires, and what it does then.
///
/// Every fault counts the calls that match it, whether it fires or another one does.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fault {
    /// A name for the request log and the counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which calls; all if it is left out.
    #[serde(default)]
    pub r#match: Match,
    /// At the n-th matching call, or at several; counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<Numbers>,
    /// At every k-th matching call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// At each matching call with this probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Not before this matching call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Not after this matching call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// So many times at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// What happens.
    pub r#do: Action,
}

/// One number or several.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Numbers {
    One(u64),
    Several(Vec<u64>),
}

impl Numbers {
    pub(super) fn has(&self, number: u64) -> bool {
        match self {
            Self::One(one) => *one == number,
            Self::Several(several) => several.contains(&number),
        }
    }
}

/// Which calls a fault is for: those that meet everything that is given. In patterns `*` stands for any characters
/// but `/`, `**` for any characters, `?` for one.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Match {
    /// HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Pattern of the path, without the query string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Text that the decoded query string has in it, in any case: part of the SOQL of a REST query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Pattern of the name under which the request log counts the call: `Query`, `Bulk*`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Id or name of the org.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// Patterns of headers of the request, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, String>,
    /// Text that the body of the request has in it, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What happens. Parts that do not exclude each other may be put together.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Action {
    /// Instead of the answer: this status, with a body as that status has it (HTML from 500 on).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Instead of the answer: this error, in the form of the API that was called, with the status that goes with it
    /// if none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The words of that error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Instead of the answer: a page of HTML, with 200 if no status is given.
    #[serde(skip_serializing_if = "is_false")]
    pub html: bool,
    /// Instead of the answer: this body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The call is carried out, though its answer is replaced.
    #[serde(skip_serializing_if = "is_false")]
    pub carried_out: bool,
    /// Seconds in a `Retry-After` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Headers of the answer that are set to another value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The connection is closed without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close: Option<Close>,
    /// Every session ends before the call is looked at.
    #[serde(skip_serializing_if = "is_false")]
    pub end_sessions: bool,
    /// Milliseconds before the head of the answer is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// The body comes this slowly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// The body ends after so many bytes as they go over the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_after_bytes: Option<u64>,
    /// How a cut body ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// How the length of the body is told; as without a fault otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framing: Option<Framing>,
    /// `false`: not compressed, though the client takes gzip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gzip: Option<bool>,
    /// Added to the true `Content-Length`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_length: Option<i64>,
    /// What is wrong with the CSV of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<BadCsv>,
    /// What is wrong with the pages of a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<BadPage>,
    /// Added to the true `Sforce-NumberOfRecords`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_count: Option<i64>,
    /// What becomes of the Bulk job that the call makes or asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobFault>,
    /// What becomes of rows that the call writes, or that the Bulk job writes which the call makes, fills or starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<BadRows>,
    /// What others do before the call is looked at: calls of the simulator's own resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<Change>,
}

/// A call of one of the simulator's own resources: `{path: /_simulator/…, body: {…}}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// HTTP method; POST if it is left out.
    #[serde(default = "post")]
    pub method: String,
    /// Path, with a query string if it needs one; `{org}` stands for the id of the org that was called.
    pub path: String,
    /// Body: text as it stands, anything else as JSON.
    #[serde(default)]
    pub body: Json,
}

fn post() -> String {
    "POST".to_owned()
}

/// When the connection is closed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Close {
    /// Before anything is done.
    Before,
    /// After the call was carried out: only its answer is lost.
    After,
}

/// How a cut body ends.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cut {
    /// The connection breaks.
    Abrupt,
    /// As if it had been the whole: nothing in HTTP tells of it.
    Clean,
}

/// How the length of a body is told.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Framing {
    Chunked,
    ContentLength,
}

/// What is wrong with a CSV.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BadCsv {
    /// The last quote is missing.
    OpenQuote,
    /// A quote in a value that is not doubled.
    StrayQuote,
    /// A row has a value more than the header.
    ExtraValue,
    /// A row has a value less than the header.
    MissingValue,
    /// The first column has another name.
    WrongHeader,
    /// There is no header line.
    NoHeader,
    /// A byte order mark in front.
    Bom,
    /// A byte that is not UTF-8.
    NotUtf8,
}

/// What is wrong with the pages of a result.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BadPage {
    /// It has the rows of the page before it (in REST: of the first page).
    Duplicate,
    /// What it says of the next page leaves one out.
    Drop,
    /// What it says of the next page leads to itself.
    Repeat,
}

/// What becomes of a Bulk job.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum JobFault {
    /// It fails with this message.
    Fail(String),
    /// It never ends.
    Hang,
    /// It is gone.
    Vanish,
    /// A load fails in the middle: some rows are written, the rest stays unprocessed.
    FailAfter(Part),
    /// A load is aborted in the middle, as by an administrator.
    AbortAfter(Part),
    /// All rows are written, and yet the job is told to be in progress for ever.
    Stall,
}

/// How much of a load is written before it ends.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Part {
    /// Rows, rounded up to whole transactions of 200.
    pub rows: u64,
    /// Batches of 10,000 rows beside those.
    pub batches: u64,
    /// Why it fails; `InternalServerError : …` if it is left out.
    pub message: Option<String>,
}

impl Part {
    /// Rows that are written.
    pub(crate) fn written(&self) -> u64 {
        self.batches.saturating_mul(10_000).saturating_add(self.rows)
    }
}

/// Rows that are refused, whatever is in them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BadRows {
    /// Status code, `UNABLE_TO_LOCK_ROW` if it is left out.
    #[serde(default = "lock")]
    pub error: String,
    /// Its words; those that Salesforce has for a lock if they are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Which rows, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<Numbers>,
    /// Every k-th row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Each row with this probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Rows that have this text in a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

fn lock() -> String {
    "UNABLE_TO_LOCK_ROW".to_owned()
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Action {
    /// Whether the answer is another one than the call would have had.
    pub(crate) fn replaces(&self) -> bool {
        self.status.is_some() || self.error.is_some() || self.html || self.body.is_some()
    }

    /// A message if it makes no sense.
    fn wrong(&self) -> Option<&'static str> {
        if *self == Self::default() {
            return Some("`do` says nothing");
        }
        if self.change.iter().any(|change| !change.path.starts_with("/_simulator/")) {
            return Some("`change` is for paths below /_simulator/");
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Some("`status` is from 200 to 599");
        }
        if self.close.is_some() && (self.replaces() || self.damages()) {
            return Some("a closed connection has no answer that something could be wrong with");
        }
        if self.carried_out && !self.replaces() {
            return Some("`carriedOut` goes with an answer of its own: `status`, `error`, `html` or `body`");
        }
        if self.message.is_some() && self.status.is_none() && self.error.is_none() {
            return Some("`message` goes with `error` or `status`");
        }
        if self.cut.is_some() && self.cut_after_bytes.is_none() {
            return Some("`cut` goes with `cutAfterBytes`");
        }
        if self.bytes_per_second == Some(0) {
            return Some("`bytesPerSecond` is above 0");
        }
        if let Some(rows) = &self.rows {
            if !super::rows::is_known(&rows.error) {
                return Some("`rows.error` is no status code of a row");
            }
            if rows.every == Some(0) || rows.n.as_ref().is_some_and(|n| n.has(0)) {
                return Some("rows are counted from 1");
            }
        }
        if self.replaces() && (self.csv.is_some() || self.page.is_some() || self.record_count.is_some()) {
            return Some("`csv`, `page` and `recordCount` damage the true answer, which this fault replaces");
        }
        None
    }

    fn damages(&self) -> bool {
        self.bytes_per_second.is_some()
            || self.cut_after_bytes.is_some()
            || self.content_length.is_some()
            || self.csv.is_some()
            || self.page.is_some()
            || self.record_count.is_some()
    }
}

impl Fault {
    fn wrong(&self) -> Option<&'static str> {
        let ways = [self.n.is_some(), self.every.is_some(), self.chance.is_some()];
        if ways.iter().filter(|given| **given).count() > 1 {
            return Some("give one of `n`, `every` and `chance`");
        }
        if self.every == Some(0) || self.n.as_ref().is_some_and(|n| n.has(0)) {
            return Some("calls are counted from 1");
        }
        if self.chance.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Some("`chance` is from 0 to 1");
        }
        self.r#do.wrong()
    }
}

impl FaultPlan {
    /// Reads a plan; JSON is YAML, too.
    ///
    /// # Errors
    /// When it is not a plan: which fault is meant, and why.
    pub fn from_yaml(text: &str) -> Result<Self, FaultError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            #[serde(default)]
            seed: u64,
            #[serde(default)]
            faults: Vec<Json>,
        }
        // through JSON, where `job: {fail: …}` is a variant with its content
        let plan = |message: String| FaultError::Plan { message };
        let json: Json = serde_yaml::from_str(text).map_err(|error| plan(error.to_string()))?;
        if json.is_null() {
            return Ok(Self::default());
        }
        let written: Written = serde_json::from_value(json).map_err(|error| plan(error.to_string()))?;
        let mut faults = Vec::with_capacity(written.faults.len());
        for (number, fault) in written.faults.into_iter().enumerate() {
            let wrong = |message: String| FaultError::Fault { number, message };
            let fault: Fault = serde_json::from_value(fault).map_err(|error| wrong(error.to_string()))?;
            if let Some(message) = fault.wrong() {
                return Err(wrong(message.to_owned()));
            }
            faults.push(fault);
        }
        Ok(Self { seed: written.seed, faults })
    }
}
