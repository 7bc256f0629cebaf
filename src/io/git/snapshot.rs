//! Owns reading what an agent left in its worktree: edits against the base, and what is refused. All of it is hostile.
//! Never runs git or a filter program, never follows a link, and takes in regular files and inner links only.

use std::collections::BTreeMap;
use std::io::{self, Read};

use rustix::fs::Stat;

use super::checkout::{Known, path_of};
use super::commit::Edit;
use super::error::{Doing, GitError, plain};
use super::path_law::why_refused;
use super::pool::Tree;
use super::repo::from_git;
use super::walk::{Root, join, why_link_refused};
use super::{objects, rules};

/// Bounds what a snapshot takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest file, in bytes.
    pub file_bytes: u64,
    /// The most files that are not ignored.
    pub files: usize,
    /// The deepest folder.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 100 << 20, files: 200_000, depth: 64 }
    }
}

/// Names something that is not taken in; what the base held there is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where; without control characters.
    pub path: String,
    /// Why.
    pub why: String,
}

/// Holds what an agent left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What differs from the base; contents are already in the object database.
    pub edits: BTreeMap<String, Edit>,
    /// What is not taken in.
    pub refused: Vec<Refused>,
}

impl Tree {
    /// Reads what differs from the commit that the tree was made from; ignored files by that commit's own rules are
    /// left out.
    ///
    /// # Errors
    /// `TreeGone` where the tree was removed or replaced, `TooManyFiles` over the limit.
    pub fn snapshot(&self, limits: Limits) -> Result<Snapshot, GitError> {
        let root = Root::open(self.path())?;
        let mut known = Known::read(&self.index)?;
        let left = std::mem::take(&mut known.entries);
        let rules = rules::handle(&self.repo, &self.rules, &self.index)?;
        let mut taking = Taking { root: &root, known, rules, limits, left, files: 0, out: Snapshot::default() };
        taking.folder(b"", 0)?;
        if !root.still_there() {
            return Err(GitError::TreeGone { path: self.path().to_owned() });
        }
        taking.deletions();
        Ok(taking.out)
    }
}

struct Taking<'a> {
    root: &'a Root,
    known: Known,
    rules: git2::Repository,
    limits: Limits,
    /// What was written and not met again so far.
    left: BTreeMap<Vec<u8>, git2::IndexEntry>,
    files: usize,
    out: Snapshot,
}

