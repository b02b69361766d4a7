//! Picklists, record types, autonumbers, audit fields, truncation, what goes together in a transaction.

use super::*;

const DESCRIBE: &str = r#"{"name": "Thing__c", "keyPrefix": "a0T", "custom": true, "createable": true,
 "updateable": true, "deletable": true, "undeletable": true, "queryable": true,
 "recordTypeInfos": [
  {"recordTypeId": "012000000000000AAA", "master": true, "available": true, "defaultRecordTypeMapping": false, "developerName": "Master", "name": "Master"},
  {"recordTypeId": "0125g0000000001AAA", "master": false, "available": true, "defaultRecordTypeMapping": true, "developerName": "Small", "name": "Small"},
  {"recordTypeId": "0125g0000000002AAA", "master": false, "available": true, "defaultRecordTypeMapping": false, "developerName": "Big", "name": "Big"}],
 "recordTypePicklists": {"0125g0000000001AAA": {"Size__c": {"values": ["S"], "default": "S"}}},
 "fields": [
  {"name": "Id", "type": "id", "createable": false, "updateable": false, "nillable": false},
  {"name": "Name", "type": "string", "length": 80, "autoNumber": true, "createable": false, "updateable": false, "displayFormat": "T-{YYYY}{MM}-{000}"},
  {"name": "RecordTypeId", "type": "reference", "referenceTo": ["RecordType"], "relationshipName": "RecordType"},
  {"name": "Size__c", "type": "picklist", "length": 255, "restrictedPicklist": true, "label": "Size",
   "picklistValues": [{"value": "S", "active": true}, {"value": "L", "active": true}, {"value": "Old", "active": false}]},
  {"name": "Kinds__c", "type": "multipicklist", "length": 4099, "restrictedPicklist": true, "label": "Kinds",
   "picklistValues": [{"value": "a", "active": true}, {"value": "b", "active": true}]},
  {"name": "Colour__c", "type": "picklist", "length": 255, "restrictedPicklist": true, "label": "Colour",
   "controllerName": "Kind__c", "dependentPicklist": true,
   "picklistValues": [{"value": "red", "active": true, "validFor": "gAAA"}, {"value": "blue", "active": true, "validFor": "QAAA"}]},
  {"name": "Kind__c", "type": "picklist", "length": 255, "label": "Kind",
   "picklistValues": [{"value": "warm", "active": true}, {"value": "cold", "active": true}]},
  {"name": "Text__c", "type": "string", "length": 5, "label": "Text"}]}"#;

fn things() -> World {
    org_with(&[("describes/Thing__c.json", DESCRIBE)], &[]).unwrap().into_parts().1
}

fn refused(world: &mut World, given: &[(&str, &str)]) -> String {
    insert(world, "Thing__c", given).unwrap_err().to_string()
}

#[test]
fn restricted_picklists_take_what_is_active_and_open_to_the_record_type() {
    let mut world = things();
    let bad = |label: &str, value: &str| {
        format!(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: {label}: bad value for restricted picklist field: {value}"
        )
    };
    let thing = insert(&mut world, "Thing__c", &[]).unwrap();
    assert_eq!(text(&world, thing, "RecordTypeId"), "0125g0000000001AAA");
    assert_eq!(text(&world, thing, "Size__c"), "S");
    assert_eq!(refused(&mut world, &[("Size__c", "L")]), bad("Size", "L"));
    insert(&mut world, "Thing__c", &[("Size__c", "L"), ("RecordTypeId", "0125g0000000002")]).unwrap();
    let big = [("Size__c", "Old"), ("RecordTypeId", "0125g0000000002")];
    assert_eq!(refused(&mut world, &big), bad("Size", "Old"));
    assert_eq!(refused(&mut world, &[("Kinds__c", "a;c")]), bad("Kinds", "c"));
    let several = insert(&mut world, "Thing__c", &[("Kinds__c", "b; a;b")]).unwrap();
    assert_eq!(text(&world, several, "Kinds__c"), "a;b");
    let other = refused(&mut world, &[("RecordTypeId", "0125g0000000009")]);
    assert!(other.starts_with("INVALID_CROSS_REFERENCE_KEY: Record Type ID: "), "{other}");
}

