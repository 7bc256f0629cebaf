//! Owns what a sandboxed job sees of the machine: the system's programs, and what it was given by name. Builds no
//! sandbox and looks at nothing but whether a path is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Lists what a job is given beside the system's programs and libraries. Paths are absolute and mean the same inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// What it may write, and read: folders and files.
    pub write: Vec<PathBuf>,
    /// What it may read and run.
    pub read: Vec<PathBuf>,
    /// Folders that are empty for it, its own and gone with it; its home is one of them.
    pub empty: Vec<PathBuf>,
    /// Files that it finds in another's place and may not write: the place, and what stands there.
    pub instead: Vec<(PathBuf, PathBuf)>,
    /// Links that it finds in its own folders, where nothing can be laid into them: the place, and where it leads.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Loopback ports that are its own, where it does not have the loopback address to itself.
    pub ports: Vec<u16>,
}

/// Says how a path is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// As an empty folder of the job's own.
    Empty,
    /// As it is, to be read.
    Read,
    /// As it is, to be written.
    Write,
    /// As this file is, to be read.
    As(PathBuf),
}

/// What every job may read and run of the system.
const SYSTEM: [&str; 2] = ["/usr", "/nix/store"];

/// Folders of the root that are links into `/usr` on most machines.
const ROOTS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs need of `/etc`: who and what is called how, where libraries and certificates lie, which of several
/// programs is meant. Nothing in it is secret, and nothing tells this machine from another.
const ETC: [&str; 32] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "inputrc",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "maven/logging",
    "maven/m2.conf",
    "maven/toolchains.xml",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki",
    "profile",
    "protocols",
    "services",
    "shells",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
];

/// Beginnings of names in `/etc` where a language keeps what it needs to start.
const ETC_OF_LANGUAGES: [&str; 3] = ["java-", "perl", "python3"];

/// Holds what of the system is shown, found once.
#[derive(Debug, Clone)]
pub(super) struct System {
    /// Folders and files to be read, by path.
    pub(super) read: Vec<PathBuf>,
    /// Links of the root, with where they lead.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
}

impl System {
    /// Looks at the machine.
    pub(super) fn look() -> Self {
        let mut system = Self { read: SYSTEM.iter().map(PathBuf::from).collect(), links: Vec::new() };
        for root in ROOTS.iter().map(PathBuf::from) {
            match std::fs::read_link(&root) {
                Ok(target) => system.links.push((root, target)),
                Err(_) => system.read.push(root),
            }
        }
        let etc = Path::new("/etc");
        system.read.extend(ETC.iter().map(|name| etc.join(name)));
        for entry in std::fs::read_dir(etc).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| ETC_OF_LANGUAGES.iter().any(|start| name.starts_with(start))) {
                system.read.push(entry.path());
            }
        }
        system.read.retain(|path| path.exists());
        system
    }
}

impl View {
    /// Lists what is shown where, a folder before what lies in it. What is asked for twice is shown as the wider of
    /// both.
    pub(super) fn shown(&self, system: &System) -> BTreeMap<PathBuf, Shown> {
        let mut shown = BTreeMap::new();
        shown.extend(self.empty.iter().map(|path| (path.clone(), Shown::Empty)));
        // What is named by a link of the root is shown already: nothing can be laid over the way to it.
        let is_linked = |path: &&PathBuf| system.links.iter().any(|(link, _)| path.starts_with(link));
        let read = system.read.iter().chain(self.read.iter().filter(|path| !is_linked(path)));
        shown.extend(read.map(|path| (path.clone(), Shown::Read)));
        shown.extend(self.write.iter().map(|path| (path.clone(), Shown::Write)));
        shown.extend(self.instead.iter().map(|(place, file)| (place.clone(), Shown::As(file.clone()))));
        shown
    }
}
