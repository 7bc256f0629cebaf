//! Owns where runs are read and asked: in this machine's journal, or by a server on another machine. What is done with
//! them is the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use super::afar::Named;
use super::blame::blame;
use super::exit::Exit;
use super::fail::Fail;
use super::remote::Remote;
use crate::app;
use crate::machine::command::Ask;
use crate::machine::event::{Event, Recorded};
use crate::machine::evolve::evolve;
use crate::machine::snapshot;
use crate::machine::state::State;
use crate::model::ids::{AttemptId, Oid, RequestId, RunId, TaskId};
use crate::model::sandbox::Tier;
use crate::views::board::{Board, CheckingRow, Outside};
use crate::views::glance::Glance;
use crate::views::pace::Pace;

/// Events that are asked of a server at one time.
const PAGE: usize = 4096;

/// Leads to runs.
pub enum Place {
    /// The state directory and the journal of this machine.
    Here(Box<app::Place>),
    /// A server.
    There(Box<There>),
}

/// Leads to a server's runs.
pub struct There {
    pub(super) remote: Remote,
    /// What was told of each run beside its state when that was last read.
    seen: Mutex<BTreeMap<RunId, Outside>>,
}

/// Tells of a run, as far as the journal's index knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// The server that the command line names.
static SERVER: OnceLock<Option<String>> = OnceLock::new();

/// Has a server's runs meant wherever runs are, for as long as this process lives; tells who names that server.
pub fn mean(server: Option<String>) -> Named {
    let around = std::env::var("ARTEL_SERVER").ok().filter(|url| !url.is_empty());
    let named = match (&server, &around) {
        (Some(_), _) => Named::Here,
        (None, Some(_)) => Named::Around,
        (None, None) => Named::Nowhere,
    };
    // Only the first word counts, and there is only one.
    let _ = SERVER.set(server.or(around));
    named
}

/// Gives the environment and the folder that artel was started in.
///
/// # Errors
/// Where there is no working directory.
pub fn surroundings() -> Result<(BTreeMap<String, String>, std::path::PathBuf), Fail> {
    let text = |value: std::ffi::OsString| value.into_string().ok();
    let env = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    let cwd =
        std::env::current_dir().map_err(|error| Fail::new(Exit::Unfit, "find the working directory").because(error))?;
    Ok((env, cwd))
}

impl Place {
    /// Opens the state directory for writing, or the way to the server that is meant.
    ///
    /// # Errors
    /// Where it cannot be made, locked or written.
    pub fn open() -> Result<Self, Fail> {
        let (env, cwd) = surroundings()?;
        match There::meant(&env)? {
            Some(there) => Ok(Self::There(Box::new(there))),
            None => app::Place::open(env, cwd).map(|place| Self::Here(Box::new(place))).map_err(blame),
        }
    }

    /// Opens the state directory for writing, as if artel had been started in another folder.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub fn open_in(cwd: &Path) -> Result<Self, Fail> {
        let (env, _) = surroundings()?;
        app::Place::open(env, cwd.to_owned()).map(|place| Self::Here(Box::new(place))).map_err(blame)
    }

    /// Has runs that this process hosts held in the sandbox that was asked for, if one was.
    pub fn in_sandbox(mut self, tier: Option<Tier>) -> Self {
        if let Self::Here(place) = &mut self {
            place.sandbox = tier;
        }
        self
    }

    /// Opens the state directory for reading, or the way to the server that is meant; it works while a run is live and on
    /// a read-only file system.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn open_read_only() -> Result<Self, Fail> {
        let (env, cwd) = surroundings()?;
        match There::meant(&env)? {
            Some(there) => Ok(Self::There(Box::new(there))),
            None => app::Place::open_read_only(env, cwd).map(|place| Self::Here(Box::new(place))).map_err(blame),
        }
    }

    /// Gives the state directory of this machine.
    ///
    /// # Errors
    /// Where a server is meant.
    pub fn here(&self) -> Result<&app::Place, Fail> {
        match self {
            Self::Here(place) => Ok(place),
            Self::There(_) => Err(Fail::new(Exit::Usage, "do that on another machine")
                .because("this verb works on the machine itself")
                .hint("go without `--server` and ARTEL_SERVER, on the machine that is meant")),
        }
    }

    /// Tells whether a server is meant.
    pub fn is_there(&self) -> bool {
        matches!(self, Self::There(_))
    }
}

