//! `orgkeep vault verify`: what is stored against what was signed.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use orgkeep_vault::FileRef;
use orgkeep_vault::verify::{Observer, Options, Sample, verify};

use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// How deep to look.
pub(super) struct Depth {
    /// Only what stands in manifests and listings.
    pub(super) quick: bool,
    /// Every row.
    pub(super) rows: bool,
    /// So many percent of the files.
    pub(super) sample: Option<u8>,
    /// What draws them.
    pub(super) seed: Option<u64>,
    /// Where it is noted what is done.
    pub(super) resume: Option<PathBuf>,
}

/// Notes files that are good, one a line, and tells on standard error how far it is.
#[derive(Debug)]
struct Progress {
    known: HashSet<(String, String)>,
    notes: Option<Mutex<File>>,
    told: Mutex<Instant>,
}

impl Progress {
    fn new(resume: Option<&Path>) -> std::io::Result<Self> {
        let mut known = HashSet::new();
        let notes = match resume {
            Some(path) => {
                let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
                for line in BufReader::new(&file).lines() {
                    if let Some((sha256, path)) = line?.split_once("  ") {
                        known.insert((path.to_owned(), sha256.to_owned()));
                    }
                }
                Some(Mutex::new(file))
            }
            None => None,
        };
        Ok(Self { known, notes, told: Mutex::new(Instant::now()) })
    }
}

impl Observer for Progress {
    fn knows(&self, file: &FileRef) -> bool {
        self.known.contains(&(file.path.clone(), file.sha256.clone()))
    }

    fn read(&self, file: &FileRef, good: bool, done: u64, all: u64) {
        if let Some(notes) = self.notes.as_ref().filter(|_| good && !self.knows(file)) {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            // What is not noted is read again.
            if let Err(error) = writeln!(notes, "{}  {}", file.sha256, file.path) {
                tracing::warn!(%error, "what was read is not noted");
            }
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() > Duration::from_secs(5) {
            *told = Instant::now();
            eprintln!("{} of {} read", table::bytes(done), table::bytes(all));
        }
    }
}

/// Verifies; fails if anything is not as it was written.
pub(super) async fn run(access: &VaultAccess, depth: Depth, expect: Option<String>) -> CommandResult {
    let vault = super::open(access).await?;
    let sample = depth.sample.map(|percent| {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Sample { percent, seed: depth.seed.unwrap_or_else(clock) }
    });
    let options = Options {
        full: !depth.quick,
        rows: depth.rows,
        sample,
        expect,
        line: access.line.clone(),
        observer: Some(Arc::new(Progress::new(depth.resume.as_deref())?)),
    };
    let report = verify(&vault, &options).await?;
    let good = report.is_good();
    match access.output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
        Output::Table => {
            for problem in &report.problems {
                println!(
                    "{}: {} (snapshots {})",
                    problem.file,
                    problem.problem,
                    problem.snapshots.join(", ")
                );
            }
            println!(
                "{}: {} snapshots, {} files, {} {}, {} rows counted",
                if good { "verified" } else { "NOT as written" },
                report.snapshots,
                report.files,
                table::bytes(report.bytes),
                match (depth.quick, sample) {
                    (true, _) => "named (not read)".to_owned(),
                    (false, Some(sample)) => {
                        format!("named, {} files read (seed {})", report.read, sample.seed)
                    }
                    (false, None) => "read".to_owned(),
                },
                table::count(report.rows),
            );
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
