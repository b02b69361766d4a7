//! What one attempt of a run writes: parts, journal entries, states. All of it bears the attempt's number.

use std::collections::BTreeMap;

use bytes::Bytes;
use orgkeep_core::run::Outcome;
use orgkeep_core::schema::ObjectSchema;

use crate::canonical;
use crate::change::Rule;
use crate::digest;
use crate::error::{Result, VaultError};
use crate::journal::{PageEntry, Run, ShardRecord};
use crate::keys::DataKey;
use crate::layout::{self, FORMAT_VERSION};
use crate::manifest::FileRef;
use crate::search::{self, Index};
use crate::state::{FooterRef, IdRange, Part, State, StateRef};
use crate::storage::Upload;

/// A process at work on a run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Attempt {
    run: Run,
    number: u32,
}

/// A part on its way into the vault. Dropped without `finish`, it never was.
pub struct PartUpload {
    attempt: Attempt,
    path: String,
    upload: Box<dyn Upload>,
}

impl Attempt {
    pub(crate) fn new(run: Run, number: u32) -> Self {
        Self { run, number }
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Number of this attempt in its run, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    fn folder(&self, object: &str) -> Result<String> {
        let object = layout::name(object)?;
        Ok(layout::object_folder(self.run.line().id(), object, self.run.id(), self.number))
    }

    /// Begins a part of an object; `name` is unique in this attempt.
    pub async fn upload(&self, object: &str, name: &str) -> Result<PartUpload> {
        let vault = self.run.line().vault();
        vault.check_writable()?;
        let path = format!("{}/{}.parquet", self.folder(object)?, layout::name(name)?);
        let upload = vault.storage().upload(&path).await?;
        Ok(PartUpload { attempt: self.clone(), path, upload })
    }

    /// Writes a whole part.
    pub async fn put_part(
        &self,
        object: &str,
        name: &str,
        bytes: Bytes,
        rows: u64,
        key: &DataKey,
        ids: Option<IdRange>,
    ) -> Result<Part> {
        let mut upload = self.upload(object, name).await?;
        let footer = FooterRef::of(&bytes);
        upload.write(bytes).await?;
        Ok(Part { footer, ..upload.finish(rows, key, ids).await? })
    }

    /// Writes the index of the part of that name.
    pub(crate) async fn put_index(
        &self,
        object: &str,
        name: &str,
        index: &Index,
        key: &DataKey,
    ) -> Result<FileRef> {
        let vault = self.run.line().vault();
        let path = search::path_of(&format!("{}/{}.parquet", self.folder(object)?, layout::name(name)?));
        let bytes = search::seal(index, &path, key)?;
        let file = FileRef { path, size: bytes.len() as u64, sha256: digest::sha256(&bytes) };
        let mut upload = vault.storage().upload(&file.path).await?;
        upload.write(bytes).await?;
        if !upload.finish().await?.compared
            && let Some(why) = vault.compare_digest(&file).await?
        {
            return Err(VaultError::corrupted(file.path, why));
        }
        Ok(file)
    }

    /// Notes a page whose parts stand, and says the entry that counts: an earlier attempt may have been there.
    pub async fn note_page(&self, object: &str, mut entry: PageEntry) -> Result<PageEntry> {
        entry.attempt = self.number;
        let path = self.run.page_path(object, entry.page)?;
        self.run.line().vault().put_or_read(&path, &entry).await
    }

    /// Records a shard as done, and says the record that counts.
    pub async fn put_shard(&self, mut record: ShardRecord) -> Result<ShardRecord> {
        record.attempt = self.number;
        let path = self.run.shard_path(&record.object)?;
        self.run.line().vault().put_or_read(&path, &record).await
    }

    /// Writes the state of an object: the files that make it up. Where more of them than a few lie over one key (pages
    /// that came in no order), they are merged first.
    pub async fn put_state(
        &self,
        object: &str,
        schema: &ObjectSchema,
        mut parts: Vec<Part>,
    ) -> Result<StateRef> {
        self.compact(object, schema, &mut parts, &Rule::full()).await?;
        let rows = self.count(schema, &parts).await?;
        self.write_state(object, schema, rows, parts, BTreeMap::new()).await
    }

    /// Writes a state whose parts come to so many rows.
    pub(crate) async fn write_state(
        &self,
        object: &str,
        schema: &ObjectSchema,
        rows: u64,
        parts: Vec<Part>,
        former_schemas: BTreeMap<String, ObjectSchema>,
    ) -> Result<StateRef> {
        let vault = self.run.line().vault();
        let folder = self.folder(object)?;
        let state = State {
            format_version: FORMAT_VERSION,
            kind: "state".to_owned(),
            vault_id: vault.id().to_owned(),
            line_id: self.run.line().id().to_owned(),
            object: object.to_owned(),
            run_id: self.run.id().to_owned(),
            attempt: self.number,
            rows,
            schema: schema.clone(),
            schema_digest: schema_digest(schema)?,
            former_schemas,
            parts,
            file: FileRef::default(),
        };
        // The manifest has its digest: it needs no check sum of its own.
        let bytes = Bytes::from(canonical::to_vec(&state)?);
        let file = FileRef {
            path: format!("{folder}/state.json"),
            size: bytes.len() as u64,
            sha256: digest::sha256(&bytes),
        };
        if !vault.put_once(&file.path, bytes).await? {
            return Err(VaultError::internal(format!("{} was written twice, differently", file.path)));
        }
        let own = format!("{}/objects/{object}/{}.", layout::line(&state.line_id), self.run.id());
        let own_bytes: u64 = state
            .parts
            .iter()
            .filter(|part| part.path.starts_with(&own))
            .flat_map(Part::files)
            .map(|file| file.size)
            .sum();
        Ok(StateRef {
            object: state.object,
            rows: state.rows,
            schema_digest: state.schema_digest,
            new_bytes: own_bytes + file.size,
            parts: state.parts.iter().flat_map(Part::files).collect(),
            file,
            changes: None,
        })
    }

    /// Leaves the attempt's last word.
    pub async fn put_record(&self, outcome: &Outcome) -> Result<()> {
        let path = self.run.path(&format!("records/{:06}.json", self.number));
        self.run.line().vault().put_or_read(&path, outcome).await.map(drop)
    }
}

/// `sha256:…` of a schema.
pub(crate) fn schema_digest(schema: &ObjectSchema) -> Result<String> {
    Ok(digest::named(&canonical::to_vec(schema)?))
}

impl PartUpload {
    /// More bytes of the file.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        Ok(self.upload.write(bytes).await?)
    }

    /// Makes the file; what is stored is compared with what was sent, by the storage or by reading it back.
    pub async fn finish(self, rows: u64, key: &DataKey, ids: Option<IdRange>) -> Result<Part> {
        let stored = self.upload.finish().await?;
        let mut part = Part {
            path: self.path,
            size: stored.size,
            sha256: stored.sha256,
            rows,
            wrapped_key: key.wrapped().to_owned(),
            ..Part::default()
        };
        if !stored.compared
            && let Some(why) = self.attempt.run.line().vault().compare_digest(&part.file()).await?
        {
            return Err(VaultError::corrupted(part.path, why));
        }
        part.set_ids(key, ids)?;
        Ok(part)
    }
}
