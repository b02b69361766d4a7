//! What fires in an org from its beginning: automations of its metadata, and those that `automation.yaml` declares.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{LoadError, read};
use super::people::SET_UP;
use super::settings::Settings;
use crate::automation::{Automations, Declared};
use crate::metadata::Stamp;
use crate::store::{Database, World};
use crate::value::Id;

/// The file of a saved org that has them.
pub(super) const SAVED: &str = "automations.json";

/// What a saved org keeps of them.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Saved {
    labels: BTreeMap<String, String>,
    automations: Automations,
}

impl Saved {
    /// What there is to keep of a world; none if there is nothing.
    pub(super) fn of(world: &World) -> Option<Self> {
        let labels = world.database.surroundings().labels.clone();
        let automations = Automations::clone(&world.automations);
        (!labels.is_empty() || !automations.is_empty()).then_some(Self { labels, automations })
    }

    /// What a directory kept.
    pub(super) fn load(directory: &Path) -> Result<Self, LoadError> {
        let file = directory.join(SAVED);
        if !file.is_file() {
            return Ok(Self::default());
        }
        serde_json::from_str(&read(&file)?).map_err(|error| LoadError::file(&file, error.to_string()))
    }

    /// Puts labels and permissions where formulas look for them; the automations.
    pub(super) fn restore(self, database: &mut Database, settings: &Settings) -> Automations {
        database.surroundings_mut().labels = self.labels;
        permit(database, settings);
        let mut automations = self.automations;
        automations.index();
        automations
    }
}

/// Tells formulas which user may what.
fn permit(database: &mut Database, settings: &Settings) {
    let surroundings = database.surroundings_mut();
    for user in &settings.users {
        if let Some(id) = user.id.as_deref().and_then(Id::parse) {
            surroundings.permissions.insert(id, user.permissions.iter().cloned().collect());
        }
    }
}

/// Adds them, and what formulas look at beside records: who may what, and labels.
pub(super) fn add(world: &mut World, settings: &Settings, directory: &Path) -> Result<(), LoadError> {
    permit(&mut world.database, settings);
    let declared = match &settings.automation {
        Some(name) => {
            let file = directory.join(name);
            let mut declared =
                Declared::parse(&read(&file)?).map_err(|message| LoadError::file(&file, message))?;
            world.database.surroundings_mut().labels.extend(declared.take_labels());
            Some((file, declared))
        }
        None => None,
    };
    for (name, reason) in world.automate() {
        tracing::warn!(automation = name, reason, "does not fire: it cannot be read");
    }
    if let Some((file, declared)) = declared {
        let mut automations = Automations::clone(&world.automations);
        declared
            .add_to(&mut automations, &world.schema, &world.database)
            .map_err(|message| LoadError::file(&file, message))?;
        world.automations = automations.into();
        let by = settings.users.first().and_then(|user| Id::parse(user.id.as_deref()?));
        world.write_automations(Stamp { at: SET_UP, by: by.unwrap_or(Id::LOWEST) });
    }
    Ok(())
}
