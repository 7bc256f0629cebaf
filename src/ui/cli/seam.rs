//! Owns the calls that the command line makes downward, and their shapes: one file to wire. Holds no logic.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;
use tokio::sync::watch;

use super::blame::blame;
use super::exit::Exit;
use super::fail::Fail;
use super::lay::{RULE_PATH, plan_init};
use super::reach::surroundings;
pub use super::reach::{
    Place, RunRow, ask, ask_there, board_there, coordinator_lives, events, find, glance, is_answered, is_due, load,
    load_paced, mean, now_ms, open_there, outside, patch, runs, server,
};
use crate::actors::progress::Progress;
use crate::app;
use crate::io::agents::{KnownAgent, Programs, known_agents};
use crate::io::files::StateDir;
use crate::io::gateway::PriceRow;
use crate::machine::state::State;
use crate::model::ids::{RunId, TaskId};
use crate::model::role::Role;

/// Says how a run is opened.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// The user's own name for it.
    pub name: Option<String>,
    /// The commit or branch that it starts from; none is the checked-out one.
    pub base: Option<String>,
    /// Changes to roles, each `ROLE.FIELD=VALUE`.
    pub roles: Vec<String>,
    /// Attempts at one time; none is what the configuration says.
    pub workers: Option<u32>,
    /// What all chance in the run is drawn from; none is drawn itself.
    pub seed: Option<u64>,
}

/// Tells of a role and where it comes from.
#[derive(Debug, Clone, Serialize)]
pub struct RoleRow {
    /// The role.
    pub role: Role,
    /// Where it comes from: `built in`, or files and overrides in order.
    pub from: Vec<String>,
}

/// States a fact about the machine or the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What was looked at.
    pub name: String,
    /// Whether it is fit.
    pub fit: Fit,
    /// What was found.
    pub found: String,
    /// What to do about it, where something should be done.
    pub advice: Option<String>,
}

/// Says whether something is fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It is.
    Good,
    /// artel works, but not as well as it could.
    Weak,
    /// artel cannot work.
    Unfit,
}

/// Names something that could be cleared away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Garbage {
    /// What it is: a worktree, a cache, a lock, the journal of an ended run.
    pub what: String,
    /// Where it lies.
    pub path: String,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// Why it is not needed.
    pub why: String,
}

/// Says what `init` did with one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Laid {
    /// The file.
    pub path: String,
    /// Whether it was written; false where it was there and left alone.
    pub written: bool,
}

/// Looks whether a run's journal and landings are what they say; `anchor` names what it is held against.
///
/// # Errors
/// Where the journal cannot be read at all.
pub fn verify(place: &Place, run: &RunId, anchor: Option<&str>) -> Result<app::Proof, Fail> {
    app::verify(place.here()?, run, anchor).map_err(blame)
}

/// Opens what a session wrote; nothing where there is none of that name.
///
/// # Errors
/// Where it or the journal cannot be read.
pub fn transcript(place: &Place, run: &RunId, name: &str) -> Result<Option<app::Transcript>, Fail> {
    place.here()?.transcript(run, name).map_err(blame)
}

/// Lists what sessions wrote, by name.
///
/// # Errors
/// Where the run is one of another machine.
pub fn transcripts(place: &Place, run: &RunId) -> Result<Vec<String>, Fail> {
    Ok(place.here()?.transcripts(run))
}

/// Runs the coordinator until the run rests or ends.
///
/// # Errors
/// Where another coordinator holds the run, or the journal is lost.
pub async fn host(place: &Place, run: &RunId, progress: watch::Sender<Progress>) -> Result<(), Fail> {
    app::host_shown(place.here()?, run, progress).await.map(|_| ()).map_err(blame)
}

pub(super) fn opening(goal: &Path, options: &OpenOptions) -> app::OpenOptions {
    app::OpenOptions {
        goal: goal.to_owned(),
        name: options.name.clone(),
        base: options.base.clone(),
        roles: options.roles.clone(),
        workers: options.workers,
        seed: options.seed,
        run: None,
    }
}

/// Reads a goal, locks it and opens a run; nothing is started. Gives what was noticed about the repository too.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub fn open_run(place: &Place, goal: &Path, options: &OpenOptions) -> Result<(RunId, Vec<String>), Fail> {
    app::open_run(place.here()?, &opening(goal, options)).map_err(blame)
}

/// Plans a goal and creates nothing; gives what the run's state would be when planning ends.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub fn plan(goal: &Path, options: &OpenOptions) -> Result<State, Fail> {
    let (_, cwd) = surroundings()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fail::new(Exit::Unfit, "start the threads of planning").because(error))?;
    runtime.block_on(app::draft_plan(&cwd, &opening(goal, options))).map_err(blame)
}

/// Gives the brief of a task's running attempt, or of the one that would come next.
///
/// # Errors
/// Where the repository is not there, or the prompt cannot be filled.
pub fn brief(state: &State, task: TaskId) -> Result<Option<String>, Fail> {
    app::brief_of(state, task).map_err(blame)
}

