//! A job's pages in their order, fetched in parallel under a bound of memory.
//!
//! Pages are found by the chain (each page's head names the next, so the next begins while the body still comes) or
//! by the list that the job gives from API version 58.0 on (five pages a call). Either way the rows that each head
//! announces must come, the last page must say that it is, and the rows together must be what the job says it read. By
//! the chain each page must be the one that the page before named; the list may name the same page otherwise.

use std::collections::VecDeque;
use std::future::pending;

use bytes::Bytes;
use orgkeep_core::problem::Reaction;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::job::QueryJob;
use super::page_task::{Head, Item, Memory, PageTask};
use super::results::ResultPages;
use crate::error::{Error, Result};

/// How the pages of a job are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    /// By the head of the page before: no further call.
    #[default]
    Chain,
    /// By the job's list, five a call, in pages of the org's own size; by the chain where there is no list.
    ResultPages,
}

/// How to read a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Pages on their way at once.
    pub parallel: usize,
    /// Bytes that wait to be handed out, of all pages together; besides, each page holds what its connection buffers.
    pub memory: usize,
    /// Rows in a page; the org's own size if `None`. The list of pages knows only that.
    pub max_records: Option<u32>,
    /// Where to begin: after the page whose [`PageDone`] told this as its next one; at the first page if `None`.
    pub from: Option<String>,
    /// How pages are found.
    pub discovery: Discovery,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { parallel: 4, memory: 16 << 20, max_records: None, from: None, discovery: Discovery::default() }
    }
}

/// What a reader gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkEvent {
    /// A page begins; its CSV follows, with a header line of its own.
    Begins {
        /// Its number in this reading, from 0.
        number: u64,
        /// Its locator; `None` for the first of the job.
        locator: Option<String>,
    },
    /// Some of the page's CSV.
    Csv(Bytes),
    /// The page is whole: a reading can go on from here.
    Ends(PageDone),
}

/// A page that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageDone {
    /// Its number in this reading, from 0.
    pub number: u64,
    /// Its locator; `None` for the first of the job.
    pub locator: Option<String>,
    /// The page that follows: [`ReadOptions::from`] of a reading that goes on; `None` if this was the last.
    pub next: Option<String>,
    /// Rows that its head announced, and that were counted.
    pub rows: u64,
    /// Bytes of CSV.
    pub bytes: u64,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pages.
    pub pages: u64,
    /// Rows, header lines left out.
    pub rows: u64,
    /// Bytes of CSV, header lines included.
    pub bytes: u64,
}

/// A job being read; made by [`QueryJob::read`].
#[derive(Debug)]
pub struct BulkReader {
    job: QueryJob,
    options: ReadOptions,
    expected: Option<u64>,
    /// The page that must come next; `None` after the last.
    #[allow(clippy::option_option)] // the first page has no locator
    follows: Option<Option<String>>,
    /// Whether the pages are those of the list.
    listed: bool,
    memory: Memory,
    front: watch::Sender<u64>,
    tasks: JoinSet<()>,
    pages: VecDeque<Page>,
    /// Pages begun.
    begun: u64,
    finding: Finding,
    totals: Totals,
    failed: Option<Error>,
}

/// How far pages are known.
#[derive(Debug)]
enum Finding {
    /// This page may begin.
    Next(Option<String>),
    /// The head of the page that was begun last names the next.
    ByHead(oneshot::Receiver<Head>),
    /// Known ones of the list, and where the list goes on.
    List { known: VecDeque<Option<String>>, more: More },
    /// There is none any more.
    End,
}

#[derive(Debug)]
enum More {
    /// The list was not asked for yet.
    Begin,
    At(String),
    No,
}

/// A page that was begun.
#[derive(Debug)]
struct Page {
    number: u64,
    locator: Option<String>,
    items: mpsc::UnboundedReceiver<Result<Item>>,
    begins_said: bool,
    head: Option<Head>,
    bytes: u64,
    rows: Option<u64>,
}

impl QueryJob {
    /// Reads the pages of a complete job in their order, several at once. `rows_expected` is what the job said that
    /// it read ([`JobInfo::number_records_processed`](super::JobInfo)), to be proven if the reading begins at the
    /// first page.
    pub fn read(&self, options: ReadOptions, rows_expected: Option<u64>) -> BulkReader {
        let finding = match (options.discovery, &options.from) {
            (Discovery::ResultPages, None) => Finding::List { known: VecDeque::new(), more: More::Begin },
            (_, from) => Finding::Next(from.clone()),
        };
        BulkReader {
            job: self.clone(),
            expected: rows_expected.filter(|_| options.from.is_none()),
            follows: Some(options.from.clone()),
            listed: matches!(finding, Finding::List { .. }),
            memory: Memory::new(options.memory),
            front: watch::Sender::new(0),
            tasks: JoinSet::new(),
            pages: VecDeque::new(),
            begun: 0,
            finding,
            totals: Totals::default(),
            failed: None,
            options,
        }
    }
}

