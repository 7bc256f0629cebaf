//! Owns the calls that the command line makes downward, and their shapes: one file to wire. Holds no logic.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::exit::Exit;
use super::fail::Fail;
use crate::machine::command::Ask;
use crate::machine::event::Recorded;
use crate::machine::state::State;
use crate::model::ids::{AttemptId, RequestId, RunId, TaskId};
use crate::model::role::Role;

/// Holds the state directory and the journal.
#[derive(Debug)]
pub struct Place {}

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
}

/// Holds a plan that was made without creating anything: what the run's state would be.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The state after planning.
    pub state: State,
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

impl Place {
    /// Opens the state directory for writing.
    ///
    /// # Errors
    /// Where it cannot be made, locked or written.
    pub fn open() -> Result<Self, Fail> {
        Err(unwired("open the state directory"))
    }

    /// Opens the state directory for reading; it works while a run is live and on a read-only file system.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn open_read_only() -> Result<Self, Fail> {
        Err(unwired("open the journal"))
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
pub fn runs(_: &Place) -> Result<Vec<RunRow>, Fail> {
    Err(unwired("list the runs"))
}

/// Finds a run by its id, a unique beginning of it, or its name; without a text the newest run of the repository
/// that the working directory lies in.
///
/// # Errors
/// Where there is no such run, or the text fits several.
pub fn find(_: &Place, _text: Option<&str>) -> Result<RunId, Fail> {
    Err(unwired("find the run"))
}

/// Folds a run; gives the state and the number of its last event.
///
/// # Errors
/// Where the journal cannot be read.
pub fn load(_: &Place, _: &RunId) -> Result<(State, u64), Fail> {
    Err(unwired("read the run"))
}

/// Reads a run's events from a number on.
///
/// # Errors
/// Where the journal cannot be read.
pub fn events(_: &Place, _: &RunId, _from_seq: u64) -> Result<Vec<Recorded>, Fail> {
    Err(unwired("read the run's events"))
}

/// Stores a request durably and nudges a living coordinator.
///
/// # Errors
/// Where it cannot be stored.
pub fn ask(_: &Place, _: &RunId, _: Ask) -> Result<RequestId, Fail> {
    Err(unwired("store the request"))
}

/// Tells whether a coordinator works on the run.
pub fn coordinator_lives(_: &Place, _: &RunId) -> bool {
    false
}

/// Gives the last line of output of each running attempt; empty where none is known.
pub fn last_lines(_: &Place, _: &RunId) -> BTreeMap<AttemptId, String> {
    BTreeMap::new()
}

/// Runs the coordinator until the run rests or ends.
///
/// # Errors
/// Where another coordinator holds the run, or the journal is lost.
pub async fn host(_: &Place, _: &RunId) -> Result<(), Fail> {
    Err(unwired("host the run"))
}

/// Reads a goal, locks it and opens a run; nothing is started.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub fn open_run(_: &Place, _goal: &Path, _: &OpenOptions) -> Result<RunId, Fail> {
    Err(unwired("open a run"))
}

/// Plans a goal and creates nothing.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub fn plan(_goal: &Path, _: &OpenOptions) -> Result<Planned, Fail> {
    Err(unwired("plan the goal"))
}

/// Gives the unified diff of a task's last candidate, as bytes that may hold anything.
///
/// # Errors
/// Where the task has no candidate.
pub fn patch(_: &Place, _: &RunId, _: TaskId) -> Result<String, Fail> {
    Err(unwired("read the candidate"))
}

/// Writes what `init` lays down and does not overwrite.
///
/// # Errors
/// Where the working directory is no repository or cannot be written.
pub fn init() -> Result<Vec<Laid>, Fail> {
    Err(unwired("lay down the files"))
}

/// Lists the roles as a run of the repository would have them.
///
/// # Errors
/// Where a role file is faulty.
pub fn roles(_changes: &[String]) -> Result<Vec<RoleRow>, Fail> {
    Err(unwired("read the roles"))
}

/// Lists the JSON schemas of all files, by name.
pub fn schemas() -> BTreeMap<String, serde_json::Value> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, schema: schemars::Schema| all.insert(name.to_owned(), schema.to_value());
    add("artel.toml", schemars::schema_for!(crate::model::config::Config));
    add("role", schemars::schema_for!(Role));
    add("handoff", schemars::schema_for!(crate::model::attempt::Handoff));
    all
}

/// Looks at the machine and the repository.
pub fn facts() -> Vec<Fact> {
    Vec::new()
}

/// Lists what could be cleared away.
///
/// # Errors
/// Where the state directory cannot be read.
pub fn garbage(_: &Place) -> Result<Vec<Garbage>, Fail> {
    Err(unwired("look for what is not needed"))
}

/// Clears away what was listed.
///
/// # Errors
/// Where something cannot be removed.
pub fn clear(_: &Place, _: &[Garbage]) -> Result<(), Fail> {
    Err(unwired("clear away what is not needed"))
}

fn unwired(tried: &str) -> Fail {
    Fail::new(Exit::Bug, tried).because("the command line is not joined to the rest of the house in this build")
}
