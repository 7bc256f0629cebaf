//! Owns clearing away what no run needs any longer. Never removes what did not land, or what no branch holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AppError, Place, is_hosted};
use crate::io::files::{RepoKey, RunLock};
use crate::io::git::{Pool, RefNames, Repo};
use crate::io::journal::RunRow;
use crate::machine::state::{State, Status};
use crate::model::ids::{Oid, RunId};

/// Names something that no run needs any longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// What it is.
    pub what: String,
    /// Where it lies: a path, or a ref's name.
    pub path: String,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// Why it is not needed.
    pub why: String,
}

/// Lists what runs of the present repository have left: one that has ended needs neither worktrees nor logs, and one that
/// nobody works on no worktree. Never what did not land. Takes no run's lock: whoever is asked for one meanwhile takes it up.
///
/// # Errors
/// Fails where git or the state directory cannot be read.
pub fn garbage(place: &Place) -> Result<Vec<Left>, AppError> {
    let repo = place.repo()?;
    let mut left = Vec::new();
    for row in rows(place, &repo)?.filter(|row| !is_hosted(place, &row.run)) {
        let run = &row.run;
        let found = |what: &str, path: &Path, why: &str| Left {
            what: what.to_owned(),
            path: path.display().to_string(),
            bytes: size_of(path),
            why: why.to_owned(),
        };
        let ended = ended(place, run);
        let why = match ended {
            Some(_) => format!("{run} has ended"),
            None => format!("nobody works on {run}, and whoever goes on with it makes its own"),
        };
        left.extend(trees(place, &repo, run).iter().map(|path| found("worktree", path, &why)));
        let Some(state) = ended else { continue };
        let folders = ["briefs", "logs"].into_iter().zip(folders(place, run));
        left.extend(folders.filter(|(_, dir)| dir.exists()).map(|(what, dir)| found(what, &dir, &why)));
        let why = format!("its commit is an ancestor of what {run} has landed on a branch");
        let refs = landed_refs(&repo, &state)?;
        left.extend(refs.iter().map(|(name, _)| found("ref", Path::new(name), &why)));
    }
    Ok(left)
}

/// Clears away what [`garbage`] lists.
///
/// # Errors
/// Fails where something cannot be removed; what was cleared until then stays cleared.
pub fn clear(place: &Place) -> Result<(), AppError> {
    let repo = place.repo()?;
    for RunRow { run, .. } in rows(place, &repo)? {
        // A run that goes on is kept from nobody for nothing.
        if ended(place, &run).is_none() && trees(place, &repo, &run).is_empty() {
            continue;
        }
        // Nobody takes it up meanwhile.
        let Ok(_lock) = RunLock::try_acquire(&place.dir.lock(&run)) else { continue };
        for dir in pool_dirs(place, &repo, &run).into_iter().filter(|dir| dir.is_dir()) {
            Pool::open(&repo, dir, &[])?.close()?;
        }
        if let Some(trees) = pool_dirs(place, &repo, &run)[0].parent() {
            // What is not ours stays, and its folder with it.
            let _ = std::fs::remove_dir(trees);
        }
        // Where its coordinator died, it still stands there.
        let _ = std::fs::remove_file(place.dir.socket(&run)?);
        let Some(state) = ended(place, &run) else { continue };
        for dir in folders(place, &run).into_iter().filter(|dir| dir.exists()) {
            std::fs::remove_dir_all(&dir).map_err(|source| AppError::Read { what: "the folder", path: dir, source })?;
        }
        for (name, target) in landed_refs(&repo, &state)? {
            repo.delete_ref(&name, target)?;
        }
    }
    Ok(())
}

/// Goes through the repository's runs one by one: many states together would be large.
fn rows(place: &Place, repo: &Repo) -> Result<impl Iterator<Item = RunRow>, AppError> {
    let identity = repo.identity().to_path_buf();
    Ok(place.runs()?.into_iter().filter(move |row| row.repo == identity))
}

/// Reads a run that has ended; nothing where it goes on. What cannot be read is left alone.
fn ended(place: &Place, run: &RunId) -> Option<State> {
    place.load(run).ok().filter(|state| state.end.is_some())
}

fn pool_dirs(place: &Place, repo: &Repo, run: &RunId) -> [PathBuf; 2] {
    let trees = place.dir.trees(&RepoKey::of(repo.identity())).join(run.as_str());
    ["work", "check"].map(|name| trees.join(name))
}

/// Lists the worktrees of a run's pools.
fn trees(place: &Place, repo: &Repo, run: &RunId) -> Vec<PathBuf> {
    let entries = pool_dirs(place, repo, run).into_iter().flat_map(std::fs::read_dir).flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn folders(place: &Place, run: &RunId) -> [PathBuf; 2] {
    ["desks", "logs"].map(|name| place.dir.run_dir(run).join(name))
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Lists the pins and task branches whose commits are ancestors of a branch that stands: the run's own, or the one that it
/// was delivered into. What the journal says of that holds no commit.
fn landed_refs(repo: &Repo, state: &State) -> Result<Vec<(String, Oid)>, AppError> {
    let opening = state.opening();
    let refs = RefNames::new(&opening.config.branch_prefix, opening.run.clone())?;
    let delivered = state.delivered.iter().map(|(branch, _)| format!("refs/heads/{branch}"));
    let mut heads = Vec::new();
    for branch in std::iter::once(refs.branch()).chain(delivered) {
        heads.extend(repo.ref_target(&branch)?);
    }
    let landed: BTreeSet<String> = state
        .tasks
        .iter()
        .filter(|(_, task)| matches!(task.status, Status::Landed { .. } | Status::Reverted { .. }))
        .map(|(id, _)| refs.task(*id))
        .collect();
    let mut gone = Vec::new();
    for (name, target) in repo.list_refs(&refs.branches())?.into_iter().chain(repo.list_refs(&refs.pins())?) {
        let is_pin = name.starts_with(&refs.pins());
        if name == refs.branch() || !(is_pin || landed.contains(&name)) {
            continue;
        }
        // Whatever is no ancestor has not landed, whoever says so.
        for head in &heads {
            if repo.is_ancestor(target, *head)? {
                gone.push((name, target));
                break;
            }
        }
    }
    Ok(gone)
}
