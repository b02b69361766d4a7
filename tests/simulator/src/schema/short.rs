//! The short form of objects and fields: `schema.yaml` of an org directory, and the built-in objects.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::formula::RollUp;

/// A file of objects in short form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortSchema {
    /// Objects by API name.
    pub objects: serde_yaml::Mapping,
}

/// One object in short form, or fields added to one that has a recorded describe.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ShortObject {
    /// Label; made from the name otherwise.
    pub label: Option<String>,
    /// Plural label.
    pub label_plural: Option<String>,
    /// First three characters of ids; chosen otherwise.
    pub key_prefix: Option<String>,
    /// The Name field: `Text` by default, `AutoNumber`, or `None` for objects without a name.
    pub name_field: NameField,
    /// Label of the Name field; made from the object's label otherwise.
    pub name_label: Option<String>,
    /// How the Name is numbered: `INV-{0000}`.
    pub name_format: Option<String>,
    /// Which standard fields it has.
    pub system: SystemFields,
    /// Any object-level describe key to set otherwise (`queryable: false`, `associateEntityType: History`).
    pub describe: BTreeMap<String, Json>,
    /// Fields in their order.
    pub fields: serde_yaml::Mapping,
}

/// What kind of Name field an object has.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum NameField {
    /// Text of 80 characters, required.
    #[default]
    Text,
    /// Numbered by the server.
    AutoNumber,
    /// No Name field is added.
    None,
}

/// The set of standard fields that an object gets.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum SystemFields {
    /// Owner (unless it has a master), audit fields, IsDeleted, SystemModstamp.
    #[default]
    Full,
    /// Audit fields and SystemModstamp: setup objects, which have no owner and are never in a bin.
    Setup,
    /// Id, IsDeleted and SystemModstamp only: link objects.
    Link,
    /// Id only: views of other things.
    Bare,
}

/// One field in short form.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ShortField {
    /// Type as describe names it, or `autonumber` or `masterdetail`.
    pub r#type: String,
    /// Label; made from the name otherwise.
    pub label: Option<String>,
    /// Characters of a text.
    pub length: Option<u32>,
    /// Digits in all.
    pub precision: Option<u8>,
    /// Digits after the point.
    pub scale: Option<u8>,
    /// Must be given.
    pub required: bool,
    /// No value twice.
    pub unique: bool,
    /// External id.
    pub external_id: bool,
    /// Values of a picklist.
    pub values: Vec<String>,
    /// Only those values.
    pub restricted: bool,
    /// Objects that a reference points to.
    pub to: Vec<String>,
    /// Relationship name going up; made from the field's name otherwise.
    pub relationship: Option<String>,
    /// Relationship name going down, in the parent's list of children.
    pub children: Option<String>,
    /// `SetNull`, `Restrict` or `Cascade`.
    pub delete: Option<String>,
    /// A formula: the field is calculated and cannot be written.
    pub formula: Option<String>,
    /// Empty numbers are zero in the formula.
    pub blank_as_zero: bool,
    /// Cannot be written.
    pub read_only: bool,
    /// The compound field that this one belongs to.
    pub compound: Option<String>,
    /// Default value.
    pub default: Option<Json>,
    /// Case tells unique values apart.
    pub case_sensitive: bool,
    /// How an autonumber is written: `INV-{0000}`.
    pub display_format: Option<String>,
    /// A text with markup.
    pub html: bool,
    /// Help text.
    pub help: Option<String>,
    /// A roll-up of which it is not known what it sums.
    pub summary: bool,
    /// A roll-up.
    pub roll_up: Option<RollUp>,
    /// Of two master-detail fields, which is the first (0) and which the second (1).
    pub order: Option<u8>,
    /// A master-detail whose master may be changed.
    pub reparentable: bool,
}

/// What is wrong with a field in short form, if anything.
pub fn check_field(field: &ShortField) -> Result<(), String> {
    const TYPES: [&str; 23] = [
        "id",
        "string",
        "textarea",
        "picklist",
        "multipicklist",
        "combobox",
        "reference",
        "masterdetail",
        "autonumber",
        "boolean",
        "int",
        "double",
        "currency",
        "percent",
        "date",
        "datetime",
        "time",
        "email",
        "phone",
        "url",
        "encryptedstring",
        "base64",
        "location",
    ];
    let kind = field.r#type.as_str();
    if !TYPES.contains(&kind) && kind != "address" {
        return Err(format!("`type: {kind}` is not known; give one of {}", TYPES.join(", ")));
    }
    if matches!(kind, "reference" | "masterdetail") && field.to.is_empty() {
        return Err("a reference needs `to: [Object]`".to_owned());
    }
    match field.delete.as_deref() {
        None | Some("SetNull" | "Restrict" | "Cascade") => Ok(()),
        Some(other) => Err(format!("`delete: {other}` is not known; give SetNull, Restrict or Cascade")),
    }
}

/// Label of an API name: `Total_Amount__c` → `Total Amount`, `AccountId` stays.
pub fn label_of(name: &str) -> String {
    let stem = name.strip_suffix("__c").or_else(|| name.strip_suffix("__mdt")).unwrap_or(name);
    stem.replace('_', " ")
}

/// Key prefixes of standard objects that short forms may name.
pub fn standard_prefix(object: &str) -> Option<&'static str> {
    Some(match object {
        "Account" => "001",
        "Contact" => "003",
        "User" => "005",
        "Opportunity" => "006",
        "Lead" => "00Q",
        "Case" => "500",
        "Organization" => "00D",
        "Group" => "00G",
        "Profile" => "00e",
        "UserRole" => "00E",
        "RecordType" => "012",
        "Task" => "00T",
        "Event" => "00U",
        "Attachment" => "00P",
        "Note" => "002",
        "Document" => "015",
        "ContentVersion" => "068",
        "ContentDocument" => "069",
        "ContentDocumentLink" => "06A",
        "Campaign" => "701",
        "CampaignMember" => "00v",
        "Product2" => "01t",
        "Pricebook2" => "01s",
        "PricebookEntry" => "01u",
        "Contract" => "800",
        "Order" => "801",
        "OrderItem" => "802",
        "Quote" => "0Q0",
        "Asset" => "02i",
        "OpportunityContactRole" => "00K",
        "OpportunityLineItem" => "00k",
        "Vote" => "083",
        "IdeaComment" => "00a",
        "CaseStatus" => "01J",
        _ => return None,
    })
}
