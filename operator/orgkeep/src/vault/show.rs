//! `orgkeep vault show`: what a snapshot is made of.

use std::process::ExitCode;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use orgkeep_vault::{Manifest, ObjectEntry, Part, State, Vault, VaultError};
use serde_json::{Value, json};

use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// Shows a snapshot.
pub(super) async fn run(
    access: &VaultAccess,
    snapshot: &str,
    object: Option<&str>,
    files: bool,
) -> CommandResult {
    let vault = super::open(access).await?;
    let manifest = super::find(&vault, access, snapshot).await?;
    let chosen: Vec<&ObjectEntry> = match object {
        None => manifest.objects.iter().collect(),
        Some(name) => vec![manifest.object(name).ok_or_else(|| VaultError::ObjectNotFound {
            snapshot: manifest.snapshot_id(),
            object: name.to_owned(),
        })?],
    };
    let mut states: Vec<Option<State>> = Vec::new();
    for entry in &chosen {
        let wanted = files && entry.state.is_some();
        states.push(if wanted { Some(vault.state(&manifest, &entry.name).await?) } else { None });
    }
    let with_key = access.key_file.is_some();
    match access.output {
        Output::Json => {
            let objects = chosen
                .iter()
                .zip(&states)
                .map(|(entry, state)| object_value(&vault, entry, state.as_ref(), with_key))
                .collect::<Result<Vec<_>, _>>()?;
            let mut value = super::snapshots::summary(&manifest);
            value["objects"] = Value::Array(objects);
            say(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
        }
        Output::Table => print_tables(&vault, &manifest, &chosen, &states, files, with_key)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn object_value(
    vault: &Vault,
    entry: &ObjectEntry,
    state: Option<&State>,
    with_key: bool,
) -> Result<Value, VaultError> {
    let mut value = json!({
        "name": entry.name,
        "records": entry.records,
        "proven": entry.proven,
        "ledger": entry.ledger,
        "failure": entry.failure,
    });
    if let Some(state) = state {
        let files = state
            .parts
            .iter()
            .map(|part| file_value(vault, part, with_key))
            .collect::<Result<Vec<_>, _>>()?;
        value["files"] = Value::Array(files);
        value["columns"] = state.schema.columns().map(|field| field.name.clone()).collect();
    }
    Ok(value)
}

fn file_value(vault: &Vault, part: &Part, with_key: bool) -> Result<Value, VaultError> {
    Ok(json!({
        "path": part.path,
        "kind": part.kind,
        "rows": part.rows,
        "size": part.size,
        "sha256": part.sha256,
        "dataKey": data_key(vault, part, with_key)?,
    }))
}

/// The file's data key in base64, as DuckDB and pyarrow take it.
fn data_key(vault: &Vault, part: &Part, with_key: bool) -> Result<Option<String>, VaultError> {
    if !with_key || part.wrapped_key.is_empty() {
        return Ok(None);
    }
    Ok(vault.open_key(part)?.bytes().map(|bytes| BASE64_STANDARD.encode(bytes)))
}

fn print_tables(
    vault: &Vault,
    manifest: &Manifest,
    chosen: &[&ObjectEntry],
    states: &[Option<State>],
    files: bool,
    with_key: bool,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    say(&format!(
        "snapshot {} of line {}: {}, {} records of {} objects, org {} ({})\nmanifest {}\n\n",
        manifest.snapshot_id(),
        manifest.line_id,
        manifest.phase,
        table::count(manifest.counts.records),
        manifest.counts.objects,
        manifest.org.id,
        manifest.org.name,
        manifest.digest
    ))?;
    if files {
        let headings = ["OBJECT", "ROWS", "SIZE", "SHA256", "PATH", "KEY"];
        let mut rows = Vec::new();
        for part in
            states.iter().flatten().flat_map(|state| state.parts.iter().map(move |part| (state, part)))
        {
            let (state, part) = part;
            rows.push(vec![
                state.object.clone(),
                part.rows.to_string(),
                part.size.to_string(),
                part.sha256.clone(),
                part.path.clone(),
                data_key(vault, part, with_key)?.unwrap_or_default(),
            ]);
        }
        say(&table::render(&headings, &rows))?;
        return Ok(());
    }
    let headings = ["OBJECT", "RECORDS", "PROVEN", "NOTE"];
    let rows: Vec<Vec<String>> = chosen
        .iter()
        .map(|entry| {
            let note = entry.failure.as_ref().map(|failure| format!("{}: {}", failure.code, failure.message));
            vec![
                entry.name.clone(),
                entry.records.to_string(),
                entry.proven.to_string(),
                note.unwrap_or_default(),
            ]
        })
        .collect();
    say(&table::render(&headings, &rows))?;
    Ok(())
}
