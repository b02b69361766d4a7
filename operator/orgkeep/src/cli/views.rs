//! Arguments of `orgkeep vault export` and `orgkeep vault bundle`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Output, VaultAccess};

/// Options of an export.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The vault, with a key that opens it.
    #[command(flatten)]
    pub(crate) access: VaultAccess,
    /// Where to: an empty place, written as `--vault` is, or a directory.
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// Form of the files.
    #[arg(long, value_enum)]
    pub(crate) format: FormatArg,
    /// Id of the snapshot, or `latest`.
    #[arg(long, default_value = "latest")]
    pub(crate) snapshot: String,
    /// Every version of a row up to the snapshot, with what happened to it, in which snapshot and when.
    #[arg(long, conflicts_with = "from")]
    pub(crate) changes: bool,
    /// With --changes: only what came after this snapshot.
    #[arg(long, value_name = "ID", requires = "changes")]
    pub(crate) since: Option<u64>,
    /// Only what it takes to come from this snapshot to the other.
    #[arg(long, value_name = "ID")]
    pub(crate) from: Option<u64>,
    /// Objects by commas, with * and ?; all when left out.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) objects: Vec<String>,
    /// Fields by commas, or Object.Field, with * and ?; all when left out. Id comes always.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) fields: Vec<String>,
    /// Compression of csv and json.
    #[arg(long, value_enum, default_value_t = CompressionArg::None)]
    pub(crate) compression: CompressionArg,
    /// age public keys that can read it, by commas: csv and json become age files, the columns of parquet are
    /// encrypted with a key that export.json holds for them.
    #[arg(long, value_delimiter = ',', value_name = "age1…")]
    pub(crate) encrypt_to: Vec<String>,
    /// csv: a ' before text that a spreadsheet would take for a formula. The values are then no longer those of the
    /// org.
    #[arg(long)]
    pub(crate) safe_for_spreadsheets: bool,
    /// About how many rows go into a file.
    #[arg(long, value_name = "ROWS")]
    pub(crate) rows_per_file: Option<u64>,
    /// Go on with an export that was cut: files that are finished and whole are kept.
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Forms of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// All values quoted, null and empty both empty, as in Salesforce's Bulk API.
    Csv,
    /// A JSON object in each line.
    Json,
    /// Typed columns.
    Parquet,
    /// A Delta Lake table of each object, in which each snapshot that changed it is a version.
    Delta,
}

/// Compressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionArg {
    /// None.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// What is done with a bundle.
#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    /// Write snapshots to a file. What is in it stays encrypted as it is in the vault.
    Create {
        /// The vault, with a key that opens it: the bundle is signed.
        #[command(flatten)]
        access: VaultAccess,
        /// The file, or `-` for standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Only snapshots after this one, which the other side has.
        #[arg(long, value_name = "ID")]
        since: Option<u64>,
        /// Only snapshots up to this one; the newest when left out.
        #[arg(long, value_name = "ID")]
        snapshot: Option<u64>,
    },
    /// Hold a bundle against its signed index; needs neither a key nor a vault.
    Verify {
        /// The file, or `-` for standard input.
        file: PathBuf,
        /// Public key of the vault, as `status.signingKey` of the BackupVault says it.
        #[arg(long, value_name = "KEY")]
        signing_key: Option<String>,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Put the snapshots of a bundle into a vault, or into an empty place. Needs no key; what was cut goes on.
    Apply {
        /// The file, or `-` for standard input.
        file: PathBuf,
        /// The vault, or an empty place that becomes one.
        #[arg(long, value_name = "URL")]
        vault: String,
        /// Public key of the vault, as `status.signingKey` of the BackupVault says it.
        #[arg(long, value_name = "KEY")]
        signing_key: Option<String>,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}
