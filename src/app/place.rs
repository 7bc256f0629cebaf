//! Owns the way to what is stored on this machine: the state directory, its journal, and runs read back from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::{AppError, Notices};
use crate::io::clock::{Clock, SystemClock};
use crate::io::files::StateDir;
use crate::io::git::Repo;
use crate::io::journal::format::{FormatError, decode};
use crate::io::journal::{EntryRef, Journal, RunRow, SqliteJournal};
use crate::machine::event::{Event, Recorded};
use crate::machine::snapshot;
use crate::machine::state::{Attempt, State};
use crate::model::attempt::Candidate;
use crate::model::ids::{Oid, RunId, TaskId};
use crate::model::sandbox::Tier;
use crate::views::pace::Pace;

/// How many events must have been folded for a snapshot to pay: some tens of milliseconds' worth.
const SNAPSHOT_AFTER: u64 = 10_000;

/// Names the file of a run's snapshot in its folder.
pub(super) const SNAPSHOT: &str = "snapshot";

/// Bytes that a snapshot may have.
const SNAPSHOT_BYTES_AT_MOST: u64 = 8 << 30;

/// Holds what a run's events come to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// The state.
    pub state: State,
    /// How fast it lands.
    pub pace: Pace,
    /// How many events were folded to get there.
    #[serde(skip)]
    pub replayed: u64,
}

impl Loaded {
    /// Reads a run's snapshot back; nothing where it rotted.
    pub(super) fn of_kept(kept: &Kept) -> Option<Self> {
        kept.read::<Self>().filter(|loaded| loaded.state.seq == kept.seq)
    }

    pub(super) fn to_snapshot(&self) -> Option<Vec<u8>> {
        snapshot::write(self).ok()
    }

