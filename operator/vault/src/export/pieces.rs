//! The pieces that an export of an object is made of: each becomes one file, and is the same whoever plans it again.

use std::sync::Arc;

use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::{Field, FieldType, ObjectSchema};

use super::changes::Changes;
use super::error::ExportError;
use super::options::{Format, Options, What};
use super::sink::{Packing, Sink};
use super::timeline::{Moment, Timeline};
use super::{Result, pick, records, table};
use crate::codec::key::key_of;
use crate::manifest::{Manifest, ObjectEntry};
use crate::read::rows::has_id;
use crate::read::{Keys, Rows};
use crate::state::{PartKind, State};
use crate::vault::Vault;

/// One file to be.
#[derive(Clone)]
pub(super) struct Piece {
    /// `<Object>/<number>`.
    pub(super) name: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// Rows of a state.
    Rows { state: Arc<State>, fields: Arc<Vec<String>>, keys: Keys },
    /// What changed from one state to another.
    Changes(Box<Changes>),
}

/// How an object is exported.
pub(super) enum Plan {
    /// By these.
    Pieces(Pieces),
    /// Not at all, and why.
    Missing(String),
}

/// Pieces of an object.
pub(super) struct Pieces {
    pub(super) pieces: Vec<Piece>,
    /// Columns of all of them.
    pub(super) columns: Vec<Field>,
    /// Rows that they must come to, if that is known.
    pub(super) rows: Option<u64>,
}

/// Plans an object.
pub(super) async fn plan(
    vault: &Vault,
    manifest: &Manifest,
    entry: &ObjectEntry,
    timeline: &Timeline,
    options: &Options,
) -> Result<Plan> {
    if entry.state.is_none() {
        let why =
            entry.failure.as_ref().map_or("the snapshot holds nothing of it", |failure| &failure.message);
        return Ok(Plan::Missing(why.to_owned()));
    }
    let state = vault.state(manifest, &entry.name).await?;
    if options.what != What::Snapshot {
        return changes(vault, timeline.of(&entry.name), state, options).await;
    }
    let Some(fields) = pick::columns(&state.schema, &options.fields) else {
        return Ok(Plan::Missing("it has none of the fields".to_owned()));
    };
    let mut columns = chosen(&state.schema, &fields);
    if options.format == Format::Parquet {
        columns.push(own("_raw", FieldType::String));
    }
    let pieces = ranges(vault, &state, options.rows_per_file)?.into_iter().enumerate();
    let (state, fields) = (Arc::new(state), Arc::new(fields));
    let pieces = pieces
        .map(|(at, keys)| Piece {
            name: format!("{}/{:04}", state.object, at + 1),
            kind: Kind::Rows { state: state.clone(), fields: fields.clone(), keys },
        })
        .collect();
    Ok(Plan::Pieces(Pieces { pieces, columns, rows: Some(entry.records) }))
}

/// Ranges of keys, by the base parts.
fn ranges(vault: &Vault, state: &State, rows_per_file: u64) -> Result<Vec<Keys>> {
    if !has_id(&state.schema) {
        return Ok(vec![Keys::All]);
    }
    let mut parts = Vec::new();
    for part in state.parts.iter().filter(|part| part.kind == PartKind::Base) {
        let key = |id: &str| SalesforceId::parse(id).ok().map(|id| key_of(id.as_bytes()));
        match vault.ids(part)?.and_then(|ids| key(&ids.min).zip(key(&ids.max))) {
            Some((least, greatest)) => parts.push((least, greatest, part.rows)),
            None => return Ok(vec![Keys::All]),
        }
    }
    let ranges = pick::ranges(&parts, rows_per_file);
    Ok(if ranges.len() == 1 {
        vec![Keys::All]
    } else {
        ranges.into_iter().map(|(from, to)| Keys::Range(from, to)).collect()
    })
}

