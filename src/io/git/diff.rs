//! Owns the difference between two trees, for machines and for people. Never detects renames, runs a filter or a
//! program.

use std::collections::BTreeMap;

use git2::{DiffFormat, DiffOptions};

use super::error::{Doing, GitError};
use super::objects::{FOLDER, find_tree};
use super::repo::{Repo, from_git, to_git};
use super::walk::join;
use crate::model::ids::Oid;

/// Says how one path differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path; where it is not UTF-8, with replacement characters.
    pub path: String,
    /// Whether `path` is the true name.
    pub utf8: bool,
    /// What happened to it.
    pub kind: ChangeKind,
    /// What was there.
    pub old: Option<Side>,
    /// What is there.
    pub new: Option<Side>,
}

/// Says what happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// Its content or its executable bit differs.
    Modified,
    /// It is no longer there.
    Deleted,
    /// It became another kind of thing: a file, a link or a submodule.
    TypeChanged,
}

/// Describes one side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// The git mode.
    pub mode: u32,
    /// The blob, or a submodule's commit.
    pub oid: Oid,
    /// The size in bytes; 0 for a submodule.
    pub size: u64,
}

impl Repo {
    /// Lists the paths that differ, sorted by path.
    ///
    /// # Errors
    /// Fails where a tree or blob is missing.
    pub fn diff(&self, old: Oid, new: Oid) -> Result<Vec<Change>, GitError> {
        self.with(|handle| {
            let odb = handle.odb().doing(|| "open the object database".to_owned())?;
            let side = |raw: Option<(git2::Oid, u32)>| -> Result<Option<Side>, GitError> {
                let Some((oid, mode)) = raw else { return Ok(None) };
                let size = if mode == 0o160_000 {
                    0
                } else {
                    odb.read_header(oid).doing(|| format!("read the size of {oid}"))?.0 as u64
                };
                Ok(Some(Side { mode, oid: from_git(oid), size }))
            };
            let mut changes = Vec::new();
            for raw in raw_diff(handle, to_git(old), to_git(new))? {
                let utf8 = std::str::from_utf8(&raw.path).is_ok();
                let path = String::from_utf8_lossy(&raw.path).into_owned();
                let kind = raw.kind();
                changes.push(Change { path, utf8, kind, old: side(raw.old)?, new: side(raw.new)? });
            }
            Ok(changes)
        })
    }

    /// Counts the lines that were added or taken out between two trees, also of files that are not text: a byte that makes
    /// a file look so hides none of its lines.
    ///
    /// # Errors
    /// Fails where a tree or blob is missing.
    pub fn count_lines(&self, old: Oid, new: Oid) -> Result<u64, GitError> {
        self.with(|handle| {
            let (old, new) = (find_tree(handle, to_git(old))?, find_tree(handle, to_git(new))?);
            let mut options = DiffOptions::new();
            options.ignore_submodules(false).context_lines(0).force_text(true);
            let diff = handle
                .diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))
                .doing(|| "compare two trees".to_owned())?;
            let stats = diff.stats().doing(|| "count the lines that differ".to_owned())?;
            Ok((stats.insertions() + stats.deletions()) as u64)
        })
    }

    /// Writes a unified diff for people; control characters are left for the caller to disarm.
    ///
    /// # Errors
    /// Fails where a tree or blob is missing.
    pub fn patch(&self, old: Oid, new: Oid) -> Result<String, GitError> {
        self.with(|handle| {
            let (old, new) = (find_tree(handle, to_git(old))?, find_tree(handle, to_git(new))?);
            let mut options = DiffOptions::new();
            options.ignore_submodules(false).max_size(16 << 20);
            let diff = handle
                .diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))
                .doing(|| "compare two trees".to_owned())?;
            let mut text = String::new();
            diff.print(DiffFormat::Patch, |_, _, line| {
                if matches!(line.origin(), '+' | '-' | ' ') {
                    text.push(line.origin());
                }
                text.push_str(&String::from_utf8_lossy(line.content()));
                true
            })
            .doing(|| "write a patch".to_owned())?;
            Ok(text)
        })
    }
}

/// Holds a changed path with its bytes and both entries.
pub(super) struct RawChange {
    /// The path's bytes.
    pub(super) path: Vec<u8>,
    /// What was there: object and mode.
    pub(super) old: Option<(git2::Oid, u32)>,
    /// What is there.
    pub(super) new: Option<(git2::Oid, u32)>,
}

