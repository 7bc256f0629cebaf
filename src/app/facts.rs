//! Owns what is to be known of this machine and repository, and clearing away what no run needs any longer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::opening::{read_config, read_roles};
use super::{AppError, Place, is_hosted, sandbox};
use crate::actors::world::told;
use crate::io::files::{RepoKey, RunLock, StateDir};
use crate::io::git::{Pool, RefNames, Repo};
use crate::io::journal::RunRow;
use crate::machine::state::{State, Status};
use crate::model::sandbox::Tier;

/// States a fact about the machine or the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What was looked at.
    pub name: String,
    /// Whether it is fit.
    pub fit: Fitness,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Says whether something is fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fitness {
    /// It is.
    Good,
    /// artel works, but not as well as it could.
    Weak,
    /// artel cannot work.
    Unfit,
}

impl Fact {
    pub(super) fn good(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), fit: Fitness::Good, found: found.into(), advice: None }
    }

    pub(super) fn bad(name: &str, fit: Fitness, found: impl Into<String>, advice: &str) -> Self {
        Self { name: name.to_owned(), fit, found: found.into(), advice: Some(advice.to_owned()) }
    }
}

/// Bytes below which a disk is too full to begin a run.
const ROOM_AT_LEAST: u64 = 1 << 30;

/// Looks at the machine, and at a repository by a folder in it where one is meant; never fails, because it is asked when
/// something is wrong.
pub fn doctor(env: BTreeMap<String, String>, cwd: &Path, repo: Option<&Path>) -> Vec<Fact> {
    let dir = StateDir::locate(|name| env.get(name).map(Into::into));
    let mut facts = vec![Fact::good("artel", env!("CARGO_PKG_VERSION"))];
    facts.push(match dir {
        Ok(ref dir) => Fact::good("state directory", dir.root().display().to_string()),
        Err(ref error) => Fact::bad("state directory", Fitness::Unfit, told(error), "set ARTEL_HOME"),
    });
    let place = Place::open(env, cwd.to_owned());
    facts.push(match &place {
        Ok(place) => {
            let runs = place.runs().unwrap_or_default();
            let open = runs.iter().filter(|row| row.ended.is_none()).count();
            Fact::good("journal", format!("{} runs, {open} not ended", runs.len()))
        }
        Err(error) => Fact::bad("journal", Fitness::Unfit, told(error), "mend what it says, or set ARTEL_HOME"),
    });
    if let Ok(dir) = &dir {
        let free = crate::io::space::free_bytes(dir.root()).unwrap_or(u64::MAX);
        let told = format!("{} MiB free where state lies", free >> 20);
        facts.push(if free < ROOM_AT_LEAST {
            Fact::bad("disk", Fitness::Weak, told, "free some space: worktrees and the journal need it")
        } else {
            Fact::good("disk", told)
        });
    }
    facts.push(about_git());
    facts.extend(repo.into_iter().flat_map(about_repository));
    facts.extend(place.ok().map(|place| about_sandbox(&place)));
    facts
}

/// Tries the sandboxes out, the one that holds most first, and tells which one a run would have and why not a better.
fn about_sandbox(place: &Place) -> Fact {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Fact::bad("sandbox", Fitness::Unfit, error.to_string(), "free some resources"),
    };
    let superuser = rustix::process::geteuid().is_root();
    let limits = if superuser { "; as root, processes are bounded by artel's own counting" } else { "" };
    let mut why = Vec::new();
    for tier in [Tier::Bubblewrap, Tier::Landlock] {
        let reason = match runtime.block_on(sandbox::hands(place, tier)) {
            Ok(_) if why.is_empty() => return Fact::good("sandbox", format!("{tier} holds{limits}")),
            Ok(_) => {
                let open = "it does not hold the rights and times of files that you own";
                let found = format!("{tier} holds; not better, because {}; {open}{limits}", why.join("; "));
                let advice = "install bubblewrap 0.8 or newer and allow user namespaces: docs/sandbox.md";
                return Fact::bad("sandbox", Fitness::Weak, found, advice);
            }
            Err(reason) => reason,
        };
        why.push(format!("{tier}: {reason}"));
    }
    let advice = "install bubblewrap and allow user namespaces; until then only `--sandbox none` opens runs";
    Fact::bad("sandbox", Fitness::Unfit, format!("none holds: {}", why.join("; ")), advice)
}

