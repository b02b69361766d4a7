//! The journal of intents: what is about to be sent, written down before, so that after a lost answer or a crash the
//! org is asked for just that and nothing is sent again blindly.
//!
//! Append-only. A step is durable when [`Intents::append`] returns; only then the call that it tells of is sent.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The caller's name of the write, such as a run and an object: one journal may hold several.
    pub write: String,
    /// What is about to happen, or has happened.
    #[serde(flatten)]
    pub step: Step,
}

/// A step of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Step {
    /// A Bulk job is about to be made.
    JobAsked {
        /// Number of the part of the input.
        part: u32,
        /// Number of the job within the part.
        number: u32,
        /// Hash of the rows.
        content: String,
        /// The org's time.
        at: Timestamp,
    },
    /// The org has made it; nothing is uploaded.
    JobMade {
        /// Number of the part of the input.
        part: u32,
        /// Number of the job within the part.
        number: u32,
        /// The job's id.
        job: String,
    },
    /// All is uploaded; the org is about to be told to begin.
    JobUploaded {
        /// Number of the part of the input.
        part: u32,
        /// Number of the job within the part.
        number: u32,
        /// The job's id.
        job: String,
    },
    /// The job is given up without having been told to begin: it wrote nothing and never will.
    JobLeft {
        /// Number of the part of the input.
        part: u32,
        /// Number of the job within the part.
        number: u32,
        /// The job's id.
        job: String,
    },
    /// The outcome of every row of the part was told and kept.
    PartDone {
        /// Number of the part of the input.
        part: u32,
        /// Hash of the rows.
        content: String,
    },
    /// A record is about to be made by REST: a row, or a file with its content.
    MakeAsked {
        /// The caller's name of the row.
        key: String,
        /// Object API name.
        object: String,
        /// Hash of what is sent.
        content: String,
        /// The org's time.
        at: Timestamp,
    },
    /// It was made.
    Made {
        /// The caller's name of the row.
        key: String,
        /// The record's id.
        id: String,
    },
    /// The org refused it, or surely never had it: nothing was made.
    NotMade {
        /// The caller's name of the row.
        key: String,
    },
}

/// Keeps the journal. The engine stores it beside the run; [`FileIntents`] and [`MemoryIntents`] are for tests and
/// tools.
pub trait Intents: Send + Sync {
    /// Adds a line; durable when it returns.
    fn append(&self, entry: Entry) -> BoxFuture<'_, Result<()>>;

    /// All lines in their order.
    fn load(&self) -> BoxFuture<'_, Result<Vec<Entry>>>;
}

/// A journal in memory, shared by its clones.
#[derive(Debug, Clone, Default)]
pub struct MemoryIntents(Arc<Mutex<Vec<Entry>>>);

impl Intents for MemoryIntents {
    fn append(&self, entry: Entry) -> BoxFuture<'_, Result<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Box::pin(async { Ok(()) })
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async { Ok(entries) })
    }
}

/// A journal in a file: a line of JSON for each step, synced before `append` returns.
#[derive(Debug)]
pub struct FileIntents {
    path: PathBuf,
    file: Arc<Mutex<std::fs::File>>,
}

impl FileIntents {
    /// Opens the file or makes it. A last line that a crash cut short is dropped: its call was never sent.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |error: std::io::Error| journal_wrong(format!("{}: {error}", path.display()));
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).read(true).open(path).map_err(wrong)?;
        let text = std::fs::read(path).map_err(wrong)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(wrong)?;
            file.flush().map_err(wrong)?;
        }
        Ok(Self { path: path.to_owned(), file: Arc::new(Mutex::new(file)) })
    }
}

impl Intents for FileIntents {
    fn append(&self, entry: Entry) -> BoxFuture<'_, Result<()>> {
        let (file, path) = (self.file.clone(), self.path.clone());
        Box::pin(async move {
            let mut line = serde_json::to_vec(&entry).map_err(|error| journal_wrong(error.to_string()))?;
            line.push(b'\n');
            let write = move || {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(&line)?;
                file.sync_data()
            };
            let written = tokio::task::spawn_blocking(write).await;
            written
                .map_err(|error| journal_wrong(error.to_string()))?
                .map_err(|error| journal_wrong(format!("{}: {error}", path.display())))
        })
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        let path = self.path.clone();
        Box::pin(async move {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| journal_wrong(format!("{}: {error}", path.display())))?;
            let line = |(number, line): (usize, &str)| {
                serde_json::from_str(line).map_err(|error| {
                    journal_wrong(format!("{}, line {}: {error}", path.display(), number + 1))
                })
            };
            text.lines().enumerate().map(line).collect()
        })
    }
}

/// The journal cannot be kept, or says what cannot be.
pub(crate) fn journal_wrong(detail: String) -> Error {
    Error::JournalWrong { detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(job: &str) -> Entry {
        Entry {
            write: "run-1/Account".to_owned(),
            step: Step::JobMade { part: 0, number: 1, job: job.to_owned() },
        }
    }

    #[tokio::test]
    async fn a_file_keeps_whole_lines_and_drops_one_that_was_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("intents");
        let journal = FileIntents::open(&path).unwrap();
        journal.append(entry("750a")).await.unwrap();
        journal.append(entry("750b")).await.unwrap();
        drop(journal);
        let text = std::fs::read(&path).unwrap();
        assert!(
            String::from_utf8_lossy(&text)
                .starts_with(r#"{"write":"run-1/Account","step":"jobMade","part":0"#)
        );
        std::fs::write(&path, &text[..text.len() - 3]).unwrap();
        let journal = FileIntents::open(&path).unwrap();
        journal.append(entry("750c")).await.unwrap();
        assert_eq!(journal.load().await.unwrap(), [entry("750a"), entry("750c")]);
    }

    #[tokio::test]
    async fn a_file_that_says_nonsense_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("intents");
        std::fs::write(&path, "{}\n").unwrap();
        let error = FileIntents::open(&path).unwrap().load().await.unwrap_err();
        assert!(matches!(&error, Error::JournalWrong { detail } if detail.contains("line 1")), "{error}");
    }
}
