//! References seen from their target: who points here, and what becomes of that when the target is deleted.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::Schema;

/// A reference field that may point to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The object that has the field.
    pub child: usize,
    /// The field.
    pub field: usize,
    /// What becomes of the reference when its target is deleted.
    pub on_delete: OnDelete,
}

/// What becomes of a reference when its target is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// It is emptied.
    Clear,
    /// Its record is deleted, too.
    Cascade,
    /// The target cannot be deleted.
    Restrict,
    /// It goes on pointing there: who made a record stays known.
    Keep,
}

/// References that only tell history.
const HISTORY: [&str; 3] = ["CreatedById", "LastModifiedById", "MasterRecordId"];

/// For each object the references to it. What the parent's describe says of a child (`cascadeDelete`,
/// `restrictedDelete`) rules; where it does not name the child, the child's field does.
pub(super) fn relations(schema: &Schema) -> Vec<Vec<Relation>> {
    let mut told: Vec<HashMap<(usize, usize), OnDelete>> = Vec::with_capacity(schema.objects().len());
    for object in schema.objects() {
        let children = object.describe.get("childRelationships").and_then(Json::as_array);
        let mut of_object = HashMap::new();
        for child in children.into_iter().flatten() {
            let number = child["childSObject"].as_str().and_then(|name| schema.find(name));
            let field = number.and_then(|number| schema.object(number).find(child["field"].as_str()?));
            if let (Some(number), Some(field)) = (number, field) {
                of_object.insert((number, field), told_by(child, schema, number, field));
            }
        }
        told.push(of_object);
    }
    for (number, object) in schema.objects().iter().enumerate() {
        let described = object.describe.get("fields").and_then(Json::as_array).map(Vec::as_slice);
        for (field, json) in described.unwrap_or_default().iter().enumerate() {
            for target in object.fields[field].reference_to.iter().filter_map(|name| schema.find(name)) {
                let rule = || told_by(json, schema, number, field);
                told[target].entry((number, field)).or_insert_with(rule);
            }
        }
    }
    let sorted = |of_object: HashMap<(usize, usize), OnDelete>| {
        let relation = |((child, field), on_delete)| Relation { child, field, on_delete };
        let mut relations: Vec<Relation> = of_object.into_iter().map(relation).collect();
        relations.sort_by_key(|relation| (relation.child, relation.field));
        relations
    };
    told.into_iter().map(sorted).collect()
}

/// For each object its references by which roll-ups sum it up.
pub(super) fn summed(schema: &Schema) -> Vec<Vec<usize>> {
    let mut summed = vec![Vec::new(); schema.objects().len()];
    for object in schema.objects() {
        for (child, reference) in object.fields.iter().filter_map(|field| field.roll_up.as_ref()?.of(schema))
        {
            if !summed[child].contains(&reference) {
                summed[child].push(reference);
            }
        }
    }
    summed
}

/// A reference whose target is locked with the record that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locking {
    /// The field.
    pub field: usize,
    /// Locked by every change of the record, not only by one of the reference.
    pub always: bool,
}

/// Children of an account whose changes lock it: access to the account comes with them ("Record locking cheat
/// sheet").
const OF_ACCOUNT: [&str; 6] = ["Asset", "Case", "Contact", "Contract", "Opportunity", "Order"];

/// For each object its references that lock: masters and accounts above what gives access to them always; other
/// lookups if they hold their target or go along with it (those that are only emptied do not lock).
pub(super) fn locking(schema: &Schema) -> Vec<Vec<Locking>> {
    let mut all = vec![Vec::<Locking>::new(); schema.objects().len()];
    for target in 0..schema.objects().len() {
        for relation in schema.relations_to(target) {
            let child = schema.object(relation.child);
            let field = &child.fields[relation.field];
            let of_account = field.name == "AccountId" && OF_ACCOUNT.contains(&child.name.as_str());
            let always = field.master || of_account;
            let holds = matches!(relation.on_delete, OnDelete::Cascade | OnDelete::Restrict);
            let history = ["OwnerId", "RecordTypeId"].contains(&field.name.as_str());
            let known = all[relation.child].iter().any(|known| known.field == relation.field);
            if (always || holds) && relation.on_delete != OnDelete::Keep && !history && !known {
                all[relation.child].push(Locking { field: relation.field, always });
            }
        }
    }
    all
}

fn told_by(json: &Json, schema: &Schema, child: usize, field: usize) -> OnDelete {
    let described = &schema.object(child).fields[field];
    if HISTORY.contains(&described.name.as_str()) {
        return OnDelete::Keep;
    }
    let (cascade, restrict) = (json["cascadeDelete"] == true, json["restrictedDelete"] == true);
    match (cascade, restrict) {
        // Contract and Order say both of their account: activated ones hold it, drafts (all, here) go with it
        (true, _) => OnDelete::Cascade,
        (false, true) => OnDelete::Restrict,
        (false, false) if described.nillable => OnDelete::Clear,
        (false, false) => OnDelete::Restrict,
    }
}
