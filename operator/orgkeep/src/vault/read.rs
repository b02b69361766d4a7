//! `orgkeep vault read`: the records of an object on standard output.

use std::io::Write as _;
use std::process::ExitCode;

use orgkeep_vault::read::{ReadError, write_csv, write_json};

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
    let fields = (!fields.is_empty()).then(|| fields.to_vec());
    let mut rows = vault.rows(&manifest, object, fields.as_deref()).await?.limit(limit);
    let written = tokio::task::spawn_blocking(move || -> Result<(), ReadError> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        match format {
            Format::Csv => write_csv(&mut rows, &mut out)?,
            Format::Json => write_json(&mut rows, &mut out)?,
        };
        Ok(out.flush()?)
    })
    .await?;
    match written {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(ReadError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error.into()),
    }
}
