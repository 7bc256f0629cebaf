//! Owns the calls that the command line makes downward, and their shapes: one file to wire. Holds no logic.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::Serialize;
use tokio::sync::watch;

use super::blame::blame;
use super::exit::Exit;
use super::fail::Fail;
use super::lay::{RULE_PATH, plan_init};
use crate::actors::progress::Progress;
use crate::app;
use crate::io::agents::{KnownAgent, Programs, known_agents};
use crate::io::files::StateDir;
use crate::io::gateway::PriceRow;
use crate::machine::command::Ask;
use crate::machine::event::Recorded;
use crate::machine::state::State;
use crate::model::ids::{AttemptId, RequestId, RunId, TaskId};
use crate::model::role::Role;
use crate::model::sandbox::Tier;
use crate::views::board::CheckingRow;
use crate::views::glance::Glance;
use crate::views::pace::Pace;

/// Holds the state directory and the journal.
pub struct Place(app::Place);

/// Tells of a run, as far as the journal's index knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// The user's own name for it.
    pub name: Option<String>,
    /// The repository's common git directory.
    pub repo: String,
    /// When it was opened, in milliseconds since 1970.
    pub opened_at_ms: i64,
    /// The number of its last event.
    pub last_seq: u64,
    /// Whether it has ended.
    pub ended: bool,
}

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

/// Gives the environment and the folder that artel was started in.
fn surroundings() -> Result<(BTreeMap<String, String>, std::path::PathBuf), Fail> {
    let text = |value: std::ffi::OsString| value.into_string().ok();
    let env = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    let cwd =
        std::env::current_dir().map_err(|error| Fail::new(Exit::Unfit, "find the working directory").because(error))?;
    Ok((env, cwd))
}

impl Place {
    /// Opens the state directory for writing.
    ///
    /// # Errors
    /// Where it cannot be made, locked or written.
    pub fn open() -> Result<Self, Fail> {
        let (env, cwd) = surroundings()?;
        app::Place::open(env, cwd).map(Self).map_err(blame)
    }

    /// Opens the state directory for writing, as if artel had been started in another folder.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub fn open_in(cwd: &Path) -> Result<Self, Fail> {
        let (env, _) = surroundings()?;
        app::Place::open(env, cwd.to_owned()).map(Self).map_err(blame)
    }

    /// Has runs that this process hosts held in the sandbox that was asked for, if one was.
    pub fn in_sandbox(mut self, tier: Option<Tier>) -> Self {
        self.0.sandbox = tier;
        self
    }

    /// Gives what the calls downward take.
    pub(super) fn below(&self) -> &app::Place {
        &self.0
    }

    /// Opens the state directory for reading; it works while a run is live and on a read-only file system.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn open_read_only() -> Result<Self, Fail> {
        let (env, cwd) = surroundings()?;
        app::Place::open_read_only(env, cwd).map(Self).map_err(blame)
    }
}

/// Tells the time, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Lists all runs, newest first.
///
/// # Errors
/// Where the journal cannot be read.
pub fn runs(place: &Place) -> Result<Vec<RunRow>, Fail> {
    let rows = place.0.runs().map_err(blame)?;
    let row = |row: crate::io::journal::RunRow| RunRow {
        run: row.run,
        name: row.name,
        repo: row.repo.to_string_lossy().into_owned(),
        opened_at_ms: row.opened_at_ms,
        last_seq: row.last_seq,
        ended: row.ended.is_some(),
    };
    Ok(rows.into_iter().rev().map(row).collect())
}

/// Finds a run by its id, a unique beginning of it, or its name; without a text the newest run of the repository
/// that the working directory lies in.
///
/// # Errors
/// Where there is no such run, or the text fits several.
pub fn find(place: &Place, text: Option<&str>) -> Result<RunId, Fail> {
    place.0.find(text).map_err(blame)
}

/// Folds a run; gives the state and the number of its last event.
///
/// # Errors
/// Where the journal cannot be read.
pub fn load(place: &Place, run: &RunId) -> Result<(State, u64), Fail> {
    let state = place.0.load(run).map_err(blame)?;
    let seq = state.seq;
    Ok((state, seq))
}

/// Gives a run's state and how fast it lands.
///
/// # Errors
/// Where the journal cannot be read, or the run is not open.
pub fn load_paced(place: &Place, run: &RunId) -> Result<(State, Pace), Fail> {
    match place.0.load_paced(run) {
        Ok(loaded) => Ok((loaded.state, loaded.pace)),
        Err(app::AppError::Unopened { .. }) => {
            Err(Fail::new(Exit::Missing, format!("read run {run}")).because("it holds no events"))
        }
        Err(error) => Err(blame(error)),
    }
}

