//! Owns the way to what is stored on this machine: the state directory, its journal, and runs read back from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::AppError;
use crate::io::clock::{Clock, SystemClock};
use crate::io::files::StateDir;
use crate::io::git::Repo;
use crate::io::journal::format::{FormatError, decode};
use crate::io::journal::{EntryRef, Journal, RunRow, SqliteJournal};
use crate::machine::event::{Event, Recorded};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::ids::{RunId, TaskId};
use crate::model::sandbox::Tier;

/// Knows where this machine's runs are stored and in what environment artel was started.
#[derive(Clone)]
pub struct Place {
    /// The state directory.
    pub dir: StateDir,
    /// The journal of all runs.
    pub journal: Arc<dyn Journal>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The sandbox that the command line asks for.
    pub sandbox: Option<Tier>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The folder that artel was started in.
    pub cwd: PathBuf,
    /// The program itself, for what it starts of its own.
    pub artel: PathBuf,
}

impl Place {
    /// Opens the state directory for reading and writing; makes it where there is none.
    ///
    /// # Errors
    /// Fails where the directory or the journal cannot be used, and says what to do.
    pub fn open(env: BTreeMap<String, String>, cwd: PathBuf) -> Result<Self, AppError> {
        let dir = StateDir::locate(|name| env.get(name).map(Into::into))?;
        dir.create()?;
        let journal = SqliteJournal::open(&dir.journal())?;
        Ok(Self::with(dir, Arc::new(journal), env, cwd))
    }

    /// Opens the state directory for reading alone; works where it cannot be written and while others write.
    ///
    /// # Errors
    /// Fails where there is no journal yet or it cannot be read.
    pub fn open_read_only(env: BTreeMap<String, String>, cwd: PathBuf) -> Result<Self, AppError> {
        let dir = StateDir::locate(|name| env.get(name).map(Into::into))?;
        let journal = SqliteJournal::open_read_only(&dir.journal())?;
        Ok(Self::with(dir, Arc::new(journal), env, cwd))
    }

    fn with(dir: StateDir, journal: Arc<dyn Journal>, env: BTreeMap<String, String>, cwd: PathBuf) -> Self {
        Self { dir, journal, clock: Arc::new(SystemClock), sandbox: None, env, cwd, artel: "/proc/self/exe".into() }
    }

    /// Finds the repository that artel was started in.
    ///
    /// # Errors
    /// Fails where there is none that can be used.
    pub fn repo(&self) -> Result<Repo, AppError> {
        Ok(Repo::discover(&self.cwd)?)
    }

    /// Lists all runs, the oldest first.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn runs(&self) -> Result<Vec<RunRow>, AppError> {
        Ok(self.journal.runs()?)
    }

    /// Finds a run by id, name or the beginning of an id; without a text, the newest of the present repository.
    ///
    /// # Errors
    /// Fails where none or several fit.
    pub fn find(&self, text: Option<&str>) -> Result<RunId, AppError> {
        if let Some(text) = text {
            return Ok(self.journal.find_run(text)?.run);
        }
        let repo = self.repo()?;
        let mut runs = self.journal.runs()?;
        runs.retain(|row| row.repo == repo.identity());
        runs.pop().map(|row| row.run).ok_or(AppError::NoRun)
    }

    /// Folds a run's journal.
    ///
    /// # Errors
    /// Fails where an event is missing or cannot be read.
    pub fn load(&self, run: &RunId) -> Result<State, AppError> {
        let mut state = State::default();
        self.each(run, 1, |recorded| state = evolve(std::mem::take(&mut state), &recorded))?;
        if state.opening.is_none() {
            return Err(AppError::Unopened { run: run.to_string() });
        }
        Ok(state)
    }

    /// Reads a run's events from a number on.
    ///
    /// # Errors
    /// As [`Place::load`].
    pub fn events(&self, run: &RunId, from_seq: u64) -> Result<Vec<Recorded>, AppError> {
        let mut events = Vec::new();
        self.each(run, from_seq, |recorded| events.push(recorded))?;
        Ok(events)
    }

    fn each(&self, run: &RunId, from_seq: u64, mut see: impl FnMut(Recorded)) -> Result<(), AppError> {
        let mut wrong = None;
        self.journal.for_each(run, from_seq, &mut |entry| match decode_events(entry) {
            Ok(recorded) => see(recorded),
            Err(error) => wrong = wrong.take().or(Some(error)),
        })?;
        wrong.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Opens the repository of a run, wherever artel was started.
    ///
    /// # Errors
    /// Fails where the repository is gone.
    pub fn repo_of(&self, state: &State) -> Result<Repo, AppError> {
        Ok(Repo::discover(Path::new(&state.opening().repo))?)
    }

    /// Shows what a task's last candidate changes, as a unified diff; nothing where it has none.
    ///
    /// # Errors
    /// Fails where git's objects are gone.
    pub fn patch(&self, state: &State, task: TaskId) -> Result<Option<String>, AppError> {
        let repo = self.repo_of(state)?;
        let Some(task) = state.tasks.get(&task) else { return Ok(None) };
        let Some(candidate) = task.attempts.iter().rev().find_map(|attempt| attempt.candidate()) else {
            return Ok(None);
        };
        let (base, _) = repo.commit_of(candidate.base)?;
        Ok(Some(repo.patch(base, candidate.tree)?))
    }
}

/// Reads a stored event.
///
/// # Errors
/// Fails on an event that is newer than this program or damaged.
pub fn decode_events(entry: EntryRef<'_>) -> Result<Recorded, FormatError> {
    let event: Event = decode(entry)?;
    Ok(Recorded { seq: entry.seq, at_ms: entry.at_ms, event })
}
