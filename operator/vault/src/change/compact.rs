//! Compaction: parts of a state merged into fewer, as the [`Rule`] says. What an older snapshot names stays.
//!
//! Rows are carried over with the hashes that they were written with, and every finished part is decoded again and
//! held against them: a cell that got lost on the way does not pass.

use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;
use tokio::sync::mpsc;

use super::below::broken;
use super::history::hash_of;
use super::rule::{Rule, Sized, Step, overlap};
use crate::attempt::Attempt;
use crate::codec::key::{NOBODY, key_of};
use crate::codec::kind::Column;
use crate::codec::merged::MergedWriter;
use crate::codec::part::INDEX_FROM;
use crate::codec::writer::{BEFORE_COLUMNS, before_columns, own_fields};
use crate::codec::{self, CodecError, PartKey, Settings, check_part};
use crate::error::{Result, VaultError};
use crate::keys::envelope::random;
use crate::read::adapt::Adapter;
use crate::read::batches::{Batches, Gather};
use crate::read::cursor::{BLOCK_ROWS, Wanted};
use crate::read::keys::Keys;
use crate::read::merge::Merge;
use crate::read::rows::has_id;
use crate::read::{Opened, PartRef, ReadError};
use crate::state::{Part, PartKind};
use crate::vault::Vault;

/// Steps that one compaction takes; what is left over the next one does.
const STEPS: usize = 256;

/// What a step merges and how it is written.
struct Job {
    schema: ObjectSchema,
    refs: Vec<PartRef>,
    key: Option<PartKey>,
    step: Step,
    most_bytes: u64,
    index_from: Option<u64>,
}

impl Attempt {
    /// Compacts the parts of an object's state by a rule; whether anything had to be done.
    pub async fn compact(
        &self,
        object: &str,
        schema: &ObjectSchema,
        parts: &mut Vec<Part>,
        rule: &Rule,
    ) -> Result<bool> {
        let vault = self.run().line().vault();
        let name = format!("compact-{}", hex::encode(random::<4>()?));
        let mut files = 0;
        for steps in 0..STEPS {
            let Some(sized) = sizes(vault, parts)? else { return Ok(steps > 0) };
            let Some(step) = rule.next(&sized) else { return Ok(steps > 0) };
            tracing::debug!(object, parts = step.parts.len(), base = step.base, "compacting");
            let kind = if step.base { PartKind::Base } else { PartKind::Delta };
            let inputs = step.parts.clone();
            let made = self.merge(object, schema, parts, rule, step, (&name, &mut files)).await?;
            replace(parts, &inputs, made, kind);
        }
        Ok(true)
    }

    /// Rows of base parts: a record that came on several pages counts once.
    pub(crate) async fn count(&self, schema: &ObjectSchema, parts: &[Part]) -> Result<u64> {
        let vault = self.run().line().vault();
        let sum = parts.iter().map(|part| part.rows).sum();
        let Some(sized) = sizes(vault, parts)? else { return Ok(sum) };
        if !overlap(&sized) {
            return Ok(sum);
        }
        let wanted = Wanted { names: Arc::new([]), ids: false, block_rows: BLOCK_ROWS, adapter: None };
        let (refs, opener) = (vault.part_refs(parts)?, vault.opener(parts.to_vec()));
        let mut merge = Merge::new(wanted, Keys::All, has_id(schema), refs, opener);
        let counting = tokio::task::spawn_blocking(move || -> std::result::Result<u64, ReadError> {
            let mut rows = 0;
            while let Some(run) = merge.next_run()? {
                rows += run.many as u64;
            }
            Ok(rows)
        });
        counting.await.map_err(|error| VaultError::internal(error.to_string()))?.map_err(broken)
    }

