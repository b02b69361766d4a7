//! The body of an upload: the record as JSON, then its content, with a length that is known before.

use bytes::Bytes;

use crate::error::{Error, Result};

/// The frame around a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) content_type: String,
    pub(super) before: Bytes,
    pub(super) after: Bytes,
}

impl Frame {
    /// `part` names the JSON (`entity_content` and the like: the org takes any name there), `field` the content, `file`
    /// its file name. `boundary` must not be in the content: it is random.
    pub(super) fn new(boundary: &str, part: &str, json: &str, field: &str, file: &str) -> Result<Self> {
        if file.contains(['\r', '\n', '\0']) || file.is_empty() {
            return Err(Error::InputRefused {
                what: format!("the file {file:?}"),
                detail: "a file's name is text without line ends".into(),
            });
        }
        let file = file.replace('\\', "\\\\").replace('"', "\\\"");
        let before = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{part}\"\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n\
             {json}\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{file}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        Ok(Self {
            content_type: format!("multipart/form-data; boundary=\"{boundary}\""),
            before: before.into(),
            after: format!("\r\n--{boundary}--\r\n").into(),
        })
    }

    /// Bytes of the whole body around a content of this length.
    pub(super) fn length(&self, content: u64) -> u64 {
        (self.before.len() + self.after.len()) as u64 + content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame() {
        let frame = Frame::new("b", "entity_content", "{}", "VersionData", "a\"b.png").unwrap();
        let text =
            String::from_utf8([frame.before.clone(), Bytes::from("xyz"), frame.after.clone()].concat())
                .unwrap();
        assert_eq!(frame.length(3), text.len() as u64);
        assert!(text.contains("name=\"VersionData\"; filename=\"a\\\"b.png\""));
        assert!(text.ends_with("\r\n\r\nxyz\r\n--b--\r\n"));
        assert!(Frame::new("b", "p", "{}", "Body", "a\r\nX: y").is_err());
    }
}