/// Gives the board of a run of many events, as short as it is shown, where it need not be read back for that.
///
/// # Errors
/// Where the journal cannot be read.
pub fn glance(place: &Place, run: &RunId) -> Result<Option<Glance>, Fail> {
    let Some(mut glance) = place.0.glance(run).map_err(blame)? else { return Ok(None) };
    let running: Vec<AttemptId> = glance.board.running.iter().map(|row| row.attempt).collect();
    glance.later(now_ms(), &last_lines(place, run, &running));
    Ok(Some(glance))
}

/// Reads a run's events from a number on.
///
/// # Errors
/// Where the journal cannot be read.
pub fn events(place: &Place, run: &RunId, from_seq: u64) -> Result<Vec<Recorded>, Fail> {
    place.0.events(run, from_seq).map_err(blame)
}

/// Stores a request durably and nudges a living coordinator.
///
/// # Errors
/// Where it cannot be stored.
pub fn ask(place: &Place, run: &RunId, ask: Ask) -> Result<RequestId, Fail> {
    app::ask(&place.0, run, &ask).map_err(blame)
}

/// Looks whether a run's journal and landings are what they say; `anchor` names what it is held against.
///
/// # Errors
/// Where the journal cannot be read at all.
pub fn verify(place: &Place, run: &RunId, anchor: Option<&str>) -> Result<app::Proof, Fail> {
    app::verify(&place.0, run, anchor).map_err(blame)
}

/// Tells whether a coordinator works on the run.
pub fn coordinator_lives(place: &Place, run: &RunId) -> bool {
    app::is_hosted(&place.0, run)
}

/// Bytes at the end of a log in which its last line is looked for.
const LAST_LINE_BYTES: u64 = 4 << 10;

/// Gives the last line of output of each of these attempts that has one.
pub fn last_lines<'a>(
    place: &Place,
    run: &RunId,
    attempts: impl IntoIterator<Item = &'a AttemptId>,
) -> BTreeMap<AttemptId, String> {
    let logs = place.0.dir.logs(run);
    let line = |id: &AttemptId| Some((*id, last_line(&logs.join(format!("{id}.log")))?));
    attempts.into_iter().filter_map(line).collect()
}

/// Tells which check was begun last and still runs, by its name.
pub fn checking(place: &Place, run: &RunId) -> Option<CheckingRow> {
    let logs = place.0.dir.logs(run);
    let sign = logs.join(format!("{}.log", app::CHECKING));
    let since = fs::metadata(&sign).ok()?.modified().ok()?;
    let told = fs::read_to_string(&sign).ok()?;
    let (log, check) = told.split_once('\n')?;
    let is_name = log.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    let since_ms = jiff::Timestamp::try_from(since).ok()?.as_millisecond();
    let last_line = is_name.then(|| last_line(&logs.join(format!("{log}.log")))).flatten();
    Some(CheckingRow { check: check.to_owned(), since_ms, last_line })
}

fn last_line(log: &Path) -> Option<String> {
    let mut file = fs::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_LINE_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(LAST_LINE_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}

/// Runs the coordinator until the run rests or ends.
///
/// # Errors
/// Where another coordinator holds the run, or the journal is lost.
pub async fn host(place: &Place, run: &RunId, progress: watch::Sender<Progress>) -> Result<(), Fail> {
    app::host_shown(&place.0, run, progress).await.map(|_| ()).map_err(blame)
}

pub(super) fn opening(goal: &Path, options: &OpenOptions) -> app::OpenOptions {
    app::OpenOptions {
        goal: goal.to_owned(),
        name: options.name.clone(),
        base: options.base.clone(),
        roles: options.roles.clone(),
        workers: options.workers,
        seed: options.seed,
    }
}

/// Reads a goal, locks it and opens a run; nothing is started. Gives what was noticed about the repository too.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub fn open_run(place: &Place, goal: &Path, options: &OpenOptions) -> Result<(RunId, Vec<String>), Fail> {
    app::open_run(&place.0, &opening(goal, options)).map_err(blame)
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

/// Gives the unified diff of a task's last candidate, as text that may hold anything.
///
/// # Errors
/// Where the task has no candidate.
pub fn patch(place: &Place, run: &RunId, task: TaskId) -> Result<String, Fail> {
    let (state, _) = load(place, run)?;
    let patch = place.0.patch(&state, task).map_err(blame)?;
    patch.ok_or_else(|| {
        Fail::new(Exit::Missing, format!("show the diff of {task}"))
            .because("it has no candidate yet")
            .hint(format!("`artel show {task}` tells how far it is"))
    })
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
    let found = app::garbage(&place.0).map_err(blame)?;
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
    app::clear(&place.0).map_err(blame)
}
