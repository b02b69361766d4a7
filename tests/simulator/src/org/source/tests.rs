use std::path::Path;

use serde_json::json;

use crate::org::Org;
use crate::org::tests::org_with;
use crate::schema::{OnDelete, View};

/// An org whose schema is that of a part of NPSP.
fn npsp(schema: &str) -> Org {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/metadata/npsp");
    let source = source.display();
    let settings =
        format!("name: A\nmetadata: [\"{source}\"]\nusers:\n  - {{username: admin@acme.example}}\n");
    org_with(&[("org.yaml", &settings), ("schema.yaml", schema)], &[]).unwrap()
}

const SCHEMA: &str =
    "objects:\n  Account: {}\n  Contact: {fields: {Deceased__c: {type: string, label: Own}}}\n";

#[test]
fn a_real_package_becomes_describes() {
    let org = npsp(SCHEMA);
    let describe = |object: &str| {
        let number = org.schema.find(object).unwrap();
        org.schema.describe(number, &View::everything(), "62.0", "https://acme.my.salesforce.com")
    };
    let plan = describe("Engagement_Plan__c");
    for (key, expected) in [
        ("label", json!("Engagement Plan")),
        ("labelPlural", json!("Engagement Plans")),
        ("custom", json!(true)),
    ] {
        assert_eq!(plan[key], expected, "{key}");
    }
    let field = |describe: &serde_json::Value, name: &str| {
        let fields = describe["fields"].as_array().unwrap().iter();
        fields.filter(|field| field["name"] == name).cloned().next_back().unwrap_or_default()
    };
    for (object, name, key, expected) in [
        ("Engagement_Plan__c", "Name", "autoNumber", json!(true)),
        ("Engagement_Plan__c", "Name", "label", json!("Engagement Plan Number")),
        ("Engagement_Plan__c", "Engagement_Plan_Template__c", "type", json!("reference")),
        ("Engagement_Plan__c", "Engagement_Plan_Template__c", "relationshipOrder", json!(0)),
        ("Engagement_Plan__c", "Engagement_Plan_Template__c", "nillable", json!(false)),
        ("Engagement_Plan__c", "Engagement_Plan_Template__c", "updateable", json!(false)),
        ("Engagement_Plan__c", "Account__c", "relationshipName", json!("Account__r")),
        ("Engagement_Plan__c", "Status__c", "calculated", json!(true)),
        ("Engagement_Plan__c", "Status__c", "createable", json!(false)),
        ("Engagement_Plan__c", "Completed_Tasks__c", "defaultValue", json!(0)),
        ("Engagement_Plan__c", "Completed_Tasks__c", "precision", json!(18)),
        ("Engagement_Plan_Template__c", "Total_Tasks__c", "calculated", json!(true)),
        ("Engagement_Plan_Template__c", "Description__c", "type", json!("textarea")),
        ("npe01__OppPayment__c", "ACH_Code__c", "restrictedPicklist", json!(true)),
        ("npe01__OppPayment__c", "ACH_Code__c", "type", json!("picklist")),
        // what the org's own schema.yaml says goes before the package
        ("Contact", "Deceased__c", "type", json!("string")),
    ] {
        assert_eq!(field(&describe(object), name)[key], expected, "{object}.{name}: {key}");
    }
    // the global value set's values, its default among them
    let values = field(&describe("npe01__OppPayment__c"), "ACH_Code__c")["picklistValues"].clone();
    assert!(values.as_array().unwrap().len() >= 2, "{values}");
    // no owner where there is a master; a metadata type has no records of users
    assert!(
        field(&plan, "OwnerId").is_null()
            && !field(&describe("Engagement_Plan_Template__c"), "OwnerId").is_null()
    );
    let rollup = describe("Rollup__mdt");
    assert_eq!((&rollup["createable"], &rollup["queryable"]), (&json!(false), &json!(true)));
    assert!(!field(&rollup, "QualifiedApiName").is_null());
    assert!(plan["fields"].as_array().unwrap().iter().all(|field| field.as_object().unwrap().len() == 57));
    let template = org.schema.find("Engagement_Plan_Template__c").unwrap();
    let relations = org.schema.relations_to(template);
    assert!(relations.iter().any(|relation| relation.on_delete == OnDelete::Cascade));
}

#[test]
fn a_package_that_cannot_be_read_names_the_file() {
    let field = "<CustomField><fullName>A__c</fullName><type>Hologram</type></CustomField>";
    for (content, message) in [
        (field, "A__c.field-meta.xml: A__c: a field of type Hologram is not known"),
        ("<CustomField>", "A__c.field-meta.xml: it is not XML"),
    ] {
        let files = [("force-app/main/default/objects/Thing__c/fields/A__c.field-meta.xml", content)];
        let error = org_with(&files, &[]).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn fields_of_activity_are_those_of_tasks_and_events() {
    let field = "<CustomField><fullName>Level__c</fullName><type>Text</type><length>9</length></CustomField>";
    let file = "force-app/main/default/objects/Activity/fields/Level__c.field-meta.xml";
    let org = org_with(
        &[(file, field), ("schema.yaml", "objects: {Task: {fields: {Subject: {type: string}}}}")],
        &[],
    )
    .unwrap();
    assert_eq!(org.schema.find("Activity"), None);
    for object in ["Task", "Event"] {
        let described = org.schema.object(org.schema.find(object).unwrap());
        let level = described.find("Level__c").map(|field| described.fields[field].length);
        assert_eq!((level, described.find("Name")), (Some(9), None), "{object}");
    }
}
