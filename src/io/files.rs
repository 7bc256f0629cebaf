//! Owns the state directory: where it is, what lies where in it, the lock that makes a coordinator the only one of
//! its run, and writing a file whole or not at all. Never reads the environment itself and never deletes what it
//! did not make.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{Access, FlockOperation};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::model::ids::RunId;

/// Longest path that a unix socket takes: `sun_path` holds 108 bytes, the last of them zero.
const SOCKET_PATH_MAX: usize = 107;
/// How often a lock is tried for that somebody only looks at.
const LOOKS: u32 = 100;

/// Says which step on the state directory failed, on which path, and what a person can do.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// No variable tells where state may be kept.
    #[error(
        "find the state directory: ARTEL_HOME, XDG_STATE_HOME and HOME are all unset; set ARTEL_HOME to a directory"
    )]
    NoHome,
    /// A path that depends on the current directory would name another place after a change of directory.
    #[error("use ARTEL_HOME=`{}`: it is not an absolute path", .0.display())]
    NotAbsolute(PathBuf),
    /// The file system or its permissions refuse writing.
    #[error("{what} `{}`: it may not be written; make it writable, or set ARTEL_HOME to a directory that is", .path.display())]
    NotWritable {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The disk or the quota is used up.
    #[error("{what} `{}`: no space is left; free some, or set ARTEL_HOME to a directory on another disk", .path.display())]
    NoSpace {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// A directory that must be private belongs to somebody else or is open to others.
    #[error("trust `{}`: it must be a directory of this user's alone (mode 0700); remove it or set XDG_RUNTIME_DIR", .0.display())]
    NotPrivate(PathBuf),
    /// Another live process holds the lock.
    #[error("take the lock `{}`: held by {}", .path.display(), pid.map_or("a process that has not said its id".to_owned(), |pid| format!("process {pid}")))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The holder, when it has written its id.
        pid: Option<u32>,
    },
    /// Anything else that the system refused.
    #[error("{what} `{}`", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

impl FilesError {
    fn of(what: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let kind = source.kind();
        if matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
            Self::NotWritable { what, path, source }
        } else if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            Self::NoSpace { what, path, source }
        } else {
            Self::Io { what, path, source }
        }
    }
}

/// Names a repository in the state directory: readable first, unique by the hash of its path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoKey(String);

impl RepoKey {
    /// Makes the key of the repository at `path`; the caller passes one canonical path per repository.
    pub fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .take(24)
            .collect();
        Self(format!("{}-{}", plain.trim_matches('-'), short_hash(&[path.as_os_str().as_bytes()])))
    }
}

/// Knows where artel keeps what must outlive a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
    runtime: PathBuf,
}

