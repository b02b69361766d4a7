//! What a fault makes of an exchange.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;

use crate::kind::{Asked, Kind};
use crate::wire::Message;

const HTML: &str = "<!DOCTYPE html>\n<html><head><title>Unavailable</title></head>\n<body>\n<p>Our apologies, \"we\" are \
                    away, for a while.</p>\n</body></html>\n";

/// What goes to the client instead of the answer.
#[derive(Debug)]
pub(crate) enum Spoilt {
    /// An answer.
    Answer(Message),
    /// Bytes, and then the connection closes.
    Cut(Vec<u8>),
    /// Bytes, and then nothing.
    Stall(Vec<u8>),
    /// Pieces with a pause between them.
    Slow(Vec<Vec<u8>>),
    /// This answer cannot be spoilt in this way: the next one that can is.
    Unfit,
}

/// What a fault may need to know besides the answer.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// The same job's or query's page before this one, as it was sent.
    pub(crate) before: Option<Message>,
    /// The page after this one.
    pub(crate) after: Option<Message>,
    /// The request's path and query.
    pub(crate) path: String,
}

fn refuse(status: u16, code: &str, message: &str) -> Spoilt {
    let body = format!(r#"[{{"message":"{message}","errorCode":"{code}"}}]"#);
    Spoilt::Answer(Message::answer(status, "application/json", body))
}

fn html(status: u16) -> Spoilt {
    Spoilt::Answer(Message::answer(status, "text/html; charset=UTF-8", HTML))
}

fn retry_after(status: u16, seconds: &str) -> Spoilt {
    let mut answer = Message::answer(status, "", "");
    answer.head.set("retry-after", seconds);
    Spoilt::Answer(answer)
}

/// A refusal that takes the answer's place, whatever it is; `None` for faults that spoil the answer itself.
pub(crate) fn refusal(kind: Kind) -> Option<Spoilt> {
    Some(match kind {
        Kind::Html => html(200),
        Kind::Unauthorized => refuse(401, "INVALID_SESSION_ID", "Session expired or invalid"),
        Kind::UnknownRefusal => refuse(400, "UNKNOWN_THING", "nobody knows"),
        Kind::QueryTimeout => refuse(400, "QUERY_TIMEOUT", "Your query request was running for too long."),
        Kind::LimitExceeded => refuse(400, "LIMIT_EXCEEDED", "too much"),
        Kind::AllowanceUsedUp => refuse(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        Kind::TooManyAtOnce => {
            refuse(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
        }
        Kind::ApiDisabled => refuse(403, "API_CURRENTLY_DISABLED", "API is disabled for this User"),
        Kind::NotFound => refuse(404, "NOT_FOUND", "The requested resource does not exist"),
        Kind::Retired => refuse(410, "UNSUPPORTED_API_VERSION", "This API version is retired"),
        Kind::Redirect => {
            let mut answer = Message::answer(302, "", "");
            answer.head.set("location", "https://elsewhere.example/");
            Spoilt::Answer(answer)
        }
        Kind::Busy420 => html(420),
        Kind::TooManyRequests => retry_after(429, "7"),
        Kind::Restarting => html(500),
        Kind::UnknownException => refuse(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. 1234-5678"),
        Kind::BadGateway => html(502),
        Kind::Unavailable | Kind::UnavailableLong | Kind::DownForEver => {
            Spoilt::Answer(Message::answer(503, "", ""))
        }
        Kind::UnavailableFor => retry_after(503, "7"),
        Kind::UnavailableForHours => retry_after(503, "7200"),
        Kind::TokenRefused | Kind::AccessRevoked => Spoilt::Answer(Message::answer(
            400,
            "application/json",
            r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#,
        )),
        Kind::TokenUnknownError => Spoilt::Answer(Message::answer(
            400,
            "application/json",
            r#"{"error":"unknown_error","error_description":"retry your request"}"#,
        )),
        Kind::EntityRefused => refuse(400, "INVALIDENTITY", "Entity 'X' is not supported by the Bulk API."),
        Kind::DeadLocator => refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
        _ => return None,
    })
}

/// Spoils an answer.
pub(crate) fn spoil(kind: Kind, asked: Asked, answer: Message, around: &Around) -> Spoilt {
    if !(200..300).contains(&answer.status()) {
        return Spoilt::Unfit; // what is refused anyway proves nothing
    }
    if let Some(refusal) = refusal(kind) {
        return refusal;
    }
    let whole = answer.to_bytes();
    let head = whole.len() - answer.body.len();
    let half = head + answer.body.len() / 2;
    if answer.body.len() < 2 && kind.befalls(Asked::Token) && kind != Kind::CutInHead {
        return Spoilt::Unfit;
    }
    match kind {
        Kind::CutInHead => Spoilt::Cut(whole[..head / 2].to_vec()),
        Kind::CutInBody => Spoilt::Cut(whole[..half].to_vec()),
        Kind::CutLastByte => Spoilt::Cut(whole[..whole.len() - 1].to_vec()),
        Kind::CutInChunks => Spoilt::Cut(chunks_without_end(&answer)),
        Kind::LengthTooShort => {
            let mut head = answer.head.clone();
            head.remove("transfer-encoding");
            head.set("content-length", &(answer.body.len() / 2).to_string());
            Spoilt::Cut([head.to_bytes(), answer.body].concat())
        }
        Kind::StallsInBody => Spoilt::Stall(whole[..half].to_vec()),
        Kind::CutPlain => {
            let plain = plain(answer);
            let whole = plain.to_bytes();
            Spoilt::Cut(whole[..whole.len() - plain.body.len() / 2 - 1].to_vec())
        }
        Kind::SlowBody => {
            let size = whole.len().div_ceil(4);
            Spoilt::Slow(whole.chunks(size).map(<[u8]>::to_vec).collect())
        }
        Kind::ShortBody => with_body(answer, |body| body.truncate(body.len() / 2)),
        Kind::ShortPlain => with_body(plain(answer), |body| body.truncate(body.len() / 2)),
        Kind::EmptyBody => with_body(answer, Vec::clear),
        Kind::HtmlInDisguise => with_body(plain(answer), |body| HTML.as_bytes().clone_into(body)),
        Kind::GzipWithoutEnd | Kind::GzipFlipped => gzip(kind, answer),
        Kind::BrokenJson => with_body(plain(answer), |body| {
            body.remove(0);
        }),
        Kind::BlobFlipped => with_body(plain(answer), |body| {
            let middle = body.len() / 2;
            body[middle] ^= 0x01;
        }),
        _ if asked == Asked::Composite => composite(kind, answer),
        _ if asked == Asked::JobState => job(kind, answer),
        _ if asked == Asked::Results => page(kind, answer, around),
        _ => rows(kind, answer, around),
    }
}

fn with_body(mut answer: Message, edit: impl FnOnce(&mut Vec<u8>)) -> Spoilt {
    edit(&mut answer.body);
    Spoilt::Answer(answer)
}

fn is_gzip(answer: &Message) -> bool {
    answer.head.get("content-encoding") == Some("gzip")
}

/// The answer without compression.
pub(crate) fn plain(mut answer: Message) -> Message {
    if is_gzip(&answer) {
        let mut body = Vec::new();
        if GzDecoder::new(answer.body.as_slice()).read_to_end(&mut body).is_ok() {
            answer.body = body;
            answer.head.remove("content-encoding");
        }
    }
    answer
}

fn gzip(kind: Kind, mut answer: Message) -> Spoilt {
    if !is_gzip(&answer) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let Ok(body) = encoder.write_all(&answer.body).and_then(|()| encoder.finish()) else {
            return Spoilt::Unfit;
        };
        answer.body = body;
        answer.head.set("content-encoding", "gzip");
    }
    with_body(answer, |body| {
        if kind == Kind::GzipWithoutEnd {
            body.truncate(body.len() - 8);
        } else {
            let middle = body.len() / 2;
            body[middle] ^= 0x10;
        }
    })
}

fn chunks_without_end(answer: &Message) -> Vec<u8> {
    let mut head = answer.head.clone();
    head.remove("content-length");
    head.set("transfer-encoding", "chunked");
    let mut bytes = head.to_bytes();
    for chunk in answer.body.chunks(answer.body.len().div_ceil(3).max(1)) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

type Raw = BTreeMap<String, Box<RawValue>>;

fn json(answer: &Message) -> Option<Raw> {
    serde_json::from_slice(&answer.body).ok()
}

fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_default()
}

fn with_json(mut answer: Message, json: &Raw) -> Spoilt {
    match serde_json::to_vec(json) {
        Ok(body) => {
            answer.body = body;
            Spoilt::Answer(answer)
        }
        Err(_) => Spoilt::Unfit,
    }
}

fn job(kind: Kind, answer: Message) -> Spoilt {
    let answer = plain(answer);
    let Some(mut info) = json(&answer) else { return Spoilt::Unfit };
    let state = match kind {
        Kind::JobFails => "Failed",
        Kind::JobAborted => "Aborted",
        Kind::JobSlow | Kind::JobNeverEnds => "InProgress",
        Kind::JobUnknownState => "Preparing",
        _ => return Spoilt::Unfit,
    };
    info.insert("state".to_owned(), raw(format!("{state:?}")));
    info.remove("numberRecordsProcessed");
    if kind == Kind::JobFails {
        let why = "InvalidBatch : Failed to process query: MALFORMED_QUERY: Implementation restriction";
        info.insert("errorMessage".to_owned(), raw(format!("{why:?}")));
    }
    with_json(answer, &info)
}

/// Parts of a composite.
fn composite(kind: Kind, answer: Message) -> Spoilt {
    const PARTS: &str = "compositeResponse";
    let answer = plain(answer);
    let Some(mut body) = json(&answer) else { return Spoilt::Unfit };
    let parts = body.get(PARTS).and_then(|parts| serde_json::from_str::<Vec<Raw>>(parts.get()).ok());
    let Some(mut parts) = parts.filter(|parts| parts.len() > 1) else { return Spoilt::Unfit };
    let middle = parts.len() / 2;
    let mut refuse = |status: u16, code: &str| {
        let body = format!(r#"[{{"message":"spoilt","errorCode":"{code}"}}]"#);
        parts[middle].insert("body".to_owned(), raw(body));
        parts[middle].insert("httpStatusCode".to_owned(), raw(status.to_string()));
    };
    match kind {
        Kind::PartTimesOut => refuse(400, "QUERY_TIMEOUT"),
        Kind::PartFails => refuse(500, "UNKNOWN_EXCEPTION"),
        Kind::PartMissing => drop(parts.remove(middle)),
        Kind::PartTwice => parts[middle] = parts[0].clone(),
        Kind::PartsReversed => parts.reverse(),
        _ => return Spoilt::Unfit,
    }
    body.insert(PARTS.to_owned(), raw(serde_json::to_string(&parts).unwrap_or_default()));
    with_json(answer, &body)
}

/// A page of CSV.
fn page(kind: Kind, answer: Message, around: &Around) -> Spoilt {
    let mut answer = plain(answer);
    let count: u64 =
        answer.head.get("sforce-numberofrecords").and_then(|text| text.parse().ok()).unwrap_or(0);
    let is_last = answer.head.get("sforce-locator").is_none_or(|locator| locator == "null");
    match kind {
        Kind::CountTooHigh => answer.head.set("sforce-numberofrecords", &(count + 1).to_string()),
        Kind::CountTooLow if count > 0 => answer.head.set("sforce-numberofrecords", &(count - 1).to_string()),
        Kind::CountGarbled => answer.head.set("sforce-numberofrecords", "many"),
        Kind::CountMissing => answer.head.remove("sforce-numberofrecords"),
        Kind::LocatorEndsEarly if !is_last => answer.head.set("sforce-locator", "null"),
        Kind::LocatorMissing if !is_last => answer.head.remove("sforce-locator"),
        Kind::LocatorRepeats => match around.path.split_once("locator=") {
            Some((_, locator)) => {
                answer.head.set("sforce-locator", &decode(locator.split('&').next().unwrap_or_default()));
            }
            None => return Spoilt::Unfit,
        },
        Kind::PageTwice => match &around.before {
            Some(before) => answer.body = plain(before.clone()).body,
            None => return Spoilt::Unfit,
        },
        Kind::PageSkipped => match &around.after {
            Some(after) => answer = plain(after.clone()),
            None => return Spoilt::Unfit,
        },
        Kind::NotUtf8 => match answer.body.iter().position(|byte| *byte == b'\n') {
            Some(end) if end + 3 < answer.body.len() => answer.body.insert(end + 3, 0xff),
            _ => return Spoilt::Unfit,
        },
        _ => {
            let Ok(text) = String::from_utf8(answer.body) else { return Spoilt::Unfit };
            let Some(text) = csv(kind, &text) else { return Spoilt::Unfit };
            answer.body = text.into_bytes();
        }
    }
    Spoilt::Answer(answer)
}

fn csv(kind: Kind, text: &str) -> Option<String> {
    let (header, rows) = text.split_once('\n')?;
    let last = text.trim_end_matches('\n').rfind("\n\"")? + 1;
    Some(match kind {
        Kind::ShortByLine => text[..last].to_owned(),
        Kind::HeaderOther => text.replacen("__c\"", "__d\"", 1),
        Kind::HeaderMissing => rows.to_owned(),
        Kind::CellMissing => format!("{header}\n{}", &rows[rows.find("\",\"")? + 2..]),
        Kind::CellTooMany => format!("{header}\n\"x\",{rows}"),
        Kind::QuoteMissing => format!("{header}\n{}", rows.replacen("\",\"", ",\"", 1)),
        Kind::LinesCrLf => text.replace("\"\n", "\"\r\n"),
        Kind::ByteOrderMark => format!("\u{feff}{text}"),
        _ => return None,
    })
}

/// A page of JSON rows.
fn rows(kind: Kind, answer: Message, around: &Around) -> Spoilt {
    let answer = plain(answer);
    let Some(mut page) = json(&answer) else { return Spoilt::Unfit };
    let Some(records) = page.get("records") else { return Spoilt::Unfit };
    let Ok(mut records) = serde_json::from_str::<Vec<Box<RawValue>>>(records.get()) else {
        return Spoilt::Unfit;
    };
    let has_next = page.contains_key("nextRecordsUrl");
    match kind {
        Kind::DoneEarly if has_next => {
            page.remove("nextRecordsUrl");
            page.insert("done".to_owned(), raw("true".to_owned()));
        }
        Kind::NextRepeats if has_next => {
            page.insert("nextRecordsUrl".to_owned(), raw(format!("{:?}", around.path)));
        }
        Kind::RecordMissing if !records.is_empty() => {
            records.remove(records.len() / 2);
        }
        Kind::RecordTwice if records.len() > 1 => {
            let twice = records[0].clone();
            records[1] = twice;
        }
        Kind::FieldMissing if !records.is_empty() => {
            let Ok(mut record) = serde_json::from_str::<Raw>(records[0].get()) else { return Spoilt::Unfit };
            let Some(name) = record.keys().find(|name| *name != "attributes").cloned() else {
                return Spoilt::Unfit;
            };
            record.remove(&name);
            records[0] = raw(serde_json::to_string(&record).unwrap_or_default());
        }
        Kind::RestPageTwice => {
            let before = around.before.clone().map(plain);
            let Some(before) = before.as_ref().and_then(json) else { return Spoilt::Unfit };
            let Some(records) = before.get("records") else { return Spoilt::Unfit };
            page.insert("records".to_owned(), records.clone());
            return with_json(answer, &page);
        }
        _ => return Spoilt::Unfit,
    }
    page.insert("records".to_owned(), raw(serde_json::to_string(&records).unwrap_or_default()));
    with_json(answer, &page)
}

fn decode(text: &str) -> String {
    let pair = format!("x={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
