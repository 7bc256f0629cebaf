//! Owns anchors: texts kept in a ref as a line of commits without files, each upon the one before it, so that whoever
//! fetched an earlier one sees that the line was cut. Never reads what they say.

use std::ops::ControlFlow;

use super::commit::{Author, write_commit};
use super::error::{Doing, GitError};
use super::objects;
use super::refs::Swap;
use super::repo::{Repo, from_git, to_git};
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

    /// Shows the texts of an anchor, the newest first, for as long as `see` goes on; tells whether there is such an anchor.
    /// It is named by a whole ref or a whole commit id, for whoever may name it must not search the repository by that.
    ///
    /// # Errors
    /// Fails where the name is neither, and where a commit is missing.
    pub fn anchors(&self, name: &str, mut see: impl FnMut(&str) -> ControlFlow<()>) -> Result<bool, GitError> {
        let oid = name.parse::<Oid>().ok();
        if oid.is_none() && !is_whole(name) {
            let why = "write the whole name of a ref, such as refs/heads/main, or all 40 digits of a commit".to_owned();
            return Err(GitError::Spec { spec: super::error::plain(name), why });
        }
        self.with(|handle| {
            let found = match oid {
                Some(oid) => handle.find_object(to_git(oid), None).and_then(|found| found.peel_to_commit()),
                None => handle.find_reference(name).and_then(|found| found.peel_to_commit()),
            };
            let Ok(tip) = found else { return Ok(false) };
            let mut at = Some(from_git(tip.id()));
            while let Some(oid) = at {
                let commit = objects::commit(handle, oid)?;
                if see(&String::from_utf8_lossy(commit.message_bytes())).is_break() {
                    break;
                }
                at = commit.parent_id(0).ok().map(from_git);
            }
            Ok(true)
        })
    }

    fn message_of(&self, oid: Oid) -> Result<String, GitError> {
        self.with(|handle| Ok(String::from_utf8_lossy(objects::commit(handle, oid)?.message_bytes()).into_owned()))
    }
}

/// Tells whether a text names one ref and no other: from `refs/` on, or one that stands outside, such as `FETCH_HEAD`.
fn is_whole(name: &str) -> bool {
    let stands_outside = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    git2::Reference::is_valid_name(name) && (stands_outside || name.starts_with("refs/"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Lab;
    use super::*;

    /// Gives at most `limit` texts of an anchor; none where there is no such anchor.
    fn texts(repo: &Repo, name: &str, limit: usize) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        let is_there = repo.anchors(name, |text| {
            texts.push(text.to_owned());
            if texts.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        is_there.unwrap().then_some(texts)
    }

    #[test]
    fn an_anchor_keeps_each_text_once_the_newest_first() {
        let lab = Lab::new();
        let name = "refs/artel/r-1/anchor";
        assert_eq!(texts(&lab.repo, name, 9), None);
        for text in ["one\n", "two\n", "two\n", "three\n"] {
            lab.repo.add_anchor(name, text, 5_000).unwrap();
        }
        assert_eq!(texts(&lab.repo, name, 9).unwrap(), ["three\n", "two\n", "one\n"]);
        assert_eq!(texts(&lab.repo, name, 2).unwrap(), ["three\n", "two\n"]);
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
        let mut kept = texts(&lab.repo, name, 9).unwrap();
        kept.sort();
        assert_eq!(kept, ["0\n", "1\n", "2\n"]);
    }

    #[test]
    fn an_anchor_is_named_whole_and_never_searched_for() {
        let lab = Lab::new();
        let name = "refs/artel/r-1/anchor";
        lab.repo.add_anchor(name, "one\n", 5_000).unwrap();
        let tip = lab.git(&["rev-parse", name]);
        assert_eq!(texts(&lab.repo, &tip, 9).unwrap(), ["one\n"]);
        lab.git(&["fetch", "--quiet", ".", name]);
        assert_eq!(texts(&lab.repo, "FETCH_HEAD", 9).unwrap(), ["one\n"]);
        assert_eq!(texts(&lab.repo, &"0".repeat(40), 9), None);
        lab.git(&["tag", "kept", &tip]);
        for name in ["", "kept", ":/one", "HEAD~1", "refs/tags/kept^{/one}", "tags/kept", "refs/../HEAD", &tip[..12]] {
            let fault = lab.repo.anchors(name, |text| panic!("{name} found {text}")).unwrap_err();
            assert!(matches!(fault, GitError::Spec { .. }), "{name}: {fault:?}");
        }
    }
}