impl StateDir {
    /// Finds the state directory from variables that `lookup` answers for: `ARTEL_HOME`, else
    /// `$XDG_STATE_HOME/artel`, else `~/.local/state/artel`. An empty variable counts as unset; so does a relative
    /// XDG path, as its specification asks.
    ///
    /// # Errors
    /// [`FilesError::NoHome`] when no variable is set, [`FilesError::NotAbsolute`] for a relative `ARTEL_HOME`.
    pub fn locate(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, FilesError> {
        let path = |name| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let absolute = |name| path(name).filter(|path| path.is_absolute());
        let root = match (path("ARTEL_HOME"), absolute("XDG_STATE_HOME"), absolute("HOME")) {
            (Some(own), _, _) if own.is_relative() => return Err(FilesError::NotAbsolute(own)),
            (Some(own), _, _) => own,
            (None, Some(state), _) => state.join("artel"),
            (None, None, Some(home)) => home.join(".local/state/artel"),
            (None, None, None) => return Err(FilesError::NoHome),
        };
        let own_temp = || PathBuf::from(format!("/tmp/artel-{}", rustix::process::geteuid().as_raw()));
        let runtime = absolute("XDG_RUNTIME_DIR").map_or_else(own_temp, |dir| dir.join("artel"));
        Ok(Self { root, runtime })
    }

    /// Makes the directory, for this user alone (mode 0700), and makes sure that it can be written.
    ///
    /// # Errors
    /// [`FilesError`] with the path and what to do: not writable, no space, or something else in its place.
    pub fn create(&self) -> Result<(), FilesError> {
        make_private(&self.root)?;
        rustix::fs::accessat(
            rustix::fs::CWD,
            &self.root,
            Access::WRITE_OK | Access::EXEC_OK,
            rustix::fs::AtFlags::EACCESS,
        )
        .map_err(|no| FilesError::of("write in", &self.root, no.into()))
    }

    /// Returns the directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the file of the journal, one for all repositories.
    pub fn journal(&self) -> PathBuf {
        self.root.join("artel.db")
    }

    /// Returns the file of the key that signs what the journal holds.
    pub fn journal_key(&self) -> PathBuf {
        self.root.join("journal.key")
    }

    /// Returns the directory of one run.
    pub fn run_dir(&self, run: &RunId) -> PathBuf {
        self.root.join("runs").join(run.as_str())
    }

    /// Returns the directory where a run keeps what its agents and checks printed.
    pub fn logs(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("logs")
    }

    /// Returns the directory of a repository's pool of worktrees.
    pub fn trees(&self, repo: &RepoKey) -> PathBuf {
        self.root.join("trees").join(&repo.0)
    }

    /// Returns the directory of what a repository's jobs keep between them.
    pub fn cache(&self, repo: &RepoKey) -> PathBuf {
        self.root.join("cache").join(&repo.0)
    }

    /// Returns the file whose lock makes a process the only coordinator of the run.
    pub fn lock(&self, run: &RunId) -> PathBuf {
        self.run_dir(run).join("lock")
    }

    /// Returns the file whose lock makes a process the only server of this state.
    pub fn serve_lock(&self) -> PathBuf {
        self.root.join("serve.lock")
    }

    /// Returns the folder of what the server keeps: tokens, who is logged in, where it listens.
    pub fn serve_dir(&self) -> PathBuf {
        self.root.join("serve")
    }

    /// Returns where the server is told of runs that it should host, as [`StateDir::socket`] does for a run.
    ///
    /// # Errors
    /// As [`StateDir::socket`].
    pub fn serve_socket(&self) -> Result<PathBuf, FilesError> {
        self.socket_in(&self.serve_dir(), "serve")
    }

    /// Returns where the run's coordinator listens, in a directory that exists and is this user's alone: in the
    /// run's directory, or under a hashed name in the runtime directory where that path is too long for a socket.
    ///
    /// # Errors
    /// [`FilesError`] when the directory cannot be made or is not private.
    pub fn socket(&self, run: &RunId) -> Result<PathBuf, FilesError> {
        self.socket_in(&self.run_dir(run), run.as_str())
    }

    fn socket_in(&self, dir: &Path, name: &str) -> Result<PathBuf, FilesError> {
        let plain = dir.join("socket");
        if plain.as_os_str().len() <= SOCKET_PATH_MAX {
            make_private(dir)?;
            return Ok(plain);
        }
        let name = short_hash(&[self.root.as_os_str().as_bytes(), b"\0", name.as_bytes()]);
        let short = self.runtime.join(name);
        if short.as_os_str().len() > SOCKET_PATH_MAX {
            let source = io::Error::from(io::ErrorKind::InvalidFilename);
            return Err(FilesError::Io { what: "bind a socket in", path: self.runtime.clone(), source });
        }
        make_private(&self.runtime)?;
        // The place may be one that everybody can write to, so a directory that was there first is not trusted.
        let met = fs::symlink_metadata(&self.runtime).map_err(|no| FilesError::of("read", &self.runtime, no))?;
        let ours = met.is_dir() && met.uid() == rustix::process::geteuid().as_raw() && met.mode() & 0o077 == 0;
        if ours { Ok(short) } else { Err(FilesError::NotPrivate(self.runtime.clone())) }
    }
}

/// Holds the lock of a run until it is dropped or its process dies, by whatever death.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock at `path`, or says who holds it. The file stays when the lock goes; a file that a dead owner
    /// left is no obstacle. Waits for nobody but those who look whether it is held, a tenth of a second at most.
    ///
    /// # Errors
    /// [`FilesError::Held`] while another holder lives, in this process too; else what the file system refused.
    pub fn try_acquire(path: &Path) -> Result<Self, FilesError> {
        Self::acquire_between(path, || std::thread::sleep(Duration::from_millis(1)))
    }

