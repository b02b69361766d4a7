//! A line as a collection sees it: its numbers, what was retired, what is held, which runs may still go on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::deletions::Deletions;
use super::holds::Hold;
use super::plan::{Numbered, Place, place};
use crate::erase::ERASES;
use crate::error::{Result, VaultError};
use crate::layout;
use crate::line::Line;
use crate::manifest::Manifest;
use crate::storage::Version;
use crate::tree::TreeLists;

/// Documents read at a time.
const IN_FLIGHT: usize = 8;

/// What there is.
pub(super) struct View {
    /// Numbers that are there, retired or not.
    pub(super) numbers: BTreeSet<u64>,
    /// What is not retired, voids included, lowest first.
    pub(super) standing: Vec<Numbered>,
    pub(super) deletions: Deletions,
    pub(super) version: Option<Version>,
    pub(super) holds: Vec<Hold>,
    /// Runs that a snapshot is of, retired or not.
    pub(super) committed: BTreeSet<String>,
    /// Runs that were closed.
    pub(super) closed: BTreeSet<String>,
    /// Runs without a snapshot that may go on: when they began, and when they last gave a sign of life.
    pub(super) open: BTreeMap<String, Option<(Timestamp, Timestamp)>>,
    /// Erasures that stand.
    pub(super) erasures: BTreeSet<u64>,
}

impl View {
    /// Reads a line; an error where it cannot be told what its files are for. `own` is the run whose lease is held.
    pub(super) async fn read(line: &Line, own: &str) -> Result<Self> {
        let numbers: BTreeSet<u64> = line.numbers().await?.into_iter().collect();
        let (mut deletions, version) = line.read_deletions().await?;
        for retired in &mut deletions.retired {
            // Without its manifest it cannot come back.
            retired.sweeping |= !numbers.contains(&retired.seq);
        }
        if let Some(missing) = (1..=numbers.last().copied().unwrap_or(0))
            .find(|seq| !numbers.contains(seq) && !deletions.has(*seq))
        {
            let why = "it is missing, and was not retired: nothing is deleted until it is known what it rested on; \
                       bring it back from the storage's own history";
            return Err(VaultError::corrupted(layout::snapshot(line.id(), missing), why));
        }
        let standing: Vec<Numbered> =
            stream::iter(numbers.iter().copied().filter(|seq| !deletions.has(*seq)))
                .map(|seq| line.read_number(seq))
                .buffered(IN_FLIGHT)
                .map(|manifest| numbered(&manifest?))
                .try_collect()
                .await?;
        let committed: BTreeSet<String> = standing
            .iter()
            .filter(|numbered| !numbered.void)
            .map(|numbered| numbered.run_id.clone())
            .chain(deletions.retired.iter().filter(|retired| !retired.void).map(|r| r.run_id.clone()))
            .collect();
        let storage = line.vault().storage();
        let folder = layout::all_closed(line.id());
        let named = |path: &str| Some(path.strip_prefix(&folder)?.strip_suffix(".json")?.to_owned());
        let closed: BTreeSet<String> = storage
            .list(&folder)
            .try_filter_map(|entry| async move { Ok(named(&entry.path)) })
            .try_collect()
            .await?;
        let mut open = BTreeMap::new();
        for run in storage.list_folders(&format!("{}/runs", layout::line(line.id()))).await? {
            // An erasure that was broken off is the next one's to finish, under the same number; its files stay.
            if !committed.contains(&run) && !closed.contains(&run) && !run.starts_with(ERASES) {
                let life = if run == own {
                    Some((Timestamp::MAX, Timestamp::MAX))
                } else {
                    line.run(&run)?.life().await?
                };
                open.insert(run, life);
            }
        }
        let redactions = format!("{}/redactions/", layout::line(line.id()));
        let number = |path: &str| path.rsplit('/').next()?.strip_suffix(".json")?.parse::<u64>().ok();
        let erasures = storage
            .list(&redactions)
            .try_filter_map(|entry| async move { Ok(number(&entry.path)) })
            .try_collect()
            .await?;
        Ok(Self {
            numbers,
            standing,
            deletions,
            version,
            holds: line.holds().await?,
            committed,
            closed,
            open,
            erasures,
        })
    }

    /// Open runs that nobody went on with for so long.
    pub(super) fn abandoned(&self, before: Timestamp) -> BTreeSet<String> {
        let old = |life: &Option<(Timestamp, Timestamp)>| life.is_none_or(|(_, last)| last <= before);
        self.open.iter().filter(|(_, life)| old(life)).map(|(run, _)| run.clone()).collect()
    }

    /// What is to become of a file that nothing rests on.
    pub(super) fn fate(&self, rest: &str, closing: &BTreeSet<String>) -> Fate {
        let goes_on = |run: &str| self.open.contains_key(run) && !closing.contains(run);
        match place(rest) {
            Place::Unknown => Fate::Stays,
            Place::OfErasure(number) if self.erasures.contains(&number) => Fate::Goes,
            Place::OfErasure(_) => Fate::Stays,
            Place::OfRun(run) if goes_on(run) => Fate::HeldBack(run.to_owned()),
            Place::OfRun(run)
                if self.committed.contains(run) || self.closed.contains(run) || closing.contains(run) =>
            {
                Fate::Goes
            }
            Place::OfRun(run) => Fate::NoJournal(run.to_owned()),
            Place::Shared => match self.open.keys().find(|run| goes_on(run)) {
                Some(run) => Fate::HeldBack(run.clone()),
                None => Fate::Goes,
            },
        }
    }
}

/// What becomes of a file that nothing rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is deleted.
    Goes,
    /// It is none of ours.
    Stays,
    /// That run may still name it.
    HeldBack(String),
    /// It is of a run that left no journal: the run is closed first.
    NoJournal(String),
}

fn numbered(manifest: &Manifest) -> Result<Numbered> {
    let time = manifest.completion_time.parse().map_err(|_| {
        VaultError::corrupted(manifest.path(), format!("its time {:?} is none", manifest.completion_time))
    })?;
    Ok(Numbered {
        seq: manifest.seq,
        digest: manifest.digest.clone(),
        run_id: manifest.run_id.clone(),
        void: manifest.is_void(),
        time,
        whole: manifest.phase == "Succeeded",
    })
}

/// Files that snapshots rest on, by path, with their sizes.
#[derive(Default)]
pub(super) struct Files {
    pub(super) named: HashMap<String, u64>,
    /// Lists of the trees of the snapshot before: most snapshots share them.
    lists: TreeLists,
}

impl Files {
    /// Takes in the files of a snapshot; the bytes of those that were not there yet.
    pub(super) async fn add(&mut self, line: &Line, seq: u64) -> Result<u64> {
        let manifest = line.read_number(seq).await?;
        let mut new = 0;
        for (path, file) in line.vault().files_with(&manifest, &mut self.lists).await? {
            if self.named.insert(path, file.size).is_none() {
                new += file.size;
            }
        }
        Ok(new)
    }
}
