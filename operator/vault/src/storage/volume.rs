//! A directory as a storage.
//!
//! Put if absent is a hard link from a finished, synced temporary file: it fails where a file is, and shows whole
//! bytes or none. A mutable file `<name>.json` is a row of generations `<name>.<n>.json`, each put if absent; the
//! highest counts, older ones are swept after a newer one stands.

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use ring::rand::{SecureRandom, SystemRandom};

use super::disk::Disk;
use super::volume_upload::VolumeUpload;
use super::{Entry, Storage, StorageError, StorageErrorKind, StorageResult, Upload, Version};

/// Folder of files that are not finished; no part of the vault.
const TEMPORARY: &str = ".tmp";
/// Tries at a folder that others remove when it is empty.
const TRIES: usize = 5;
/// Unfinished files this old belong to nobody.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Bytes of a range for which memory is taken before it is known that they are there.
const LARGEST_READ: u64 = 16 << 20;

/// A directory.
#[derive(Debug, Clone)]
pub(super) struct Volume {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    swept: Arc<Once>,
}

impl Volume {
    pub(super) fn new(root: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { root, disk, swept: Arc::new(Once::new()) }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    pub(super) fn file(&self, path: &str) -> StorageResult<PathBuf> {
        let sane = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if sane {
            Ok(self.root.join(path))
        } else {
            Err(StorageError::new(StorageErrorKind::NotFound, path, "not a path of a file in a vault"))
        }
    }

    /// Runs file system calls where they may block.
    pub(super) async fn blocking<T, F>(&self, path: &str, work: F) -> StorageResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> std::io::Result<T> + Send + 'static,
    {
        let this = self.clone();
        match tokio::task::spawn_blocking(move || work(&this)).await {
            Ok(result) => result.map_err(|error| from_io(path, &error)),
            Err(error) => Err(StorageError::new(StorageErrorKind::Unreachable, path, error.to_string())),
        }
    }

    /// A new temporary file.
    pub(super) fn temporary(&self) -> std::io::Result<(PathBuf, std::fs::File)> {
        let folder = self.root.join(TEMPORARY);
        let mut random = [0u8; 16];
        SystemRandom::new().fill(&mut random).map_err(|_| std::io::Error::other("no random numbers"))?;
        let path = folder.join(hex::encode(random));
        let file = self.in_folder(&folder, || self.disk.create(&path))?;
        self.swept.call_once(|| sweep(&folder));
        Ok((path, file))
    }

    /// Gives a finished temporary file its name, unless that is taken.
    pub(super) fn publish(
        &self,
        temporary: &Path,
        file: &std::fs::File,
        target: &Path,
    ) -> std::io::Result<()> {
        self.disk.sync_file(temporary, file)?;
        let folder = target.parent().unwrap_or(Path::new("/"));
        let linked = self.in_folder(folder, || self.disk.link(temporary, target));
        match linked {
            Ok(()) => self.disk.sync_dir(folder),
            // Whoever put it may not have come to the sync, and what it says is taken for granted from now on.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.disk.sync_dir(folder)?;
                Err(error)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::StorageFull | ErrorKind::QuotaExceeded
                ) =>
            {
                Err(error)
            }
            Err(error) => Err(std::io::Error::new(
                ErrorKind::Unsupported,
                format!("hard links do not work here: {error}"),
            )),
        }
    }

    /// Does something in a folder, which is made if it is not there; a probe that ends may just have removed it.
    fn in_folder<T>(&self, folder: &Path, work: impl Fn() -> std::io::Result<T>) -> std::io::Result<T> {
        for _ in 0..TRIES {
            self.make_folders(folder)?;
            match work() {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                other => return other,
            }
        }
        work()
    }

