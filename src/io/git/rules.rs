//! Owns the rules by which a pooled worktree is read and written: the base commit's own ignore and attribute files,
//! kept beside the tree, where what an agent writes into the tree has no effect on them.
//!
//! A handle from here has that folder as its checkout and an index of its own, so that the user's index, checkout and
//! whatever a worktree's git side holds are never looked at. libgit2 runs no external filter.

use std::fs;
use std::path::Path;

use super::error::{Doing, GitError, OnFile};
use super::objects;
use super::repo::{Repo, open, open_scratch, to_git};
use super::walk::remove_any;
use crate::model::ids::Oid;

/// Tells whether a path is that of an ignore or attribute file.
pub(super) fn is_rule(path: &[u8]) -> bool {
    path.ends_with(b".gitignore") || is_attributes(path)
}

/// Tells whether a path is that of an attribute file.
pub(super) fn is_attributes(path: &[u8]) -> bool {
    path.ends_with(b".gitattributes")
}

/// Writes the ignore and attribute files of a tree into a folder, and nothing else.
pub(super) fn write(repo: &Repo, tree: Oid, dir: &Path) -> Result<(), GitError> {
    remove_any(dir).on("remove", dir)?;
    fs::create_dir_all(dir).on("make the folder", dir)?;
    let found = repo.files(tree)?;
    repo.with(|handle| {
        for file in found.files.iter().filter(|file| is_rule(file.path.as_bytes()) && file.mode != 0o120_000) {
            let name = Path::new(&file.path).file_name();
            if !name.is_some_and(|name| name == ".gitignore" || name == ".gitattributes")
                || super::path_law::why_refused(&file.path).is_some()
            {
                continue;
            }
            let place = dir.join(&file.path);
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder).on("make the folder", folder)?;
            }
            let content = objects::blob(handle, to_git(file.oid))?;
            fs::write(&place, content.content()).on("write", &place)?;
        }
        Ok(())
    })
}

/// Opens a handle that reads its rules from such a folder and its index from a file of ours; it may store objects.
pub(super) fn handle(repo: &Repo, dir: &Path, index: &Path) -> Result<git2::Repository, GitError> {
    within(open(repo.identity())?, dir, index)
}

/// Opens such a handle for writing a tree's files; it must store no object.
pub(super) fn scratch_handle(repo: &Repo, dir: &Path, index: &Path) -> Result<git2::Repository, GitError> {
    within(open_scratch(repo.identity())?, dir, index)
}

fn within(handle: git2::Repository, dir: &Path, index: &Path) -> Result<git2::Repository, GitError> {
    let mut own = git2::Index::open(index).doing(|| format!("read the index `{}`", index.display()))?;
    handle
        .set_index(&mut own)
        .and_then(|()| handle.set_workdir(dir, false))
        .doing(|| format!("use the rules in `{}`", dir.display()))?;
    Ok(handle)
}