/// Writes what `init` lays down and does not overwrite.
///
/// # Errors
/// Where the working directory is no repository or cannot be written.
pub fn init() -> Result<Vec<Laid>, Fail> {
    let (_, cwd) = surroundings()?;
    let repo = crate::io::git::Repo::discover(&cwd).map_err(|error| blame(error.into()))?;
    let Some(root) = repo.workdir() else {
        return Err(Fail::new(Exit::Unfit, format!("lay down files in {}", cwd.display()))
            .because("a bare repository has no files")
            .hint("go to a checkout of it"));
    };
    let ignore = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let planned = plan_init(&|path| fs::symlink_metadata(root.join(path)).is_ok(), &ignore);
    let mut laid = Vec::new();
    for (path, text) in &planned {
        let place = root.join(path);
        let failed = |error| Fail::new(Exit::Unfit, format!("write {}", place.display())).because(error);
        if *path == ".gitignore" {
            fs::write(&place, text).map_err(failed)?;
        } else {
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder).map_err(failed)?;
            }
            let mut file = fs::File::options().write(true).create_new(true).open(&place).map_err(failed)?;
            std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
        }
        laid.push(Laid { path: (*path).to_owned(), written: true });
    }
    for path in ["artel.toml", "goal.md", RULE_PATH, ".gitignore"] {
        if laid.iter().all(|file| file.path != path) && root.join(path).exists() {
            laid.push(Laid { path: path.to_owned(), written: false });
        }
    }
    Ok(laid)
}

/// Lists the roles as a run of the repository would have them.
///
/// # Errors
/// Where a role file is faulty.
pub fn roles(changes: &[String]) -> Result<Vec<RoleRow>, Fail> {
    let (_, cwd) = surroundings()?;
    // Without a repository there are the built-in roles.
    let repo = crate::io::git::Repo::discover(&cwd).ok();
    let roles = app::read_roles(repo.as_ref(), changes).map_err(blame)?;
    let builtin = app::read_roles(None, &[]).map_err(blame)?;
    let root = repo.as_ref().and_then(|repo| repo.workdir());
    let row = |role: &Role| {
        let mut from = Vec::new();
        if builtin.get(&role.name).is_some() {
            from.push("built in".to_owned());
        }
        let file = format!(".artel/roles/{}.toml", role.name);
        if root.is_some_and(|root| root.join(&file).exists()) {
            from.push(file);
        }
        let own = format!("{}.", role.name);
        from.extend(changes.iter().filter(|change| change.trim().starts_with(&own)).cloned());
        RoleRow { role: role.clone(), from }
    };
    Ok(roles.iter().map(row).collect())
}

/// Lists what is known of agents, and which of them this machine has.
///
/// # Errors
/// Where there is no working directory.
pub fn agents() -> Result<Vec<KnownAgent>, Fail> {
    let (env, _) = surroundings()?;
    let home = env.get("HOME").map(std::path::PathBuf::from);
    Ok(known_agents(&Programs::new(env.get("PATH").cloned(), home)))
}

/// Lists what models cost: the user's own prices first.
///
/// # Errors
/// Where there is no state directory, or the user's price file is faulty.
pub fn prices() -> Result<Vec<PriceRow>, Fail> {
    let (env, _) = surroundings()?;
    let dir = StateDir::locate(|name| env.get(name).map(Into::into)).map_err(|error| blame(error.into()))?;
    Ok(app::read_prices(&dir).map_err(blame)?.rows().collect())
}

/// Lists the JSON schemas of all files, by name.
pub fn schemas() -> BTreeMap<String, serde_json::Value> {
    super::schemas::schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// Looks at the machine and the repository.
pub fn facts() -> Vec<Fact> {
    let Ok((env, cwd)) = surroundings() else { return Vec::new() };
    app::doctor(env, &cwd).into_iter().map(fact).collect()
}

/// Looks through every run of the journal; empties caches that do not fit.
pub fn repair() -> Vec<Fact> {
    let Ok((env, cwd)) = surroundings() else { return Vec::new() };
    app::repair(env, &cwd).into_iter().map(fact).collect()
}

fn fact(fact: app::Fact) -> Fact {
    let fit = match fact.fit {
        app::Fitness::Good => Fit::Good,
        app::Fitness::Weak => Fit::Weak,
        app::Fitness::Unfit => Fit::Unfit,
    };
    Fact { name: fact.name.to_owned(), fit, found: fact.found, advice: fact.advice }
}

/// Lists what could be cleared away.
///
/// # Errors
/// Where the state directory cannot be read.
pub fn garbage(place: &Place) -> Result<Vec<Garbage>, Fail> {
    let found = app::garbage(place.here()?).map_err(blame)?;
    let row = |found: &app::Left| Garbage {
        what: found.what.to_owned(),
        path: found.path.clone(),
        bytes: found.bytes,
        why: found.why.clone(),
    };
    Ok(found.iter().map(row).collect())
}

/// Clears away what can be.
///
/// # Errors
/// Where something cannot be removed.
pub fn clear(place: &Place, _listed: &[Garbage]) -> Result<(), Fail> {
    app::clear(place.here()?).map_err(blame)
}
