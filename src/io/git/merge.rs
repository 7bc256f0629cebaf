//! Owns merging in memory: exactly, where only one side touched each path; by `git merge-tree` otherwise.
//! Never needs a checkout and never moves a ref.

use std::collections::{BTreeMap, BTreeSet};

use super::commit::{Author, write_commit};
use super::diff::{RawChange, raw_diff};
use super::error::GitError;
use super::objects::{self, entry};
use super::oracle;
use super::repo::{Repo, from_git, to_git};
use super::tree_edit::edit_tree;
use crate::model::ids::Oid;

/// Says what a merge came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// It went through.
    Clean {
        /// The merge commit.
        commit: Oid,
        /// Its tree.
        tree: Oid,
    },
    /// Both sides changed the same.
    Conflict {
        /// Where, sorted; what is not UTF-8 with replacement characters.
        paths: Vec<String>,
    },
}

/// Names one candidate of a chain of merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The candidate.
    pub candidate: Oid,
    /// The commit that it was made from.
    pub base: Oid,
    /// The merge commit's message.
    pub message: String,
    /// Who wrote the candidate.
    pub author: Author,
    /// The merge commit's time, in milliseconds since 1970.
    pub when_ms: i64,
}

impl Repo {
    /// Merges what a candidate changed since its base into a head; the commit has the parents head and candidate.
    ///
    /// The same input gives the same commit. Objects are on disk when it returns.
    ///
    /// # Errors
    /// Fails where an object is missing, or where the git program is needed and is missing or too old.
    pub fn merge(&self, head: Oid, member: &Member) -> Result<Merge, GitError> {
        self.with(|handle| merge_one(self, handle, head, member, &mut OnDisk))
    }
}

/// Receives the objects that a merge wrote.
pub(super) trait Written {
    /// Hears of objects.
    fn add(&mut self, oids: &[git2::Oid]);
    /// Sees to it that other programs see all objects that were heard of.
    fn publish(&mut self) -> Result<(), GitError>;
}

/// Needs to do nothing, for objects that are written to disk one by one.
pub(super) struct OnDisk;

impl Written for OnDisk {
    fn add(&mut self, _: &[git2::Oid]) {}
    fn publish(&mut self) -> Result<(), GitError> {
        Ok(())
    }
}

/// Merges one member into a head through a handle.
pub(super) fn merge_one(
    repo: &Repo,
    handle: &git2::Repository,
    head: Oid,
    member: &Member,
    written: &mut dyn Written,
) -> Result<Merge, GitError> {
    let tree_of = |oid| objects::commit(handle, oid).map(|commit| commit.tree_id());
    let trees = [tree_of(member.base)?, tree_of(head)?, tree_of(member.candidate)?];
    match merge_trees(repo, handle, trees, [member.base, head, member.candidate], written)? {
        Ok(tree) => {
            let parents = [head, member.candidate];
            let commit = write_commit((repo, handle), tree, &parents, &member.message, &member.author, member.when_ms)?;
            written.add(&[to_git(commit)]);
            Ok(Merge::Clean { commit, tree: from_git(tree) })
        }
        Err(paths) => Ok(Merge::Conflict { paths }),
    }
}

/// Merges base, ours and theirs: the tree, or the paths in conflict. `named` are objects that the git program may be
/// told instead of the trees: commits where there are commits.
pub(super) fn merge_trees(
    repo: &Repo,
    handle: &git2::Repository,
    [base, ours, theirs]: [git2::Oid; 3],
    named: [Oid; 3],
    written: &mut dyn Written,
) -> Result<Result<git2::Oid, Vec<String>>, GitError> {
    if base == ours || theirs == ours {
        return Ok(Ok(theirs));
    }
    if base == theirs {
        return Ok(Ok(ours));
    }
    let changes = raw_diff(handle, base, theirs)?;
    if let Some(edits) = one_sided(handle, [base, ours, theirs], &changes)? {
        let mut trees = Vec::new();
        let merged = edit_tree(handle, Some(ours), &edits, &mut trees)?;
        written.add(&trees);
        return Ok(Ok(merged));
    }
    written.publish()?;
    oracle::merge_tree(repo, named).map(|result| result.map(to_git))
}

