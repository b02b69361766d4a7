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
        Ok(Self {
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

fn children(describe: &Map<String, Json>) -> Vec<(String, String, String)> {
    let listed = describe.get("childRelationships").and_then(Json::as_array).map(Vec::as_slice);
    let text = |json: &Json| json.as_str().map(str::to_owned);
    listed
        .unwrap_or_default()
        .iter()
        .filter_map(|c| Some((text(&c["relationshipName"])?, text(&c["childSObject"])?, text(&c["field"])?)))
        .collect()
}
