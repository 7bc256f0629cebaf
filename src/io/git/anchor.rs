//! Owns anchors: texts kept in a ref as a line of commits without files, each upon the one before it, so that whoever
//! fetched an earlier one sees that the line was cut. Never reads what they say.

use super::commit::{Author, write_commit};
use super::error::{Doing, GitError};
use super::objects;
use super::refs::Swap;
use super::repo::{Repo, from_git};
use crate::model::ids::Oid;

/// How often an anchor is set anew because another process has set one meanwhile.
const TRIES: u32 = 5;

impl Repo {
    /// Adds a text to an anchor; does nothing where it is the last one already. On disk when it returns.
    ///
    /// # Errors
    /// Fails where the ref stays locked or is moved by others all the time, and where git fails.
    pub fn add_anchor(&self, name: &str, text: &str, when_ms: i64) -> Result<(), GitError> {
        let author = Author { name: "artel".to_owned(), email: "artel@artel.invalid".to_owned() };
        for _ in 0..TRIES {
            let tip = self.ref_target(name)?;
            if let Some(tip) = tip
                && self.message_of(tip)? == text
            {
                return Ok(());
            }
            let parents: Vec<Oid> = tip.into_iter().collect();
            let made = self.with(|handle| {
                let none = handle.treebuilder(None).and_then(|tree| tree.write());
                let none = none.doing(|| "write a tree without files".to_owned())?;
                write_commit((self, handle), none, &parents, text, &author, when_ms)
            })?;
            match self.compare_and_swap(name, tip, made, "artel: anchor the journal")? {
                Swap::Done | Swap::AlreadyThere => return Ok(()),
                Swap::Found(_) => {}
            }
        }
        let why = "others move it all the time".to_owned();
        Err(GitError::Spec { spec: super::error::plain(name), why })
    }

    /// Gives at most `limit` texts of an anchor, the newest first; none where there is no such ref or commit.
    ///
    /// # Errors
    /// Fails where a commit is missing.
    pub fn anchors(&self, name: &str, limit: usize) -> Result<Option<Vec<String>>, GitError> {
        self.with(|handle| {
            let Ok(tip) = handle.revparse_single(name).and_then(|found| found.peel_to_commit()) else {
                return Ok(None);
            };
            let mut texts = Vec::new();
            let mut at = Some(from_git(tip.id()));
            while let Some(oid) = at.filter(|_| texts.len() < limit) {
                let commit = objects::commit(handle, oid)?;
                texts.push(String::from_utf8_lossy(commit.message_bytes()).into_owned());
                at = commit.parent_id(0).ok().map(from_git);
            }
            Ok(Some(texts))
        })
    }

    fn message_of(&self, oid: Oid) -> Result<String, GitError> {
        self.with(|handle| Ok(String::from_utf8_lossy(objects::commit(handle, oid)?.message_bytes()).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Lab;

    #[test]
    fn an_anchor_keeps_each_text_once_the_newest_first() {
        let lab = Lab::new();
        let name = "refs/artel/r-1/anchor";
        assert_eq!(lab.repo.anchors(name, 9).unwrap(), None);
        for text in ["one\n", "two\n", "two\n", "three\n"] {
            lab.repo.add_anchor(name, text, 5_000).unwrap();
        }
        assert_eq!(lab.repo.anchors(name, 9).unwrap().unwrap(), ["three\n", "two\n", "one\n"]);
        assert_eq!(lab.git(&["rev-list", "--count", name]), "3");
        assert_eq!(lab.git(&["ls-tree", "-r", name]), "");
        assert_eq!(lab.git(&["fsck", "--strict", "--no-dangling"]), "");
    }

    #[test]
    fn of_many_who_anchor_at_once_each_text_is_kept() {
        let lab = Lab::new();
        let name = "refs/artel/r-1/anchor";
        std::thread::scope(|scope| {
            for one in 0..3 {
                let repo = lab.repo.clone();
                scope.spawn(move || repo.add_anchor(name, &format!("{one}\n"), 5_000).unwrap());
            }
        });
        let mut kept = lab.repo.anchors(name, 9).unwrap().unwrap();
        kept.sort();
        assert_eq!(kept, ["0\n", "1\n", "2\n"]);
    }
}