/// One piece for each snapshot that changed the object.
async fn changes(vault: &Vault, moments: &[Moment], last: State, options: &Options) -> Result<Plan> {
    if !has_id(&last.schema) {
        return Ok(Plan::Missing("its rows have no Id, so versions of a row cannot be told".to_owned()));
    }
    // Rows of the first of two snapshots are not told, nor what came up to `since`.
    let since = match options.what {
        What::Changes { since } => since.unwrap_or(0),
        What::Difference { from } => from,
        What::Snapshot => 0,
    };
    let shown = moments.iter().filter(|moment| moment.seq > since);
    let mut schema = last.schema.clone();
    for moment in shown.clone().rev() {
        add_fields(&mut schema, &vault.read_state(&moment.state).await?.schema);
    }
    let Some(fields) = pick::columns(&schema, &options.fields) else {
        return Ok(Plan::Missing("it has none of the fields".to_owned()));
    };
    let mut columns = vec![
        own("_op", FieldType::String),
        own("_snapshot", FieldType::Long),
        own("_time", FieldType::DateTime),
    ];
    columns.extend(chosen(&schema, &fields));
    if options.format == Format::Parquet {
        columns.push(own("_raw", FieldType::String));
    }
    let pieces = shown.map(|moment| {
        let before = moments.iter().rev().find(|before| before.seq < moment.seq);
        let changes = Changes {
            object: last.object.clone(),
            before: before.map(|before| before.state.clone()),
            after: moment.state.clone(),
            schema: schema.clone(),
            fields: fields.clone(),
            snapshot: moment.seq,
            time: moment.time.clone(),
        };
        Piece { name: format!("{}/{:06}", last.object, moment.seq), kind: Kind::Changes(Box::new(changes)) }
    });
    Ok(Plan::Pieces(Pieces { pieces: pieces.collect(), columns, rows: None }))
}

/// Adds the fields that a schema does not have.
fn add_fields(schema: &mut ObjectSchema, older: &ObjectSchema) {
    for field in older.columns() {
        if schema.field(&field.name).is_none() {
            schema.fields.push(field.clone());
        }
    }
}

fn chosen(schema: &ObjectSchema, fields: &[String]) -> Vec<Field> {
    fields.iter().filter_map(|name| schema.field(name).cloned()).collect()
}

fn own(name: &str, field_type: FieldType) -> Field {
    Field {
        name: name.to_owned(),
        field_type,
        length: 0,
        precision: 0,
        scale: 0,
        calculated: false,
        compound: None,
        reference_to: Vec::new(),
        filterable: true,
    }
}

impl Piece {
    /// Writes it; its rows, and the sink, which holds all of it. Blocks.
    pub(super) fn write(
        self,
        vault: &Vault,
        sink: Sink,
        packing: &Packing,
        options: &Options,
    ) -> Result<(u64, Sink)> {
        let object = match &self.kind {
            Kind::Rows { state, .. } => state.object.clone(),
            Kind::Changes(changes) => changes.object.clone(),
        };
        let read = |source| ExportError::Read { object: object.clone(), source };
        let encode = |source| ExportError::Encode { object: object.clone(), source };
        if options.format == Format::Parquet {
            let key = packing.parquet_key();
            let to = match self.kind {
                Kind::Rows { state, fields, keys } => {
                    let mut batches = vault.batches(&state, Some(&fields), keys)?;
                    let mut to = table::TableWriter::new(sink, batches.schema(), key).map_err(encode)?;
                    while let Some(batch) = batches.next().map_err(read)? {
                        to.write(&batch).map_err(encode)?;
                    }
                    to
                }
                Kind::Changes(changes) => {
                    let mut to = table::TableWriter::new(sink, &changes.arrow(), key).map_err(encode)?;
                    changes.batches(vault, &mut to)?;
                    to
                }
            };
            return Ok((to.rows(), to.finish().map_err(encode)?));
        }
        let output =
            |error: std::io::Error| ExportError::Read { object: object.clone(), source: error.into() };
        let mut out = packing.open(options.compression, sink).map_err(output)?;
        let style = records::Style::of(options);
        let rows = match self.kind {
            Kind::Rows { state, fields, keys } => {
                let parts = vault.part_refs(&state.parts)?;
                let opener = vault.opener(state.parts.clone());
                let mut rows = Rows::of(&state.schema, Some(&fields), keys, parts, opener).map_err(read)?;
                let mut to = records::RecordWriter::new(&mut out, style, &fields, &fields);
                to.head(&[]).map_err(read)?;
                while let Some(row) = rows.next().map_err(read)? {
                    to.row(&[], &row).map_err(read)?;
                }
                to.finish().map_err(read)?
            }
            Kind::Changes(changes) => changes.records(vault, &mut out, style)?,
        };
        Ok((rows, out.finish().map_err(output)?))
    }
}
