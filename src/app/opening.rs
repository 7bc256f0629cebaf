//! Owns how a goal file becomes an open run: all that it names is read, found fit and locked, once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use super::{AppError, Place, unheeded};
use crate::actors::planning::draft;
use crate::actors::world::{Ground, blocking};
use crate::io::agents::{Says, tells};
use crate::io::git::{Base, GitError, RefNames, Repo, Survey};
use crate::io::journal::format::encode;
use crate::io::journal::{JournalError, NewEntry, NewRun};
use crate::io::roles::Roles;
use crate::io::syntax::{RuleError, Rules};
use crate::machine::command::{Command, Opening};
use crate::machine::decide::decide;
use crate::machine::state::State;
use crate::model::check::Check;
use crate::model::config::Config;
use crate::model::goal::Goal;
use crate::model::ids::RunId;
use crate::model::login::{AS_TOLD, OwnLogin};
use crate::model::role::{AgentRef, Part, Role};
use crate::model::{config_text, goal_text};

/// Says what a person adds to the goal file when opening a run.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// The goal file.
    pub goal: PathBuf,
    /// The user's own name for the run.
    pub name: Option<String>,
    /// The commit to start from; the head of the checkout where there is none.
    pub base: Option<String>,
    /// Settings of roles, such as `worker.agents=codemod,command:./fix.sh`.
    pub roles: Vec<String>,
    /// Attempts at one time.
    pub workers: Option<u32>,
    /// What all chance in the run is drawn from.
    pub seed: Option<u64>,
    /// The id of the run, where who asks has chosen one so that asking twice opens one run; drawn where there is none.
    pub run: Option<RunId>,
}

/// Seconds that a check of `artel.toml` may take.
const CHECK_TIMEOUT_S: u64 = 600;

/// Reads a goal file.
///
/// # Errors
/// Fails where it cannot be read, or with all that is wrong with it.
pub fn read_goal(cwd: &Path, goal: &Path) -> Result<(Goal, String), AppError> {
    let path = cwd.join(goal);
    let text = std::fs::read_to_string(&path).map_err(|source| AppError::Read {
        what: "the goal file",
        path: path.clone(),
        source,
    })?;
    match goal_text::read(&text) {
        Ok(goal) => Ok((goal, text)),
        Err(faults) => Err(AppError::Faults { what: "the goal file", name: goal.display().to_string(), text, faults }),
    }
}

/// Reads the repository's roles and prompts over the built-in ones.
///
/// # Errors
/// Fails with all that is wrong with them.
pub fn read_roles(repo: Option<&Repo>, settings: &[String]) -> Result<Roles, AppError> {
    let own = repo.and_then(Repo::workdir).map(|dir| dir.join(".artel")).filter(|dir| dir.is_dir());
    let roles = Roles::load(own.as_deref(), settings)?;
    for role in roles.iter() {
        if let Some(prompt) = roles.prompt(role) {
            crate::views::brief::check(prompt)
                .map_err(|source| AppError::Prompt { name: role.prompt.clone(), source })?;
        }
    }
    Ok(roles)
}

/// Reads the repository's configuration; the defaults where there is none.
///
/// # Errors
/// Where it cannot be read, or with all that is wrong with it.
pub fn read_config(repo: &Repo) -> Result<Config, AppError> {
    let Some(path) = repo.workdir().map(|dir| dir.join("artel.toml")) else { return Ok(Config::default()) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(source) => return Err(AppError::Read { what: "the configuration", path, source }),
    };
    config_text::read(&text).map_err(|faults| AppError::Faults {
        what: "the configuration",
        name: "artel.toml".to_owned(),
        text,
        faults,
    })
}

/// Opens a run: stores its opening, and gives its name and what was noticed about the repository.
///
/// # Errors
/// Fails where anything that the goal names is missing or faulty; nothing is stored then.
pub fn open_run(place: &Place, options: &OpenOptions) -> Result<(RunId, Vec<String>), AppError> {
    let repo = place.repo()?;
    let opening = prepare(&place.cwd, &repo, options)?;
    let (run, notes) = (opening.run.clone(), opening.notes.clone());
    let at_ms = place.clock.now_ms();
    let new =
        NewRun { run: run.clone(), name: opening.name.clone(), repo: repo.identity().to_owned(), opened_at_ms: at_ms };
    let events = match decide(&State::default(), &Command::Open(Box::new(opening)), at_ms) {
        Ok(events) => events,
        Err(rejection) => panic!("bug: an empty journal refuses to be opened: {rejection}"),
    };
    let entries: Vec<NewEntry> = events.iter().map(|event| encode(event.kind(), event, at_ms)).collect();
    match place.journal.open_run(&new) {
        // Whoever chose the id asked before, and got no answer.
        Err(JournalError::RunExists { .. }) if options.run.is_some() => {
            if place.journal.last_seq(&run)? > 0 {
                return Ok((run, notes));
            }
        }
        opened => opened?,
    }
    let epoch = place.journal.claim(&run, "the opening")?;
    place.journal.append(&run, epoch, 0, &entries)?;
    Ok((run, notes))
}