impl Taking<'_> {
    fn folder(&mut self, folder: &[u8], depth: usize) -> Result<(), GitError> {
        let entries = match self.root.list(folder) {
            Ok(entries) => entries,
            Err(_) if folder.is_empty() => {
                return Err(GitError::TreeGone { path: self.root.path().to_owned() });
            }
            Err(error) => return self.refuse_folder(folder, &format!("it cannot be read: {error}")),
        };
        if !folder.is_empty() && entries.iter().any(|(name, _)| name == b".git") {
            return self.refuse_folder(folder, "it is a git repository of its own");
        }
        for (name, stat) in entries {
            if folder.is_empty() && name == b".git" {
                continue;
            }
            let path = join(folder, &name);
            match stat.st_mode & 0o170_000 {
                0o040_000 => self.subfolder(&path, depth + 1)?,
                0o100_000 | 0o120_000 => self.file(&path, &stat)?,
                _ => {
                    let tracked = self.left.remove(&path).is_some();
                    if tracked || !self.is_ignored(&path)? {
                        self.refuse(&path, "it is neither a file nor a link");
                    }
                }
            }
        }
        Ok(())
    }

    fn subfolder(&mut self, path: &[u8], depth: usize) -> Result<(), GitError> {
        if self.left.get(path).is_some_and(|entry| entry.mode == 0o160_000) {
            self.left.remove(path);
            if !self.root.list(path).is_ok_and(|entries| entries.is_empty()) {
                self.refuse(path, "it lies in a submodule");
            }
            return Ok(());
        }
        if !Known::holds_below(&self.left, path) && self.is_ignored(&[path, b"/"].concat())? {
            return Ok(());
        }
        if depth > self.limits.depth {
            return self.refuse_folder(path, "it lies too deep");
        }
        self.folder(path, depth)
    }

    fn file(&mut self, path: &[u8], stat: &Stat) -> Result<(), GitError> {
        let before = self.left.remove(path);
        if before.is_none() && self.is_ignored(path)? {
            return Ok(());
        }
        self.files += 1;
        if self.files > self.limits.files {
            return Err(GitError::TooManyFiles { path: self.root.path().to_owned(), cap: self.limits.files });
        }
        if before.as_ref().is_some_and(|entry| self.known.is_untouched(entry, stat)) {
            return Ok(());
        }
        let read = if stat.st_mode & 0o170_000 == 0o120_000 { self.link(path, &before)? } else { self.content(path)? };
        let (oid, mode, edit) = match read {
            Ok(read) => read,
            Err(why) => {
                self.refuse(path, &why);
                return Ok(());
            }
        };
        if before.is_some_and(|entry| entry.id == oid && entry.mode == mode) {
            return Ok(());
        }
        match std::str::from_utf8(path).map(|text| (text, why_refused(text))) {
            Err(_) => self.refuse(path, "its name is not UTF-8"),
            Ok((_, Some(why))) => self.refuse(path, why),
            Ok((text, None)) => {
                self.out.edits.insert(text.to_owned(), edit);
            }
        }
        Ok(())
    }

    fn link(
        &self,
        path: &[u8],
        before: &Option<git2::IndexEntry>,
    ) -> Result<Result<(git2::Oid, u32, Edit), String>, GitError> {
        let target = match self.root.link(path) {
            Ok(target) => target,
            Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
        };
        let oid = self.rules.blob(&target).doing(|| "store a link".to_owned())?;
        let shown = String::from_utf8_lossy(path);
        // What the base held may lead anywhere: it was there before any agent.
        let was = before.as_ref().is_some_and(|entry| entry.id == oid && entry.mode == 0o120_000);
        if let Some(why) = why_link_refused(&shown, &target).filter(|_| !was) {
            return Ok(Err(why.to_owned()));
        }
        if !was && shown.rsplit('/').next().is_some_and(|name| name.starts_with(".git")) {
            return Ok(Err("git reads its rules from that name, and they may not be a link".to_owned()));
        }
        let target = String::from_utf8_lossy(&target).into_owned();
        Ok(Ok((oid, 0o120_000, Edit::Link { target })))
    }

    fn content(&self, path: &[u8]) -> Result<Result<(git2::Oid, u32, Edit), String>, GitError> {
        let (file, stat) = match self.root.file(path) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
        };
        let most = self.limits.file_bytes;
        let too_large = || format!("it is larger than {most} bytes");
        if stat.st_size as u64 > most {
            return Ok(Err(too_large()));
        }
        let doing = || format!("store `{}`", plain(&String::from_utf8_lossy(path)));
        let mut writer = self.rules.blob_writer(Some(path_of(path))).doing(doing)?;
        match io::copy(&mut file.take(most + 1), &mut writer) {
            Ok(copied) if copied > most => return Ok(Err(too_large())),
            Ok(_) => {}
            Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
        }
        let oid = writer.commit().doing(doing)?;
        let executable = stat.st_mode & 0o100 != 0;
        let mode = if executable { 0o100_755 } else { 0o100_644 };
        let size = objects::blob(&self.rules, oid)?.size() as u64;
        Ok(Ok((oid, mode, Edit::Blob { oid: from_git(oid), size, executable })))
    }

    fn deletions(&mut self) {
        for (path, entry) in std::mem::take(&mut self.left) {
            if entry.mode == 0o160_000 {
                self.refuse(&path, "a submodule cannot be removed");
                continue;
            }
            match std::str::from_utf8(&path).map(|text| (text, why_refused(text))) {
                Err(_) => self.refuse(&path, "its name is not UTF-8, so it cannot be removed"),
                Ok((_, Some(why))) => self.refuse(&path, why),
                Ok((text, None)) => {
                    self.out.edits.insert(text.to_owned(), Edit::Delete);
                }
            }
        }
    }

    fn is_ignored(&self, path: &[u8]) -> Result<bool, GitError> {
        self.rules.status_should_ignore(path_of(path)).doing(|| "read the ignore rules".to_owned())
    }

    fn refuse(&mut self, path: &[u8], why: &str) {
        let path = plain(&String::from_utf8_lossy(path));
        self.out.refused.push(Refused { path, why: why.to_owned() });
    }

    /// Refuses a folder, and keeps what the base held below it.
    fn refuse_folder(&mut self, path: &[u8], why: &str) -> Result<(), GitError> {
        self.refuse(path, why);
        let start = [path, b"/"].concat();
        self.left.retain(|below, _| !below.starts_with(&start));
        Ok(())
    }
}