    /// Makes folders that are not there, each synced into its parent.
    fn make_folders(&self, folder: &Path) -> std::io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let parent =
            folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if parent != folder {
            self.make_folders(parent)?;
        }
        match self.disk.create_dir(folder) {
            Ok(()) => self.disk.sync_dir(parent),
            // Its maker may not have come to the sync.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.disk.sync_dir(parent),
            Err(error) => Err(error),
        }
    }

    fn link_new(&self, target: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let (temporary, mut file) = self.temporary()?;
        let result = self
            .disk
            .write(&temporary, &mut file, bytes)
            .and_then(|()| self.publish(&temporary, &file, target));
        let removed = self.disk.remove(&temporary);
        result.and(removed)
    }

    /// Numbers of the generations of a mutable file, lowest first.
    fn generations(&self, path: &str) -> std::io::Result<Vec<u64>> {
        let (folder, stem) = generation_parts(path);
        let mut found = Vec::new();
        for entry in read_folder(&self.root.join(folder))? {
            let name = entry.file_name();
            let number: Option<u64> = name
                .to_str()
                .and_then(|name| name.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(".json"))
                .and_then(|number| number.parse().ok());
            found.extend(number);
        }
        found.sort_unstable();
        Ok(found)
    }

    fn generation(&self, path: &str, number: u64) -> PathBuf {
        let (folder, stem) = generation_parts(path);
        self.root.join(folder).join(format!("{stem}.{number}.json"))
    }

    fn read_newest(&self, path: &str) -> std::io::Result<Option<(Vec<u8>, u64)>> {
        loop {
            let Some(newest) = self.generations(path)?.pop() else { return Ok(None) };
            match std::fs::read(self.generation(path, newest)) {
                Ok(bytes) => return Ok(Some((bytes, newest))),
                Err(error) if error.kind() == ErrorKind::NotFound => {} // swept meanwhile: a newer one stands
                Err(error) => return Err(error),
            }
        }
    }

    fn replace(&self, path: &str, expected: u64, bytes: &[u8]) -> std::io::Result<u64> {
        let conflict = || std::io::Error::new(ErrorKind::AlreadyExists, "another generation was written");
        if self.generations(path)?.last().copied().unwrap_or(0) != expected {
            return Err(conflict());
        }
        let number = expected + 1;
        self.link_new(&self.generation(path, number), bytes)?;
        // A number that was swept can be taken again, but only while a higher one stands.
        let standing = self.generations(path)?;
        if standing.last() != Some(&number) {
            return Err(conflict());
        }
        for old in standing.into_iter().filter(|old| *old < number) {
            match self.disk.remove(&self.generation(path, old)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(number)
    }
}

/// Folder and stem of a mutable file's generations.
fn generation_parts(path: &str) -> (&str, &str) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    (folder, name.strip_suffix(".json").unwrap_or(name))
}

