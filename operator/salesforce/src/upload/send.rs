//! Making a record with a binary field: the intent journaled, the content streamed, what the org has compared.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::Method;
use md5::{Digest as _, Md5};

use super::multipart::Frame;
use crate::blob::BlobKind;
use crate::client::{Client, encode};
use crate::error::{Error, Result};
use crate::rest::read_all;
use crate::soql::{Select, literal};
use crate::transport::{Call, Outgoing, Pieces, Resource};
use crate::write::{
    Cell, Column, Content, Intents, Journal, Look, Make, Outcome, WriteOptions, make, md5_of,
};

/// The largest content of a ContentVersion, and of any other object, bytes (D blob).
const VERSION_LIMIT: u64 = 2 << 30;
const OTHER_LIMIT: u64 = 500 << 20;
/// Times that a record is asked for which was just made and does not show its content yet.
const PROOFS: u32 = 3;

/// Opens a content from its beginning: it is read once for its MD5 and once for each try.
pub type Open = Arc<dyn Fn() -> BoxStream<'static, io::Result<Bytes>> + Send + Sync>;

/// A file to be written: a new record and its content.
#[derive(Clone)]
pub struct Upload {
    /// The caller's name of it; unique within a write.
    pub key: String,
    /// Object API name, one of [`crate::BLOB_KINDS`].
    pub object: String,
    /// The record's other fields.
    pub fields: Vec<(Column, Cell)>,
    /// The file's name.
    pub file_name: String,
    /// Bytes of the content.
    pub length: u64,
    /// MD5 of the content, hexadecimal, if it is known: else the content is read once for it.
    pub md5: Option<String>,
    /// The content.
    pub content: Open,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("key", &self.key)
            .field("object", &self.object)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Of the record.
    pub outcome: Outcome,
    /// MD5 of the content, hexadecimal.
    pub md5: String,
}

impl Client {
    /// Writes a file. Its intent is in the journal before; after a lost answer the org is asked for a record that this
    /// user made since with this content. Afterwards what the org has is compared, by the record's own MD5 where it has
    /// one, else by reading the content back.
    pub async fn upload(
        &self,
        intents: Arc<dyn Intents>,
        write: &str,
        upload: &Upload,
        options: WriteOptions,
        settle: Duration,
    ) -> Result<Uploaded> {
        let kind = check(upload)?;
        let md5 = match &upload.md5 {
            Some(md5) => md5.trim().to_ascii_lowercase(),
            None => md5_of_source(upload).await?,
        };
        let mut journal = Journal::open(intents, write).await?;
        let content = Content {
            field: kind.field.to_owned(),
            length: kind.length_field.map(|field| (field.to_owned(), upload.length)),
            md5_field: kind.md5_field.map(str::to_owned),
            md5: md5.clone(),
        };
        let cells = upload.fields.clone();
        let wanted = Look { object: kind.object.to_owned(), cells, key: None, content: Some(content) };
        let call = options.put(call(self, upload, kind)?);
        let sent = format!("{md5} {} {}", upload.length, record(upload));
        let content = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(sent.as_bytes()));
        let made = Make { key: upload.key.clone(), content, call, wanted };
        let outcome = make(self, &mut journal, &made, settle).await?;
        if let Outcome::Succeeded { id, .. } = &outcome {
            prove(self, kind, id, upload.length, &md5).await?;
        }
        Ok(Uploaded { outcome, md5 })
    }
}

fn check(upload: &Upload) -> Result<&'static BlobKind> {
    let refuse =
        |detail: String| Error::InputRefused { what: format!("{} {:?}", upload.object, upload.key), detail };
    let kind = BlobKind::of(&upload.object).ok_or_else(|| refuse("no object with content".into()))?;
    let limit = if kind.object == "ContentVersion" { VERSION_LIMIT } else { OTHER_LIMIT };
    if upload.length > limit {
        return Err(refuse(format!("a content of {} bytes; the org takes {limit}", upload.length)));
    }
    if upload.fields.iter().any(|(column, _)| column.name.eq_ignore_ascii_case(kind.field)) {
        return Err(refuse(format!("{} is the content itself", kind.field)));
    }
    Ok(kind)
}

