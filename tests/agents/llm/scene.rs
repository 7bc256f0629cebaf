//! Owns the scene in which artel's own loop plays: a house, a scripted model, keys, and what is looked at afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{House, Said, said};
use crate::model::{Model, Script, Seen, Taken, Turn, Usage};
use crate::stage::{crew, run};
use crate::workers::{FILES, KEY, counted, found_below};

/// The agents by which each of the four APIs is spoken, Anthropic's first.
pub const AGENTS: [&str; 4] =
    ["llm:claude-sonnet-4-5", "llm:openai/chat::gpt-4.1", "llm:gpt-5-codex", "llm:gemini-2.5-pro"];
pub const CLAUDE: &str = AGENTS[0];
pub const TASK: &str = "[{key: task-a, brief: \"This is task-a: write the files.\", paths: [a.txt, b.txt]}]";

pub const USED: Usage = Usage { input: 1234, cache_read: 300, cache_write: 20, output: 77, reasoning: 5 };

pub struct Scene {
    pub house: House,
    pub model: Model,
    role: String,
}

impl Scene {
    /// A scene with one task, in which a model takes these turns.
    pub fn of(agent: &str, turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::with(agent, "", TASK, &FILES, [Script::of("task-a", turns)])
    }

    pub fn with(
        agent: &str,
        goal: &str,
        tasks: &str,
        files: &[(&str, &str)],
        scripts: impl IntoIterator<Item = Script>,
    ) -> Self {
        let (house, model) = (crew(goal, tasks, files), Model::plays_for(KEY, scripts));
        Self { house, model, role: format!("worker.agents=[{agent:?}]") }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.house.command(args);
        keyed(&mut command, &self.model);
        command
    }

    pub fn artel(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().unwrap())
    }

    /// Lists the arguments of a run with these further ones.
    pub fn args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = run(&self.role, &["--role", "worker.limits.attempts=1"]);
        args.extend(more);
        args
    }

    pub fn run(&self, more: &[&str]) -> Said {
        self.artel(&self.args(more))
    }

    /// Gives the requests that took a turn, in order.
    pub fn turns(&self) -> Vec<Seen> {
        self.model.asked().into_iter().filter(|seen| matches!(seen.taken, Taken::Turn { .. })).collect()
    }

    /// Gives the record of the first attempt, line by line.
    pub fn transcript(&self) -> Vec<Value> {
        let logs = self.house.home().join("runs").join(self.house.run());
        let found = found(&logs, "t1.1.log").unwrap_or_else(|| panic!("no log below {}", logs.display()));
        let text = fs::read_to_string(found).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// Gives what tools said, in order.
    pub fn results(&self) -> Vec<(String, bool)> {
        let lines = self.transcript();
        let results = lines.iter().filter_map(|line| line.get("result"));
        results.map(|it| (it["text"].as_str().unwrap().to_owned(), it["is_error"].as_bool().unwrap())).collect()
    }

    /// Asserts that all was counted as the model told it, that only the key was shown to it, and that the key lies nowhere.
    #[track_caller]
    pub fn is_accounted(&self) {
        assert_eq!(counted(&self.house), self.model.told(), "what was counted is what the model told");
        self.model.was_asked_only_by(KEY);
        assert_eq!(found_below(self.house.root(), KEY), Vec::<String>::new(), "the key lies nowhere");
    }

    /// Lists the worktrees that attempts were given.
    pub fn worktrees(&self) -> Vec<String> {
        let mut trees = Vec::new();
        pools(&self.house.home(), &mut trees);
        trees
    }
}

/// Gives a command the keys to a model, by each of its APIs.
pub fn keyed<'c>(command: &'c mut Command, model: &Model) -> &'c mut Command {
    let (url, versioned) = (model.url(), format!("{}/v1", model.url()));
    for (name, base) in [("ANTHROPIC", &url), ("OPENAI", &versioned), ("GOOGLE_GEMINI", &url)] {
        command.env(format!("{name}_BASE_URL"), base);
    }
    for name in ["ANTHROPIC", "OPENAI", "GEMINI"] {
        command.env(format!("{name}_API_KEY"), KEY);
    }
    command
}

/// Finds the worktrees in all pools for attempts: folders whose names are numbers.
fn pools(below: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && below.ends_with("work") && name.len() == 16 && !name.contains('.') {
            into.push(path.display().to_string());
        } else if path.is_dir() && !path.is_symlink() {
            pools(&path, into);
        }
    }
}

/// Counts the results of tools that a request holds.
pub fn results_in(seen: &Seen) -> usize {
    let body = body(seen).to_string();
    ["\"tool_result\"", "\"role\":\"tool\"", "\"function_call_output\"", "\"functionResponse\""]
        .iter()
        .map(|mark| body.matches(mark).count())
        .sum()
}

pub fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.request.body).unwrap()
}

fn found(below: &Path, name: &str) -> Option<std::path::PathBuf> {
    let entries: Vec<_> = fs::read_dir(below).ok()?.flatten().map(|entry| entry.path()).collect();
    let here = entries.iter().find(|path| path.ends_with(name)).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| found(path, name)))
}