/// Gives the edits that turn ours into the merge, where each changed path and its surroundings are ours as in the base.
fn one_sided(
    handle: &git2::Repository,
    [base, ours, theirs]: [git2::Oid; 3],
    changes: &[RawChange],
) -> Result<Option<BTreeMap<Vec<u8>, super::tree_edit::Entry>>, GitError> {
    let mut edits = BTreeMap::new();
    let mut folders: BTreeSet<&[u8]> = BTreeSet::new();
    for change in changes {
        if change.new.is_some_and(|(_, mode)| !is_plain(mode)) {
            return Ok(None);
        }
        if entry(handle, base, &change.path)? != entry(handle, ours, &change.path)? {
            return Ok(None);
        }
        if change.old.is_none() || change.new.is_none() {
            folders.extend(parents(&change.path));
        }
        edits.insert(change.path.clone(), change.new);
    }
    for folder in folders {
        let at = |tree| entry(handle, tree, folder);
        let (before, here, there) = (at(base)?, at(ours)?, at(theirs)?);
        let is_tree = |found: Option<(git2::Oid, u32)>| found.is_some_and(|(_, mode)| mode == 0o040_000);
        let gone_here = is_tree(before) && !is_tree(here);
        let gone_there = is_tree(before) && !is_tree(there) && before != here;
        let blocked_here = here.is_some() && !is_tree(here) && here != before;
        if gone_here || gone_there || blocked_here {
            return Ok(None);
        }
    }
    Ok(Some(edits))
}

/// Lists the folders above a path, the root excepted.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at])
}

