//! Owns what is to be known of this machine and repository, and clearing away what no run needs any longer.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;

use super::{AppError, Place};
use crate::io::files::{RepoKey, RunLock};
use crate::io::git::{Pool, RefNames, Repo, Swap, git_version};
use crate::machine::state::Status;

/// Lists what a person who wonders why something does not work wants to know.
#[derive(Debug, Clone, Serialize)]
pub struct DoctorFacts {
    /// The state directory.
    pub state_dir: PathBuf,
    /// Why it cannot be used, where it cannot.
    pub state_fault: Option<String>,
    /// Bytes that are free where it lies.
    pub free_bytes: Option<u64>,
    /// Version of the git program, major and minor.
    pub git: Option<(u32, u32)>,
    /// The repository, where artel was started in one.
    pub repo: Option<PathBuf>,
    /// Why it cannot be used, where it cannot.
    pub repo_fault: Option<String>,
    /// Lock files in it, with the seconds since they were made.
    pub locks: Vec<(PathBuf, u64)>,
    /// Runs of this machine, and how many of them have ended.
    pub runs: (usize, usize),
    /// How commands are kept apart.
    pub isolation: &'static str,
}

/// Finds out what is to be known.
pub fn doctor(place: Result<&Place, &AppError>, dir: PathBuf, cwd: &std::path::Path) -> DoctorFacts {
    let repo = Repo::discover(cwd);
    let rows = place.ok().and_then(|place| place.journal.runs().ok()).unwrap_or_default();
    let locks = repo.as_ref().map(|repo| repo.locks(SystemTime::now())).unwrap_or_default();
    DoctorFacts {
        free_bytes: rustix::fs::statvfs(&dir).ok().map(|fs| fs.f_bavail * fs.f_frsize),
        state_dir: dir,
        state_fault: place.err().map(|error| crate::actors::world::told(error)),
        git: git_version(),
        repo: repo.as_ref().ok().map(|repo| repo.identity().to_owned()),
        repo_fault: repo.as_ref().err().map(|error| crate::actors::world::told(error)),
        locks: locks.into_iter().map(|lock| (lock.path, lock.age.as_secs())).collect(),
        runs: (rows.len(), rows.iter().filter(|row| row.ended.is_some()).count()),
        isolation: "process groups and limits; no sandbox",
    }
}

/// Says what was cleared away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Worktrees of ended runs.
    pub worktrees: usize,
    /// Pins and task branches whose commits have landed.
    pub refs: usize,
    /// Folders of desks and logs of ended runs, in bytes.
    pub bytes: u64,
}

/// Clears away what ended runs of the present repository have left, never what did not land. With `is_dry`, only
/// counts it.
///
/// # Errors
/// Fails where git or the state directory cannot be read; what was cleared until then stays cleared.
pub fn gc(place: &Place, is_dry: bool) -> Result<Gone, AppError> {
    let repo = place.repo()?;
    let mut gone = Gone::default();
    for row in place.journal.runs()?.into_iter().filter(|row| row.repo == repo.identity()) {
        let Ok(_lock) = RunLock::try_acquire(&place.dir.lock(&row.run)) else { continue };
        let Ok(state) = place.load(&row.run) else { continue };
        if state.end.is_none() {
            continue;
        }
        let trees = place.dir.trees(&RepoKey::of(repo.identity())).join(row.run.as_str());
        for name in ["work", "check"] {
            let dir = trees.join(name);
            if dir.is_dir() {
                gone.worktrees += count_trees(&dir);
                if !is_dry {
                    Pool::open(&repo, dir, &[])?.sweep()?;
                }
            }
        }
        gone.refs += drop_landed_refs(&repo, &state, is_dry)?;
        let run_dir = place.dir.run_dir(&row.run);
        for left in ["desks", "logs"] {
            let dir = run_dir.join(left);
            gone.bytes += size_of(&dir);
            if !is_dry && dir.exists() {
                std::fs::remove_dir_all(&dir).map_err(|source| AppError::Read {
                    what: "the folder",
                    path: dir,
                    source,
                })?;
            }
        }
    }
    Ok(gone)
}

fn count_trees(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).map(|entries| entries.flatten().filter(|entry| entry.path().is_dir()).count());
    entries.unwrap_or(0)
}

fn size_of(dir: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Removes the pins and task branches of tasks that are ancestors of the run's branch.
fn drop_landed_refs(repo: &Repo, state: &crate::machine::state::State, is_dry: bool) -> Result<usize, AppError> {
    let opening = state.opening();
    let refs = RefNames::new(&opening.config.branch_prefix, opening.run.clone())?;
    let Some(head) = state.head else { return Ok(0) };
    let landed: BTreeSet<_> = state
        .tasks
        .iter()
        .filter(|(_, task)| matches!(task.status, Status::Landed { .. } | Status::Reverted { .. }))
        .map(|(id, _)| refs.task(*id))
        .collect();
    let mut gone = 0;
    for (name, target) in repo.list_refs(&refs.branches())?.into_iter().chain(repo.list_refs(&refs.pins())?) {
        let is_pin = name.starts_with(&refs.pins());
        // Whatever is no ancestor has not landed, whoever says so.
        if (is_pin || landed.contains(&name)) && name != refs.branch() && repo.is_ancestor(target, head)? {
            gone += 1;
            if !is_dry && repo.delete_ref(&name, target)? != Swap::Done {
                gone -= 1;
            }
        }
    }
    Ok(gone)
}