impl There {
    fn meant(env: &BTreeMap<String, String>) -> Result<Option<Self>, Fail> {
        let Some(url) = SERVER.get().cloned().flatten() else { return Ok(None) };
        let token = env.get("ARTEL_TOKEN").filter(|token| !token.is_empty()).ok_or_else(|| {
            Fail::new(Exit::Usage, format!("use the server `{url}`"))
                .because("ARTEL_TOKEN is not set")
                .hint("it holds one of the tokens that stand in serve/tokens.toml in the server's state directory")
        })?;
        Ok(Some(Self { remote: Remote::new(&url, token)?, seen: Mutex::default() }))
    }

    fn load(&self, run: &RunId) -> Result<(State, Pace), Fail> {
        let answered = self.remote.get(&format!("/api/v1/runs/{run}/state"))?;
        if answered.header("artel-form") != Some(snapshot::FORM) {
            // Another version of artel writes states in another way; events are read by all.
            return self.fold(run);
        }
        type Told = (RunId, State, Pace, BTreeMap<AttemptId, String>, Option<CheckingRow>, bool, Option<Oid>);
        let told = snapshot::read::<Told>(&answered.body);
        let (_, state, pace, last_lines, checking, coordinated, target) =
            told.ok_or_else(|| self.remote.garbled("/state"))?;
        let outside = Outside { now_ms: 0, last_lines, checking, pace: Pace::default(), coordinated, target };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(run.clone(), outside);
        Ok((state, pace))
    }

    fn fold(&self, run: &RunId) -> Result<(State, Pace), Fail> {
        let (mut state, mut pace) = (State::default(), Pace::default());
        for recorded in self.events(run, 1)? {
            pace.learn(&recorded);
            state = evolve(state, &recorded);
        }
        Ok((state, pace))
    }

    fn events(&self, run: &RunId, from_seq: u64) -> Result<Vec<Recorded>, Fail> {
        #[derive(Deserialize)]
        struct Line {
            seq: u64,
            at_ms: i64,
            event: Event,
        }
        let mut events: Vec<Recorded> = Vec::new();
        loop {
            let after = events.last().map_or(from_seq.saturating_sub(1), |last| last.seq);
            let path = format!("/api/v1/runs/{run}/events?after={after}&limit={PAGE}");
            let body = self.remote.get(&path)?.body;
            let before = events.len();
            for line in serde_json::Deserializer::from_slice(&body).into_iter::<Line>() {
                let Line { seq, at_ms, event } = line.map_err(|error| self.remote.garbled(&path).because(error))?;
                events.push(Recorded { seq, at_ms, event });
            }
            if events.len() - before < PAGE {
                return Ok(events);
            }
        }
    }

    fn is_coordinated(&self, run: &RunId) -> Result<bool, Fail> {
        let rows: Vec<serde_json::Value> = self.remote.json("/api/v1/runs")?;
        let row = rows.into_iter().find(|row| row["run"] == run.as_str());
        Ok(row.is_some_and(|row| row["coordinated"] == true))
    }
}

