//! Owns the reading of what a planner hands out. Never judges whether it may: the law does.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::block::{self, AnswerFault};
use super::schema::strict;
use crate::model::check::Check;
use crate::model::paths::PathSet;
use crate::model::task::{ScopeAnswer, ScopeDraft, TaskDraft};

/// How long a planner's own check may run, in seconds.
const CHECK_TIMEOUT_S: u64 = 1800;

/// Longest key, in bytes.
const KEY_BYTES: usize = 100;

/// Longest title, in characters.
const TITLE_CHARS: usize = 200;

/// Holds what a planner hands out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanAnswer {
    /// Tasks.
    pub tasks: Vec<TaskDraft>,
    /// Scopes of sub-planners.
    pub scopes: Vec<ScopeDraft>,
    /// What it decides for the whole run, each with how.
    pub decisions: Vec<(String, String)>,
    /// What it answers to tasks that ask to change what they do not own.
    pub answers: Vec<ScopeAnswer>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What workers are to do.
    #[serde(default)]
    tasks: Vec<WrittenTask>,
    /// Parts of the scope that get planners of their own.
    #[serde(default)]
    scopes: Vec<WrittenScope>,
    /// What is decided for the whole run.
    #[serde(default)]
    decisions: Vec<WrittenDecision>,
    /// Answers to tasks that ask to change what they do not own.
    #[serde(default)]
    answers: Vec<WrittenAnswer>,
}

/// Describes a task as a planner's session writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenTask {
    /// A short name of its own; one that was used before names what was handed out before, which stays as it was.
    key: String,
    /// One line for people.
    title: String,
    /// What is to be done, how it is checked, what is not wanted: for somebody who knows nothing but this and the goal.
    brief: String,
    /// Each file, or folder with a `/` at its end, that it may change; `*` is all of the scope.
    paths: Vec<String>,
    /// Keys of tasks that must have landed before it starts.
    #[serde(default)]
    after: BTreeSet<String>,
    /// Checks of its own.
    #[serde(default)]
    checks: Vec<TaskCheck>,
    /// The role that does it, where not the usual one.
    #[serde(default)]
    role: Option<String>,
    /// How large it is beside the others, from 1.
    #[serde(default = "one")]
    weight: u64,
    /// Files among `paths` that it splits because too many tasks change them; what else touches them waits until it is
    /// through.
    #[serde(default)]
    splits: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskCheck {
    /// Its name.
    name: String,
    /// A command line that must exit with 0.
    run: String,
}

/// Describes a part of its scope that a planner's session gives to a planner of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenScope {
    /// A short name of its own.
    key: String,
    /// One line for people.
    title: String,
    /// What its planner is to see to.
    brief: String,
    /// Each file, or folder with a `/` at its end, that it owns; inside your scope, beside those of other planners.
    paths: Vec<String>,
    /// Names of what its planner alone decides.
    #[serde(default)]
    decisions: BTreeSet<String>,
}

/// States a decision that a planner's session takes for the whole run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenDecision {
    /// What is decided, in a short name such as `error-type`.
    pub key: String,
    /// How, in one line that each planner and each worker is shown.
    pub value: String,
}

/// Answers a task of a planner's that asks to change what it does not own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenAnswer {
    /// The task's key.
    task: String,
    /// Whether it may.
    grant: bool,
    /// What it may change of what it asks for; none named, all of it.
    #[serde(default)]
    paths: Vec<String>,
    /// Why, for the task's worker.
    reason: String,
}

impl WrittenAnswer {
    /// Makes the answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn answer(self) -> Result<ScopeAnswer, AnswerFault> {
        let paths = plain(&self.task, &self.paths)?;
        let reason = filled(&format!("the answer to `{}`", self.task), "reason", self.reason)?;
        Ok(ScopeAnswer { task: self.task, granted: self.grant, paths, reason })
    }
}

fn one() -> u64 {
    1
}

