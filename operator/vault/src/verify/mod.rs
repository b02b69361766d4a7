//! Verifying a vault: whether what is stored is what was written, each problem with the snapshots it touches.
//!
//! Quick: signatures, the chain of parents, states by their digests, every file by its size in the listing. Full:
//! besides, every byte by its SHA-256 and, with a key, every part decrypted, every row held against its hash.

mod files;
mod lines;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::error::Result;
use crate::manifest::FileRef;
use crate::state::Part;
use crate::vault::Vault;

/// What to verify.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Read every byte.
    pub full: bool,
    /// Digest (`sha256:…`) of a manifest that must be there: the only guard against a bucket that was wound back.
    pub expect: Option<String>,
    /// Only this line.
    pub line: Option<String>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Snapshots that it touches, `<line>/<id>`.
    pub snapshots: Vec<String>,
    /// What is wrong.
    pub problem: String,
}

/// What verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether every byte was read.
    pub full: bool,
    /// Lines looked at.
    pub lines: u64,
    /// Snapshots looked at.
    pub snapshots: u64,
    /// Files that they name.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Rows counted, when full.
    pub rows: u64,
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
    part: Option<Part>,
    snapshots: BTreeSet<String>,
}

/// Work in progress.
struct Checks<'a> {
    vault: &'a Vault,
    report: Report,
    files: BTreeMap<String, Named>,
    digests: BTreeSet<String>,
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
    };
    checks.lines(options.line.as_deref()).await?;
    checks.sizes().await?;
    if options.full {
        checks.contents().await?;
    }
    if let Some(expected) = &options.expect
        && !checks.digests.contains(expected)
    {
        checks.problem(
            "",
            [],
            format!("no snapshot has the digest {expected}: the bucket may have been wound back"),
        );
    }
    checks.report.files = checks.files.len() as u64;
    checks.report.bytes = checks.files.values().map(|named| named.file.size).sum();
    Ok(checks.report)
}