impl RawChange {
    fn kind(&self) -> ChangeKind {
        match (self.old, self.new) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Deleted,
            (Some((_, a)), Some((_, b))) if a & 0o170_000 == b & 0o170_000 => ChangeKind::Modified,
            (Some(_), Some(_)) => ChangeKind::TypeChanged,
        }
    }
}

/// Names an object and its mode, where there is one.
type Entry = Option<(git2::Oid, u32)>;

/// Lists changed paths by their bytes, in order; a path that changes its kind appears once. Looks only into folders that
/// differ, where libgit2's own comparison walks beside those that do not.
pub(super) fn raw_diff(handle: &git2::Repository, old: git2::Oid, new: git2::Oid) -> Result<Vec<RawChange>, GitError> {
    if old == new {
        return Ok(Vec::new());
    }
    let (mut changes, mut folders) = (Vec::new(), vec![([old, new].map(Some), Vec::new())]);
    while let Some((sides, folder)) = folders.pop() {
        let mut entries: BTreeMap<Vec<u8>, [Entry; 2]> = BTreeMap::new();
        for (side, tree) in sides.into_iter().enumerate() {
            let Some(tree) = tree else { continue };
            for entry in &find_tree(handle, tree)? {
                let told = (entry.id(), entry.filemode().unsigned_abs());
                entries.entry(entry.name_bytes().to_vec()).or_default()[side] = Some(told);
            }
        }
        for (name, sides) in entries.into_iter().filter(|(_, [old, new])| old != new) {
            let path = join(&folder, &name);
            let inside = sides.map(|side| side.filter(|(_, mode)| *mode == FOLDER).map(|(tree, _)| tree));
            let [old, new] = sides.map(|side| side.filter(|(_, mode)| *mode != FOLDER));
            if inside != [None, None] {
                folders.push((inside, path.clone()));
            }
            if old != new {
                changes.push(RawChange { path, old, new });
            }
        }
    }
    changes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Lab;
    use super::*;

    #[test]
    fn each_kind_of_change_is_told_with_both_sides() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("d", Some("d")), ("m", Some("m\n")), ("t", Some("t")), ("u", Some("u"))]);
        let edits = [
            ("a".to_owned(), super::super::Edit::Write { bytes: b"added\n".to_vec(), executable: true }),
            ("d".to_owned(), super::super::Edit::Delete),
            ("m".to_owned(), super::super::Edit::Write { bytes: b"mm\n".to_vec(), executable: false }),
            ("t".to_owned(), super::super::Edit::Link { target: "u".to_owned() }),
        ];
        let next = lab.repo.commit_edits(base, &edits.into(), "m", &super::super::testing::author(), 1).unwrap();
        assert_eq!(next.files, 4);
        let changes = lab.repo.diff(lab.tree(base), next.tree).unwrap();
        let told: Vec<_> = changes.iter().map(|one| (one.path.as_str(), one.kind)).collect();
        use ChangeKind::{Added, Deleted, Modified, TypeChanged};
        assert_eq!(told, [("a", Added), ("d", Deleted), ("m", Modified), ("t", TypeChanged)]);
        assert_eq!(changes[0].new.map(|side| (side.mode, side.size)), Some((0o100_755, 6)));
        assert_eq!((changes[0].old, changes[1].new), (None, None));
        assert_eq!(changes[3].new.map(|side| side.mode), Some(0o120_000));
        let patch = lab.repo.patch(lab.tree(base), next.tree).unwrap();
        assert!(patch.contains("-m\n+mm\n") && patch.contains("new file mode 100755"), "{patch}");
    }

    #[test]
    fn lines_count_also_where_a_byte_makes_their_file_look_like_no_text() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("one\ntwo\n"))]);
        let bytes = b"\0one\ntwo\nthree\nfour\n".to_vec();
        let edits = [("a".to_owned(), super::super::Edit::Write { bytes, executable: false })];
        let next = lab.repo.commit_edits(base, &edits.into(), "m", &super::super::testing::author(), 1).unwrap();
        assert_eq!(lab.repo.count_lines(lab.tree(base), next.tree).unwrap(), 4, "one is changed, two are new");
    }
}
