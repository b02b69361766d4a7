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

#[test]
fn distances() {
    let schema = "objects:\n  Account:\n    fields:\n      Place__c: {type: location}\n";
    let csv = "Id,Name,Place__Latitude__s,Place__Longitude__s\na,Paris,48.8566,2.3522\nb,Berlin,52.52,13.405\nc,Nowhere,,\n";
    let org = org_with(&[("schema.yaml", schema), ("data/Account.csv", csv)], &[]).unwrap();
    let from_paris = "DISTANCE(Place__c, GEOLOCATION(48.8566, 2.3522), 'km')";
    let names = |rest: &str| column(&org, &format!("SELECT Name FROM Account {rest}"), false);
    assert_eq!(names(&format!("WHERE {from_paris} < 100")), ["Paris"]);
    assert_eq!(names(&format!("WHERE {from_paris} > 877 AND {from_paris} < 879")), ["Berlin"]);
    assert_eq!(names(&format!("WHERE {} < 546", from_paris.replace("km", "mi"))), ["Paris", "Berlin"]);
    assert_eq!(names(&format!("ORDER BY {from_paris} DESC NULLS LAST")), ["Berlin", "Paris", "Nowhere"]);
    let shown = records(&org, &format!("SELECT Name, {from_paris} far FROM Account ORDER BY Name"));
    assert!((shown[0]["far"].as_f64().unwrap() - 877.46).abs() < 0.5, "{shown}");
    assert_eq!(shown[1]["far"], serde_json::Value::Null);
    for text in [
        "WHERE DISTANCE(Name, GEOLOCATION(1, 2), 'km') < 3",
        "ORDER BY DISTANCE(Name, GEOLOCATION(1, 2), 'km')",
    ] {
        let error = open(&org, &format!("SELECT Id FROM Account {text}"), false).map(|_| ()).unwrap_err();
        assert!(error.message.ends_with("field Name does not support DISTANCE()"), "{error}");
    }
    let text = format!("SELECT Id FROM Account WHERE {from_paris} = 3");
    assert_eq!(open(&org, &text, false).map(|_| ()).unwrap_err().code, "INVALID_QUERY_FILTER_OPERATOR");
}

#[test]
fn picklists_sort_in_their_own_order() {
    let schema =
        "objects:\n  Account:\n    fields:\n      Rating: {type: picklist, values: [Hot, Warm, Cold]}\n";
    let csv = "Id,Name,Rating\na,1,Cold\nb,2,Hot\nc,3,\nd,4,Warm\n";
    let org = org_with(&[("schema.yaml", schema), ("data/Account.csv", csv)], &[]).unwrap();
    let order = |by: &str| column(&org, &format!("SELECT Name FROM Account ORDER BY Rating {by}"), false);
    assert_eq!(order("NULLS LAST"), ["2", "4", "1", "3"]);
    assert_eq!(order("DESC"), ["3", "1", "4", "2"]);
}

/// Conditions that hold of rows one way or the other.
fn condition() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let single = prop::sample::select(vec![
        "Name = 'acme'",
        "Name LIKE '%c%'",
        "Name NOT IN ('Acme', 'x')",
        "AnnualRevenue > 12.5",
        "AnnualRevenue <= 1000",
        "AnnualRevenue = null",
        "Industry != 'Food'",
        "Industry IN ('Energy', 'Food')",
        "Colors__c INCLUDES ('Red')",
        "Colors__c EXCLUDES ('Red;Blue', 'Green')",
        "Since__c < LAST_N_YEARS:2",
        "CALENDAR_QUARTER(Since__c) = 1",
        "Parent.Name = 'Acme'",
        "Owner.Type != 'Group'",
        "IsDeleted = true",
        "Id > '0015g0000000001'",
    ]);
    let single = single.prop_map(str::to_owned);
    single.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|any| format!("({})", any.join(" OR "))),
            inner.prop_map(|one| format!("(NOT {one})")),
        ]
    })
}

proptest::proptest! {
    /// A row meets a condition or its opposite; what is counted is what is given, in any order and in pieces.
    #[test]
    fn a_condition_and_its_opposite_share_the_rows(condition in condition(), skip in 0usize..4, most in 0usize..4) {
        static ORG: std::sync::LazyLock<Org> = std::sync::LazyLock::new(small);
        let org = &*ORG;
        let names = |rest: &str| column(org, &format!("SELECT Name FROM Account {rest}"), true);
        let (with, without) = (names(&format!("WHERE {condition}")), names(&format!("WHERE NOT {condition}")));
        let mut all: Vec<String> = with.iter().chain(&without).cloned().collect();
        all.sort();
        proptest::prop_assert_eq!(all, ["Acme", "Bolt, \"Inc.\"", "Gone"]);
        let count = open(org, &format!("SELECT COUNT() FROM Account WHERE {condition}"), true).unwrap().total();
        proptest::prop_assert_eq!(count, with.len() as u64);
        let mut sorted = with.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        proptest::prop_assert_eq!(&names(&format!("WHERE {condition} ORDER BY Name DESC")), &sorted);
        let piece = names(&format!("WHERE {condition} ORDER BY Name DESC LIMIT {most} OFFSET {skip}"));
        let expected: Vec<String> = sorted.into_iter().skip(skip).take(most).collect();
        proptest::prop_assert_eq!(piece, expected);
    }
}
