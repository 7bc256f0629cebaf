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
        self.with(|handle| {
            let tree_of = |oid| objects::commit(handle, oid).map(|commit| commit.tree_id());
            let trees = [tree_of(member.base)?, tree_of(head)?, tree_of(member.candidate)?];
            match merge_trees(self, handle, trees, [member.base, head, member.candidate])? {
                Ok(tree) => {
                    let parents = [head, member.candidate];
                    let commit = write_commit(handle, tree, &parents, &member.message, &member.author, member.when_ms)?;
                    Ok(Merge::Clean { commit, tree: from_git(tree) })
                }
                Err(paths) => Ok(Merge::Conflict { paths }),
            }
        })
    }
}

/// Merges base, ours and theirs: the tree, or the paths in conflict. `named` are objects that the git program may be
/// told instead of the trees: commits where there are commits.
pub(super) fn merge_trees(
    repo: &Repo,
    handle: &git2::Repository,
    [base, ours, theirs]: [git2::Oid; 3],
    named: [Oid; 3],
) -> Result<Result<git2::Oid, Vec<String>>, GitError> {
    if base == ours || theirs == ours {
        return Ok(Ok(theirs));
    }
    if base == theirs {
        return Ok(Ok(ours));
    }
    let changes = raw_diff(handle, base, theirs)?;
    if let Some(edits) = one_sided(handle, [base, ours, theirs], &changes)? {
        return edit_tree(handle, Some(ours), &edits).map(Ok);
    }
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
        let both_new = before.is_none() && here.is_some() && !is_tree(here);
        if gone_here || gone_there || blocked_here || both_new {
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
