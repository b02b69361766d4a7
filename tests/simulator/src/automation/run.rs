//! Automations as transactions let them fire, in the order that Salesforce documents ("Triggers and Order of
//! Execution"): flows before the save, triggers before it, what the system checks, validation rules, duplicate rules,
//! the save, triggers after it, assignment rules, workflow rules (whose field updates fire the update triggers once
//! more), flows after the save.

use std::sync::Arc;

use super::tally::Mail;
use super::{Automation, Condition, Effect, Kind, Moment};
use crate::formula::{Formula, FormulaError, Record, to_value};
use crate::store::transaction::{Assignment, Cells, Refusal, Transaction};
use crate::store::{Row, RowRef};
use crate::value::{Cell, Id, Value};

/// Changes that automations cause in each other at most (documented of Apex: 16).
const DEEPEST: u8 = 16;

/// A record in the hand of an automation.
struct Hand<'a> {
    object: usize,
    moment: Moment,
    row: &'a mut Row,
    before: Option<&'a Row>,
    /// Fields that were set.
    set: Vec<usize>,
}

impl Transaction<'_> {
    /// Whether anything fires for records of an object.
    pub(crate) fn is_automated(&self, object: usize) -> bool {
        !self.world.automations.is_empty() && self.world.automations.concern(&self.described(object).name)
    }

    /// Whether anything fires when these records are deleted.
    pub(crate) fn fires_on_deletion(&self, ids: &[Id]) -> bool {
        !self.world.automations.is_empty()
            && ids
                .iter()
                .filter_map(|id| self.object_of(*id))
                .any(|object| self.world.automations.concern_deletion(&self.described(object).name))
    }

    /// Does a change of a record; if it is refused, what automations did for it is taken back.
    pub(crate) fn guarded<T>(
        &mut self,
        object: usize,
        work: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if !self.is_automated(object) {
            return work(self);
        }
        if self.depth >= DEEPEST {
            let message = "maximum trigger depth exceeded";
            return Err(Refusal::new("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message));
        }
        let further = self.world.automations.reach_further(&self.described(object).name);
        let kept = further.then(|| self.world.clone());
        let mails = self.tally.mails.len();
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        if done.is_err() {
            if let Some(kept) = kept {
                *self.world = kept;
            }
            self.tally.mails.truncate(mails);
        }
        done
    }

    /// Flows and triggers before a record is saved; the fields that they set.
    pub(crate) fn before_save(
        &mut self,
        object: usize,
        row: &mut Row,
        before: Option<&Row>,
    ) -> Result<Vec<usize>, Refusal> {
        if !self.is_automated(object) {
            return Ok(Vec::new());
        }
        let moment = if before.is_some() { Moment::BeforeUpdate } else { Moment::BeforeInsert };
        let mut hand = Hand { object, moment, row, before, set: Vec::new() };
        for kind in [Kind::Flow, Kind::ApexTrigger] {
            self.fire_all(kind, &mut hand)?;
        }
        Ok(hand.set)
    }

    /// Validation rules and duplicate rules, once the system has nothing to say against a record.
    pub(crate) fn judge(&mut self, object: usize, row: &Row, before: Option<&Row>) -> Result<(), Refusal> {
        if !self.is_automated(object) {
            return Ok(());
        }
        let moment = if before.is_some() { Moment::BeforeUpdate } else { Moment::BeforeInsert };
        let mut copy = row.clone();
        let mut hand = Hand { object, moment, row: &mut copy, before, set: Vec::new() };
        self.fire_all(Kind::ValidationRule, &mut hand)?;
        for rule in self.firing(object, Kind::DuplicateRule, moment) {
            self.find_duplicate(&rule, &hand)?;
        }
        Ok(())
    }

    /// What fires after a record was made or changed.
    pub(crate) fn after_save(&mut self, object: usize, id: Id, before: Option<&Row>) -> Result<(), Refusal> {
        if !self.is_automated(object) {
            return Ok(());
        }
        let moment = if before.is_some() { Moment::AfterUpdate } else { Moment::AfterInsert };
        self.fire_saved(Kind::ApexTrigger, object, id, moment, before)?;
        self.assign(object, id, before)?;
        self.work_flows(object, id, moment, before)?;
        self.fire_saved(Kind::Flow, object, id, moment, before)
    }

    /// Triggers and flows before a record is deleted, and what those after it would refuse.
    pub(crate) fn before_delete(&mut self, object: usize, row: &Row) -> Result<(), Refusal> {
        if !self.is_automated(object) {
            return Ok(());
        }
        for moment in [Moment::BeforeDelete, Moment::AfterDelete] {
            for kind in [Kind::Flow, Kind::ApexTrigger] {
                for rule in self.firing(object, kind, moment) {
                    let refuses =
                        rule.rule.effects.iter().any(|effect| matches!(effect, Effect::Refuse { .. }));
                    if moment == Moment::AfterDelete && !refuses {
                        continue;
                    }
                    let mut copy = row.clone();
                    let mut hand =
                        Hand { object, moment, row: &mut copy, before: Some(row), set: Vec::new() };
                    self.fire(&rule, &mut hand)?;
                }
            }
        }
        Ok(())
    }

    /// What fires after a record was deleted.
    pub(crate) fn after_delete(&mut self, object: usize, id: Id) -> Result<(), Refusal> {
        let Some((_, mut row)) = self.find(id) else { return Ok(()) };
        let moment = Moment::AfterDelete;
        for kind in [Kind::ApexTrigger, Kind::Flow] {
            for rule in self.firing(object, kind, moment) {
                if rule.rule.effects.iter().any(|effect| matches!(effect, Effect::Refuse { .. })) {
                    continue;
                }
                let mut hand = Hand { object, moment, row: &mut row, before: None, set: Vec::new() };
                self.fire(&rule, &mut hand)?;
            }
        }
        Ok(())
    }

    /// Triggers after a record came back from the recycle bin.
    pub(crate) fn after_undelete(&mut self, object: usize, id: Id) -> Result<(), Refusal> {
        if !self.is_automated(object) {
            return Ok(());
        }
        self.fire_saved(Kind::ApexTrigger, object, id, Moment::AfterUndelete, None)
    }

    fn firing(&self, object: usize, kind: Kind, moment: Moment) -> Vec<Arc<Automation>> {
        let mut firing = self.world.automations.firing(&self.described(object).name, kind);
        firing.retain(|rule| rule.rule.on.contains(&moment));
        firing
    }

    fn fire_all(&mut self, kind: Kind, hand: &mut Hand<'_>) -> Result<(), Refusal> {
        for rule in self.firing(hand.object, kind, hand.moment) {
            self.fire(&rule, hand)?;
        }
        Ok(())
    }

    /// Fires for a record that is saved; fields are set by an update of it, which fires what updates fire.
    fn fire_saved(
        &mut self,
        kind: Kind,
        object: usize,
        id: Id,
        moment: Moment,
        before: Option<&Row>,
    ) -> Result<(), Refusal> {
        for rule in self.firing(object, kind, moment) {
            let Some((_, mut row)) = self.find(id) else { return Ok(()) };
            let mut hand = Hand { object, moment, row: &mut row, before, set: Vec::new() };
            self.fire(&rule, &mut hand)?;
            let set = std::mem::take(&mut hand.set);
            if set.is_empty() {
                continue;
            }
            let cells: Cells = set.into_iter().map(|field| (field, row.get(field).to_value())).collect();
            if let Err(refusal) = self.update(id, cells) {
                return Err(self.refused_within(&rule, moment, "Update", &refusal));
            }
        }
        Ok(())
    }

    /// Lets one automation fire, if its condition holds.
    fn fire(&mut self, rule: &Automation, hand: &mut Hand<'_>) -> Result<bool, Refusal> {
        let holds =
            self.holds(&rule.rule.when, hand).map_err(|error| self.failed(rule, hand.moment, &error))?;
        if !holds || rule.rule.only_when_it_begins && self.held_before(rule, hand)? {
            return Ok(false);
        }
        self.tally.note(rule.kind, &rule.full_name, |told| told.fired += 1);
        for effect in &rule.rule.effects {
            self.take_effect(rule, effect, hand)?;
        }
        Ok(true)
    }

    fn take_effect(
        &mut self,
        rule: &Automation,
        effect: &Effect,
        hand: &mut Hand<'_>,
    ) -> Result<(), Refusal> {
        match effect {
            Effect::Refuse { message, field, throws } => {
                self.tally.note(rule.kind, &rule.full_name, |told| told.refused += 1);
                Err(refusal(rule, hand.moment, message, field.as_deref(), *throws))
            }
            Effect::Set { field, to } => {
                let Some(number) = self.described(hand.object).find(field) else { return Ok(()) };
                let described = &self.described(hand.object).fields[number];
                let value = self.evaluate(to, hand).and_then(|given| to_value(described, given));
                let value = value.map_err(|error| self.failed(rule, hand.moment, &error))?;
                // what is so already needs no update, as careful Apex does it
                let same = hand.row.get(number) == value.as_ref().map_or(Cell::Null, Value::as_cell);
                if !same {
                    hand.row.set(number, value);
                    hand.set.push(number);
                }
                Ok(())
            }
            Effect::Insert { object, fields } => {
                let Some(target) = self.world.schema.find(object) else { return Ok(()) };
                let mut cells = Cells::new();
                for (field, to) in fields {
                    let Some(number) = self.described(target).find(field) else { continue };
                    let described = &self.described(target).fields[number];
                    let value = self.evaluate(to, hand).and_then(|given| to_value(described, given));
                    cells.push((number, value.map_err(|error| self.failed(rule, hand.moment, &error))?));
                }
                match self.insert(target, cells) {
                    Ok(_) => Ok(()),
                    Err(refusal) => Err(self.refused_within(rule, hand.moment, "Insert", &refusal)),
                }
            }
            Effect::Email { to, subject } => {
                let to = self.evaluate(to, hand).map_err(|error| self.failed(rule, hand.moment, &error))?;
                self.tally.mails.push(Mail {
                    by: Mail::sender(rule.kind, &rule.full_name),
                    to: to.to_text(),
                    subject: subject.clone(),
                    record: hand.row.id.to_string(),
                    at: self.at,
                });
                Ok(())
            }
        }
    }

    fn record<'b>(&'b self, hand: &'b Hand<'_>) -> Record<'b> {
        let row = RowRef::Stored(&*hand.row);
        Record {
            before: hand.before.map(RowRef::Stored),
            new: matches!(hand.moment, Moment::BeforeInsert | Moment::AfterInsert),
            user: Some(self.actor.user),
            now: self.at,
            ..Record::read(&self.world.schema, &self.world.database, hand.object, row)
        }
    }

    fn evaluate(&self, formula: &Formula, hand: &Hand<'_>) -> Result<crate::formula::Given, FormulaError> {
        formula.value(&self.record(hand))
    }

    fn holds(&self, condition: &Condition, hand: &Hand<'_>) -> Result<bool, FormulaError> {
        condition.holds(&self.record(hand))
    }

    /// Whether the condition held before the change.
    fn held_before(&self, rule: &Automation, hand: &Hand<'_>) -> Result<bool, Refusal> {
        let Some(before) = hand.before else { return Ok(false) };
        let record = Record { row: RowRef::Stored(before), before: None, ..self.record(hand) };
        rule.rule.when.holds(&record).map_err(|error| self.failed(rule, hand.moment, &error))
    }

    fn find_duplicate(&mut self, rule: &Automation, hand: &Hand<'_>) -> Result<(), Refusal> {
        if !self.holds(&rule.rule.when, hand).map_err(|error| self.failed(rule, hand.moment, &error))? {
            return Ok(());
        }
        let described = self.described(hand.object);
        let fields: Vec<usize> = rule.rule.matching.iter().filter_map(|name| described.find(name)).collect();
        let Some((&first, rest)) = fields.split_first() else { return Ok(()) };
        // nothing matches nothing
        if fields.iter().any(|field| hand.row.get(*field) == Cell::Null) {
            return Ok(());
        }
        let world = &*self.world;
        let candidates = world.database.with_value(&world.schema, hand.object, first, hand.row.get(first));
        let same = |id: &Id| {
            let Some(other) = world.database.find(hand.object, *id) else { return false };
            let equal = |field: &usize| {
                let mut scratch = String::new();
                let cell = world.database.cell(&world.schema, hand.object, other, *field, &mut scratch);
                match (cell, hand.row.get(*field)) {
                    (Cell::Text(a), Cell::Text(b)) => a.to_lowercase() == b.to_lowercase(),
                    (a, b) => a == b,
                }
            };
            *id != hand.row.id && rest.iter().all(equal)
        };
        if !candidates.iter().any(same) {
            return Ok(());
        }
        self.tally.note(rule.kind, &rule.full_name, |told| told.fired += 1);
        if !rule.rule.blocks && self.options.allow_duplicates {
            return Ok(());
        }
        self.tally.note(rule.kind, &rule.full_name, |told| told.refused += 1);
        let message = rule.rule.effects.iter().find_map(|effect| match effect {
            Effect::Refuse { message, .. } => Some(message.as_str()),
            _ => None,
        });
        Err(Refusal::new("DUPLICATES_DETECTED", message.unwrap_or("Use one of these records?")))
    }

    /// Gives a case or a lead its owner. The active rule acts on new records, one that the call names on all.
    fn assign(&mut self, object: usize, id: Id, before: Option<&Row>) -> Result<(), Refusal> {
        let rule = match &self.options.assignment {
            Assignment::None => return Ok(()),
            Assignment::Active if before.is_some() => return Ok(()),
            Assignment::Active => self
                .world
                .automations
                .firing(&self.described(object).name, Kind::AssignmentRule)
                .into_iter()
                .next(),
            // the rule of that id need not be active (documented of AssignmentRuleHeader)
            Assignment::Rule(id) => self.world.automations.with_id(*id).cloned().map(Arc::new),
        };
        let name = &self.described(object).name;
        let Some(rule) = rule.filter(|rule| rule.kind == Kind::AssignmentRule && rule.object == *name) else {
            return Ok(());
        };
        let Some((_, mut row)) = self.find(id) else { return Ok(()) };
        let moment = if before.is_some() { Moment::AfterUpdate } else { Moment::AfterInsert };
        let mut owner = None;
        {
            let hand = Hand { object, moment, row: &mut row, before, set: Vec::new() };
            for (condition, of) in &rule.rule.entries {
                if self.holds(condition, &hand).map_err(|error| self.failed(&rule, moment, &error))? {
                    owner = self.owner(of);
                    break;
                }
            }
        }
        if let (Some(owner), Some(field)) = (owner, self.described(object).find("OwnerId")) {
            self.tally.note(rule.kind, &rule.full_name, |told| told.fired += 1);
            row.set(field, Some(Value::Id(owner)));
            self.write(object, row);
        }
        Ok(())
    }

    /// A user by id or user name, or a queue by id or name.
    fn owner(&self, named: &str) -> Option<Id> {
        if let Some(id) = Id::parse(named).filter(|id| self.object_of(*id).is_some()) {
            return Some(id);
        }
        [("User", "Username"), ("Group", "DeveloperName")].into_iter().find_map(|(object, field)| {
            let object = self.world.schema.find(object)?;
            let field = self.described(object).find(field)?;
            let found = self.world.database.with_value(&self.world.schema, object, field, Cell::Text(named));
            found.first().copied()
        })
    }

    /// Workflow rules. Field updates fire the update triggers once more, and no rule a second time; validation rules do
    /// not look at them (documented).
    fn work_flows(
        &mut self,
        object: usize,
        id: Id,
        moment: Moment,
        before: Option<&Row>,
    ) -> Result<(), Refusal> {
        let rules = self.firing(object, Kind::WorkflowRule, moment);
        if rules.is_empty() {
            return Ok(());
        }
        let Some((_, mut row)) = self.find(id) else { return Ok(()) };
        let saved = row.clone();
        let mut hand = Hand { object, moment, row: &mut row, before, set: Vec::new() };
        // all are judged by the record as it was saved
        let mut met = Vec::new();
        for rule in rules {
            let holds =
                self.holds(&rule.rule.when, &hand).map_err(|error| self.failed(&rule, moment, &error))?;
            if holds && !(rule.rule.only_when_it_begins && self.held_before(&rule, &hand)?) {
                met.push(rule);
            }
        }
        for rule in met {
            self.tally.note(rule.kind, &rule.full_name, |told| told.fired += 1);
            for effect in &rule.rule.effects {
                self.take_effect(&rule, effect, &mut hand)?;
            }
        }
        if hand.set.is_empty() {
            return Ok(());
        }
        let mut again = Hand {
            object,
            moment: Moment::BeforeUpdate,
            row: &mut row,
            before: Some(&saved),
            set: Vec::new(),
        };
        self.fire_all(Kind::ApexTrigger, &mut again)?;
        self.stamp(object, &mut row, false);
        self.write(object, row);
        self.fire_saved(Kind::ApexTrigger, object, id, Moment::AfterUpdate, Some(&saved))
    }

    /// A formula that has no value for this record.
    fn failed(&self, rule: &Automation, moment: Moment, error: &FormulaError) -> Refusal {
        match rule.kind {
            // [K]
            Kind::ValidationRule => Refusal::new(
                "FIELD_INTEGRITY_EXCEPTION",
                format!(
                    "The formula in the \"{}\" validation rule is invalid due to the following: {error}",
                    rule.full_name.split('.').next_back().unwrap_or_default()
                ),
            ),
            _ => refusal(rule, moment, &error.to_string(), None, true),
        }
    }

    /// A change that an automation made and that was refused.
    fn refused_within(&self, rule: &Automation, moment: Moment, what: &str, inner: &Refusal) -> Refusal {
        let message = match rule.kind {
            Kind::Flow => format!(
                "This error occurred when the flow tried to save records: {}: {}",
                inner.code, inner.message
            ),
            _ => format!(
                "System.DmlException: {what} failed. First exception on row 0; first error: {}, {}: [{}]",
                inner.code,
                inner.message,
                inner.fields.join(", ")
            ),
        };
        refusal(rule, moment, &message, None, true)
    }
}

/// The refusal of a rule, in the words that Salesforce puts around it.
fn refusal(rule: &Automation, moment: Moment, message: &str, field: Option<&str>, throws: bool) -> Refusal {
    let fields = field.map(str::to_owned).into_iter().collect();
    if !throws {
        return Refusal { code: "FIELD_CUSTOM_VALIDATION_EXCEPTION", message: message.to_owned(), fields };
    }
    match rule.kind {
        Kind::Flow => Refusal::new(
            "CANNOT_EXECUTE_FLOW_TRIGGER",
            format!(
                "We can't save this record because the “{}” process failed. Give your Salesforce admin these details. \
                 {message}. You can look up ExceptionCode values in the SOAP API Developer Guide.",
                rule.full_name
            ),
        ),
        _ => Refusal::new(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            format!(
                "{name}: execution of {}\n\ncaused by: {message}\n\nTrigger.{name}: line 1, column 1",
                moment.name(),
                name = rule.full_name
            ),
        ),
    }
}
