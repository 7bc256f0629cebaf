//! Owns finding lock files that a dead git left behind. Never removes one but on refs that are ours alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::{GitError, OnFile};
use super::repo::Repo;

/// How long a lock must stand unchanged before its holder is taken for dead; git holds one for milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// How libgit2 names objects and packs until they are whole; git itself never clears them away.
const DRAFTS: [&[u8]; 2] = [b"tmp_object_git2_", b"pack_git2_"];

/// Names a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Where it is.
    pub path: PathBuf,
    /// How long ago it was written.
    pub age: Duration,
}

impl Repo {
    /// Lists the lock files of the repository: of HEAD, the user's index, the config and all refs; sorted by path.
    pub fn locks(&self, now: SystemTime) -> Vec<Lock> {
        let mut found = Vec::new();
        let mut look = |path: PathBuf| {
            let Ok(meta) = fs::symlink_metadata(&path) else { return };
            let age = meta.modified().ok().and_then(|at| now.duration_since(at).ok()).unwrap_or_default();
            found.push(Lock { path, age });
        };
        for name in ["index.lock", "HEAD.lock", "packed-refs.lock", "config.lock", "shallow.lock"] {
            look(self.identity().join(name));
            if self.git_dir() != self.identity() {
                look(self.git_dir().join(name));
            }
        }
        below(&self.identity().join("refs"), 0, &mut look);
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        found
    }

    /// Removes the lock files of refs whose names begin so, such as `refs/artel/r-1/`, where a process that was killed
    /// left them, and the objects that it was writing: those of living ones stay, and whoever moves the ref waits for
    /// them or tells. Only for refs that no other living process of ours writes. Takes a second where there are any.
    ///
    /// # Errors
    /// Fails where a lock file cannot be removed.
    pub fn break_locks(&self, beginnings: &[String]) -> Result<usize, GitError> {
        let look = || {
            let mut found = Vec::new();
            let mut note = |path: PathBuf| {
                if let Ok(meta) = fs::symlink_metadata(&path) {
                    found.push((path, meta.ino(), meta.mtime(), meta.mtime_nsec()));
                }
            };
            for beginning in beginnings {
                below(&self.identity().join(beginning), 0, &mut note);
            }
            for dir in ["objects", "objects/pack"] {
                for entry in fs::read_dir(self.identity().join(dir)).into_iter().flatten().flatten() {
                    if DRAFTS.iter().any(|draft| entry.file_name().as_encoded_bytes().starts_with(draft)) {
                        note(entry.path());
                    }
                }
            }
            found
        };
        let before = look();
        if before.is_empty() {
            return Ok(0);
        }
        std::thread::sleep(PATIENCE);
        let is_dead = |lock: &(PathBuf, u64, i64, i64)| before.contains(lock) && !self.is_held(&lock.0);
        let dead: Vec<_> = look().into_iter().filter(is_dead).collect();
        for (path, ..) in &dead {
            match fs::remove_file(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.on("remove the lock", path)?,
            }
        }
        Ok(dead.len())
    }

    /// Tells whether a living process has a lock open, or is a git at work here: git closes a lock once it is written,
    /// before it puts it in place. What this user may not look at is taken for none.
    fn is_held(&self, lock: &Path) -> bool {
        let is_here =
            |at: &Path| at.starts_with(self.git_dir()) || self.workdir().is_some_and(|dir| at.starts_with(dir));
        let holds = |process: &Path| {
            let mut open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
            open.any(|fd| fs::read_link(fd.path()).is_ok_and(|file| file == lock))
                || (fs::read(process.join("comm")).is_ok_and(|name| name.starts_with(b"git"))
                    && fs::read_link(process.join("cwd")).is_ok_and(|cwd| is_here(&cwd)))
        };
        fs::read_dir("/proc").into_iter().flatten().flatten().any(|process| holds(&process.path()))
    }
}

fn below(dir: &Path, depth: u32, look: &mut impl FnMut(PathBuf)) {
    if depth > 32 {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(&path, depth + 1, look);
        } else if path.extension().is_some_and(|end| end == "lock") {
            look(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Lab;
    use super::*;

    #[test]
    fn a_dead_process_s_locks_on_our_refs_are_broken_and_nobody_else_s() {
        let lab = Lab::new();
        let names = ["refs/artel/r-1/t1.1.lock", "refs/heads/artel/r-1/main.lock", "refs/heads/artel/r-2/main.lock"];
        for name in names {
            let path = lab.path().join(".git").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let ours = ["refs/artel/r-1/".to_owned(), "refs/heads/artel/r-1/".to_owned()];
        let objects = lab.path().join(".git/objects");
        for draft in
            ["tmp_object_git2_1a2b", "pack/pack_git2_1a2b", "pack/pack_git2_1a2bidx.lock", "pack/pack-1a2b.keep"]
        {
            fs::write(objects.join(draft), "").unwrap();
        }
        assert_eq!(lab.repo.break_locks(&ours).unwrap(), 5);
        assert!(objects.join("pack/pack-1a2b.keep").exists() && !objects.join("tmp_object_git2_1a2b").exists());
        let left: Vec<PathBuf> = lab.repo.locks(SystemTime::now()).into_iter().map(|lock| lock.path).collect();
        assert_eq!(left.len(), 1);
        assert!(left[0].ends_with(names[2]));
        assert_eq!(lab.repo.break_locks(&ours).unwrap(), 0);
    }
}