/// Gives the way to the server that is meant; nothing where this machine is.
///
/// # Errors
/// Where no token is set, or the address is none.
pub fn elsewhere() -> Result<Option<There>, Fail> {
    There::meant(&surroundings()?.0)
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
    let place = match place {
        Place::Here(place) => place,
        Place::There(there) => return there.remote.json("/api/v1/runs"),
    };
    let rows = place.runs().map_err(blame)?;
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
/// that the working directory lies in, or the newest of a server.
///
/// # Errors
/// Where there is no such run, or the text fits several.
pub fn find(place: &Place, text: Option<&str>) -> Result<RunId, Fail> {
    let there = match place {
        Place::Here(place) => return place.find(text).map_err(blame),
        Place::There(there) => there,
    };
    let Some(text) = text else {
        let none = || Fail::new(Exit::Missing, "find a run of the server").because("there is none yet");
        return runs(place)?.into_iter().next().map(|row| row.run).ok_or_else(none);
    };
    let path = format!("/api/v1/runs/{}", escaped(text));
    let board: serde_json::Value = there.remote.json(&path)?;
    let run = board["run"].as_str().and_then(|run| run.parse().ok());
    run.ok_or_else(|| there.remote.garbled(&path))
}

/// Writes a text as one step of a path, or as the value of a query.
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Folds a run; gives the state and the number of its last event.
///
/// # Errors
/// Where the journal cannot be read.
pub fn load(place: &Place, run: &RunId) -> Result<(State, u64), Fail> {
    let state = load_paced(place, run)?.0;
    let seq = state.seq;
    Ok((state, seq))
}

/// Gives a run's state and how fast it lands.
///
/// # Errors
/// Where the journal cannot be read, or the run is not open.
pub fn load_paced(place: &Place, run: &RunId) -> Result<(State, Pace), Fail> {
    let place = match place {
        Place::Here(place) => place,
        Place::There(there) => return there.load(run),
    };
    match place.load_paced(run) {
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
    let Place::Here(place) = place else { return Ok(None) };
    let Some(mut glance) = place.glance(run).map_err(blame)? else { return Ok(None) };
    let running = glance.board.running.iter().map(|row| (row.attempt, row.agent.as_str()));
    let last_lines = place.last_lines(run, running);
    glance.later(now_ms(), &last_lines);
    Ok(Some(glance))
}

/// Gives the address of the server that has the runs' pages, where one is known.
pub fn server(place: &Place) -> Option<String> {
    match place {
        Place::Here(place) => app::address(place).map(|address| address.url),
        Place::There(there) => Some(there.remote.base().to_owned()),
    }
}

/// Reads a run's events from a number on.
///
/// # Errors
/// Where the journal cannot be read.
pub fn events(place: &Place, run: &RunId, from_seq: u64) -> Result<Vec<Recorded>, Fail> {
    match place {
        Place::Here(place) => place.events(run, from_seq).map_err(blame),
        Place::There(there) => there.events(run, from_seq),
    }
}

/// Stores a request durably and nudges a living coordinator.
///
/// # Errors
/// Where it cannot be stored.
pub fn ask(place: &Place, run: &RunId, ask: Ask) -> Result<RequestId, Fail> {
    app::ask(place.here()?, run, &ask).map_err(blame)
}

/// Asks something of a server's run; tells whether it was carried out by now. Nothing where no server is meant.
///
/// # Errors
/// Where it is refused.
pub fn ask_there(place: &Place, run: &RunId, ask: &Ask) -> Result<Option<bool>, Fail> {
    let Place::There(there) = place else { return Ok(None) };
    let body = serde_json::to_value(ask).map_err(|error| Fail::new(Exit::Bug, "write a request").because(error))?;
    let key = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let answer = there.remote.post(&format!("/api/v1/runs/{run}/requests"), Some(&key), &body)?;
    Ok(Some(answer["answer"] == "carried_out"))
}

/// Tells whether a coordinator works on the run; not where that cannot be known.
pub fn coordinator_lives(place: &Place, run: &RunId) -> bool {
    match place {
        Place::Here(place) => app::is_hosted(place, run),
        Place::There(there) => there.is_coordinated(run).unwrap_or(false),
    }
}

/// Tells whether somebody answers what is asked of a run: its coordinator, or a server that hosts it for that.
pub fn is_answered(place: &Place, run: &RunId) -> bool {
    match place {
        Place::Here(here) => coordinator_lives(place, run) || app::is_served(here),
        Place::There(_) => true,
    }
}

/// Gives the board of a server's run as that shows it, with what its attempts print; nothing where no server is meant, or
/// it does not answer as one should.
pub fn board_there(place: &Place, run: &RunId) -> Option<Board> {
    let Place::There(there) = place else { return None };
    there.remote.json(&format!("/api/v1/runs/{run}")).ok()
}

/// Tells whether a run that rests is to go on: something was asked of it, or a word is overdue.
pub fn is_due(place: &Place, run: &RunId, state: &State) -> bool {
    match place {
        Place::Here(place) => app::is_due(place, run, state).unwrap_or(false),
        Place::There(_) => false,
    }
}

/// Gathers what views need of a run beside its state.
pub fn outside(place: &Place, run: &RunId, state: &State, pace: &Pace) -> Outside {
    match place {
        Place::Here(place) => place.outside(run, state, pace),
        Place::There(there) => {
            let seen = there.seen.lock().unwrap_or_else(PoisonError::into_inner).get(run).cloned();
            let known = seen.unwrap_or_else(|| Outside { coordinated: state.is_live(), ..Outside::default() });
            Outside { now_ms: now_ms(), pace: pace.clone(), ..known }
        }
    }
}

/// Gives the unified diff of a task's last candidate, as text that may hold anything.
///
/// # Errors
/// Where the task has no candidate.
pub fn patch(place: &Place, run: &RunId, task: TaskId) -> Result<String, Fail> {
    let place = match place {
        Place::Here(place) => place,
        Place::There(there) => {
            let body = there.remote.get(&format!("/api/v1/runs/{run}/tasks/{task}/diff"))?.body;
            return Ok(String::from_utf8_lossy(&body).into_owned());
        }
    };
    let state = place.load(run).map_err(blame)?;
    let patch = place.patch(&state, task).map_err(blame)?;
    patch.ok_or_else(|| {
        Fail::new(Exit::Missing, format!("show the diff of {task}"))
            .because("it has no candidate yet")
            .hint(format!("`artel show {task}` tells how far it is"))
    })
}