/// Plans a goal without opening a run; creates nothing.
///
/// # Errors
/// As [`open_run`].
pub async fn draft_plan(cwd: &Path, options: &OpenOptions) -> Result<State, AppError> {
    let (cwd, options) = (cwd.to_owned(), options.clone());
    let ground = blocking(move || {
        let repo = Repo::discover(&cwd)?;
        let opening = prepare(&cwd, &repo, &options)?;
        Ok::<_, AppError>(Ground::new(Arc::new(opening), repo))
    });
    Ok(draft(Arc::new(ground.await?)).await)
}

/// Reads and locks all that a run would be opened with.
pub(super) fn prepare(cwd: &Path, repo: &Repo, options: &OpenOptions) -> Result<Opening, AppError> {
    // The journal names the repository by this path, and whoever resumes the run looks for it there.
    let Some(place) = repo.identity().to_str().map(str::to_owned) else {
        let (path, what, next) = (repo.identity().to_owned(), "a path that is not UTF-8", "rename the folder");
        return Err(GitError::Unsupported { path, what, next }.into());
    };
    let (mut goal, goal_text) = read_goal(cwd, &options.goal)?;
    let config = read_config(repo)?;
    let roles = read_roles(Some(repo), &options.roles)?;
    let Base { commit: base, tree: base_tree, branch } = repo.base(options.base.as_deref())?;
    if let Some(taken) = repo.prefix_taken_by(&config.branch_prefix)? {
        return Err(AppError::PrefixTaken { prefix: config.branch_prefix.clone(), taken });
    }
    if goal.checks.is_empty() {
        let check = |run: &String| Check { name: run.clone(), run: run.clone(), timeout_s: CHECK_TIMEOUT_S };
        goal.checks = config.checks.iter().map(check).collect();
    }
    goal.budget = goal.budget.or(&config.budget);
    let survey = repo.survey(base, SystemTime::now())?;
    if let Some(first) = survey.missing.names.first() {
        let (count, first) = (survey.missing.count, crate::model::inert::inert(first));
        return Err(AppError::NotFetched { count, first, base: base.short() });
    }
    let by_name: BTreeMap<String, Role> = roles.iter().map(|role| (role.name.clone(), role.clone())).collect();
    fits(&goal, &roles)?;
    let logins = login_notes(&by_name);
    let unheeded: Vec<String> = by_name.values().flat_map(unheeded).collect();
    let prompts = roles.iter().filter_map(|role| Some((role.prompt.clone(), roles.prompt(role)?.to_owned())));
    let prompts = prompts.collect();
    let goal_path = cwd.join(&options.goal);
    let assets = read_assets(repo, &goal_path, &goal, &by_name)?;
    let own = own_files(repo, &goal_path, &goal, &assets);
    let run = options.run.clone().unwrap_or_else(new_run_id);
    RefNames::new(&config.branch_prefix, run.clone())?;
    let processors = std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    let asked = options.workers.filter(|count| *count > 0).or(Some(config.workers).filter(|count| *count > 0));
    Ok(Opening {
        run,
        name: options.name.clone(),
        repo: place,
        protect: guards(repo, &goal, &own),
        own,
        goal,
        goal_text,
        roles: by_name,
        prompts,
        assets,
        base,
        base_tree,
        branch,
        workers: asked.unwrap_or(processors),
        judges: if config.judges > 0 { config.judges } else { (processors / 2).max(1) },
        config,
        seed: options.seed.unwrap_or_else(|| fastrand::u64(..)),
        notes: notes(&survey).into_iter().chain(logins).chain(unheeded).collect(),
    })
}

/// Makes a short name that is easy to say and type.
fn new_run_id() -> RunId {
    const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstvwxyz";
    let text: String = (0..5).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())])).collect();
    match RunId::from_str(&format!("r-{text}")) {
        Ok(run) => run,
        Err(error) => panic!("bug: {error}"),
    }
}

