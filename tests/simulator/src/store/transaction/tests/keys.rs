//! Upsert, unique values, hard deletion, the recycle bin's room.

use super::*;
use crate::store::Generator;

fn upsert(
    world: &mut World,
    name: &str,
    key: &str,
    given: &[(&str, &str)],
) -> Result<(Id, bool), UpsertRefusal> {
    let (object, cells) = (object(world, name), cells(world, name, given));
    let key = world.schema.object(object).find(key).unwrap();
    change(world, AT).upsert(object, key, cells)
}

fn code(refusal: UpsertRefusal) -> &'static str {
    refusal.into_refusal("Key__c").code
}

#[test]
fn an_upsert_makes_changes_and_refuses() {
    let mut world = world(&[("Account", 3)]);
    let (made, created) = upsert(&mut world, "Account", "Key__c", &[("Name", "A"), ("Key__c", "k")]).unwrap();
    assert!(created);
    let (same, created) = upsert(&mut world, "Account", "Key__c", &[("Name", "B"), ("Key__c", "K")]).unwrap();
    assert_eq!((same, created), (made, false));
    assert_eq!(text(&world, made, "Name"), "B");
    // generated rows have keys as well
    let generated = Id::new(*b"001", Generator::FIRST_SERIAL + 1);
    let key = text(&world, generated, "Key__c");
    let (found, created) =
        upsert(&mut world, "Account", "Key__c", &[("Name", "C"), ("Key__c", &key)]).unwrap();
    assert_eq!((found, created), (generated, false));
    let (again, _) = upsert(&mut world, "Account", "Key__c", &[("Name", "D"), ("Key__c", &key)]).unwrap();
    assert_eq!(again, generated);
    // what lies in the bin is not found, and does not stand in the way
    change(&mut world, AT).delete(made).unwrap();
    let (other, created) =
        upsert(&mut world, "Account", "Key__c", &[("Name", "E"), ("Key__c", "k")]).unwrap();
    assert!(created && other != made);
    assert_eq!(change(&mut world, AT).undelete(made).unwrap_err().code, "DUPLICATE_VALUE");

    assert_eq!(
        code(upsert(&mut world, "Account", "Key__c", &[("Name", "F")]).unwrap_err()),
        "MISSING_ARGUMENT"
    );
    assert_eq!(
        code(upsert(&mut world, "Account", "Mail", &[("Mail", "a@b.c")]).unwrap_err()),
        "INVALID_FIELD"
    );
    let id = other.to_string();
    assert_eq!(upsert(&mut world, "Account", "Id", &[("Id", &id), ("Name", "G")]).unwrap(), (other, false));
    assert!(upsert(&mut world, "Account", "Id", &[("Name", "H")]).unwrap().1);
    let gone = made.to_string();
    assert_eq!(code(upsert(&mut world, "Account", "Id", &[("Id", &gone)]).unwrap_err()), "ENTITY_IS_DELETED");
    let nobody = Id::new(*b"001", 99).to_string();
    let refusal = upsert(&mut world, "Account", "Id", &[("Id", &nobody)]).unwrap_err();
    assert_eq!(code(refusal), "INVALID_CROSS_REFERENCE_KEY");
}

#[test]
fn several_records_with_the_key_are_told_apart_by_nobody() {
    let schema =
        "objects:\n  Thing__c:\n    fields:\n      Key__c: {type: string, length: 10, externalId: true}\n";
    let mut world = org_with(&[("schema.yaml", schema)], &[]).unwrap().into_parts().1;
    let ids: Vec<Id> = (0..2).map(|_| insert(&mut world, "Thing__c", &[("Key__c", "k")]).unwrap()).collect();
    let refusal = upsert(&mut world, "Thing__c", "Key__c", &[("Key__c", "k")]).unwrap_err();
    assert_eq!(refusal, UpsertRefusal::Several(ids));
    assert_eq!(code(refusal), "DUPLICATE_EXTERNAL_ID");
}

#[test]
fn a_hard_deletion_leaves_nothing_in_the_bin() {
    let mut world = world(&[]);
    let Family { account, cascaded, .. } = family(&mut world);
    let refused = change(&mut world, AT).hard_delete(account).unwrap_err();
    assert_eq!(refused.code, "INSUFFICIENT_ACCESS_OR_READONLY");
    let binned = insert(&mut world, "Account", &[("Name", "b")]).unwrap();
    change(&mut world, AT).delete(binned).unwrap();
    let actor = Actor { hard_deletes: true, ..actor() };
    let mut transaction = Transaction::new(&mut world, actor, AT, Doubts::default());
    let answers = transaction.hard_delete_all(&[account, cascaded[0], binned, binned, Id::new(*b"001", 99)]);
    let codes: Vec<Option<&str>> = answers.iter().map(|a| a.as_ref().err().map(|r| r.code)).collect();
    assert_eq!(codes, [None, None, None, Some("ENTITY_IS_DELETED"), Some("INVALID_CROSS_REFERENCE_KEY")]);
    for id in [account, cascaded[0], cascaded[1], binned] {
        assert_eq!(text(&world, id, "Id"), "(none)");
    }
    assert_eq!(change(&mut world, AT).undelete(account).unwrap_err().code, "UNDELETE_FAILED");
}

#[test]
fn the_bin_loses_the_oldest_where_it_has_no_room() {
    let mut world = world(&[]);
    let allowance = Allowance { data_mb: Some(1), ..Allowance::default() };
    let ids: Vec<Id> = (0..30).map(|_| insert(&mut world, "Account", &[("Name", "a")]).unwrap()).collect();
    for (n, id) in ids.iter().enumerate() {
        change(&mut world, AT + n as i64 * 1_000).delete(*id).unwrap();
    }
    assert_eq!(change(&mut world, AT).within(allowance.clone()).trim_bin(), 5);
    assert_eq!(change(&mut world, AT).within(allowance).trim_bin(), 0);
    let answers = change(&mut world, AT).empty_recycle_bin(&[ids[4], ids[5], ids[5]]);
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
    change(&mut world, AT).undelete(ids[6]).unwrap();
}

#[test]
fn where_storage_is_full_nothing_more_is_made() {
    let mut world = world(&[]);
    let allowance = Allowance { data_mb: Some(1), ..Allowance::default() };
    let accounts = object(&world, "Account");
    let cells = cells(&world, "Account", &[("Name", "a")]);
    let mut transaction = change(&mut world, AT).within(allowance.clone());
    let made = (0..600).take_while(|_| transaction.insert(accounts, cells.clone()).is_ok()).count();
    assert!((500..=512).contains(&made), "{made}");
    let refusal =
        change(&mut world, AT).within(allowance.clone()).insert(accounts, cells.clone()).unwrap_err();
    assert_eq!(refusal.to_string(), "STORAGE_LIMIT_EXCEEDED: storage limit exceeded");
    // the bin takes no room
    let first = world.database.table(accounts).stored_ids().next().unwrap();
    change(&mut world, AT).delete(first).unwrap();
    change(&mut world, AT).within(allowance).insert(accounts, cells).unwrap();
}