impl WrittenTask {
    /// Makes the draft; one that names no role is of `worker`, and the scope's own paths stand for `*`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn draft(self, worker: &str, own: &PathSet) -> Result<TaskDraft, AnswerFault> {
        let paths = paths(&self.key, &self.paths, own)?;
        let checks = self.checks.into_iter().map(|check| {
            let what = format!("a check of `{}`", self.key);
            let name = filled(&what, "name", check.name)?;
            Ok(Check { name, run: filled(&what, "run", check.run)?, timeout_s: CHECK_TIMEOUT_S })
        });
        Ok(TaskDraft {
            checks: checks.collect::<Result<_, _>>()?,
            key: key(&self.key)?,
            title: title(&self.key, &self.title)?,
            brief: filled(&format!("the task `{}`", self.key), "brief", self.brief)?,
            paths,
            after: self.after,
            role: self.role.unwrap_or_else(|| worker.to_owned()),
            rules: Vec::new(),
            weight: self.weight.clamp(1, 1_000_000),
            splits: plain(&self.key, &self.splits)?,
        })
    }
}

impl WrittenScope {
    /// Makes the draft, whose planner is of the role `planner`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn draft(self, planner: &str, own: &PathSet) -> Result<ScopeDraft, AnswerFault> {
        Ok(ScopeDraft {
            key: key(&self.key)?,
            title: title(&self.key, &self.title)?,
            paths: paths(&self.key, &self.paths, own)?,
            decisions: self.decisions,
            role: planner.to_owned(),
            brief: filled(&format!("the scope `{}`", self.key), "brief", self.brief)?,
        })
    }
}

/// Reads a planner's answer; tasks that name no role are of `worker`, and sub-planners of `planner`. The scope's own paths
/// stand for `*`.
///
/// # Errors
/// What is wrong with it.
pub fn read_plan(said: &str, (worker, planner): (&str, &str), own: &PathSet) -> Result<PlanAnswer, AnswerFault> {
    let written: Written = block::read(said)?;
    let tasks = written.tasks.into_iter().map(|task| task.draft(worker, own));
    let scopes = written.scopes.into_iter().map(|scope| scope.draft(planner, own));
    let answers = written.answers.into_iter().map(WrittenAnswer::answer);
    Ok(PlanAnswer {
        tasks: tasks.collect::<Result<_, _>>()?,
        scopes: scopes.collect::<Result<_, _>>()?,
        decisions: written.decisions.into_iter().map(|decision| (decision.key, decision.value)).collect(),
        answers: answers.collect::<Result<_, _>>()?,
    })
}

/// Gives the schema of a planner's answer.
pub fn plan_schema() -> String {
    strict::<Written>()
}

fn form(what: String) -> AnswerFault {
    AnswerFault::Form(what)
}

fn filled(whose: &str, field: &str, text: String) -> Result<String, AnswerFault> {
    if text.trim().is_empty() { Err(form(format!("{whose} has an empty `{field}`"))) } else { Ok(text) }
}

fn key(key: &str) -> Result<String, AnswerFault> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if key.is_empty() || key.len() > KEY_BYTES || !key.chars().all(fits) {
        let wanted = format!("letters, digits and -_./, {KEY_BYTES} at most");
        return Err(form(format!("`{}` is no key: {wanted}", key.chars().take(KEY_BYTES).collect::<String>())));
    }
    Ok(key.to_owned())
}

fn title(key: &str, text: &str) -> Result<String, AnswerFault> {
    let title: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_CHARS).collect();
    filled(&format!("`{key}`"), "title", title)
}

fn paths(key: &str, written: &[String], own: &PathSet) -> Result<PathSet, AnswerFault> {
    if written.is_empty() {
        return Err(form(format!("`{key}` names no paths: name each file or folder that it may change")));
    }
    if written.iter().any(|path| matches!(path.strip_prefix("./").unwrap_or(path), "*" | "." | "")) {
        return Ok(own.clone());
    }
    plain(key, written)
}