/// Looks that the goal's roles are there and play their part.
fn fits(goal: &Goal, roles: &Roles) -> Result<(), AppError> {
    for (name, part, field) in
        [(&goal.plan.planner, Part::Planner, "plan.planner"), (&goal.plan.worker, Part::Worker, "plan.worker")]
    {
        let Some(role) = roles.get(name) else {
            let meant = roles.nearest(name).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            return Err(AppError::Unfit {
                what: format!("`{field}` names the role `{name}`, which is not there"),
                next: format!("{meant}`artel roles` lists the roles"),
            });
        };
        if role.part != part {
            return Err(AppError::Unfit {
                what: format!("`{field}` names the role `{name}`, which plays another part ({:?})", role.part),
                next: "`artel roles` lists the roles and their parts".to_owned(),
            });
        }
    }
    if let Some(name) = goal.budget.roles.keys().find(|name| roles.get(name).is_none()) {
        let meant = roles.nearest(name).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        return Err(AppError::Unfit {
            what: format!("`budget.roles` names the role `{name}`, which is not there"),
            next: format!("{meant}`artel roles` lists the roles"),
        });
    }
    let plans_by_rule = roles.get(&goal.plan.planner).is_some_and(|role| role.agents.contains(&AgentRef::Shard));
    if plans_by_rule && goal.plan.rules.is_empty() {
        return Err(AppError::Unfit {
            what: "the planner `shard` finds files by rules, and the goal names none".to_owned(),
            next: "name ast-grep rule files: `plan: { rules: [rules/my-rule.yml] }`".to_owned(),
        });
    }
    Ok(())
}

/// Reads the rule files and parts that the goal and the roles name, and finds them sound.
fn read_assets(
    repo: &Repo,
    goal_path: &Path,
    goal: &Goal,
    roles: &BTreeMap<String, Role>,
) -> Result<BTreeMap<String, String>, AppError> {
    let beside = goal_path.parent().map(Path::to_owned).unwrap_or_default();
    let find = |name: &str| {
        let near = beside.join(name);
        let below = repo.workdir().map(|dir| dir.join(name));
        if near.exists() { near } else { below.filter(|path| path.exists()).unwrap_or(near) }
    };
    let mut assets = BTreeMap::new();
    for name in goal_text::rule_files(goal) {
        let path = find(&name);
        let text =
            std::fs::read_to_string(&path).map_err(|source| AppError::Read { what: "the rule file", path, source })?;
        if let Err(RuleError { file, text, faults }) = Rules::parse(&name, &text) {
            return Err(AppError::Faults { what: "the rule file", name: file, text, faults });
        }
        assets.insert(name, text);
    }
    let used = roles.values().filter(|role| role.part != Part::Judge);
    for agent in used.flat_map(|role| &role.agents) {
        if let AgentRef::Script(name) = agent {
            let path = find(name);
            let text = std::fs::read_to_string(&path).map_err(|source| AppError::Read {
                what: "the part file",
                path,
                source,
            })?;
            if let Err(faults) = crate::io::agents::script::read_part(&text) {
                let named: Vec<String> = faults.iter().map(ToString::to_string).collect();
                return Err(AppError::Unfit {
                    what: format!("the part file `{name}` has faults: {}", named.join("; ")),
                    next: "docs/script.md tells the form of parts".to_owned(),
                });
            }
            assets.insert(name.clone(), text);
        }
    }
    Ok(assets)
}

/// Lists what states the goal and lies in the repository: its file, its rules and parts, but for those that it owns by
/// their very name.
fn own_files(repo: &Repo, goal_path: &Path, goal: &Goal, assets: &BTreeMap<String, String>) -> BTreeSet<String> {
    let beside = goal_path.parent().map(Path::to_owned).unwrap_or_default();
    let root = repo.workdir().map(Path::to_owned).unwrap_or_default();
    let assets = assets.keys().flat_map(|name| [beside.join(name), root.join(name)]);
    inside(repo, goal, assets.chain([goal_path.to_owned()]))
}

/// Lists globs of what guards this run: what states the goal, and the files that its checks name.
fn guards(repo: &Repo, goal: &Goal, own: &BTreeSet<String>) -> Vec<String> {
    let conditions = goal.done.iter().filter_map(|condition| match condition {
        crate::model::goal::Condition::Check(check) => Some(check),
        crate::model::goal::Condition::Query(_) => None,
    });
    let root = repo.workdir().map(Path::to_owned).unwrap_or_default();
    let words = goal.checks.iter().chain(conditions).flat_map(|check| check.run.split_whitespace());
    let named = words.map(|word| root.join(word.trim_matches(|c| "\"'`;()".contains(c))));
    inside(repo, goal, named).union(own).map(|path| globset::escape(path)).collect()
}

/// Keeps the files that lie in the repository, by their paths from its root, but for those that the goal owns by name.
fn inside(repo: &Repo, goal: &Goal, paths: impl Iterator<Item = PathBuf>) -> BTreeSet<String> {
    let Some(root) = repo.workdir().and_then(|dir| dir.canonicalize().ok()) else { return BTreeSet::new() };
    paths
        .filter_map(|path| path.canonicalize().ok())
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.strip_prefix(&root).ok()?.to_str()?.to_owned()))
        .filter(|path| !goal.owns.contains(path))
        .collect()
}

