//! Owns the rules by which a pooled worktree is read and written: the base commit's own ignore and attribute files,
//! kept beside the tree, where what an agent writes into the tree has no effect on them.
//!
//! A handle from here has that folder as its checkout and an index of nothing, so that the user's index, checkout and
//! whatever a worktree's git side holds are never looked at. libgit2 runs no external filter.

use std::fs;
use std::path::{Path, PathBuf};

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

/// Tells whether an attribute that changes bytes is named in any file that such a handle reads attributes from: the
/// commit's own, the repository's, the user's and the machine's.
pub(super) fn mention_conversion(handle: &git2::Repository) -> Result<bool, GitError> {
    let own = handle.workdir().map(Path::to_owned).unwrap_or_default();
    let config = handle.config().doing(|| "read git's configuration".to_owned())?;
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    let user = config.get_path("core.attributesfile").ok().or_else(|| Some(home?.join("git/attributes")));
    let beside = [Some(handle.commondir().join("info/attributes")), user, Some("/etc/gitattributes".into())];
    let mut files: Vec<PathBuf> = beside.into_iter().flatten().collect();
    let mut folders = vec![own];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).on("list", &folder)?.flatten() {
            let list = if entry.path().is_dir() { &mut folders } else { &mut files };
            list.push(entry.path());
        }
    }
    let mentions =
        |text: &[u8]| [&b"eol"[..], b"ident"].iter().any(|word| text.windows(word.len()).any(|it| it == *word));
    Ok(files.iter().any(|file| match fs::read(file) {
        Ok(text) => mentions(&text),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }))
}

/// Opens a handle that reads its rules from such a folder; it may store objects.
pub(super) fn handle(repo: &Repo, dir: &Path) -> Result<git2::Repository, GitError> {
    within(open(repo.identity())?, dir)
}

/// Opens such a handle for writing a tree's files; it must store no object.
pub(super) fn scratch_handle(repo: &Repo, dir: &Path) -> Result<git2::Repository, GitError> {
    within(open_scratch(repo.identity())?, dir)
}

fn within(handle: git2::Repository, dir: &Path) -> Result<git2::Repository, GitError> {
    let set = git2::Index::new().and_then(|mut nothing| handle.set_index(&mut nothing));
    set.and_then(|()| handle.set_workdir(dir, false)).doing(|| format!("use the rules in `{}`", dir.display()))?;
    Ok(handle)
}