fn record(upload: &Upload) -> String {
    let (columns, cells): (Vec<Column>, Vec<Cell>) = upload.fields.iter().cloned().unzip();
    let target = crate::write::Target::new(&upload.object, crate::write::Operation::Insert, columns);
    serde_json::Value::Object(crate::write::members(&target, &cells, &[])).to_string()
}

fn call(client: &Client, upload: &Upload, kind: &BlobKind) -> Result<Call> {
    let boundary = format!("orgkeep{:032x}", rand::random::<u128>());
    let part = match kind.object {
        "ContentVersion" => "entity_content",
        "Document" => "entity_document",
        _ => "entity",
    };
    let frame = Frame::new(&boundary, part, &record(upload), kind.field, &upload.file_name)?;
    let (length, content) = (upload.length, upload.content.clone());
    let (whole, content_type) = (frame.length(length), frame.content_type.clone());
    let outgoing = Outgoing::new(content_type, whole, move || {
        let once = |bytes: Bytes| futures::stream::iter([Ok(bytes)]);
        let pieces: Pieces = once(frame.before.clone())
            .chain(exactly(content(), length))
            .chain(once(frame.after.clone()))
            .boxed();
        pieces
    });
    let path = format!("{}/sobjects/{}", client.base(), encode(kind.object));
    let call = Call::get(Resource::BlobUpload, path).method(Method::POST).sending(outgoing).once();
    Ok(call.about(upload.key.clone()))
}

/// A content that has not the length that was told ends in an error, so that the org never takes a part for the whole.
fn exactly(
    content: BoxStream<'static, io::Result<Bytes>>,
    length: u64,
) -> BoxStream<'static, io::Result<Bytes>> {
    let wrong =
        move |came: u64| io::Error::other(format!("the content has {came} bytes, {length} were told"));
    let stream = futures::stream::unfold(Some((content, 0_u64)), move |state| async move {
        let (mut content, came) = state?;
        match content.next().await {
            None if came == length => None,
            None => Some((Err(wrong(came)), None)),
            Some(Err(error)) => Some((Err(error), None)),
            Some(Ok(piece)) => {
                let came = came + piece.len() as u64;
                if came > length {
                    return Some((Err(wrong(came)), None));
                }
                Some((Ok(piece), Some((content, came))))
            }
        }
    });
    stream.boxed()
}

async fn md5_of_source(upload: &Upload) -> Result<String> {
    let mut content = (upload.content)();
    let (mut md5, mut came) = (Md5::new(), 0_u64);
    let refuse =
        |detail: String| Error::InputRefused { what: format!("{} {:?}", upload.object, upload.key), detail };
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(|error| refuse(format!("the content cannot be read: {error}")))?;
        came += piece.len() as u64;
        md5.update(&piece);
    }
    if came != upload.length {
        return Err(refuse(format!("the content has {came} bytes, {} were told", upload.length)));
    }
    Ok(md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Compares what the org has.
async fn prove(client: &Client, kind: &BlobKind, id: &str, length: u64, md5: &str) -> Result<()> {
    let wrong =
        |detail: String| Error::BlobWrong { what: format!("{} {id}", kind.object), offset: length, detail };
    let Some(field) = kind.md5_field else {
        let (got, has) = md5_of(client, kind.object, id, kind.field).await?;
        if got == length && has == md5 {
            return Ok(());
        }
        return Err(wrong(format!("the org has {got} bytes with MD5 {has}, {length} with {md5} were sent")));
    };
    let mut columns = vec![field];
    columns.extend(kind.length_field);
    let select = Select::new(kind.object, &columns).filter(format!("Id = {}", literal(id)));
    for proof in 1..=PROOFS {
        let row = read_all(client, &select, true).await?.into_iter().next().unwrap_or_default();
        let has = row.first().cloned().flatten();
        if has.as_deref().is_some_and(|has| has.eq_ignore_ascii_case(md5)) {
            return Ok(());
        }
        if has.is_some() {
            return Err(wrong(format!("the org's MD5 is {}, {md5} was sent", has.unwrap_or_default())));
        }
        tokio::time::sleep(client.transport().pause(proof)).await;
    }
    Err(wrong("the org tells no MD5 of it".into()))
}
