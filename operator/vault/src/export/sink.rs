//! Bytes on their way to the target: compressed, encrypted, uploaded, as they come.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use flate2::write::GzEncoder;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::error::ExportError;
use super::options::{Compression, Format, Options};
use crate::codec::PartKey;
use crate::storage::{Storage, StorageError, Stored, Upload};

/// Bytes gathered before they are handed on.
const CHUNK: usize = 1 << 20;
/// Level of zstd: files are written once and read a few times.
const ZSTD_LEVEL: i32 = 3;

/// How files of an export are encrypted.
#[derive(Clone, Default)]
pub(super) struct Packing {
    recipients: Vec<age::x25519::Recipient>,
    /// Key of Parquet files, and the same for each recipient, as an age file in base64.
    key: Option<(PartKey, String)>,
}

impl Packing {
    /// For these options; encrypted Parquet has this key.
    pub(super) fn new(
        options: &Options,
        key: impl FnOnce() -> Result<[u8; 32], ExportError>,
    ) -> Result<Self, ExportError> {
        let recipients = options.recipients()?;
        if recipients.is_empty() || options.format != Format::Parquet {
            return Ok(Self { recipients, key: None });
        }
        let key = Zeroizing::new(key()?);
        let sealed = seal(&recipients, BASE64.encode(key.as_slice()).as_bytes()).map_err(|why| {
            ExportError::Internal(format!("the key of the export cannot be wrapped: {why}"))
        })?;
        Ok(Self { recipients, key: Some((PartKey::new(&key, Vec::new()), BASE64.encode(sealed))) })
    }

    /// Key of Parquet files.
    pub(super) fn parquet_key(&self) -> Option<&PartKey> {
        self.key.as_ref().map(|(key, _)| key)
    }

    /// The same as the export's document has it.
    pub(super) fn wrapped_key(&self) -> Option<String> {
        self.key.as_ref().map(|(_, wrapped)| wrapped.clone())
    }

    /// Endings of file names.
    pub(super) fn suffix(&self, options: &Options) -> String {
        let format = match options.format {
            Format::Csv => ".csv",
            Format::Json => ".jsonl",
            Format::Parquet | Format::Delta => return ".parquet".to_owned(),
        };
        let compression = match options.compression {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        let encryption = if self.recipients.is_empty() { "" } else { ".age" };
        format!("{format}{compression}{encryption}")
    }

    /// A way for text into the sink.
    pub(super) fn open(&self, compression: Compression, sink: Sink) -> io::Result<Packed> {
        let sealed = if self.recipients.is_empty() {
            Sealed::Plain(sink)
        } else {
            let recipients = self.recipients.iter().map(|one| one as &dyn age::Recipient);
            let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
            Sealed::Age(encryptor.wrap_output(sink)?)
        };
        Ok(match compression {
            Compression::None => Packed::Plain(sealed),
            Compression::Gzip => Packed::Gzip(GzEncoder::new(sealed, flate2::Compression::default())),
            Compression::Zstd => Packed::Zstd(zstd::Encoder::new(sealed, ZSTD_LEVEL)?),
        })
    }
}

fn seal(recipients: &[age::x25519::Recipient], secret: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let recipients = recipients.iter().map(|one| one as &dyn age::Recipient);
    let mut writer = age::Encryptor::with_recipients(recipients)?.wrap_output(Vec::new())?;
    writer.write_all(secret)?;
    Ok(writer.finish()?)
}

/// Compresses.
pub(super) enum Packed {
    Plain(Sealed),
    Gzip(GzEncoder<Sealed>),
    Zstd(zstd::Encoder<'static, Sealed>),
}

/// Encrypts.
pub(super) enum Sealed {
    Plain(Sink),
    Age(age::stream::StreamWriter<Sink>),
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(bytes),
            Self::Gzip(to) => to.write(bytes),
            Self::Zstd(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Packed {
    /// Ends compression and encryption; the sink, which holds all of it.
    pub(super) fn finish(self) -> io::Result<Sink> {
        let sealed = match self {
            Self::Plain(to) => to,
            Self::Gzip(to) => to.finish()?,
            Self::Zstd(to) => to.finish()?,
        };
        match sealed {
            Sealed::Plain(sink) => Ok(sink),
            Sealed::Age(to) => to.finish(),
        }
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(bytes),
            Self::Age(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The target's refusal, for who sees only that writing failed.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<StorageError>>>);

impl Failure {
    /// What the target said, if it did.
    pub(super) fn told(&self, target: &Arc<dyn Storage>) -> Option<ExportError> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        told.map(|error| ExportError::target(target, error))
    }
}

/// A file of the target. Writing to it blocks. Dropped without its end it never was.
pub(super) struct Sink {
    upload: Box<dyn Upload>,
    runtime: Handle,
    buffer: Vec<u8>,
    failure: Failure,
}

impl Sink {
    /// Begins the file.
    pub(super) async fn begin(target: &Arc<dyn Storage>, path: &str) -> Result<Self, ExportError> {
        let upload = target.upload(path).await.map_err(|error| ExportError::target(target, error))?;
        let (runtime, failure) = (Handle::current(), Failure::default());
        Ok(Self { upload, runtime, buffer: Vec::with_capacity(CHUNK), failure })
    }

    /// Where the target's refusal will be told.
    pub(super) fn failure(&self) -> Failure {
        self.failure.clone()
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let bytes = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK)));
        self.runtime.block_on(self.upload.write(bytes)).map_err(|error| {
            let said = io::Error::other(error.to_string());
            *self.failure.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            said
        })
    }

    /// Makes the file.
    pub(super) async fn finish(mut self) -> Result<Stored, StorageError> {
        if !self.buffer.is_empty() {
            self.upload.write(Bytes::from(std::mem::take(&mut self.buffer))).await?;
        }
        self.upload.finish().await
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let many = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..many]);
        if self.buffer.len() == CHUNK {
            self.hand_on()?;
        }
        Ok(many)
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is left goes with the end.
        Ok(())
    }
}
