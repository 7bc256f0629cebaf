//! Owns the way to a repository: where it is, and open handles to it. Never follows the environment's `GIT_*`.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use git2::{ConfigLevel, ErrorCode, RepositoryOpenFlags};

use super::durable::Flushed;
use super::error::{GitError, OnFile};
use super::packs::Pack;
use crate::io::signing::Signer;
use crate::model::ids::Oid;

/// What the coordinator's own handles are told, above the user's config and without writing to it: objects and refs
/// are on disk before a call returns, and what a checkout writes does not depend on where the repository came from.
const OVERLAY: &[u8] = b"[core]\n\tfsyncObjectFiles = true\n\tsafecrlf = false\n\tsymlinks = true\n\tfilemode = true\n\
    \tignorecase = false\n\ttrustctime = true\n\tcheckStat = default\n";

/// The same for a handle that only writes what can be made again: a pooled tree's files and its record. A tree that
/// was in use when the machine died is swept, never trusted.
const SCRATCH: &[u8] =
    b"[core]\n\tfsyncObjectFiles = false\n\tsafecrlf = false\n\tsymlinks = true\n\tfilemode = true\n\
    \tignorecase = false\n\ttrustctime = true\n\tcheckStat = default\n";

/// Holds the way to one repository; cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Repo {
    inner: Arc<Inner>,
    signer: Option<Arc<Signer>>,
}

struct Inner {
    common: PathBuf,
    git_dir: PathBuf,
    workdir: Option<PathBuf>,
    idle: Mutex<Vec<git2::Repository>>,
    flushed: Mutex<Option<Flushed>>,
    small_packs: Mutex<Vec<Pack>>,
}

impl std::fmt::Debug for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repo").field("common", &self.inner.common).finish_non_exhaustive()
    }
}

impl Repo {
    /// Finds the repository that a folder lies in: also from a sub-folder, a linked worktree, or inside a bare one.
    ///
    /// # Errors
    /// Says what is wrong and what to do: no repository, another user's, or of a kind that is not supported.
    pub fn discover(start: &Path) -> Result<Self, GitError> {
        let found = git2::Repository::discover(start).map_err(|error| explain(error, start))?;
        let common = found.commondir().canonicalize().on("find the git directory", found.commondir())?;
        let git_dir = found.path().canonicalize().on("find the git directory", found.path())?;
        let workdir = match found.workdir() {
            Some(dir) => Some(dir.canonicalize().on("find the checkout", dir)?),
            None => None,
        };
        if workdir.is_some() {
            found.index().map_err(|error| explain(error, start))?;
        }
        let (idle, flushed, small_packs) = Default::default();
        let inner = Inner { common, git_dir, workdir, idle, flushed, small_packs };
        Ok(Self { inner: Arc::new(inner), signer: None })
    }

    /// Has all commits that are made through this way be signed.
    #[must_use]
    pub fn signing(self, signer: Arc<Signer>) -> Self {
        Self { signer: Some(signer), ..self }
    }

    /// Shows what signs commits, if anything.
    pub(super) fn signer(&self) -> Option<&Signer> {
        self.signer.as_deref()
    }

    /// Shows the canonical common git directory: the same for all worktrees of a repository, hence its identity.
    pub fn identity(&self) -> &Path {
        &self.inner.common
    }

    /// Shows the git directory of the checkout from which the repository was found.
    pub fn git_dir(&self) -> &Path {
        &self.inner.git_dir
    }

    /// Shows the user's checkout, if there is one.
    pub fn workdir(&self) -> Option<&Path> {
        self.inner.workdir.as_deref()
    }

    /// Tells whether there is no checkout.
    pub fn is_bare(&self) -> bool {
        self.inner.workdir.is_none()
    }

    /// Shows how the folder of objects looked when it was flushed last.
    pub(super) fn flushed(&self) -> &Mutex<Option<Flushed>> {
        &self.inner.flushed
    }

    /// Shows the small packs that were written through this way.
    pub(super) fn small_packs(&self) -> &Mutex<Vec<Pack>> {
        &self.inner.small_packs
    }

    /// Lends an open handle on the common directory; handles are kept and opened again when all are lent.
    pub(super) fn with<T>(&self, act: impl FnOnce(&git2::Repository) -> Result<T, GitError>) -> Result<T, GitError> {
        let kept = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let handle = match kept {
            Some(handle) => handle,
            None => open(&self.inner.common)?,
        };
        let result = act(&handle);
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        result
    }

