//! Transactions that last, and those that meet their locks.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{OrgState, State};
use crate::bulk::Facts;
use crate::log::RequestLog;
use crate::org::tests::org_with;
use crate::store::transaction::{Options, Refusal};
use crate::value::{Id, Value};

const SCHEMA: &str = r"
objects:
  Account: {fields: {Sum__c: {type: int}}}
  Contact:
    fields:
      AccountId: {type: reference, to: [Account], children: Contacts}
";

fn org(wait_ms: u64) -> Arc<OrgState> {
    let settings =
        format!("name: Acme\nlimits: {{lockWaitMs: {wait_ms}}}\nusers: [{{username: a@acme.example}}]\n");
    let data = "Id,Name\na,A\nb,B\n";
    let files = [("org.yaml", settings.as_str()), ("schema.yaml", SCHEMA), ("data/Account.csv", data)];
    let org = org_with(&files, &[]).unwrap();
    let log = Arc::new(RequestLog::open(None).unwrap());
    let state = State::new(vec![org], "localhost".to_owned(), log, Duration::ZERO, Facts::default());
    state.orgs[0].clone()
}

fn account(serial: u64) -> Id {
    Id::new(*b"001", serial)
}

/// Inserts a contact of an account; held until the answer is dropped.
fn insert(org: &OrgState, serial: u64, options: &Options, hold_ms: u64) -> Result<Id, Refusal> {
    let world = org.now();
    let contacts = world.schema.find("Contact").unwrap();
    let described = world.schema.object(contacts);
    let cells = vec![
        (described.find("Name").unwrap(), Some(Value::Text("c".into()))),
        (described.find("AccountId").unwrap(), Some(Value::Id(account(serial)))),
    ];
    let (made, held) =
        org.transact_held(0, options, |transaction| transaction.insert(contacts, cells.clone()));
    if hold_ms > 0 {
        thread::sleep(Duration::from_millis(hold_ms));
    }
    drop(held);
    made
}

#[test]
fn writers_of_one_parent_wait_for_each_other_and_all_rows_are_written() {
    let org = org(60_000);
    let writers: Vec<_> = (0..8)
        .map(|n| {
            let org = org.clone();
            thread::spawn(move || insert(&org, 1 + n % 2, &Options::default(), 20).unwrap())
        })
        .collect();
    let started = Instant::now();
    for writer in writers {
        writer.join().unwrap();
    }
    // four of each account one after the other
    assert!(started.elapsed() >= Duration::from_millis(70), "{:?}", started.elapsed());
    let world = org.now();
    assert_eq!(world.database.table(world.schema.find("Contact").unwrap()).count(false), 8);
    assert!(org.locks.others(None).is_empty());
}

#[test]
fn who_has_waited_long_enough_is_refused_and_only_for_the_rows_in_question() {
    let org = org(30);
    let held = {
        let world = org.now();
        let name = world.schema.object(world.schema.find("Account").unwrap()).find("Name").unwrap();
        let cells = vec![(name, Some(Value::Text("x".into())))];
        org.transact_held(0, &Options::default(), |t| t.update(account(1), cells.clone())).1
    };
    let started = Instant::now();
    let refusal = insert(&org, 1, &Options::default(), 0).unwrap_err();
    assert!(started.elapsed() >= Duration::from_millis(30));
    assert_eq!(refusal.code, "UNABLE_TO_LOCK_ROW");
    let expected = format!("unable to obtain exclusive access to this record or 1 records: {}", account(1));
    assert_eq!(refusal.message, expected);
    insert(&org, 2, &Options::default(), 0).unwrap();
    drop(held);
    insert(&org, 1, &Options::default(), 0).unwrap();
}

#[test]
fn a_holder_meets_no_locks_of_its_own() {
    let org = org(30);
    let options = Options { holder: Some(org.locks.holder()), ..Options::default() };
    let world = org.now();
    let name = world.schema.object(world.schema.find("Account").unwrap()).find("Name").unwrap();
    let cells = vec![(name, Some(Value::Text("x".into())))];
    let (done, held) = org.transact_held(0, &options, |t| t.update(account(1), cells.clone()));
    done.unwrap();
    insert(&org, 1, &options, 0).unwrap();
    let other = Options { lock_wait_ms: Some(0), ..Options::default() };
    assert!(insert(&org, 1, &other, 0).is_err());
    drop(held);
    insert(&org, 1, &other, 0).unwrap();
}
