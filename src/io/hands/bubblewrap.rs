//! Owns how bubblewrap is asked for a sandbox. What is not listed here does not exist for a job. Starts nothing.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::init::INIT_VERB;
use super::view::{Shown, System, View};

/// Bytes that a job may keep in each folder that lies in memory.
const EMPTY_BYTES: &str = "2147483648";

/// Namespaces, capabilities and folders that are the same for every job. The init calls `setsid` itself. There is no
/// `--die-with-parent`: it kills when the thread that started the job ends; the lifeline is what ends a sandbox.
const ALWAYS: [&str; 23] = [
    "--unshare-user",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--hostname",
    "sandbox",
    "--disable-userns",
    "--cap-drop",
    "ALL",
    "--clearenv",
    "--as-pid-1",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--size",
    EMPTY_BYTES,
    "--tmpfs",
    "/dev/shm",
    "--remount-ro",
    "/dev",
];

/// What stays writable, or tells of the machine, in a new `/proc` where the job's user is the machine's superuser:
/// having no capabilities does not keep its owner from a file, and by `sys` programs of the machine can be named.
const PROC_READ: [&str; 9] = [
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/acpi",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/mtrr",
    "/proc/scsi",
    "/proc/slabinfo",
];
const PROC_HIDDEN: [&str; 4] = ["/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/timer_list"];

/// Gives the arguments under which bubblewrap runs artel's init, which it finds open as `init`.
pub(super) fn arguments(view: &View, system: &System, cwd: &Path, init: &Path) -> Vec<OsString> {
    let mut args = Arguments(ALWAYS.iter().map(OsString::from).collect());
    for path in PROC_READ {
        args.add(["--ro-bind-try", path, path]);
    }
    for path in PROC_HIDDEN.iter().filter(|path| Path::new(path).exists()) {
        args.add(["--ro-bind", "/dev/null", path]);
    }
    args.add(["--size", EMPTY_BYTES, "--tmpfs", "/tmp"]);
    for (link, target) in &system.links {
        args.add([OsStr::new("--symlink"), target.as_ref(), link.as_ref()]);
    }
    for (path, shown) in view.shown(system) {
        match shown {
            Shown::Empty => args.add([OsStr::new("--size"), EMPTY_BYTES.as_ref(), "--tmpfs".as_ref(), path.as_ref()]),
            Shown::Read => args.bind("--ro-bind-try", &path, &path),
            Shown::Write => args.bind("--bind", &path, &path),
            Shown::As(file) => args.bind("--ro-bind", &file, &path),
        }
    }
    args.add(["--remount-ro", "/", "--chdir"]);
    args.add([cwd.as_os_str(), "--".as_ref(), init.as_ref(), INIT_VERB.as_ref()]);
    args.0
}

/// Finds bubblewrap where systems install it, or in `PATH`.
pub(super) fn find(path: Option<&str>) -> Option<PathBuf> {
    let usual = ["/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    let named = path.map(std::env::split_paths).into_iter().flatten().filter(|folder| folder.is_absolute());
    usual.into_iter().chain(named).map(|folder| folder.join("bwrap")).find(|program| program.is_file())
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn add<const N: usize>(&mut self, words: [impl AsRef<OsStr>; N]) {
        self.0.extend(words.iter().map(|word| word.as_ref().to_owned()));
    }

    fn bind(&mut self, how: &str, from: &Path, to: &Path) {
        self.add([OsStr::new(how), from.as_ref(), to.as_ref()]);
    }
}