fn read_folder(folder: &Path) -> std::io::Result<Vec<std::fs::DirEntry>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes what crashed writers left; failing to is no failure.
fn sweep(folder: &Path) {
    for entry in read_folder(folder).unwrap_or_default() {
        let old = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        if old.is_some_and(|age| age > ABANDONED) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

pub(super) fn from_io(path: &str, error: &std::io::Error) -> StorageError {
    let kind = match error.kind() {
        ErrorKind::NotFound => StorageErrorKind::NotFound,
        ErrorKind::AlreadyExists => StorageErrorKind::AlreadyExists,
        ErrorKind::PermissionDenied => StorageErrorKind::AccessDenied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageErrorKind::Full,
        ErrorKind::ReadOnlyFilesystem => StorageErrorKind::ReadOnly,
        ErrorKind::Unsupported => StorageErrorKind::ConditionalWritesUnsupported,
        ErrorKind::InvalidData => StorageErrorKind::Corrupted,
        _ => StorageErrorKind::Unreachable,
    };
    StorageError::new(kind, path, error.to_string())
}

#[async_trait]
impl Storage for Volume {
    fn describe(&self) -> String {
        format!("file://{}", self.root.display())
    }

    async fn get(&self, path: &str) -> StorageResult<Bytes> {
        let file = self.file(path)?;
        self.blocking(path, move |_| std::fs::read(file)).await.map(Bytes::from)
    }

    async fn get_range(&self, path: &str, range: Range<u64>) -> StorageResult<Bytes> {
        let file = self.file(path)?;
        self.blocking(path, move |_| {
            let mut file = std::fs::File::open(file)?;
            file.seek(SeekFrom::Start(range.start))?;
            let many = range.end.saturating_sub(range.start);
            let mut bytes = Vec::with_capacity(many.min(LARGEST_READ) as usize);
            file.take(many).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    fn step(&self) -> u64 {
        512 << 10 // what the cache of a processor holds
    }

    fn open_local(&self, path: &str) -> Option<StorageResult<std::fs::File>> {
        let open = || std::fs::File::open(self.file(path)?).map_err(|error| from_io(path, &error));
        Some(open())
    }

    async fn head(&self, path: &str) -> StorageResult<u64> {
        let file = self.file(path)?;
        self.blocking(path, move |_| Ok(std::fs::metadata(file)?.len())).await
    }

    async fn put_if_absent(&self, path: &str, bytes: Bytes) -> StorageResult<()> {
        let file = self.file(path)?;
        self.blocking(path, move |this| this.link_new(&file, &bytes)).await
    }

    async fn upload(&self, path: &str) -> StorageResult<Box<dyn Upload>> {
        Ok(Box::new(VolumeUpload::begin(self.clone(), path).await?))
    }

    async fn read_mutable(&self, path: &str) -> StorageResult<Option<(Bytes, Version)>> {
        self.file(path)?;
        let owned = path.to_owned();
        let newest = self.blocking(path, move |this| this.read_newest(&owned)).await?;
        Ok(newest.map(|(bytes, number)| (Bytes::from(bytes), Version(number.to_string()))))
    }

    async fn replace_if_match(
        &self,
        path: &str,
        expected: Option<&Version>,
        bytes: Bytes,
    ) -> StorageResult<Version> {
        self.file(path)?;
        let conflict =
            |message: &str| StorageError::new(StorageErrorKind::Conflict, path, message.to_owned());
        let number = match expected {
            None => 0,
            Some(version) => {
                version.0.parse().map_err(|_| conflict("not a version of a directory's file"))?
            }
        };
        let owned = path.to_owned();
        match self.blocking(path, move |this| this.replace(&owned, number, &bytes)).await {
            Ok(number) => Ok(Version(number.to_string())),
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => Err(conflict(&error.message)),
            Err(error) => Err(error),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, StorageResult<Entry>> {
        let prefix = prefix.to_owned();
        let start = prefix.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
        stream::unfold((vec![start], prefix), move |(mut folders, prefix)| async move {
            let folder = folders.pop()?;
            let path = folder.clone();
            let read = self.blocking(&path, move |this| this.entries(&folder)).await;
            let found = match read {
                Ok((below, files)) => {
                    folders.extend(below.into_iter().rev());
                    files.into_iter().filter(|entry| entry.path.starts_with(&prefix)).map(Ok).collect()
                }
                Err(error) => vec![Err(error)],
            };
            Some((stream::iter(found), (folders, prefix)))
        })
        .flatten()
        .boxed()
    }

    async fn list_folders(&self, folder: &str) -> StorageResult<Vec<String>> {
        let folder = folder.trim_end_matches('/').to_owned();
        let path = folder.clone();
        let (below, _) = self.blocking(&path, move |this| this.entries(&folder)).await?;
        Ok(below.into_iter().filter_map(|path| path.rsplit('/').next().map(str::to_owned)).collect())
    }

    async fn delete(&self, path: &str) -> StorageResult<()> {
        let file = self.file(path)?;
        match self.blocking(path, move |this| this.disk.remove(&file)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    async fn delete_mutable(&self, path: &str) -> StorageResult<()> {
        self.file(path)?;
        let owned = path.to_owned();
        self.blocking(path, move |this| {
            for number in this.generations(&owned)? {
                this.disk.remove(&this.generation(&owned, number))?;
            }
            // Folders that this leaves empty are no part of the vault, and a refusal says that they are not.
            if let Some(folder) = this.root.join(&owned).parent().filter(|folder| *folder != this.root) {
                let _ = this.disk.remove_dir(folder);
            }
            let _ = this.disk.remove_dir(&this.root.join(TEMPORARY));
            Ok(())
        })
        .await
    }
}

impl Volume {
    /// Folders and files in a folder, by paths in the vault, sorted.
    fn entries(&self, folder: &str) -> std::io::Result<(Vec<String>, Vec<Entry>)> {
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        for entry in read_folder(&if folder.is_empty() { self.root.clone() } else { self.root.join(folder) })?
        {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if folder.is_empty() && name == TEMPORARY {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(path),
                Ok(data) => files.push(Entry { path, size: data.len() }),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        folders.sort();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((folders, files))
    }
}
