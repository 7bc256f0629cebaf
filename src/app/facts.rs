//! Owns what is to be known of this machine and repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::opening::{read_config, read_roles};
use super::{Place, sandbox};
use crate::actors::world::told;
use crate::io::files::StateDir;
use crate::io::git::Repo;
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
