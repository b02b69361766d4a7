//! Verifying a vault: whether what is stored is what was written, each problem with the snapshots it touches.
//!
//! Quick: signatures, the chain of parents, states by their digests, every file by its size in the listing, every
//! document by its check sum. Full: besides, every byte by its SHA-256 and, with a key, every page decrypted and the
//! rows counted. Rows: besides, every row decoded and held against its hash.

mod documents;
mod files;
mod lines;
mod redactions;
pub mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::error::Result;
use crate::layout;
use crate::manifest::FileRef;
use crate::state::Part;
use crate::tree::TreeRef;
use crate::vault::Vault;

/// What to verify.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Read every byte.
    pub full: bool,
    /// And decode every row.
    pub rows: bool,
    /// Read only some of the files, drawn by a seed.
    pub sample: Option<Sample>,
    /// Digest (`sha256:…`) of a manifest that must be there: the only guard against a bucket that was wound back.
    pub expect: Option<String>,
    /// Only this line.
    pub line: Option<String>,
    /// Who is told of what was read, and knows what was read before.
    pub observer: Option<Arc<dyn Observer>>,
}

/// Files to be read, drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Of a hundred.
    pub percent: u8,
    /// The same seed draws the same files.
    pub seed: u64,
}

impl Sample {
    fn draws(self, file: &FileRef) -> bool {
        let drawn = xxhash_rust::xxh3::xxh3_64_with_seed(file.path.as_bytes(), self.seed);
        drawn % 100 < u64::from(self.percent)
    }
}

/// Follows a full verification.
pub trait Observer: Send + Sync + fmt::Debug {
    /// Whether an earlier, interrupted verification found this file good.
    fn knows(&self, file: &FileRef) -> bool;
    /// A file was read; `done` of `all` bytes were by now.
    fn read(&self, file: &FileRef, good: bool, done: u64, all: u64);
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Snapshots that it touches, `<line>/<id>`; none for a file that only work in progress rests on.
    pub snapshots: Vec<String>,
    /// What is wrong.
    pub problem: String,
}

/// What verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether bytes were read.
    pub full: bool,
    /// Lines looked at.
    pub lines: u64,
    /// Snapshots looked at.
    pub snapshots: u64,
    /// Redactions laid over them.
    pub redactions: u64,
    /// Files that they name.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Files that were read, or known to be good, when full.
    pub read: u64,
    /// Rows counted, when full.
    pub rows: u64,
    /// Documents that no snapshot names, but work rests on: leases, journals.
    pub documents: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

/// A file that snapshots name.
struct Named {
    file: FileRef,
    /// The part whose rows or index it is.
    part: Option<Part>,
    snapshots: BTreeSet<String>,
}

/// Work in progress.
struct Checks<'a> {
    vault: &'a Vault,
    report: Report,
    files: BTreeMap<String, Named>,
    digests: BTreeSet<String>,
    /// Names of all snapshots, readable or not.
    snapshots: BTreeSet<String>,
    /// Trees of the snapshot before in which nothing is wrong, and the files that they rest on: most snapshots share them.
    trees: Vec<(TreeRef, Vec<FileRef>)>,
    /// Number that the next snapshot of each line would have; none where the last one cannot be read.
    next: BTreeMap<String, Option<u64>>,
}

impl Checks<'_> {
    fn problem(
        &mut self,
        file: &str,
        snapshots: impl IntoIterator<Item = String>,
        problem: impl Into<String>,
    ) {
        self.report.problems.push(Problem {
            file: file.to_owned(),
            snapshots: snapshots.into_iter().collect(),
            problem: problem.into(),
        });
    }
}

/// Verifies; an error only where the storage itself fails.
pub async fn verify(vault: &Vault, options: &Options) -> Result<Report> {
    let mut checks = Checks {
        vault,
        report: Report { full: options.full, ..Report::default() },
        files: BTreeMap::new(),
        digests: BTreeSet::new(),
        snapshots: BTreeSet::new(),
        trees: Vec::new(),
        next: BTreeMap::new(),
    };
    checks.lines(options.line.as_deref()).await?;
    checks.sizes().await?;
    checks.documents(options.line.as_deref()).await?;
    if options.full {
        checks.contents(options).await?;
    }
    if let Some(expected) = &options.expect
        && !checks.digests.contains(expected)
    {
        let why = format!("no snapshot has the digest {expected}: the bucket may have been wound back");
        // In a vault of one line it is the newest one that is gone.
        match checks.next.iter().next() {
            Some((line, Some(next))) if checks.next.len() == 1 => {
                let (file, name) = (layout::snapshot(line, *next), format!("{line}/{next}"));
                checks.problem(&file, [name], why);
            }
            _ => checks.problem("", [], why),
        }
    }
    checks.report.files = checks.files.len() as u64;
    checks.report.bytes = checks.files.values().map(|named| named.file.size).sum();
    Ok(checks.report)
}
