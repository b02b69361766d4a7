//! The schema of an object as Salesforce describes it, cut to what backup and restore decide by.
//!
//! The client makes it from `describe`; the vault stores it beside the rows it typed, so that a snapshot reads
//! back with the schema of its time.

use serde::{Deserialize, Serialize};

/// An object (table) of an org with the fields that the running user may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSchema {
    /// API name, such as `Account` or `Invoice__c`.
    pub name: String,
    /// Label in the org's language.
    #[serde(default)]
    pub label: String,
    /// First three characters of its ids; `None` for history- and share-like objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<String>,
    /// Fields in the order of describe, `Id` first where the object has one.
    pub fields: Vec<Field>,
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// API name.
    pub name: String,
    /// Salesforce's type.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Greatest length in characters, for text.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub length: u32,
    /// Digits in all, for double, currency and percent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub precision: u32,
    /// Digits behind the point.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub scale: u32,
    /// A formula or roll-up: stored, never compared as a user's change, never restored.
    #[serde(default, skip_serializing_if = "is_false")]
    pub calculated: bool,
    /// The compound field (address, location, person name) that this is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compound: Option<String>,
    /// Objects that a reference may point to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference_to: Vec<String>,
    /// Whether SOQL may filter by it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub filterable: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the form that serde asks for
fn is_zero(n: &u32) -> bool {
    *n == 0
}
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(b: &bool) -> bool {
    !*b
}
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_true(b: &bool) -> bool {
    *b
}
fn yes() -> bool {
    true
}

/// Salesforce's field types as `describe` names them.
///
/// A type that is not known here (Salesforce adds some with each release) is kept by name and treated as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FieldType {
    /// Primary key.
    Id,
    /// Reference to a record of one or several objects.
    Reference,
    /// Short text.
    String,
    /// Long or rich text.
    TextArea,
    /// One of a list.
    Picklist,
    /// Several of a list, joined by `;`.
    MultiPicklist,
    /// Text with suggestions.
    Combobox,
    /// True or false, never null.
    Boolean,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// Decimal number.
    Double,
    /// Decimal number in the record's currency.
    Currency,
    /// Decimal number of hundredths.
    Percent,
    /// Day.
    Date,
    /// Instant, milliseconds, UTC.
    DateTime,
    /// Time of day with `Z`.
    Time,
    /// E-mail address.
    Email,
    /// Telephone number.
    Phone,
    /// Web address.
    Url,
    /// Text that Salesforce encrypts and masks.
    EncryptedString,
    /// Binary content: a URL in REST, refused in Bulk.
    Base64,
    /// Compound of street, city and the like: its parts are fields of their own.
    Address,
    /// Compound of latitude and longitude.
    Location,
    /// Value of any type (history's old and new value).
    AnyType,
    /// Metadata of a virtual object: never a column.
    ComplexValue,
    /// Anything else, by Salesforce's name.
    Other(String),
}

/// Names of all types but `Other`, as Salesforce writes them.
const TYPE_NAMES: [(FieldType, &str); 25] = [
    (FieldType::Id, "id"),
    (FieldType::Reference, "reference"),
    (FieldType::String, "string"),
    (FieldType::TextArea, "textarea"),
    (FieldType::Picklist, "picklist"),
    (FieldType::MultiPicklist, "multipicklist"),
    (FieldType::Combobox, "combobox"),
    (FieldType::Boolean, "boolean"),
    (FieldType::Int, "int"),
    (FieldType::Long, "long"),
    (FieldType::Double, "double"),
    (FieldType::Currency, "currency"),
    (FieldType::Percent, "percent"),
    (FieldType::Date, "date"),
    (FieldType::DateTime, "datetime"),
    (FieldType::Time, "time"),
    (FieldType::Email, "email"),
    (FieldType::Phone, "phone"),
    (FieldType::Url, "url"),
    (FieldType::EncryptedString, "encryptedstring"),
    (FieldType::Base64, "base64"),
    (FieldType::Address, "address"),
    (FieldType::Location, "location"),
    (FieldType::AnyType, "anyType"),
    (FieldType::ComplexValue, "complexvalue"),
];

impl From<String> for FieldType {
    fn from(name: String) -> Self {
        TYPE_NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map_or_else(|| Self::Other(name), |(known, _)| known.clone())
    }
}

impl From<FieldType> for String {
    fn from(field_type: FieldType) -> Self {
        match field_type {
            FieldType::Other(name) => name,
            known => {
                TYPE_NAMES.iter().find(|(t, _)| *t == known).map_or("string", |(_, name)| name).to_owned()
            }
        }
    }
}

impl FieldType {
    /// Compound types cannot be selected in Bulk and repeat what their parts say.
    pub fn is_compound(&self) -> bool {
        matches!(self, Self::Address | Self::Location)
    }
}

impl Field {
    /// Whether a backup selects it as a column: everything but compounds, binary content and metadata values.
    pub fn is_column(&self) -> bool {
        !self.field_type.is_compound()
            && !matches!(self.field_type, FieldType::Base64 | FieldType::ComplexValue)
    }
}

impl ObjectSchema {
    /// The fields that a backup selects, `Id` first.
    pub fn columns(&self) -> impl Iterator<Item = &Field> {
        let (ids, others): (Vec<_>, Vec<_>) =
            self.fields.iter().filter(|field| field.is_column()).partition(|field| field.name == "Id");
        ids.into_iter().chain(others)
    }

    /// Looks a field up by its API name, in any case, as SOQL does.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The field that tells when a row last changed, the best that the object has.
    ///
    /// `SystemModstamp` moves by users and automation; the others are what objects without it offer.
    pub fn modstamp(&self) -> Option<&Field> {
        ["SystemModstamp", "LastModifiedDate", "CreatedDate"]
            .iter()
            .find_map(|name| self.field(name).filter(|field| field.filterable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, field_type: FieldType) -> Field {
        serde_json::from_value(serde_json::json!({"name": name, "type": String::from(field_type)})).unwrap()
    }

    #[test]
    fn every_type_keeps_its_name() {
        for (known, name) in TYPE_NAMES {
            assert_eq!(FieldType::from(name.to_owned()), known);
            assert_eq!(String::from(known), name);
        }
        assert_eq!(FieldType::from("json".to_owned()), FieldType::Other("json".to_owned()));
    }

    #[test]
    fn columns_leave_compounds_and_blobs_out_and_put_the_id_first() {
        let schema = ObjectSchema {
            name: "Account".into(),
            label: String::new(),
            key_prefix: Some("001".into()),
            fields: vec![
                field("Name", FieldType::String),
                field("Id", FieldType::Id),
                field("BillingAddress", FieldType::Address),
                field("Body", FieldType::Base64),
            ],
        };
        assert_eq!(schema.columns().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["Id", "Name"]);
    }

    #[test]
    fn modstamp_takes_the_best_there_is() {
        let mut schema = ObjectSchema {
            name: "X".into(),
            label: String::new(),
            key_prefix: None,
            fields: vec![field("CreatedDate", FieldType::DateTime)],
        };
        assert_eq!(schema.modstamp().unwrap().name, "CreatedDate");
        schema.fields.push(field("SystemModstamp", FieldType::DateTime));
        assert_eq!(schema.modstamp().unwrap().name, "SystemModstamp");
        schema.fields[1].filterable = false;
        assert_eq!(schema.modstamp().unwrap().name, "CreatedDate");
    }
}
