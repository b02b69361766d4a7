//! Changes of records, rule by rule.

mod keys;
mod locks;
mod rules;
mod standard;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::org::tests::org_with;
use crate::schema::OnDelete;
use crate::store::Bounds;
use crate::value::Cell;
use crate::value::calendar::rest_datetime;

const SCHEMA: &str = r"
objects:
  Account:
    describe: {mergeable: true}
    fields:
      ParentId: {type: reference, to: [Account], children: ChildAccounts}
      Size: {type: picklist, values: [Small, Large], restricted: true}
      Mail: {type: email}
      Worth: {type: currency, precision: 6, scale: 2}
      Key__c: {type: string, length: 10, externalId: true, unique: true}
      MasterRecordId: {type: reference, to: [Account], readOnly: true}
  Contact:
    fields:
      AccountId: {type: reference, to: [Account], children: Contacts}
  Invoice__c:
    nameField: AutoNumber
    fields:
      Account__c: {type: masterdetail, to: [Account], children: Invoices__r}
      Paid__c: {type: boolean, default: true}
  Line__c:
    fields:
      Invoice__c: {type: masterdetail, to: [Invoice__c], children: Lines__r}
      Text__c: {type: string, length: 5, required: true}
  Order__c:
    fields:
      Account__c: {type: reference, to: [Account], delete: Restrict}
  Note__c:
    fields:
      About__c: {type: reference, to: [Account, Contact]}
";

const AT: i64 = 1_700_000_000_000;

fn world(scale: &[(&str, u64)]) -> World {
    org_with(&[("schema.yaml", SCHEMA)], scale).unwrap().into_parts().1
}

fn actor() -> Actor {
    Actor::new(Id::new(*b"005", 1), |_| false)
}

fn change(world: &mut World, at: i64) -> Transaction<'_> {
    Transaction::new(world, actor(), at, Doubts::default())
}

fn object(world: &World, name: &str) -> usize {
    world.schema.find(name).unwrap()
}

/// Cells by field name and text.
fn cells(world: &World, name: &str, given: &[(&str, &str)]) -> Cells {
    let described = world.schema.object(object(world, name));
    let cell = |(field, text): &(&str, &str)| {
        let field = described.find(field).unwrap();
        (field, Value::parse(described.fields[field].kind, text).unwrap())
    };
    given.iter().map(cell).collect()
}

fn insert(world: &mut World, name: &str, given: &[(&str, &str)]) -> Result<Id, Refusal> {
    let (object, cells) = (object(world, name), cells(world, name, given));
    change(world, AT).insert(object, cells)
}

fn text(world: &World, id: Id, field: &str) -> String {
    let object = world.schema.find_prefix(id.prefix()).unwrap();
    let Some(row) = world.database.find(object, id) else { return "(none)".to_owned() };
    let field = world.schema.object(object).find(field).unwrap();
    match world.database.cell(&world.schema, object, row, field, &mut String::new()) {
        Cell::Null => String::new(),
        Cell::Text(text) => text.to_owned(),
        Cell::DateTime(at) => rest_datetime(at),
        Cell::Bool(value) => value.to_string(),
        Cell::Id(id) => id.to_string(),
        other => format!("{other:?}"),
    }
}

fn deleted(world: &World, id: Id) -> bool {
    text(world, id, "IsDeleted") == "true"
}

/// Everything that can be seen of the stored rows.
fn dump(world: &World) -> BTreeMap<Id, (bool, Vec<(usize, Value)>)> {
    let tables = (0..world.schema.objects().len()).map(|object| world.database.table(object));
    let rows = tables.flat_map(crate::store::Table::stored_rows);
    rows.map(|row| (row.id, (row.deleted, row.cells().map(|(f, v)| (f, v.clone())).collect()))).collect()
}

