//! Owns writing a tree that differs from another at a few paths; the cost follows the change.
//! Never reads or writes a working tree.

use std::collections::BTreeMap;

use super::error::{Doing, GitError, plain};
use super::objects::find_tree;

/// What a path shall be: an object and its mode, or nothing.
pub(super) type Entry = Option<(git2::Oid, u32)>;

/// Writes the tree that `base` becomes by the edits; `None` as base is the empty tree.
///
/// A file that takes the place of a folder removes what lay below it, and a folder takes the place of a file.
///
/// The trees that were written are added to `written`.
///
/// # Errors
/// Fails where two edits cannot both hold, or an object is missing.
pub(super) fn edit_tree(
    handle: &git2::Repository,
    base: Option<git2::Oid>,
    edits: &BTreeMap<Vec<u8>, Entry>,
    written: &mut Vec<git2::Oid>,
) -> Result<git2::Oid, GitError> {
    let edits: Vec<(&[u8], Entry)> = edits.iter().map(|(path, entry)| (path.as_slice(), *entry)).collect();
    match level(handle, base, &edits, written)? {
        Some(tree) => Ok(tree),
        None => {
            let empty = handle.treebuilder(None).and_then(|builder| builder.write());
            let empty = empty.doing(|| "write the empty tree".to_owned())?;
            written.push(empty);
            Ok(empty)
        }
    }
}

fn level(
    handle: &git2::Repository,
    base: Option<git2::Oid>,
    edits: &[(&[u8], Entry)],
    written: &mut Vec<git2::Oid>,
) -> Result<Option<git2::Oid>, GitError> {
    let base = base.map(|oid| find_tree(handle, oid)).transpose()?;
    let mut builder = handle.treebuilder(base.as_ref()).doing(|| "build a tree".to_owned())?;
    let mut by_name: BTreeMap<&[u8], Vec<(&[u8], Entry)>> = BTreeMap::new();
    for (path, entry) in edits {
        let (name, rest) = match path.iter().position(|byte| *byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (*path, &path[path.len()..]),
        };
        by_name.entry(name).or_default().push((rest, *entry));
    }
    for (name, below) in by_name {
        let shown = || plain(&String::from_utf8_lossy(name));
        let direct = below.iter().find(|(rest, _)| rest.is_empty()).map(|(_, entry)| *entry);
        let below: Vec<_> = below.iter().filter(|(rest, _)| !rest.is_empty()).copied().collect();
        let writes_below = below.iter().any(|(_, entry)| entry.is_some());
        let old = base.as_ref().and_then(|tree| tree.get_name_bytes(name)).map(|e| (e.id(), e.filemode_raw()));
        let old_tree = old.filter(|(_, mode)| mode & 0o170_000 == 0o040_000).map(|(oid, _)| oid);
        let new = match direct {
            Some(Some(_)) if writes_below => {
                return Err(GitError::Path { path: shown(), why: "it would be a file and a folder".to_owned() });
            }
            Some(Some((oid, mode))) => Some((oid, mode)),
            Some(None) if below.is_empty() => None,
            Some(None) | None if old_tree.is_none() && !writes_below && direct.is_none() => continue,
            Some(None) | None => level(handle, old_tree, &below, written)?.map(|oid| (oid, 0o040_000)),
        };
        match new {
            Some((oid, mode)) => {
                builder.insert(name, oid, mode.cast_signed()).doing(|| format!("put `{}` into a tree", shown()))?;
            }
            None if old.is_some() => builder.remove(name).doing(|| format!("take `{}` from a tree", shown()))?,
            None => {}
        }
    }
    if builder.is_empty() {
        return Ok(None);
    }
    let tree = builder.write().doing(|| "write a tree".to_owned())?;
    written.push(tree);
    Ok(Some(tree))
}
