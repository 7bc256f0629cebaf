//! Owns what an attempt leaves behind: its outcome, its candidate, its handoff and what it used.
//! Never makes a commit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gating::Extent;
use super::ids::Oid;

/// Names a candidate commit and what it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The commit that the coordinator made.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// The commit of the run's branch that the attempt began from; the candidate's only parent.
    pub base: Oid,
    /// How many files differ from the base.
    pub files: u32,
    /// How much it changes, as far as the goal's gates ask.
    #[serde(default)]
    pub extent: Extent,
}

/// Reports upward, once, what an attempt did; written by the agent, hence never trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Handoff {
    /// What was done, in the agent's words.
    pub done: String,
    /// What the planner should worry about.
    pub concerns: Vec<String>,
    /// Where the attempt left its brief, and why.
    pub deviations: Vec<String>,
    /// What was found on the way.
    pub findings: Vec<String>,
    /// What the rule or the agent could not do: one line a place.
    pub leftovers: Vec<Leftover>,
    /// What is missing, where the attempt could not go on; makes the outcome `blocked`.
    pub blocked: Option<String>,
    /// Files that too many tasks change, so that they should be split.
    pub flagged: Vec<Flagged>,
    /// What it has to change beside what it owns, where it cannot go on without; makes the outcome `blocked`.
    pub wants: Option<ScopeAsk>,
}

impl Handoff {
    /// Tells whether it says anything on which its planner may have to act.
    pub fn asks_for_something(&self) -> bool {
        let Self { done: _, concerns, deviations, findings, leftovers, blocked, flagged, wants } = self;
        let says_nothing = concerns.is_empty() && deviations.is_empty() && findings.is_empty();
        !(says_nothing && leftovers.is_empty() && flagged.is_empty()) || blocked.is_some() || wants.is_some()
    }
}

/// Names one place that should have been changed and was not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Leftover {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 where it is the whole file.
    pub line: u32,
    /// Why it was left.
    pub why: String,
}

/// Names a file that too many tasks change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flagged {
    /// The file.
    pub path: String,
    /// Why it should be split, and along which lines.
    pub why: String,
}

/// Asks to change paths that the task does not own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeAsk {
    /// Each file, or folder with a `/` at its end, that has to be changed too.
    pub paths: Vec<String>,
    /// Why the task cannot be done without.
    pub why: String,
}

impl ScopeAsk {
    /// Says in one line what is missing.
    pub fn words(&self) -> String {
        format!("leave to change {} too: {}", self.paths.join(", "), self.why.trim())
    }
}

/// Says how an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It left changes, which the coordinator made into a commit.
    Candidate(Candidate),
    /// It ended well and changed nothing.
    Nothing,
    /// It did not end well.
    Failed {
        /// What happened, with the last lines of its output.
        why: String,
    },
    /// It cannot go on until something is there.
    Blocked {
        /// What is missing.
        missing: String,
    },
}

/// Tells what an attempt that a limit ended has left to go on from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Parked {
    /// The agent's own name for its session; none where it has told none.
    pub session: Option<String>,
    /// A commit that holds the files as it had made them; none where it had changed nothing.
    pub files: Option<Oid>,
}

/// Counts what an attempt or a check cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Wall time, in milliseconds.
    pub wall_ms: u64,
    /// Processor time of the attempt and all its children, in milliseconds.
    pub cpu_ms: u64,
    /// Bytes that it wrote to standard output and error.
    pub output_bytes: u64,
    /// Processes that it had left running and that were ended.
    pub leaked: u32,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.wall_ms += other.wall_ms;
        self.cpu_ms += other.cpu_ms;
        self.output_bytes += other.output_bytes;
        self.leaked += other.leaked;
    }
}