    pub(super) fn from_snapshot(bytes: &[u8]) -> Option<Self> {
        snapshot::read(bytes)
    }
}

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
    /// What whoever hosts a run is to be told beside its events.
    pub notices: Arc<Notices>,
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
        Self {
            dir,
            journal,
            clock: Arc::new(SystemClock),
            sandbox: None,
            env,
            cwd,
            artel: "/proc/self/exe".into(),
            notices: Arc::default(),
        }
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

    /// Gives a run's state: that of its snapshot, where there is one, with the events after it folded in.
    ///
    /// # Errors
    /// Fails where an event is missing, is not as it was appended, or cannot be read.
    pub fn load(&self, run: &RunId) -> Result<State, AppError> {
        Ok(self.load_paced(run)?.state)
    }

    /// Does as [`Place::load`], and tells how fast the run lands.
    ///
    /// # Errors
    /// As [`Place::load`].
    pub fn load_paced(&self, run: &RunId) -> Result<Loaded, AppError> {
        let loaded = self.kept_snapshot(run)?.and_then(|kept| Loaded::of_kept(&kept));
        self.fold_after(run, loaded.unwrap_or_default())
    }

    /// Gives a run's snapshot as it was kept, where it has one that fits the journal.
    pub(super) fn kept_snapshot(&self, run: &RunId) -> Result<Option<Kept>, AppError> {
        self.kept(run, SNAPSHOT, SNAPSHOT_BYTES_AT_MOST)
    }

    /// Removes a run's snapshot.
    pub(super) fn drop_snapshot(&self, run: &RunId) -> std::io::Result<()> {
        std::fs::remove_file(self.dir.run_dir(run).join(SNAPSHOT))
    }

    /// Folds all of a run's events, whatever its snapshot says.
    ///
    /// # Errors
    /// As [`Place::load`].
    pub fn replay(&self, run: &RunId) -> Result<Loaded, AppError> {
        self.fold_after(run, Loaded::default())
    }

    /// Keeps what was loaded as the run's snapshot, and what its board shows, where folding it again would take a while.
    ///
    /// # Errors
    /// As reading the journal; where the files cannot be written.
    pub fn keep_snapshot(&self, run: &RunId, loaded: &Loaded) -> Result<(), AppError> {
        if loaded.replayed < SNAPSHOT_AFTER {
            return Ok(());
        }
        // A long log beside the journal is gone through by each look.
        self.journal.settle()?;
        self.keep(run, SNAPSHOT, loaded.state.seq, loaded)?;
        self.keep_glance(run, loaded)
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
        let attempts = state.tasks.get(&task).map(|task| task.attempts.as_slice()).unwrap_or_default();
        self.patch_of(state, attempts.iter().rev().find_map(Attempt::candidate))
    }

    /// Shows what a candidate changes, as a unified diff; nothing where there is none.
    ///
    /// # Errors
    /// Fails where git's objects are gone.
    pub fn patch_of(&self, state: &State, candidate: Option<&Candidate>) -> Result<Option<String>, AppError> {
        let Some(candidate) = candidate else { return Ok(None) };
        let repo = self.repo_of(state)?;
        let (base, _) = repo.commit_of(candidate.base)?;
        Ok(Some(repo.patch(base, candidate.tree)?))
    }

    /// Shows what a delivery brought, as a unified diff: all since the run began where the branch was moved to the run's own,
    /// and what the merge changes where the two were merged.
    ///
    /// # Errors
    /// Fails where git's objects are gone.
    pub fn patch_of_delivery(&self, state: &State, commit: Oid) -> Result<String, AppError> {
        let repo = self.repo_of(state)?;
        let (tree, parents) = repo.commit_of(commit)?;
        let mut attempts = state.tasks.values().flat_map(|task| &task.attempts);
        let is_own = attempts.any(|attempt| attempt.landed == Some(commit));
        let before = parents.first().filter(|_| !is_own).copied().unwrap_or(state.opening().base);
        let (before, _) = repo.commit_of(before)?;
        Ok(repo.patch(before, tree)?)
    }

    /// Tells where the branch stands into which a delivery waits to go; nothing also where it cannot be read.
    pub fn target_of(&self, state: &State) -> Option<Oid> {
        let asked = state.asked.delivery.as_ref()?;
        tip(Path::new(&state.opening().repo), &asked.branch)
    }

    /// Tells where the branch stands that a run was opened from, where it has moved since; nothing also where it cannot
    /// be read.
    pub fn moved_on(&self, state: &State) -> Option<Oid> {
        let opening = state.opening.as_deref()?;
        let branch = opening.branch.as_deref()?;
        let at = tip(Path::new(&opening.repo), branch)?;
        (at != opening.base).then_some(at)
    }
}

/// Tells where a branch of a repository stands; nothing where it cannot be read.
pub(super) fn tip(repo: &Path, branch: &str) -> Option<Oid> {
    Repo::discover(repo).ok()?.ref_target(&format!("refs/heads/{branch}")).ok()?
}

