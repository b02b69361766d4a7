//! Rows that others have locked.

use std::collections::BTreeSet;

use super::*;

fn beside<'a>(world: &'a mut World, others: &[Id]) -> Transaction<'a> {
    let mut transaction = change(world, AT);
    transaction.beside(others.iter().copied().collect(), true);
    transaction
}

fn locked(refusal: &Refusal, ids: &[Id]) {
    let ids: Vec<String> = ids.iter().map(Id::to_string).collect();
    let expected = format!(
        "UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record or {} records: {}",
        ids.len(),
        ids.join(",")
    );
    assert_eq!(refusal.to_string(), expected);
}

#[test]
fn a_row_and_the_parents_that_salesforce_locks_are_locked() {
    let mut world = world(&[]);
    let Family { account, cascaded, cleared } = family(&mut world);
    let [invoice, line] = cascaded;
    let contact = cleared[0].0;
    let parent = account.to_string();
    let (contacts, invoices) = (object(&world, "Contact"), object(&world, "Invoice__c"));
    // a contact's account and a detail's master
    let of_contact = cells(&world, "Contact", &[("Name", "b"), ("AccountId", &parent)]);
    locked(&beside(&mut world, &[account]).insert(contacts, of_contact).unwrap_err(), &[account]);
    let of_invoice = cells(&world, "Invoice__c", &[("Account__c", &parent)]);
    locked(&beside(&mut world, &[account]).insert(invoices, of_invoice).unwrap_err(), &[account]);
    let name = cells(&world, "Contact", &[("Name", "c")]);
    locked(&beside(&mut world, &[account, contact]).update(contact, name).unwrap_err(), &[account, contact]);
    // what goes along with a deletion, and what loses a reference
    locked(&beside(&mut world, &[line]).delete(account).unwrap_err(), &[line]);
    locked(&beside(&mut world, &[contact]).delete(account).unwrap_err(), &[contact]);
    assert!(!deleted(&world, account) && !deleted(&world, invoice));
    // a lookup that is only emptied locks nothing; one that restricts does, as it is set
    let note = cells(&world, "Note__c", &[("Name", "n"), ("About__c", &parent)]);
    let notes = object(&world, "Note__c");
    beside(&mut world, &[account]).insert(notes, note).unwrap();
    let (orders, order) = (object(&world, "Order__c"), cells(&world, "Order__c", &[("Account__c", &parent)]));
    locked(&beside(&mut world, &[account]).insert(orders, order.clone()).unwrap_err(), &[account]);
    let order = change(&mut world, AT).insert(orders, order).unwrap();
    let name = cells(&world, "Order__c", &[("Name", "x")]);
    beside(&mut world, &[account]).update(order, name).unwrap();
}

#[test]
fn a_transaction_tells_what_it_met_and_what_it_has_locked() {
    let mut world = world(&[]);
    let Family { account, cleared, .. } = family(&mut world);
    let contact = cleared[0].0;
    let name = cells(&world, "Contact", &[("Name", "c")]);
    let mut transaction = beside(&mut world, &[account]);
    transaction.update(contact, name.clone()).unwrap_err();
    assert_eq!(transaction.locks(), (BTreeSet::from([account]), BTreeSet::new()));
    let mut transaction = beside(&mut world, &[]);
    transaction.update(contact, name).unwrap();
    assert_eq!(transaction.locks(), (BTreeSet::new(), BTreeSet::from([account, contact])));
}
