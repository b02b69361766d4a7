//! What describeGlobal and describe answer, translated into the domain's schema.

use orgkeep_core::schema::{Field, FieldType, ObjectSchema};
use orgkeep_core::scope::Offered;
use serde::Deserialize;

/// `GET sobjects`.
#[derive(Debug, Deserialize)]
pub(crate) struct Global {
    sobjects: Vec<Summary>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    name: String,
    queryable: bool,
    retrieveable: bool,
    #[serde(default)]
    deprecated_and_hidden: bool,
}

impl Global {
    /// What the scope chooses from.
    pub(crate) fn into_offered(self) -> Vec<Offered> {
        let offered = |summary: Summary| Offered {
            name: summary.name,
            queryable: summary.queryable,
            retrieveable: summary.retrieveable,
            deprecated_and_hidden: summary.deprecated_and_hidden,
        };
        self.sobjects.into_iter().map(offered).collect()
    }
}

/// `GET sobjects/X/describe`, as far as a backup uses it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    name: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    key_prefix: Option<String>,
    fields: Vec<DescribedField>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedField {
    name: String,
    #[serde(rename = "type")]
    field_type: FieldType,
    #[serde(default, deserialize_with = "size")]
    length: u32,
    #[serde(default, deserialize_with = "size")]
    precision: u32,
    #[serde(default, deserialize_with = "size")]
    scale: u32,
    #[serde(default)]
    calculated: Option<bool>,
    #[serde(default)]
    compound_field_name: Option<String>,
    #[serde(default)]
    reference_to: Option<Vec<String>>,
    filterable: Option<bool>,
}

/// A number that only sizes a column: null, negative and fractional ones are taken as 0, larger ones as the largest,
/// as no value of theirs is a reason not to back the object up.
fn size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    Ok(match number {
        Some(number) => match number.as_u64() {
            Some(size) => u32::try_from(size).unwrap_or(u32::MAX),
            None if number.as_f64().is_some_and(|size| size >= f64::from(u32::MAX)) => u32::MAX,
            None => 0,
        },
        None => 0,
    })
}

impl Object {
    /// The schema, `Id` first, the other fields in describe's order.
    pub(crate) fn into_schema(self) -> ObjectSchema {
        let (mut fields, others): (Vec<Field>, Vec<Field>) =
            self.fields.into_iter().map(into_field).partition(|field| field.name == "Id");
        fields.extend(others);
        ObjectSchema {
            name: self.name,
            label: self.label.unwrap_or_default(),
            key_prefix: self.key_prefix,
            fields,
        }
    }
}

fn into_field(described: DescribedField) -> Field {
    Field {
        // The compound itself (such as Name of a Contact) names itself as its compound.
        compound: described.compound_field_name.filter(|compound| *compound != described.name),
        name: described.name,
        field_type: described.field_type,
        length: described.length,
        precision: described.precision,
        scale: described.scale,
        calculated: described.calculated.unwrap_or(false),
        reference_to: described.reference_to.unwrap_or_default(),
        filterable: described.filterable.unwrap_or(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_describe_becomes_a_schema_and_unknown_types_stay() {
        let described = serde_json::json!({
            "name": "Account", "label": "Account", "keyPrefix": "001", "queryable": true,
            "fields": [
                {"name": "Name", "type": "string", "length": 255, "compoundFieldName": "Name", "filterable": true},
                {"name": "Id", "type": "id", "length": 18, "compoundFieldName": null, "filterable": true},
                {"name": "BillingCity", "type": "string", "length": 40, "compoundFieldName": "BillingAddress"},
                {"name": "Shape__c", "type": "hologram", "filterable": false, "calculated": true},
                {"name": "ParentId", "type": "reference", "referenceTo": ["Account"]}
            ]
        });
        let schema = serde_json::from_value::<Object>(described).unwrap().into_schema();
        assert_eq!(schema.key_prefix.as_deref(), Some("001"));
        assert_eq!(schema.fields[0].name, "Id");
        assert_eq!(schema.field("Name").unwrap().compound, None);
        assert_eq!(schema.field("BillingCity").unwrap().compound.as_deref(), Some("BillingAddress"));
        let shape = schema.field("Shape__c").unwrap();
        assert_eq!(shape.field_type, FieldType::Other("hologram".to_owned()));
        assert!(shape.calculated && !shape.filterable);
        assert_eq!(schema.field("ParentId").unwrap().reference_to, ["Account"]);
    }

    /// By design: a type that no release has named yet is kept by its name, and a value that no release has used
    /// yet is no reason to fail.
    #[test]
    fn types_and_values_of_later_releases_are_taken() {
        for (name, field, want) in [
            ("a type", serde_json::json!({"type": "hologram"}), ("hologram", 0)),
            ("the known ones keep their names", serde_json::json!({"type": "anyType"}), ("anyType", 0)),
            ("no length", serde_json::json!({"type": "json", "length": null}), ("json", 0)),
            (
                "a huge length",
                serde_json::json!({"type": "string", "length": 9_000_000_000_u64}),
                ("string", u32::MAX),
            ),
            ("no number", serde_json::json!({"type": "string", "length": 1e300}), ("string", u32::MAX)),
            ("below zero", serde_json::json!({"type": "string", "length": -1}), ("string", 0)),
            ("unknown keys", serde_json::json!({"type": "int", "aura": {"x": [1]}}), ("int", 0)),
            (
                "null flags",
                serde_json::json!({"type": "int", "calculated": null, "referenceTo": null}),
                ("int", 0),
            ),
        ] {
            let mut field = field;
            field["name"] = "X".into();
            let described = serde_json::json!({"name": "O", "keyPrefix": null, "fields": [field]});
            let schema = serde_json::from_value::<Object>(described).unwrap().into_schema();
            let got = (String::from(schema.fields[0].field_type.clone()), schema.fields[0].length);
            assert_eq!(got, (want.0.to_owned(), want.1), "{name}");
        }
    }
}
