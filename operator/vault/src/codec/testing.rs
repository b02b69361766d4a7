//! Objects and rows for the tests of this crate.

use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;

use super::{Part, PartKey, PartWriter, Settings};

/// An object with a field of every kind.
pub(crate) fn object() -> ObjectSchema {
    serde_json::from_value(serde_json::json!({"name": "Account", "keyPrefix": "001", "fields": [
        {"name": "Id", "type": "id"},
        {"name": "Name", "type": "string"},
        {"name": "AnnualRevenue", "type": "currency", "precision": 18, "scale": 2},
        {"name": "Count__c", "type": "int"},
        {"name": "Big__c", "type": "long"},
        {"name": "IsDeleted", "type": "boolean"},
        {"name": "Founded__c", "type": "date"},
        {"name": "SystemModstamp", "type": "datetime"},
        {"name": "LastViewedDate", "type": "datetime"},
        {"name": "Score__c", "type": "double", "precision": 18, "scale": 3, "calculated": true},
        {"name": "BillingAddress", "type": "address"},
    ]}))
    .unwrap()
}

/// The Id of a number.
pub(crate) fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("001{number:012}")).unwrap()
}

/// A key for tests.
pub(crate) fn key() -> PartKey {
    PartKey::new(&[7; 32], br#"{"keyMaterialType":"PKMT1"}"#.to_vec())
}

/// A page of Bulk CSV: each row in the order of the object's columns.
pub(crate) fn page(rows: &[Vec<String>]) -> Vec<u8> {
    let object = object();
    let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    writer.write_record(object.columns().map(|field| field.name.as_str())).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

/// A plain row.
pub(crate) fn row(number: u32, name: &str) -> Vec<String> {
    [
        id(number).as_str(),
        name,
        "3.5E8",
        "7",
        "9007199254740993",
        "false",
        "2026-01-31",
        "2026-01-31T10:11:12.000Z",
        "2026-02-01T00:00:00.000Z",
        "1.5",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The parts of a page.
pub(crate) fn parts(page: &[u8], settings: Settings) -> Vec<Part> {
    let mut writer = PartWriter::new(&object(), Some(&key()), settings).unwrap();
    for chunk in page.chunks(1000) {
        writer.push_csv(chunk).unwrap();
    }
    writer.finish().unwrap()
}
