//! One field, as far as behaviour needs it; the full describe stays with the object.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::formula::{Formula, RollUp};
use crate::value::Value;

/// A key that describe results do not have: how an autonumber is written, which the metadata source tells.
pub(super) const NUMBER_FORMAT: &str = "displayFormat";
/// Another one: what a roll-up is made of.
pub(super) const ROLL_UP: &str = "rollUp";

/// Field types as describe names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are Salesforce's
pub enum FieldType {
    Id,
    Text,
    TextArea,
    Picklist,
    MultiPicklist,
    Combobox,
    Reference,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Time,
    Email,
    Phone,
    Url,
    Encrypted,
    Base64,
    Address,
    Location,
    Other,
}

impl FieldType {
    /// The type by its describe name; what is not known is treated as text that cannot be compound.
    pub fn from_describe(name: &str) -> Self {
        match name {
            "id" => Self::Id,
            "string" => Self::Text,
            "textarea" => Self::TextArea,
            "picklist" => Self::Picklist,
            "multipicklist" => Self::MultiPicklist,
            "combobox" => Self::Combobox,
            "reference" => Self::Reference,
            "boolean" => Self::Boolean,
            "int" | "long" => Self::Int,
            "double" => Self::Double,
            "currency" => Self::Currency,
            "percent" => Self::Percent,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "time" => Self::Time,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "url" => Self::Url,
            "encryptedstring" => Self::Encrypted,
            "base64" => Self::Base64,
            "address" => Self::Address,
            "location" => Self::Location,
            _ => Self::Other,
        }
    }

    /// Address and geolocation: shown as objects by REST, refused by Bulk.
    pub fn is_compound(self) -> bool {
        matches!(self, Self::Address | Self::Location)
    }

    /// Holds decimals.
    pub fn is_decimal(self) -> bool {
        matches!(self, Self::Double | Self::Currency | Self::Percent)
    }

    /// Holds an id.
    pub fn is_id(self) -> bool {
        matches!(self, Self::Id | Self::Reference)
    }
}

