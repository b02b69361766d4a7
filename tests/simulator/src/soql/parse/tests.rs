use super::parse;
use crate::soql::{Condition, FieldSet, Selected};
use proptest::prelude::*;

#[test]
fn reads_what_backup_writes() {
    let query = parse(
        "select Id, Account.Owner.Name from Contact c where (LastName like 'O\\'%' or Birthdate < 1990-01-01) \
         and SystemModstamp >= 2026-01-31T10:11:12.000Z and NOT Id in ('003000000000001', '003000000000002') \
         order by SystemModstamp desc nulls last, Id limit 10 offset 5",
    )
    .unwrap();
    assert_eq!(query.alias.as_deref(), Some("c"));
    assert_eq!((query.limit, query.offset, query.order.len()), (Some(10), 5, 2));
    let Some(Condition::And(all)) = query.condition else { panic!("{query:?}") };
    assert!(matches!(all[0], Condition::Or(_)) && matches!(all[2], Condition::Not(_)));
    assert!(parse("SELECT count() FROM Account").unwrap().count);
    let ranged = parse("SELECT FIELDS(ALL) FROM A WHERE d = LAST_N_DAYS:3 LIMIT 1").unwrap();
    assert_eq!(ranged.select, [Selected::Fields(FieldSet::All)]);
}

#[test]
fn says_where_it_stopped() {
    for (text, message) in [
        ("SELECT Id FROM Account WHER a = 1", "unexpected token: 'a'"),
        ("SELECT Id, Name x y FROM Account", "unexpected token: 'y'"),
        ("SELECT Id FROM Account WHERE", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", "unexpected token: 'OR'"),
        ("SELECT Id FROM Account WHERE a = 'x", "unexpected token: '<EOF>'"),
        ("SELECT Id, FROM Account", "unexpected token: 'FROM'"),
        ("SELECT Id FROM A WHERE b IN (SELECT c FROM D", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM A WHERE b IN (SELECT c FROM D) LIMIT x", "unexpected token: 'x'"),
        ("SELECT Id FROM Account WHERE a = SOMEDAY", "unexpected token: 'SOMEDAY'"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.code, "MALFORMED_QUERY");
        assert!(error.message.ends_with(message), "{text}: {}", error.message);
    }
    let error = parse("SELECT Id FROM 1").unwrap_err();
    assert!(error.message.contains("ERROR at Row:1:Column:16\n"), "{}", error.message);
    let deep = format!("SELECT Id FROM A WHERE {}a = 1", "(".repeat(5_000));
    assert_eq!(parse(&deep).unwrap_err().code, "QUERY_TOO_COMPLICATED");
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn never_panics_near_queries(tail in "[A-Za-z0-9'\\\\(),.:=<>! é_%+-]{0,60}") {
        let _ = parse(&format!("SELECT Id FROM Account WHERE {tail}"));
        let _ = parse(&format!("SELECT {tail}"));
    }
}

#[test]
fn reads_what_peers_write() {
    let query = parse(
        "SELECT Id, (SELECT Name FROM Opportunities WHERE Amount > 1 ORDER BY Name LIMIT 2), TYPEOF What WHEN Account THEN \
         Name, Phone WHEN Case THEN Subject ELSE Id END, toLabel(Status) shown FROM Task USING SCOPE mine WHERE \
         CALENDAR_YEAR(convertTimezone(CreatedDate)) = 2026 WITH USER_MODE ORDER BY CreatedDate LIMIT 1 OFFSET 0 FOR VIEW \
         UPDATE TRACKING",
    )
    .unwrap();
    assert!(matches!(&query.select[1], Selected::Children(inner) if inner.limit == Some(2)));
    assert!(
        matches!(&query.select[2], Selected::TypeOf(of) if of.when.len() == 2 && of.otherwise.len() == 1)
    );
    assert!(query.has_offset && query.scope.as_deref() == Some("mine"));
    let grouped = parse(
        "SELECT Name n, COUNT(Id) FROM Account GROUP BY CUBE(Name, CALENDAR_MONTH(CreatedDate)) HAVING COUNT(Id) > 1 AND \
         (NOT Name LIKE 'x%') ORDER BY COUNT(Id) DESC",
    )
    .unwrap();
    assert_eq!((grouped.group.len(), grouped.having.is_some()), (2, true));
    let five =
        "SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id FROM A) FROM A) FROM A) FROM A) FROM A";
    assert!(parse(five).is_ok());
    let six = format!("SELECT Id, ({five}) FROM A");
    assert!(parse(&six).unwrap_err().message.contains("more than 4 levels away from the root"));
}
