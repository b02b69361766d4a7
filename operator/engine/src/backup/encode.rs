//! Encode and write: rows into encrypted parts on a blocking thread, parts into the vault, both bounded.
//!
//! A page's body flows through a short channel into the encoder, and each finished part through another into the
//! vault; where one side is slow, the other waits.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use orgkeep_core::reason::Reason;
use orgkeep_core::schema::ObjectSchema;
use orgkeep_salesforce::Error;
use orgkeep_vault::codec::{self, CodecError, CsvFault, INDEX_FROM, PartKey, PartWriter, Settings};
use orgkeep_vault::{DataKey, Part, VaultError};
use tokio::sync::mpsc;

use super::shard::{Shard, Trouble};
use crate::ending::Ending;

/// Chunks of a body between the network and the encoder.
const CHUNKS_AHEAD: usize = 8;
/// Bytes of rows that an encoder holds and sorts.
const BUFFER_BYTES: usize = 24 << 20;
/// Bytes of cells of a row group: what Parquet holds while it encodes one.
const GROUP_BYTES: usize = 12 << 20;

/// Rows as REST gives them.
pub(super) type Rows = Vec<Vec<Option<String>>>;

/// What a page gave.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Files in the vault.
    pub(super) parts: Vec<Part>,
    /// Rows that came out of the decoder.
    pub(super) decoded: u64,
}

/// Why a page of CSV did not become parts.
#[derive(Debug)]
pub(super) enum CsvError {
    /// The body broke off, or ended within a row.
    Body(String),
    /// Anything else.
    Trouble(Trouble),
}

impl From<VaultError> for CsvError {
    fn from(error: VaultError) -> Self {
        Self::Trouble(error.into())
    }
}

/// What goes to the encoder.
enum Piece {
    Csv(Bytes),
    Rows(Rows),
    /// Everything came.
    End,
}

/// Encodes and writes a page of CSV.
pub(super) async fn csv(
    shard: &Shard<'_>,
    name: &str,
    body: BoxStream<'static, Result<Bytes, Error>>,
) -> Result<Written, CsvError> {
    let pieces = body.map(|chunk| chunk.map(Piece::Csv).map_err(|error| error.to_string()));
    pipe(shard, name, pieces).await
}

/// Encodes and writes rows.
pub(super) async fn rows(shard: &Shard<'_>, name: &str, rows: Rows) -> Result<Written, Trouble> {
    let pieces = futures::stream::iter([Ok(Piece::Rows(rows))]);
    pipe(shard, name, pieces).await.map_err(|error| match error {
        CsvError::Trouble(trouble) => trouble,
        CsvError::Body(why) => Trouble::GiveUp(shard.failed("Undecodable", &why)),
    })
}

/// The three stations at once: body → encoder → vault.
async fn pipe(
    shard: &Shard<'_>,
    name: &str,
    pieces: impl Stream<Item = Result<Piece, String>>,
) -> Result<Written, CsvError> {
    let (to_encoder, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let (to_vault, mut finished) = mpsc::channel::<(codec::Part, u64)>(1);
    let (schema, key) = (shard.object.schema.clone(), part_key(&shard.key));
    let tracker = shard.work.context.tracker.clone();
    let index_from = shard.work.searchable.then_some(INDEX_FROM);
    let encoder = tokio::task::spawn_blocking(move || {
        encode(&schema, key.as_ref(), index_from, chunks, &to_vault, &|rows| tracker.add_records(rows))
    });
    let feeding = async move {
        futures::pin_mut!(pieces);
        while let Some(piece) = pieces.next().await {
            let piece: Piece = piece.map_err(CsvError::Body)?;
            if to_encoder.send(piece).await.is_err() {
                return Ok(()); // the encoder has given up, and says why
            }
        }
        let _ = to_encoder.send(Piece::End).await;
        Ok::<(), CsvError>(())
    };
    let writing = async move {
        let mut parts = Vec::new();
        while let Some((part, rows)) = finished.recv().await {
            let name = format!("{name}-{}", parts.len());
            parts.push(put(shard, &name, part, rows).await?);
        }
        Ok::<_, CsvError>(parts)
    };
    // The first that fails ends the others; a writer that is gone ends the encoder at its next part.
    let (fed, parts) = tokio::join!(feeding, writing);
    let encoded = encoder.await.map_err(|error| {
        CsvError::Trouble(Ending::failed(Reason::InternalError, error.to_string()).into())
    })?;
    fed?;
    let parts = parts?;
    match encoded {
        Ok(decoded) => Ok(Written { parts, decoded }),
        Err(CodecError::Csv(fault)) if matches!(fault.fault, CsvFault::Truncated) => {
            Err(CsvError::Body(fault.to_string()))
        }
        Err(error) => {
            Err(CsvError::Trouble(Trouble::GiveUp(shard.failed("Undecodable", &error.to_string()))))
        }
    }
}

/// The encoder's thread: rows that came out of the decoder, or why there are none.
fn encode(
    schema: &ObjectSchema,
    key: Option<&PartKey>,
    index_from: Option<u64>,
    mut chunks: mpsc::Receiver<Piece>,
    to_vault: &mpsc::Sender<(codec::Part, u64)>,
    count: &dyn Fn(u64),
) -> Result<u64, CodecError> {
    let (buffer_bytes, group_bytes) = (BUFFER_BYTES, GROUP_BYTES);
    let settings = Settings { buffer_bytes, group_bytes, index_from, ..Settings::default() };
    let mut writer = PartWriter::new(schema, key, settings)?;
    let mut any_csv = false;
    while let Some(piece) = chunks.blocking_recv() {
        match piece {
            Piece::Csv(chunk) if chunk.is_empty() => {}
            Piece::Csv(chunk) => {
                any_csv = true;
                writer.push_csv(&chunk)?;
            }
            Piece::Rows(rows) => {
                for row in &rows {
                    let cells: Vec<Option<&str>> = row.iter().map(Option::as_deref).collect();
                    writer.push_row(&cells)?;
                }
            }
            Piece::End => {
                if any_csv {
                    writer.end_page()?;
                }
                writer.flush()?;
                let decoded = writer.rows();
                hand_over(&mut writer, key, to_vault, count)?;
                return Ok(decoded);
            }
        }
        hand_over(&mut writer, key, to_vault, count)?;
    }
    // The feeder gave up and says why itself.
    Err(CodecError::Misuse("the page did not come to its end"))
}

/// Gives finished parts on, with their rows as their own footers tell them.
fn hand_over(
    writer: &mut PartWriter,
    key: Option<&PartKey>,
    to_vault: &mpsc::Sender<(codec::Part, u64)>,
    count: &dyn Fn(u64),
) -> Result<(), CodecError> {
    for part in writer.take_parts() {
        let rows = codec::part_rows(part.bytes.clone(), key)?;
        count(rows);
        if to_vault.blocking_send((part, rows)).is_err() {
            return Err(CodecError::Misuse("the vault does not take parts any more"));
        }
    }
    Ok(())
}

async fn put(shard: &Shard<'_>, name: &str, mut part: codec::Part, rows: u64) -> Result<Part, CsvError> {
    part.facts.rows = rows;
    let put = shard.work.attempt.put_encoded(shard.name(), name, part, &shard.key).await?;
    shard.work.context.tracker.add_bytes(put.files().map(|file| file.size).sum());
    Ok(put)
}

fn part_key(key: &DataKey) -> Option<PartKey> {
    key.bytes().map(|bytes| PartKey::new(bytes, key.footer_metadata()))
}
