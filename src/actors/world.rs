//! Owns the handles through which a run's actors reach the world. Holds nothing that is true of the run.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::instruments::{Engines, Instruments};
use super::purse::Till;
use super::room::{Room, Whose};
use crate::io::agents::Desk;
use crate::io::agents::codemod::Codemod;
use crate::io::clock::Clock;
use crate::io::files::{RepoKey, StateDir};
use crate::io::gateway::Gateway;
use crate::io::git::{Author, GitError, Pool, RefNames, Repo, remove_any};
use crate::io::hands::{Hands, Ports};
use crate::io::journal::Journal;
use crate::io::process::base_env;
use crate::io::syntax::{RuleError, Rules};
use crate::io::tools::Outlines;
use crate::io::transcripts::Shelf;
use crate::machine::command::Opening;
use crate::model::ids::RunId;
use crate::model::secrets::Secrets;

/// Holds what a run stands on and what may be read of it.
pub struct Ground {
    /// The run.
    pub run: RunId,
    /// What it was opened with.
    pub opening: Arc<Opening>,
    /// The repository.
    pub repo: Repo,
    engines: Engines,
    instruments: OnceLock<Result<Instruments, String>>,
    /// What source files define, for maps.
    pub outlines: Outlines,
}

/// Bundles what the actors of one run share.
pub struct World {
    /// What the run stands on.
    pub ground: Arc<Ground>,
    /// The names of the run's refs.
    pub refs: RefNames,
    /// Worktrees that agents write in.
    pub workshop: Pool,
    /// Worktrees that checks run in; no agent writes there.
    pub bench: Pool,
    /// Where commands run.
    pub hands: Hands,
    /// The way to models.
    pub gateway: Gateway,
    /// Where sessions learn that money came back.
    pub till: Arc<Till>,
    /// Ports that are leased to attempts.
    pub ports: Ports,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Where state lies.
    pub place: StateDir,
    /// The program that plays scripts and watches over jobs.
    pub artel: PathBuf,
    /// The environment that artel was started in.
    pub outer_env: BTreeMap<String, String>,
    /// Its credentials: nothing that is written down holds one.
    pub secrets: Secrets,
}

/// Names the folder of a kind of file that an attempt leaves, below the run's directory.
pub const DESKS: &str = "desks";

impl Deref for World {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl Ground {
    /// Bundles what a run stands on.
    pub fn new(opening: Arc<Opening>, repo: Repo) -> Self {
        let run = opening.run.clone();
        Self {
            run,
            opening,
            repo,
            engines: Engines::default(),
            instruments: OnceLock::new(),
            outlines: Outlines::default(),
        }
    }

    /// Gives what judges and checks look through, compiled when it is first asked for.
    ///
    /// # Errors
    /// As [`Instruments::new`].
    pub fn instruments(&self) -> Result<&Instruments, String> {
        self.instruments.get_or_init(|| Instruments::new(&self.opening)).as_ref().map_err(Clone::clone)
    }

    /// Reads the rule files of these names, in order.
    ///
    /// # Errors
    /// Fails on a rule file that is no sound rule, or that the run does not hold.
    pub fn rules(&self, names: &[String]) -> Result<Vec<Rules>, RuleError> {
        let text = |name: &String| self.opening.assets.get(name).map(String::as_str).unwrap_or_default();
        names.iter().map(|name| Rules::parse(name, text(name))).collect()
    }

    /// Gives the rewriting engine of these rule files.
    ///
    /// # Errors
    /// As [`Ground::rules`].
    pub fn codemod(&self, names: &[String]) -> Result<Arc<Codemod>, RuleError> {
        self.engines.get(names, || self.rules(names))
    }
}

impl World {
    /// Gives the time in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Gives the file that an attempt's or a check's output goes to.
    pub fn log(&self, name: &str) -> PathBuf {
        self.place.logs(&self.run).join(format!("{name}.log"))
    }

    /// Gives where the transcripts of the run's sessions lie.
    pub fn shelf(&self) -> Shelf {
        Shelf::at(self.place.logs(&self.run))
    }

    /// Gives the folder in which an attempt or a check finds its brief and its temporary files.
    pub fn desk(&self, name: &str) -> PathBuf {
        self.place.run_dir(&self.run).join(DESKS).join(name)
    }

    /// Gives the folder that the repository's attempts share, or its checks, where its configuration names it. Not one for
    /// both: what an attempt leaves must not be what it is checked with.
    pub fn cache(&self, whose: Whose) -> PathBuf {
        let key = RepoKey::of(self.repo.identity());
        self.place.cache(&key).join(match whose {
            Whose::Attempts => "attempts",
            Whose::Checks => "checks",
        })
    }

    /// Names the agent that writes a candidate.
    pub fn author(&self, agent: &str) -> Author {
        let mut name: String =
            agent.chars().map(|c| if c.is_control() || "<>\n".contains(c) { ' ' } else { c }).take(60).collect();
        if name.trim().is_empty() {
            "agent".clone_into(&mut name);
        }
        Author { name: format!("artel {}", name.trim()), email: "agent@artel.invalid".to_owned() }
    }

    /// Gives the environment of a job that runs in a room: the allow-list, what the repository and the role grant, what the
    /// repository sets, and a folder for temporary files.
    pub fn job_env(&self, room: &Room<'_>) -> BTreeMap<String, String> {
        let config = &self.opening.config;
        let granted = config.env.union(&room.grants.env).cloned().collect();
        let mut env = base_env(|name| self.outer_env.get(name).cloned(), &granted);
        let tmp = room.desk.tmp().to_string_lossy().into_owned();
        let (worktree, cache) = (room.tree.path().to_string_lossy(), self.cache(room.whose));
        for (name, value) in &config.set {
            let filled = value.replace("{worktree}", &worktree).replace("{cache}", &cache.to_string_lossy());
            env.insert(name.clone(), filled.replace("{tmp}", &tmp));
        }
        env.insert("TMPDIR".to_owned(), tmp);
        env
    }

    /// Removes what a job that is over has left in its folder for temporary files: a disk is full of them before long.
    pub async fn clear_tmp(&self, desk: &Desk) {
        let tmp = desk.tmp();
        if let Err(error) = blocking(move || remove_any(&tmp)).await {
            tracing::warn!(run = %self.run, "temporary files stay until the run is cleared away: {}", told(&error));
        }
    }

    /// Tells whether there is a worktree that nobody uses.
    pub fn has_idle_trees(&self) -> bool {
        [&self.workshop, &self.bench].into_iter().any(Pool::has_idle)
    }

    /// Removes the worktrees that nobody uses.
    pub fn clear_idle_trees(&self) {
        for pool in [&self.workshop, &self.bench] {
            if let Err(error) = pool.clear() {
                tracing::warn!(run = %self.run, "failed to {}", told(&error));
            }
        }
    }

    /// Runs blocking git or disk work where blocking is allowed.
    ///
    /// # Errors
    /// What the work itself fails with.
    ///
    /// # Panics
    /// Panics where the work panicked.
    pub async fn blocking<T, F>(self: &Arc<Self>, work: F) -> Result<T, GitError>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, GitError> + Send + 'static,
    {
        let world = Arc::clone(self);
        blocking(move || work(&world)).await
    }
}

/// Runs what blocks where blocking is allowed.
///
/// # Panics
/// Panics where the work panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// Tells an error with all that caused it, as one line that fits after "failed to".
pub fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(because) = cause {
        text.push_str(": ");
        text.push_str(&because.to_string());
        cause = because.source();
    }
    text
}