/// One field of an object.
#[derive(Clone, Debug)]
pub struct Field {
    /// API name.
    pub name: String,
    /// Type.
    pub kind: FieldType,
    /// Characters that a text holds at most; 0 for what has no length.
    pub length: usize,
    /// Digits in all, of a decimal.
    pub precision: u8,
    /// Digits after the point, of a decimal.
    pub scale: u8,
    /// May be null.
    pub nillable: bool,
    /// Must be given on insert.
    pub required: bool,
    /// May be given on insert.
    pub createable: bool,
    /// May be given on update.
    pub updateable: bool,
    /// May be named in WHERE.
    pub filterable: bool,
    /// May be named in ORDER BY.
    pub sortable: bool,
    /// May be named in GROUP BY.
    pub groupable: bool,
    /// A formula or roll-up.
    pub calculated: bool,
    /// Its formula, if it can be read; of a formula that cannot, what is stored is all that is known.
    pub formula: Option<Arc<Formula>>,
    /// What it sums up of details.
    pub roll_up: Option<Arc<RollUp>>,
    /// Numbered by the server.
    pub auto_number: bool,
    /// Unique or external id: generated values do not repeat.
    pub unique: bool,
    /// No two records may have the same value.
    pub enforced_unique: bool,
    /// Case tells unique values apart.
    pub case_sensitive: bool,
    /// An external id, by which upsert finds records.
    pub external_id: bool,
    /// May name a record in upsert and in references: a Name, an e-mail address, an external id.
    pub id_lookup: bool,
    /// A custom field.
    pub custom: bool,
    /// The compound field that this one is a part of.
    pub compound: Option<String>,
    /// Name of the relationship that goes up through this reference.
    pub relationship: Option<String>,
    /// A master-detail relationship: deletion goes along, and the detail has the master's access.
    pub master: bool,
    /// Objects that a reference may point to.
    pub reference_to: Vec<String>,
    /// Active values of a picklist.
    pub picklist: Vec<String>,
    /// Only those values.
    pub restricted_picklist: bool,
    /// The field whose value decides which values of this picklist may be chosen.
    pub controller: Option<String>,
    /// All values of the picklist, inactive ones included, in the order that `validFor` of others counts them by.
    pub listed: Vec<String>,
    /// For values of a dependent picklist the places of the controlling values that allow them, a bit for each, the
    /// first one highest.
    pub valid_for: Vec<(String, Vec<u8>)>,
    /// What a record gets that does not say.
    pub default: Option<Value>,
    /// Label, which some error messages name.
    pub label: String,
    /// How a number of the server is written (`INV-{0000}`), if that is known.
    pub number_format: Option<String>,
    /// Parts of a compound address or location: key in the JSON object, number of the part's field.
    pub parts: Vec<(&'static str, usize)>,
    /// Parts of a person's name that are joined when the name is not stored itself.
    pub name_parts: Vec<usize>,
}

impl Field {
    /// Reads one entry of a describe's `fields`.
    pub fn from_describe(field: &Json) -> Option<Self> {
        let text = |key: &str| field[key].as_str().map(str::to_owned);
        let flag = |key: &str| field[key].as_bool().unwrap_or(false);
        // describes recorded long ago lack keys that came later
        let unless_denied = |key: &str| field[key].as_bool().unwrap_or(true);
        let number = |key: &str| field[key].as_u64().unwrap_or(0);
        let list = |key: &str| field[key].as_array().map(Vec::as_slice).unwrap_or_default();
        let active = |value: &&Json| value["active"].as_bool().unwrap_or(false);
        Some(Self {
            name: text("name")?,
            kind: FieldType::from_describe(field["type"].as_str()?),
            length: number("length") as usize,
            precision: number("precision") as u8,
            scale: number("scale") as u8,
            required: field["createable"] == Json::Bool(true)
                && field["nillable"] == Json::Bool(false)
                && field["defaultedOnCreate"] == Json::Bool(false)
                && field["type"] != "boolean",
            nillable: unless_denied("nillable"),
            createable: unless_denied("createable"),
            updateable: unless_denied("updateable"),
            filterable: unless_denied("filterable"),
            sortable: unless_denied("sortable"),
            groupable: unless_denied("groupable"),
            calculated: flag("calculated"),
            formula: text("calculatedFormula")
                .and_then(|text| Formula::parse(&text).ok())
                .map(|formula| Arc::new(formula.with_zeros(flag("formulaTreatNullNumberAsZero")))),
            roll_up: serde_json::from_value(field[ROLL_UP].clone()).ok().map(Arc::new),
            auto_number: flag("autoNumber"),
            unique: flag("unique") || flag("externalId"),
            enforced_unique: flag("unique"),
            case_sensitive: flag("caseSensitive"),
            external_id: flag("externalId"),
            id_lookup: flag("idLookup"),
            restricted_picklist: flag("restrictedPicklist"),
            default: default(field),
            label: text("label").or_else(|| text("name"))?,
            number_format: text(NUMBER_FORMAT),
            custom: flag("custom"),
            compound: text("compoundFieldName"),
            relationship: text("relationshipName"),
            // only master-detail fields have a place among them
            master: field["relationshipOrder"].is_u64(),
            reference_to: list("referenceTo").iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            picklist: list("picklistValues")
                .iter()
                .filter(active)
                .filter_map(|v| v["value"].as_str())
                .map(str::to_owned)
                .collect(),
            controller: text("controllerName"),
            listed: list("picklistValues")
                .iter()
                .filter_map(|value| value["value"].as_str())
                .map(str::to_owned)
                .collect(),
            valid_for: list("picklistValues").iter().filter_map(valid_for).collect(),
            parts: Vec::new(),
            name_parts: Vec::new(),
        })
    }
}

/// A value of a dependent picklist and the bits of its `validFor`, which describe writes in base64.
fn valid_for(value: &Json) -> Option<(String, Vec<u8>)> {
    use base64::Engine as _;
    let bits = base64::engine::general_purpose::STANDARD.decode(value["validFor"].as_str()?).ok()?;
    Some((value["value"].as_str()?.to_owned(), bits))
}

/// The default of a field: its own, or the value of the picklist that is marked so.
fn default(field: &Json) -> Option<Value> {
    let kind = FieldType::from_describe(field["type"].as_str()?);
    let marked = field["picklistValues"].as_array().into_iter().flatten();
    let marked = marked.filter(|value| value["active"] != Json::Bool(false));
    let marked = marked.into_iter().find(|value| value["defaultValue"] == Json::Bool(true));
    let text = match &field["defaultValue"] {
        Json::Null => marked?["value"].as_str()?.to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    Value::parse(kind, &text).ok().flatten()
}
