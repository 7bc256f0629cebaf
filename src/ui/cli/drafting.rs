//! Owns how words become a goal file that can be run: its checks tried out, its roles filled. Asks nobody, prints nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::blame::blame;
use super::exit::Exit;
use super::fail::Fail;
use super::lay::usual_checks;
use super::seam::{OpenOptions, Place, opening};
use crate::app::{self, Crew, Pays};
use crate::io::files::{atomic_write, make_private};
use crate::io::git::Repo;
use crate::model::check::{Answer, CheckResult};
use crate::model::goal::{Budget, Goal};
use crate::model::goal_text::{Draft, draft};
use crate::model::ids::Oid;

/// What a drafted goal may spend, in dollars, where its agents are paid by a key.
const USD: u32 = 10;
/// How long its run may take, and how many attempts it has.
const WALL: &str = "4h";
const ATTEMPTS: u32 = 8;
/// The same where a planner makes many tasks of the goal.
const ATTEMPTS_PLANNED: u32 = 60;
/// Longest name of a draft's file, in characters.
const FILE: usize = 40;

/// Holds a goal that was drafted and lies in its file.
#[derive(Debug)]
pub struct Drafted {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub goal: Goal,
    /// The budget of `artel.toml`, which bounds what the goal does not.
    pub usual: Budget,
    /// Who plays its roles.
    pub crew: Crew,
    /// What its checks answered on the commit that it starts from.
    pub tried: Vec<CheckResult>,
    /// That commit.
    pub base: Oid,
}

/// Gives the checks by which a goal of this repository is held, those of `artel.toml`, else the usual ones; and the budget there.
///
/// # Errors
/// Where there is no repository, its configuration is faulty, or nothing is known that could tell good from bad.
pub fn usual(place: &Place) -> Result<(Vec<String>, Budget), Fail> {
    let repo = Repo::discover(&place.here()?.cwd).map_err(|error| blame(error.into()))?;
    let config = app::read_config(&repo).map_err(blame)?;
    let root = repo.workdir().map(Path::to_owned).unwrap_or_default();
    let found = || usual_checks(&|path| root.join(path).is_file(), &|path| fs::read_to_string(root.join(path)).ok());
    let checks = if config.checks.is_empty() { found() } else { config.checks };
    if checks.is_empty() {
        return Err(Fail::new(Exit::Faulty, "draft a goal")
            .because("nothing here tells how it is checked: no Cargo, npm, Python, Go or Maven project at the root")
            .hint("write `checks = [\"./run-the-tests.sh\"]` into artel.toml; `artel init` lays one down")
            .hint("or write a goal file with done-conditions of its own: docs/goal.md tells the form"));
    }
    Ok((checks, config.budget))
}

/// Chooses who plays the roles.
///
/// # Errors
/// Where roles are faulty, or nobody is there.
pub fn crew(place: &Place, options: &OpenOptions, is_open: bool) -> Result<Crew, Fail> {
    let nobody = match app::crew(place.here()?, &options.roles, is_open).map_err(blame)? {
        Ok(crew) => return Ok(crew),
        Err(nobody) => nobody,
    };
    let fail = Fail::new(Exit::Unfit, "find an agent that does it").because(nobody.found.join("; "));
    let fail = nobody.advice.into_iter().fold(fail, Fail::hint);
    Err(fail.hint("`artel roles --agents` lists the agents that artel knows"))
}

/// Drafts a goal: writes it with all checks, tries them on the base, and writes it anew by what they answered.
///
/// # Errors
/// Where the file cannot be written, or the checks not be tried.
pub fn write(
    place: &Place,
    words: &str,
    (checks, usual): (Vec<String>, Budget),
    crew: Crew,
    options: &OpenOptions,
) -> Result<Drafted, Fail> {
    let is_counted = crew.workers.iter().any(|hired| matches!(hired.pays, Pays::Key(_) | Pays::Granted));
    let attempts = if crew.planner == "whole" { ATTEMPTS } else { ATTEMPTS_PLANNED };
    let mut says = Draft {
        words: words.to_owned(),
        holds: checks,
        red: Vec::new(),
        usd: (is_counted && usual.nano_usd.is_none()).then_some(USD),
        planner: crew.planner,
        run_judge: crew.run_judge,
        wall: usual.wall_s.is_none().then_some(WALL),
        attempts: usual.attempts.is_none().then_some(attempts),
    };
    let path = reserve(place, words)?;
    let keep = |text: &str| atomic_write(&path, text.as_bytes()).map_err(|error| blame(error.into()));
    keep(&draft(&says))?;
    let mut rehearsed = opening(&path, options);
    rehearsed.roles = crew.settings.iter().chain(&options.roles).cloned().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Fail::new(Exit::Unfit, "start the threads of a trial").because(error))?;
    let tried = runtime.block_on(app::rehearse(place.here()?, &rehearsed)).map_err(blame);
    let (base, tried) = tried.inspect_err(|_| drop(fs::remove_file(&path)))?;
    let holds = |command: &String| tried.iter().any(|it| it.name == *command && it.answer == Answer::Green);
    (says.holds, says.red) = says.holds.into_iter().partition(holds);
    let text = draft(&says);
    keep(&text)?;
    let (goal, text) = read(place, &path)?;
    Ok(Drafted { path, text, goal, usual, crew, tried, base })
}

/// Reads a draft, which a person may have changed.
///
/// # Errors
/// Where it cannot be read, with all that is wrong with it.
pub fn read(place: &Place, path: &Path) -> Result<(Goal, String), Fail> {
    app::read_goal(&place.here()?.cwd, path).map_err(blame)
}

/// Makes an empty file for a draft, in the state directory, named after its words.
fn reserve(place: &Place, words: &str) -> Result<PathBuf, Fail> {
    let dir = place.here()?.dir.root().join("drafts");
    make_private(&dir).map_err(|error| blame(error.into()))?;
    let stem = stem(words);
    for number in 1..10_000 {
        let path = dir.join(if number == 1 { format!("{stem}.md") } else { format!("{stem}-{number}.md") });
        match fs::File::options().write(true).create_new(true).open(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Fail::new(Exit::Unfit, format!("write {}", path.display())).because(error)),
        }
    }
    Err(Fail::new(Exit::Unfit, format!("write a draft in {}", dir.display()))
        .because("ten thousand of this name exist")
        .hint("remove those that are no longer needed"))
}

fn stem(words: &str) -> String {
    let plain = words.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
    let plain: String = plain.collect();
    let mut stem = String::new();
    for word in plain.split_whitespace() {
        if stem.len() + word.len() > FILE {
            break;
        }
        if !stem.is_empty() {
            stem.push('-');
        }
        stem.push_str(word);
    }
    if stem.is_empty() { "goal".to_owned() } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_named_after_its_words() {
        assert_eq!(stem("Add a --json flag to `list`!"), "add-a-json-flag-to-list");
        assert_eq!(stem("../../etc/passwd \u{202e}"), "etc-passwd");
        assert_eq!(stem("日本 語"), "goal");
        assert!(stem(&"word ".repeat(50)).len() <= FILE);
    }
}
