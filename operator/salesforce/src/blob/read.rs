//! The content as it comes, resumed where it breaks off, and held against what the record says of it.
//!
//! Memory: the piece in hand. A server that gives ranges sends only the rest; from one that does not, the content is
//! read anew, and what was already handed out is passed over once its MD5 shows that it is the same.

use bytes::Bytes;
use http::{HeaderValue, header};
use md5::{Digest as _, Md5};

use super::range::{Begins, begins, told_length};
use super::source::BlobSource;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::transport::{Body, Call, Reply, Resource, is_html};

/// Times that a content that breaks off is asked for again without a new byte having come.
const FRUITLESS_TRIES: u32 = 5;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobSummary {
    /// Bytes.
    pub length: u64,
    /// MD5, hexadecimal.
    pub md5: String,
    /// Whether a length said beforehand was met: by the record, or by the answer's head.
    pub length_proven: bool,
    /// Whether the MD5 that the record says was met.
    pub md5_proven: bool,
    /// Times that it was asked for again.
    pub resumed: u32,
}

/// Content being read; made by [`Client::blob`]. Nothing is sent before the first piece is asked for.
#[derive(Debug)]
pub struct BlobReader {
    client: Client,
    source: BlobSource,
    body: Option<Body>,
    /// Bytes handed out, and their MD5 so far.
    given: u64,
    md5: Md5,
    /// Of a content that is read anew: bytes still to be passed over, and the MD5 of those that were.
    passing: Option<(u64, Md5)>,
    told: Option<u64>,
    fruitless: u32,
    resumed: u32,
    summary: Option<BlobSummary>,
}

impl BlobReader {
    pub(crate) fn new(client: Client, source: BlobSource) -> Self {
        Self {
            client,
            source,
            body: None,
            given: 0,
            md5: Md5::new(),
            passing: None,
            told: None,
            fruitless: 0,
            resumed: 0,
            summary: None,
        }
    }