/// Names lock files; whether whoever made them still lives cannot be known.
fn locks(survey: &Survey) -> Option<String> {
    let first = survey.locks.first()?.path.display().to_string();
    let (count, first) = (survey.locks.len(), crate::model::inert::inert(&first));
    let more = if count > 1 { ", …" } else { "" };
    Some(format!(
        "lock files of git: {count} ({first}{more}); if no git works there, remove them before `artel deliver`"
    ))
}

/// Says which roles let agents use logins of the user's own: nobody but those agents counts then.
fn login_notes(roles: &BTreeMap<String, Role>) -> Vec<String> {
    let mut notes = Vec::new();
    for role in roles.values() {
        let used: BTreeMap<&str, OwnLogin> = role
            .agents
            .iter()
            .filter_map(|agent| role.grants.login_of(agent))
            .map(|login| (login.agent, login))
            .collect();
        for (agent, login) in &used {
            let told = told_of(tells(login));
            notes.push(format!("role {} may use your own login of {agent}: {told}", role.name));
        }
        for idle in role.grants.logins.iter().filter(|name| !used.contains_key(name.as_str())) {
            notes.push(format!(
                "role {} grants the login of {idle}, and none of its agents is known to be that: one by `acp:` is known by \
                 the program that its line begins with",
                role.name
            ));
        }
    }
    notes
}

/// Says what is counted of a session that works by a login of its own, by how much of its tokens and their price it tells.
fn told_of(told: (Says, Says)) -> String {
    let late = "held against the budget only when a session has ended";
    match told {
        (Says::Session, Says::Session | Says::Partly) => format!("what it spends is {AS_TOLD}, and is {late}"),
        (Says::Session, Says::Nothing) => {
            format!("the tokens that it uses are {AS_TOLD}, and {late}; it tells no price, which counts as nothing")
        }
        (Says::Partly | Says::Nothing, Says::Session | Says::Partly) => {
            format!("what it spends is {AS_TOLD}, and is {late}; of its tokens it tells less than it uses")
        }
        (Says::Partly, Says::Nothing) => format!(
            "the tokens that it uses are {AS_TOLD}, which are fewer than it uses, and {late}; it tells no price, which \
             counts as nothing"
        ),
        (Says::Nothing, Says::Nothing) => "it tells nothing of what it spends, which counts as nothing".to_owned(),
    }
}

/// Puts into words what is unusual about a repository, so that nobody wonders later.
fn notes(survey: &Survey) -> Vec<String> {
    let named = |what: &str, named: &crate::io::git::Named, then: &str| {
        let names: Vec<String> = named.names.iter().take(3).map(|name| crate::model::inert::inert(name)).collect();
        let more = if named.count > names.len() { ", …" } else { "" };
        (named.count > 0).then(|| format!("{what}: {} ({}{more}); {then}", named.count, names.join(", ")))
    };
    [
        named("submodules", &survey.submodules, "left as they are, not checked out in worktrees"),
        named("files kept by LFS", &survey.lfs, "seen as pointers, never fetched or rewritten"),
        named("names that are not UTF-8", &survey.not_utf8, "left as they are; no task can own them"),
        named("names that differ in case only", &survey.case_only, "fine here, but not on every machine"),
        named("links that leave the repository", &survey.escaping_links, "left as they are"),
        named("large files", &survey.large, "left as they are"),
        survey.shallow.then(|| "a shallow clone: what lies before its edge is not seen".to_owned()),
        survey.partial.then(|| "a partial clone: artel fetches nothing".to_owned()),
        locks(survey),
        survey.dirty.then(|| "the checkout has changes that are not committed: the run does not see them".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role_text::{read_new, set};

    #[test]
    fn each_login_is_noted_with_what_its_agent_does_not_tell() {
        let notes = |agents: &str, logins: &str| {
            let role = read_new("worker", &format!("part = 'worker'\nagents = [{agents}]\nabout = 'x'")).unwrap();
            let role = set(&role, &format!("worker.grants.logins={logins}")).unwrap();
            login_notes(&BTreeMap::from([("worker".to_owned(), role)]))
        };
        let one = |agent: &str, login: &str, words: &str| {
            let notes = notes(agent, login);
            let begins = format!("role worker may use your own login of {login}: ");
            assert!(notes.len() == 1 && notes[0].starts_with(&begins) && notes[0].contains(words), "{notes:?}");
        };
        one("'claude'", "claude", "what it spends is as told by the agent");
        one("'codex'", "codex", "it tells no price, which counts as nothing");
        one("'acp:gemini --acp'", "gemini", "it tells no price, which counts as nothing");
        one("'acp:opencode acp'", "opencode", "of its tokens it tells less than it uses");
        let idle = notes("'acp:node gemini.js'", "gemini");
        assert!(idle.len() == 1 && idle[0].contains("none of its agents is known to be that"), "{idle:?}");
        assert!(told_of((Says::Nothing, Says::Nothing)).contains("counts as nothing"));
    }
}
