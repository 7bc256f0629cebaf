//! Owns what a part file says: the steps of a worker. Never plays them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draft::{Move, Planner, Reaction};
use crate::model::attempt::Handoff;

/// Holds a part: what a worker does with a task, or what a planner does with a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Whether waiting takes time.
    #[serde(default)]
    pub clock: Clock,
    /// What a worker does, in order; a step that fails ends the part with exit code 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Step>>,
    /// What a planner does when it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Vec<Move>>,
    /// What a planner does when handoffs wake it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_handoff: Vec<Reaction>,
    /// What the planners of single scopes do, by the scope's key; others do what stands above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, Planner>,
}

/// Says whether waiting takes time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// It does not: the time is only added up and reported.
    #[default]
    Virtual,
    /// It does.
    Real,
}

/// States one thing that a scripted worker does. In every text the holes `{task}`, `{attempt}`, `{path}` and `{seed}`
/// are filled. Where a step may name a `path` and does not, it is done for each file that the task owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Replaces every occurrence of a text in a file; fails where it finds none.
    Replace {
        /// The file.
        path: Option<String>,
        /// The text that is looked for.
        find: String,
        /// The text that is put there.
        with: String,
        /// Whether finding none is no failure.
        #[serde(default)]
        optional: bool,
    },
    /// Adds a text at the end of a file, which need not exist.
    Append {
        /// The file.
        path: Option<String>,
        /// What is added.
        text: String,
    },
    /// Makes a file anew, with the folders that it needs.
    Write {
        /// The file.
        path: Option<String>,
        /// What it holds.
        text: String,
    },
    /// Removes a file.
    Delete {
        /// The file.
        path: Option<String>,
    },
    /// Sets a file's mode.
    Chmod {
        /// The file.
        path: Option<String>,
        /// The mode in octal, such as "755"; in quotation marks.
        mode: String,
    },
    /// Makes a symbolic link.
    Symlink {
        /// The link.
        path: String,
        /// Where it points.
        target: String,
    },
    /// Replaces one line of a file, so that all who do so with different texts conflict.
    Conflict {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The text of the line.
        text: String,
    },
    /// Writes a file that the task does not own; without a path, one beside the worktree.
    Outside {
        /// The file.
        path: Option<String>,
    },
    /// Turns the first assertion of a test file into its opposite; fails where it knows none.
    BreakTest {
        /// The file.
        path: String,
    },
    /// Removes a test: the lines around a text up to the nearest empty ones, or the whole file without a text.
    DeleteTest {
        /// The file.
        path: String,
        /// A text within the test.
        test: Option<String>,
    },
    /// Passes time, in milliseconds.
    Wait {
        /// How long.
        ms: u64,
    },
    /// Writes a line to standard output.
    Say(String),
    /// Runs a line by `sh -c`; fails where it does not exit with 0.
    Run(String),
    /// Leaves a handoff.
    Handoff(Handoff),
    /// Leaves a handoff that claims this was done, and ends the part with exit code 0.
    Lie(String),
    /// Leaves a handoff that says this is missing, and ends the part with exit code 0.
    Blocked(String),
    /// Leaves this text where the handoff belongs.
    Garble(String),
    /// Says why and ends the part with exit code 1.
    Fail(String),
    /// Ends the part with exit code 1 where a file holds a text.
    FailIf {
        /// The file; one that is not there holds nothing.
        path: String,
        /// The text.
        contains: String,
    },
    /// Ends the process at once.
    Crash(Crash),
    /// Never goes on.
    Hang,
    /// Writes much to standard output.
    Flood {
        /// How much, in bytes.
        bytes: u64,
    },
    /// Leaves processes running, each in a session of its own.
    Leak {
        /// How many.
        children: u32,
    },
    /// Has many processes at one time and ends them again; fails where it may not.
    Fork {
        /// How many.
        children: u32,
    },
    /// Takes no notice of SIGTERM from here on.
    IgnoreTerm,
    /// Does nothing.
    Nothing,
    /// Does one of several things, by chance from the seed and the attempt.
    Choose(Vec<Choice>),
    /// Does what stands under the attempt's number, else what stands under `else`.
    OnAttempt(BTreeMap<String, Vec<Step>>),
    /// Does one thing or another by what the task is.
    Match {
        /// Glob that one of the owned paths must match.
        path: Option<String>,
        /// Regular expression that must match within the title.
        title: Option<String>,
        /// What is done where all that is named matches.
        then: Vec<Step>,
        /// What is done otherwise.
        #[serde(default)]
        or: Vec<Step>,
    },
}

/// States one of several things that may be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// How likely it is, compared with the others.
    #[serde(default = "one")]
    pub weight: u32,
    /// What is done.
    pub steps: Vec<Step>,
}

/// Says how a process crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Crash {
    /// By an exit code.
    Code(u8),
    /// By a signal that it sends to itself.
    Signal(i32),
}

fn one() -> u32 {
    1
}
