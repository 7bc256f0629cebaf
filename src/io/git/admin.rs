//! Owns the git side of a pooled worktree: its folder below `worktrees/` in the common git directory.
//! Never makes a branch, and never follows what stands in a tree's `.git`.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{GitError, OnFile};
use super::walk::remove_any;
use crate::model::ids::Oid;

/// How the names of our worktrees begin.
pub(super) const OURS: &str = "artel-";

/// Shows where the git side of a worktree lies.
pub(super) fn place(common: &Path, id: &str) -> PathBuf {
    common.join("worktrees").join(format!("{OURS}{id}"))
}

/// Shows where git's record of what was written into a worktree lies.
pub(super) fn index(common: &Path, id: &str) -> PathBuf {
    place(common, id).join("index")
}

/// Makes, or makes anew, the git side of a worktree: HEAD at a commit, and nothing that a former user left.
///
/// `gitdir` is written last: git takes no notice of a folder without it, so a half-made one disturbs nobody.
pub(super) fn write(common: &Path, id: &str, tree: &Path, commit: Oid) -> Result<(), GitError> {
    let dir = place(common, id);
    fs::create_dir_all(&dir).on("make the folder", &dir)?;
    for entry in fs::read_dir(&dir).on("list", &dir)?.flatten() {
        if !["HEAD", "commondir", "gitdir", "index"].iter().any(|kept| entry.file_name() == *kept) {
            remove_any(&entry.path()).on("remove", &entry.path())?;
        }
    }
    replace(&dir.join("commondir"), b"../..\n")?;
    replace(&dir.join("HEAD"), format!("{commit}\n").as_bytes())?;
    let mut back = tree.join(".git").into_os_string().into_encoded_bytes();
    back.push(b'\n');
    replace(&dir.join("gitdir"), &back)
}

/// Writes the `.git` file of a tree, whatever stands in its place.
pub(super) fn write_link(common: &Path, id: &str, tree: &Path) -> Result<(), GitError> {
    let link = tree.join(".git");
    if fs::symlink_metadata(&link).is_ok_and(|meta| meta.is_dir()) {
        remove_any(&link).on("remove", &link)?;
    }
    let mut content = b"gitdir: ".to_vec();
    content.extend_from_slice(place(common, id).as_os_str().as_encoded_bytes());
    content.push(b'\n');
    replace(&link, &content)
}

/// Removes the git side of a worktree, in its place: under another name nobody would know whose it was, were this
/// process killed half-way. The file by which it is known goes last.
pub(super) fn remove(common: &Path, id: &str) -> Result<(), GitError> {
    let dir = place(common, id);
    if fs::symlink_metadata(&dir).is_ok_and(|meta| meta.is_dir()) {
        // What cannot be removed so is removed as a whole below.
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten().filter(|entry| entry.file_name() != "gitdir") {
            let _ = remove_any(&entry.path());
        }
        let _ = remove_any(&dir.join("gitdir"));
        let _ = fs::remove_dir(&dir);
    }
    remove_any(&dir).on("remove", &dir)?;
    // Git removes the folder of all worktrees with the last one; it is not empty where there are others.
    let _ = fs::remove_dir(common.join("worktrees"));
    Ok(())
}

/// Lists our worktrees, by id, with the folder that each points to; `None` where it points nowhere.
pub(super) fn ours(common: &Path) -> Vec<(String, Option<PathBuf>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.strip_prefix(OURS)) else { continue };
        let back = fs::read_to_string(entry.path().join("gitdir")).ok();
        let tree = back.and_then(|text| Path::new(text.trim_end()).parent().map(Path::to_owned));
        found.push((id.to_owned(), tree));
    }
    found.sort_unstable();
    found
}

/// Lists our worktrees whose folder is gone, by name.
pub(super) fn orphans(common: &Path) -> Vec<String> {
    let gone = |tree: &Option<PathBuf>| tree.as_ref().is_none_or(|tree| !tree.is_dir());
    ours(common).into_iter().filter(|(_, tree)| gone(tree)).map(|(id, _)| format!("{OURS}{id}")).collect()
}

/// Puts a file in place of whatever has its name, without following a link.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), GitError> {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) && fs::read(path).is_ok_and(|there| there == content)
    {
        return Ok(());
    }
    let beside = path.with_extension("artel-new");
    remove_any(&beside).on("remove", &beside)?;
    fs::write(&beside, content).on("write", &beside)?;
    fs::rename(&beside, path).on("write", path)
}
