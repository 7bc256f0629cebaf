//! Owns reading objects: which files a tree holds, and what is in them. Never runs a filter.

use git2::ObjectType;

use super::error::{Doing, GitError};
use super::repo::{Repo, from_git, to_git};
use crate::model::ids::Oid;

/// The mode of a folder.
pub(super) const FOLDER: u32 = 0o040_000;

/// Names one file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path from the root, with `/`.
    pub path: String,
    /// Its git mode: `0o100644`, `0o100755` or `0o120000`.
    pub mode: u32,
    /// Its blob.
    pub oid: Oid,
}

/// Names one file of a tree whose path is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddEntry {
    /// Its path from the root, as bytes.
    pub path: Vec<u8>,
    /// Its blob.
    pub oid: Oid,
}

/// Lists a tree's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Files and symbolic links, in order of their paths.
    pub files: Vec<FileEntry>,
    /// Files and symbolic links whose paths are not UTF-8.
    pub not_utf8: Vec<OddEntry>,
    /// Paths of submodules.
    pub submodules: Vec<String>,
}

impl Repo {
    /// Lists all files of a tree, sorted by path.
    ///
    /// # Errors
    /// Fails where a tree is missing.
    pub fn files(&self, tree: Oid) -> Result<Files, GitError> {
        self.with(|handle| {
            let mut found = Files::default();
            collect(handle, to_git(tree), &mut Vec::new(), &mut found)?;
            found.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            Ok(found)
        })
    }

    /// Reads a blob.
    ///
    /// # Errors
    /// Fails where there is no such blob.
    pub fn read(&self, oid: Oid) -> Result<Vec<u8>, GitError> {
        self.with(|handle| Ok(blob(handle, to_git(oid))?.content().to_vec()))
    }

    /// Tells a blob's size in bytes without reading it.
    ///
    /// # Errors
    /// Fails where there is no such object.
    pub fn size(&self, oid: Oid) -> Result<u64, GitError> {
        self.with(|handle| {
            let odb = handle.odb().doing(|| "open the object database".to_owned())?;
            let (size, _) = odb.read_header(to_git(oid)).doing(|| format!("read the size of {oid}"))?;
            Ok(size as u64)
        })
    }

    /// Tells whether the file at a path of a tree may be executed.
    ///
    /// # Errors
    /// Fails where a tree is missing.
    pub fn is_executable(&self, tree: Oid, path: &str) -> Result<bool, GitError> {
        self.with(|handle| {
            let found = entry(handle, to_git(tree), path.as_bytes())?;
            Ok(found.is_some_and(|(_, mode)| mode & 0o170_000 == 0o100_000 && mode & 0o111 != 0))
        })
    }

    /// Finds what stands at a path of a tree, a folder too; `None` where nothing does.
    ///
    /// # Errors
    /// Fails where a tree is missing.
    pub fn entry_at(&self, tree: Oid, path: &str) -> Result<Option<FileEntry>, GitError> {
        let found = self.with(|handle| entry(handle, to_git(tree), path.as_bytes()))?;
        Ok(found.map(|(oid, mode)| FileEntry { path: path.to_owned(), mode, oid: from_git(oid) }))
    }

    /// Reads the file at a path of a tree; `None` where there is no file.
    ///
    /// # Errors
    /// Fails where the tree or the blob is missing.
    pub fn read_path(&self, tree: Oid, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        self.with(|handle| match entry(handle, to_git(tree), path.as_bytes())? {
            Some((oid, mode)) if is_blob(mode) => Ok(Some(blob(handle, oid)?.content().to_vec())),
            Some(_) | None => Ok(None),
        })
    }
}

fn collect(handle: &git2::Repository, tree: git2::Oid, prefix: &mut Vec<u8>, into: &mut Files) -> Result<(), GitError> {
    let found = find_tree(handle, tree)?;
    for entry in &found {
        let kept = prefix.len();
        prefix.extend_from_slice(entry.name_bytes());
        let mode = entry.filemode_raw().unsigned_abs();
        if mode & 0o170_000 == FOLDER {
            prefix.push(b'/');
            collect(handle, entry.id(), prefix, into)?;
        } else if mode & 0o170_000 == 0o160_000 {
            into.submodules.push(String::from_utf8_lossy(prefix).into_owned());
        } else {
            match std::str::from_utf8(prefix) {
                Ok(path) => into.files.push(FileEntry {
                    path: path.to_owned(),
                    mode: entry.filemode().unsigned_abs(),
                    oid: from_git(entry.id()),
                }),
                Err(_) => into.not_utf8.push(OddEntry { path: prefix.clone(), oid: from_git(entry.id()) }),
            }
        }
        prefix.truncate(kept);
    }
    Ok(())
}

/// Finds the entry at a path below a tree: its object and raw mode.
pub(super) fn entry(
    handle: &git2::Repository,
    root: git2::Oid,
    path: &[u8],
) -> Result<Option<(git2::Oid, u32)>, GitError> {
    let mut at = root;
    let mut parts = path.split(|byte| *byte == b'/').peekable();
    while let Some(part) = parts.next() {
        let tree = find_tree(handle, at)?;
        let Some(entry) = tree.get_name_bytes(part) else { return Ok(None) };
        let mode = entry.filemode_raw().unsigned_abs();
        if parts.peek().is_none() {
            return Ok(Some((entry.id(), mode)));
        }
        if mode & 0o170_000 != FOLDER {
            return Ok(None);
        }
        at = entry.id();
    }
    Ok(None)
}

/// Tells whether a mode is that of a file or a symbolic link.
pub(super) fn is_blob(mode: u32) -> bool {
    mode & 0o170_000 == 0o100_000 || mode & 0o170_000 == 0o120_000
}

/// Finds a tree.
pub(super) fn find_tree(handle: &git2::Repository, tree: git2::Oid) -> Result<git2::Tree<'_>, GitError> {
    handle.find_tree(tree).doing(|| format!("read the tree {tree}"))
}

/// Finds a commit.
pub(super) fn commit(handle: &git2::Repository, commit: Oid) -> Result<git2::Commit<'_>, GitError> {
    handle.find_commit(to_git(commit)).doing(|| format!("read the commit {commit}"))
}

/// Finds a blob.
pub(super) fn blob(handle: &git2::Repository, oid: git2::Oid) -> Result<git2::Blob<'_>, GitError> {
    handle
        .find_object(oid, Some(ObjectType::Blob))
        .and_then(|object| object.peel_to_blob())
        .doing(|| format!("read the blob {oid}"))
}