#[test]
fn an_insert_is_filled_in() {
    let mut world = world(&[]);
    let account = insert(&mut world, "Account", &[("Name", "Acme")]).unwrap();
    for (field, expected) in [
        ("Id", account.to_string().as_str()),
        ("OwnerId", "0055g0000000001AAA"),
        ("CreatedById", "0055g0000000001AAA"),
        ("LastModifiedById", "0055g0000000001AAA"),
        ("CreatedDate", "2023-11-14T22:13:20.000+0000"),
        ("LastModifiedDate", "2023-11-14T22:13:20.000+0000"),
        ("SystemModstamp", "2023-11-14T22:13:20.000+0000"),
        ("IsDeleted", "false"),
    ] {
        assert_eq!(text(&world, account, field), expected, "{field}");
    }
    let parent = [("Account__c", account.to_string())];
    let parent: Vec<(&str, &str)> = parent.iter().map(|(f, v)| (*f, v.as_str())).collect();
    let invoices: Vec<Id> = (0..2).map(|_| insert(&mut world, "Invoice__c", &parent).unwrap()).collect();
    assert_eq!(text(&world, invoices[1], "Name"), "00000002");
    assert_eq!(text(&world, invoices[0], "Paid__c"), "true");
}

#[test]
fn what_salesforce_refuses_is_refused_and_changes_nothing() {
    let mut world = world(&[]);
    let first = insert(&mut world, "Account", &[("Name", "Acme"), ("Key__c", "k1")]).unwrap();
    let contact = insert(&mut world, "Contact", &[("Name", "Ann")]).unwrap();
    let gone = insert(&mut world, "Account", &[("Name", "Gone")]).unwrap();
    change(&mut world, AT).delete(gone).unwrap();
    let (nowhere, contact, gone) = ("0015g00000zzzzz", contact.to_string(), gone.to_string());
    let before = dump(&world);
    for (name, given, code, message) in [
        (
            "Line__c",
            vec![("Name", "x")],
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [Invoice__c, Text__c]",
        ),
        (
            "Account",
            vec![("Name", "a"), ("CreatedDate", "2020-01-01")],
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "CreatedDate",
        ),
        ("Account", vec![("Name", "a"), ("Size", "Huge")], "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Huge"),
        (
            "Account",
            vec![("Name", "a"), ("Mail", "nobody")],
            "INVALID_EMAIL_ADDRESS",
            "invalid email address: nobody",
        ),
        ("Account", vec![("Name", "a"), ("Worth", "12345.6")], "NUMBER_OUTSIDE_VALID_RANGE", "Worth"),
        (
            "Account",
            vec![("Name", "a"), ("Key__c", "K1")],
            "DUPLICATE_VALUE",
            &format!("record with id: {first}"),
        ),
        ("Account", vec![("Name", "a"), ("Key__c", "12345678901")], "STRING_TOO_LONG", "(max length=10)"),
        (
            "Contact",
            vec![("Name", "a"), ("AccountId", nowhere)],
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
        ),
        ("Contact", vec![("Name", "a"), ("AccountId", &gone)], "ENTITY_IS_DELETED", "entity is deleted"),
        (
            "Contact",
            vec![("Name", "a"), ("AccountId", &contact)],
            "FIELD_INTEGRITY_EXCEPTION",
            "id value of incorrect type",
        ),
        ("UserPermissionAccess", vec![], "INVALID_TYPE_FOR_OPERATION", "does not support create"),
    ] {
        let refusal = insert(&mut world, name, &given).unwrap_err();
        assert_eq!(refusal.code, code, "{name} {given:?}: {refusal}");
        assert!(refusal.message.contains(message), "{refusal}");
    }
    assert_eq!(dump(&world), before);
}

