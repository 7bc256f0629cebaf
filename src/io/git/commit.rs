//! Owns making candidates: a commit from a base and a set of edits. The same input gives the same commit, so an
//! effect that is repeated after a crash makes nothing new. Never moves a ref.

use std::collections::BTreeMap;

use super::error::{Doing, GitError, plain};
use super::objects;
use super::path_law::why_refused;
use super::repo::{Repo, from_git, to_git};
use super::tree_edit::edit_tree;
use crate::model::ids::Oid;

/// Names who wrote a change: the agent's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// Says what a path becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A file with this content.
    Write {
        /// The content as git stores it.
        bytes: Vec<u8>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A file whose content is already in the object database.
    Blob {
        /// The content.
        oid: Oid,
        /// Its size in bytes.
        size: u64,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it points to, relative and inside the repository.
        target: String,
    },
    /// Nothing.
    Delete,
}

/// Names a commit that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// How many files differ from the base.
    pub files: u32,
}

impl Repo {
    /// Makes the commit that a base becomes by edits; where nothing differs, `files` is 0 and the tree is the base's.
    ///
    /// Objects are on disk when it returns. `when_ms` is in milliseconds since 1970 and the only clock.
    ///
    /// # Errors
    /// Fails on a path that may not be in a commit, on edits that cannot both hold, and where git fails.
    pub fn commit_edits(
        &self,
        base: Oid,
        edits: &BTreeMap<String, Edit>,
        message: &str,
        author: &Author,
        when_ms: i64,
    ) -> Result<Made, GitError> {
        for path in edits.keys() {
            if let Some(why) = why_refused(path) {
                return Err(GitError::Path { path: plain(path), why: why.to_owned() });
            }
        }
        self.with(|handle| {
            let base_tree = objects::commit(handle, base)?.tree_id();
            let tree = edit_tree(handle, Some(base_tree), &entries_of(handle, edits)?, &mut Vec::new())?;
            let files = super::diff::raw_diff(handle, base_tree, tree)?.len();
            let commit = write_commit((self, handle), tree, &[base], message, author, when_ms)?;
            Ok(Made { commit, tree: from_git(tree), files: u32::try_from(files).unwrap_or(u32::MAX) })
        })
    }
}

impl Repo {
    /// Makes a commit without a parent that holds these files and nothing else.
    ///
    /// # Errors
    /// Fails where git fails.
    pub fn commit_alone(
        &self,
        files: &BTreeMap<String, Edit>,
        message: &str,
        author: &Author,
        when_ms: i64,
    ) -> Result<Oid, GitError> {
        self.with(|handle| {
            let tree = edit_tree(handle, None, &entries_of(handle, files)?, &mut Vec::new())?;
            write_commit((self, handle), tree, &[], message, author, when_ms)
        })
    }
}

fn entries_of(
    handle: &git2::Repository,
    edits: &BTreeMap<String, Edit>,
) -> Result<BTreeMap<Vec<u8>, super::tree_edit::Entry>, GitError> {
    edits.iter().map(|(path, edit)| Ok((path.clone().into_bytes(), entry(handle, path, edit)?))).collect()
}

fn entry(handle: &git2::Repository, path: &str, edit: &Edit) -> Result<super::tree_edit::Entry, GitError> {
    let mode = |executable: bool| if executable { 0o100_755 } else { 0o100_644 };
    let blob = |bytes: &[u8]| handle.blob(bytes).doing(|| format!("store `{}`", plain(path)));
    Ok(match edit {
        Edit::Write { bytes, executable } => Some((blob(bytes)?, mode(*executable))),
        Edit::Blob { oid, executable, .. } => Some((to_git(*oid), mode(*executable))),
        Edit::Link { target } => Some((blob(target.as_bytes())?, 0o120_000)),
        Edit::Delete => None,
    })
}

