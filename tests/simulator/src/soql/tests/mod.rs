mod nested;

use std::sync::Arc;

use super::*;
use crate::org::Org;
use crate::org::tests::{SCHEMA, org_with, small};
use crate::schema::View;

fn open(org: &Org, text: &str, all: bool) -> Result<Cursor, SoqlError> {
    let plan = Plan::of(&org.schema, &View::everything(), text)?;
    Ok(Arc::new(plan).open(org.database.clone(), all))
}

/// The first column of every row, as text.
fn column(org: &Org, text: &str, all: bool) -> Vec<String> {
    let cursor = open(org, text, all).unwrap();
    let mut scratch = String::new();
    cursor.rows(0, u64::MAX).map(|row| show(cursor.cell(row, 0, &mut scratch))).collect()
}

fn show(cell: crate::value::Cell<'_>) -> String {
    match cell {
        crate::value::Cell::Text(text) => text.to_owned(),
        crate::value::Cell::Null => "null".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn conditions() {
    let org = small();
    for (condition, expected) in [
        ("Name = 'ACME'", vec!["Acme"]),
        ("Name LIKE 'b%\"Inc_\"'", vec!["Bolt, \"Inc.\""]),
        ("Name != 'Acme'", vec!["Bolt, \"Inc.\""]),
        ("AnnualRevenue > 12.4 AND AnnualRevenue < 1e3", vec!["Bolt, \"Inc.\""]),
        ("AnnualRevenue >= 1000 OR Industry IN ('food')", vec!["Acme", "Bolt, \"Inc.\""]),
        ("Colors__c INCLUDES ('Red;Green', 'Blue')", vec!["Acme"]),
        ("Colors__c EXCLUDES ('Red')", vec!["Bolt, \"Inc.\""]),
        ("Since__c = null", vec!["Bolt, \"Inc.\""]),
        ("Since__c = 2020-02-29", vec!["Acme"]),
        ("Since__c < TODAY", vec!["Acme"]),
        ("NOT (Industry = 'Energy')", vec!["Bolt, \"Inc.\""]),
        ("Industry NOT IN ('Energy', 'Food')", vec![]),
        ("Parent.Name = 'Acme'", vec!["Bolt, \"Inc.\""]),
        ("Owner.Username = 'admin@acme.example' AND Id >= '0015g0000000002'", vec!["Bolt, \"Inc.\""]),
        ("Id IN ('0015g0000000001AAA', '0015g0000000009')", vec!["Acme"]),
        ("Id IN (SELECT AccountId FROM Contact WHERE Birthdate != null)", vec!["Acme"]),
        (
            "Id NOT IN (SELECT AccountId FROM Contact WHERE Birthdate != null) AND Name != 'x'",
            vec!["Bolt, \"Inc.\""],
        ),
        ("ParentId IN (SELECT AccountId FROM Contact)", vec!["Bolt, \"Inc.\""]),
        ("CALENDAR_YEAR(Since__c) = 2020 AND DAY_IN_MONTH(Since__c) > 28", vec!["Acme"]),
        (
            "HOUR_IN_DAY(CreatedDate) = 0 AND DAY_ONLY(CreatedDate) = 2020-01-01",
            vec!["Acme", "Bolt, \"Inc.\""],
        ),
        ("Owner.Type = 'User' AND toLabel(Industry) = 'energy'", vec!["Acme"]),
        ("Owner.Type = 'Group'", vec![]),
        ("CreatedDate < 2020-01-01T00:01:30+00:00", vec!["Acme"]),
    ] {
        assert_eq!(
            column(&org, &format!("SELECT Name FROM Account WHERE {condition}"), false),
            expected,
            "{condition}"
        );
    }
    assert_eq!(column(&org, "SELECT Name FROM Account WHERE IsDeleted = true", true), ["Gone"]);
    assert_eq!(open(&org, "SELECT count() FROM Account", true).unwrap().total(), 3);
}

#[test]
fn order_limit_and_parents() {
    let org = small();
    assert_eq!(
        column(&org, "SELECT Name FROM Account ORDER BY Name DESC", true),
        ["Gone", "Bolt, \"Inc.\"", "Acme"]
    );
    assert_eq!(
        column(&org, "SELECT Name FROM Account ORDER BY AnnualRevenue LIMIT 2", true),
        ["Gone", "Bolt, \"Inc.\""]
    );
    let last = "SELECT Name FROM Account ORDER BY AnnualRevenue NULLS LAST LIMIT 1 OFFSET 1";
    assert_eq!(column(&org, last, true), ["Acme"]);
    assert_eq!(column(&org, "SELECT Account.Parent.Name FROM Contact", false), ["null", "Acme"]);
    assert_eq!(
        column(&org, "SELECT c.account.name FROM Contact c ORDER BY Id DESC LIMIT 1", false),
        ["Bolt, \"Inc.\""]
    );
    let cursor = open(&org, "SELECT account.parent.name, Owner.Name FROM Contact", false).unwrap();
    assert_eq!(cursor.columns()[0].name, "Account.Parent.Name");
    let rows: Vec<_> = cursor.rows(0, 10).collect();
    let (object, id) = cursor.ancestor(rows[1], 0, 1).unwrap();
    assert_eq!(
        (org.schema.object(object).name.as_str(), id.to_string().as_str()),
        ("Account", "0015g0000000002AAA")
    );
    assert_eq!(cursor.ancestor(rows[0], 0, 2), None);
}

#[test]
fn errors_in_the_words_of_salesforce() {
    let org = small();
    for (text, code, message) in [
        ("SELECT Id, Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."),
        ("SELECT Id FROM Foo", "INVALID_TYPE", "sObject type 'Foo' is not supported."),
        (
            "SELECT Boss.Name FROM Account",
            "INVALID_FIELD",
            "Didn't understand relationship 'Boss' in field path.",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 3",
            "INVALID_FIELD",
            "must be of type string and should be enclosed",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > '2020'",
            "INVALID_FIELD",
            "must be of type dateTime and should not",
        ),
        ("SELECT Id FROM Account WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"),
        (
            "SELECT Id FROM Account WHERE Description = 'x'",
            "INVALID_FIELD",
            "'Description' can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Account ORDER BY Place__c",
            "MALFORMED_QUERY",
            "'Place__c' can not be sorted in a query call",
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Contact)",
            "MALFORMED_QUERY",
            "can only query id fields",
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT Nam FROM Contact)",
            "INVALID_FIELD",
            "No such column 'Nam'",
        ),
        ("SELECT Id, id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)",
            "MALFORMED_QUERY",
            "The inner and outer selects should not be on the same object type",
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT OwnerId FROM Contact)",
            "MALFORMED_QUERY",
            "should point to the same object type",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 'x' OR Id IN (SELECT AccountId FROM Contact)",
            "MALFORMED_QUERY",
            "Semi join sub-selects are not allowed with the 'OR' operator",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 'x' AND (Name = 'y' OR Id IN (SELECT AccountId FROM Contact))",
            "MALFORMED_QUERY",
            "Semi join sub-selects are only allowed at the top level WHERE expressions",
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT Id FROM User))",
            "MALFORMED_QUERY",
            "Nesting of semi join sub-selects is not supported",
        ),
        (
            "SELECT Id, (SELECT Id FROM Kids) FROM Account",
            "INVALID_TYPE",
            "Didn't understand relationship 'Kids' in FROM",
        ),
        (
            "SELECT Id, (SELECT COUNT(Id) FROM Contacts) FROM Account",
            "MALFORMED_QUERY",
            "Only root queries support aggregate expressions",
        ),
        ("SELECT Owner.Nothing FROM Account", "INVALID_FIELD", "No such column 'Nothing' on entity 'Name'."),
        ("SELECT Id FROM Account USING SCOPE team", "INVALID_QUERY_SCOPE", "Unsupported scope: team"),
        ("SELECT Id FROM Account ALL ROWS", "MALFORMED_QUERY", "ALL ROWS not allowed in this context"),
        (
            "SELECT CALENDAR_YEAR(CreatedDate) FROM Account",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated",
        ),
        (
            "SELECT Id FROM Account WHERE CALENDAR_YEAR(Name) = 1",
            "INVALID_FIELD",
            "does not support date functions",
        ),
        (
            "SELECT Id FROM Account OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed is 2000",
        ),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
    ] {
        let error = open(&org, text, false).map(|_| ()).unwrap_err();
        assert_eq!(error.code, code, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[test]
fn hidden_is_as_if_it_were_not_there() {
    let yaml =
        "name: A\nusers: [{username: u, hiddenFields: [Contact.Birthdate], hiddenObjects: [Account]}]\n";
    let org = org_with(&[("org.yaml", yaml), ("schema.yaml", SCHEMA)], &[]).unwrap();
    let view = org.view(org.user("u").unwrap());
    let error = |text: &str| Plan::of(&org.schema, &view, text).map(|_| ()).unwrap_err();
    let (hidden, unknown) = (error("SELECT Birthdate FROM Contact"), error("SELECT Birthdata FROM Contact"));
    assert_eq!(hidden.to_string().replace("Birthdate", "Birthdata"), unknown.to_string());
    assert_eq!(error("SELECT Id FROM Account").code, "INVALID_TYPE");
    assert_eq!(error("SELECT Account.Name FROM Contact").code, "INVALID_FIELD");
    let contact = org.schema.find("Contact").unwrap();
    let described = org.schema.describe(contact, &view, "62.0", "https://a.my.salesforce.com").to_string();
    assert!(!described.contains("Birthdate") && !described.contains("[\"Account\"]"));
    assert!(!org.schema.describe_global(&view, "62.0").to_string().contains("\"Account\""));
}

#[test]
fn pages_join_to_the_whole() {
    let org = org_with(&[("schema.yaml", SCHEMA)], &[("Account", 10_000)]).unwrap();
    for text in [
        "SELECT Id FROM Account",
        "SELECT Id FROM Account WHERE Industry = 'Energy'",
        "SELECT Id FROM Account WHERE Industry = 'Energy' LIMIT 3000 OFFSET 7",
        "SELECT Id FROM Account ORDER BY AnnualRevenue LIMIT 5000",
        "SELECT Id FROM Account WHERE Id > '0015g0000G8' ",
    ] {
        let text = text.replace("'0015g0000G8'", "'0015g00000F0000'");
        let cursor = open(&org, &text, false).unwrap();
        let ids = |from, most| cursor.rows(from, most).map(|row| cursor.id(row)).collect::<Vec<_>>();
        let whole = ids(0, u64::MAX);
        assert_eq!(whole.len() as u64, cursor.total(), "{text}");
        let paged: Vec<_> = (0..cursor.total()).step_by(700).flat_map(|from| ids(from, 700)).collect();
        assert_eq!(paged, whole, "{text}");
        assert!(cursor.total() > 0, "{text}");
    }
}

#[test]
fn everybody_sees_the_own_permissions() {
    let yaml = "name: A\nusers: [{username: u, permissions: [ApiEnabled]}, {username: v}]\n";
    let org = org_with(&[("org.yaml", yaml)], &[]).unwrap();
    for (user, may) in [("u", "Bool(true)"), ("v", "Bool(false)")] {
        let view = org.view(org.user(user).unwrap());
        let plan =
            Plan::of(&org.schema, &view, "SELECT PermissionsApiEnabled FROM UserPermissionAccess").unwrap();
        let cursor = Arc::new(plan).open(org.database.clone(), false);
        let shown: Vec<_> =
            cursor.rows(0, 9).map(|row| show(cursor.cell(row, 0, &mut String::new()))).collect();
        assert_eq!(shown, [may]);
    }
}

#[test]
fn groups_and_aggregates() {
    let org = small();
    let table = |text: &str| {
        let cursor = open(&org, text, true).unwrap();
        let mut scratch = String::new();
        let names: Vec<String> = cursor.columns().iter().map(|column| column.name.clone()).collect();
        let rows = cursor.rows(0, 99);
        let rows: Vec<String> = rows
            .map(|row| {
                let cells = (0..names.len()).map(|column| match cursor.cell(row, column, &mut scratch) {
                    crate::value::Cell::Number(n) => {
                        let mut out = Vec::new();
                        n.write(&mut out);
                        String::from_utf8(out).unwrap()
                    }
                    crate::value::Cell::Int(n) => n.to_string(),
                    other => show(other),
                });
                cells.collect::<Vec<_>>().join("|")
            })
            .collect();
        format!("{}: {}", names.join("|"), rows.join(", "))
    };
    assert_eq!(table("select count(Id) from Account"), "expr0: 3");
    assert_eq!(
        table("SELECT SUM(AnnualRevenue), AVG(AnnualRevenue) mean, MIN(Name) FROM Account"),
        "expr0|mean|expr1: 1012.5|506.25|Acme"
    );
    assert_eq!(
        table(
            "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry ORDER BY Industry DESC NULLS LAST"
        ),
        "Industry|n: Food|1, Energy|1, null|1"
    );
    assert_eq!(
        table(
            "SELECT Account.Name who, COUNT(Id) FROM Contact GROUP BY Account.Name ORDER BY COUNT(Id), who LIMIT 1"
        ),
        "who|expr0: Acme|1"
    );
    assert_eq!(table("SELECT COUNT(Id) FROM Account WHERE Name = 'nobody'"), "expr0: 0");
    assert_eq!(
        table(
            "SELECT CALENDAR_YEAR(Since__c) y, Industry, COUNT(Id) n FROM Account GROUP BY CALENDAR_YEAR(Since__c), Industry \
             HAVING COUNT(Id) > 0 AND Industry != 'Food' ORDER BY CALENDAR_YEAR(Since__c) DESC NULLS LAST"
        ),
        "y|Industry|n: 2020|Energy|1, null|null|1"
    );
    assert_eq!(
        table(
            "SELECT Industry, GROUPING(Industry) g, COUNT(Id) FROM Account GROUP BY ROLLUP(Industry) ORDER BY COUNT(Id) DESC, Industry"
        ),
        "Industry|g|expr0: null|1|3, null|0|1, Energy|0|1, Food|0|1"
    );
    assert_eq!(table("SELECT Owner.Type, COUNT(Id) FROM Account GROUP BY Owner.Type"), "Type|expr0: User|3");
    assert_eq!(
        table("SELECT Industry FROM Account GROUP BY Industry HAVING MAX(AnnualRevenue) > 100"),
        "Industry: Energy"
    );
    for (text, message) in [
        ("SELECT Name, Name, COUNT(Id) FROM Account GROUP BY Name", "duplicate alias: Name"),
        (
            "SELECT Name FROM Account GROUP BY CUBE(Name, Industry, ParentId, OwnerId)",
            "too many fields in GROUP BY",
        ),
        ("SELECT Name FROM Account HAVING COUNT(Id) > 1", "only allowed in grouped queries"),
        (
            "SELECT Name FROM Account GROUP BY Name HAVING Industry = 'x'",
            "Field must be grouped or aggregated: Industry",
        ),
        ("SELECT Name FROM Account WHERE COUNT(Id) > 1", "only allowed in the SELECT, HAVING"),
        ("SELECT Name, COUNT(Id) FROM Account", "Field must be grouped or aggregated: Name"),
        ("SELECT COUNT(Id) FROM Account LIMIT 3", "cannot also use LIMIT"),
        ("SELECT Name n FROM Account", "only aggregate expressions use field aliasing"),
        ("SELECT SUM(Name) FROM Account", "does not support aggregate operator SUM"),
    ] {
        let error = open(&org, text, false).map(|_| ()).unwrap_err();
        assert!(error.message.ends_with(message) || error.message.contains(message), "{error}");
        assert_eq!(error.code, "MALFORMED_QUERY");
    }
}

#[test]
fn links_of_files_want_a_filter_or_a_permission() {
    let schema = "objects:\n  ContentDocumentLink:\n    system: Link\n    nameField: None\n    fields:\n      \
                  LinkedEntityId: {type: reference, to: [Account]}\n";
    let org = org_with(&[("schema.yaml", schema)], &[]).unwrap();
    let view = org.view(&org.settings.users[0]);
    let plan =
        |view: &View, text: &str| Plan::of(&org.schema, view, text).map(|_| ()).map_err(|error| error.code);
    let (all, filtered) = ("SELECT Id FROM ContentDocumentLink", "WHERE LinkedEntityId = '0015g0000000001'");
    assert_eq!(plan(&view, all), Err("MALFORMED_QUERY"));
    assert_eq!(plan(&view, &format!("{all} {filtered}")), Ok(()));
    let either = "OR IsDeleted = false";
    assert_eq!(plan(&view, &format!("{all} {filtered} {either}")), Err("MALFORMED_QUERY"));
    assert_eq!(plan(&View { query_all_files: true, ..view }, all), Ok(()));
}

#[test]
fn rows_in_the_forms_of_bulk_and_rest() {
    let org = small();
    let columns = "Id, Name, Owner.Username, Parent.Name, Owner.Id, AnnualRevenue, Since__c, CreatedDate";
    let cursor = open(&org, &format!("SELECT {columns} FROM Account LIMIT 2"), false).unwrap();
    let (mut scratch, mut csv, mut json) = (String::new(), Vec::new(), Vec::new());
    let form = JsonForm::new(cursor.plan(), "62.0");
    cursor.write_csv_header(CsvForm::default(), &mut csv);
    for row in cursor.rows(0, 2) {
        cursor.write_csv_row(
            &cursor.csv_columns(),
            row,
            CsvForm { delimiter: b'|', crlf: true },
            &mut scratch,
            &mut csv,
        );
        json.clear();
        cursor.write_json_row(row, &form, &mut scratch, &mut json);
    }
    let csv = String::from_utf8(csv).unwrap();
    let mut lines = csv.lines();
    let header = lines.next().unwrap();
    assert!(
        header.starts_with("\"Id\",\"Name\",\"Owner.Username\",") && header.ends_with(",\"CreatedDate\"")
    );
    let last = lines.nth(1).unwrap();
    let values = [
        "0015g0000000002AAA",
        "Bolt, \"\"Inc.\"\"",
        "admin@acme.example",
        "Acme",
        "0055g0000000001AAA",
        "12.5",
        "",
        "2020-01-01T00:02:00.000Z",
    ];
    assert_eq!(last, values.map(|value| format!("\"{value}\"")).join("|"));
    let record: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let base = "/services/data/v62.0/sobjects";
    let attributes =
        |object: &str, id: &str| serde_json::json!({"type": object, "url": format!("{base}/{object}/{id}")});
    assert_eq!(
        record,
        serde_json::json!({
            "attributes": attributes("Account", "0015g0000000002AAA"), "Id": "0015g0000000002AAA",
            "Name": "Bolt, \"Inc.\"",
            "Owner": {
                // it may be a group as well
                "attributes": {"type": "Name", "url": format!("{base}/User/0055g0000000001AAA")}, "Username": "admin@acme.example",
                "Id": "0055g0000000001AAA",
            },
            "Parent": {"attributes": attributes("Account", "0015g0000000001AAA"), "Name": "Acme"},
            "AnnualRevenue": 12.5, "Since__c": null, "CreatedDate": "2020-01-01T00:02:00.000+0000",
        })
    );
}

#[test]
fn addresses_and_blobs_in_rest() {
    let schema = "objects:\n  Attachment:\n    fields:\n      Body: {type: base64}\n      Place__c: {type: location}\n";
    let csv = "Id,Body,Place__Latitude__s,Place__Longitude__s\na,QUJD,1.5,-2\nb,,,\n";
    let org =
        org_with(&[("schema.yaml", schema), ("data/Attachment.csv", csv), ("files/QUJD", "x")], &[]).unwrap();
    let cursor = open(&org, "SELECT Body, Place__c FROM Attachment", false).unwrap();
    let form = JsonForm::new(cursor.plan(), "62.0");
    let rows = cursor.rows(0, 9).map(|row| {
        let mut out = Vec::new();
        cursor.write_json_row(row, &form, &mut String::new(), &mut out);
        let record: serde_json::Value = serde_json::from_slice(&out).unwrap();
        (record["Body"].clone(), record["Place__c"].clone())
    });
    let rows: Vec<_> = rows.collect();
    let body = "/services/data/v62.0/sobjects/Attachment/00P5g0000000001EAA/Body";
    assert_eq!(rows[0], (serde_json::json!(body), serde_json::json!({"latitude": 1.5, "longitude": -2.0})));
    assert_eq!(rows[1], (serde_json::Value::Null, serde_json::Value::Null));
}

fn shared<T: Send + Sync + 'static>() {}

#[test]
fn cursors_can_be_handed_to_other_threads() {
    shared::<Cursor>();
    shared::<Plan>();
    shared::<Org>();
}

proptest::proptest! {
    /// Whatever is asked, there is an answer or an error, and the pages of an answer are its rows.
    #[test]
    fn any_question_is_answered(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..12)) {
        static ORG: std::sync::LazyLock<Org> = std::sync::LazyLock::new(small);
        let org = &*ORG;
        for text in [
            format!("SELECT Name FROM Account {}", words.join(" ")),
            format!("SELECT Name FROM Account WHERE {}", words.join(" ")),
            format!("SELECT {} FROM Account {}", words[..words.len() / 2].join(" "), words[words.len() / 2..].join(" ")),
        ] {
            if let Ok(cursor) = open(org, &text, true) {
                let whole: Vec<_> = cursor.rows(0, u64::MAX).map(|row| cursor.id(row)).collect();
                proptest::prop_assert_eq!(whole.len() as u64, cursor.total());
                let paged: Vec<_> = (0..cursor.total()).flat_map(|from| cursor.rows(from, 1)).collect();
                proptest::prop_assert_eq!(paged.len(), whole.len());
                let form = JsonForm::new(cursor.plan(), "62.0");
                for row in paged {
                    let mut out = Vec::new();
                    cursor.write_json_row(row, &form, &mut String::new(), &mut out);
                    proptest::prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
                }
            }
        }
    }
}

const WORDS: &[&str] = &[
    "Name",
    "Id",
    "Industry",
    "AnnualRevenue",
    "Parent.Name",
    "Since__c",
    "CreatedDate",
    "=",
    "!=",
    "<",
    ">=",
    "LIKE",
    "IN",
    "NOT",
    "AND",
    "OR",
    "(",
    ")",
    ",",
    "'Acme'",
    "'%c%'",
    "null",
    "true",
    "12.5",
    "2020-01-01",
    "2020-01-01T00:00:00Z",
    "TODAY",
    "LAST_N_DAYS:3",
    "LIMIT",
    "OFFSET",
    "1",
    "2",
    "ORDER",
    "BY",
    "DESC",
    "NULLS",
    "LAST",
    "GROUP",
    "COUNT(Id)",
    "(SELECT ParentId FROM Account)",
    "(SELECT AccountId FROM Contact)",
    "(SELECT LastName FROM Contacts)",
    "TYPEOF Owner WHEN User THEN Name END",
    "Owner.Type",
    "CALENDAR_MONTH(CreatedDate)",
    "toLabel(Industry)",
    "FORMAT(CreatedDate)",
    "SUM(AnnualRevenue)",
    "HAVING",
    "ROLLUP(Industry)",
    "FIELDS(STANDARD)",
    "MAX(Name) alias",
    "DISTANCE(Place__c, GEOLOCATION(1, 2), 'mi')",
    "'0015g0000000001AAA'",
    "INCLUDES",
    "Colors__c",
];