#[test]
fn an_update_moves_the_stamps_and_cannot_close_a_circle() {
    let mut world = world(&[("Account", 3)]);
    let generated = Id::new(*b"001", crate::store::Generator::FIRST_SERIAL + 1);
    let (name, created) = (text(&world, generated, "Name"), text(&world, generated, "CreatedDate"));
    let size = cells(&world, "Account", &[("Size", "Large")]);
    change(&mut world, AT + 5_999).update(generated, size).unwrap();
    assert_eq!(text(&world, generated, "Size"), "Large");
    assert_eq!(text(&world, generated, "SystemModstamp"), "2023-11-14T22:13:25.000+0000");
    assert_eq!((text(&world, generated, "Name"), text(&world, generated, "CreatedDate")), (name, created));
    assert_eq!(world.database.table(object(&world, "Account")).count(true), 3);

    let top = insert(&mut world, "Account", &[("Name", "top")]).unwrap();
    let below = insert(&mut world, "Account", &[("Name", "below"), ("ParentId", &top.to_string())]).unwrap();
    for parent in [top, below] {
        let circle = cells(&world, "Account", &[("ParentId", &parent.to_string())]);
        let refusal = change(&mut world, AT).update(top, circle).unwrap_err();
        assert_eq!(refusal.code, "CIRCULAR_DEPENDENCY");
    }
    let name = world.schema.object(object(&world, "Line__c")).find("Text__c").unwrap();
    let invoice = insert(&mut world, "Invoice__c", &[("Account__c", &top.to_string())]).unwrap();
    let line = [("Name", "l"), ("Text__c", "t"), ("Invoice__c", &invoice.to_string())];
    let line = insert(&mut world, "Line__c", &line).unwrap();
    let refusal = change(&mut world, AT).update(line, vec![(name, None)]).unwrap_err();
    assert_eq!(refusal.message, "Required fields are missing: [Text__c]");
}

