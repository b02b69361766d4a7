//! The automations of an org.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Automation, AutomationError, Effect, Kind, Moment};
use crate::value::Id;

/// All automations of an org, in the order in which they came to be. A clone is cheap.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Automations {
    #[serde(with = "shared")]
    all: Vec<Arc<Automation>>,
    /// Ids that were given.
    given: u64,
    /// Active ones by the object, its name in small letters, in the order of their names: Salesforce promises none, and
    /// ours is to be the same each time.
    #[serde(skip)]
    active: BTreeMap<String, Vec<Arc<Automation>>>,
}

impl Automations {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Automation> {
        self.all.iter().map(|automation| &**automation)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// One by kind and name, in any case.
    pub fn find(&self, kind: Kind, full_name: &str) -> Option<&Automation> {
        self.all().find(|known| known.kind == kind && known.full_name.eq_ignore_ascii_case(full_name))
    }

    /// One by its id.
    pub fn with_id(&self, id: Id) -> Option<&Automation> {
        self.all().find(|known| known.id == id)
    }

    /// Switches one on or off, at a time in milliseconds since 1970.
    pub fn set_active(
        &mut self,
        kind: Kind,
        full_name: &str,
        active: bool,
        at: i64,
    ) -> Result<(), AutomationError> {
        let known = self.position(kind, full_name);
        let known = known.ok_or_else(|| AutomationError::Unknown(kind.name(), full_name.to_owned()))?;
        let automation = &mut self.all[known];
        if automation.is_managed() {
            return Err(AutomationError::Managed(kind.name(), full_name.to_owned()));
        }
        if automation.active != active {
            let automation = Arc::make_mut(automation);
            automation.active = active;
            automation.changed = at;
            self.index();
        }
        Ok(())
    }

    /// Puts one in the place of the one of its kind and name, whose id it takes over, or adds it; its id. One without an
    /// id ([`Id::LOWEST`]) is given one. What a trigger or a flow does is not told by metadata, nor are the actions of a
    /// workflow rule that `automation.yaml` declares: one that does nothing goes on doing what the one before it did.
    pub fn replace(&mut self, mut automation: Automation) -> Result<Id, AutomationError> {
        match self.position(automation.kind, &automation.full_name) {
            Some(known) => {
                let before = &self.all[known];
                if before.is_managed() {
                    return Err(AutomationError::Managed(automation.kind.name(), automation.full_name));
                }
                automation.id = before.id;
                let rule = &mut automation.rule;
                if rule.effects.is_empty() {
                    rule.effects.clone_from(&before.rule.effects);
                    if matches!(automation.kind, Kind::ApexTrigger | Kind::Flow) {
                        rule.when = before.rule.when.clone();
                    }
                }
                if rule.matching.is_empty() {
                    rule.matching.clone_from(&before.rule.matching);
                }
                let id = automation.id;
                self.all[known] = Arc::new(automation);
                self.index();
                Ok(id)
            }
            None => Ok(self.add(automation)),
        }
    }

    /// Adds one; its id.
    pub(super) fn add(&mut self, mut automation: Automation) -> Id {
        if automation.id == Id::LOWEST {
            self.given += 1;
            automation.id = Id::new(automation.kind.prefix(), self.given);
        }
        let id = automation.id;
        self.all.push(Arc::new(automation));
        self.index();
        id
    }

    /// Takes one away; whether there was one.
    pub fn remove(&mut self, kind: Kind, full_name: &str) -> Result<bool, AutomationError> {
        let Some(known) = self.position(kind, full_name) else { return Ok(false) };
        if self.all[known].is_managed() {
            return Err(AutomationError::Managed(kind.name(), full_name.to_owned()));
        }
        self.all.remove(known);
        self.index();
        Ok(true)
    }

    /// Changes one, if there is such.
    pub(super) fn change(&mut self, kind: Kind, full_name: &str, change: impl FnOnce(&mut Automation)) {
        if let Some(known) = self.position(kind, full_name) {
            change(Arc::make_mut(&mut self.all[known]));
            self.index();
        }
    }

    fn position(&self, kind: Kind, full_name: &str) -> Option<usize> {
        let same =
            |known: &Arc<Automation>| known.kind == kind && known.full_name.eq_ignore_ascii_case(full_name);
        self.all.iter().position(same)
    }

    /// Makes ready for firing; after they were read from a file, too.
    pub(crate) fn index(&mut self) {
        self.active.clear();
        for automation in self.all.iter().filter(|automation| automation.active) {
            self.active.entry(automation.object.to_ascii_lowercase()).or_default().push(automation.clone());
        }
        for of_object in self.active.values_mut() {
            of_object.sort_by(|a, b| a.full_name.cmp(&b.full_name));
        }
    }

    /// Active ones of an object.
    fn of(&self, object: &str) -> &[Arc<Automation>] {
        if self.active.is_empty() {
            return &[];
        }
        self.active.get(&object.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Active ones of an object and kind, in the order in which they fire.
    pub(super) fn firing(&self, object: &str, kind: Kind) -> Vec<Arc<Automation>> {
        self.of(object).iter().filter(|known| known.kind == kind).cloned().collect()
    }

    /// Whether anything fires for records of an object.
    pub(crate) fn concern(&self, object: &str) -> bool {
        !self.of(object).is_empty()
    }

    /// Whether anything of an object changes more than the record that is being saved, so that a refusal must take it
    /// back.
    pub(crate) fn reach_further(&self, object: &str) -> bool {
        let further = |known: &Arc<Automation>| {
            let effects = &known.rule.effects;
            let makes = effects.iter().any(|effect| matches!(effect, Effect::Insert { .. }));
            let late = known.rule.on.iter().any(|moment| !moment.is_before());
            makes || late && (!effects.is_empty() || !known.rule.entries.is_empty())
        };
        self.of(object).iter().any(further)
    }

    /// Whether anything fires when records of an object are deleted.
    pub(crate) fn concern_deletion(&self, object: &str) -> bool {
        let deletion = |moment: &Moment| matches!(moment, Moment::BeforeDelete | Moment::AfterDelete);
        self.of(object).iter().any(|known| known.rule.on.iter().any(deletion))
    }
}

/// Shared automations are saved each for itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::automation::Automation;

    pub(super) fn serialize<S: Serializer>(all: &[Arc<Automation>], to: S) -> Result<S::Ok, S::Error> {
        all.iter().map(|automation| &**automation).collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Arc<Automation>>, D::Error> {
        Ok(Vec::<Automation>::deserialize(from)?.into_iter().map(Arc::new).collect())
    }
}
