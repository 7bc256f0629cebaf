//! Owns what can go wrong with git, said so that a person knows what to do next.

use std::path::{Path, PathBuf};

use crate::io::signing::SigningError;

/// Says what was tried with git, and on what; reads well after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository was found at or above a folder.
    #[error("find a git repository at or above `{}`: go into one, or make one with `git init`", path.display())]
    NotARepository {
        /// Where the search began.
        path: PathBuf,
    },
    /// The repository belongs to another user, and git refuses such.
    #[error(
        "open the repository at `{path}`: it belongs to another user; if you trust it: \
         `git config --global --add safe.directory {path}`", path = path.display()
    )]
    NotOwned {
        /// Where the repository is.
        path: PathBuf,
        /// What libgit2 said.
        source: git2::Error,
    },
    /// There is no commit to begin from.
    #[error("find a commit in `{}`: nothing was committed yet; make a first commit", path.display())]
    NoCommits {
        /// Where the repository is.
        path: PathBuf,
    },
    /// A commit could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The repository is of a kind that is not supported.
    #[error("use the repository at `{}`: {what} is not supported; {next}", path.display())]
    Unsupported {
        /// Where the repository is.
        path: PathBuf,
        /// What is not supported.
        what: &'static str,
        /// What a person can do.
        next: &'static str,
    },
    /// A checkout is needed and there is none.
    #[error("find a checkout of `{}`: the repository is bare", path.display())]
    Bare {
        /// Where the repository is.
        path: PathBuf,
    },
    /// A name of a branch, tag or commit names no commit.
    #[error("find the commit `{spec}`: {why}")]
    Spec {
        /// What was asked for, without control characters.
        spec: String,
        /// Why it is none.
        why: String,
    },
    /// A path may not be in a candidate.
    #[error("put `{path}` into a commit: {why}")]
    Path {
        /// The path, without control characters.
        path: String,
        /// Why it is refused.
        why: String,
    },
    /// A ref stayed locked.
    #[error("lock the ref `{name}`: `{}` is in the way; if no git command runs, remove that file", lock.display())]
    RefLocked {
        /// The ref.
        name: String,
        /// The lock file.
        lock: PathBuf,
    },
    /// A ref's name collides with another's.
    #[error("make the ref `{name}`: a ref whose name is a part of it, or that lies below it, is in the way")]
    RefNameTaken {
        /// The ref.
        name: String,
        /// What libgit2 said.
        source: git2::Error,
    },
    /// A worktree of the pool was removed or replaced under us.
    #[error("read the worktree `{}`: it is gone", path.display())]
    TreeGone {
        /// Where it was.
        path: PathBuf,
    },
    /// A worktree holds more files than can be taken in.
    #[error("take in the worktree `{}`: it holds more than {cap} files that are not ignored", path.display())]
    TooManyFiles {
        /// The worktree.
        path: PathBuf,
        /// The most that is taken in.
        cap: usize,
    },
    /// Changed files hold more than can be taken in.
    #[error("take in the worktree `{}`: its changed files hold more than {cap} bytes", path.display())]
    TooManyBytes {
        /// The worktree.
        path: PathBuf,
        /// The most that is taken in.
        cap: u64,
    },
    /// Another process uses the pool.
    #[error("open the worktree pool `{}`: another process uses it", path.display())]
    PoolBusy {
        /// Where the pool is.
        path: PathBuf,
    },
    /// The git program is older than what is needed.
    #[error("merge with git {found}: git 2.38 or newer is needed")]
    GitTooOld {
        /// What `git --version` said.
        found: String,
    },
    /// The git program failed.
    #[error("run `git {what}`: {said}")]
    Program {
        /// The command.
        what: String,
        /// The end of what it said.
        said: String,
    },
    /// Something with a file failed.
    #[error("{doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Something in libgit2 failed.
    #[error("{doing}")]
    Git {
        /// What was tried, and on what.
        doing: String,
        /// What libgit2 said.
        source: git2::Error,
    },
}

impl GitError {
    /// Tells whether the machine or the repository is at fault, such as a full disk, and not what was worked on.
    pub fn is_of_the_machine(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match self {
            Self::Io { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem),
            Self::Git { source, .. } => source.class() == git2::ErrorClass::Os && source.message().contains("No space"),
            Self::NotARepository { .. }
            | Self::NotOwned { .. }
            | Self::RefLocked { .. }
            | Self::RefNameTaken { .. }
            | Self::PoolBusy { .. }
            | Self::GitTooOld { .. }
            | Self::Program { .. }
            | Self::Signing(_) => true,
            Self::NoCommits { .. }
            | Self::Unsupported { .. }
            | Self::Bare { .. }
            | Self::Spec { .. }
            | Self::Path { .. }
            | Self::TreeGone { .. }
            | Self::TooManyFiles { .. }
            | Self::TooManyBytes { .. } => false,
        }
    }
}

/// Adds what was tried to a result of libgit2.
pub(super) trait Doing<T> {
    /// Names what was tried, and on what.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, GitError>;
}

impl<T> Doing<T> for Result<T, git2::Error> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, GitError> {
        self.map_err(|source| GitError::Git { doing: what(), source })
    }
}

/// Adds what was tried to a result of the file system.
pub(super) trait OnFile<T> {
    /// Names what was tried on which file.
    fn on(self, doing: &'static str, path: &Path) -> Result<T, GitError>;
}

impl<T> OnFile<T> for Result<T, std::io::Error> {
    fn on(self, doing: &'static str, path: &Path) -> Result<T, GitError> {
        self.map_err(|source| GitError::Io { doing, path: path.to_owned(), source })
    }
}

impl<T> OnFile<T> for Result<T, rustix::io::Errno> {
    fn on(self, doing: &'static str, path: &Path) -> Result<T, GitError> {
        self.map_err(|errno| GitError::Io { doing, path: path.to_owned(), source: errno.into() })
    }
}

/// Shows hostile text on one line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_machine_s_fault_and_a_vanished_worktree_is_not() {
        let io = |kind| GitError::Io { doing: "write", path: "x".into(), source: std::io::Error::from(kind) };
        assert!(io(std::io::ErrorKind::StorageFull).is_of_the_machine());
        assert!(!io(std::io::ErrorKind::PermissionDenied).is_of_the_machine());
        assert!(!GitError::TreeGone { path: "x".into() }.is_of_the_machine());
        let full =
            git2::Error::new(git2::ErrorCode::GenericError, git2::ErrorClass::Os, "write: No space left on device");
        assert!(GitError::Git { doing: "store".to_owned(), source: full }.is_of_the_machine());
    }
}
