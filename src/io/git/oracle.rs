//! Owns asking the git program for a merge, where renames or overlapping hunks need its judgement.
//!
//! It runs in a throw-away git directory that borrows the repository's objects: no config, hook, attribute, merge
//! driver or promised remote of the repository is ever seen by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::doctor::{git_version, git_version_text};
use super::error::{GitError, OnFile, plain};
use super::repo::Repo;
use crate::model::ids::Oid;

/// Merges base, ours and theirs: the tree, or the paths in conflict.
pub(super) fn merge_tree(repo: &Repo, [base, ours, theirs]: [Oid; 3]) -> Result<Result<Oid, Vec<String>>, GitError> {
    let version = git_version().unwrap_or_default();
    if version < (2, 38) {
        let found = git_version_text().unwrap_or_else(|| "that is not installed".to_owned());
        return Err(GitError::GitTooOld { found });
    }
    let scratch = Scratch::new()?;
    let mut git = scratch.git(repo);
    git.args(["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"]);
    if version >= (2, 40) {
        git.arg(format!("--merge-base={base}"));
    }
    git.arg("--end-of-options").arg(ours.to_string()).arg(theirs.to_string());
    let output = git.output().on("start the program", Path::new("git"))?;
    read_answer(&output)
}

fn read_answer(output: &Output) -> Result<Result<Oid, Vec<String>>, GitError> {
    let wrong = || GitError::Program {
        what: "merge-tree".to_owned(),
        said: plain(String::from_utf8_lossy(&output.stderr).trim()),
    };
    let mut parts = output.stdout.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    let tree = parts.next().and_then(|first| std::str::from_utf8(first).ok()).and_then(|text| text.trim().parse().ok());
    match (output.status.code(), tree) {
        (Some(0), Some(tree)) => Ok(Ok(tree)),
        (Some(1), Some(_)) => {
            let mut paths: Vec<String> = parts.map(|path| String::from_utf8_lossy(path).into_owned()).collect();
            paths.sort_unstable();
            paths.dedup();
            Ok(Err(paths))
        }
        _ => Err(wrong()),
    }
}

/// Holds a git directory of its own that is removed again.
struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    fn new() -> Result<Self, GitError> {
        let name = format!("artel-merge-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let dir = std::env::temp_dir().join(name);
        let make = |dir: &Path| -> Result<(), std::io::Error> {
            use std::os::unix::fs::DirBuilderExt;
            fs::DirBuilder::new().mode(0o700).create(dir)?;
            fs::create_dir_all(dir.join("refs/heads"))?;
            fs::create_dir(dir.join("objects"))?;
            fs::write(dir.join("HEAD"), "ref: refs/heads/none\n")
        };
        make(&dir).on("make the folder", &dir)?;
        Ok(Self { dir })
    }

    /// Prepares a git command that sees the repository's objects and nothing else of it.
    fn git(&self, repo: &Repo) -> Command {
        let mut git = Command::new("git");
        git.env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
            .env("LC_ALL", "C")
            .env("HOME", &self.dir)
            .env("GIT_DIR", &self.dir)
            .env("GIT_OBJECT_DIRECTORY", repo.identity().join("objects"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .current_dir(&self.dir)
            .stdin(Stdio::null());
        let shallow = repo.identity().join("shallow");
        if shallow.exists() {
            git.env("GIT_SHALLOW_FILE", shallow);
        }
        for setting in [
            "core.bare=true",
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.attributesFile=/dev/null",
            "core.fsync=all",
            "core.fsyncMethod=fsync",
            "protocol.allow=never",
            "gc.auto=0",
            "maintenance.auto=false",
        ] {
            git.args(["-c", setting]);
        }
        git
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is an empty folder among temporary files.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
