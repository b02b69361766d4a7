//! describeGlobal and describe, translated into the domain's schema.

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
    #[serde(default)]
    length: u32,
    #[serde(default)]
    precision: u32,
    #[serde(default)]
    scale: u32,
    #[serde(default)]
    calculated: bool,
    #[serde(default)]
    compound_field_name: Option<String>,
    #[serde(default)]
    reference_to: Vec<String>,
    filterable: Option<bool>,
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
        calculated: described.calculated,
        reference_to: described.reference_to,
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
}