#[test]
fn dependent_picklists_take_what_goes_with_their_controller() {
    for checked in [true, false] {
        let doubts = Doubts { dependent_picklists: checked, ..Doubts::default() };
        let mut world = things();
        let things = object(&world, "Thing__c");
        for (kind, colour, allowed) in
            [("warm", "red", true), ("warm", "blue", false), ("cold", "blue", true), ("", "red", false)]
        {
            let cells = cells(&world, "Thing__c", &[("Kind__c", kind), ("Colour__c", colour)]);
            let made = Transaction::new(&mut world, actor(), AT, doubts).insert(things, cells);
            assert_eq!(made.is_ok(), allowed || !checked, "{kind} {colour}");
        }
    }
}

#[test]
fn numbers_are_written_in_their_format_which_a_change_of_the_schema_leaves() {
    let mut world = things();
    let first = insert(&mut world, "Thing__c", &[]).unwrap();
    assert_eq!(text(&world, first, "Name"), "T-202311-001");
    let view = crate::schema::View::everything();
    let shown = world.schema.describe(object(&world, "Thing__c"), &view, "62.0", "https://a").to_string();
    assert!(!shown.contains("displayFormat") && !shown.contains("recordTypePicklists"));
    let change = crate::schema::SchemaChange::AddField {
        object: "Thing__c".to_owned(),
        field: "New__c".to_owned(),
        definition: crate::schema::short::ShortField { r#type: "boolean".to_owned(), ..Default::default() },
    };
    world.change_schema(&change, AT).unwrap();
    let second = insert(&mut world, "Thing__c", &[]).unwrap();
    assert_eq!(text(&world, second, "Name"), "T-202311-002");
    assert_eq!(text(&world, second, "Size__c"), "S");
}

#[test]
fn long_texts_are_cut_where_the_call_wants_it() {
    let mut world = things();
    assert!(refused(&mut world, &[("Text__c", "123456")]).starts_with("STRING_TOO_LONG: Text: "));
    let (things, cells) = (object(&world, "Thing__c"), cells(&world, "Thing__c", &[("Text__c", "é23456")]));
    let options = Options { truncate: true, ..Options::default() };
    let made = change(&mut world, AT).with(&options).insert(things, cells).unwrap();
    assert_eq!(text(&world, made, "Text__c"), "é2345");
}

#[test]
fn setup_and_other_objects_are_not_written_together() {
    let mut world = world(&[]);
    let (accounts, account) = (object(&world, "Account"), cells(&world, "Account", &[("Name", "a")]));
    let (groups, group) =
        (object(&world, "Group"), cells(&world, "Group", &[("Name", "g"), ("Type", "Queue")]));
    let mut transaction = change(&mut world, AT);
    transaction.insert(accounts, account.clone()).unwrap();
    let refusal = transaction.insert(groups, group.clone()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "MIXED_DML_OPERATION: DML operation on setup object is not permitted after you have updated a non-setup object \
         (or vice versa): Group, original object: Account"
    );
    let mut transaction = change(&mut world, AT);
    transaction.insert(groups, group).unwrap();
    assert_eq!(transaction.insert(accounts, account.clone()).unwrap_err().code, "MIXED_DML_OPERATION");
    // a user's title gives no access, whether the user is active does
    let user = actor().user;
    let (title, active) =
        (cells(&world, "User", &[("Title", "t")]), cells(&world, "User", &[("IsActive", "false")]));
    let mut transaction = change(&mut world, AT);
    transaction.insert(accounts, account).unwrap();
    transaction.update(user, title).unwrap();
    assert_eq!(transaction.update(user, active).unwrap_err().code, "MIXED_DML_OPERATION");
}

#[test]
fn a_record_is_not_changed_before_it_is_made_and_not_every_object_is_audited() {
    let mut world = world(&[]);
    let actor = Actor { sets_audit_fields: true, ..actor() };
    let accounts = object(&world, "Account");
    let wrong = [("Name", "a"), ("CreatedDate", "2010-01-02"), ("LastModifiedDate", "2010-01-01")];
    let wrong = cells(&world, "Account", &wrong);
    let refusal =
        Transaction::new(&mut world, actor, AT, Doubts::default()).insert(accounts, wrong).unwrap_err();
    assert_eq!(refusal.code, "FIELD_INTEGRITY_EXCEPTION");
    let group = cells(&world, "Group", &[("Name", "g"), ("Type", "Queue"), ("CreatedDate", "2010-01-01")]);
    let groups = object(&world, "Group");
    let refusal =
        Transaction::new(&mut world, actor, AT, Doubts::default()).insert(groups, group).unwrap_err();
    assert_eq!(refusal.code, "INVALID_FIELD_FOR_INSERT_UPDATE");
}

#[test]
fn an_inactive_owner_needs_the_permission() {
    let mut world = world(&[]);
    let user = [
        ("Username", "gone@acme.example"),
        ("LastName", "Gone"),
        ("Email", "gone@acme.example"),
        ("Alias", "gone"),
        ("ProfileId", "00e5g0000000001"),
        ("TimeZoneSidKey", "GMT"),
        ("LocaleSidKey", "en_US"),
        ("LanguageLocaleKey", "en_US"),
        ("EmailEncodingKey", "UTF-8"),
    ];
    let user = insert(&mut world, "User", &user).unwrap();
    let account = [("Name", "a"), ("OwnerId", &*user.to_string())];
    let (accounts, cells) = (object(&world, "Account"), cells(&world, "Account", &account));
    let refusal = change(&mut world, AT).insert(accounts, cells.clone()).unwrap_err();
    let expected = format!(
        "INACTIVE_OWNER_OR_USER: operation performed with inactive user [{}] as owner of Account",
        user.short()
    );
    assert_eq!(refusal.to_string(), expected);
    let mut permitted =
        Transaction::new(&mut world, Actor { inactive_owners: true, ..actor() }, AT, Doubts::default());
    let made = permitted.insert(accounts, cells).unwrap();
    // a record that has such an owner stays open to other changes
    let name = super::cells(&world, "Account", &[("Name", "b")]);
    change(&mut world, AT).update(made, name).unwrap();
}

#[test]
fn user_names_are_those_of_nobody_else() {
    let mut world = world(&[]);
    let name = text(&world, actor().user, "Username");
    let user = [
        ("Username", name.as_str()),
        ("LastName", "Two"),
        ("Email", "two@acme.example"),
        ("Alias", "two"),
        ("ProfileId", "00e5g0000000001"),
        ("TimeZoneSidKey", "GMT"),
        ("LocaleSidKey", "en_US"),
        ("LanguageLocaleKey", "en_US"),
        ("EmailEncodingKey", "UTF-8"),
    ];
    assert_eq!(insert(&mut world, "User", &user).unwrap_err().code, "DUPLICATE_USERNAME");
    let names = std::sync::Arc::new(Usernames::default());
    names.take(&world, 0);
    let mut other = super::world(&[]);
    let mut user = user;
    user[0].1 = "free@acme.example";
    // a name that is given by what was not done in the end is still free
    for (org, done, free) in [(3, false, true), (1, true, true), (1, true, true), (2, true, false)] {
        let allowance = Allowance { usernames: Some((names.clone(), org)), ..Allowance::default() };
        let (users, cells) = (object(&other, "User"), cells(&other, "User", &user));
        let mut snapshot = other.clone();
        let mut transaction = change(&mut snapshot, AT).within(allowance);
        let made = transaction.insert(users, cells);
        if done {
            transaction.take_names();
        }
        assert_eq!(made.is_ok(), free, "{made:?}");
    }
    user[0].1 = "taken@acme.example";
    insert(&mut other, "User", &user).unwrap();
}

#[test]
fn a_detail_keeps_its_master_unless_it_is_declared_otherwise() {
    for reparentable in [false, true] {
        let schema = format!(
            "objects:\n  Account: {{}}\n  Part__c:\n    fields:\n      Account__c: {{type: masterdetail, to: [Account], \
             reparentable: {reparentable}}}\n"
        );
        let mut world = org_with(&[("schema.yaml", &schema)], &[]).unwrap().into_parts().1;
        let [a, b] =
            ["a", "b"].map(|name| insert(&mut world, "Account", &[("Name", name)]).unwrap().to_string());
        let missing = insert(&mut world, "Part__c", &[("Name", "p")]).unwrap_err();
        assert_eq!(missing.to_string(), "REQUIRED_FIELD_MISSING: Required fields are missing: [Account__c]");
        let part = insert(&mut world, "Part__c", &[("Name", "p"), ("Account__c", &a)]).unwrap();
        let other = cells(&world, "Part__c", &[("Account__c", &b)]);
        let moved = change(&mut world, AT).update(part, other);
        assert_eq!(
            moved.map_err(|refusal| refusal.code),
            if reparentable { Ok(()) } else { Err("INVALID_FIELD_FOR_INSERT_UPDATE") }
        );
        let nobody = vec![(world.schema.object(object(&world, "Part__c")).find("Account__c").unwrap(), None)];
        assert!(change(&mut world, AT).update(part, nobody).is_err());
    }
}
