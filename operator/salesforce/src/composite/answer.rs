//! What came back: one part for each sub-request, each with its own status.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::pack::reference;
use crate::transport::Flaw;

/// A part of the answer, as text that is read when its kind is known.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Its own HTTP status.
    pub(crate) status: u16,
    /// Its own headers, such as `ETag` and `Last-Modified`; names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// Its body, JSON.
    pub(crate) body: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    composite_response: Vec<AnswerPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerPart {
    #[serde(default)]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    http_headers: Option<HashMap<String, serde_json::Value>>,
    http_status_code: u16,
    reference_id: String,
}

/// Splits an answer to the sub-requests of these indices; each must be answered once.
pub(super) fn split(body: &[u8], asked: &[usize]) -> Result<Vec<Part>, Flaw> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| Flaw::of_json(body, &error))?;
    let flaw = |detail: String| Flaw::new(body.len(), detail);
    let mut by_reference = HashMap::with_capacity(asked.len());
    for part in answer.composite_response {
        let reference = part.reference_id.clone();
        if by_reference.insert(reference.clone(), part).is_some() {
            return Err(flaw(format!("it answers {reference} twice")));
        }
    }
    let mut parts = Vec::with_capacity(asked.len());
    for &index in asked {
        let reference = reference(index);
        let part =
            by_reference.remove(&reference).ok_or_else(|| flaw(format!("it does not answer {reference}")))?;
        parts.push(into_part(part));
    }
    match by_reference.into_keys().next() {
        Some(strange) => Err(flaw(format!("it answers {strange}, which was not asked"))),
        None => Ok(parts),
    }
}

fn into_part(part: AnswerPart) -> Part {
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let headers = part.http_headers.unwrap_or_default();
    Part {
        status: part.http_status_code,
        headers: headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect(),
        body: part.body.unwrap_or_else(|| RawValue::NULL.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As recorded by CumulusCI (BSD-3-Clause): an unknown object, and describes not modified.
    const RECORDED: &str = r#"{ "compositeResponse" : [ {
        "body" : [ { "errorCode" : "NOT_FOUND", "message" : "The requested resource does not exist" } ],
        "httpHeaders" : { }, "httpStatusCode" : 404, "referenceId" : "part0" }, {
        "body" : null,
        "httpHeaders" : { "ETag" : "\"baf7f695\"", "Last-Modified" : "Fri, 14 Aug 2020 20:53:02 GMT" },
        "httpStatusCode" : 304, "referenceId" : "part7" } ] }"#;

    #[test]
    fn parts_come_in_the_order_in_which_they_were_asked() {
        let parts = split(RECORDED.as_bytes(), &[7, 0]).unwrap();
        assert_eq!((parts[0].status, parts[0].body.get()), (304, "null"));
        assert_eq!(parts[0].headers["last-modified"], "Fri, 14 Aug 2020 20:53:02 GMT");
        assert_eq!(parts[1].status, 404);
        assert!(parts[1].body.get().contains("NOT_FOUND"));
    }

    #[test]
    fn each_must_be_answered_once() {
        let refused = |asked: &[usize]| split(RECORDED.as_bytes(), asked).unwrap_err().detail;
        assert!(refused(&[0]).contains("answers part7, which was not asked"));
        assert!(refused(&[0, 7, 1]).contains("does not answer part1"));
        let twice = RECORDED.replace("part7", "part0");
        assert!(split(twice.as_bytes(), &[0]).unwrap_err().detail.contains("part0 twice"));
        assert!(split(b"{\"compositeResponse\":[", &[0]).unwrap_err().passing);
    }
}