    async fn merge(
        &self,
        object: &str,
        schema: &ObjectSchema,
        parts: &[Part],
        rule: &Rule,
        step: Step,
        (name, files): (&str, &mut usize),
    ) -> Result<Vec<Part>> {
        let vault = self.run().line().vault();
        let key = self.run().data_key(object).await?;
        let inputs: Vec<Part> = step.parts.iter().filter_map(|at| parts.get(*at).cloned()).collect();
        let refs = vault.part_refs(&inputs)?;
        // What was searchable by an index stays so.
        let kept = inputs.iter().any(|part| part.index.is_some()).then_some(INDEX_FROM);
        let opener = vault.opener(inputs);
        let (most_bytes, index_from) = (rule.span, rule.index_from.or(kept));
        let job = Job { schema: schema.clone(), refs, key: key.part_key(), step, most_bytes, index_from };
        let (ready, mut finished) = mpsc::channel::<codec::Part>(1);
        // Two parts at most are in memory: one that is made, and one that is stored.
        let (stored, may_send) = std::sync::mpsc::sync_channel::<()>(2);
        let merging = tokio::task::spawn_blocking(move || {
            let mut first = true;
            merge(&job, opener, &mut |part| {
                let nobody = || CodecError::Misuse("nobody takes the merged parts");
                check_part(part.bytes.clone(), job.key.as_ref())?;
                if !std::mem::take(&mut first) {
                    may_send.recv().map_err(|_| nobody())?;
                }
                ready.blocking_send(part).map_err(|_| nobody())
            })
        });
        let mut made = Vec::new();
        while let Some(part) = finished.recv().await {
            *files += 1;
            made.push(self.put_encoded(object, &format!("{name}-{files:04}"), part, &key).await?);
            // nobody waits after the last one
            let _ = stored.try_send(());
        }
        drop(stored);
        merging.await.map_err(|error| VaultError::internal(error.to_string()))?.map_err(broken)?;
        Ok(made)
    }
}

/// Parts as the rule sees them; `None` for an object without Ids of its own, where nothing can be merged.
fn sizes(vault: &Vault, parts: &[Part]) -> Result<Option<Vec<Sized>>> {
    let mut sized = Vec::with_capacity(parts.len());
    for part in parts {
        let ids = vault.ids(part)?;
        let key = |id: &str| SalesforceId::parse(id).ok().map(|id| key_of(id.as_bytes()));
        let Some((min, max)) = ids.and_then(|ids| key(&ids.min).zip(key(&ids.max))) else { return Ok(None) };
        if min == NOBODY {
            return Ok(None);
        }
        sized.push(Sized { base: part.kind == PartKind::Base, min, max, bytes: part.size });
    }
    Ok(Some(sized))
}

/// Puts what was made where the first of its inputs stood; base parts stay before deltas.
fn replace(parts: &mut Vec<Part>, inputs: &[usize], made: Vec<Part>, kind: PartKind) {
    let first = inputs.iter().min().copied().unwrap_or(parts.len());
    let mut next = Vec::with_capacity(parts.len());
    let mut made = Some(made.into_iter().map(|part| Part { kind, ..part }));
    for (at, part) in std::mem::take(parts).into_iter().enumerate() {
        if at == first {
            next.extend(made.take().into_iter().flatten());
        }
        if !inputs.contains(&at) {
            next.push(part);
        }
    }
    next.extend(made.into_iter().flatten());
    next.sort_by_key(|part| part.kind == PartKind::Delta);
    *parts = next;
}

fn merge<F: FnMut(&PartRef) -> Opened>(
    job: &Job,
    opener: F,
    ready: &mut dyn FnMut(codec::Part) -> Result<(), CodecError>,
) -> Result<(), ReadError> {
    let fields = |columns: &mut Vec<Field>, keep: &dyn Fn(&str) -> bool| {
        let first = |name: &str| name == "Id" || name == "SystemModstamp";
        let all: Vec<Column> = job.schema.columns().map(Column::of).collect();
        let ordered = all.iter().filter(|c| first(&c.name)).chain(all.iter().filter(|c| !first(&c.name)));
        columns.extend(ordered.filter(|column| keep(&column.name)).map(Column::arrow));
    };
    let mut columns = own_fields(!job.step.base);
    if job.step.base {
        fields(&mut columns, &|_| true);
        let mut rows = Batches::with(columns, &job.schema, Keys::All, job.refs.clone(), opener);
        let mut writer = MergedWriter::new(
            &job.schema,
            rows.schema().clone(),
            job.key.as_ref(),
            Settings { index_from: job.index_from, ..Settings::default() },
            job.most_bytes,
        )
        .map_err(unwritten)?;
        while let Some(batch) = rows.next()? {
            writer.write(&batch, ready).map_err(unwritten)?;
        }
        return writer.finish(ready).map_err(unwritten);
    }
    // Columns that no delta has stay out of the merged one, too.
    let mut opener = opener;
    let mut present = std::collections::BTreeSet::new();
    for part in &job.refs {
        let open = |source| ReadError::Open { path: part.path.clone(), source };
        let (data, key) = opener(part).map_err(open)?;
        let file = codec::file::PartFile::open(data, key.as_ref())
            .map_err(|source| ReadError::Part { path: part.path.clone(), source })?;
        present.extend(file.schema().fields().iter().map(|field| field.name().clone()));
    }
    fields(&mut columns, &|name| present.contains(name));
    join(job, Arc::new(Schema::new(columns)), opener, ready)
}

