//! Records written by REST and SOAP against the simulated org: collections, single records, the recycle bin.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bed;

use std::collections::BTreeSet;

use bed::{Bed, account_rows, accounts, journal, text};
use orgkeep_core::problem::Fate;
use orgkeep_salesforce::write::{Cell, Column, InputRow, Operation, Outcome, SETTLE, Target, WriteOptions};
use serde_json::json;

fn upsert() -> Target {
    let operation = Operation::Upsert { external_id: "Key__c".to_owned() };
    Target::new("Account", operation, ["Key__c", "Name", "Tag__c"].map(Column::text).to_vec())
}

fn rows(tag: &str, count: usize, name: &str) -> Vec<InputRow> {
    let row = |at: usize| InputRow {
        key: format!("row {at}"),
        cells: vec![text(format!("{tag}-{at}")), text(format!("{name} {at}")), text(tag)],
    };
    (0..count).map(row).collect()
}

fn id(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded { id, .. } => id.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upsert_update_delete_by_two_hundred_joined_by_place() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let options = WriteOptions::default();
    let mut made = rows("a", 450, "Made");
    made[7].cells[1] = text("x".repeat(300));
    made[8].cells[0] = Cell::Null;
    let outcomes = client.write_collection(&upsert(), &made, options).await.unwrap();
    assert_eq!(outcomes.len(), 450);
    for (at, outcome) in outcomes.iter().enumerate() {
        match (at, outcome) {
            (7, Outcome::Failed(error)) => {
                assert_eq!((error.code.as_str(), error.fate()), ("STRING_TOO_LONG", Fate::Data));
                assert_eq!(error.fields, ["Name"]);
            }
            (8, Outcome::Failed(error)) => assert_eq!(error.code, "KeyMissing"),
            (_, Outcome::Succeeded { created: Some(true), .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bed.counts("Account", "Key__c", "a").await.len(), 448);
    // the same keys again: changed, not made
    let again = client.write_collection(&upsert(), &rows("a", 3, "Changed"), options).await.unwrap();
    let want = |at: usize| Outcome::Succeeded { id: id(&outcomes[at]), created: Some(false) };
    assert_eq!(again, [want(0), want(1), want(2)]);
    let update = Target::new("Account", Operation::Update, vec![Column::text("Id"), Column::text("Name")]);
    let row = |at: usize, name: &str| InputRow {
        key: at.to_string(),
        cells: vec![text(id(&outcomes[at])), text(name)],
    };
    // one record twice in one list: the second change is the last
    let changed = [row(0, "First"), row(0, "Second"), row(1, "Other")];
    let updated = client.write_collection(&update, &changed, options).await.unwrap();
    assert!(updated.iter().all(Outcome::succeeded), "{updated:?}");
    let names = bed.counts("Account", "Name", "a").await;
    assert!(names.contains_key("Second") && !names.contains_key("First") && names.contains_key("Other"));
    let delete = Target::new("Account", Operation::Delete, vec![Column::text("Id")]);
    let gone = |at: usize| InputRow { key: at.to_string(), cells: vec![text(id(&outcomes[at]))] };
    let deleted = client.write_collection(&delete, &[gone(0), gone(1)], options).await.unwrap();
    assert!(deleted.iter().all(Outcome::succeeded), "{deleted:?}");
    assert_eq!(bed.counts("Account", "Key__c", "a").await.len(), 446);
}

#[tokio::test]
async fn a_lost_answer_to_a_collection_is_sent_again_and_changes_nothing_twice() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let options = WriteOptions::default();
    for lost in [json!({"close": "after"}), json!({"status": 503, "carriedOut": true})] {
        bed.faults(
            json!([{"match": {"path": "/services/data/*/composite/sobjects/**"}, "n": 1, "do": lost}]),
        )
        .await;
        let tag = format!("t{}", rand::random::<u16>());
        let outcomes = client.write_collection(&upsert(), &rows(&tag, 5, "x"), options).await.unwrap();
        // the first of the two calls has made them; nobody heard so
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Succeeded { created: None, .. })));
        assert_eq!(bed.fired().await, 1);
        bed.no_faults().await;
        assert_eq!(bed.counts("Account", "Key__c", &tag).await.values().sum::<u64>(), 5);
        bed.faults(json!([{"match": {"method": "DELETE"}, "n": 1, "do": lost}])).await;
        let delete = Target::new("Account", Operation::Delete, vec![Column::text("Id")]);
        let gone = |outcome| InputRow { key: id(outcome), cells: vec![text(id(outcome))] };
        let gone: Vec<InputRow> = outcomes.iter().map(gone).collect();
        let deleted = client.write_collection(&delete, &gone, options).await.unwrap();
        assert!(deleted.iter().all(Outcome::succeeded), "{deleted:?}");
        bed.no_faults().await;
        assert!(bed.counts("Account", "Key__c", &tag).await.is_empty());
    }
}

#[tokio::test]
async fn an_insert_is_refused_in_a_collection() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let (rows, _) = account_rows("i", 2);
    let error = client.write_collection(&accounts(), &rows, WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), "InputRefused");
}

#[tokio::test]
async fn single_records_and_the_recycle_bin() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let (kept, intents) = journal();
    let (rows, _) = account_rows("s", 3);
    let options = WriteOptions::default();
    let made =
        client.insert_records(intents.clone(), "w", &accounts(), &rows, options, SETTLE).await.unwrap();
    let ids: Vec<String> = made.iter().map(id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3);
    // the journal knows them: nothing is sent again
    let calls = client.calls().api_calls();
    let again = client.insert_records(intents, "w", &accounts(), &rows, options, SETTLE).await.unwrap();
    assert_eq!((again, client.calls().api_calls()), (made, calls));
    let mut refused = rows[0].clone();
    refused.key = "long".to_owned();
    refused.cells[0] = text("x".repeat(300));
    let outcome = client
        .insert_records(std::sync::Arc::new(kept), "w", &accounts(), &[refused], options, SETTLE)
        .await
        .unwrap();
    assert!(matches!(&outcome[0], Outcome::Failed(error) if error.code == "STRING_TOO_LONG"), "{outcome:?}");
    assert!(client.update_record(&accounts(), &ids[0], &rows[1], options).await.unwrap().succeeded());
    for id in &ids {
        assert!(client.delete_record("Account", id).await.unwrap().succeeded());
    }
    assert!(bed.counts("Account", "Name", "s").await.is_empty());
    let back = client.undelete(&ids[..2]).await.unwrap();
    assert!(back.iter().all(Outcome::succeeded), "{back:?}");
    assert_eq!(bed.counts("Account", "Name", "s").await.values().sum::<u64>(), 2);
    // what is not in the bin is refused by itself
    let not_there = client.undelete(&["001000000000000AAA".to_owned(), ids[2].clone()]).await.unwrap();
    assert!(matches!(not_there[0], Outcome::Failed(_)) && not_there[1].succeeded(), "{not_there:?}");
    let merged = client.merge("Account", &ids[0], &ids[1..]).await.unwrap();
    assert!(merged.succeeded(), "{merged:?}");
    // the losers are in the bin
    assert_eq!(bed.counts("Account", "Name", "s").await.values().sum::<u64>(), 1);
    assert!(client.delete_record("Account", &ids[0]).await.unwrap().succeeded());
    let emptied = client.empty_recycle_bin(&ids[..1]).await.unwrap();
    assert!(emptied.iter().all(Outcome::succeeded), "{emptied:?}");
    assert!(matches!(client.undelete(&ids[..1]).await.unwrap()[0], Outcome::Failed(_)));
}
