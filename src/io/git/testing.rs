//! Owns repositories for tests, made by real git in temporary folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::model::ids::Oid;

pub(super) struct Lab {
    pub(super) dir: tempfile::TempDir,
    pub(super) repo: Repo,
}

impl Lab {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("repo");
        std::fs::create_dir(&path).unwrap();
        git_in(&path, &["init", "-q", "-b", "main"]);
        git_in(&path, &["config", "user.name", "U"]);
        git_in(&path, &["config", "user.email", "u@example.invalid"]);
        git_in(&path, &["commit", "-q", "--allow-empty", "-m", "first"]);
        let repo = Repo::discover(&path).unwrap();
        Self { dir, repo }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        git_in(&self.path(), args)
    }

    pub(super) fn head(&self) -> Oid {
        self.repo.base(None).unwrap().commit
    }

    /// Commits edits on a commit, by our own hand.
    pub(super) fn on(&self, base: Oid, files: &[(&str, Option<&str>)]) -> Oid {
        let edits: BTreeMap<String, Edit> = files
            .iter()
            .map(|(path, text)| {
                let edit = match text {
                    Some(text) => Edit::Write { bytes: text.as_bytes().to_vec(), executable: false },
                    None => Edit::Delete,
                };
                ((*path).to_owned(), edit)
            })
            .collect();
        self.repo.commit_edits(base, &edits, "m", &author(), 1_000).unwrap().commit
    }

    pub(super) fn tree(&self, commit: Oid) -> Oid {
        self.repo.commit_of(commit).unwrap().0
    }

    pub(super) fn pool(&self, warm: &[&str]) -> Pool {
        let warm: Vec<String> = warm.iter().map(|one| (*one).to_owned()).collect();
        Pool::open(&self.repo, self.dir.path().join("pool"), &warm).unwrap()
    }
}

pub(super) fn author() -> Author {
    Author { name: "agent".to_owned(), email: "agent@example.invalid".to_owned() }
}

pub(super) fn member(candidate: Oid, base: Oid) -> Member {
    Member { candidate, base, message: "land".to_owned(), author: author(), when_ms: 2_000 }
}

pub(super) fn git_in(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
