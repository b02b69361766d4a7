//! HTTP/1.1 messages as bytes: what hyper would mend or refuse is written as it is.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// The longest head.
const HEAD_LIMIT: usize = 64 << 10;

/// The head of a message: its first line and its headers, names in lower case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// A whole message, its body without the framing, encoded as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Head {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
    }

    /// Reads a head; `None` if the connection ended before it.
    pub(crate) async fn read<R: AsyncRead + Unpin>(from: &mut BufReader<R>) -> io::Result<Option<Self>> {
        let mut head = Self::default();
        let mut read = 0;
        loop {
            let mut line = Vec::new();
            let bytes = from.read_until(b'\n', &mut line).await?;
            read += bytes;
            if bytes == 0 && head.first.is_empty() {
                return Ok(None);
            }
            if bytes == 0 || read > HEAD_LIMIT {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.is_empty() {
                return Ok(Some(head));
            }
            if head.first.is_empty() {
                head.first = line;
            } else if let Some((name, value)) = line.split_once(':') {
                head.headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }

    /// The bytes of the head, the empty line included.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

impl Message {
    /// An answer.
    pub(crate) fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut head = Head { first: format!("HTTP/1.1 {status} Spoilt"), headers: Vec::new() };
        if !content_type.is_empty() {
            head.set("content-type", content_type);
        }
        Self { head, body: body.into() }
    }

    /// The status of an answer; 0 if there is none.
    pub(crate) fn status(&self) -> u16 {
        self.head.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Reads the body that a head announces: by length, by chunks, or (of an answer) to the end.
    pub(crate) async fn read<R>(head: Head, from: &mut BufReader<R>, answer: bool) -> io::Result<Self>
    where
        R: AsyncRead + Unpin,
    {
        let mut body = Vec::new();
        if head.get("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            loop {
                let mut line = String::new();
                from.read_line(&mut line).await?;
                let size = usize::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16)
                    .map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
                let start = body.len();
                body.resize(start + size, 0);
                from.read_exact(&mut body[start..]).await?;
                let mut end = String::new();
                from.read_line(&mut end).await?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = head.get("content-length") {
            let length = length.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            body.resize(length, 0);
            from.read_exact(&mut body).await?;
        } else if answer && !head.first.contains(" 204") && !head.first.contains(" 304") {
            from.read_to_end(&mut body).await?;
        }
        Ok(Self { head, body })
    }

    /// The bytes of the message, framed by its length.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut head = self.head.clone();
        head.remove("transfer-encoding");
        head.set("content-length", &self.body.len().to_string());
        let mut bytes = head.to_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
