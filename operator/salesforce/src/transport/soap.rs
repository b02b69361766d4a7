//! SOAP envelopes: text around the session that only the transport knows, and zips that are written as base64 while
//! they are sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};

use crate::xml::escape;

/// Bytes of a zip that are encoded at once; a multiple of three, so that pieces join without padding.
const ENCODED_AT_ONCE: usize = 48 * 1024;

/// A piece of an envelope.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    /// XML as it stands.
    Text(Bytes),
    /// Content that goes out as base64.
    Base64(Bytes),
}

/// An envelope: what stands before the session id, and what after it.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    before: Bytes,
    after: Vec<Piece>,
}

impl Envelope {
    /// An envelope whose header names the session in the namespace (`urn:partner.soap.sforce.com`,
    /// `http://soap.sforce.com/2006/04/metadata`), has further headers, and this as its body.
    pub(crate) fn new(namespace: &str, headers: &str, body: Vec<Piece>) -> Self {
        let before = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"{namespace}\">\
             <soapenv:Header><SessionHeader><sessionId>"
        );
        let head = format!("</sessionId></SessionHeader>{headers}</soapenv:Header><soapenv:Body>");
        let mut after = vec![Piece::Text(head.into())];
        after.extend(body);
        after.push(Piece::Text(Bytes::from_static(b"</soapenv:Body></soapenv:Envelope>")));
        Self { before: before.into(), after }
    }

    /// Puts the envelope into a request, with its length, which Salesforce's limits on a message go by.
    pub(super) fn send(
        &self,
        request: reqwest::RequestBuilder,
        session: &SecretString,
    ) -> reqwest::RequestBuilder {
        let session = Bytes::from(escape(session.expose_secret()).into_owned());
        let length = self.before.len() + session.len() + self.after.iter().map(Piece::length).sum::<usize>();
        let text = [self.before.clone(), session].into_iter();
        let pieces = text.chain(self.after.clone().into_iter().flat_map(Piece::into_chunks));
        let body = futures::stream::iter(pieces.map(Ok::<Bytes, std::convert::Infallible>));
        request
            .header(CONTENT_TYPE, "text/xml; charset=UTF-8")
            .header("SOAPAction", "\"\"")
            .header(CONTENT_LENGTH, length)
            .body(reqwest::Body::wrap_stream(body))
    }
}

impl Piece {
    /// Bytes on the wire.
    fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Base64(content) => content.len().div_ceil(3) * 4,
        }
    }

    fn into_chunks(self) -> Box<dyn Iterator<Item = Bytes> + Send> {
        match self {
            Self::Text(text) => Box::new(std::iter::once(text)),
            Self::Base64(content) => {
                let pieces = (0..content.len()).step_by(ENCODED_AT_ONCE);
                Box::new(pieces.map(move |at| {
                    let end = content.len().min(at + ENCODED_AT_ONCE);
                    Bytes::from(STANDARD.encode(&content[at..end]))
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_pieces() {
        for size in [0, 1, 2, 3, ENCODED_AT_ONCE - 1, ENCODED_AT_ONCE, 2 * ENCODED_AT_ONCE + 7] {
            let content = Bytes::from(vec![7_u8; size]);
            let piece = Piece::Base64(content.clone());
            let sent: Vec<u8> = piece.clone().into_chunks().flatten().collect();
            assert_eq!(sent.len(), piece.length());
            assert_eq!(STANDARD.decode(sent).unwrap(), content);
        }
    }
}
