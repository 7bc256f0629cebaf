//! Owns taking one landed change back out: a candidate that undoes what a merge brought. Never moves a ref.

use super::commit::{Author, write_commit};
use super::error::GitError;
use super::merge::{Merge, OnDisk, merge_trees};
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
            let base = write_commit((self, handle), merge.tree_id(), &[], "landed", author, when_ms)?;
            let side = |tree| write_commit((self, handle), tree, &[base], "side", author, when_ms);
            let named = [base, side(ours)?, side(before.tree_id())?];
            let trees = [merge.tree_id(), ours, before.tree_id()];
            match merge_trees(self, handle, trees, named, &mut OnDisk)? {
                Ok(tree) => {
                    let commit = write_commit((self, handle), tree, &[head], message, author, when_ms)?;
                    Ok(Merge::Clean { commit, tree: from_git(tree) })
                }
                Err(paths) => Ok(Merge::Conflict { paths }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, author, member};
    use super::*;

    #[test]
    fn one_landing_is_taken_out_and_the_others_stay() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("1\n2\n3\n4\n5\n6\n7\n8\n9\n")), ("b", Some("b\n"))]);
        let land = |head, files: &[(&str, Option<&str>)]| {
            let candidate = lab.on(base, files);
            let Merge::Clean { commit, .. } = lab.repo.merge(head, &member(candidate, base)).unwrap() else { panic!() };
            commit
        };
        let first = land(base, &[("a", Some("one\n2\n3\n4\n5\n6\n7\n8\n9\n")), ("n", Some("n\n"))]);
        let second = land(first, &[("a", Some("1\n2\n3\n4\n5\n6\n7\n8\nnine\n")), ("b", None)]);
        let Merge::Clean { commit, tree } = lab.repo.revert(second, first, "undo", &author(), 3_000).unwrap() else {
            panic!()
        };
        assert_eq!(lab.repo.commit_of(commit).unwrap().1, [second]);
        assert_eq!(lab.repo.read_path(tree, "a").unwrap().unwrap(), b"1\n2\n3\n4\n5\n6\n7\n8\nnine\n");
        assert_eq!(lab.repo.read_path(tree, "n").unwrap(), None);
        assert_eq!(lab.repo.read_path(tree, "b").unwrap(), None);
    }

    #[test]
    fn what_was_built_upon_is_a_conflict() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("1\n"))]);
        let first = lab.on(base, &[("a", Some("2\n"))]);
        let second = lab.on(first, &[("a", Some("3\n"))]);
        let reverted = lab.repo.revert(second, first, "undo", &author(), 3_000).unwrap();
        assert_eq!(reverted, Merge::Conflict { paths: vec!["a".to_owned()] });
    }
}
