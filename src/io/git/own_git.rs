//! Owns the git directory that a job in a sandbox finds in its worktree: its own HEAD, index, refs and config, thrown away
//! with the next use of the tree. Objects of the repository are read through it; nothing that is written in it reaches
//! the repository, and no git of this machine looks at it.

use std::fs;
use std::path::{Path, PathBuf};

use super::admin;
use super::error::{GitError, OnFile};
use super::pool::Tree;
use super::walk::remove_any;

/// How many steps objects may be borrowed from one repository by another.
const BORROWED_AT_MOST: usize = 8;

/// Whom the commits are by that a job makes for itself.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n\
    [user]\n\tname = agent\n\temail = agent@artel.invalid\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";

/// Names the parts of a job's own git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnGit {
    /// The git directory, which the job may write.
    pub dir: PathBuf,
    /// A file that leads git there; it belongs in the place of the tree's `.git`.
    pub link: PathBuf,
    /// Folders of objects, to be read.
    pub objects: Vec<PathBuf>,
}

impl Tree {
    /// Makes a git directory for the next user of the tree, whatever a former one left of the last.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    pub fn make_own_git(&self) -> Result<OwnGit, GitError> {
        let common = self.repo.identity();
        let own = OwnGit {
            dir: self.path().with_extension("git"),
            link: self.path().with_extension("link"),
            objects: object_folders(common),
        };
        remove_any(&own.dir).on("remove", &own.dir)?;
        let put = |name: &str, content: &[u8]| {
            let path = own.dir.join(name);
            fs::write(&path, content).on("write", &path)
        };
        for folder in ["refs/heads", "objects/info", "objects/pack", "info"] {
            let folder = own.dir.join(folder);
            fs::create_dir_all(&folder).on("make the folder", &folder)?;
        }
        let mut alternates = common.join("objects").into_os_string().into_encoded_bytes();
        alternates.push(b'\n');
        put("objects/info/alternates", &alternates)?;
        put("refs/heads/work", format!("{}\n", self.commit()).as_bytes())?;
        put("HEAD", b"ref: refs/heads/work\n")?;
        put("config", CONFIG.as_bytes())?;
        for (from, name) in [(common.join("shallow"), "shallow"), (common.join("info/exclude"), "info/exclude")] {
            if let Ok(content) = fs::read(&from) {
                put(name, &content)?;
            }
        }
        let index = own.dir.join("index");
        fs::copy(admin::index(common, self.id()), &index).on("write", &index)?;
        admin::replace(&own.link, &link_to(&own.dir))?;
        Ok(own)
    }

    /// Puts the way to the job's own git in the place of the tree's `.git`, where nothing can be laid over it.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    pub fn turn_to(&self, own: &OwnGit) -> Result<(), GitError> {
        admin::replace(&self.path().join(".git"), &link_to(&own.dir))
    }

    /// Makes the tree a linked worktree of the repository again, whatever stands in the place of its `.git`.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    pub fn turn_back(&self) -> Result<(), GitError> {
        admin::write_link(self.repo.identity(), self.id(), self.path())
    }
}

fn link_to(dir: &Path) -> Vec<u8> {
    [b"gitdir: ", dir.as_os_str().as_encoded_bytes(), b"\n"].concat()
}

/// Lists the folders in which the repository's objects lie: its own, and those that it borrows from.
fn object_folders(common: &Path) -> Vec<PathBuf> {
    let mut found = vec![common.join("objects")];
    let mut at = 0;
    while at < found.len() && found.len() <= BORROWED_AT_MOST {
        let borrowed = fs::read_to_string(found[at].join("info/alternates")).unwrap_or_default();
        for line in borrowed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let folder = found[at].join(line);
            // By its shortest name: what is shown inside is shown at the path that git will ask for.
            let folder = if line.starts_with('/') { folder } else { folder.canonicalize().unwrap_or(folder) };
            if folder.is_dir() && !found.contains(&folder) {
                found.push(folder);
            }
        }
        at += 1;
    }
    found
}
