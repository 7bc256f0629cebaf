//! Owns looking into a worktree while its agent may write there: which files there are and what is in them, as they are
//! at that moment. Never follows a link, and never changes anything.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

use super::error::{Doing, GitError};
use super::pool::Tree;
use super::repo::Repo;
use super::walk::{Root, join};
use super::{checkout, rules};
use crate::model::ids::Oid;

/// Most files that are listed; a tree with more is listed in part.
const FILES: usize = 200_000;
/// Deepest folder that is looked into.
const DEPTH: usize = 64;

/// Looks into one worktree.
#[derive(Debug, Clone)]
pub struct Glance {
    path: PathBuf,
    commit: Oid,
    rules: PathBuf,
    repo: Repo,
}

impl Tree {
    /// Gives what looks into the tree as it is, for as long as it is there.
    pub fn glance(&self) -> Glance {
        let (path, rules) = (self.path().to_owned(), self.rules.clone());
        Glance { path, commit: self.commit(), rules, repo: self.repo.clone() }
    }
}

impl Glance {
    /// Gives the commit that the worktree was made from.
    pub fn commit(&self) -> Oid {
        self.commit
    }

    /// Lists the regular files whose paths are UTF-8, sorted: those of the commit, and those that it does not ignore.
    ///
    /// # Errors
    /// `TreeGone` where the tree was removed or replaced.
    pub fn files(&self) -> Result<Vec<String>, GitError> {
        let (tree, _) = self.repo.commit_of(self.commit)?;
        let known = self.repo.files(tree)?.files.into_iter().map(|file| file.path).collect();
        let root = Root::open(&self.path)?;
        let rules = rules::handle(&self.repo, &self.rules)?;
        let mut looking = Looking { root: &root, rules, known, found: Vec::new() };
        looking.folder(b"", 0)?;
        Ok(looking.found)
    }

    /// Reads a file of at most as many bytes; nothing where there is no such file, or none that is read.
    pub fn read(&self, path: &str, most: u64) -> Option<Vec<u8>> {
        let (file, stat) = Root::open(&self.path).ok()?.file(path.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        let is_small = u64::try_from(stat.st_size).is_ok_and(|size| size <= most);
        // It may grow meanwhile.
        let read = is_small && file.take(most + 1).read_to_end(&mut bytes).is_ok();
        (read && bytes.len() as u64 <= most).then_some(bytes)
    }
}

struct Looking<'a> {
    root: &'a Root,
    rules: git2::Repository,
    known: BTreeSet<String>,
    found: Vec<String>,
}

impl Looking<'_> {
    fn folder(&mut self, folder: &[u8], depth: usize) -> Result<(), GitError> {
        // What went away meanwhile holds nothing.
        let Ok(entries) = self.root.list(folder) else { return Ok(()) };
        let is_other = !folder.is_empty() && entries.iter().any(|(name, _)| name == b".git");
        if depth > DEPTH || is_other {
            return Ok(());
        }
        for (name, stat) in entries {
            let path = join(folder, &name);
            let Ok(text) = String::from_utf8(path.clone()) else { continue };
            if self.found.len() >= FILES || text == ".git" {
                continue;
            }
            match stat.st_mode & 0o170_000 {
                0o040_000 if self.holds_below(&text) || !self.is_ignored(&[&path, &b"/"[..]].concat())? => {
                    self.folder(&path, depth + 1)?;
                }
                0o100_000 if self.known.contains(&text) || !self.is_ignored(&path)? => self.found.push(text),
                _ => {}
            }
        }
        Ok(())
    }

    fn holds_below(&self, folder: &str) -> bool {
        let beginning = format!("{folder}/");
        self.known.range(beginning.clone()..).next().is_some_and(|path| path.starts_with(&beginning))
    }

    fn is_ignored(&self, path: &[u8]) -> Result<bool, GitError> {
        self.rules.status_should_ignore(checkout::path_of(path)).doing(|| "read the ignore rules".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::testing::Lab;
    use super::*;

    #[test]
    fn a_worktree_is_seen_as_it_is_and_nothing_outside_of_it() {
        let lab = Lab::new();
        let files = [("keep", "k"), ("gone", "g"), ("out/kept", "o"), (".gitignore", "*.log\nout/\n"), ("src/a", "a")];
        let files = files.map(|(path, text)| (path, Some(text)));
        let tree = lab.pool(&[]).take(lab.on(lab.head(), &files)).unwrap();
        let at = |path: &str| tree.path().join(path);
        let secret = lab.dir.path().join("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("key"), "secret").unwrap();
        fs::remove_file(at("gone")).unwrap();
        fs::write(at("keep"), "changed").unwrap();
        for (path, text) in [("new", "n"), ("a.log", "l"), ("out/new", "n"), ("src/b", "b")] {
            fs::write(at(path), text).unwrap();
        }
        // What the agent writes into the rules hides nothing.
        fs::write(at(".gitignore"), "*\n").unwrap();
        symlink(&secret, at("link")).unwrap();
        symlink(secret.join("key"), at("src/key")).unwrap();
        fs::create_dir_all(at("nest/.git")).unwrap();
        fs::write(at("nest/x"), "x").unwrap();
        let pipe = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), pipe, rustix::fs::Mode::from_raw_mode(0o644), 0).unwrap();
        let glance = tree.glance();
        assert_eq!(glance.files().unwrap(), [".gitignore", "keep", "new", "out/kept", "src/a", "src/b"]);
        assert_eq!(glance.read("keep", 7).as_deref(), Some(&b"changed"[..]));
        for (path, most) in [
            ("keep", 6),
            ("gone", 9),
            ("link/key", 9),
            ("src/key", 9),
            ("pipe", 9),
            ("src", 9),
            ("../secret/key", 9),
            ("/etc/hostname", 99),
            ("", 9),
        ] {
            assert_eq!(glance.read(path, most), None, "{path}");
        }
        fs::remove_dir_all(tree.path()).unwrap();
        symlink(&secret, tree.path()).unwrap();
        assert!(matches!(glance.files(), Err(GitError::TreeGone { .. })));
        assert_eq!(glance.read("key", 9), None);
    }
}
