//! Owns taking one landed change back out: a candidate that undoes what a merge brought. Never moves a ref.

use super::commit::{Author, write_commit};
use super::error::GitError;
use super::merge::{Merge, merge_trees};
use super::objects;
use super::repo::{Repo, from_git};
use crate::model::ids::Oid;

impl Repo {
    /// Makes a candidate on `head` in which what `landed` brought against its first parent is taken back out.
    ///
    /// # Errors
    /// Fails where `landed` has no parent, an object is missing, or the git program is needed and cannot serve.
    pub fn revert(
        &self,
        head: Oid,
        landed: Oid,
        message: &str,
        author: &Author,
        when_ms: i64,
    ) -> Result<Merge, GitError> {
        self.with(|handle| {
            let merge = objects::commit(handle, landed)?;
            let before = merge.parent(0).map_err(|_| GitError::Spec {
                spec: landed.to_string(),
                why: "it has no parent to go back to".to_owned(),
            })?;
            let ours = objects::commit(handle, head)?.tree_id();
            // The merge is undone by merging its first parent with the merge itself as common ancestor. The git
            // program finds that ancestor only when it is named, which needs trees wrapped in commits of that shape.
            let base = write_commit(handle, merge.tree_id(), &[], "landed", author, when_ms)?;
            let side = |tree| write_commit(handle, tree, &[base], "side", author, when_ms);
            let named = [base, side(ours)?, side(before.tree_id())?];
            match merge_trees(self, handle, [merge.tree_id(), ours, before.tree_id()], named)? {
                Ok(tree) => {
                    let commit = write_commit(handle, tree, &[head], message, author, when_ms)?;
                    Ok(Merge::Clean { commit, tree: from_git(tree) })
                }
                Err(paths) => Ok(Merge::Conflict { paths }),
            }
        })
    }
}