    /// Opens a handle on the user's own git directory, to read its HEAD, index and checkout.
    pub(super) fn open_users(&self) -> Result<git2::Repository, GitError> {
        open(&self.inner.git_dir)
    }
}

/// Opens a git directory, and nothing above it, with the coordinator's own settings on top.
pub(super) fn open(git_dir: &Path) -> Result<git2::Repository, GitError> {
    static FILE: OnceLock<OwnedFd> = OnceLock::new();
    open_under(git_dir, overlay(&FILE, OVERLAY))
}

/// Opens a git directory for writing pooled trees: what it writes is not synced, so it must store no object.
pub(super) fn open_scratch(git_dir: &Path) -> Result<git2::Repository, GitError> {
    static FILE: OnceLock<OwnedFd> = OnceLock::new();
    open_under(git_dir, overlay(&FILE, SCRATCH))
}

fn open_under(git_dir: &Path, overlay: Result<&'static OwnedFd, std::io::Error>) -> Result<git2::Repository, GitError> {
    let none: [&str; 0] = [];
    let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT;
    let handle = git2::Repository::open_ext(git_dir, flags, none).map_err(|error| explain(error, git_dir))?;
    let overlay = overlay.on("make a file in memory", Path::new("memfd"))?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", overlay.as_raw_fd()));
    handle
        .config()
        .and_then(|mut config| config.add_file(&path, ConfigLevel::App, false))
        .map_err(|error| explain(error, git_dir))?;
    Ok(handle)
}

