//! Bodies of several parts (`multipart/form-data`): a record in JSON beside contents of any size, which are taken in as
//! they come.

use std::io::Write as _;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use hyper::body::Body;

use crate::store::{Content, ContentWriter};

/// Bytes of all contents of a call at most: 2 GB of a ContentVersion, and of 500 MB of others (REST API guide, Insert or
/// Update Blob Data).
const LARGEST_VERSION: u64 = 2 * 1024 * 1024 * 1024;
const LARGEST: u64 = 500 * 1024 * 1024;
/// Bytes of the parts that are no contents.
const LARGEST_TEXT: u64 = 50 * 1024 * 1024;

/// One part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Whether it is text of the call itself: it says that it is JSON, or names no file, as contents do.
    pub(crate) is_text: bool,
    pub(crate) content: Content,
}

/// Why the parts cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartsError {
    /// More than a call may have.
    #[error("Maximum size of request reached. Maximum size of request is {0} bytes.")]
    TooLarge(u64),
    /// It is no such body, or it ends before its end.
    #[error("The multipart request cannot be read: {0}")]
    Malformed(#[from] multer::Error),
    /// There is no place for it.
    #[error("The multipart request cannot be kept: {0}")]
    Io(#[from] std::io::Error),
}

/// The boundary, if a call has parts with contents of records, or with a zip of metadata.
pub(crate) fn boundary(path: &str, headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    (path.contains("/sobjects") || path.ends_with("/metadata/deployRequest"))
        .then(|| multer::parse_boundary(kind).ok())
        .flatten()
}

/// Reads the parts, beside how many bytes they have together.
pub(crate) async fn read<B>(body: B, boundary: String, path: &str) -> Result<(Vec<Part>, u64), PartsError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    read_up_to(body, boundary, if path.contains("/ContentVersion") { LARGEST_VERSION } else { LARGEST }).await
}

async fn read_up_to<B>(body: B, boundary: String, largest: u64) -> Result<(Vec<Part>, u64), PartsError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    let mut multipart = multer::Multipart::new(body.into_data_stream(), boundary);
    let (mut parts, mut bytes) = (Vec::new(), 0);
    while let Some(mut field) = multipart.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        let json = field.content_type().is_some_and(|kind| kind.essence_str() == "application/json");
        let is_text = json || field.file_name().is_none();
        let mut writer = ContentWriter::default();
        while let Some(chunk) = field.chunk().await? {
            bytes += chunk.len() as u64;
            let most = if is_text { LARGEST_TEXT } else { largest };
            if bytes > largest || writer.length() > most {
                return Err(PartsError::TooLarge(most));
            }
            writer.write_all(&chunk)?;
        }
        parts.push(Part { name, is_text, content: writer.finish() });
    }
    Ok((parts, bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http_body_util::Full;

    use super::*;

    const MESSAGE: &str = "--cut\r\nContent-Disposition: form-data; name=\"entity_document\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n{}\r\n\
        --cut\r\nContent-Disposition: form-data; name=\"Body\"; filename=\"a\"\r\n\r\n0123456789\r\n--cut--\r\n";

    #[tokio::test]
    async fn parts_are_told_apart_and_no_more_is_kept_than_a_call_may_have() {
        let read = |largest: u64| read_up_to(Full::new(Bytes::from(MESSAGE)), "cut".to_owned(), largest);
        let (parts, bytes) = read(12).await.unwrap();
        let told: Vec<_> =
            parts.iter().map(|part| (part.name.as_str(), part.is_text, part.content.length())).collect();
        assert_eq!((told, bytes), (vec![("entity_document", true, 2), ("Body", false, 10)], 12));
        assert!(matches!(read(11).await, Err(PartsError::TooLarge(11))));
        let cut = Full::new(Bytes::from(&MESSAGE[..MESSAGE.len() - 12]));
        assert!(matches!(read_up_to(cut, "cut".to_owned(), 99).await, Err(PartsError::Malformed(_))));
    }

    #[test]
    fn records_and_packages_come_in_parts() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "multipart/form-data; boundary=\"a b\"".parse().unwrap());
        assert_eq!(boundary("/services/data/v62.0/sobjects/Document", &headers).as_deref(), Some("a b"));
        assert!(boundary("/services/data/v62.0/metadata/deployRequest", &headers).is_some());
        assert_eq!(boundary("/services/data/v62.0/jobs/ingest", &headers), None);
    }
}
