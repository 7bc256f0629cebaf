//! Owns making a used worktree clean: what an agent changed or added goes, what may stay warm stays.
//! Never removes what is as it was written, and never follows a link.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::fs::Stat;

use super::checkout::path_of;
use super::error::{Doing, GitError, OnFile};
use super::record::{Left, Record};
use super::walk::{Root, join};

/// How deep what stays warm is looked for.
const DEEPEST_WARM: usize = 64;

/// Holds what may be kept between attempts, if it is git-ignored.
pub(super) struct Warm {
    set: GlobSet,
    any: bool,
}

impl Warm {
    /// Reads patterns as in an ignore file: without a slash they hold at any depth; one that is no pattern is a name.
    pub(super) fn new(patterns: &[String]) -> Self {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let name = pattern.trim_end_matches('/').trim_start_matches("./");
            let whole = match name.strip_prefix('/') {
                Some(rooted) => rooted.to_owned(),
                None if name.contains('/') => name.to_owned(),
                None => format!("**/{name}"),
            };
            let glob = |text: &str| GlobBuilder::new(text).literal_separator(true).build();
            if let Ok(glob) = glob(&whole).or_else(|_| glob(&globset::escape(&whole))) {
                set.add(glob);
            }
        }
        let set = set.build().unwrap_or_default();
        Self { any: !set.is_empty(), set }
    }

    fn holds(&self, path: &[u8]) -> bool {
        self.any && self.set.is_match(path_of(path))
    }
}

/// Tells what cleaning has removed.
pub(super) struct Cleaned {
    /// Paths that were written and are no longer there.
    pub(super) dirty: Vec<Vec<u8>>,
    /// Whether something is gone that git ignores, or a folder that may have held such.
    pub(super) lost_ignored: bool,
}

/// Removes from a tree what is not as it was written.
pub(super) fn clean(root: &Root, record: &Record, rules: &git2::Repository, warm: &Warm) -> Result<Cleaned, GitError> {
    let cleaned = Cleaned { dirty: Vec::new(), lost_ignored: false };
    let mut cleaning = Cleaning { root, rules, warm, left: Left::all(record), cleaned };
    cleaning.folder(b"")?;
    let Cleaning { mut left, mut cleaned, .. } = cleaning;
    cleaned.dirty.extend(left.take().into_iter().map(|(path, _)| path.to_vec()));
    Ok(cleaned)
}

/// Removes from a tree what is not as it was written, at paths outside of which everything is.
pub(super) fn clean_at(
    root: &Root,
    record: &Record,
    rules: &git2::Repository,
    warm: &Warm,
    touched: &BTreeSet<Vec<u8>>,
) -> Result<Cleaned, GitError> {
    let cleaned = Cleaned { dirty: Vec::new(), lost_ignored: false };
    let mut cleaning = Cleaning { root, rules, warm, left: Left::all(record), cleaned };
    for path in touched {
        if let Some(stat) = root.stat(path).on("look at", path_of(path))? {
            cleaning.entry(path, &stat)?;
        }
        if cleaning.left.meet(path).is_some() {
            cleaning.cleaned.dirty.push(path.clone());
        }
    }
    Ok(cleaning.cleaned)
}

struct Cleaning<'a> {
    root: &'a Root,
    rules: &'a git2::Repository,
    warm: &'a Warm,
    left: Left<'a>,
    cleaned: Cleaned,
}

impl Cleaning<'_> {
    /// Cleans a folder; tells whether anything stayed in it.
    fn folder(&mut self, folder: &[u8]) -> Result<bool, GitError> {
        self.root.make_writable(folder).on("open", path_of(folder))?;
        let mut stays = false;
        for (name, stat) in self.root.list(folder).on("list", path_of(folder))? {
            if folder.is_empty() && name == b".git" {
                continue;
            }
            stays |= self.entry(&join(folder, &name), &stat)?;
        }
        Ok(stays)
    }

    fn entry(&mut self, path: &[u8], stat: &Stat) -> Result<bool, GitError> {
        let is_folder = stat.st_mode & 0o170_000 == 0o040_000;
        if is_folder {
            if self.left.meet_submodule(path) {
                self.root.make_writable(path).on("open", path_of(path))?;
                for (name, _) in self.root.list(path).on("list", path_of(path))? {
                    self.remove(&join(path, &name))?;
                }
                return Ok(true);
            }
            if self.stays_warm(&[path, b"/"].concat())? {
                return Ok(true);
            }
            let deep = path.iter().filter(|byte| **byte == b'/').count() > DEEPEST_WARM;
            if self.left.holds_below(path) || (self.warm.any && !deep) {
                let stays = self.folder(path)?;
                if !stays {
                    self.remove(path)?;
                }
                return Ok(stays);
            }
        } else if let Some(entry) = self.left.meet(path) {
            if entry.is_untouched(stat) {
                return Ok(true);
            }
            self.cleaned.dirty.push(path.to_vec());
            self.remove(path)?;
            return Ok(false);
        } else if self.stays_warm(path)? {
            return Ok(true);
        }
        self.cleaned.lost_ignored |= is_folder || self.is_ignored(path)?;
        self.remove(path)?;
        Ok(false)
    }

    fn stays_warm(&self, path: &[u8]) -> Result<bool, GitError> {
        let bare = path.strip_suffix(b"/").unwrap_or(path);
        if !self.warm.holds(bare) || self.left.holds_below(bare) {
            return Ok(false);
        }
        self.is_ignored(path)
    }

    fn is_ignored(&self, path: &[u8]) -> Result<bool, GitError> {
        self.rules.status_should_ignore(path_of(path)).doing(|| "read the ignore rules".to_owned())
    }

    fn remove(&self, path: &[u8]) -> Result<(), GitError> {
        self.root.remove(path).on("remove", path_of(path))
    }
}
