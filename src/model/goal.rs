//! Owns the goal: done-conditions, checks, how to plan, what may be touched, and the prose. Locked when a run opens.
//! Never reads a file; its text form is read by `goal_text`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::gating::Gating;
use super::means::Bounds;

/// Holds a goal that was read and found sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Goal {
    /// Short name, for people.
    pub name: String,
    /// What must hold for the run to be done; never empty.
    pub done: Vec<Condition>,
    /// What is run on each candidate and on each landing batch.
    pub checks: Vec<Check>,
    /// How it is planned.
    pub plan: Planning,
    /// Globs of what may be changed; empty is everything.
    pub owns: Vec<String>,
    /// Globs of what must not be changed.
    pub never: Vec<String>,
    /// What the run may use.
    pub budget: Budget,
    /// How accepted work lands.
    pub landing: LandingPolicy,
    /// What waits for a person's word.
    pub approve: BTreeSet<Gate>,
    /// Which candidates and what spending waits for a person's word, and how long.
    #[serde(default)]
    pub gating: Gating,
    /// The goal in words, verbatim.
    pub prose: String,
    /// SHA-256 of the whole goal file, in hexadecimal digits.
    pub hash: String,
}

/// States one thing that must hold when the run is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A command that must exit with 0.
    Check(Check),
    /// A query that must find nothing.
    Query(Query),
}

impl Condition {
    /// Names the condition.
    pub fn name(&self) -> &str {
        match self {
            Self::Check(check) => &check.name,
            Self::Query(query) => &query.name,
        }
    }
}

/// Describes a search over the files of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Query {
    /// Short name, for people.
    pub name: String,
    /// What is looked for.
    pub find: Find,
    /// Globs of the files that are searched; empty is every file that the goal owns.
    pub within: Vec<String>,
}

/// Says what a query looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Find {
    /// Matches of an ast-grep rule file, by the name under which the run holds its text.
    Rule(String),
    /// Matches of a regular expression, line by line.
    Regex(String),
}

/// Says how a goal becomes tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Planning {
    /// The role that plans.
    pub planner: String,
    /// The role that does the tasks.
    pub worker: String,
    /// The role that judges what is done.
    #[serde(default = "usual_judge")]
    pub judge: String,
    /// The role that judges the run at the end of each iteration; none leaves it to the done-conditions.
    #[serde(default)]
    pub run_judge: Option<String>,
    /// The role that brings together what conflicts; none has the task done again on the new base.
    #[serde(default)]
    pub resolver: Option<String>,
    /// Rule files in order, by the name under which the run holds their text.
    pub rules: Vec<String>,
    /// How the matching files are split among sub-planners.
    pub by: Split,
    /// Files in one task.
    pub files_per_task: u32,
    /// Tasks that run first; the others start when these have landed. 0 is none.
    pub sample: u32,
    /// Globs of files that are left out.
    pub exclude: Vec<String>,
    /// What orders the tasks.
    pub order: Order,
    /// How often the run may plan anew while a done-condition is red.
    pub iterations: u32,
    /// Whether a file whose task once failed is left out of later iterations.
    pub stop_list: bool,
}

/// Names the role that judges where a goal names none.
pub fn usual_judge() -> String {
    "judge".to_owned()
}

/// Says by what files are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// By the owners that CODEOWNERS names.
    Owner,
    /// By top-level folder, two deep where the first holds more than half of all.
    Folder,
    /// By the nearest Cargo, npm or Python package.
    Package,
    /// Not at all: by count only.
    Count,
}

/// Says what orders tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Nothing: every task is ready at once.
    None,
    /// A package's tasks wait for those of the packages that it depends on.
    Dependency,
}

/// Bounds what a run may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// Wall time since the run opened, in seconds.
    pub wall_s: Option<u64>,
    /// Attempts of all tasks together.
    pub attempts: Option<u64>,
    /// Processor time of all attempts together, in seconds.
    pub cpu_s: Option<u64>,
    /// Money for calls to models, in nano-dollars.
    #[serde(default)]
    pub nano_usd: Option<u64>,
    /// Tokens of calls to models, those that are read and those that are written.
    #[serde(default)]
    pub tokens: Option<u64>,
    /// Calls to models.
    #[serde(default)]
    pub calls: Option<u64>,
    /// What all attempts at one task may use of these together.
    #[serde(default)]
    pub task: Bounds,
    /// What all who play a role may use of them together.
    #[serde(default)]
    pub roles: BTreeMap<String, Bounds>,
}

impl Budget {
    /// Gives what bounds the calls of the whole run.
    pub fn bounds(&self) -> Bounds {
        Bounds { nano_usd: self.nano_usd, tokens: self.tokens, calls: self.calls }
    }

    /// Tells whether nothing is bounded.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Takes each bound that it does not name from another.
    pub fn or(&self, other: &Self) -> Self {
        let over = |own: &Bounds, other: Bounds| {
            let mut bounds = other;
            bounds.raise(own);
            bounds
        };
        let mut roles = other.roles.clone();
        for (role, own) in &self.roles {
            let other = roles.get(role).copied().unwrap_or_default();
            roles.insert(role.clone(), over(own, other));
        }
        Self {
            wall_s: self.wall_s.or(other.wall_s),
            attempts: self.attempts.or(other.attempts),
            cpu_s: self.cpu_s.or(other.cpu_s),
            nano_usd: self.nano_usd.or(other.nano_usd),
            tokens: self.tokens.or(other.tokens),
            calls: self.calls.or(other.calls),
            task: over(&self.task, other.task),
            roles,
        }
    }
}

/// Says how accepted work lands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LandingPolicy {
    /// What the run's branch may hold.
    pub policy: Policy,
    /// Largest number of candidates in one batch.
    pub batch: u32,
    /// How often a candidate that conflicts is tried again on the new base.
    pub conflicts: u32,
}

/// Says what the run's branch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Never a commit whose checks failed.
    Strict,
}

/// Names a point at which a run waits for a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Before the first worker starts, when planning has ended.
    Plan,
    /// After the sample has landed, before the sweep.
    Sweep,
    /// Each time so much more money has been spent.
    Spend,
    /// Before each landing: a word on one candidate at a time.
    Landing,
    /// Before the run's branch is brought into one of the user's.
    Delivery,
}
