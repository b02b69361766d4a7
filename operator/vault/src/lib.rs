//! The store of Orgkeep: lines of signed snapshots over typed, encrypted Parquet, on a volume or in S3.
//!
//! A snapshot exists once its manifest is committed by one conditional put; everything before is invisible. What
//! lies in a vault is told by `docs/vault-format.md`, completely enough to write a reader from.
//!
//! # In short
//! ```text
//! let location = Location::parse("s3://bucket/prefix?endpoint=…&region=…&path_style=true")?;   // or file:///dir
//! let location = Location::Volume(dir);      let location = Location::S3(S3Options { bucket, .. });
//! let storage: Arc<dyn Storage> = location.open().await?;
//! storage::probe(&*storage).await?;                       // conditional writes hold, nothing is left behind
//!
//! let access = Access { key: Some(Key::parse(text)?), recipients: vec!["age1…".into()], signing_key: None };
//! let vault = Vault::create_or_open(storage, &access).await?;        // Vault: Clone; key None: encryption disabled
//! let vault = Vault::open_read_only(storage, &access).await?;        // writes nothing; without a key: to verify
//! vault.id(), vault.signing_key(), vault.facts().await? -> VaultFacts
//! vault.catalog(keep).await? -> Vec<Manifest>             // the newest `keep` of each line
//!
//! let owner = Owner { cluster, namespace, backup_name };
//! let line = match vault.find_line(&owner).await? { Some(l) => l, None => vault.create_line(&owner, &org).await? };
//! let mut line = vault.line(id).await?; line.adopt(&owner).await?;   // adoption of a line that exists
//! line.check_org(&org)?;                                  // OrgChanged
//! let mut lease = line.lease(run_id, Duration::from_secs(120)).await?;  // LineBusy; takes over what expired
//! lease.renew().await?; lease.release().await?;           // renew at least each third of the duration
//!
//! let run = line.run(run_id)?;                            // Run: Clone; the journal
//! let plan: Plan = run.put_plan(&plan).await?;            // the one that counts; run.plan().await? -> Option<Plan>
//! let attempt = run.begin_attempt().await?;               // Attempt: Clone; unique for this process
//! let key: DataKey = run.data_key("Account").await?;      // key.bytes(): Option<&[u8; 32]>, key.footer_metadata()
//! let writer = codec::PartWriter::new(&schema, key.part_key().as_ref(), codec::Settings::default())?;
//! let part: Part = attempt.put_encoded("Account", "0001", writer_part, &key).await?;       // of the codec, or
//! let part: Part = attempt.put_part("Account", "0001", bytes, rows, &key, Some(IdRange { min, max })).await?;
//! let mut upload = attempt.upload("Account", "0001").await?;         // or streaming:
//! upload.write(bytes).await?; let part = upload.finish(rows, &key, ids).await?;   // stored bytes are compared
//! attempt.note_page("Account", PageEntry { page, parts, rows, facts }).await? -> PageEntry    // which one counts
//! run.pages("Account").await? -> Vec<PageEntry>           // in the order of `page`
//! attempt.put_shard(ShardRecord { object, parts, ledger, failure, facts }).await? -> ShardRecord
//! run.shard("Account").await? -> Option<ShardRecord>      run.shards().await? -> Vec<ShardRecord>
//! attempt.put_state("Account", &schema, parts).await? -> StateRef
//! attempt.put_record(&outcome).await?; run.record().await? -> Option<Outcome>
//!
//! let committed = line.commit(&mut lease, &attempt, Draft { objects: vec![ObjectEntry::new(state, ledger)], .. }).await?;
//! committed.facts: SnapshotFacts, committed.manifest: Manifest
//! run.committed().await? -> Option<Committed>             // when an earlier attempt came so far
//!
//! line.snapshots().await? -> Vec<Manifest>                line.latest().await? -> Option<Manifest>
//! line.manifest("7").await? -> Manifest                   vault.find_snapshot("latest" | "7" | "<line>/7").await?
//! vault.state(&manifest, "Account").await? -> State       vault.open_key(&part) -> Result<DataKey>
//! vault.part_bytes(&part).await? -> Bytes                 // compared with the state's digest
//! vault.check(&part).await? -> u64                        // digest, decryption, every row by its hash
//! vault.ids(&part) -> Result<Option<IdRange>>             vault.storage() -> &Arc<dyn Storage>
//! vault.rows(&manifest, "Account", fields).await? -> read::Rows         // blocks when read: spawn_blocking
//! vault.rows_of(&manifest, "Account", fields, Keys::between(from, to)).await?;   vault.batches(&state, fields, keys)?
//! verify::verify(&vault, &verify::Options { full, rows, sample, expect, line, observer }).await? -> verify::Report
//! verify::repair::repair(&vault, &options).await? -> Repair { rebuilt, lost }
//! Vault::recipients(&storage).await?; Vault::rekey(&storage, &access, &Rekey { add_key, add_recipients, remove }).await?
//!
//! // an incremental run: deltas over the newest state
//! let parent = line.latest().await?; let state = vault.state(&parent, "Account").await?;
//! let below = vault.below(&state, &schema, &parts_of_earlier_pages).await?;      // Below: Clone
//! let writer = PartWriter::new(&schema, key, Settings::delta())?.over(Box::new(below))?;   // where it may block
//! attempt.put_delta_state(&parent, &state, &schema, parts, Some(&Rule::default())).await? -> StateRef   // with counts
//! vault.users(&manifest, entry)? -> Option<BTreeMap<user, ChangeCounts>>
//! vault.compare(&before, &vault, &after)? -> Comparison         // blocks when read; between vaults, too
//!
//! let mut blob = line.blob()?; blob.write(bytes)?; let blob: BlobRef = blob.finish().await?;
//! vault.blob_range(&blob, 0..10).await?; line.put_tree("metadata", entries).await?; vault.tree(&tree.tree).await?
//! // retention: retire by rules, and delete what was retired a while ago
//! collect::collect(&vault, &collect::Options { policy, grace, dry_run, .. }).await? -> collect::Collection
//! collect::collect_line(&line, &mut lease, &options).await?          // by a run that committed, under its lease
//! line.holds().await? -> Vec<collect::Hold>; line.add_hold(name, reason, &[7]).await?; line.remove_hold(name).await?
//! line.deletions().await? -> collect::Deletions                      // what was retired: .has(seq)
//! error.reason() -> Reason
//! ```

