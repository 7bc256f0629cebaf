//! Owns the calls that the command line makes downward, and their shapes: one file to wire. Holds no logic.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::blame::blame;
use super::exit::Exit;
use super::fail::Fail;
use super::lay::{RULE_PATH, plan_init};
use super::pick::read;
pub use super::reach::{
    Place, RunRow, ask, ask_there, board_there, coordinator_lives, events, find, glance, is_answered, is_due, load,
    load_paced, mean, now_ms, outside, patch, runs, server,
};
use super::reach::{elsewhere, surroundings};
use crate::actors::progress::Progress;
use crate::app;
pub use crate::app::{Became, Fact, Fitness as Fit, Left as Garbage, RoleRow, unheeded};
use crate::io::agents::KnownAgent;
use crate::io::files::StateDir;
use crate::io::gateway::PriceRow;
use crate::io::git::Repo;
use crate::machine::state::State;
use crate::model::ids::{RunId, TaskId};
use crate::views::inbox::{Item, inbox as items};
use crate::views::plan_tree::{PlanTree, plan_tree};

/// Says how a run is opened.
#[derive(Debug, Clone, Default, Serialize)]
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
    /// Whether nobody is to work on it before that is asked for.
    pub open_only: bool,
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
    match place {
        Place::Here(place) => app::verify(place, run, anchor).map_err(blame),
        Place::There(there) => there.verify(run, anchor),
    }
}

/// Lists what of a run needs a person, failed or is finished.
///
/// # Errors
/// Where there is no such run, or the journal cannot be read.
pub fn inbox_of(place: &Place, run: &str) -> Result<Vec<Item>, Fail> {
    match place {
        Place::Here(_) => {
            let state = read(place, Some(run))?.state;
            Ok(app::note_targets(Path::new(&state.opening().repo), items(&state)))
        }
        Place::There(there) => there.inbox_of(run),
    }
}

/// Lists what needs a person, failed or is finished, in all runs; finished tasks may be left out.
///
/// # Errors
/// Where the journal cannot be read.
pub fn inbox(place: &Place) -> Result<Vec<Item>, Fail> {
    match place {
        Place::Here(_) => whole_inbox(place),
        Place::There(there) => there.inbox(),
    }
}

/// Lists what needs a person, failed or is finished, in all runs.
///
/// # Errors
/// Where the journal cannot be read.
pub fn whole_inbox(place: &Place) -> Result<Vec<Item>, Fail> {
    match place {
        Place::Here(place) => app::whole_inbox(place).map_err(blame),
        Place::There(there) => there.whole_inbox(),
    }
}

/// Opens what a session wrote; nothing where there is none of that name.
///
/// # Errors
/// Where it or the journal cannot be read.
pub fn transcript(place: &Place, run: &RunId, name: &str) -> Result<Option<app::Transcript>, Fail> {
    match place {
        Place::Here(place) => place.transcript(run, name).map_err(blame),
        Place::There(there) => there.transcript(run, name),
    }
}

/// Lists what sessions wrote, by name.
///
/// # Errors
/// Where a server is meant and does not answer.
pub fn transcripts(place: &Place, run: &RunId) -> Result<Vec<String>, Fail> {
    match place {
        Place::Here(place) => Ok(place.transcripts(run)),
        Place::There(there) => there.transcripts(run),
    }
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

/// Tells of a run that was opened.
#[derive(Debug, Clone, Deserialize)]
pub struct Opened {
    /// The run.
    pub run: RunId,
    /// What was noticed about the repository.
    pub notes: Vec<String>,
}

/// Reads a goal, locks it and opens a run; nothing is started here, but a server hosts it unless it is opened only.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub fn open_run(place: &Place, goal: &Path, options: &OpenOptions) -> Result<Opened, Fail> {
    match place {
        Place::Here(place) => {
            let (run, notes) = app::open_run(place, &opening(goal, options)).map_err(blame)?;
            Ok(Opened { run, notes })
        }
        Place::There(there) => there.open(goal, options),
    }
}

/// Has a server host a run on which nobody works; nothing where no server is meant.
///
/// # Errors
/// Where it does not answer, or refuses.
pub fn host_there(place: &Place, run: &RunId) -> Result<(), Fail> {
    match place {
        Place::Here(_) => Ok(()),
        Place::There(there) => there.host(run),
    }
}

/// Plans a goal and creates nothing; gives the plan as it would be when planning ends.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub fn plan(goal: &Path, options: &OpenOptions) -> Result<PlanTree, Fail> {
    if let Some(there) = elsewhere()? {
        return there.plan(goal, options);
    }
    let (_, cwd) = surroundings()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fail::new(Exit::Unfit, "start the threads of planning").because(error))?;
    let planned = runtime.block_on(app::draft_plan(&cwd, &opening(goal, options))).map_err(blame)?;
    let unopened = || Fail::new(Exit::Bug, "read the plan").because("the planned run was never opened");
    plan_tree(&planned).ok_or_else(unopened)
}

