//! Owns where a run begins: a name from a person becomes a commit. Never moves HEAD or a branch.

use git2::{ErrorCode, ObjectType};

use super::error::{Doing, GitError, plain};
use super::repo::{Repo, from_git};
use crate::model::ids::Oid;

/// Names the commit that a run begins from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// The local branch that was named or is checked out, without `refs/heads/`.
    pub branch: Option<String>,
}

impl Repo {
    /// Finds the commit of the user's HEAD.
    ///
    /// # Errors
    /// Fails where nothing was committed yet, or HEAD is broken.
    pub fn base_of_head(&self) -> Result<Base, GitError> {
        let handle = self.open_users()?;
        let head = handle.head().map_err(|source| {
            if matches!(source.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) {
                return GitError::NoCommits { path: self.workdir().unwrap_or(self.identity()).to_owned() };
            }
            GitError::Git { doing: "read HEAD".to_owned(), source }
        })?;
        let commit = head.peel_to_commit().doing(|| "read the commit of HEAD".to_owned())?;
        let branch = if head.is_branch() { head.shorthand().ok().map(str::to_owned) } else { None };
        Ok(Base { commit: from_git(commit.id()), tree: from_git(commit.tree_id()), branch })
    }

    /// Finds the commit that a person named by branch, tag, ref or sha; HEAD where nothing was named.
    ///
    /// # Errors
    /// Fails where the text names no commit, begins with `-`, or holds control characters.
    pub fn base(&self, spec: Option<&str>) -> Result<Base, GitError> {
        let Some(spec) = spec else { return self.base_of_head() };
        let wrong = |why: &str| GitError::Spec { spec: plain(spec), why: why.to_owned() };
        if spec.is_empty() || spec.starts_with('-') || spec.chars().any(char::is_control) {
            return Err(wrong("a commit's name is not empty, begins with no `-` and holds no control characters"));
        }
        let handle = self.open_users()?;
        let full = [format!("refs/heads/{spec}"), format!("refs/tags/{spec}"), spec.to_owned()];
        for name in full.iter().filter(|name| name.starts_with("refs/")) {
            let Ok(found) = handle.find_reference(name) else { continue };
            let commit = found.peel_to_commit().map_err(|_| wrong("it does not name a commit"))?;
            let branch = name.strip_prefix("refs/heads/").map(str::to_owned);
            return Ok(Base { commit: from_git(commit.id()), tree: from_git(commit.tree_id()), branch });
        }
        let commit = handle
            .revparse_single(spec)
            .and_then(|object| object.peel(ObjectType::Commit))
            .map_err(|error| wrong(&format!("no branch, tag or commit has that name ({})", plain(error.message()))))?;
        let commit = commit.into_commit().map_err(|_| wrong("it is not a commit"))?;
        Ok(Base { commit: from_git(commit.id()), tree: from_git(commit.tree_id()), branch: None })
    }

    /// Finds the tree and the parents of a commit.
    ///
    /// # Errors
    /// Fails where there is no such commit.
    pub fn commit_of(&self, commit: Oid) -> Result<(Oid, Vec<Oid>), GitError> {
        self.with(|handle| {
            let found = super::objects::commit(handle, commit)?;
            Ok((from_git(found.tree_id()), found.parent_ids().map(from_git).collect()))
        })
    }
}
