//! Owns the reading of what a planner hands out. Never judges whether it may: the law does.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::block::{self, AnswerFault};
use crate::model::check::Check;
use crate::model::paths::PathSet;
use crate::model::task::{ScopeDraft, TaskDraft};

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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    tasks: Vec<Task>,
    #[serde(default)]
    scopes: Vec<Scope>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    key: String,
    title: String,
    brief: String,
    paths: Vec<String>,
    #[serde(default)]
    after: BTreeSet<String>,
    #[serde(default)]
    checks: Vec<TaskCheck>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default = "one")]
    weight: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskCheck {
    name: String,
    run: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    key: String,
    title: String,
    brief: String,
    paths: Vec<String>,
    #[serde(default)]
    decisions: BTreeSet<String>,
}

fn one() -> u64 {
    1
}

/// Reads a planner's answer; tasks that name no role are of `worker`, and sub-planners of `planner`. The scope's own paths
/// stand for `*`.
///
/// # Errors
/// What is wrong with it.
pub fn read_plan(said: &str, (worker, planner): (&str, &str), own: &PathSet) -> Result<PlanAnswer, AnswerFault> {
    let written: Written = block::read(said)?;
    let tasks = written.tasks.into_iter().map(|task| {
        let paths = paths(&task.key, &task.paths, own)?;
        let checks = task.checks.into_iter().map(|check| {
            let what = format!("a check of `{}`", task.key);
            let name = filled(&what, "name", check.name)?;
            Ok(Check { name, run: filled(&what, "run", check.run)?, timeout_s: CHECK_TIMEOUT_S })
        });
        Ok(TaskDraft {
            checks: checks.collect::<Result<_, _>>()?,
            key: key(&task.key)?,
            title: title(&task.key, &task.title)?,
            brief: filled(&format!("the task `{}`", task.key), "brief", task.brief)?,
            paths,
            after: task.after,
            role: task.role.unwrap_or_else(|| worker.to_owned()),
            rules: Vec::new(),
            weight: task.weight.clamp(1, 1_000_000),
        })
    });
    let scopes = written.scopes.into_iter().map(|scope| {
        Ok(ScopeDraft {
            key: key(&scope.key)?,
            title: title(&scope.key, &scope.title)?,
            paths: paths(&scope.key, &scope.paths, own)?,
            decisions: scope.decisions,
            role: planner.to_owned(),
            brief: filled(&format!("the scope `{}`", scope.key), "brief", scope.brief)?,
        })
    });
    Ok(PlanAnswer { tasks: tasks.collect::<Result<_, _>>()?, scopes: scopes.collect::<Result<_, _>>()? })
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
    let mut paths = PathSet::default();
    for path in written {
        let path = path.strip_prefix("./").unwrap_or(path);
        if matches!(path, "*" | "." | "") {
            return Ok(own.clone());
        }
        let is_plain = !path.starts_with('/')
            && !path.chars().any(|c| c.is_control() || "*?[\\".contains(c))
            && path.trim_end_matches('/').split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_plain {
            return Err(form(format!(
                "`{key}` names the path `{}`: write it from the repository's root, without patterns",
                path.escape_default()
            )));
        }
        match path.strip_suffix('/') {
            Some(_) => paths.folders.insert(path.to_owned()),
            None => paths.files.insert(path.to_owned()),
        };
    }
    Ok(paths)
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