/// Merges deltas: of each record the newest row, with the hashes before the oldest.
fn join<F: FnMut(&PartRef) -> Opened>(
    job: &Job,
    schema: SchemaRef,
    opener: F,
    ready: &mut dyn FnMut(codec::Part) -> Result<(), CodecError>,
) -> Result<(), ReadError> {
    let names: Arc<[String]> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let adapter = Adapter::new(&job.schema);
    let has_derived = adapter.has_derived();
    let wanted = Wanted { names, ids: false, block_rows: BLOCK_ROWS, adapter: Some(Arc::new(adapter)) };
    let before_at = schema.index_of(BEFORE_COLUMNS[0]).unwrap_or_default();
    let mut merge = Merge::new(wanted, Keys::All, true, job.refs.clone(), opener);
    let settings = Settings { index_from: job.index_from, ..Settings::delta() };
    let mut writer =
        MergedWriter::new(&job.schema, schema.clone(), job.key.as_ref(), settings, job.most_bytes)
            .map_err(unwritten)?;
    let mut cuts = job.step.cuts.iter().copied().peekable();
    let mut gather = Gather::default();
    let mut before = Vec::new();
    let mut newest = Gather::default();
    loop {
        let (mut held, mut deletes) = (None, false);
        let key = merge.next_history(|age, block, row| {
            if age == 0 {
                deletes = block.deletes.as_ref().is_some_and(|deletes| deletes[row]);
                newest.add(block, row, 1);
            }
            held = hash_of(block, before_at, row);
            Ok(())
        })?;
        let passed = key.is_none_or(|key| cuts.peek().is_some_and(|cut| key >= *cut));
        if passed || gather.is_full() {
            write(&mut gather, &mut before, &schema, has_derived, &mut writer, ready)?;
        }
        let Some(key) = key else { return writer.finish(ready).map_err(unwritten) };
        if passed {
            writer.cut(ready).map_err(unwritten)?;
            while cuts.next_if(|cut| key >= *cut).is_some() {}
        }
        // Made and gone again within these deltas: nothing below has it.
        if deletes && held.is_none() {
            newest.forget();
            continue;
        }
        gather.append(&mut newest);
        before.push(held);
    }
}

fn write(
    gather: &mut Gather,
    before: &mut Vec<Option<codec::RowHash>>,
    schema: &SchemaRef,
    has_derived: bool,
    writer: &mut MergedWriter,
    ready: &mut dyn FnMut(codec::Part) -> Result<(), CodecError>,
) -> Result<(), ReadError> {
    let mut work = || {
        let Some(batch) = gather.take(schema)? else { return Ok(()) };
        let mut columns = batch.columns().to_vec();
        for (name, column) in BEFORE_COLUMNS.iter().zip(before_columns(before, has_derived)?) {
            columns[schema.index_of(name)?] = column;
        }
        before.clear();
        writer.write(&arrow_array::RecordBatch::try_new(schema.clone(), columns)?, ready)
    };
    work().map_err(unwritten)
}

fn unwritten(source: CodecError) -> ReadError {
    ReadError::Part { path: "a merged part".to_owned(), source }
}
