//! Owns what a judge says of a candidate: findings on which a worker can act, and the verdict they carry.
//! Never forms one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::CheckResult;

/// Names the step of the ladder that a finding comes from, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Only owned paths, no surprising modes or links, size within bounds.
    Scope,
    /// Protected paths untouched, tests not fewer, no new skip markers.
    Ratchet,
    /// No conflict markers, still parses, idempotent, literals unchanged, no unexplained deletion.
    Form,
    /// The task's checks on the candidate in a clean worktree.
    Checks,
    /// A judge's session, after the checks.
    Review,
    /// The run's checks on the merged batch.
    Landing,
}

/// States one thing that is wrong with a candidate, and what would mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The step that found it.
    pub rung: Rung,
    /// Short stable name of the rule, such as `path-not-owned`.
    pub rule: String,
    /// The file it is about, where it is about one.
    #[serde(default)]
    pub path: Option<String>,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What the worker should do about it.
    pub advice: String,
}

/// Says what becomes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It may land.
    Accept,
    /// The same worktree is tried again with the findings.
    Reject,
    /// A fresh worktree and context are tried.
    Restart,
}

/// Carries a ruling with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// What becomes of the candidate.
    pub ruling: Ruling,
    /// Who judged; never the attempt itself.
    pub judge: String,
    /// Why; empty only where it is accepted.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What the task's checks answered.
    #[serde(default)]
    pub checks: Vec<CheckResult>,
}
