//! `orgkeep vault read`: the records of an object on standard output.

use std::io::Write as _;
use std::process::ExitCode;

use orgkeep_core::id::SalesforceId;
use orgkeep_vault::codec::PartKey;
use orgkeep_vault::read::{PartRef, ReadError, Rows, write_csv, write_json};
use orgkeep_vault::{State, Vault, VaultError};

use crate::CommandResult;
use crate::cli::{Format, VaultAccess};

/// Writes the records; a reader that has seen enough (`| head`) is no error.
pub(super) async fn run(
    access: &VaultAccess,
    snapshot: &str,
    object: &str,
    fields: &[String],
    format: Format,
    limit: Option<u64>,
) -> CommandResult {
    let vault = super::open(access).await?;
    let manifest = super::find(&vault, access, snapshot).await?;
    let state = vault.state(&manifest, object).await?;
    let fields = (!fields.is_empty()).then(|| fields.to_vec());
    let written =
        tokio::task::spawn_blocking(move || write(&vault, &state, fields.as_deref(), format, limit)).await?;
    match written {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(ReadError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error.into()),
    }
}

fn write(
    vault: &Vault,
    state: &State,
    fields: Option<&[String]>,
    format: Format,
    limit: Option<u64>,
) -> Result<(), ReadError> {
    let runtime = tokio::runtime::Handle::current();
    let mut parts = Vec::new();
    for part in &state.parts {
        let ids = vault.ids(part).map_err(|error| broken(&part.path, error))?;
        let min_id = ids.and_then(|ids| SalesforceId::parse(&ids.min).ok());
        parts.push(PartRef { path: part.path.clone(), min_id });
    }
    let opener = |wanted: &PartRef| {
        let part = state.parts.iter().find(|part| part.path == wanted.path);
        let part =
            part.ok_or_else(|| VaultError::Internal(format!("{} is not in the state", wanted.path)))?;
        let bytes = runtime.block_on(vault.part_bytes(part))?;
        let key = vault.open_key(part)?;
        let key = key.bytes().map(|bytes| PartKey::new(bytes, Vec::new()));
        Ok((bytes, key))
    };
    let mut rows = Rows::new(&state.schema, fields, parts, opener)?.limit(limit);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match format {
        Format::Csv => write_csv(&mut rows, &mut out)?,
        Format::Json => write_json(&mut rows, &mut out)?,
    };
    out.flush()?;
    Ok(())
}

fn broken(path: &str, error: VaultError) -> ReadError {
    ReadError::Open { path: path.to_owned(), source: Box::new(error) }
}
