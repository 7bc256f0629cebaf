//! Owns facts for a person who looks for what is wrong: git's version, left-over locks, orphaned worktrees of ours.
//! Never mends anything.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use super::admin;
use super::locks::Lock;
use super::repo::Repo;

/// Lists what `doctor` tells about git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What `git --version` says; `None` where git is not installed.
    pub git: Option<String>,
    /// Whether it can merge in memory (2.38 or newer).
    pub can_merge: bool,
    /// Left-over lock files.
    pub locks: Vec<Lock>,
    /// Names of our worktrees in the git directory whose folder is gone.
    pub orphans: Vec<String>,
}

impl Repo {
    /// Gathers facts about git and this repository.
    pub fn doctor(&self, now: SystemTime) -> Facts {
        Facts {
            git: git_version_text(),
            can_merge: git_version().is_some_and(|version| version >= (2, 38)),
            locks: self.locks(now),
            orphans: admin::orphans(self.identity()),
        }
    }
}

/// Tells the git program's version; `None` where it is not installed.
pub fn git_version() -> Option<(u32, u32)> {
    let text = git_version_text()?;
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Tells the git program's version as it says it, such as `2.47.3`.
pub(super) fn git_version_text() -> Option<String> {
    static TEXT: OnceLock<Option<String>> = OnceLock::new();
    TEXT.get_or_init(|| {
        let output = Command::new("git").arg("--version").stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.split_whitespace().nth(2).map(str::to_owned)
    })
    .clone()
}
