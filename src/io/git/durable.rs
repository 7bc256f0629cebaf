//! Owns that the names of new folders are on the disk. libgit2 flushes what it writes and the folder that it lies in,
//! but not the folder in which it had to make that one: after a power cut, a whole branch of it may be gone.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::error::{GitError, OnFile};
use super::repo::Repo;

/// How the folder of objects looked when it was flushed: how many folders it holds, and when that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flushed {
    links: u64,
    changed: (i64, i64),
}

impl Repo {
    /// Flushes the names of folders of objects, where any was made since it was done last.
    ///
    /// # Errors
    /// Fails where the folder cannot be read or flushed.
    pub(super) fn flush_objects(&self) -> Result<(), GitError> {
        let folder = self.identity().join("objects");
        let meta = fs::metadata(&folder).on("look at the folder", &folder)?;
        let looks = Flushed { links: meta.nlink(), changed: (meta.mtime(), meta.mtime_nsec()) };
        let mut flushed = self.flushed().lock().unwrap_or_else(PoisonError::into_inner);
        // Some file systems do not count folders: there one link tells nothing.
        if *flushed != Some(looks) || looks.links == 1 {
            flush(&folder)?;
            *flushed = Some(looks);
        }
        Ok(())
    }

    /// Gives the deepest folder that is there of those that a ref lies in.
    pub(super) fn folder_of_ref(&self, name: &str) -> PathBuf {
        let path = self.identity().join(name);
        let found = path.ancestors().skip(1).find(|folder| folder.is_dir());
        found.map_or_else(|| self.identity().to_owned(), Path::to_owned)
    }

    /// Flushes the folders in which others were made for a ref, from the one that was there before.
    ///
    /// # Errors
    /// Fails where one cannot be flushed.
    pub(super) fn flush_folders_of_ref(&self, name: &str, before: &Path) -> Result<(), GitError> {
        let path = self.identity().join(name);
        let Some(leaf) = path.parent() else { return Ok(()) };
        // The last is flushed with the ref itself.
        leaf.ancestors().skip(1).take_while(|folder| folder.starts_with(before)).try_for_each(flush)
    }
}

fn flush(folder: &Path) -> Result<(), GitError> {
    File::open(folder).and_then(|open| open.sync_all()).on("flush the folder", folder)
}
