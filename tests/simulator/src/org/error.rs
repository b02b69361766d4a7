//! Why an org directory could not be loaded: which file, where in it, and what to do.

use std::path::{Path, PathBuf};

/// Why an org directory could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something is wrong with a file.
    #[error("{}: {message}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What, and what to do.
        message: String,
    },
    /// Something is wrong with a row.
    #[error("{}, {at}: {message}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// `line 7` or `record 3`.
        at: String,
        /// What, and what to do.
        message: String,
    },
    /// Rows cannot be generated as asked for.
    #[error("--scale {object}={count}: {message}")]
    Scale {
        /// The object as it was named.
        object: String,
        /// Rows.
        count: u64,
        /// What, and what to do.
        message: String,
    },
}

impl LoadError {
    pub(super) fn file(file: &Path, message: impl Into<String>) -> Self {
        Self::File { file: file.to_owned(), message: message.into() }
    }
}

pub(super) fn read(file: &Path) -> Result<String, LoadError> {
    let failed = |source| LoadError::Read { file: file.to_owned(), source };
    let bytes = std::fs::read(file).map_err(failed)?;
    let text =
        String::from_utf8(bytes).map_err(|_| LoadError::file(file, "it is not UTF-8; save it as UTF-8"))?;
    Ok(text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text))
}

/// Files of a folder in the order of their names; none if the folder is not there.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let failed = |source| LoadError::Read { file: folder.to_owned(), source };
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in listed {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
