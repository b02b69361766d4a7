//! How fast rows are written; run with `--release -- --ignored --nocapture rate`.

use std::time::Instant;

use super::*;

const ROWS: u64 = 500_000;
const CHUNK: u64 = 200;

#[test]
#[ignore = "a measurement: it needs a release build"]
fn rate_of_inserts_updates_and_upserts() {
    let mut world = world(&[("Account", 1_000_000)]);
    let accounts = object(&world, "Account");
    let contacts = object(&world, "Contact");
    let first = crate::store::Generator::FIRST_SERIAL;
    let described = world.schema.object(accounts);
    let (name, key, mail) =
        (described.find("Name").unwrap(), described.find("Key__c").unwrap(), described.find("Mail").unwrap());
    let of_contact = world.schema.object(contacts);
    let (parent, last) = (of_contact.find("AccountId").unwrap(), of_contact.find("Name").unwrap());
    let text = |text: String| Some(Value::Text(text.into()));
    let timed = |what: &str, world: &mut World, row: &dyn Fn(&mut Transaction<'_>, u64)| {
        let started = Instant::now();
        for chunk in 0..ROWS / CHUNK {
            // as the server does: readers have the state of before
            let mut next = world.clone();
            let mut transaction = change(&mut next, AT + chunk as i64 * 1_000);
            (0..CHUNK).for_each(|n| row(&mut transaction, chunk * CHUNK + n));
            *world = next;
        }
        let seconds = started.elapsed().as_secs_f64();
        println!("{what}: {:.0} rows/s", ROWS as f64 / seconds);
    };
    timed("insert accounts", &mut world, &|transaction, n| {
        let cells = vec![
            (name, text(format!("Account {n}"))),
            (key, text(format!("n{n}"))),
            (mail, text(format!("user{n}@example.com"))),
        ];
        transaction.insert(accounts, cells).unwrap();
    });
    timed("insert contacts", &mut world, &|transaction, n| {
        let account = Id::new(*b"001", first + n.wrapping_mul(7_919) % 1_000_000);
        let cells = vec![(last, text(format!("Contact {n}"))), (parent, Some(Value::Id(account)))];
        transaction.insert(contacts, cells).unwrap();
    });
    timed("upsert accounts", &mut world, &|transaction, n| {
        let n = n.wrapping_mul(7_919) % ROWS;
        let cells = vec![(key, text(format!("n{n}"))), (mail, text(format!("u{n}@example.com")))];
        assert!(!transaction.upsert(accounts, key, cells).unwrap().1);
    });
    let started = Instant::now();
    let ids: Vec<Id> = (0..200).map(|n| Id::new(*b"001", first + n)).collect();
    assert!(change(&mut world, AT).delete_all(&ids).iter().all(Result::is_ok));
    println!("first 200 deletions of a million: {:?}", started.elapsed());
    let started = Instant::now();
    let ids: Vec<Id> = (200..400).map(|n| Id::new(*b"001", first + n)).collect();
    assert!(change(&mut world, AT).delete_all(&ids).iter().all(Result::is_ok));
    println!("next 200: {:?}", started.elapsed());
}
