//! What a search goes through of an object: its parts, each once, and the snapshots as views of them.

use std::collections::{BTreeSet, HashMap};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::error::Result;
use crate::manifest::{FileRef, Manifest};
use crate::state::{Part, State};
use crate::vault::Vault;

/// States read at a time.
const IN_FLIGHT: usize = 16;

/// An object at one or several snapshots that have the same state of it.
#[derive(Debug)]
pub(super) struct View {
    /// Numbers of the snapshots.
    pub(super) snapshots: Vec<u64>,
    /// Its parts by their place in the plan, base first.
    pub(super) parts: Vec<usize>,
    /// Fields of the object then.
    pub(super) fields: BTreeSet<String>,
}

/// The parts of an object in some snapshots.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) object: String,
    pub(super) parts: Vec<Part>,
    /// Oldest first.
    pub(super) views: Vec<View>,
    pub(super) has_id: bool,
    /// Whether the newest snapshot has the object: then the last view is of it.
    pub(super) in_newest: bool,
}

impl Plan {
    /// Of an object in these snapshots, oldest first; `None` if none of them has it.
    pub(super) async fn of(vault: &Vault, manifests: &[Manifest], object: &str) -> Result<Option<Self>> {
        let mut files: Vec<(FileRef, usize, Vec<u64>)> = Vec::new();
        for (at, manifest) in manifests.iter().enumerate() {
            let Some(file) = manifest.object(object).and_then(|entry| entry.state.clone()) else { continue };
            match files.iter_mut().find(|(known, ..)| *known == file) {
                Some((_, _, snapshots)) => snapshots.push(manifest.seq),
                None => files.push((file, at, vec![manifest.seq])),
            }
        }
        let newest = manifests.last().map(|manifest| manifest.seq);
        let in_newest = files.iter().any(|(_, _, snapshots)| snapshots.last().copied() == newest);
        // the one that the newest snapshot has comes last, though it be an older one again
        files.sort_by_key(|(_, _, snapshots)| snapshots.last().copied());
        let waiting: Vec<_> = files.iter().map(|(_, at, _)| vault.state(&manifests[*at], object)).collect();
        let states: Vec<State> = stream::iter(waiting).buffered(IN_FLIGHT).try_collect().await?;
        let mut places: HashMap<String, usize> = HashMap::new();
        let (mut parts, mut views, mut has_id) = (Vec::new(), Vec::new(), true);
        for (state, (_, _, snapshots)) in states.into_iter().zip(files) {
            let fields: BTreeSet<String> = state.schema.columns().map(|field| field.name.clone()).collect();
            has_id = fields.contains("Id");
            let mut own = Vec::with_capacity(state.parts.len());
            for part in state.parts {
                let place = *places.entry(part.path.clone()).or_insert(parts.len());
                if place == parts.len() {
                    parts.push(part);
                }
                own.push(place);
            }
            views.push(View { snapshots, parts: own, fields });
        }
        let object = object.to_owned();
        Ok((!views.is_empty()).then_some(Self { object, parts, views, has_id, in_newest }))
    }
}

/// Objects that one of the snapshots has.
pub(super) fn objects(manifests: &[Manifest]) -> BTreeSet<String> {
    let all = manifests.iter().flat_map(|manifest| &manifest.objects);
    all.filter(|entry| entry.state.is_some()).map(|entry| entry.name.clone()).collect()
}
