//! A request, with its body read.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST};
use http::{HeaderMap, Method};

use super::Spooled;
use super::parts::Part;
use crate::faults::{Asked, BadPage, JobFault, RowFault};

/// A request, with its body read.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path, decoded nowhere.
    pub(crate) path: String,
    /// Parameters of the query string, decoded.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The parts of a body that has several; the body is empty then.
    pub(crate) parts: Option<Arc<Vec<Part>>>,
    /// The body instead, where it may be of any size.
    pub(crate) spooled: Option<Arc<Spooled>>,
    /// Scheme and host as the client named them: what instance URLs are made of.
    pub(crate) base: String,
    /// The fault that fires at this call, for handlers that know how to misbehave.
    pub(crate) fault: Option<Arc<Asked>>,
}

impl Request {
    /// Puts a request together.
    pub(crate) fn new(parts: &http::request::Parts, body: Bytes, tls: bool, fallback_host: &str) -> Self {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(fallback_host);
        let query = parts.uri.query().unwrap_or_default();
        Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: parts.headers.clone(),
            body,
            parts: None,
            spooled: None,
            base: format!("{}://{host}", if tls { "https" } else { "http" }),
            fault: None,
        }
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query string.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The fields of a form in the body, with those of the query string behind them, as Salesforce takes both.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let mut form: Vec<(String, String)> = url::form_urlencoded::parse(&self.body).into_owned().collect();
        form.extend(self.query.iter().cloned());
        form
    }

    /// The token of `Authorization: Bearer` (`OAuth` is what old clients say).
    pub(crate) fn token(&self) -> Option<&str> {
        let (scheme, token) = self.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth")).then(|| token.trim())
    }

    /// What a fault of the plan makes wrong in the page of this call.
    pub(crate) fn page_fault(&self) -> Option<BadPage> {
        self.fault.as_ref()?.page()
    }

    /// What a fault of the plan makes of the job of this call.
    pub(crate) fn job_fault(&self) -> Option<&JobFault> {
        self.fault.as_ref()?.job()
    }

    /// What a fault of the plan makes of rows that this call writes.
    pub(crate) fn row_fault(&self) -> Option<RowFault> {
        self.fault.as_ref()?.rows()
    }

    /// Tells that the fault has nothing to act on here.
    pub(crate) fn miss_fault(&self) {
        if let Some(fault) = &self.fault {
            fault.miss();
        }
    }

    /// Whether the client takes gzip.
    pub(crate) fn takes_gzip(&self) -> bool {
        self.headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
            value.split(',').any(|coding| {
                let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
                let refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
                matches!(name.trim(), "gzip" | "*") && !refused
            })
        })
    }
}
