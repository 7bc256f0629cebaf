//! Owns looking into a worktree that an agent wrote: no link is followed, no other file system entered, nothing
//! outside reached. Never runs git.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::error::{GitError, OnFile};

/// Holds a worktree's folder open.
pub(super) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens a worktree's folder.
    ///
    /// # Errors
    /// `TreeGone` where it is no folder.
    pub(super) fn open(path: &Path) -> Result<Self, GitError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: path.to_owned() }),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Err(GitError::TreeGone { path: path.to_owned() }),
            Err(errno) => Err(errno).on("open", path),
        }
    }

    /// Shows where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether the folder still has its name: it was neither moved, removed nor replaced.
    pub(super) fn still_there(&self) -> bool {
        let (Ok(mine), Ok(named)) = (rustix::fs::fstat(&self.fd), rustix::fs::lstat(&self.path)) else {
            return false;
        };
        (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino)
    }

    /// Lists a folder's entries with what they are, sorted by name; the empty path is the root.
    pub(super) fn list(&self, folder: &[u8]) -> io::Result<Vec<(Vec<u8>, Stat)>> {
        let fd = self.beneath(folder, OFlags::DIRECTORY | OFlags::RDONLY)?;
        let mut found = Vec::new();
        for entry in Dir::read_from(&fd)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_bytes() == b"." || name.to_bytes() == b".." {
                continue;
            }
            match rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => found.push((name.to_bytes().to_vec(), stat)),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// Tells what is at a path, without following a link; `None` where nothing is.
    pub(super) fn stat(&self, path: &[u8]) -> io::Result<Option<Stat>> {
        let (folder, name) = split(path);
        let found = self
            .beneath(folder, OFlags::DIRECTORY | OFlags::PATH)
            .and_then(|fd| Ok(rustix::fs::statat(&fd, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)?));
        match found {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a regular file for reading, and tells what it is.
    pub(super) fn file(&self, path: &[u8]) -> io::Result<(File, Stat)> {
        let fd = self.beneath(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let stat = rustix::fs::fstat(&fd)?;
        if stat.st_mode & 0o170_000 != 0o100_000 {
            return Err(io::Error::other("it is no longer a regular file"));
        }
        Ok((File::from(fd), stat))
    }

    /// Makes a regular file where nothing is, with the folders above it, and tells what became of it.
    pub(super) fn create(&self, path: &[u8], mode: u32, content: &[u8]) -> io::Result<Stat> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        let allowed = Mode::from_raw_mode(if mode & 0o100 != 0 { 0o777 } else { 0o666 });
        let opened = match self.open_beneath(path, flags, allowed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folders(split(path).0)?;
                self.open_beneath(path, flags, allowed)
            }
            opened => opened,
        };
        let mut file = File::from(opened?);
        file.write_all(content)?;
        Ok(rustix::fs::fstat(&file)?)
    }

    /// Makes a symbolic link where nothing is, with the folders above it.
    pub(super) fn make_link(&self, path: &[u8], target: &[u8]) -> io::Result<()> {
        let (folder, name) = split(path);
        if !folder.is_empty() {
            self.make_folders(folder)?;
        }
        let fd = self.beneath(folder, OFlags::DIRECTORY | OFlags::PATH)?;
        Ok(rustix::fs::symlinkat(OsStr::from_bytes(target), &fd, OsStr::from_bytes(name))?)
    }

    fn make_folders(&self, folder: &[u8]) -> io::Result<()> {
        let ends = folder.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([folder.len()]);
        for end in ends {
            let (above, name) = split(&folder[..end]);
            let fd = self.beneath(above, OFlags::DIRECTORY | OFlags::PATH)?;
            match rustix::fs::mkdirat(&fd, OsStr::from_bytes(name), Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Reads where a symbolic link points to.
    pub(super) fn link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        let (folder, name) = split(path);
        let fd = self.beneath(folder, OFlags::DIRECTORY | OFlags::PATH)?;
        Ok(rustix::fs::readlinkat(&fd, OsStr::from_bytes(name), Vec::new())?.into_bytes())
    }

    /// Removes a file, a link or a folder with all in it, however deep; nothing there is fine.
    ///
    /// Folders are moved up to the root one by one and emptied there: neither the stack nor a path's length bounds it.
    pub(super) fn remove(&self, path: &[u8]) -> io::Result<()> {
        let (folder, name) = split(path);
        let fd = match self.beneath(folder, OFlags::DIRECTORY | OFlags::PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let name = OsStr::from_bytes(name);
        match rustix::fs::unlinkat(&fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(Errno::ACCESS) => {
                self.make_writable(folder)?;
                return self.remove_from(&fd, name);
            }
            Err(errno) => return Err(errno.into()),
        }
        self.remove_from(&fd, name)
    }

    fn remove_from(&self, folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
        let mut waiting = Vec::new();
        self.unlink_or_move_up(folder, name, &mut waiting)?;
        while let Some(moved) = waiting.pop() {
            let fd = self.beneath(&moved, OFlags::DIRECTORY | OFlags::RDONLY)?;
            for entry in Dir::read_from(&fd)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    self.unlink_or_move_up(&fd, OsStr::from_bytes(name), &mut waiting)?;
                }
            }
            rustix::fs::unlinkat(&self.fd, OsStr::from_bytes(&moved), AtFlags::REMOVEDIR)?;
        }
        Ok(())
    }

    fn unlink_or_move_up(&self, folder: &OwnedFd, name: &OsStr, waiting: &mut Vec<Vec<u8>>) -> io::Result<()> {
        match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(errno.into()),
        }
        let up = format!(".artel-gone-{:016x}", fastrand::u64(..)).into_bytes();
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_mode & 0o170_000 == 0o040_000 && stat.st_mode & 0o700 != 0o700 {
            rustix::fs::chmodat(folder, name, Mode::from_raw_mode(0o755), AtFlags::empty())?;
        }
        rustix::fs::renameat(folder, name, &self.fd, OsStr::from_bytes(&up))?;
        waiting.push(up);
        Ok(())
    }

    /// Removes a folder in which nothing is; one that is gone is fine.
    pub(super) fn remove_if_empty(&self, folder: &[u8]) -> io::Result<()> {
        let (above, name) = split(folder);
        let removed = self
            .beneath(above, OFlags::DIRECTORY | OFlags::PATH)
            .and_then(|fd| Ok(rustix::fs::unlinkat(&fd, OsStr::from_bytes(name), AtFlags::REMOVEDIR)?));
        match removed {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // Above it an agent has taken rights away, and only where it is empty is that in the way.
                if self.list(folder).is_ok_and(|entries| entries.is_empty()) { self.remove(folder) } else { Ok(()) }
            }
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty || is_absence(&error) => Ok(()),
            done => done,
        }
    }

    /// Gives the owner all rights on a folder, where an agent took them.
    pub(super) fn make_writable(&self, folder: &[u8]) -> io::Result<()> {
        let (above, name) = split(folder);
        if name.is_empty() {
            return Ok(());
        }
        let fd = self.beneath(above, OFlags::DIRECTORY | OFlags::PATH)?;
        let stat = rustix::fs::statat(&fd, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_mode & 0o170_000 == 0o040_000 && stat.st_mode & 0o700 != 0o700 {
            rustix::fs::chmodat(&fd, OsStr::from_bytes(name), Mode::from_raw_mode(0o755), AtFlags::empty())?;
        }
        Ok(())
    }

    fn beneath(&self, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        self.open_beneath(path, flags, Mode::empty())
    }

    fn open_beneath(&self, path: &[u8], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let mut tries = 0;
        loop {
            let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat2(&self.fd, OsStr::from_bytes(path), flags, mode, resolve) {
                // The kernel answers so when something was renamed while it looked.
                Err(Errno::AGAIN) if tries < 16 => tries += 1,
                Err(Errno::XDEV) => return Err(io::Error::other("another file system is mounted there")),
                done => return Ok(done?),
            }
        }
    }
}

/// Removes a file, a link or a folder with all in it, however deep; nothing there is fine. The folder that it is in
/// must be one that no living agent writes.
///
/// # Errors
/// Fails where something in it cannot be removed.
pub fn remove_any(path: &Path) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    match Root::open(folder) {
        Ok(root) => root.remove(name.as_bytes()),
        Err(GitError::TreeGone { .. }) => Ok(()),
        Err(GitError::Io { source, .. }) => Err(source),
        Err(other) => Err(io::Error::other(other)),
    }
}