/// An account with a contact, an invoice with a line, a child account and a note.
struct Family {
    account: Id,
    cascaded: [Id; 2],
    cleared: [(Id, &'static str); 3],
}

fn family(world: &mut World) -> Family {
    let account = insert(world, "Account", &[("Name", "Acme")]).unwrap();
    let parent = account.to_string();
    let contact = insert(world, "Contact", &[("Name", "Ann"), ("AccountId", &parent)]).unwrap();
    let child = insert(world, "Account", &[("Name", "Child"), ("ParentId", &parent)]).unwrap();
    let note = insert(world, "Note__c", &[("Name", "n"), ("About__c", &parent)]).unwrap();
    let invoice = insert(world, "Invoice__c", &[("Account__c", &parent)]).unwrap();
    let line = [("Name", "l"), ("Text__c", "t"), ("Invoice__c", &invoice.to_string())];
    let line = insert(world, "Line__c", &line).unwrap();
    let cleared = [(contact, "AccountId"), (child, "ParentId"), (note, "About__c")];
    Family { account, cascaded: [invoice, line], cleared }
}

#[test]
fn a_deletion_takes_details_along_and_empties_lookups_and_both_come_back() {
    for doubts in
        [Doubts::default(), Doubts { clearing_stamps: false, undelete_refills: false, ..Doubts::default() }]
    {
        let mut world = world(&[]);
        let Family { account, cascaded, cleared } = family(&mut world);
        let stamp = |at| rest_datetime(at);
        Transaction::new(&mut world, actor(), AT + 10_000, doubts).delete(account).unwrap();
        for id in [account, cascaded[0], cascaded[1]] {
            assert!(deleted(&world, id));
            assert_eq!(text(&world, id, "SystemModstamp"), stamp(AT + 10_000));
            assert_eq!(text(&world, id, "LastModifiedDate"), stamp(AT + 10_000));
            let gone = world.database.table(world.schema.find_prefix(id.prefix()).unwrap()).gone(id).unwrap();
            assert_eq!((gone.at, gone.with), (AT + 10_000, account));
        }
        for (id, field) in cleared {
            assert_eq!(text(&world, id, field), "");
            let moved = if doubts.clearing_stamps { AT + 10_000 } else { AT };
            assert_eq!(text(&world, id, "SystemModstamp"), stamp(moved));
            assert_eq!(text(&world, id, "LastModifiedDate"), stamp(AT));
        }
        let again = Transaction::new(&mut world, actor(), AT + 20_000, doubts).delete(account).unwrap_err();
        assert_eq!(again.code, "ENTITY_IS_DELETED");
        // a detail cannot come back without its master
        let refusal = change(&mut world, AT).undelete(cascaded[0]).unwrap_err();
        assert_eq!(refusal.code, "UNDELETE_FAILED");
        Transaction::new(&mut world, actor(), AT + 30_000, doubts).undelete(account).unwrap();
        assert!([account, cascaded[0], cascaded[1]].iter().all(|id| !deleted(&world, *id)));
        for (id, field) in cleared {
            let expected = if doubts.undelete_refills { account.to_string() } else { String::new() };
            assert_eq!(text(&world, id, field), expected);
        }
        let accounts = world.database.table(object(&world, "Account"));
        assert!(accounts.all_gone().next().is_none());
        let refusal = change(&mut world, AT).undelete(account).unwrap_err();
        assert_eq!(refusal.code, "UNDELETE_FAILED");
    }
}

#[test]
fn a_restricting_lookup_holds_its_target_unless_it_goes_along() {
    let mut world = world(&[]);
    let Family { account, .. } = family(&mut world);
    let order = [("Name", "o"), ("Account__c", &account.to_string())];
    let order = insert(&mut world, "Order__c", &order).unwrap();
    let free = insert(&mut world, "Account", &[("Name", "free")]).unwrap();
    let before = dump(&world);
    let refusal = change(&mut world, AT).delete(account).unwrap_err();
    assert_eq!(refusal.code, "DELETE_FAILED");
    assert!(refusal.message.contains(&order.to_string()), "{refusal}");
    assert_eq!(dump(&world), before);
    let answers = change(&mut world, AT).delete_all(&[account, free, free, Id::new(*b"001", 77)]);
    let codes: Vec<Option<&str>> = answers.iter().map(|a| a.as_ref().err().map(|r| r.code)).collect();
    let unknown = Some("INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(codes, [Some("DELETE_FAILED"), None, Some("ENTITY_IS_DELETED"), unknown]);
    assert!(change(&mut world, AT).delete_all(&[account, order]).iter().all(Result::is_ok));
    // its user cannot be deleted, and who made a record does not hold it
    assert_eq!(change(&mut world, AT).delete(actor().user).unwrap_err().code, "INVALID_TYPE_FOR_OPERATION");
}

#[test]
fn purged_records_are_gone_but_their_deletion_is_remembered() {
    let mut world = world(&[("Account", 2)]);
    let Family { account, cascaded, .. } = family(&mut world);
    let generated = Id::new(*b"001", crate::store::Generator::FIRST_SERIAL);
    assert_eq!(change(&mut world, AT).purge(account).unwrap_err().code, "DELETE_FAILED");
    assert!(change(&mut world, AT).delete_all(&[account, generated]).iter().all(Result::is_ok));
    change(&mut world, AT + 1_000).purge(account).unwrap();
    let accounts = object(&world, "Account");
    let find = |world: &World, id: Id| world.database.find(object(world, "Invoice__c"), id).is_some();
    assert!(world.database.find(accounts, account).is_none() && !find(&world, cascaded[0]));
    let gone = world.database.table(accounts).gone(account).unwrap();
    assert_eq!((gone.at, gone.purged), (AT, Some(AT + 1_000)));
    assert_eq!(change(&mut world, AT).undelete(account).unwrap_err().code, "UNDELETE_FAILED");
    assert_eq!(world.database.table(accounts).count(true), 3); // the child account and two generated ones
    assert_eq!(change(&mut world, AT + 2_000).empty_bin(0..AT), 0);
    assert_eq!(change(&mut world, AT + 2_000).empty_bin(0..AT + 1), 1);
    assert_eq!(world.database.table(accounts).count(true), 2);
    assert_eq!(
        change(&mut world, AT).update(generated, Vec::new()).unwrap_err().code,
        "INVALID_CROSS_REFERENCE_KEY"
    );
}

#[test]
fn a_merge_keeps_the_winner_and_gives_it_the_children() {
    let mut world = world(&[]);
    let Family { account: loser, cascaded, cleared } = family(&mut world);
    let winner = insert(&mut world, "Account", &[("Name", "Winner"), ("Key__c", "w")]).unwrap();
    let taken = cells(&world, "Account", &[("Key__c", "12345678901")]);
    let before = dump(&world);
    assert!(change(&mut world, AT).merge(winner, &[loser], taken).is_err());
    assert_eq!(dump(&world), before);
    let fields = cells(&world, "Account", &[("Worth", "5")]);
    let moved = change(&mut world, AT + 1_000).merge(winner, &[loser], fields).unwrap();
    assert_eq!(moved.len(), 4);
    assert!(deleted(&world, loser) && !deleted(&world, cascaded[0]));
    assert_eq!(text(&world, loser, "MasterRecordId"), winner.to_string());
    assert_eq!(text(&world, cascaded[0], "Account__c"), winner.to_string());
    for (id, field) in cleared {
        assert_eq!(text(&world, id, field), winner.to_string());
    }
    let contact = cleared[0].0;
    assert_eq!(change(&mut world, AT).merge(contact, &[], Vec::new()).unwrap_err().code, "INVALID_FIELD");
    change(&mut world, AT + 2_000).undelete(loser).unwrap();
    assert_eq!(text(&world, loser, "MasterRecordId"), "");
    assert_eq!(text(&world, contact, "AccountId"), winner.to_string());
}

#[test]
fn audit_fields_can_be_set_with_the_permission_on_insert_only() {
    let mut world = world(&[]);
    let accounts = object(&world, "Account");
    let old = cells(&world, "Account", &[("Name", "old"), ("CreatedDate", "2010-01-01")]);
    let actor = Actor { sets_audit_fields: true, ..actor() };
    let mut change = Transaction::new(&mut world, actor, AT, Doubts::default());
    let id = change.insert(accounts, old.clone()).unwrap();
    assert_eq!(change.update(id, old).unwrap_err().code, "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(text(&world, id, "CreatedDate"), "2010-01-01T00:00:00.000+0000");
    assert_eq!(text(&world, id, "LastModifiedDate"), "2010-01-01T00:00:00.000+0000");
    assert_eq!(text(&world, id, "SystemModstamp"), rest_datetime(AT));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever users do, references of living records point to living records, refused changes change nothing,
    /// what a change touches has its time, and clones stay as they were.
    #[test]
    fn no_sequence_of_changes_leaves_the_org_inconsistent(
        steps in proptest::collection::vec((0u8..11, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..60)
    ) {
        let mut world = world(&[("Account", 4), ("Contact", 6)]);
        let names = ["Account", "Contact", "Invoice__c", "Line__c", "Order__c", "Note__c"];
        let parents = ["ParentId", "AccountId", "Account__c", "Invoice__c", "Account__c", "About__c"];
        let first = crate::store::Generator::FIRST_SERIAL;
        let mut ids: Vec<Id> = (0..4).map(|n| Id::new(*b"001", first + n)).collect();
        ids.extend((0..6).map(|n| Id::new(*b"003", first + n)));
        for (step, (kind, a, b)) in steps.into_iter().enumerate() {
            let at = AT + 1_000 * step as i64;
            let (a, b) = (*a.get(&ids), *b.get(&ids));
            let (before, snapshot) = (dump(&world), world.clone());
            let refused = match kind {
                0 | 1 => {
                    let name = names[(step + usize::from(kind)) % 6];
                    let mut given = vec![(parents[(step + usize::from(kind)) % 6], b.to_string())];
                    if name == "Line__c" {
                        given.push(("Text__c", "t".to_owned()));
                    }
                    let given: Vec<(&str, &str)> = given.iter().map(|(f, v)| (*f, v.as_str())).collect();
                    let (object, cells) = (object(&world, name), cells(&world, name, &given));
                    let made = change(&mut world, at).insert(object, cells);
                    ids.extend(made.as_ref().ok());
                    made.err()
                }
                2 => {
                    let object = world.schema.find_prefix(a.prefix()).unwrap();
                    let number = names.iter().position(|n| *n == world.schema.object(object).name).unwrap();
                    let cells = cells(&world, names[number], &[(parents[number], &b.to_string())]);
                    change(&mut world, at).update(a, cells).err()
                }
                3 | 4 => change(&mut world, at).delete(a).err(),
                5 => change(&mut world, at).undelete(a).err(),
                6 => change(&mut world, at).purge(a).err(),
                8 => {
                    let actor = Actor { hard_deletes: true, ..actor() };
                    Transaction::new(&mut world, actor, at, Doubts::default()).hard_delete(a).err()
                }
                9 => {
                    let accounts = object(&world, "Account");
                    let key = world.schema.object(accounts).find("Key__c").unwrap();
                    let cells = cells(&world, "Account", &[("Name", "u"), ("Key__c", &format!("k{}", step % 5))]);
                    let made = change(&mut world, at).upsert(accounts, key, cells);
                    ids.extend(made.as_ref().ok().filter(|(_, created)| *created).map(|(id, _)| *id));
                    made.err().map(|refusal| refusal.into_refusal("Key__c"))
                }
                10 => change(&mut world, at).empty_recycle_bin(&[a]).remove(0).err(),
                _ => change(&mut world, at).merge(a, &[b], Vec::new()).err(),
            };
            let after = dump(&world);
            prop_assert_eq!(&dump(&snapshot), &before);
            if let Some(refusal) = refused {
                prop_assert_eq!(&after, &before, "{}", refusal);
            }
            for (id, content) in &after {
                if before.get(id) != Some(content) {
                    prop_assert_eq!(text(&world, *id, "SystemModstamp"), rest_datetime(at));
                }
            }
            check(&world)?;
        }
    }
}

fn check(world: &World) -> Result<(), TestCaseError> {
    for (number, described) in world.schema.objects().iter().enumerate() {
        let table = world.database.table(number);
        let mut live = 0;
        for row in table.scan(Bounds::ALL, false) {
            live += 1;
            let id = table.id_of(row);
            prop_assert!(table.gone(id).is_none());
            for (field, of_field) in described.fields.iter().enumerate() {
                let mut scratch = String::new();
                let cell = world.database.cell(&world.schema, number, row, field, &mut scratch);
                let (Cell::Id(target), false) = (cell, of_field.reference_to.is_empty()) else { continue };
                let target_object = world.schema.find_prefix(target.prefix()).unwrap();
                let relation = world.schema.relations_to(target_object);
                let relation = relation.iter().find(|r| (r.child, r.field) == (number, field)).unwrap();
                let found = world.database.find(target_object, target).is_some();
                let lives = found && world.database.table(target_object).gone(target).is_none();
                prop_assert!(lives || relation.on_delete == OnDelete::Keep, "{}.{}", id, of_field.name);
            }
        }
        indexes_agree(world, number)?;
        prop_assert_eq!(table.count(false), live);
        prop_assert_eq!(table.count(true), table.scan(Bounds::ALL, true).count() as u64);
        for (id, gone) in table.all_gone() {
            prop_assert_eq!(gone.purged.is_some(), world.database.find(number, id).is_none());
        }
    }
    Ok(())
}

/// What the indexes find is what reading every row finds, for every value that there is.
fn indexes_agree(world: &World, number: usize) -> Result<(), TestCaseError> {
    let described = world.schema.object(number);
    let table = world.database.table(number);
    for (field, of_field) in described.fields.iter().enumerate() {
        if !of_field.unique && of_field.reference_to.is_empty() {
            continue;
        }
        let mut holders: BTreeMap<String, (Value, Vec<Id>)> = BTreeMap::new();
        for row in table.scan(Bounds::ALL, true) {
            let mut scratch = String::new();
            let cell = world.database.cell(&world.schema, number, row, field, &mut scratch);
            let Some(value) = cell.to_value() else { continue };
            let shown = match &value {
                Value::Text(text) => text.to_lowercase(),
                value => format!("{value:?}"),
            };
            let id = table.id_of(row);
            let (_, ids) = holders.entry(shown).or_insert((value, Vec::new()));
            if !matches!(row, crate::store::RowRef::Stored(row) if row.deleted) {
                ids.push(id);
            }
        }
        for (value, ids) in holders.values() {
            let found = world.database.with_value(&world.schema, number, field, value.as_cell());
            prop_assert_eq!(&found, ids, "{} {:?}", of_field.name, value);
        }
    }
    Ok(())
}
