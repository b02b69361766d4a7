//! Files written to the simulated org: streamed, proven after, refused where they are not what was told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bed::{Bed, journal, text};
use bytes::Bytes;
use futures::StreamExt as _;
use orgkeep_salesforce::upload::Upload;
use orgkeep_salesforce::write::{Column, Outcome, SETTLE, WriteOptions};
use orgkeep_salesforce::{BlobSource, Client, Error, Select};
use serde_json::json;

fn upload(object: &str, name: &str, pieces: usize) -> Upload {
    let title = if object == "ContentVersion" { "Title" } else { "Name" };
    let mut fields = vec![(Column::text(title), text(name))];
    if object == "ContentVersion" {
        fields.push((Column::text("PathOnClient"), text(format!("{name}.bin"))));
    }
    Upload {
        key: name.to_owned(),
        object: object.to_owned(),
        fields,
        file_name: format!("{name}.bin"),
        length: (pieces * 10_000) as u64,
        md5: None,
        content: Arc::new(move || {
            futures::stream::iter((0..pieces).map(|at| Ok(Bytes::from(vec![at as u8; 10_000])))).boxed()
        }),
    }
}

async fn send(client: &Client, upload: &Upload) -> orgkeep_salesforce::Result<(String, String)> {
    let (_, intents) = journal();
    let uploaded = client.upload(intents, "files", upload, WriteOptions::default(), SETTLE).await?;
    match uploaded.outcome {
        Outcome::Succeeded { id, .. } => Ok((id, uploaded.md5)),
        other => panic!("{other:?}"),
    }
}

async fn read(client: &Client, object: &str, id: &str, field: &str) -> (u64, String) {
    let mut blob = client.blob(BlobSource::new(object, id, field));
    while blob.next_chunk().await.unwrap().is_some() {}
    let summary = blob.summary().unwrap();
    (summary.length, summary.md5.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contents_of_all_sizes_come_back_as_they_went() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let mut documents = std::collections::BTreeSet::new();
    for pieces in [0, 1, 7, 300] {
        let (id, md5) =
            send(&client, &upload("ContentVersion", &format!("v{pieces}"), pieces)).await.unwrap();
        assert_eq!(
            read(&client, "ContentVersion", &id, "VersionData").await,
            ((pieces * 10_000) as u64, md5)
        );
        let select = Select::new("ContentVersion", &["ContentDocumentId"]).filter(format!("Id = '{id}'"));
        let row = client.query(&select, false).next_page().await.unwrap().unwrap().rows.remove(0);
        documents.insert(row[0].clone());
    }
    assert_eq!(documents.len(), 4, "each version has a document of its own");
    // the next version of a document
    let mut next = upload("ContentVersion", "v1 again", 2);
    let document = documents.iter().next().unwrap().clone().unwrap();
    next.fields.push((Column::text("ContentDocumentId"), text(document)));
    send(&client, &next).await.unwrap();
    let mut parent = upload("Attachment", "a1", 3);
    let (rows, _) = bed::account_rows("up", 1);
    let (_, intents) = journal();
    let made = client
        .insert_records(intents, "w", &bed::accounts(), &rows, WriteOptions::default(), SETTLE)
        .await
        .unwrap();
    let Outcome::Succeeded { id: account, .. } = &made[0] else { panic!("{made:?}") };
    parent.fields.push((Column::text("ParentId"), text(account.clone())));
    let (id, md5) = send(&client, &parent).await.unwrap();
    assert_eq!(read(&client, "Attachment", &id, "Body").await, (30_000, md5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_as_told_is_refused_before_and_what_arrives_wrong_after() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let mut short = upload("ContentVersion", "short", 2);
    short.length += 1;
    assert!(matches!(send(&client, &short).await, Err(Error::InputRefused { .. })));
    let mut large = upload("Attachment", "large", 1);
    large.length = (500 << 20) + 1;
    assert!(matches!(send(&client, &large).await, Err(Error::InputRefused { .. })));
    let mut strange = upload("ContentVersion", "strange", 1);
    strange.file_name = "a\r\nX: y".to_owned();
    assert!(matches!(send(&client, &strange).await, Err(Error::InputRefused { .. })));
    assert!(matches!(send(&client, &upload("Account", "x", 1)).await, Err(Error::InputRefused { .. })));
    // another MD5 than the content has: the record is there, and the error says that it is wrong
    let mut wrong = upload("ContentVersion", "wrong", 1);
    wrong.md5 = Some("0123456789abcdef0123456789abcdef".to_owned());
    assert!(matches!(send(&client, &wrong).await, Err(Error::BlobWrong { .. })));
    // the org's refusal is the file's outcome
    let (_, intents) = journal();
    let orphan = upload("Attachment", "orphan", 1);
    let uploaded = client.upload(intents, "files", &orphan, WriteOptions::default(), SETTLE).await.unwrap();
    assert!(
        matches!(&uploaded.outcome, Outcome::Failed(error) if error.code == "REQUIRED_FIELD_MISSING"),
        "{uploaded:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_files_that_may_be_it_are_told_and_nothing_is_sent_again() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    // another writer of the same user makes the same file twice, while our answer is lost
    let same = upload("ContentVersion", "same", 1);
    send(&client, &same).await.unwrap();
    bed.faults(json!([{"match": {"method": "POST", "path": "/services/data/*/sobjects/**"}, "n": 1, "do": {"close": "after"}}])).await;
    let (_, intents) = journal();
    let opened = Arc::new(AtomicU32::new(0));
    let (count, content) = (opened.clone(), same.content.clone());
    let ours = Upload {
        content: Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            content()
        }),
        ..same.clone()
    };
    let uploaded = client.upload(intents, "files", &ours, WriteOptions::default(), SETTLE).await.unwrap();
    assert!(
        matches!(&uploaded.outcome, Outcome::Unknown { candidates, .. } if candidates.len() == 2),
        "{uploaded:?}"
    );
    assert_eq!(opened.load(Ordering::SeqCst), 2, "read once for its MD5 and sent once");
}
