use std::fs;

use super::*;
use crate::value::Cell;

/// A small org in a directory of its own.
pub(crate) fn org_with(files: &[(&str, &str)], scale: &[(&str, u64)]) -> Result<Org, LoadError> {
    let directory = tempfile::tempdir().unwrap();
    let mut all = vec![(
        "org.yaml",
        "name: Acme\nusers:\n  - {username: admin@acme.example, permissions: [ApiEnabled, ViewAllData]}\n",
    )];
    all.retain(|(name, _)| !files.iter().any(|(given, _)| given == name));
    all.extend_from_slice(files);
    for (name, content) in all {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let scale: Vec<(String, u64)> = scale.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    Org::load(directory.path(), &scale)
}

pub(crate) const SCHEMA: &str = r"
objects:
  Account:
    fields:
      Industry: {type: picklist, values: [Energy, Food]}
      AnnualRevenue: {type: currency, precision: 18, scale: 0}
      ParentId: {type: reference, to: [Account], children: ChildAccounts}
      Description: {type: textarea, length: 32000}
      Colors__c: {type: multipicklist, values: [Red, Green, Blue]}
      Since__c: {type: date}
      Place__c: {type: location}
  Contact:
    nameField: None
    fields:
      FirstName: {type: string, length: 40, compound: Name}
      LastName: {type: string, length: 80, required: true, compound: Name}
      Name: {type: string, length: 121, readOnly: true}
      AccountId: {type: reference, to: [Account], relationship: Account, children: Contacts}
      Birthdate: {type: date}
      Number__c: {type: autonumber}
";

pub(crate) const ACCOUNTS: &str = "Id,Name,Industry,AnnualRevenue,ParentId,Colors__c,Since__c,IsDeleted\n\
    acme,Acme,Energy,1000,,Red;Blue,2020-02-29,\n\
    bolt,\"Bolt, \"\"Inc.\"\"\",Food,12.5,acme,Green,,\n\
    gone,Gone,,,,,,true\n";

pub(crate) const CONTACTS: &str = r#"{"records": [
    {"attributes": {"type": "Contact", "referenceId": "Ann"}, "FirstName": "Ann", "LastName": "Lee",
     "AccountId": "@acme", "Birthdate": "1990-05-01"},
    {"attributes": {"type": "Contact"}, "LastName": "Őrsi", "AccountId": "@bolt"}]}"#;

pub(crate) fn small() -> Org {
    let files = [("schema.yaml", SCHEMA), ("data/Account.csv", ACCOUNTS), ("data/Contacts.json", CONTACTS)];
    org_with(&files, &[]).unwrap()
}

fn cell(org: &Org, object: &str, n: usize, field: &str) -> Option<crate::value::Value> {
    let object = org.schema.find(object).unwrap();
    let field = org.schema.object(object).find(field).unwrap();
    let row = org.database.table(object).scan(crate::store::Bounds::ALL, true).nth(n).unwrap();
    org.database.cell(&org.schema, object, row, field, &mut String::new()).to_value()
}

#[test]
fn labels_become_ids_and_audit_fields_are_there() {
    let org = small();
    let acme = cell(&org, "Account", 0, "Id");
    assert_eq!(acme.as_ref().map(|v| format!("{v:?}")), Some("Id(0015g0000000001AAA)".to_owned()));
    assert_eq!(cell(&org, "Account", 1, "ParentId"), acme);
    assert_eq!(cell(&org, "Contact", 0, "AccountId"), acme);
    assert_eq!(cell(&org, "Contact", 0, "OwnerId"), cell(&org, "User", 0, "Id"));
    assert!(cell(&org, "Contact", 0, "SystemModstamp").is_some());
    assert_eq!(cell(&org, "Contact", 0, "Name").as_ref().map(|v| v.as_cell()), Some(Cell::Text("Ann Lee")));
    assert_eq!(
        cell(&org, "Contact", 1, "Number__c").as_ref().map(|v| v.as_cell()),
        Some(Cell::Text("00000002"))
    );
    let accounts = org.database.table(org.schema.find("Account").unwrap());
    assert_eq!((accounts.count(false), accounts.count(true)), (2, 3));
}