/// Writes a commit whose committer is the coordinator, signed where the way to the repository has a key.
pub(super) fn write_commit(
    (repo, handle): (&Repo, &git2::Repository),
    tree: git2::Oid,
    parents: &[Oid],
    message: &str,
    author: &Author,
    when_ms: i64,
) -> Result<Oid, GitError> {
    let time = git2::Time::new(when_ms.div_euclid(1_000), 0);
    let sign = |name: &str, email: &str| {
        git2::Signature::new(&one_word(name, "agent"), &one_word(email, "agent@artel.invalid"), &time)
            .doing(|| "name the author of a commit".to_owned())
    };
    let author = sign(&author.name, &author.email)?;
    let committer = sign("artel", "artel@artel.invalid")?;
    let tree = objects::find_tree(handle, tree)?;
    let parents = parents.iter().map(|oid| objects::commit(handle, *oid)).collect::<Result<Vec<_>, _>>()?;
    let parents: Vec<_> = parents.iter().collect();
    let message = message.replace('\0', "\u{fffd}");
    let doing = || "write a commit".to_owned();
    let Some(signer) = repo.signer() else {
        let made = handle.commit(None, &author, &committer, &message, &tree, &parents).doing(doing)?;
        return Ok(from_git(made));
    };
    let unsigned = handle.commit_create_buffer(&author, &committer, &message, &tree, &parents).doing(doing)?;
    // The message and the names are text, hence so is the whole.
    let unsigned = String::from_utf8_lossy(&unsigned);
    let signature = signer.sign("git", unsigned.as_bytes())?;
    Ok(from_git(handle.commit_signed(&unsigned, signature.trim_end(), None).doing(doing)?))
}

/// Makes a name fit into one header line of a commit.
fn one_word(text: &str, otherwise: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).take(200).collect();
    let kept = kept.trim_matches(|c: char| c.is_whitespace() || ".,:;\"'\\".contains(c));
    if kept.is_empty() { otherwise.to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, author};
    use super::*;

    fn write(text: &str) -> Edit {
        Edit::Write { bytes: text.as_bytes().to_vec(), executable: false }
    }

    #[test]
    fn the_same_edits_give_the_same_commit() {
        let lab = Lab::new();
        let edits: BTreeMap<String, Edit> = [("d/x".to_owned(), write("x")), ("-y".to_owned(), write("y"))].into();
        let make = || lab.repo.commit_edits(lab.head(), &edits, "m", &author(), 86_400_999).unwrap();
        let made = make();
        assert_eq!(made, make());
        assert_eq!(made.files, 2);
        let shown = lab.git(&["log", "-1", "--format=%an %ae %at %cn %ct %s", &made.commit.to_string()]);
        assert_eq!(shown, "agent agent@example.invalid 86400 artel 86400 m");
        lab.git(&["fsck", "--strict"]);
    }

    #[test]
    fn a_tree_is_what_git_would_have_made() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("a")), ("d/b", Some("b")), ("d/e/c", Some("c")), ("z", Some("z"))]);
        let next = lab.on(base, &[("a", None), ("a/in", Some("1")), ("d/b", None), ("d/e/c", None), ("d", Some("2"))]);
        let paths: Vec<_> = lab.repo.files(lab.tree(next)).unwrap().files.into_iter().map(|f| f.path).collect();
        assert_eq!(paths, ["a/in", "d", "z"]);
        let index = lab.dir.path().join("index");
        let run = |args: &[&str]| {
            let done = std::process::Command::new("git")
                .current_dir(lab.path())
                .env("GIT_INDEX_FILE", &index)
                .args(args)
                .output()
                .unwrap();
            String::from_utf8(done.stdout).unwrap().trim().to_owned()
        };
        run(&["read-tree", &next.to_string()]);
        assert_eq!(run(&["write-tree"]), lab.tree(next).to_string());
        let none = lab.on(next, &[("a/in", None), ("d", None), ("z", None)]);
        assert!(lab.repo.files(lab.tree(none)).unwrap().files.is_empty());
    }

    #[test]
    fn names_that_are_not_utf8_stay_through_a_commit_beside_them() {
        let lab = Lab::new();
        use std::os::unix::ffi::OsStrExt;
        let odd = std::ffi::OsStr::from_bytes(b"d\xff.txt");
        std::fs::write(lab.path().join(odd), "odd").unwrap();
        lab.git(&["add", "-A"]);
        lab.git(&["commit", "-qm", "odd"]);
        let next = lab.on(lab.head(), &[("x", Some("x"))]);
        let files = lab.repo.files(lab.tree(next)).unwrap();
        assert_eq!(files.not_utf8[0].path, b"d\xff.txt");
        assert_eq!(files.files.len(), 1);
        let changes = lab.repo.diff(lab.tree(lab.head()), lab.tree(next)).unwrap();
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn hostile_paths_are_refused() {
        let lab = Lab::new();
        for path in [".git/hooks/post-commit", "a/../b", "/etc/x", "GIT~1/x", "a\u{7}"] {
            let edits: BTreeMap<String, Edit> = [(path.to_owned(), write("x"))].into();
            let refused = lab.repo.commit_edits(lab.head(), &edits, "m", &author(), 0);
            assert!(matches!(refused, Err(GitError::Path { .. })), "{path}");
        }
    }
}