/// Tells whether a mode is one that git itself writes.
fn is_plain(mode: u32) -> bool {
    matches!(mode, 0o100_644 | 0o100_755 | 0o120_000 | 0o160_000)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, git_in, member};
    use super::*;
    use std::collections::BTreeMap;

    type Files = BTreeMap<String, String>;

    fn apply(lab: &Lab, base: Oid, before: &Files, after: &Files) -> Oid {
        let mut edits: Vec<(&str, Option<&str>)> = Vec::new();
        edits.extend(before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.as_str(), None)));
        edits.extend(
            after
                .iter()
                .filter(|(path, text)| before.get(*path) != Some(*text))
                .map(|(path, text)| (path.as_str(), Some(text.as_str()))),
        );
        lab.on(base, &edits)
    }

    fn mutate(chance: &mut fastrand::Rng, files: &mut Files) {
        let Some(path) = chance.choice(files.keys().cloned().collect::<Vec<_>>()) else { return };
        match chance.u8(..9) {
            0..=2 => {
                let mut lines: Vec<String> = files[&path].lines().map(str::to_owned).collect();
                let at = chance.usize(..lines.len());
                lines[at] = format!("changed {}", chance.u8(..3));
                files.insert(path, lines.join("\n") + "\n");
            }
            3 => {
                let names = ["new", "other", "other/new", "d0/new", "d0/new/x", "d1/new", "d1/deep/new"];
                let name = names[chance.usize(..names.len())];
                if !blocked(files, name) {
                    files.insert(name.to_owned(), format!("new {}\n", chance.u8(..2)));
                }
            }
            4 => drop(files.remove(&path)),
            5 => {
                let text = files.remove(&path).unwrap();
                let to = format!("{}/moved{}", ["d0", "d2", "d1/deep"][chance.usize(..3)], chance.u8(..3));
                let to = if blocked(files, &to) { path } else { to };
                files.insert(to, text);
            }
            6 => {
                let (from, to) = [("d0/", "e0/"), ("d1/", "d1x/"), ("d1/deep/", "deep/")][chance.usize(..3)];
                let moved: Vec<_> = files.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for path in moved {
                    let text = files.remove(&path).unwrap();
                    files.insert(path.replacen(from, to, 1), text);
                }
            }
            7 => {
                let text = files.remove(&path).unwrap();
                files.insert(format!("{path}/inside"), text);
            }
            _ => {
                if let Some((folder, _)) = path.split_once('/') {
                    let folder = folder.to_owned();
                    files.retain(|path, _| !path.starts_with(&format!("{folder}/")));
                    files.insert(folder, "a file now\n".to_owned());
                }
            }
        }
    }

    fn blocked(files: &Files, path: &str) -> bool {
        let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
        above.any(|folder| files.contains_key(folder))
            || files.keys().any(|other| other.starts_with(&format!("{path}/")))
    }

    #[test]
    fn every_merge_is_what_git_merge_tree_says() {
        let lab = Lab::new();
        let mut chance = fastrand::Rng::with_seed(7);
        let mut base_files = Files::new();
        for path in ["a", "b", "d0/a", "d0/b", "d1/a", "d1/b", "d1/deep/a", "d1/deep/b", "d2/a"] {
            let text: String = (0..12).map(|line| format!("{path} line {line}\n")).collect();
            base_files.insert(path.to_owned(), text);
        }
        let base = apply(&lab, lab.head(), &Files::new(), &base_files);
        let (mut clean, mut conflicts) = (0, 0);
        for round in 0..320 {
            let (mut ours, mut theirs) = (base_files.clone(), base_files.clone());
            for _ in 0..chance.usize(1..4) {
                mutate(&mut chance, &mut ours);
            }
            for _ in 0..chance.usize(1..4) {
                mutate(&mut chance, &mut theirs);
            }
            let head = apply(&lab, base, &base_files, &ours);
            let candidate = apply(&lab, base, &base_files, &theirs);
            let said = std::process::Command::new("git")
                .current_dir(lab.path())
                .args(["merge-tree", "--write-tree", "--name-only", "--no-messages"])
                .args([head.to_string(), candidate.to_string()])
                .output()
                .unwrap();
            let text = String::from_utf8(said.stdout).unwrap();
            match lab.repo.merge(head, &member(candidate, base)).unwrap() {
                Merge::Clean { tree, .. } => {
                    clean += 1;
                    assert_eq!((said.status.code(), text.trim()), (Some(0), tree.to_string().as_str()), "{round}");
                }
                Merge::Conflict { paths } => {
                    conflicts += 1;
                    assert_eq!(said.status.code(), Some(1), "round {round}: {text}");
                    let mut named: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
                    named.sort_unstable();
                    named.dedup();
                    assert_eq!(paths, named, "round {round}");
                }
            }
        }
        assert!(clean > 50 && conflicts > 50, "{clean} clean, {conflicts} conflicts: both kinds must be met");
    }

    #[test]
    fn disjoint_changes_need_no_git_program_and_keep_both() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("a\n")), ("d/b", Some("b\n"))]);
        let (one, two) = (lab.on(base, &[("a", Some("1\n"))]), lab.on(base, &[("d/b", None), ("n/c", Some("2\n"))]));
        let handle = git2::Repository::open(lab.path()).unwrap();
        let trees = [base, one, two].map(|commit| to_git(lab.tree(commit)));
        let changes = raw_diff(&handle, trees[0], trees[2]).unwrap();
        assert!(one_sided(&handle, trees, &changes).unwrap().is_some());
        let Merge::Clean { commit, tree } = lab.repo.merge(one, &member(two, base)).unwrap() else { panic!() };
        assert_eq!(lab.repo.commit_of(commit).unwrap().1, [one, two]);
        let paths: Vec<_> = lab.repo.files(tree).unwrap().files.into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["a", "n/c"]);
        assert_eq!(lab.repo.merge(one, &member(two, base)).unwrap(), Merge::Clean { commit, tree });
    }

    #[test]
    fn a_merge_driver_that_the_repository_names_never_runs() {
        let lab = Lab::new();
        let proof = lab.dir.path().join("proof");
        lab.git(&["config", "merge.evil.driver", &format!("touch {}", proof.display())]);
        std::fs::write(lab.path().join(".git/info/attributes"), "* merge=evil\n").unwrap();
        std::fs::write(lab.path().join(".gitattributes"), "* merge=evil\n").unwrap();
        let base = lab.on(lab.head(), &[("a", Some("1\n2\n3\n")), (".gitattributes", Some("* merge=evil\n"))]);
        let (one, two) = (lab.on(base, &[("a", Some("x\n2\n3\n"))]), lab.on(base, &[("a", Some("1\n2\ny\n"))]));
        lab.repo.merge(one, &member(two, base)).unwrap();
        assert!(!proof.exists());
        git_in(&lab.path(), &["merge-tree", "--write-tree", &one.to_string(), &two.to_string()]);
        assert!(proof.exists(), "plain git does run it: the trap is real");
    }

    #[test]
    fn a_new_file_where_the_other_side_made_a_folder_is_a_conflict() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("1\n"))]);
        let (file, folder) = (lab.on(base, &[("x", Some("file\n"))]), lab.on(base, &[("x/y/z", Some("in\n"))]));
        for (head, candidate) in [(file, folder), (folder, file)] {
            let merge = lab.repo.merge(head, &member(candidate, base)).unwrap();
            assert!(matches!(merge, Merge::Conflict { .. }), "{merge:?}");
        }
    }

    #[test]
    fn the_same_lines_are_a_conflict_with_its_paths() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("1\n"))]);
        let (one, two) = (lab.on(base, &[("a", Some("2\n"))]), lab.on(base, &[("a", Some("3\n"))]));
        assert_eq!(lab.repo.merge(one, &member(two, base)).unwrap(), Merge::Conflict { paths: vec!["a".to_owned()] });
    }
}
