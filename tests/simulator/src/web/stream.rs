//! A body written on a thread of its own, a few pieces ahead of the client.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::answer::{Body, Producer};

/// Bytes of a piece.
const PIECE: usize = 128 * 1024;
/// Pieces that wait for the client at most.
const AHEAD: usize = 4;

/// Starts the producer; what goes wrong in it cuts the body, which the client sees.
pub(super) fn start(producer: Producer, gzip: bool) -> Body {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, piece: Vec::with_capacity(PIECE) };
        let written = if gzip {
            let mut encoder = GzEncoder::new(&mut pieces, Compression::fast());
            producer(&mut encoder).and_then(|()| encoder.finish().map(drop))
        } else {
            producer(&mut pieces)
        };
        let ended = written.and_then(|()| pieces.flush());
        if let Err(error) = ended {
            // nobody listens any more if it failed because the client is gone
            let _ = pieces.sender.blocking_send(Err(error));
        }
    });
    let pieces =
        futures::stream::unfold(receiver, |mut receiver: mpsc::Receiver<io::Result<Bytes>>| async move {
            let piece = receiver.recv().await?;
            Some((piece.map(Frame::data), receiver))
        });
    StreamBody::new(pieces).boxed_unsync()
}

/// Gathers what is written into pieces.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(data);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(piece.into())).map_err(gone)
    }
}
