//! Owns finding lock files that a dead git left behind. Never removes one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::repo::Repo;

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
