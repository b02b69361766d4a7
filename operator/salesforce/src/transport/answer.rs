//! Reading a refusal: the several shapes in which Salesforce says what went wrong.

use std::time::Duration;

use ::http::{HeaderMap, header};
use jiff::Timestamp;
use orgkeep_core::problem::Symptom;
use orgkeep_core::run::cut_to;
use serde::Deserialize;

/// The longest text of Salesforce's that an error carries, bytes.
const MESSAGE_LIMIT: usize = 500;

/// One entry of REST's and Bulk 2.0's array.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiError {
    error_code: String,
    #[serde(default)]
    message: String,
}

/// The other shapes: OAuth's object, Bulk 1.0's object.
#[derive(Deserialize)]
struct OtherError {
    #[serde(alias = "exceptionCode", alias = "errorCode")]
    error: String,
    #[serde(default, alias = "exceptionMessage", alias = "message")]
    error_description: String,
}

/// Reads what an answer of a refusing status shows.
pub(super) fn symptom(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    token_call: bool,
    now: Timestamp,
) -> Symptom {
    let (code, message) = if let Ok(errors) = serde_json::from_slice::<Vec<ApiError>>(body)
        && let Some(first) = errors.into_iter().next()
    {
        (first.error_code, first.message)
    } else if let Ok(other) = serde_json::from_slice::<OtherError>(body) {
        (other.error, other.error_description)
    } else if let Some(fault) = soap_fault(body) {
        // A fault's status is always 500, which in REST means that it may pass: the code says what it is.
        let status = if fault.0 == "UNKNOWN_EXCEPTION" { status } else { status.min(400) };
        return told(status, fault.0, &fault.1, headers, token_call, now);
    } else {
        // Nodes that restart answer with an HTML page, which helps nobody.
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
        (String::new(), format!("a body without an error code ({kind}, {} bytes)", body.len()))
    };
    told(status, code, &message, headers, token_call, now)
}

fn told(
    status: u16,
    code: String,
    message: &str,
    headers: &HeaderMap,
    token_call: bool,
    now: Timestamp,
) -> Symptom {
    Symptom {
        status: Some(status),
        code,
        message: cut_to(message, MESSAGE_LIMIT).to_owned(),
        retry_after: retry_after(headers, now),
        token_call,
    }
}

/// Code and text of a SOAP fault: `sf:INVALID_TYPE` and `INVALID_TYPE: …`.
fn soap_fault(body: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.trim_start().starts_with('<') {
        return None;
    }
    let root = crate::xml::parse(text).ok()?;
    let fault = root.child("Body")?.child("Fault")?;
    let code = fault.text("faultcode")?;
    let code = code.rsplit_once(':').map_or(code, |(_, code)| code);
    let message = fault.text("faultstring").unwrap_or_default();
    let message = message.strip_prefix(code).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(message);
    Some((code.to_owned(), message.to_owned()))
}

/// `Retry-After` as seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (String, String) {
        let symptom = symptom(400, &HeaderMap::new(), body.as_bytes(), false, Timestamp::UNIX_EPOCH);
        (symptom.code, symptom.message)
    }

    #[test]
    fn the_shapes_of_refusal() {
        for (body, code, message) in [
            (
                r#"[{"message":"Session expired","errorCode":"INVALID_SESSION_ID"}]"#,
                "INVALID_SESSION_ID",
                "Session expired",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"authentication failure"}"#,
                "invalid_grant",
                "authentication failure",
            ),
            (
                r#"{"exceptionCode":"InvalidSessionId","exceptionMessage":"Unable"}"#,
                "InvalidSessionId",
                "Unable",
            ),
            (
                r#"<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><soapenv:Fault><faultcode>sf:INVALID_TYPE</faultcode><faultstring>INVALID_TYPE: This type &amp; that</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>"#,
                "INVALID_TYPE",
                "This type & that",
            ),
            ("<html>busy</html>", "", "a body without an error code (nothing, 17 bytes)"),
            ("[]", "", "a body without an error code (nothing, 2 bytes)"),
        ] {
            assert_eq!(read(body), (code.to_owned(), message.to_owned()));
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let body = format!(r#"[{{"errorCode":"X","message":"{}"}}]"#, "ü".repeat(2000));
        assert!(read(&body).1.len() <= MESSAGE_LIMIT);
    }

    #[test]
    fn retry_after_in_both_forms() {
        let wish = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, "2026-01-31T10:00:00Z".parse().unwrap())
        };
        assert_eq!(wish("7"), Some(Duration::from_secs(7)));
        assert_eq!(wish("Sat, 31 Jan 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wish("Sat, 31 Jan 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wish("soon"), None);
    }
}