    /// The next piece; `None` when all of it came and is as the record says. After an error the reading is over.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        while self.summary.is_none() {
            let Some(body) = &mut self.body else {
                match self.open().await {
                    Ok(body) => self.body = Some(body),
                    // A node's page instead of the content, mostly: nothing of it was handed out.
                    Err(error @ Error::BlobWrong { .. }) if self.fruitless + 1 < FRUITLESS_TRIES => {
                        self.broke_off(error.to_string()).await?;
                    }
                    Err(error) => return Err(error),
                }
                continue;
            };
            match body.chunk().await {
                Ok(Some(piece)) => {
                    if let Some(piece) = self.take(piece)? {
                        return Ok(Some(piece));
                    }
                }
                Ok(None) if self.cut_short() => self.broke_off("it ended early".to_owned()).await?,
                Ok(None) => self.summary = Some(self.prove()?),
                Err(detail) => self.broke_off(detail).await?,
            }
        }
        Ok(None)
    }

    /// What was read, once [`next_chunk`](Self::next_chunk) has given `None`.
    pub fn summary(&self) -> Option<&BlobSummary> {
        self.summary.as_ref()
    }

    /// Asks for the content, or for what is missing of it.
    async fn open(&mut self) -> Result<Body> {
        let mut call = Call::get(Resource::Blob, self.source.path(self.client.base()))
            .about(self.source.what())
            // A packed body cannot be resumed, and most files are packed already.
            .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        call.accept = "*/*";
        if self.given > 0 {
            call = call.header(header::RANGE, range_from(self.given));
        }
        let known = self.source.expected_length().is_some() || self.source.expected_md5().is_some();
        let what = call.what();
        let check = |reply: &Reply| {
            // A file may be a web page; where nothing says what it must be, one is taken for a node's own page.
            if known || !is_html(&reply.headers, &[]) {
                return Ok(());
            }
            Err(Error::BodyUnreadable {
                what: what.clone(),
                offset: 0,
                detail: "it is an HTML page, not the content".to_owned(),
                passing: true,
            })
        };
        let reply = match self.client.transport().open_checked(&call, check).await {
            Err(Error::Refused { symptom, .. }) if self.given > 0 && symptom.status == Some(416) => {
                return Err(self.wrong(format!("it has no byte {}, where it went on before", self.given)));
            }
            reply => reply?,
        };
        self.told = told_length(reply.status, &reply.headers);
        if let (Some(told), Some(expected)) = (self.told, self.source.expected_length())
            && told != expected
        {
            return Err(self.wrong(format!("the answer has {told} bytes, the record says {expected}")));
        }
        self.passing = match begins(reply.status, &reply.headers, self.given) {
            Begins::Resumed => None,
            Begins::Anew => Some((self.given, Md5::new())).filter(|_| self.given > 0),
            Begins::Elsewhere => {
                return Err(self.wrong("the answer is another part than was asked for".to_owned()));
            }
        };
        Ok(reply.body)
    }

    /// Takes a piece, and gives what is new of it.
    fn take(&mut self, mut piece: Bytes) -> Result<Option<Bytes>> {
        if let Some((left, md5)) = &mut self.passing {
            let passed = piece.split_to(piece.len().min(usize::try_from(*left).unwrap_or(usize::MAX)));
            md5.update(&passed);
            *left -= passed.len() as u64;
            if *left > 0 {
                return Ok(None);
            }
            if md5.clone().finalize() != self.md5.clone().finalize() {
                return Err(self.wrong("it is not what it was when it was begun".to_owned()));
            }
            self.passing = None;
        }
        if piece.is_empty() {
            return Ok(None);
        }
        self.md5.update(&piece);
        self.given += piece.len() as u64;
        self.fruitless = 0;
        if let Some(expected) = self.source.expected_length().or(self.told)
            && self.given > expected
        {
            return Err(self.wrong(format!("more came than the {expected} bytes that it has")));
        }
        Ok(Some(piece))
    }

    /// Whether a body that ended was shorter than its head told.
    fn cut_short(&self) -> bool {
        self.passing.is_some() || self.told.is_some_and(|told| self.given < told)
    }

    async fn broke_off(&mut self, detail: String) -> Result<()> {
        self.body = None;
        self.passing = None;
        self.fruitless += 1;
        if self.fruitless >= FRUITLESS_TRIES {
            return Err(Error::BlobCut { what: self.source.what(), offset: self.given, detail });
        }
        tracing::warn!(content = self.source.what(), offset = self.given, detail, "the rest is asked for");
        self.resumed += 1;
        if self.fruitless > 1 {
            tokio::time::sleep(self.client.transport().pause(self.fruitless - 1)).await;
        }
        Ok(())
    }

    fn prove(&mut self) -> Result<BlobSummary> {
        self.body = None;
        let md5 = hex(&self.md5.clone().finalize());
        if let Some(expected) = self.source.expected_length()
            && expected != self.given
        {
            return Err(self.wrong(format!("it ended, the record says {expected} bytes")));
        }
        if let Some(expected) = self.source.expected_md5()
            && expected != md5
        {
            return Err(self.wrong(format!("its MD5 is {md5}, the record says {expected}")));
        }
        Ok(BlobSummary {
            length: self.given,
            md5,
            length_proven: self.source.expected_length().or(self.told).is_some(),
            md5_proven: self.source.expected_md5().is_some(),
            resumed: self.resumed,
        })
    }

    fn wrong(&self, detail: String) -> Error {
        Error::BlobWrong { what: self.source.what(), offset: self.given, detail }
    }
}

/// `bytes=N-`.
fn range_from(offset: u64) -> HeaderValue {
    let mut text = b"bytes=".to_vec();
    text.extend_from_slice(offset.to_string().as_bytes());
    text.push(b'-');
    // Digits and ASCII only: never refused.
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("bytes=0-"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}
