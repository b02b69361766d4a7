//! The zips of packages: read with care, since anything may come, and written.

use std::io::{Cursor, Read as _, Write as _};

use bytes::Bytes;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::store::File;

/// Files of a package at most (limits of the Metadata API).
pub(crate) const MOST_FILES: usize = 10_000;
/// Bytes of a zip at most: 50 MB of SOAP message hold that much as base64.
pub(crate) const LARGEST_ZIP: usize = 39 * 1024 * 1024;
/// Bytes of all files together at most, uncompressed ("Metadata API limits": 629,145,600).
pub(crate) const LARGEST_CONTENT: u64 = 629_145_600;

/// Why a zip is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ZipError {
    /// It is no zip, is cut, or a checksum does not fit.
    #[error("the zip file cannot be read: {0}")]
    Unreadable(String),
    /// A name leads outside of the package.
    #[error("the zip file has a file outside of its folder: {0}")]
    Outside(String),
    /// The same name twice.
    #[error("the zip file has two files named {0}")]
    Twice(String),
    /// More files than may be.
    #[error("Too many files in zip, limit is: {MOST_FILES}")]
    TooManyFiles,
    /// More bytes than may be.
    #[error("Uncompressed zip file exceeds limit of {LARGEST_CONTENT} bytes")]
    TooLarge,
}

/// Reads all files of a zip. Nothing is written anywhere; names are held against what may stand in a package.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<File>, ZipError> {
    let unreadable = |error: &dyn std::fmt::Display| ZipError::Unreadable(error.to_string());
    if bytes.len() > LARGEST_ZIP {
        return Err(ZipError::TooLarge);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let mut files: Vec<File> = Vec::new();
    let mut left = LARGEST_CONTENT;
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number).map_err(|error| unreadable(&error))?;
        let name = entry.name().map_err(|error| unreadable(&error))?.into_owned();
        if !is_inside(&name) || entry.is_symlink() {
            return Err(ZipError::Outside(name));
        }
        if entry.is_dir() {
            continue;
        }
        if files.len() == MOST_FILES {
            return Err(ZipError::TooManyFiles);
        }
        // what the directory says of the size is not believed
        let mut content = Vec::new();
        entry.by_ref().take(left + 1).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
        left = left.checked_sub(content.len() as u64).ok_or(ZipError::TooLarge)?;
        files.push(File::new(name, Bytes::from(content)));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(twice) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(ZipError::Twice(twice[0].path.to_string()));
    }
    Ok(files)
}

/// Whether a name stays below the folder that it is put into, on any system.
pub(crate) fn is_inside(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('/')
        && !name.contains(['\\', '\0', ':'])
        && name.trim_end_matches('/').split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Writes a zip of these files, all as old as zips can tell, so that the same files give the same zip.
pub(crate) fn write(files: &[File]) -> Result<Vec<u8>, ZipError> {
    let unwritable = |error: &dyn std::fmt::Display| ZipError::Unreadable(error.to_string());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    for file in files {
        zip.start_file(&*file.path, options).map_err(|error| unwritable(&error))?;
        zip.write_all(&file.bytes).map_err(|error| unwritable(&error))?;
    }
    Ok(zip.finish().map_err(|error| unwritable(&error))?.into_inner())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let files = [File::new("a/b.cls", "x"), File::new("package.xml", "")];
        let zip = write(&files).unwrap();
        assert_eq!(read(&zip).unwrap(), files);
        assert_eq!(zip, write(&files).unwrap());
        for cut in 0..zip.len() {
            assert!(read(&zip[..cut]).is_err(), "{cut}");
        }
        for flipped in 0..zip.len() {
            let mut zip = zip.clone();
            zip[flipped] ^= 0x40;
            // whatever comes of it, it is no panic
            let _ = read(&zip).is_ok();
        }
    }

    #[test]
    fn names_stay_inside() {
        for name in ["../a", "/a", "a/../../b", "a\\..\\b", "c:/a", "a/./b", "a//b", ".."] {
            let zip = write(&[File::new(name, "x")]).unwrap();
            assert!(matches!(read(&zip), Err(ZipError::Outside(_))), "{name}");
        }
        assert!(is_inside("a/b c-ü%20.x") && is_inside("a/") && !is_inside(""));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let many: Vec<File> = (0..=MOST_FILES).map(|n| File::new(format!("a/{n}"), "")).collect();
        assert_eq!(read(&write(&many).unwrap()), Err(ZipError::TooManyFiles));
    }
}