fn about_git() -> Fact {
    match crate::io::git::git_version() {
        Some((major, minor)) if (major, minor) >= (2, 38) => Fact::good("git", format!("{major}.{minor}")),
        Some((major, minor)) => {
            let found = format!("{major}.{minor}");
            Fact::bad("git", Fitness::Weak, found, "2.38 or newer is needed where two tasks change one file")
        }
        None => Fact::bad("git", Fitness::Unfit, "not found", "install git and put it on PATH"),
    }
}

fn about_repository(within: &Path) -> Vec<Fact> {
    let mut facts = Vec::new();
    let repo = match Repo::discover(within) {
        Ok(repo) => repo,
        Err(error) => {
            facts.push(Fact::bad("repository", Fitness::Unfit, told(&error), "go to a repository"));
            return facts;
        }
    };
    facts.push(Fact::good("repository", repo.identity().display().to_string()));
    facts.extend(what_a_run_needs(&repo));
    let locks = repo.locks(SystemTime::now());
    if !locks.is_empty() {
        let named: Vec<String> =
            locks.iter().map(|lock| format!("{} ({} s old)", lock.path.display(), lock.age.as_secs())).collect();
        let advice = "if no git works there any more, remove them: whoever left them is dead";
        facts.push(Fact::bad("lock files", Fitness::Weak, named.join(", "), advice));
    }
    let orphans = repo.doctor(SystemTime::now()).orphans;
    if !orphans.is_empty() {
        let found = format!("{} git sides of worktrees without their files", orphans.len());
        facts.push(Fact::bad("worktrees", Fitness::Weak, found, "`artel gc` removes them"));
    }
    facts
}

/// Looks at what every run begins with, and tells only what would be in its way.
fn what_a_run_needs(repo: &Repo) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Err(error) = repo.base(None) {
        facts.push(Fact::bad("base", Fitness::Unfit, told(&error), "commit something, or check a branch out"));
    }
    let roles = read_roles(Some(repo), &[]);
    if let Err(error) = &roles {
        facts.push(Fact::bad("roles", Fitness::Unfit, told(error), "`artel roles` shows where the faults stand"));
    }
    let config = match read_config(repo) {
        Ok(config) => config,
        Err(error) => {
            let advice = "`artel plan goal.md` shows where the faults stand";
            facts.push(Fact::bad("artel.toml", Fitness::Unfit, told(&error), advice));
            return facts;
        }
    };
    match repo.prefix_taken_by(&config.branch_prefix) {
        Ok(None) => {}
        Ok(Some(taken)) => {
            let found = format!("`{taken}` is in the way of all branches below `{}/`", config.branch_prefix);
            let advice = "rename that branch, or set `branch_prefix` in artel.toml to another word";
            facts.push(Fact::bad("branches", Fitness::Unfit, found, advice));
        }
        Err(error) => facts.push(Fact::bad("branches", Fitness::Unfit, told(&error), "look at `git branch`")),
    }
    facts
}

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

/// Holds an ended run whose things may be cleared away.
struct Ended {
    state: State,
    row: RunRow,
}

/// Lists what ended runs of the present repository have left; never what did not land. Takes no run's lock: whoever is
/// asked for one meanwhile takes it up.
///
/// # Errors
/// Fails where git or the state directory cannot be read.
pub fn garbage(place: &Place) -> Result<Vec<Left>, AppError> {
    let repo = place.repo()?;
    let mut left = Vec::new();
    for run in ended_runs(place, &repo)?.filter(|run| !is_hosted(place, &run.row.run)) {
        let why = format!("{} has ended", run.row.run);
        let row = |what: &str, path: &Path| Left {
            what: what.to_owned(),
            path: path.display().to_string(),
            bytes: size_of(path),
            why: why.clone(),
        };
        for dir in pool_dirs(place, &repo, &run.row) {
            let trees = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
            left.extend(trees.filter(|path| path.is_dir()).map(|path| row("worktree", &path)));
        }
        let folders = folders(place, &run.row);
        left.extend(
            ["briefs", "logs"]
                .into_iter()
                .zip(&folders)
                .filter(|(_, dir)| dir.exists())
                .map(|(what, dir)| row(what, dir)),
        );
        for (name, _) in landed_refs(&repo, &run.state)? {
            let why = format!("its commit is an ancestor of the branch of {}", run.row.run);
            left.push(Left { what: "ref".to_owned(), path: name, bytes: 0, why });
        }
    }
    Ok(left)
}

