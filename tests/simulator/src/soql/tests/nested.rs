use super::*;

/// The records of a query as REST writes them, without their attributes.
fn records(org: &Org, text: &str) -> serde_json::Value {
    fn strip(json: &mut serde_json::Value) {
        match json {
            serde_json::Value::Object(map) => {
                map.remove("attributes");
                map.values_mut().for_each(strip);
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let cursor = open(org, text, false).unwrap();
    let form = JsonForm::new(cursor.plan(), "62.0");
    let mut all = Vec::new();
    for row in cursor.rows(0, 99) {
        let mut out = Vec::new();
        cursor.write_json_row(row, &form, &mut String::new(), &mut out);
        let mut record: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert!(record["attributes"]["url"].as_str().unwrap().starts_with("/services/data/v62.0/sobjects/"));
        strip(&mut record);
        all.push(record);
    }
    serde_json::Value::Array(all)
}

#[test]
fn children_within_their_parents() {
    let org = small();
    let children =
        |records: serde_json::Value| serde_json::json!({"totalSize": 1, "done": true, "records": [records]});
    assert_eq!(
        records(
            &org,
            "SELECT Name, (SELECT LastName, Account.Name FROM Contacts WHERE LastName != 'Lee' ORDER BY LastName), \
             (SELECT Name FROM a.ChildAccounts LIMIT 5), Owner.Type FROM Account a ORDER BY Name"
        ),
        serde_json::json!([
            {"Name": "Acme", "Contacts": null, "ChildAccounts": children(serde_json::json!({"Name": "Bolt, \"Inc.\""})), "Owner": {"Type": "User"}},
            {
                "Name": "Bolt, \"Inc.\"",
                "Contacts": children(serde_json::json!({"LastName": "Őrsi", "Account": {"Name": "Bolt, \"Inc.\""}})),
                "ChildAccounts": null, "Owner": {"Type": "User"},
            },
        ])
    );
    let nested = "SELECT Name, (SELECT Name, (SELECT FirstName FROM Contacts) FROM ChildAccounts) FROM Account LIMIT 1";
    let inner = serde_json::json!({"Name": "Bolt, \"Inc.\"", "Contacts": children(serde_json::json!({"FirstName": null}))});
    assert_eq!(
        records(&org, nested),
        serde_json::json!([{"Name": "Acme", "ChildAccounts": children(inner)}])
    );
    let cut = "SELECT Id, (SELECT Id FROM Contacts LIMIT 1 OFFSET 1) FROM Account LIMIT 1";
    assert_eq!(records(&org, cut)[0]["Contacts"], serde_json::Value::Null);
}

#[test]
fn fields_by_the_type_of_a_parent() {
    let org = small();
    let text = "SELECT Name, TYPEOF Owner WHEN User THEN Username, Profile.Name WHEN Group THEN Type ELSE Id END FROM Account LIMIT 1";
    let owner = serde_json::json!({"Username": "admin@acme.example", "Profile": {"Name": "Standard User"}});
    assert_eq!(records(&org, text), serde_json::json!([{"Name": "Acme", "Owner": owner}]));
    let text = "SELECT TYPEOF Owner WHEN Group THEN Type ELSE Name END FROM Account LIMIT 1";
    assert_eq!(records(&org, text), serde_json::json!([{"Owner": {"Name": "admin"}}]));
    let text = "SELECT TYPEOF Parent WHEN Account THEN Name END FROM Account";
    assert_eq!(open(&org, text, false).map(|_| ()).unwrap_err().code, "MALFORMED_QUERY");
}

#[test]
fn functions_around_fields() {
    let org = small();
    let text = "SELECT toLabel(Industry), FORMAT(AnnualRevenue) shown, FORMAT(Since__c), convertCurrency(AnnualRevenue) FROM Account LIMIT 1";
    let error =
        open(&org, &text.replace("toLabel(Industry)", "toLabel(Name)"), false).map(|_| ()).unwrap_err();
    assert!(error.message.ends_with("field Name does not support toLabel"), "{error}");
    assert_eq!(
        records(&org, text),
        serde_json::json!([
            {"Industry": "Energy", "shown": "1,000", "Since__c": "2/29/2020", "AnnualRevenue": 1000.0}
        ])
    );
    let view = org.view(org.user("admin@acme.example").unwrap());
    let mine = Plan::of(&org.schema, &view, "SELECT Name FROM Account USING SCOPE mine FOR VIEW").unwrap();
    assert_eq!(Arc::new(mine).open(org.database.clone(), false).total(), 2);
    assert_eq!(
        column(
            &org,
            "SELECT Name FROM Account WITH SECURITY_ENFORCED ORDER BY Owner.Type, Name LIMIT 1",
            false
        ),
        ["Acme"]
    );
    assert_eq!(column(&org, "SELECT Name FROM Account OFFSET 0", true).len(), 3);
}

#[test]
fn too_many_groups_are_refused_and_not_cut() {
    let org = org_with(&[("schema.yaml", SCHEMA)], &[("Account", 3_000)]).unwrap();
    let check = |text: &str| open(&org, text, false).unwrap().check().map_err(|error| error.code);
    let text = "SELECT Name, COUNT(Id) FROM Account GROUP BY Name";
    assert_eq!(check(text), Err("EXCEEDED_ID_LIMIT"));
    assert_eq!(check(&format!("{text} LIMIT 2000")), Ok(()));
    assert_eq!(check("SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry"), Ok(()));
}