impl BulkReader {
    /// What was read so far; all of it once [`next`](Self::next) has given `None`.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The next event; `None` when every page came. After an error the reading is over; go on from the last
    /// [`PageDone`] by a new one.
    pub async fn next(&mut self) -> Result<Option<BulkEvent>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let step = self.step().await;
        if let Err(error) = &step {
            self.tasks.abort_all();
            self.pages.clear();
            self.failed = Some(error.clone());
        }
        step
    }

    async fn step(&mut self) -> Result<Option<BulkEvent>> {
        loop {
            self.begin_pages().await?;
            let room = self.pages.len() < self.options.parallel.max(1);
            let Some(page) = self.pages.front_mut() else {
                return self.end();
            };
            if !page.begins_said {
                page.begins_said = true;
                let (number, locator) = (page.number, page.locator.clone());
                return Ok(Some(BulkEvent::Begins { number, locator }));
            }
            // The next page begins as soon as it is known, while this one still comes.
            let head = match &mut self.finding {
                Finding::ByHead(head) if room => Some(head),
                _ => None,
            };
            tokio::select! {
                biased;
                head = async { match head { Some(head) => head.await.ok(), None => pending().await } } => {
                    self.named(head);
                }
                item = page.items.recv() => match item {
                    Some(Ok(Item::Head(head))) => page.head = Some(head),
                    Some(Ok(Item::Piece(piece))) => {
                        page.bytes += piece.bytes.len() as u64;
                        return Ok(Some(BulkEvent::Csv(piece.bytes)));
                    }
                    Some(Ok(Item::End(rows))) => page.rows = Some(rows),
                    Some(Err(error)) => return Err(error),
                    None => return self.end_page().map(Some),
                },
            }
        }
    }

    /// Begins the pages that are known and have room.
    async fn begin_pages(&mut self) -> Result<()> {
        while self.pages.len() < self.options.parallel.max(1) {
            let locator = match &mut self.finding {
                Finding::End => return Ok(()),
                Finding::Next(locator) => locator.take(),
                Finding::ByHead(head) => match head.try_recv() {
                    Ok(head) => {
                        self.named(Some(head));
                        continue;
                    }
                    // With no page on its way there is nobody to wait for.
                    Err(oneshot::error::TryRecvError::Closed) => {
                        self.named(None);
                        continue;
                    }
                    Err(oneshot::error::TryRecvError::Empty) => return Ok(()),
                },
                Finding::List { known, more } => match (known.pop_front(), &more) {
                    (Some(locator), _) => locator,
                    (None, More::No) => {
                        self.finding = Finding::End;
                        continue;
                    }
                    (None, _) => {
                        self.list().await?;
                        continue;
                    }
                },
            };
            self.begin(locator);
        }
        Ok(())
    }

    /// What the head of the page that was begun last says of the next; without a head the page has failed, and says
    /// so itself.
    fn named(&mut self, head: Option<Head>) {
        self.finding = match head.and_then(|head| head.next) {
            Some(next) => Finding::Next(Some(next)),
            None => Finding::End,
        };
    }

    /// Asks for some more of the list.
    async fn list(&mut self) -> Result<()> {
        let Finding::List { known, more } = &mut self.finding else { return Ok(()) };
        let from = match more {
            More::At(url) => Some(url.clone()),
            _ => None,
        };
        match self.job.result_pages(from.as_deref()).await {
            Ok(ResultPages { locators, next }) => {
                known.extend(locators);
                *more = next.map_or(More::No, More::At);
            }
            // An org that has no list: the chain does it, too.
            Err(error) if from.is_none() && error.reaction() == Reaction::GiveUpObject => {
                tracing::info!(%error, "no list of result pages; the chain is followed");
                self.finding = Finding::Next(None);
                self.listed = false;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn begin(&mut self, locator: Option<String>) {
        let (head, head_comes) = oneshot::channel();
        let (sender, items) = mpsc::unbounded_channel();
        let task = PageTask {
            job: self.job.clone(),
            number: self.begun,
            locator: locator.clone(),
            max_records: self.options.max_records.filter(|_| !self.listed),
            memory: self.memory.clone(),
            front: self.front.subscribe(),
            head: Some(head),
            items: sender,
        };
        self.tasks.spawn(task.run());
        while self.tasks.try_join_next().is_some() {}
        self.pages.push_back(Page {
            number: self.begun,
            locator,
            items,
            begins_said: false,
            head: None,
            bytes: 0,
            rows: None,
        });
        self.begun += 1;
        if !self.listed {
            self.finding = Finding::ByHead(head_comes);
        }
    }

    fn end_page(&mut self) -> Result<BulkEvent> {
        let page = self.pages.pop_front();
        let Some((page, Some(head), Some(rows))) = page.map(|mut page| {
            let (head, rows) = (page.head.take(), page.rows);
            (page, head, rows)
        }) else {
            return Err(self.wrong("a page's task ended without its page".to_owned()));
        };
        if !self.listed && self.follows.as_ref() != Some(&page.locator) {
            let named = self.follows.clone().flatten();
            let detail =
                format!("the page before it names {} as the next", named.as_deref().unwrap_or("none"));
            return Err(Error::PageWrong {
                object: self.job.object().into(),
                job: self.job.id().into(),
                page: page.locator.unwrap_or_else(|| "first".into()),
                offset: 0,
                detail,
            });
        }
        self.follows = head.next.clone().map(Some);
        self.front.send_replace(page.number + 1);
        self.totals.pages += 1;
        self.totals.rows += rows;
        self.totals.bytes += page.bytes;
        Ok(BulkEvent::Ends(PageDone {
            number: page.number,
            locator: page.locator,
            next: head.next,
            rows,
            bytes: page.bytes,
        }))
    }

    /// All pages that were found were read: is it all?
    fn end(&mut self) -> Result<Option<BulkEvent>> {
        if let Some(next) = self.follows.take() {
            let next = next.as_deref().unwrap_or("first").to_owned();
            return Err(self.wrong(format!("the list of its pages ends before the page at locator {next}")));
        }
        match self.expected {
            Some(expected) if expected != self.totals.rows => Err(Error::RowsMissing {
                what: format!("Bulk job {} on {}", self.job.id(), self.job.object()),
                got: self.totals.rows,
                expected,
            }),
            _ => Ok(None),
        }
    }

    fn wrong(&self, detail: String) -> Error {
        Error::WrongAnswer { what: format!("Bulk job {} on {}", self.job.id(), self.job.object()), detail }
    }
}
