//! Which content: the record, its field, and what the record says of it.

use crate::client::encode;

/// An object with a binary field, and the fields beside it that say what the content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobKind {
    /// Object API name.
    pub object: &'static str,
    /// The binary field.
    pub field: &'static str,
    /// The field with its length in bytes.
    pub length_field: Option<&'static str>,
    /// The field with its MD5, hexadecimal.
    pub md5_field: Option<&'static str>,
}

const fn kind(
    object: &'static str,
    field: &'static str,
    length_field: Option<&'static str>,
    md5_field: Option<&'static str>,
) -> BlobKind {
    BlobKind { object, field, length_field, md5_field }
}

/// The standard objects with content, as the object reference names them.
pub const BLOB_KINDS: [BlobKind; 8] = [
    kind("ContentVersion", "VersionData", Some("ContentSize"), Some("Checksum")),
    kind("Attachment", "Body", Some("BodyLength"), None),
    kind("Document", "Body", Some("BodyLength"), None),
    kind("EventLogFile", "LogFile", Some("LogFileLength"), None),
    kind("StaticResource", "Body", Some("BodyLength"), None),
    kind("MailmergeTemplate", "Body", Some("BodyLength"), None),
    kind("QuoteDocument", "Document", None, None),
    kind("Scontrol", "Binary", Some("BodyLength"), None),
];

impl BlobKind {
    /// The kind of an object; `None` if it has no content that we know of.
    pub fn of(object: &str) -> Option<&'static Self> {
        BLOB_KINDS.iter().find(|kind| kind.object.eq_ignore_ascii_case(object))
    }
}

/// Content to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobSource {
    object: String,
    id: String,
    /// The path behind the record's.
    rest: String,
    length: Option<u64>,
    md5: Option<String>,
}

impl BlobSource {
    /// The content of a record's binary field.
    pub fn new(object: &str, id: &str, field: &str) -> Self {
        Self { object: object.into(), id: id.into(), rest: encode(field), length: None, md5: None }
    }

    /// An image within a rich text field, by the `refid` of its URL in the text.
    pub fn rich_text_image(object: &str, id: &str, field: &str, ref_id: &str) -> Self {
        let rest = format!("richTextImageFields/{}/{}", encode(field), encode(ref_id));
        Self { object: object.into(), id: id.into(), rest, length: None, md5: None }
    }

    /// The length in bytes that the record says, to be proven.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// The MD5 that the record says (hexadecimal, any case), to be proven.
    #[must_use]
    pub fn md5(mut self, hexadecimal: &str) -> Self {
        self.md5 = Some(hexadecimal.trim().to_ascii_lowercase());
        self
    }

    pub(super) fn path(&self, base: &str) -> String {
        format!("{base}/sobjects/{}/{}/{}", encode(&self.object), encode(&self.id), self.rest)
    }

    /// For errors.
    pub(super) fn what(&self) -> String {
        format!("{} {} {}", self.object, self.id, self.rest)
    }

    pub(super) fn expected_length(&self) -> Option<u64> {
        self.length
    }

    pub(super) fn expected_md5(&self) -> Option<&str> {
        self.md5.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let version = BlobSource::new("ContentVersion", "068000000000001AAA", "VersionData");
        assert_eq!(version.path("/b"), "/b/sobjects/ContentVersion/068000000000001AAA/VersionData");
        let image = BlobSource::rich_text_image("Case", "500x", "Story__c", "0EM/1");
        assert_eq!(image.path("/b"), "/b/sobjects/Case/500x/richTextImageFields/Story__c/0EM%2F1");
        assert_eq!(BlobKind::of("attachment").unwrap().field, "Body");
        assert_eq!(BlobKind::of("Account"), None);
    }
}
