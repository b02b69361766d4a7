//! When the objects of a line changed: what manifests say of it, without holding the manifests.

use std::collections::BTreeMap;

use futures::StreamExt as _;

use super::Result;
use crate::line::Line;
use crate::manifest::{FileRef, Manifest};

/// Manifests read at a time.
const IN_FLIGHT: usize = 4;

/// A snapshot in which an object has another state than in the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// Its number.
    pub(super) seq: u64,
    /// RFC 3339: when it was complete.
    pub(super) time: String,
    /// The state.
    pub(super) state: FileRef,
}

/// The moments of each object, the oldest first, of snapshots up to a number.
#[derive(Debug, Default)]
pub(super) struct Timeline(BTreeMap<String, Vec<Moment>>);

impl Timeline {
    /// Reads the manifests one after another.
    pub(super) async fn read(line: &Line, last: u64) -> Result<Self> {
        let numbers: Vec<u64> = line.standing().await?.into_iter().filter(|seq| *seq <= last).collect();
        let mut manifests =
            futures::stream::iter(numbers).map(|seq| line.read_number(seq)).buffered(IN_FLIGHT);
        let mut timeline = Self::default();
        while let Some(manifest) = manifests.next().await {
            timeline.add(&manifest?);
        }
        Ok(timeline)
    }

    /// Of two snapshots, as if there were no others.
    pub(super) async fn between(line: &Line, from: u64, to: &Manifest) -> Result<Self> {
        let mut timeline = Self::default();
        timeline.add(&line.manifest(&from.to_string()).await?);
        timeline.add(to);
        Ok(timeline)
    }

    fn add(&mut self, manifest: &Manifest) {
        for entry in &manifest.objects {
            let Some(state) = &entry.state else { continue };
            let moments = self.0.entry(entry.name.clone()).or_default();
            if moments.last().is_none_or(|before| before.state != *state) {
                let (seq, time) = (manifest.seq, manifest.completion_time.clone());
                moments.push(Moment { seq, time, state: state.clone() });
            }
        }
    }

    /// Of an object.
    pub(super) fn of(&self, object: &str) -> &[Moment] {
        self.0.get(object).map_or(&[], Vec::as_slice)
    }
}
