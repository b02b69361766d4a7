//! The repository's files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// A text file of the repository.
#[derive(Debug)]
pub struct TextFile {
    /// Path below the root, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl TextFile {
    /// Whether the path ends with one of `endings`.
    pub fn ends_with(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| self.path.ends_with(ending))
    }
}

/// All committed text files (as they are in the working tree), by path. What is not UTF-8 is left out.
pub fn text_files() -> io::Result<Vec<TextFile>> {
    let root = root();
    let listing = Command::new("git").args(["ls-files", "-z"]).current_dir(&root).output()?;
    if !listing.status.success() {
        let message = String::from_utf8_lossy(&listing.stderr).into_owned();
        return Err(io::Error::other(format!("git ls-files: {message}")));
    }
    let mut files = Vec::new();
    for path in String::from_utf8_lossy(&listing.stdout).split_terminator('\0') {
        match fs::read(root.join(path)) {
            Ok(bytes) => {
                if let Ok(text) = String::from_utf8(bytes) {
                    files.push(TextFile { path: path.to_owned(), text });
                }
            }
            // removed, not yet committed
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}
