//! One object: its describe result as it is served, and what behaviour needs from it.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::SET_UP;
use super::field::{Field, FieldType, NUMBER_FORMAT, ROLL_UP};
use crate::value::Id;

/// Suffixes of address parts and their keys in REST's compound object, in the order of the answer.
const ADDRESS_PARTS: [(&str, &str); 8] = [
    ("City", "city"),
    ("Country", "country"),
    ("GeocodeAccuracy", "geocodeAccuracy"),
    ("Latitude", "latitude"),
    ("Longitude", "longitude"),
    ("PostalCode", "postalCode"),
    ("State", "state"),
    ("Street", "street"),
];
/// Suffixes of a custom geolocation's parts.
const LOCATION_PARTS: [(&str, &str); 2] = [("__Latitude__s", "latitude"), ("__Longitude__s", "longitude")];
/// The parts of a person's name, in the order in which the Name field joins them.
const NAME_PARTS: [&str; 4] = ["FirstName", "MiddleName", "LastName", "Suffix"];

/// A key that describe results do not have and that is not shown: what the record types leave of the picklists, as
/// metadata tells it: `{"<record type id>": {"<field>": {"values": ["a"], "default": "a"}}}`.
pub const TYPE_PICKLISTS: &str = "recordTypePicklists";

/// What a record type leaves of a picklist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypePicklist {
    /// Values that may be chosen.
    pub values: Vec<String>,
    /// What a record gets that does not say.
    pub default: Option<String>,
}

/// Numbers of the fields that all records are stamped with.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // the names are Salesforce's
pub struct Stamps {
    pub id: Option<usize>,
    pub owner: Option<usize>,
    pub is_deleted: Option<usize>,
    pub created_by: Option<usize>,
    pub created: Option<usize>,
    pub modified_by: Option<usize>,
    pub modified: Option<usize>,
    pub stamp: Option<usize>,
    pub master: Option<usize>,
    pub record_type: Option<usize>,
}

/// One object of an org.
#[derive(Clone, Debug)]
pub struct Object {
    /// API name.
    pub name: String,
    /// First three characters of its ids, if it has ids of its own.
    pub key_prefix: Option<[u8; 3]>,
    /// May be named in FROM.
    pub queryable: bool,
    /// Its fields, in the order of the describe.
    pub fields: Vec<Field>,
    /// Record types that users may choose, without Master.
    pub record_types: Vec<Id>,
    /// The record type that a record gets which names none.
    pub default_type: Option<Id>,
    /// What record types leave of picklists, by record type and field.
    pub type_picklists: HashMap<(Id, usize), TypePicklist>,
    /// Fields that all records are stamped with.
    pub stamps: Stamps,
    /// Lists of children: relationship name, child object, child field.
    pub children: Vec<(String, String, String)>,
    /// The describe result, as recorded or written out.
    pub describe: Map<String, Json>,
    /// When it was last changed, in milliseconds since 1970.
    pub changed: i64,
    index: HashMap<String, usize>,
}

impl Object {
    /// Reads a describe result. The error says what is missing.
    pub fn from_describe(mut describe: Map<String, Json>) -> Result<Self, String> {
        let name = describe.get("name").and_then(Json::as_str).ok_or("it has no `name`")?.to_owned();
        let listed = describe.get("fields").and_then(Json::as_array).ok_or("it has no `fields`")?;
        let mut fields = Vec::with_capacity(listed.len());
        for field in listed {
            fields.push(Field::from_describe(field).ok_or("a field has no name or type")?);
        }
        let index: HashMap<String, usize> =
            fields.iter().enumerate().map(|(n, f)| (f.name.to_ascii_lowercase(), n)).collect();
        if !index.contains_key("id") {
            return Err("it has no field `Id`, which every describe result of Salesforce has".to_owned());
        }
        link_compounds(&mut fields, &index);
        if let Some(Json::Array(listed)) = describe.get_mut("fields") {
            for field in listed.iter_mut().filter_map(Json::as_object_mut) {
                field.remove(NUMBER_FORMAT);
                field.remove(ROLL_UP);
            }
        }
        let record_types = record_types(&describe);
        let find = |name: &str| index.get(&name.to_ascii_lowercase()).copied();
        let stamps = Stamps {
            id: find("Id"),
            owner: find("OwnerId"),
            is_deleted: find("IsDeleted"),
            created_by: find("CreatedById"),
            created: find("CreatedDate"),
            modified_by: find("LastModifiedById"),
            modified: find("LastModifiedDate"),
            stamp: find("SystemModstamp"),
            master: find("MasterRecordId"),
            record_type: find("RecordTypeId"),
        };
        let type_picklists = type_picklists(&describe, find);
        Ok(Self {
            stamps,
            type_picklists,
            default_type: default_type(&describe),
            key_prefix: describe
                .get("keyPrefix")
                .and_then(Json::as_str)
                .and_then(|prefix| prefix.as_bytes().try_into().ok()),
            queryable: describe.get("queryable").and_then(Json::as_bool).unwrap_or(false),
            children: children(&describe),
            name,
            fields,
            changed: SET_UP,
            record_types,
            describe,
            index,
        })
    }

