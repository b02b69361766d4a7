//! `orgkeep vault export`: views for analysts.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use orgkeep_vault::Location;
use orgkeep_vault::export::{self, Compression, ExportError, Exported, Format, Options, What};

use super::LookError;
use crate::cli::{CompressionArg, ExportArgs, FormatArg, Output};
use crate::{CommandResult, say, table};

/// How often it is told how far it is.
const TOLD: Duration = Duration::from_secs(5);

impl ExportArgs {
    fn options(&self) -> Options {
        let format = match self.format {
            FormatArg::Csv => Format::Csv,
            FormatArg::Json => Format::Json,
            FormatArg::Parquet => Format::Parquet,
            FormatArg::Delta => Format::Delta,
        };
        let defaults = Options::new(format);
        Options {
            what: match (self.changes, self.from) {
                (_, Some(from)) => What::Difference { from },
                (true, None) => What::Changes { since: self.since },
                (false, None) => What::Snapshot,
            },
            objects: self.objects.clone(),
            fields: self.fields.clone(),
            compression: match self.compression {
                CompressionArg::None => Compression::None,
                CompressionArg::Gzip => Compression::Gzip,
                CompressionArg::Zstd => Compression::Zstd,
            },
            encrypt_to: self.encrypt_to.clone(),
            safe_for_spreadsheets: self.safe_for_spreadsheets,
            rows_per_file: self.rows_per_file.unwrap_or(defaults.rows_per_file),
            resume: self.resume,
            ..defaults
        }
    }
}

/// Where something goes to: a URL, or a directory as the shell names it.
pub(super) fn place(to: &str) -> Result<Location, LookError> {
    if to.contains("://") { Ok(Location::parse(to)?) } else { Ok(Location::Volume(PathBuf::from(to))) }
}

/// Exports.
pub(super) async fn run(args: &ExportArgs) -> CommandResult {
    let options = args.options();
    let vault = super::open(&args.access).await?;
    let manifest = super::find(&vault, &args.access, &args.snapshot).await?;
    let target = place(&args.to)?.open().await.map_err(LookError::from)?;
    let told = Cell::new(Instant::now());
    let exported = export::export(&vault, &manifest, &target, &options, |so_far| {
        if told.get().elapsed() > TOLD {
            told.set(Instant::now());
            eprintln!("{} objects, {}", so_far.objects, wrote(so_far));
        }
    })
    .await
    .map_err(|error| match error {
        ExportError::Vault(error) => Box::<dyn std::error::Error + Send + Sync>::from(LookError::from(error)),
        other => other.into(),
    })?;
    match args.access.output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&exported)?))?,
        Output::Table => {
            say(&format!(
                "exported snapshot {} of line {}: {} objects, {}; {} were there\n",
                manifest.seq,
                manifest.line_id,
                exported.objects,
                wrote(&exported),
                exported.present
            ))?;
            if exported.versions > 0 {
                say(&format!("{} versions of Delta tables are new\n", exported.versions))?;
            }
            if exported.missing > 0 {
                say(&format!(
                    "{} objects are missing: the snapshot has nothing of them, or none of the fields\n",
                    exported.missing
                ))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn wrote(exported: &Exported) -> String {
    format!(
        "{} rows in {} files, {}",
        table::count(exported.rows),
        table::count(exported.files),
        table::bytes(exported.bytes)
    )
}
