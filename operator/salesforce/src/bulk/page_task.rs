//! One page being fetched ahead, by a task of its own.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use orgkeep_core::problem::Reaction;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use xxhash_rust::xxh3::Xxh3;

use super::job::QueryJob;
use super::results::BulkPage;
use crate::error::{Error, Result};

/// Times that a page is asked for when its body breaks off or is wrong.
const PAGE_TRIES: u32 = 5;

/// A piece of a page, with its share of the memory.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) _share: Option<OwnedSemaphorePermit>,
}

/// What a page's task gives: its head, its pieces, and the rows that were counted when all of it came.
#[derive(Debug)]
pub(super) enum Item {
    Head(Head),
    Piece(Piece),
    End(u64),
}

/// What the page's head told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) announced: Option<u64>,
    pub(super) next: Option<String>,
}

/// The memory that pages share. The page at the front has a share of its own, so that those ahead of it, which wait
/// for it, can never keep it from going on.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    ahead: Arc<Semaphore>,
    front: Arc<Semaphore>,
    ahead_size: u32,
    front_size: u32,
}

impl Memory {
    /// Shares of a bound: a quarter for the page at the front.
    pub(super) fn new(bound: usize) -> Self {
        let size = |bytes: usize| u32::try_from(bytes.max(1)).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4);
        let (front, ahead) = (size(bound / 4), size(bound - bound / 4));
        Self {
            ahead: Arc::new(Semaphore::new(ahead as usize)),
            front: Arc::new(Semaphore::new(front as usize)),
            ahead_size: ahead,
            front_size: front,
        }
    }

    /// Waits for the memory of a piece. A piece larger than a share takes all of it.
    async fn take(
        &self,
        bytes: usize,
        number: u64,
        front: &mut watch::Receiver<u64>,
    ) -> Option<OwnedSemaphorePermit> {
        let want = |size: u32| u32::try_from(bytes).unwrap_or(u32::MAX).min(size);
        if *front.borrow_and_update() < number {
            tokio::select! {
                share = self.ahead.clone().acquire_many_owned(want(self.ahead_size)) => return share.ok(),
                _ = front.wait_for(|&front| front >= number) => {}
            }
        }
        self.front.clone().acquire_many_owned(want(self.front_size)).await.ok()
    }
}

/// A page to be fetched.
pub(super) struct PageTask {
    pub(super) job: QueryJob,
    pub(super) number: u64,
    pub(super) locator: Option<String>,
    pub(super) max_records: Option<u32>,
    pub(super) memory: Memory,
    /// The number of the page that is being handed out.
    pub(super) front: watch::Receiver<u64>,
    /// Told as soon as the head is there, for whoever wants to begin the next page.
    pub(super) head: Option<oneshot::Sender<Head>>,
    pub(super) items: mpsc::UnboundedSender<Result<Item>>,
}

impl PageTask {
    /// Fetches the page. The receiver sees each byte once: what came before a break is passed over when the page is
    /// read again, if its sum shows that it is the same.
    pub(super) async fn run(mut self) {
        let mut head = None;
        if let Err(error) = self.fetch(&mut head).await {
            let _ = self.items.send(Err(error));
        }
    }

    async fn fetch(&mut self, told: &mut Option<Head>) -> Result<()> {
        let (mut sent, mut sum) = (0_u64, Xxh3::new());
        let mut attempt = 1;
        loop {
            // The page at the front must not wait behind those that wait for it.
            let urgent = *self.front.borrow() >= self.number;
            let page = self.job.open_page(self.locator.as_deref(), self.max_records, urgent).await?;
            self.tell(&page, told)?;
            match self.pass_on(page, &mut sent, &mut sum).await {
                Ok(()) => return Ok(()),
                Err(error) if attempt < PAGE_TRIES && matches!(error.reaction(), Reaction::Retry { .. }) => {
                    tracing::warn!(%error, attempt, "the page is read again");
                    tokio::time::sleep(self.job.client.transport().pause(attempt)).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells the head once; a page that is read again must have the same.
    fn tell(&mut self, page: &BulkPage, told: &mut Option<Head>) -> Result<()> {
        let head = Head { announced: page.rows_announced, next: page.next.clone() };
        match told {
            Some(before) if *before == head => Ok(()),
            Some(_) => Err(self.changed(0)),
            None => {
                *told = Some(head.clone());
                let _ = self.items.send(Ok(Item::Head(head.clone())));
                if let Some(sender) = self.head.take() {
                    let _ = sender.send(head);
                }
                Ok(())
            }
        }
    }

    async fn pass_on(&mut self, mut page: BulkPage, sent: &mut u64, sum: &mut Xxh3) -> Result<()> {
        let (mut left, mut again) = (*sent, Xxh3::new());
        while let Some(piece) = page.body.next().await {
            let mut piece = piece?;
            if left > 0 {
                let passed = piece.split_to(piece.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                again.update(&passed);
                left -= passed.len() as u64;
                if left == 0 && again.digest() != sum.digest() {
                    return Err(self.changed(*sent));
                }
            }
            if piece.is_empty() {
                continue;
            }
            sum.update(&piece);
            *sent += piece.len() as u64;
            let share = self.memory.take(piece.len(), self.number, &mut self.front).await;
            if self.items.send(Ok(Item::Piece(Piece { bytes: piece, _share: share }))).is_err() {
                return Ok(()); // nobody reads any more
            }
        }
        if left > 0 {
            return Err(self.changed(*sent));
        }
        if let Some(rows) = page.rows_counted() {
            let _ = self.items.send(Ok(Item::End(rows)));
        }
        Ok(())
    }

    fn changed(&self, offset: u64) -> Error {
        Error::PageWrong {
            object: self.job.object().into(),
            job: self.job.id().into(),
            page: self.locator.clone().unwrap_or_else(|| "first".into()),
            offset,
            detail: "read again, it is not what it was".into(),
        }
    }
}