/// Clears away what [`garbage`] lists.
///
/// # Errors
/// Fails where something cannot be removed; what was cleared until then stays cleared.
pub fn clear(place: &Place) -> Result<(), AppError> {
    let repo = place.repo()?;
    for run in ended_runs(place, &repo)? {
        // Nobody takes it up meanwhile.
        let Ok(_lock) = RunLock::try_acquire(&place.dir.lock(&run.row.run)) else { continue };
        let Some(run) = ended(place, run.row) else { continue };
        for dir in pool_dirs(place, &repo, &run.row).into_iter().filter(|dir| dir.is_dir()) {
            Pool::open(&repo, dir, &[])?.close()?;
        }
        if let Some(trees) = pool_dirs(place, &repo, &run.row)[0].parent() {
            // What is not ours stays, and its folder with it.
            let _ = std::fs::remove_dir(trees);
        }
        // Where its coordinator died, it still stands there.
        let _ = std::fs::remove_file(place.dir.socket(&run.row.run)?);
        for dir in folders(place, &run.row).into_iter().filter(|dir| dir.exists()) {
            std::fs::remove_dir_all(&dir).map_err(|source| AppError::Read { what: "the folder", path: dir, source })?;
        }
        for (name, target) in landed_refs(&repo, &run.state)? {
            repo.delete_ref(&name, target)?;
        }
    }
    Ok(())
}

/// Goes through the ended runs one by one: many states together would be large.
fn ended_runs<'a>(place: &'a Place, repo: &'a Repo) -> Result<impl Iterator<Item = Ended> + use<'a>, AppError> {
    let rows = place.runs()?.into_iter().filter(|row| row.repo == repo.identity());
    Ok(rows.filter_map(|row| ended(place, row)))
}

/// Reads a run that has ended; nothing where it goes on. What cannot be read is left alone.
fn ended(place: &Place, row: RunRow) -> Option<Ended> {
    let state = place.load(&row.run).ok()?;
    state.end.is_some().then_some(Ended { state, row })
}

fn pool_dirs(place: &Place, repo: &Repo, row: &RunRow) -> [PathBuf; 2] {
    let trees = place.dir.trees(&RepoKey::of(repo.identity())).join(row.run.as_str());
    ["work", "check"].map(|name| trees.join(name))
}

fn folders(place: &Place, row: &RunRow) -> [PathBuf; 2] {
    ["desks", "logs"].map(|name| place.dir.run_dir(&row.run).join(name))
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

/// Lists the pins and task branches whose commits are ancestors of the run's branch.
fn landed_refs(repo: &Repo, state: &State) -> Result<Vec<(String, crate::model::ids::Oid)>, AppError> {
    let opening = state.opening();
    let refs = RefNames::new(&opening.config.branch_prefix, opening.run.clone())?;
    let Some(head) = state.head else { return Ok(Vec::new()) };
    let landed: BTreeSet<String> = state
        .tasks
        .iter()
        .filter(|(_, task)| matches!(task.status, Status::Landed { .. } | Status::Reverted { .. }))
        .map(|(id, _)| refs.task(*id))
        .collect();
    let mut gone = Vec::new();
    for (name, target) in repo.list_refs(&refs.branches())?.into_iter().chain(repo.list_refs(&refs.pins())?) {
        let is_pin = name.starts_with(&refs.pins());
        // Whatever is no ancestor has not landed, whoever says so.
        if (is_pin || landed.contains(&name)) && name != refs.branch() && repo.is_ancestor(target, head)? {
            gone.push((name, target));
        }
    }
    Ok(gone)
}
