//! XML or JSON: the two forms of everything but results.

use http::StatusCode;
use serde_json::{Map, Value as Json, json};

use super::Refusal;
use super::job::ContentType;
use crate::web::{Answer, Request};

/// The namespace of all XML.
pub(super) const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";

/// XML or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Xml,
    Json,
}

impl Form {
    /// The form of what is told of batches: JSON for jobs of JSON, XML for all others, whatever the request says
    /// (tap-salesforce asks with `application/json` and reads XML).
    pub(super) fn of_batches(job: ContentType) -> Self {
        if job == ContentType::Json { Self::Json } else { Self::Xml }
    }

    /// The form of an error or of what is told of a job: that of the request's content type, where it is one of the
    /// two, else the job's.
    pub(super) fn of(request: &Request, job: Option<ContentType>) -> Self {
        let named =
            request.header("content-type").map(|kind| kind.split(';').next().unwrap_or_default().trim());
        match named {
            Some("application/json") => Self::Json,
            Some("application/xml" | "text/xml") => Self::Xml,
            _ if job == Some(ContentType::Json) => Self::Json,
            _ => Self::Xml,
        }
    }

    /// An element with what is in it, in this order.
    pub(super) fn answer(self, status: StatusCode, name: &str, content: &Content) -> Answer {
        match self {
            Self::Json => Answer::bytes(status, "application/json", content.json().to_string()),
            Self::Xml => {
                let mut text = head(name);
                content.write_xml(1, &mut text);
                text.push_str(&format!("</{name}>"));
                Answer::bytes(status, "application/xml", text)
            }
        }
    }

    pub(super) fn error(self, refusal: &Refusal) -> Answer {
        error_answer(refusal.status, refusal.code, &refusal.message, self == Self::Json)
    }
}

/// The head of a document, laid out as the recorded ones are.
pub(super) fn head(name: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{name}\n   xmlns=\"{NAMESPACE}\">\n")
}

/// Names and values in their order.
pub(super) struct Content(pub(super) Vec<(&'static str, Json)>);

impl Content {
    pub(super) fn json(&self) -> Json {
        let entry = |(name, value): &(&'static str, Json)| ((*name).to_owned(), value.clone());
        Json::Object(self.0.iter().map(entry).collect::<Map<_, _>>())
    }

    /// What is null is not there; `+0000` is how JSON says `Z`.
    pub(super) fn write_xml(&self, depth: usize, out: &mut String) {
        for (name, value) in &self.0 {
            let text = match value {
                Json::Null => continue,
                Json::String(text) if name.ends_with("Date") || name.ends_with("Modstamp") => {
                    text.replace("+0000", "Z")
                }
                Json::String(text) => escape(text),
                other => other.to_string(),
            };
            out.push_str(&format!("{}<{name}>{text}</{name}>\n", " ".repeat(depth)));
        }
    }
}

/// An error of this API.
pub(crate) fn error_answer(status: StatusCode, code: &str, message: &str, is_json: bool) -> Answer {
    if is_json {
        let body = json!({"exceptionCode": code, "exceptionMessage": message});
        return Answer::bytes(status, "application/json", body.to_string());
    }
    let text = format!(
        "{} <exceptionCode>{}</exceptionCode>\n <exceptionMessage>{}</exceptionMessage>\n</error>",
        head("error"),
        escape(code),
        escape(message)
    );
    Answer::bytes(status, "application/xml", text)
}

/// Text as XML has it.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

/// The elements of a `jobInfo`, or the members of its JSON form, as texts.
pub(super) fn read(request: &Request, form: Form) -> Result<Vec<(String, String)>, Refusal> {
    let text = std::str::from_utf8(&request.body);
    let text = text.map_err(|_| Refusal::bad("ClientInputError", "the body is not UTF-8"))?;
    match form {
        Form::Json => {
            let json: Map<String, Json> = serde_json::from_str(text)
                .map_err(|error| Refusal::bad("InvalidJob", format!("Unable to parse Job: {error}")))?;
            let member = |(name, value): (String, Json)| match value {
                Json::Null => None,
                Json::String(text) => Some((name, text)),
                other => Some((name, other.to_string())),
            };
            Ok(json.into_iter().filter_map(member).collect())
        }
        Form::Xml => {
            let wrong = || Refusal::bad("InvalidXML", "Unable to parse the request as jobInfo");
            let (tag, content) = element(text).ok_or_else(wrong)?;
            if tag != "jobInfo" {
                return Err(wrong());
            }
            let (mut members, mut rest) = (Vec::new(), content);
            while let Some((name, inner)) = element(rest) {
                members.push((name.to_owned(), unescape(inner.trim())));
                let end = inner.as_ptr() as usize - rest.as_ptr() as usize + inner.len();
                // behind the closing tag, or behind the empty element
                rest = rest.get(end..).and_then(|rest| rest.split_once('>')).map_or("", |(_, rest)| rest);
            }
            Ok(members)
        }
    }
}

/// Local name and content of the first element; declarations and comments before it are passed over.
fn element(xml: &str) -> Option<(&str, &str)> {
    let mut rest = xml;
    loop {
        let at = rest.find('<')?;
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->")?.1;
        } else if !rest.starts_with(['?', '!']) {
            break;
        }
    }
    if rest.starts_with('/') {
        return None;
    }
    let (tag, behind) = rest.split_once('>')?;
    let name = tag.split(|c: char| c.is_whitespace() || c == '/').next()?;
    let local = name.rsplit(':').next()?;
    if tag.ends_with('/') {
        // the `>` of the tag is what stands behind the empty content
        return Some((local, &rest[tag.len()..tag.len()]));
    }
    let end = behind.find(&format!("</{name}"))?;
    Some((local, &behind[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> Request {
        let (parts, ()) = http::Request::builder().uri("/").body(()).unwrap().into_parts();
        Request::new(&parts, body.to_owned().into(), false, "localhost")
    }

    #[test]
    fn job_infos_are_read_as_clients_write_them() {
        let cumulus = r#"<jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload"><operation>query</operation><object>A&amp;B</object><contentType>CSV</contentType></jobInfo>"#;
        let jsforce = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x > y -->\n<jobInfo  xmlns=\"x\">\n  \
                       <operation>query</operation>\n <externalIdFieldName/> <object>Account</object>\n</jobInfo>";
        let prefixed = "<n:jobInfo xmlns:n='x'><n:state>Closed</n:state></n:jobInfo>";
        let read = |text: &str| read(&request(text), Form::Xml);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read(cumulus).unwrap(),
            [pair("operation", "query"), pair("object", "A&B"), pair("contentType", "CSV")]
        );
        assert_eq!(
            read(jsforce).unwrap(),
            [pair("operation", "query"), pair("externalIdFieldName", ""), pair("object", "Account")]
        );
        assert_eq!(read(prefixed).unwrap(), [pair("state", "Closed")]);
        for wrong in ["", "SELECT Id FROM Account", "<jobInfo>", "<other/>"] {
            assert_eq!(read(wrong).unwrap_err().code, "InvalidXML", "{wrong}");
        }
    }
}