/// Gives the brief of a task's running attempt, or of the one that would come next.
///
/// # Errors
/// Where the repository is not there, the prompt cannot be filled, or the task's work needs no brief; where its tokens are to
/// be counted exactly and nobody counts them.
pub fn brief(place: &Place, state: &State, (run, task): (&RunId, TaskId), is_exact: bool) -> Result<app::Brief, Fail> {
    match place {
        Place::Here(here) => {
            let made = app::brief_of(state, task).map_err(blame)?.ok_or_else(|| {
                Fail::new(Exit::Missing, format!("show the brief of {task}")).because("its work needs none")
            })?;
            if is_exact { made.counted(here).map_err(blame) } else { Ok(made) }
        }
        Place::There(there) => there.brief(run, task, is_exact),
    }
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

/// Lists the roles as a run of a repository would have them: the one that is named, or that artel was started in.
///
/// # Errors
/// Where there is no repository of that name, or a role file or change is faulty.
pub fn roles(repo: Option<&Path>, changes: &[String]) -> Result<Vec<RoleRow>, Fail> {
    if let Some(there) = elsewhere()? {
        return there.roles(repo, changes);
    }
    let (_, cwd) = surroundings()?;
    let found = match repo {
        Some(repo) => Some(Repo::discover(&cwd.join(repo)).map_err(|error| blame(error.into()))?),
        // Without a repository there are the built-in roles.
        None => Repo::discover(&cwd).ok(),
    };
    app::role_rows(found.as_ref(), changes).map_err(blame)
}

/// Lists what is known of agents, and which of them the machine has.
///
/// # Errors
/// Where there is no working directory, or a server is meant and does not answer.
pub fn agents() -> Result<Vec<KnownAgent>, Fail> {
    match elsewhere()? {
        Some(there) => there.agents(),
        None => {
            let (env, cwd) = surroundings()?;
            Ok(app::agents_here(&env, &cwd))
        }
    }
}

/// Lists what models cost: the user's own prices first.
///
/// # Errors
/// Where there is no state directory, or the user's price file is faulty.
pub fn prices() -> Result<Vec<PriceRow>, Fail> {
    if let Some(there) = elsewhere()? {
        return there.prices();
    }
    let (env, _) = surroundings()?;
    let dir = StateDir::locate(|name| env.get(name).map(Into::into)).map_err(|error| blame(error.into()))?;
    Ok(app::read_prices(&dir).map_err(blame)?.rows().collect())
}

/// Lists the JSON schemas of all files, by name.
///
/// # Errors
/// Where a server is meant and does not answer.
pub fn schemas() -> Result<BTreeMap<String, serde_json::Value>, Fail> {
    match elsewhere()? {
        Some(there) => there.schemas(),
        None => Ok(super::schemas::schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()),
    }
}

/// Looks at the machine and at a repository: the one that is named, or on this machine the one that artel was started in.
///
/// # Errors
/// Where there is no working directory, or a server is meant and does not answer.
pub fn facts(repo: Option<&Path>) -> Result<Vec<Fact>, Fail> {
    if let Some(there) = elsewhere()? {
        return there.facts(repo);
    }
    let (env, cwd) = surroundings()?;
    let within = repo.map_or_else(|| cwd.clone(), |repo| cwd.join(repo));
    Ok(app::doctor(env, &cwd, Some(&within)))
}

/// Looks through every run of the journal; empties caches that do not fit.
///
/// # Errors
/// As [`facts`].
pub fn repair() -> Result<Vec<Fact>, Fail> {
    if let Some(there) = elsewhere()? {
        return there.repair();
    }
    let (env, cwd) = surroundings()?;
    Ok(app::repair(env, &cwd))
}

/// Sends a test notice by each channel, or by one.
///
/// # Errors
/// Where the channels are faulty, or there is none that is meant.
pub fn notify(place: &Place, channel: Option<&str>) -> Result<Vec<Became>, Fail> {
    match place {
        Place::Here(place) => super::live::runtime()?.block_on(app::try_channels(place, channel)).map_err(blame),
        Place::There(there) => there.notify(channel),
    }
}

/// Lists what could be cleared away of a repository: the one that is named, or that artel was started in.
///
/// # Errors
/// Where there is no repository, or the state directory cannot be read.
pub fn garbage(place: &Place, repo: Option<&Path>) -> Result<Vec<Garbage>, Fail> {
    match place {
        Place::Here(place) => app::garbage(&within(place, repo)).map_err(blame),
        Place::There(there) => there.garbage(repo),
    }
}

/// Clears away what can be, and lists what that was.
///
/// # Errors
/// As [`garbage`], and where something cannot be removed.
pub fn clear(place: &Place, repo: Option<&Path>) -> Result<Vec<Garbage>, Fail> {
    match place {
        Place::Here(here) => {
            let found = garbage(place, repo)?;
            app::clear(&within(here, repo)).map_err(blame)?;
            Ok(found)
        }
        Place::There(there) => there.clear(repo),
    }
}

fn within(place: &app::Place, repo: Option<&Path>) -> app::Place {
    let cwd = repo.map_or_else(|| place.cwd.clone(), |repo| place.cwd.join(repo));
    app::Place { cwd, ..place.clone() }
}