/// Tells whether an error means that nothing is at a path, because one of its folders is gone or none.
fn is_absence(error: &io::Error) -> bool {
    let absent = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP];
    absent.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Joins a folder and a name; the empty folder is the root.
pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// Says why a symbolic link may not be taken in; `None` where it stays inside the repository.
///
/// `..` is allowed only at the beginning: after a folder's name it could lead elsewhere, where that is a link too.
pub(super) fn why_link_refused(path: &str, target: &[u8]) -> Option<&'static str> {
    let Ok(target) = std::str::from_utf8(target) else { return Some("the link's target is not UTF-8") };
    if target.is_empty() || target.chars().any(char::is_control) || target.contains('\\') {
        return Some("the link's target holds control characters or backslashes, or is empty");
    }
    if target.starts_with('/') {
        return Some("the link's target is absolute");
    }
    let mut up = 0;
    let mut down = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if down => return Some("the link's target goes up again after it went down"),
            ".." => up += 1,
            name if super::path_law::is_git_dir(name) => return Some("the link's target lies in `.git`"),
            _ => down = true,
        }
    }
    (up > path.matches('/').count()).then_some("the link leads out of the repository")
}

#[cfg(test)]
mod tests {
    use super::why_link_refused;

    #[test]
    fn a_link_stays_inside() {
        for (path, target, fine) in [
            ("a", "b", true),
            ("d/a", "../b", true),
            ("d/a", "../../b", false),
            ("a", "..", false),
            ("a", "/etc/passwd", false),
            ("d/a", "x/../../b", false),
            ("a", ".git/config", false),
            ("d/a", "../.GIT/config", false),
            ("a", "./b//c", true),
        ] {
            assert_eq!(why_link_refused(path, target.as_bytes()).is_none(), fine, "{path} -> {target}");
        }
        assert!(why_link_refused("a", b"\xff").is_some());
    }
}