    /// The number of a field by its API name, in any case.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.index.get(&name.to_ascii_lowercase()).copied()
    }

    /// The reference field behind a relationship name, in any case.
    pub fn find_relationship(&self, name: &str) -> Option<usize> {
        self.fields
            .iter()
            .position(|f| f.relationship.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    /// A flag of its describe: `createable`, `deletable`, …
    pub fn allows(&self, flag: &str) -> bool {
        self.describe.get(flag).and_then(Json::as_bool).unwrap_or(false)
    }

    /// Its describe result with what describe results do not tell, so that it can be read again.
    pub(crate) fn full_describe(&self) -> Map<String, Json> {
        let mut describe = self.describe.clone();
        let listed = describe.get_mut("fields").and_then(Json::as_array_mut);
        for json in listed.into_iter().flatten().filter_map(Json::as_object_mut) {
            let number = json.get("name").and_then(Json::as_str).and_then(|name| self.find(name));
            let Some(field) = number.map(|number| &self.fields[number]) else { continue };
            if let Some(format) = &field.number_format {
                json.insert(NUMBER_FORMAT.to_owned(), Json::String(format.clone()));
            }
            if let Some(Ok(roll_up)) = field.roll_up.as_deref().map(serde_json::to_value) {
                json.insert(ROLL_UP.to_owned(), roll_up);
            }
        }
        describe
    }

    /// Whether the object is a custom one.
    pub fn is_custom(&self) -> bool {
        self.describe.get("custom").and_then(Json::as_bool).unwrap_or(false)
    }
}

fn link_compounds(fields: &mut [Field], index: &HashMap<String, usize>) {
    for number in 0..fields.len() {
        let name = fields[number].name.clone();
        let find = |suffixes: &[(&str, &'static str)], stem: &str| {
            suffixes
                .iter()
                .filter_map(|(suffix, key)| {
                    Some((*key, *index.get(&format!("{stem}{suffix}").to_lowercase())?))
                })
                .collect::<Vec<_>>()
        };
        match fields[number].kind {
            FieldType::Address => {
                fields[number].parts = find(&ADDRESS_PARTS, name.strip_suffix("Address").unwrap_or(&name));
            }
            FieldType::Location => {
                fields[number].parts = find(&LOCATION_PARTS, name.strip_suffix("__c").unwrap_or(&name));
            }
            FieldType::Text if name == "Name" && !fields[number].createable => {
                fields[number].name_parts = NAME_PARTS
                    .iter()
                    .filter_map(|part| index.get(&part.to_ascii_lowercase()).copied())
                    .filter(|part| fields[*part].compound.as_deref() == Some("Name"))
                    .collect();
            }
            _ => {}
        }
    }
}

fn record_types(describe: &Map<String, Json>) -> Vec<Id> {
    let listed = describe.get("recordTypeInfos").and_then(Json::as_array).map(Vec::as_slice);
    listed
        .unwrap_or_default()
        .iter()
        .filter(|info| info["master"] == Json::Bool(false) && info["available"] == Json::Bool(true))
        .filter_map(|info| Id::parse(info["recordTypeId"].as_str()?))
        .collect()
}

fn default_type(describe: &Map<String, Json>) -> Option<Id> {
    let listed = describe.get("recordTypeInfos")?.as_array()?;
    let default = |info: &&Json| info["defaultRecordTypeMapping"] == true && info["master"] != true;
    Id::parse(listed.iter().find(default)?["recordTypeId"].as_str()?)
}

fn type_picklists(
    describe: &Map<String, Json>,
    find: impl Fn(&str) -> Option<usize>,
) -> HashMap<(Id, usize), TypePicklist> {
    let mut all = HashMap::new();
    let of_types = describe.get(TYPE_PICKLISTS).and_then(Json::as_object);
    for (id, fields) in of_types.into_iter().flatten() {
        for (field, told) in fields.as_object().into_iter().flatten() {
            let (Some(id), Some(field)) = (Id::parse(id), find(field)) else { continue };
            let values = told["values"].as_array().into_iter().flatten();
            let values = values.filter_map(Json::as_str).map(str::to_owned).collect();
            let default = told["default"].as_str().map(str::to_owned);
            all.insert((id, field), TypePicklist { values, default });
        }
    }
    all
}

fn children(describe: &Map<String, Json>) -> Vec<(String, String, String)> {
    let listed = describe.get("childRelationships").and_then(Json::as_array).map(Vec::as_slice);
    let text = |json: &Json| json.as_str().map(str::to_owned);
    listed
        .unwrap_or_default()
        .iter()
        .filter_map(|c| Some((text(&c["relationshipName"])?, text(&c["childSObject"])?, text(&c["field"])?)))
        .collect()
}
