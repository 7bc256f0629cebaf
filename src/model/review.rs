//! Owns what a judge's session says of a candidate through one lens: scores, findings, a ruling. Never forms one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::{Finding, Ruling};

/// Says what a judge's session is shown; the goal, the task and what the checks answered are in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lens {
    /// The change alone, without the files around it.
    Diff,
    /// The changed files as they are now, without what they were.
    Result,
    /// The whole tree with the change in it.
    Codebase,
}

impl Lens {
    /// Names the lens as role files do.
    pub fn word(self) -> &'static str {
        match self {
            Self::Diff => "diff",
            Self::Result => "result",
            Self::Codebase => "codebase",
        }
    }
}

/// Names one thing that a judge scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its name, one word.
    pub name: String,
    /// What is asked, in one line.
    pub about: String,
    /// The score from 0 to 10 from which on it is held.
    pub least: u8,
}

impl Criterion {
    /// Gives what is scored where a role names nothing.
    pub fn usual() -> Vec<Self> {
        let of = |name: &str, about: &str| Self { name: name.to_owned(), about: about.to_owned(), least: 7 };
        vec![
            of("brief", "the change does what the task's brief asks, all of it"),
            of("restraint", "the change does nothing that the brief does not ask for"),
            of("soundness", "the change is right also where no check looks"),
        ]
    }
}

/// Holds what a judge gave one criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// The criterion.
    pub criterion: String,
    /// From 0 to 10.
    pub score: u8,
    /// What the score rests on, such as a place in the change.
    pub evidence: String,
}

/// Holds what a judge's session says of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// What it was shown.
    pub lens: Lens,
    /// The agent that judged.
    pub judge: String,
    /// What becomes of the candidate by its word.
    pub ruling: Ruling,
    /// What it gave each criterion.
    pub scores: Vec<Score>,
    /// What stands against the candidate; empty only where it is accepted.
    pub findings: Vec<Finding>,
    /// What it found too late to count: faults of a class that no earlier round had named.
    #[serde(default)]
    pub notes: Vec<Finding>,
}

/// Says what becomes of a run at the end of an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunRuling {
    /// The goal is reached.
    Done,
    /// It is planned on, by what was handed up.
    Continue,
    /// It is planned anew, from the goal, the tree and what the judge hands over alone.
    Restart,
}

/// Holds what the judge of a run says at the end of an iteration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunVerdict {
    /// What becomes of the run.
    pub ruling: RunRuling,
    /// Why, in a few sentences.
    pub why: String,
    /// What whoever plans next is to know.
    #[serde(default)]
    pub handoff: RunHandoff,
}

/// Hands a run over to whoever plans next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunHandoff {
    /// What is reached and must stay.
    pub holds: Vec<String>,
    /// What is not there yet.
    pub missing: Vec<String>,
    /// What is to be known beside.
    pub advice: Vec<String>,
}