fn overlay(file: &'static OnceLock<OwnedFd>, settings: &[u8]) -> Result<&'static OwnedFd, std::io::Error> {
    if let Some(file) = file.get() {
        return Ok(file);
    }
    let made = rustix::fs::memfd_create("artel-git-config", rustix::fs::MemfdFlags::CLOEXEC)?;
    rustix::io::write(&made, settings)?;
    Ok(file.get_or_init(|| made))
}

fn explain(error: git2::Error, path: &Path) -> GitError {
    let path = path.to_owned();
    let said = error.message().to_lowercase();
    let unsupported = |what, next| GitError::Unsupported { path: path.clone(), what, next };
    if error.code() == ErrorCode::Owner {
        return GitError::NotOwned { path, source: error };
    }
    if said.contains("object format") || said.contains("objectformat") {
        return unsupported("the SHA-256 object format", "use a SHA-1 repository");
    }
    if said.contains("refstorage") {
        return unsupported("the reftable ref format", "run `git refs migrate --ref-format=files`");
    }
    if said.contains("sdir") || said.contains("sparse") {
        return unsupported("a sparse index", "run `git sparse-checkout reapply --no-sparse-index`");
    }
    if said.contains("unsupported extension") {
        return unsupported("an extension that its config names", "look at `git config --get-regexp extensions`");
    }
    if error.code() == ErrorCode::NotFound {
        return GitError::NotARepository { path };
    }
    GitError::Git { doing: format!("open the repository at `{}`", path.display()), source: error }
}

/// Converts our name of an object to libgit2's.
pub(super) fn to_git(oid: Oid) -> git2::Oid {
    git2::Oid::from_bytes(&oid.0).unwrap_or(git2::Oid::ZERO_SHA1)
}

/// Converts libgit2's name of an object to ours.
pub(super) fn from_git(oid: git2::Oid) -> Oid {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&oid.as_bytes()[..20]);
    Oid(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, git_in};
    use super::*;

    #[test]
    fn it_is_found_from_a_sub_folder_a_worktree_and_a_bare_one_with_one_identity() {
        let lab = Lab::new();
        let sub = lab.path().join("a/b");
        std::fs::create_dir_all(&sub).unwrap();
        let linked = lab.dir.path().join("linked");
        lab.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
        for start in [&sub, &linked] {
            assert_eq!(Repo::discover(start).unwrap().identity(), lab.repo.identity());
        }
        let from_linked = Repo::discover(&linked).unwrap();
        assert_eq!(from_linked.workdir(), Some(linked.canonicalize().unwrap().as_path()));
        assert_eq!(from_linked.base(None).unwrap().branch.as_deref(), Some("side"));
        assert_eq!(lab.repo.base(None).unwrap().branch.as_deref(), Some("main"));
        let bare = lab.dir.path().join("bare.git");
        lab.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        let bare = Repo::discover(&bare).unwrap();
        assert!(bare.is_bare() && !from_linked.is_bare());
        assert_eq!(bare.base(Some("main")).unwrap().commit, lab.head());
        let survey = bare.survey(lab.head(), std::time::SystemTime::now()).unwrap();
        assert!(!survey.dirty);
        let pool = super::super::Pool::open(&bare, lab.dir.path().join("p"), &[]).unwrap();
        let tree = pool.take(lab.head()).unwrap();
        assert_eq!(git_in(tree.path(), &["status", "--porcelain"]), "");
    }

    #[test]
    fn each_thing_that_is_wrong_is_said_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let none = Repo::discover(dir.path()).unwrap_err();
        assert!(none.to_string().contains("git init"), "{none}");
        git_in(dir.path(), &["init", "-q"]);
        let unborn = Repo::discover(dir.path()).unwrap().base(None).unwrap_err();
        assert!(matches!(unborn, GitError::NoCommits { .. }), "{unborn}");
        let new = dir.path().join("sha256");
        git_in(dir.path(), &["init", "-q", "--object-format=sha256", new.to_str().unwrap()]);
        let error = Repo::discover(&new).unwrap_err();
        assert!(matches!(error, GitError::Unsupported { .. }), "{error:?}");
        let new = dir.path().join("reftable");
        git_in(dir.path(), &["init", "-q", "--ref-format=reftable", new.to_str().unwrap()]);
        let error = Repo::discover(&new).unwrap_err();
        assert!(matches!(error, GitError::Unsupported { .. }), "{error:?}");
    }

    #[test]
    fn another_users_repository_is_refused_with_the_way_out() {
        let lab = Lab::new();
        if !rustix::process::geteuid().is_root() {
            // Only root can give a folder away.
            return;
        }
        let stranger = Some(rustix::fs::Uid::from_raw(12_345));
        for path in [lab.path(), lab.path().join(".git")] {
            rustix::fs::chown(&path, stranger, None).unwrap();
        }
        let error = Repo::discover(&lab.path()).unwrap_err();
        assert!(matches!(error, GitError::NotOwned { .. }), "{error:?}");
        assert!(error.to_string().contains("safe.directory"), "{error}");
    }

    #[test]
    fn a_sparse_index_is_refused_and_named() {
        let lab = Lab::new();
        std::fs::create_dir_all(lab.path().join("in")).unwrap();
        std::fs::create_dir_all(lab.path().join("out")).unwrap();
        std::fs::write(lab.path().join("in/a"), "a").unwrap();
        std::fs::write(lab.path().join("out/b"), "b").unwrap();
        lab.git(&["add", "-A"]);
        lab.git(&["commit", "-qm", "x"]);
        lab.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
        let error = Repo::discover(&lab.path()).unwrap_err();
        assert!(matches!(error, GitError::Unsupported { what: "a sparse index", .. }), "{error:?}");
    }

    #[test]
    fn hostile_and_unknown_names_of_commits_are_refused() {
        let lab = Lab::new();
        for spec in ["", "-x", "--output=/x", "none", "a\nb", "HEAD:nope", "refs/heads/none"] {
            assert!(matches!(lab.repo.base(Some(spec)), Err(GitError::Spec { .. })), "{spec:?}");
        }
        lab.git(&["tag", "-am", "t", "v1"]);
        let sha = lab.head().to_string();
        for spec in ["main", "v1", "HEAD", &sha, &sha[..8], "refs/heads/main"] {
            assert_eq!(lab.repo.base(Some(spec)).unwrap().commit, lab.head(), "{spec}");
        }
    }

    #[test]
    fn the_coordinators_handle_syncs_what_it_writes_and_the_users_config_is_untouched() {
        let lab = Lab::new();
        let before = std::fs::read(lab.path().join(".git/config")).unwrap();
        lab.repo
            .with(|handle| {
                let config = handle.config().unwrap();
                assert!(config.get_bool("core.fsyncobjectfiles").unwrap());
                Ok(())
            })
            .unwrap();
        assert_eq!(std::fs::read(lab.path().join(".git/config")).unwrap(), before);
    }
}
