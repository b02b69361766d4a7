//! What is to be exported, and how.

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

use super::error::ExportError;

/// Form of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// All values quoted, null and empty both empty, as in Salesforce's Bulk API.
    Csv,
    /// A JSON object in each line.
    Json,
    /// Typed columns, and `_raw` for cells that do not fit their type.
    Parquet,
    /// A Delta Lake table of an object: each snapshot that changed it is a version.
    Delta,
}

/// Compression of CSV and JSON; Parquet compresses by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// What of the history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// The rows of the snapshot.
    #[default]
    Snapshot,
    /// Every version of a row up to the snapshot, with what happened, in which snapshot, and when. The rows of the
    /// first one count as added.
    Changes {
        /// Only what came after this snapshot.
        since: Option<u64>,
    },
    /// What it takes to come from one snapshot to the other.
    Difference {
        /// The earlier one.
        from: u64,
    },
}

/// What is to be exported, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Form of the files.
    pub format: Format,
    /// What of the history.
    pub what: What,
    /// Objects by API name, with `*` and `?`; empty: all.
    pub objects: Vec<String>,
    /// Fields by API name, or `Object.Field`; empty: all. `Id` comes always.
    pub fields: Vec<String>,
    /// Compression of CSV and JSON.
    pub compression: Compression,
    /// age public keys that can read it; empty: it is not encrypted.
    pub encrypt_to: Vec<String>,
    /// CSV: text that a spreadsheet would take for a formula gets a `'` before it.
    pub safe_for_spreadsheets: bool,
    /// About how many rows go into a file.
    pub rows_per_file: u64,
    /// Goes on with an export that was cut.
    #[serde(skip)]
    pub resume: bool,
}

impl Options {
    /// A snapshot in this form, with nothing else asked for.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            what: What::Snapshot,
            objects: Vec::new(),
            fields: Vec::new(),
            compression: Compression::None,
            encrypt_to: Vec::new(),
            safe_for_spreadsheets: false,
            rows_per_file: if format == Format::Delta { 100_000 } else { 1_000_000 },
            resume: false,
        }
    }

    /// Refuses what does not go together.
    pub(super) fn check(&self) -> Result<(), ExportError> {
        let refuse = |why: &str| Err(ExportError::Options(why.to_owned()));
        let text = matches!(self.format, Format::Csv | Format::Json);
        if self.compression != Compression::None && !text {
            return refuse("only csv and json are compressed from outside; Parquet compresses its columns");
        }
        if self.safe_for_spreadsheets && self.format != Format::Csv {
            return refuse("only csv is opened by spreadsheets in a way that needs --safe-for-spreadsheets");
        }
        if self.format == Format::Delta && !self.encrypt_to.is_empty() {
            return refuse(
                "no reader of Delta Lake opens encrypted files; encrypt the bucket, or export parquet",
            );
        }
        if self.format == Format::Delta && self.what != What::Snapshot {
            return refuse("a Delta table has its history in its versions; leave --changes and --from out");
        }
        if self.rows_per_file == 0 {
            return refuse("a file has at least one row");
        }
        self.recipients().map(drop)
    }

    /// The recipients' public keys.
    pub(super) fn recipients(&self) -> Result<Vec<age::x25519::Recipient>, ExportError> {
        let parse = |text: &String| {
            age::x25519::Recipient::from_str(text.trim())
                .map_err(|why| ExportError::Options(format!("{text:?} is no age public key (age1…): {why}")))
        };
        self.encrypt_to.iter().map(parse).collect()
    }
}
