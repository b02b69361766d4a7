//! Which rows are hits: the pure part of a search. A row counts where it is the record's newest in a snapshot.

use std::collections::BTreeMap;

use super::plan::{Plan, View};
use super::rows::{Facts, counts};

/// What a search shows of a record's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode {
    /// Every version, not only the newest snapshot's.
    pub(super) all_versions: bool,
    /// Records that are gone, too.
    pub(super) deleted: bool,
}

impl Mode {
    /// Whether only the newest snapshot is asked.
    pub(super) fn is_simple(self) -> bool {
        !self.all_versions && !self.deleted
    }
}

/// A version that is a hit: the part that has it, the snapshots in which it is the record, and whether it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) part: usize,
    pub(super) snapshots: Vec<u64>,
    pub(super) deleted: bool,
}

/// The newest row of a record in a view.
fn winner<'a>(view: &View, rows: &'a BTreeMap<usize, Facts>) -> Option<(usize, &'a Facts)> {
    view.parts.iter().rev().find_map(|part| rows.get(part).map(|facts| (*part, facts)))
}

fn is_hit(view: &View, facts: &Facts) -> bool {
    !facts.deletes && facts.passes && counts(&facts.found, &view.fields)
}

/// The versions of a record that are told when its row in `part` is come upon; each is told at one of its rows only.
/// `rows`: what each part has of the record.
pub(super) fn versions(plan: &Plan, part: usize, rows: &BTreeMap<usize, Facts>, mode: Mode) -> Vec<Version> {
    let Some(newest) = plan.views.last().filter(|_| plan.in_newest || mode.all_versions) else {
        return Vec::new();
    };
    let now = winner(newest, rows).filter(|(_, facts)| !facts.deletes && plan.in_newest);
    if !mode.all_versions {
        if let Some((at, facts)) = now {
            let hit = at == part && is_hit(newest, facts);
            let snapshots = newest.snapshots.last().copied().into_iter().collect();
            return if hit { vec![Version { part, snapshots, deleted: facts.in_bin }] } else { Vec::new() };
        }
        if !mode.deleted {
            return Vec::new();
        }
        // gone by now: as it last was
        let last = plan.views.iter().rev().find_map(|view| {
            winner(view, rows).filter(|(_, facts)| !facts.deletes).map(|(at, facts)| (view, at, facts))
        });
        let Some((view, at, facts)) = last.filter(|(view, at, facts)| *at == part && is_hit(view, facts))
        else {
            return Vec::new();
        };
        let mut snapshots: Vec<u64> = plan
            .views
            .iter()
            .filter(|other| {
                winner(other, rows).is_some_and(|(_, same)| !same.deletes && same.hashes == facts.hashes)
            })
            .flat_map(|other| other.snapshots.iter().copied())
            .collect();
        snapshots.sort_unstable();
        debug_assert!(view.parts.contains(&at));
        return vec![Version { part: at, snapshots, deleted: true }];
    }
    let gone = plan.in_newest && now.is_none();
    if gone && !mode.deleted {
        return Vec::new();
    }
    let mut found: Vec<(&Facts, Version)> = Vec::new();
    let mut first = usize::MAX;
    for view in &plan.views {
        let Some((at, facts)) = winner(view, rows).filter(|(_, facts)| is_hit(view, facts)) else { continue };
        first = first.min(at);
        match found.iter_mut().find(|(known, _)| known.hashes == facts.hashes) {
            Some((_, version)) => version.snapshots.extend(&view.snapshots),
            None => {
                let snapshots = view.snapshots.clone();
                found.push((facts, Version { part: at, snapshots, deleted: gone || facts.in_bin }));
            }
        }
    }
    if first != part {
        return Vec::new();
    }
    let mut all: Vec<Version> = found.into_iter().map(|(_, version)| version).collect();
    for version in &mut all {
        version.snapshots.sort_unstable();
    }
    all
}
