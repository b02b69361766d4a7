//! What kind of content a generated field gets, told from its describe and its name.

use serde::{Deserialize, Serialize};

use super::generator::{Pool, hash_name};
use crate::schema::{Field, FieldType, Object};

/// The content of a generated field.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Recipe {
    Null,
    /// A person's name, which is joined from its parts.
    Joined,
    OwnId,
    Boolean(u8),
    Created,
    Modified,
    Stamped,
    Reference(Pool),
    Picklist(Vec<String>),
    MultiPicklist(Vec<String>),
    Number {
        scale: u8,
        digits: u8,
    },
    Degrees(u64),
    Int(u8),
    Date,
    DateTime,
    Time,
    Company,
    FirstName,
    LastName,
    City,
    Country,
    State,
    Street,
    Phone,
    Email,
    Url,
    Key,
    Digits,
    Words,
    Note(u64),
}

/// Always filled.
pub(super) const ALWAYS: u16 = 256;
/// Standard fields that stay empty: they are views of other things, or per user.
const EMPTY: [&str; 9] = [
    "MasterRecordId",
    "LastViewedDate",
    "LastReferencedDate",
    "JigsawCompanyId",
    "JigsawContactId",
    "Jigsaw",
    "PhotoUrl",
    "ChannelProgramName",
    "ChannelProgramLevelName",
];

/// The recipe of a field, and of 256 rows how many have a value.
pub(super) fn recipe_for(
    object: &Object,
    field: &Field,
    pool_of: &impl Fn(&str) -> Option<Pool>,
) -> (Recipe, u16) {
    // a formula is computed from the others; a roll-up of generated rows is drawn: their details come by the million
    let recipe = if field.formula.is_some() { Recipe::Joined } else { content(object, field, pool_of) };
    let fill = match recipe {
        Recipe::Null | Recipe::Joined => 0,
        Recipe::Boolean(_) => ALWAYS,
        Recipe::Reference(Pool::Earlier) if field.nillable => 40,
        _ if !field.nillable || field.unique => ALWAYS,
        _ => fill_rate(field),
    };
    (recipe, fill)
}

/// Real orgs have many fields that are nearly never filled, some that mostly are, few in between.
fn fill_rate(field: &Field) -> u16 {
    let group = field.compound.as_deref().unwrap_or(&field.name);
    let draw = hash_name(group);
    match draw % 10 {
        0..=3 => (draw / 10 % 6) as u16,
        4..=6 => (50 + draw / 10 % 100) as u16,
        _ => (200 + draw / 10 % 56) as u16,
    }
}

fn content(object: &Object, field: &Field, pool_of: &impl Fn(&str) -> Option<Pool>) -> Recipe {
    let name = field.name.as_str();
    match name {
        "Id" => return Recipe::OwnId,
        "IsDeleted" => return Recipe::Boolean(0),
        "CreatedDate" => return Recipe::Created,
        "LastModifiedDate" => return Recipe::Modified,
        "SystemModstamp" => return Recipe::Stamped,
        _ if EMPTY.contains(&name) => return Recipe::Null,
        _ => {}
    }
    match field.kind {
        FieldType::Boolean => Recipe::Boolean((hash_name(name) % 128) as u8),
        FieldType::Reference => reference(object, field, pool_of),
        FieldType::Picklist | FieldType::Combobox if !field.picklist.is_empty() => {
            Recipe::Picklist(field.picklist.clone())
        }
        FieldType::MultiPicklist if !field.picklist.is_empty() => {
            Recipe::MultiPicklist(field.picklist.clone())
        }
        FieldType::Double | FieldType::Currency | FieldType::Percent => decimal(field),
        FieldType::Int => Recipe::Int(6),
        FieldType::Date => Recipe::Date,
        FieldType::DateTime => Recipe::DateTime,
        FieldType::Time => Recipe::Time,
        FieldType::Phone => Recipe::Phone,
        FieldType::Email => Recipe::Email,
        FieldType::Url => Recipe::Url,
        FieldType::TextArea if name.ends_with("Street") => Recipe::Street,
        FieldType::TextArea => Recipe::Note(if field.length > 1_000 { 60 } else { 12 }),
        FieldType::Text | FieldType::Encrypted => text(field),
        _ => Recipe::Null,
    }
}

fn reference(object: &Object, field: &Field, pool_of: &impl Fn(&str) -> Option<Pool>) -> Recipe {
    if field.name == "RecordTypeId" {
        return match object.record_types.as_slice() {
            [] => Recipe::Null,
            ids => Recipe::Reference(Pool::Ids(ids.to_vec())),
        };
    }
    if field.reference_to.contains(&object.name) {
        return Recipe::Reference(Pool::Earlier);
    }
    let users_last = |target: &&String| target.as_str() == "Group";
    let (groups, others): (Vec<_>, Vec<_>) = field.reference_to.iter().partition(users_last);
    others
        .into_iter()
        .chain(groups)
        .find_map(|target| pool_of(target))
        .map_or(Recipe::Null, Recipe::Reference)
}

fn decimal(field: &Field) -> Recipe {
    if field.name.contains("Latitude") {
        return Recipe::Degrees(60);
    }
    if field.name.contains("Longitude") {
        return Recipe::Degrees(180);
    }
    let whole = field.precision.saturating_sub(field.scale).clamp(1, 8);
    let scale = field.scale.min(6);
    let digits = if field.kind == FieldType::Percent { 2 + scale } else { whole + scale };
    Recipe::Number { scale, digits }
}

fn text(field: &Field) -> Recipe {
    let name = field.name.as_str();
    match name {
        "Name" if !field.name_parts.is_empty() => Recipe::Joined,
        _ if field.unique || field.auto_number => Recipe::Key,
        "Name" => Recipe::Company,
        "FirstName" => Recipe::FirstName,
        "LastName" => Recipe::LastName,
        _ if name.ends_with("City") => Recipe::City,
        _ if name.ends_with("Country") => Recipe::Country,
        _ if name.ends_with("State") => Recipe::State,
        _ if name.ends_with("Street") => Recipe::Street,
        _ if name.ends_with("PostalCode") || field.length <= 20 => Recipe::Digits,
        _ => Recipe::Words,
    }
}
