//! Calls of the Metadata API: an envelope sent, its results read.

use bytes::Bytes;

use super::error::MetadataResult;
use crate::client::Client;
use crate::error::Error;
use crate::transport::{Call, Envelope, Flaw, Piece, Resource};
use crate::xml::{Element, escape, parse};

/// The namespace of the Metadata API (Metadata WSDL, `targetNamespace`).
const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";

/// The Metadata API of an org. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metadata {
    pub(super) client: Client,
}

impl Client {
    /// The Metadata API of the org.
    pub fn metadata(&self) -> Metadata {
        Metadata { client: self.clone() }
    }
}

impl Metadata {
    /// The API version that is spoken, such as `64.0`.
    pub fn version(&self) -> &str {
        self.client.base().rsplit_once("/v").map_or("", |(_, version)| version)
    }

    /// A call; `body` is what stands within the element that is named as the call.
    pub(super) fn envelope(&self, call: &str, body: Vec<Piece>) -> Call {
        let mut pieces = vec![Piece::Text(Bytes::from(format!("<{call}>")))];
        pieces.extend(body);
        pieces.push(Piece::Text(Bytes::from(format!("</{call}>"))));
        let envelope = Envelope::new(NAMESPACE, "", pieces);
        Call::soap(Resource::Metadata, format!("/services/Soap/m/{}", self.version()), envelope).about(call)
    }

    /// Calls, and gives the results of the answer.
    pub(super) async fn ask(&self, call: &str, body: String, about: &str) -> MetadataResult<Vec<Element>> {
        let mut asked = self.envelope(call, vec![Piece::Text(body.into())]);
        if !about.is_empty() {
            asked = asked.about(format!("{call}: {about}"));
        }
        Ok(self.send(call, &asked).await?)
    }

    /// Sends a call that was put together before.
    pub(super) async fn send(&self, call: &str, asked: &Call) -> Result<Vec<Element>, Error> {
        self.client.transport().fetch_as(asked, |whole| results(call, &whole.body)).await
    }

    /// The same for a call that has one result.
    pub(super) async fn ask_one(&self, call: &str, body: String, about: &str) -> MetadataResult<Element> {
        let mut results = self.ask(call, body, about).await?.into_iter();
        Ok(results.next().ok_or_else(|| nothing(call))?)
    }
}

/// An answer without a result.
pub(super) fn nothing(call: &str) -> Error {
    Error::WrongAnswer { what: call.to_owned(), detail: "it has no result".to_owned() }
}

/// The `result` elements of an answer.
pub(super) fn results(call: &str, body: &[u8]) -> Result<Vec<Element>, Flaw> {
    let text =
        std::str::from_utf8(body).map_err(|error| Flaw::passing(error.valid_up_to(), "it is not UTF-8"))?;
    let root = parse(text)
        .map_err(|error| Flaw::passing(usize::try_from(error.offset).unwrap_or_default(), error.detail))?;
    let answer = root
        .child("Body")
        .and_then(|body| body.child(&format!("{call}Response")))
        .ok_or_else(|| Flaw::new(0, format!("it is no answer to {call}")))?;
    Ok(answer.all("result").cloned().collect())
}

/// An element with text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}