#[test]
fn built_in_rows_agree_with_the_settings() {
    let org = small();
    assert_eq!(
        cell(&org, "Organization", 0, "Id").map(|v| format!("{v:?}")),
        Some(format!("Id({})", org.id()))
    );
    let edition = cell(&org, "Organization", 0, "OrganizationType");
    assert_eq!(edition.as_ref().map(|v| v.as_cell()), Some(Cell::Text("Enterprise Edition")));
    let may = |field| cell(&org, "UserPermissionAccess", 0, field).map(|v| v.as_cell() == Cell::Bool(true));
    assert_eq!(may("PermissionsViewAllData"), Some(true));
    assert_eq!(may("PermissionsQueryAllFiles"), Some(false));
}

#[test]
fn errors_name_file_and_place() {
    let schema = ("schema.yaml", SCHEMA);
    for (files, expected) in [
        (vec![schema, ("data/Account.csv", "Name,Foo\na,b\n")], "Account.csv: Account has no field Foo"),
        (
            vec![schema, ("data/Account.csv", "Name,Since__c\na,2020-01-01\nb,1.1.2020\n")],
            "Account.csv, line 3: Since__c",
        ),
        (
            vec![schema, ("data/Account.csv", "Name,ParentId\na,nobody\n")],
            "no record of Account has the id or label",
        ),
        (vec![("data/Thing__c.csv", "Name\na\n")], "Thing__c.csv: object Thing__c is not in the schema"),
        (
            vec![("schema.yaml", "objects:\n  A__c:\n    fields:\n      X__c: {type: strin}\n")],
            "objects.A__c.fields.X__c",
        ),
        (vec![("org.yaml", "name: A\nusers: [{username: a, hiddenFields: [A.B]}]\n")], "hiddenFields: A.B"),
        (vec![("org.yaml", "name: A\nuser: []\n")], "org.yaml: "),
        (vec![schema, ("data/Contact.csv", "FirstName\nAnn\n")], "Contact.csv, line 2: LastName is required"),
        (
            vec![
                ("schema.yaml", "objects:\n  File__c:\n    fields:\n      Body__c: {type: base64}\n"),
                ("data/File__c.csv", "Body__c\nlost.pdf\n"),
            ],
            "File__c.csv, line 2: Body__c: there is no file lost.pdf in",
        ),
        (vec![("describes/x.json", "{")], "x.json: it is not JSON"),
        (
            vec![schema, ("data/Contact.json", r#"[{"LastName": "a"}, {"Last": "b"}]"#)],
            "Contact.json, record 2: Contact",
        ),
    ] {
        let message = org_with(&files, &[]).unwrap_err().to_string();
        assert!(message.contains(expected), "{message} / {expected}");
    }
    let message = org_with(&[], &[("Foo", 3)]).unwrap_err().to_string();
    assert_eq!(message, "--scale Foo=3: the org has no such object");
}

const HOST: &str = "https://acme.my.salesforce.com";

#[test]
fn describes_have_the_recorded_shape() {
    let recorded = r#"{"name": "Thing__c", "label": "Thing", "keyPrefix": "a0X", "queryable": true,
        "urls": {"sobject": "/services/data/v20.0/sobjects/Thing__c", "uiNewRecord": "https://x.example/a0X"},
        "fields": [{"name": "Id", "type": "id"}, {"name": "Name", "type": "string", "length": 80}]}"#;
    let org = org_with(&[("schema.yaml", SCHEMA), ("describes/Thing.json", recorded)], &[]).unwrap();
    let view = View::everything();
    let global = org.schema.describe_global(&view, "62.0");
    for (number, listed) in global["sobjects"].as_array().unwrap().iter().enumerate() {
        assert_eq!(listed.as_object().unwrap().len(), 28);
        let described = org.schema.describe(number, &view, "62.0", HOST);
        assert_eq!(described.as_object().unwrap().len(), 45, "{}", listed["name"]);
        assert_eq!(described["name"], listed["name"]);
        for field in described["fields"].as_array().unwrap() {
            assert_eq!(field.as_object().unwrap().len(), 57, "{} {}", listed["name"], field["name"]);
        }
    }
    let thing = org.schema.describe(org.schema.find("thing__C").unwrap(), &view, "62.0", HOST);
    let urls = serde_json::json!({"sobject": "/services/data/v62.0/sobjects/Thing__c", "uiNewRecord": format!("{HOST}/a0X")});
    assert_eq!(thing["urls"], urls);
    let account = org.schema.describe(org.schema.find("Account").unwrap(), &view, "62.0", HOST);
    let children: Vec<_> = account["childRelationships"].as_array().unwrap().iter().collect();
    assert_eq!(children.iter().filter(|c| c["relationshipName"] == "Contacts").count(), 1);
}

#[test]
fn parents_may_be_named_by_a_field() {
    let csv = "LastName,Account.Name,Owner.Username\nLee,Acme,admin@acme.example\nRay,,\n";
    let json = r#"[{"LastName": "Fox", "Account": {"attributes": {}, "Name": "Acme"}}]"#;
    let account = ("data/Account.csv", ACCOUNTS);
    let files = [("schema.yaml", SCHEMA), account, ("data/Contact.csv", csv), ("data/Contact.json", json)];
    let org = org_with(&files, &[]).unwrap();
    for n in [0, 2] {
        assert_eq!(cell(&org, "Contact", n, "AccountId"), cell(&org, "Account", 0, "Id"));
    }
    assert_eq!(cell(&org, "Contact", 1, "AccountId"), None);
    let unknown =
        [("schema.yaml", SCHEMA), account, ("data/Contact.csv", "LastName,Account.Name\nLee,Nobody\n")];
    let message = org_with(&unknown, &[]).unwrap_err().to_string();
    assert!(message.ends_with("line 2: AccountId: no record of Account has Name `Nobody`"), "{message}");
}

#[test]
fn children_may_be_nested_in_their_parent() {
    let tree = r#"{"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "A",
        "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "C"}]}}]}"#;
    let org = org_with(&[("schema.yaml", SCHEMA), ("data/tree.json", tree)], &[]).unwrap();
    assert_eq!(cell(&org, "Contact", 0, "AccountId"), cell(&org, "Account", 0, "Id"));
}

#[test]
fn generated_fields_are_not_copies_of_each_other() {
    let org = org_with(&[("schema.yaml", SCHEMA)], &[("Account", 2_000)]).unwrap();
    let column = |name| (0..2_000).step_by(20).map(|n| cell(&org, "Account", n, name)).collect::<Vec<_>>();
    let (latitudes, longitudes) = (column("Place__Latitude__s"), column("Place__Longitude__s"));
    assert!(latitudes.iter().zip(&longitudes).all(|(a, b)| a.is_some() == b.is_some()));
    let nulls = |name| column(name).iter().map(Option::is_none).collect::<Vec<_>>();
    let names = ["Industry", "AnnualRevenue", "Description", "Colors__c", "Since__c"];
    for pair in names.windows(2) {
        let (a, b) = (nulls(pair[0]), nulls(pair[1]));
        let agreeing = a.iter().zip(&b).filter(|(a, b)| a == b).count();
        let differing =
            a.iter().filter(|null| **null).count().abs_diff(b.iter().filter(|null| **null).count());
        assert!(agreeing < 100 || differing == 0, "{pair:?}");
    }
    assert!(column("Industry").iter().flatten().any(|v| v.as_cell() == Cell::Text("Energy")));
}

#[test]
fn generated_rows_are_the_same_every_time_and_take_no_memory() {
    let files = [("schema.yaml", SCHEMA), ("data/Account.csv", ACCOUNTS)];
    let scale = [("Account", 3_000_000_000), ("Contact", 1_000)];
    let (a, b) = (org_with(&files, &scale).unwrap(), org_with(&files, &scale).unwrap());
    let accounts = a.schema.find("Account").unwrap();
    assert_eq!(a.database.table(accounts).count(false), 3_000_000_002);
    for object in ["Account", "Contact"] {
        for field in &a.schema.object(a.schema.find(object).unwrap()).fields {
            assert_eq!(cell(&a, object, 500, &field.name), cell(&b, object, 500, &field.name));
        }
    }
}