    fn acquire_between(path: &Path, mut pause: impl FnMut()) -> Result<Self, FilesError> {
        if let Some(parent) = path.parent() {
            make_private(parent)?;
        }
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mut file = open.map_err(|no| FilesError::of("open the lock", path, no))?;
        for look in 0.. {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                // Whoever looks shares the lock for as long as that takes; who holds it does not.
                Err(Errno::WOULDBLOCK) if look < LOOKS && !is_locked(&file) => {
                    let _ = rustix::fs::flock(&file, FlockOperation::NonBlockingUnlock);
                    pause();
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(FilesError::Held { path: path.to_owned(), pid: holder(&mut file) });
                }
                Err(no) => return Err(FilesError::of("lock", path, no.into())),
            }
        }
        write_pid(&mut file).map_err(|no| FilesError::of("write", path, no))?;
        Ok(Self { _file: file })
    }

    /// Tells which process holds the lock at `path`, where one does and has said so; writes nothing.
    pub fn holder(path: &Path) -> Option<u32> {
        Self::is_held(path).then(|| holder(&mut File::open(path).ok()?)).flatten()
    }

    /// Tells whether somebody holds the lock at `path`; writes nothing, and keeps nobody from taking it.
    pub fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| is_locked(&file))
    }
}

/// Tells whether somebody holds the lock; shares it where nobody does.
fn is_locked(file: &File) -> bool {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Writes a file so that a reader, and a machine that lost power, sees the whole old or the whole new content.
/// The new file is this user's alone (mode 0600). Durable when it returns.
///
/// # Errors
/// [`FilesError`] with the step and the path; the old content then still stands.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    write_by_draft(path, bytes, |draft| fs::rename(draft, path))
}

/// Does as [`atomic_write`] where there is no such file yet, and nothing where there is.
///
/// # Errors
/// As [`atomic_write`].
pub fn atomic_write_new(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    write_by_draft(path, bytes, |draft| {
        match fs::hard_link(draft, path) {
            Err(no) if no.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        fs::remove_file(draft)
    })
}

fn write_by_draft(path: &Path, bytes: &[u8], put: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), FilesError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (draft, file) = open_draft(path, parent)?;
    let written = fill(file, bytes)
        .map_err(|no| FilesError::of("write", &draft, no))
        .and_then(|()| put(&draft).map_err(|no| FilesError::of("replace", path, no)));
    if let Err(no) = written {
        // The draft is ours and half written; that it cannot be removed adds nothing to the fault being told.
        let _ = fs::remove_file(&draft);
        return Err(no);
    }
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(|no| FilesError::of("sync", parent, no))
}

fn open_draft(path: &Path, parent: &Path) -> Result<(PathBuf, File), FilesError> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}-{number}.draft", std::process::id()));
        let draft = parent.join(name);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft) {
            Ok(file) => return Ok((draft, file)),
            // A dead process of the same id left its draft.
            Err(no) if no.kind() == io::ErrorKind::AlreadyExists => {}
            Err(no) => return Err(FilesError::of("create", &draft, no)),
        }
    }
}

fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder, with those above it, that only this user may enter.
///
/// # Errors
/// What the system said.
pub fn make_private(dir: &Path) -> Result<(), FilesError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|no| FilesError::of("create", dir, no))
}

fn short_hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(in crate::io) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    fn run(text: &str) -> RunId {
        text.parse().unwrap()
    }

    fn located(vars: &[(&str, &str)]) -> Result<StateDir, FilesError> {
        StateDir::locate(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
    }

    fn root_of(vars: &[(&str, &str)]) -> PathBuf {
        located(vars).unwrap().root().to_owned()
    }

    /// Runs `work` on a thread that permission bits bind, even where the tests run as root.
    pub(in crate::io) fn without_privilege<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
        let bound = move || {
            let mut sets = capabilities(None).unwrap();
            sets.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
            set_capabilities(None, sets).unwrap();
            work()
        };
        std::thread::scope(|scope| scope.spawn(bound).join().unwrap())
    }

    #[test]
    fn own_variable_wins_over_the_desktop_standard_and_that_over_home() {
        let home = ("HOME", "/home/ann");
        assert_eq!(root_of(&[("ARTEL_HOME", "/a"), ("XDG_STATE_HOME", "/x"), home]), Path::new("/a"));
        assert_eq!(root_of(&[("ARTEL_HOME", ""), ("XDG_STATE_HOME", "/x"), home]), Path::new("/x/artel"));
        assert_eq!(root_of(&[("XDG_STATE_HOME", "rel"), home]), Path::new("/home/ann/.local/state/artel"));
    }

    #[test]
    fn without_any_variable_the_fault_names_what_to_set() {
        let fault = located(&[]).unwrap_err();
        assert!(matches!(fault, FilesError::NoHome));
        assert!(fault.to_string().contains("set ARTEL_HOME"), "{fault}");
        assert!(matches!(located(&[("ARTEL_HOME", "rel")]), Err(FilesError::NotAbsolute(_))));
    }

    #[test]
    fn state_is_for_its_user_alone() {
        let temp = tempfile::tempdir().unwrap();
        let dir = located(&[("ARTEL_HOME", temp.path().join("a/b").to_str().unwrap())]).unwrap();
        dir.create().unwrap();
        assert_eq!(fs::metadata(dir.root()).unwrap().permissions().mode() & 0o777, 0o700);
        dir.create().unwrap();
    }

    #[test]
    fn a_state_directory_that_cannot_be_written_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let dir = located(&[("ARTEL_HOME", temp.path().to_str().unwrap())]).unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o500)).unwrap();
        let fault = without_privilege(|| dir.create()).unwrap_err();
        assert!(matches!(fault, FilesError::NotWritable { .. }), "{fault:?}");
        assert!(fault.to_string().contains(temp.path().to_str().unwrap()), "{fault}");
        let fault = without_privilege(|| atomic_write(&temp.path().join("x"), b"x")).unwrap_err();
        assert!(matches!(fault, FilesError::NotWritable { .. }), "{fault:?}");
        fs::write(temp.path().join("file"), "").unwrap();
        let taken = located(&[("ARTEL_HOME", temp.path().join("file").to_str().unwrap())]).unwrap();
        assert!(matches!(taken.create(), Err(FilesError::Io { .. })));
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let full = io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error());
        let fault = FilesError::of("write", Path::new("/s/x"), full);
        assert!(matches!(fault, FilesError::NoSpace { .. }), "{fault:?}");
        let fault = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .and_then(|file| fill(file, b"x"))
            .map_err(|no| FilesError::of("write", Path::new("/dev/full"), no))
            .unwrap_err();
        assert!(matches!(fault, FilesError::NoSpace { .. }), "{fault:?}");
    }

    #[test]
    fn a_socket_can_be_bound_however_deep_the_state_lies() {
        let temp = tempfile::tempdir().unwrap();
        let deep = temp.path().join("d".repeat(150));
        for home in [temp.path().join("s"), deep] {
            let runtime = temp.path().to_str().unwrap();
            let dir = located(&[("ARTEL_HOME", home.to_str().unwrap()), ("XDG_RUNTIME_DIR", runtime)]).unwrap();
            dir.create().unwrap();
            let (one, two) = (dir.socket(&run("r-1")).unwrap(), dir.socket(&run("r-2")).unwrap());
            assert_ne!(one, two);
            UnixListener::bind(&one).unwrap();
            UnixListener::bind(&two).unwrap();
        }
    }

    #[test]
    fn a_runtime_directory_open_to_others_is_not_trusted() {
        let temp = tempfile::tempdir().unwrap();
        let own = temp.path().join("artel");
        fs::create_dir(&own).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
        let deep = format!("/{}", "d".repeat(150));
        let dir = located(&[("ARTEL_HOME", &deep), ("XDG_RUNTIME_DIR", temp.path().to_str().unwrap())]).unwrap();
        assert!(matches!(dir.socket(&run("r-1")), Err(FilesError::NotPrivate(_))));
        fs::remove_dir(&own).unwrap();
        std::os::unix::fs::symlink(temp.path(), &own).unwrap();
        assert!(matches!(dir.socket(&run("r-1")), Err(FilesError::NotPrivate(_))));
    }

    #[test]
    fn second_holder_of_a_lock_is_told_the_first() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("runs/r-1/lock");
        let first = RunLock::try_acquire(&path).unwrap();
        let fault = RunLock::try_acquire(&path).unwrap_err();
        assert!(matches!(fault, FilesError::Held { pid, .. } if pid == Some(std::process::id())), "{fault:?}");
        assert!(RunLock::is_held(&path) && !RunLock::is_held(&temp.path().join("another")));
        drop(first);
        assert!(!RunLock::is_held(&path));
        RunLock::try_acquire(&path).unwrap();
    }

    #[test]
    fn whoever_looks_at_a_lock_keeps_nobody_from_taking_it() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        drop(RunLock::try_acquire(&path).unwrap());
        let mut looks = vec![looks_at(&path)];
        assert!(!RunLock::is_held(&path), "two who look are no holder");
        let held = RunLock::acquire_between(&path, || looks.clear()).unwrap();
        assert!(looks.is_empty() && RunLock::is_held(&path));
        let fault = RunLock::acquire_between(&path, || panic!("a holder is not waited for")).map(drop).unwrap_err();
        assert!(matches!(fault, FilesError::Held { .. }), "{fault:?}");
        drop(held);
        let _stuck = looks_at(&path);
        let mut pauses = 0;
        let fault = RunLock::acquire_between(&path, || pauses += 1).map(drop).unwrap_err();
        assert!(matches!(fault, FilesError::Held { .. }) && pauses == LOOKS, "{fault:?} after {pauses}");
    }

    fn looks_at(path: &Path) -> File {
        let file = File::open(path).unwrap();
        assert!(!is_locked(&file));
        file
    }

    #[test]
    fn lock_file_of_a_dead_owner_is_no_obstacle() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        fs::write(&path, "4194304 and more digits than any process id has\n").unwrap();
        let _held = RunLock::try_acquire(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_draft() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("x.json");
        atomic_write(&path, b"a long first content").unwrap();
        atomic_write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        fs::create_dir(temp.path().join("taken")).unwrap();
        assert!(atomic_write(&temp.path().join("taken"), b"x").is_err());
        let mut names: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["taken", "x.json"]);
    }

    #[test]
    fn repositories_of_one_name_have_keys_of_their_own() {
        let (one, two) = (RepoKey::of(Path::new("/a/My Repo!")), RepoKey::of(Path::new("/b/My Repo!")));
        assert_ne!(one, two);
        assert!(one.0.starts_with("my-repo-"), "{one:?}");
        assert!(!RepoKey::of(Path::new("/a/..%2f/..")).0.contains(['/', '.', '%']));
    }
}