mod attempt;
mod aws;
mod blob;
pub mod bundle;
mod canonical;
mod catalog;
pub mod change;
pub mod codec;
pub mod collect;
mod commit;
pub mod copy;
mod digest;
pub mod erase;
mod error;
pub mod export;
mod journal;
pub mod keys;
mod layout;
mod lease;
mod line;
mod manifest;
mod part_bytes;
mod pem;
pub mod read;
mod rekey;
mod rows;
pub mod search;
mod state;
pub mod storage;
mod tree;
mod vault;
pub mod verify;

pub use attempt::{Attempt, PartUpload};
pub use blob::{BlobRef, BlobWriter};
pub use change::{Below, ChangeCounts, ChangeKind, Changes, Comparison, Difference, Rule};
pub use commit::{Committed, Draft};
pub use error::{Result, VaultError};
pub use journal::{PageEntry, Run, ShardRecord};
pub use keys::{Access, DataKey, Key, Kms};
pub use lease::Lease;
pub use line::{Line, Owner};
pub use manifest::{FileRef, Manifest, ObjectEntry, ParentRef};
pub use rekey::{RecipientInfo, Rekey};
pub use state::{FooterRef, IdRange, Part, PartKind, State, StateRef};
pub use storage::{
    AzureCredentials, AzureOptions, GcsOptions, Location, LockMode, ObjectLock, S3Credentials, S3Options,
    Storage,
};
pub use tree::{TreeEntry, TreeRef};
pub use vault::Vault;
