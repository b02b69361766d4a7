//! What a directory's storage does to the disk, call by call, so that tests can record it and cut the power at any
//! of them.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Calls that change a disk, or see to it that a change lasts.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a file that must not be there yet.
    fn create(&self, path: &Path) -> io::Result<File> {
        std::fs::OpenOptions::new().write(true).create_new(true).open(path)
    }

    /// Writes to the end of a file that [`Disk::create`] made.
    fn write(&self, path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let _ = path;
        file.write_all(bytes)
    }

    /// Sees to it that a file's bytes last.
    fn sync_file(&self, path: &Path, file: &File) -> io::Result<()> {
        let _ = path;
        file.sync_all()
    }

    /// Gives a file another name, which must not be there yet.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    /// Makes a folder.
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    /// Sees to it that the names in a folder last.
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }
}

/// The operating system's.
#[derive(Debug)]
pub(super) struct System;

impl Disk for System {}
