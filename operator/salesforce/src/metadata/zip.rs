//! Zips of packages, read with suspicion: what an org or a file gives is not trusted to be what it says.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write as _};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError as Broken;

/// What is wrong with a zip.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// It is cut, or no zip at all, or damaged.
    #[error("it cannot be read as a zip: {detail}")]
    Broken {
        /// What was noticed.
        detail: String,
    },
    /// A name that leaves the package's folder, or that no file system could hold.
    #[error("it has an entry with the name {name:?}: {why}")]
    Name {
        /// The name, cut to a length that can be shown.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than a package may have, or than the zip said of itself.
    #[error("{what} is more than {limit}")]
    TooMuch {
        /// Files, or bytes of what.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// A file could not be read to its end, or has another checksum.
    #[error("its file {name} cannot be read: {detail}")]
    Content {
        /// The file.
        name: String,
        /// What was noticed.
        detail: String,
    },
    /// Our own disk, or whoever takes the files.
    #[error("a file of ours: {0}")]
    Disk(#[from] std::io::Error),
}

/// What a zip may have. The defaults are Salesforce's own limits on a retrieve (Metadata API Developer Guide,
/// "Metadata Limits").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZipLimits {
    /// Entries: 10,000 files, and some for package.xml and folders.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Default for ZipLimits {
    fn default() -> Self {
        Self { entries: 20_000, bytes: 629_145_600 }
    }
}

/// A zip whose names were all looked at.
#[derive(Debug)]
pub struct PackageZip<R> {
    archive: ZipArchive<R>,
    /// Name in the package, number in the archive.
    files: Vec<(String, usize)>,
    limits: ZipLimits,
}

impl<R: Read + Seek> PackageZip<R> {
    /// Opens a zip, and looks at all names and sizes that it tells; no content is read yet.
    pub fn open(reader: R, limits: ZipLimits) -> Result<Self, ZipError> {
        let mut archive = ZipArchive::new(reader).map_err(broken)?;
        if archive.len() as u64 > limits.entries {
            return Err(ZipError::TooMuch {
                what: format!("{} entries", archive.len()),
                limit: limits.entries,
            });
        }
        // entries that share bytes are how a small zip unfolds into an endless one
        if archive.has_overlapping_entries().map_err(broken)? || archive.has_duplicate_names() {
            return Err(ZipError::Broken { detail: "entries overlap or have the same name".to_owned() });
        }
        let mut files = Vec::new();
        let (mut seen, mut announced) = (HashSet::new(), 0_u64);
        for number in 0..archive.len() {
            let entry = archive.by_index_raw(number).map_err(broken)?;
            let name = entry.name().map_err(broken)?.into_owned();
            let wrong = |why| ZipError::Name { name: name.chars().take(200).collect(), why };
            check_name(&name).map_err(wrong)?;
            if entry.is_symlink() {
                return Err(wrong("it is a link"));
            }
            if entry.encrypted() {
                return Err(wrong("it is encrypted"));
            }
            announced = announced.saturating_add(entry.size());
            if announced > limits.bytes {
                return Err(ZipError::TooMuch {
                    what: "the size of its files".to_owned(),
                    limit: limits.bytes,
                });
            }
            if entry.is_dir() {
                continue;
            }
            if !seen.insert(name.to_lowercase()) {
                return Err(wrong("there is another one that differs in letters' case only"));
            }
            files.push((name, number));
        }
        Ok(Self { archive, files, limits })
    }

    /// Names of the files, in the order of the archive.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// Reads all files one after the other; one is held at a time. More bytes than the limits allow end it, whatever
    /// the archive said of their sizes.
    pub fn each(
        &mut self,
        mut take: impl FnMut(&str, Vec<u8>) -> Result<(), ZipError>,
    ) -> Result<(), ZipError> {
        let mut left = self.limits.bytes;
        for (name, number) in &self.files {
            let content = |detail: String| ZipError::Content { name: name.clone(), detail };
            let entry = self.archive.by_index(*number).map_err(|error| content(error.to_string()))?;
            let told = entry.size();
            let mut bytes = Vec::new();
            // a byte more than may be is enough to know
            let most = told.min(left).saturating_add(1);
            entry.take(most).read_to_end(&mut bytes).map_err(|error| content(error.to_string()))?;
            let read = bytes.len() as u64;
            if read > left {
                return Err(ZipError::TooMuch {
                    what: "the size of its files".to_owned(),
                    limit: self.limits.bytes,
                });
            }
            if read != told {
                return Err(content(format!("it says that it has {told} bytes, and has {read} or more")));
            }
            left -= read;
            take(name, bytes)?;
        }
        Ok(())
    }

    /// Writes all files below a folder, which must not have them yet. Nothing is written elsewhere; after an error
    /// the folder may hold a part.
    pub fn extract_to(&mut self, folder: &Path) -> Result<u64, ZipError> {
        let mut count = 0;
        self.each(|name, content| {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            OpenOptions::new().write(true).create_new(true).open(path)?.write_all(&content)?;
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }
}

/// A zip in a file of ours.
#[derive(Debug)]
pub struct ZipFile {
    pub(super) file: File,
    /// Its size, bytes.
    pub bytes: u64,
}

impl ZipFile {
    /// Opens it; see [`PackageZip::open`].
    pub fn open(&self, limits: ZipLimits) -> Result<PackageZip<File>, ZipError> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        PackageZip::open(file, limits)
    }
}

fn broken(error: Broken) -> ZipError {
    ZipError::Broken { detail: error.to_string() }
}

/// Whether a name stays within the package's folder, on any file system.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let plain = name.strip_suffix('/').unwrap_or(name);
    if plain.is_empty() || plain.len() > 1_024 {
        return Err("it is empty or longer than 1,024 bytes");
    }
    if plain.starts_with('/') || plain.contains('\\') || plain.get(1..2) == Some(":") {
        return Err("it is absolute, or written as on Windows");
    }
    if plain.chars().any(char::is_control) {
        return Err("it has control characters");
    }
    if plain.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("it leaves the folder, or goes in circles");
    }
    if plain.split('/').any(|part| part.len() > 255) {
        return Err("a part of it is longer than 255 bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// A zip whose file names are patched in the bytes, as no writer would write them.
    fn renamed(from: &str, to: &str) -> Vec<u8> {
        let mut bytes = zipped(&[(from, b"x")]);
        let places: Vec<usize> =
            (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
        for at in places {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        }
        bytes
    }

    fn open(bytes: &[u8]) -> Result<PackageZip<Cursor<&[u8]>>, ZipError> {
        PackageZip::open(Cursor::new(bytes), ZipLimits::default())
    }

    #[test]
    fn files_come_as_they_were() {
        let bytes =
            zipped(&[("unpackaged/package.xml", b"<p/>"), ("unpackaged/classes/A.cls", b"class A {}")]);
        let mut got = Vec::new();
        open(&bytes)
            .unwrap()
            .each(|name, content| {
                got.push((name.to_owned(), content));
                Ok(())
            })
            .unwrap();
        assert_eq!(got[1], ("unpackaged/classes/A.cls".to_owned(), b"class A {}".to_vec()));
    }

    #[test]
    fn names_that_leave_the_folder_write_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        for to in [
            "../../evil12",
            "/tmp/evil123",
            "C:\\evil12345",
            "a/../../evil",
            "a\\..\\..\\evi",
            "a//b/cdefghi",
        ] {
            let from = "0123456789abcdef".get(..to.len()).unwrap();
            let bytes = renamed(from, to);
            let opened = open(&bytes).and_then(|mut zip| zip.extract_to(&inner));
            assert!(matches!(opened, Err(ZipError::Name { .. })), "{to}: {opened:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn bombs_end_at_the_limit() {
        let bytes = zipped(&[("a", &vec![0; 5_000_000])]);
        assert!(bytes.len() < 20_000);
        let limits = ZipLimits { entries: 10, bytes: 1_000_000 };
        let opened = PackageZip::open(Cursor::new(&bytes[..]), limits);
        assert!(matches!(opened, Err(ZipError::TooMuch { .. })));
        // one that lies about its size
        let mut lying = bytes.clone();
        let told = 5_000_000_u32.to_le_bytes();
        for at in 0..lying.len() - 4 {
            if lying[at..at + 4] == told {
                lying[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
            }
        }
        let read =
            PackageZip::open(Cursor::new(&lying[..]), limits).and_then(|mut zip| zip.each(|_, _| Ok(())));
        assert!(read.is_err());
        let many: Vec<String> = (0..11).map(|n| format!("f{n}")).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
        assert!(matches!(
            PackageZip::open(Cursor::new(&zipped(&many)[..]), limits),
            Err(ZipError::TooMuch { .. })
        ));
    }

    #[test]
    fn links_and_twins_are_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("a", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        assert!(matches!(open(&bytes), Err(ZipError::Name { .. })));
        assert!(matches!(open(&zipped(&[("A.cls", b""), ("a.cls", b"")])), Err(ZipError::Name { .. })));
    }

    proptest! {
        /// A zip that is cut anywhere is an error, and one with any byte changed is an error or reads as some files.
        #[test]
        fn damage_is_an_error_and_no_panic(cut in 0usize..400, at in 0usize..400, byte: u8) {
            let whole = zipped(&[("package.xml", b"<Package/>"), ("classes/A.cls", b"class A { /* long enough */ }")]);
            let end = cut.min(whole.len() - 1);
            prop_assert!(open(&whole[..end]).and_then(|mut zip| zip.each(|_, _| Ok(()))).is_err());
            let mut changed = whole.clone();
            let at = at % whole.len();
            changed[at] = byte;
            let _ = open(&changed).and_then(|mut zip| zip.each(|_, _| Ok(())));
        }

        #[test]
        fn names_that_pass_stay_within(name in "[a-c./\\\\:]{1,12}") {
            if check_name(&name).is_ok() {
                let mut depth = 0;
                for part in name.split('/') {
                    depth += match part { ".." => -1, "" | "." => 0, _ => 1 };
                    prop_assert!(depth >= 0 && part != "..");
                }
                prop_assert!(!name.starts_with('/'));
            }
        }
    }
}