/// Reads paths that are named one by one.
fn plain(key: &str, written: &[String]) -> Result<PathSet, AnswerFault> {
    PathSet::written(written).map_err(|path| {
        form(format!(
            "`{key}` names the path `{}`: write it from the repository's root, without patterns",
            path.escape_default()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<PlanAnswer, AnswerFault> {
        read_plan(&format!("```artel\n{json}\n```"), ("worker", "planner"), &PathSet::everything())
    }

    #[test]
    fn tasks_and_scopes_are_read_with_what_is_usual_where_nothing_is_said() {
        let answer =
            of(r#"{"tasks":[{"key":"a","title":"do\n a","brief":"b","paths":["src/a.rs","docs/"],"after":["z"]}],
            "scopes":[{"key":"s","title":"t","brief":"b","paths":["./lib/"],"decisions":["names"]}]}"#);
        let answer = answer.unwrap();
        let [task] = answer.tasks.as_slice() else { panic!("{answer:?}") };
        assert_eq!((task.title.as_str(), task.role.as_str(), task.weight), ("do a", "worker", 1));
        assert_eq!(task.paths.iter().collect::<Vec<_>>(), ["docs/", "src/a.rs"]);
        let [scope] = answer.scopes.as_slice() else { panic!("{answer:?}") };
        assert_eq!((scope.role.as_str(), scope.paths.iter().collect::<Vec<_>>()), ("planner", vec!["lib/"]));
        assert_eq!(of("{}"), Ok(PlanAnswer::default()));
    }

    #[test]
    fn splits_decisions_and_answers_are_read() {
        let answer = of(
            r#"{"tasks":[{"key":"a","title":"t","brief":"b","paths":["src/","x"],"splits":["src/all.rs"]}],
            "decisions":[{"key":"error-type","value":"one enum"}],
            "answers":[{"task":"z","grant":true,"paths":["lib/a"],"reason":"r"},{"task":"y","grant":false,"reason":"s"}]}"#,
        );
        let answer = answer.unwrap();
        assert_eq!(answer.tasks[0].splits.iter().collect::<Vec<_>>(), ["src/all.rs"]);
        assert_eq!(answer.decisions, [("error-type".to_owned(), "one enum".to_owned())]);
        let [granted, refused] = answer.answers.as_slice() else { panic!("{answer:?}") };
        assert!(granted.granted && granted.paths.holds("lib/a") && !refused.granted && refused.paths.is_empty());
        let fault = |json: &str| of(json).unwrap_err().to_string();
        assert!(fault(r#"{"answers":[{"task":"z","grant":true,"reason":" "}]}"#).contains("empty `reason`"));
        assert!(
            fault(r#"{"answers":[{"task":"z","grant":true,"paths":["../x"],"reason":"r"}]}"#)
                .contains("names the path")
        );
    }

    #[test]
    fn what_is_not_in_the_form_is_refused_with_what_is_wrong() {
        let task = |paths: &str| {
            let json = format!(r#"{{"tasks":[{{"key":"a","title":"t","brief":"b","paths":{paths}}}]}}"#);
            of(&json).unwrap_err().to_string()
        };
        for paths in
            [r#"["/etc/passwd"]"#, r#"["../a"]"#, r#"["a/../b"]"#, r#"["src/*.rs"]"#, r#"["a\nb"]"#, r#"["a//b"]"#]
        {
            assert!(task(paths).contains("names the path"), "{paths}: {}", task(paths));
        }
        assert!(task("[]").contains("names no paths"));
        let fault = |json: &str| of(json).unwrap_err().to_string();
        assert!(fault(r#"{"tasks":[{"key":"a","title":"t","paths":["a"]}]}"#).contains("brief"));
        assert!(fault(r#"{"tasks":[{"key":"a b","title":"t","brief":"b","paths":["a"]}]}"#).contains("is no key"));
        assert!(fault(r#"{"tasks":[{"key":"a","title":" ","brief":"b","paths":["a"]}]}"#).contains("title"));
        assert!(fault(r#"{"task":[]}"#).contains("unknown field"));
    }
}