/// Reads a stored event.
///
/// # Errors
/// Fails on an event that is newer than this program or damaged.
pub fn decode_events(entry: EntryRef<'_>) -> Result<Recorded, FormatError> {
    let event: Event = decode(entry)?;
    Ok(Recorded { seq: entry.seq, at_ms: entry.at_ms, event })
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::io::journal::format::FORMAT;
    use crate::io::journal::{NewEntry, NewRun};
    use crate::views::story::Story;

    /// Makes a place in a folder, with the run of a story that holds these events alone.
    pub(in crate::app) fn stored(folder: &Path, story: &Story, events: &[Event]) -> (Place, RunId) {
        let env = BTreeMap::from([("ARTEL_HOME".to_owned(), folder.to_str().unwrap().to_owned())]);
        let place = Place::open(env, folder.to_owned()).unwrap();
        let run = story.state.opening().run.clone();
        let new = NewRun { run: run.clone(), name: None, repo: "/".into(), opened_at_ms: 1 };
        place.journal.open_run(&new).unwrap();
        store(&place, &run, events);
        (place, run)
    }

    /// Makes a place in a folder, with a run that was opened.
    pub(in crate::app) fn opened(folder: &Path) -> (Place, RunId) {
        let story = Story::at_work("");
        let opening = Event::RunOpened(Box::new(story.state.opening().clone()));
        stored(folder, &story, &[opening])
    }

    /// Stores events at the end of a run.
    pub(in crate::app) fn store(place: &Place, run: &RunId, events: &[Event]) {
        let after = place.journal.last_seq(run).unwrap();
        let epoch = place.journal.claim(run, "a test").unwrap();
        let entry = |event: &Event| {
            let data = serde_json::to_string(event).unwrap();
            NewEntry { at_ms: 5, kind: event.kind().to_owned(), v: FORMAT, data }
        };
        let entries: Vec<_> = events.iter().map(entry).collect();
        place.journal.append(run, epoch, after, &entries).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::testing::{opened, store};
    use super::*;
    use crate::io::files::RunLock;
    use crate::views::board::{Board, Outside, board};

    #[test]
    fn a_snapshot_with_its_tail_is_the_replay_and_one_that_does_not_fit_is_none() {
        let temp = tempfile::tempdir().unwrap();
        let (place, run) = opened(temp.path());
        let steered = |message: &str| Event::Steered { task: None, message: message.to_owned() };
        place.keep_snapshot(&run, &place.replay(&run).unwrap()).unwrap();
        assert_eq!(place.load_paced(&run).unwrap().replayed, 1, "a short run needs none");
        store(&place, &run, &vec![Event::Draining; SNAPSHOT_AFTER as usize]);
        let whole = place.replay(&run).unwrap();
        place.keep_snapshot(&run, &whole).unwrap();
        let outside = Outside { now_ms: place.clock.now_ms(), ..Outside::default() };
        let glance = place.glance(&run).unwrap().unwrap().board;
        assert_eq!(glance, Board { now_ms: glance.now_ms, ..board(&whole.state, &outside).unwrap() });
        let held = RunLock::try_acquire(&place.dir.lock(&run)).unwrap();
        assert_eq!(place.glance(&run).unwrap(), None, "somebody may be at work");
        drop(held);
        assert!(place.glance(&run).unwrap().is_some());
        store(&place, &run, &[Event::Resumed, steered("a"), steered("b")]);
        assert_eq!(place.glance(&run).unwrap(), None, "something has happened since");
        let both = || (place.load_paced(&run).unwrap(), place.replay(&run).unwrap());
        let (quick, slow) = both();
        assert_eq!((&quick.state, &quick.pace), (&slow.state, &slow.pace));
        assert_eq!((quick.replayed, quick.state.steering.len()), (3, 2));

        let file = place.dir.run_dir(&run).join(SNAPSHOT);
        let chain = place.journal.chain_at(&run, whole.state.seq).unwrap().unwrap();
        for what in ["rotten", "cut", "empty", "of other events", "of other laws"] {
            place.keep_snapshot(&run, &whole).unwrap();
            assert!(both().0.replayed < SNAPSHOT_AFTER);
            let mut kept = std::fs::read(&file).unwrap();
            let mut turn = |bytes: &[u8]| {
                let at = kept.windows(bytes.len()).position(|window| window == bytes).unwrap();
                kept[at] ^= 1;
                let sum = Sha256::digest(&kept[32..]);
                kept[..32].copy_from_slice(&sum);
            };
            match what {
                "rotten" => *kept.last_mut().unwrap() ^= 1,
                "cut" => kept.truncate(kept.len() - 1),
                "empty" => kept.clear(),
                "of other events" => turn(&chain.0),
                _ => turn(snapshot::FORM.as_bytes()),
            }
            std::fs::write(&file, kept).unwrap();
            let (quick, slow) = both();
            assert_eq!(quick.replayed, slow.state.seq, "{what}");
            assert_eq!(quick.state, slow.state, "{what}");
        }
    }
}
