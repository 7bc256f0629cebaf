//! Owns writing a commit's files into a pooled worktree, and the trusted record of what was written.
//! Never reads the tree's `.git`, nor an index that an agent could write.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use git2::build::CheckoutBuilder;
use rustix::fs::Stat;

use super::error::{Doing, GitError, OnFile};
use super::repo::to_git;
use crate::model::ids::Oid;

/// Writes all files of a commit into an empty tree.
pub(super) fn write_all(rules: &git2::Repository, commit: Oid, tree: &Path) -> Result<(), GitError> {
    write_with(rules, commit, tree, &mut CheckoutBuilder::new())
}

/// Writes the files of a commit at these paths; what was at them must be gone.
pub(super) fn write_some(
    rules: &git2::Repository,
    commit: Oid,
    tree: &Path,
    paths: &[Vec<u8>],
) -> Result<(), GitError> {
    let mut index = rules.index().doing(|| "read the index".to_owned())?;
    for path in paths {
        let entry = path_of(path);
        if index.get_path(entry, 0).is_some() {
            index.remove(entry, 0).doing(|| "change the index".to_owned())?;
        }
    }
    index.write().doing(|| "write the index".to_owned())?;
    if paths.is_empty() {
        return Ok(());
    }
    let mut how = CheckoutBuilder::new();
    how.disable_pathspec_match(true);
    for path in paths {
        how.path(path.as_slice());
    }
    write_with(rules, commit, tree, &mut how)
}

fn write_with(
    rules: &git2::Repository,
    commit: Oid,
    tree: &Path,
    how: &mut CheckoutBuilder<'_>,
) -> Result<(), GitError> {
    let doing = || format!("write the files of {commit} into `{}`", tree.display());
    let object = rules.find_object(to_git(commit), None).doing(doing)?;
    how.force().recreate_missing(true).target_dir(tree);
    rules.checkout_tree(&object, Some(how)).doing(doing)
}

/// Holds what was written into a tree: each path's entry, and when the record was made.
pub(super) struct Known {
    /// What was written, by path.
    pub(super) entries: BTreeMap<Vec<u8>, git2::IndexEntry>,
    stamp: (i64, u32),
}

impl Known {
    /// Reads the record.
    pub(super) fn read(index: &Path) -> Result<Self, GitError> {
        let meta = fs::metadata(index).on("read", index)?;
        let stamp = {
            use std::os::unix::fs::MetadataExt;
            (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0))
        };
        let record = git2::Index::open(index).doing(|| format!("read the index `{}`", index.display()))?;
        let entries = record.iter().map(|entry| (entry.path.clone(), entry)).collect();
        Ok(Self { entries, stamp })
    }

    /// Tells whether a file is surely as it was written; where that cannot be told, its content must be compared.
    pub(super) fn is_untouched(&self, entry: &git2::IndexEntry, now: &Stat) -> bool {
        let kind = now.st_mode & 0o170_000;
        let mode = match kind {
            0o120_000 => 0o120_000,
            0o100_000 if now.st_mode & 0o100 != 0 => 0o100_755,
            0o100_000 => 0o100_644,
            _ => return false,
        };
        let seconds = |time: &git2::IndexTime| i64::from(time.seconds());
        let exact = entry.mtime.nanoseconds() != 0 || entry.ctime.nanoseconds() != 0;
        let same_time = |time: &git2::IndexTime, sec: i64, nsec: u64| {
            seconds(time) & 0xffff_ffff == sec & 0xffff_ffff && (!exact || u64::from(time.nanoseconds()) == nsec)
        };
        let at = |time: &git2::IndexTime| (seconds(time), if exact { time.nanoseconds() } else { u32::MAX });
        let racy = at(&entry.mtime) >= self.stamp || at(&entry.ctime) >= self.stamp;
        entry.mode == mode
            && !racy
            && u64::from(entry.file_size) == (now.st_size as u64 & 0xffff_ffff)
            && u64::from(entry.ino) == now.st_ino & 0xffff_ffff
            && same_time(&entry.mtime, now.st_mtime, now.st_mtime_nsec)
            && same_time(&entry.ctime, now.st_ctime, now.st_ctime_nsec)
    }

    /// Tells whether something was written below a folder.
    pub(super) fn holds_below(entries: &BTreeMap<Vec<u8>, git2::IndexEntry>, folder: &[u8]) -> bool {
        let start = [folder, b"/"].concat();
        entries.range(start.clone()..).next().is_some_and(|(path, _)| path.starts_with(&start))
    }
}

/// Shows bytes as a path.
pub(super) fn path_of(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}
