//! Owns what every process that artel starts has in common: the program, the environment that it is given, the
//! descriptors that it is not given, and how it ended. Never starts one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Names what is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A program, looked up in the `PATH` of its own environment, and its arguments; no shell reads them.
    Argv(Vec<String>),
    /// A line for `sh -c`.
    Shell(String),
}

impl Program {
    /// Gives the words that are executed.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Argv(words) => words.clone(),
            Self::Shell(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        }
    }
}

/// Says how a process, with all that it had started, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal, which artel did not send.
    Signalled(i32),
    /// It ran longer than it may.
    WallLimit,
    /// It was silent for longer than it may be.
    IdleLimit,
    /// It wrote more output than it may.
    OutputLimit,
    /// Its owner did not want it any longer.
    Cancelled,
    /// The process that watched over it vanished, so that nothing is known of its end.
    InitLost,
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with {code}"),
            Self::Signalled(signal) => write!(f, "ended by signal {signal}"),
            Self::WallLimit => f.write_str("ran out of time"),
            Self::IdleLimit => f.write_str("was silent for too long"),
            Self::OutputLimit => f.write_str("wrote too much output"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::InitLost => f.write_str("lost the process that watched over it"),
        }
    }
}

/// Variables that are passed on wherever they are set: where programs and toolchains are found, and the locale.
/// `HOME` stays the user's, because toolchains live below it; hiding what else lies there is the sandbox's work.
const PASSED: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NUMERIC",
    "LC_TIME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "GOPATH",
    "GOROOT",
    "JAVA_HOME",
    "NVM_DIR",
    "PYENV_ROOT",
    "XDG_CACHE_HOME",
];

/// Gives the environment that every agent and check starts from: an allow-list and what `grants` names, nothing else.
///
/// A credential such as a token, a key or the socket of an agent that signs is passed only where it is granted by its
/// full name.
pub fn base_env(lookup: impl Fn(&str) -> Option<String>, grants: &BTreeSet<String>) -> BTreeMap<String, String> {
    let names = PASSED.into_iter().chain(grants.iter().map(String::as_str));
    let mut env: BTreeMap<String, String> = names.filter_map(|name| Some((name.to_owned(), lookup(name)?))).collect();
    env.insert("TERM".to_owned(), "dumb".to_owned());
    env.insert("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned());
    env
}

/// Opens a file that a process of somebody else may have written, or put in the place of one: a regular file, reached by its
/// last name itself; nothing where there is none.
///
/// # Errors
/// Fails where it is a link, a pipe, a folder or a device, or where it cannot be opened.
pub fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link")),
        Err(errno) => return Err(errno.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(Some(file))
}

/// Reads such a file, of at most `most` bytes; nothing where there is none.
///
/// # Errors
/// As [`open_regular`], and where it is longer or cannot be read.
pub fn read_small(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let length = file.metadata()?.len().min(most);
    let mut bytes = Vec::with_capacity(usize::try_from(length + 1).unwrap_or(0));
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(Some(bytes))
}

/// Gives memory that was freed back to the system: what much work took at one time else stays with the process, as
/// the C library keeps it for what comes.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library has no safe name for it; it touches what is free alone")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Marks every descriptor but the standard three as closed on `exec`, so that what is started from here inherits none
/// of what was inherited.
///
/// # Errors
/// Fails where the list of open descriptors cannot be read.
pub fn keep_standard_descriptors() -> io::Result<()> {
    let open: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        #[expect(unsafe_code, reason = "an inherited descriptor has no owner in this process but its number")]
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        // The descriptor of the listing itself is closed by then, which is the only way in which this can fail.
        let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_passed_only_where_it_is_granted() {
        let held = |name: &str| Some(format!("value of {name}"));
        let canaries = ["ANTHROPIC_API_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD"];
        let env = base_env(held, &BTreeSet::new());
        assert!(canaries.iter().all(|name| !env.contains_key(*name)), "{env:?}");
        assert_eq!(env["PATH"], "value of PATH");
        assert_eq!(env["TERM"], "dumb");
        let env = base_env(held, &["GITHUB_TOKEN".to_owned()].into());
        assert_eq!(env["GITHUB_TOKEN"], "value of GITHUB_TOKEN");
        assert!(!env.contains_key("ANTHROPIC_API_KEY"));
    }

    #[test]
    fn only_a_short_regular_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), b"12345").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap();
        assert!(made.success());
        assert_eq!(read_small(&at("file"), 5).unwrap(), Some(b"12345".to_vec()));
        assert_eq!(read_small(&at("none"), 5).unwrap(), None);
        for (name, why) in [("link", "symbolic link"), ("fifo", "regular"), (".", "regular")] {
            let error = read_small(&at(name), 5).unwrap_err();
            assert!(error.to_string().contains(why), "{name}: {error}");
        }
        assert!(read_small(&at("file"), 4).unwrap_err().to_string().contains("longer"));
    }

    #[test]
    fn what_is_not_set_is_not_invented() {
        let env = base_env(|name| (name == "PATH").then(|| "/bin".to_owned()), &["GONE".to_owned()].into());
        let names: Vec<&str> = env.keys().map(String::as_str).collect();
        assert_eq!(names, ["GIT_TERMINAL_PROMPT", "PATH", "TERM"]);
    }
}
