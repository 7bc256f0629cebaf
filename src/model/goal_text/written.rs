//! Owns the shape of a goal's front matter as editors are told it. Reads nothing: `read` does, field by field.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;

use crate::model::gating::Then;
use crate::model::goal::{Order, Policy, Split};

/// The front matter of a goal file; below it stands the goal in words.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenGoal {
    /// Short name, for people.
    #[schemars(length(min = 1, max = 80))]
    pub name: String,
    /// What must hold when the goal is done; at least one.
    #[schemars(length(min = 1))]
    pub done: Vec<DoneForm>,
    /// What is run on each candidate and on each landing batch. Default: the checks of `artel.toml`.
    pub checks: Option<Vec<CheckForm>>,
    /// How the goal becomes tasks.
    pub plan: Option<WrittenPlan>,
    /// Globs of what may be changed. Default: everything.
    pub owns: Option<Vec<String>>,
    /// Globs of what must not be changed.
    pub never: Option<Vec<String>>,
    /// What the run may use. Default: what `artel.toml` says of each bound, else none.
    pub budget: Option<WrittenBudget>,
    /// How accepted work lands.
    pub landing: Option<WrittenLanding>,
    /// What waits for a person's word.
    pub approve: Option<ApproveForm>,
}

/// A done-condition: a command that must exit with 0, or more.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum DoneForm {
    /// A command that must exit with 0, within 10 minutes.
    Command(String),
    /// A check or a query.
    Written(WrittenCondition),
}

/// A done-condition with a `check` or a `query`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenCondition {
    /// Short name, unique in the list. Default: the command, or what the query looks for.
    pub name: Option<String>,
    /// A command that must exit with 0, run by `sh -c` at the root of a clean worktree.
    pub check: Option<String>,
    /// Longest that the check may take. Default: 10 minutes.
    pub timeout: Option<DurationForm>,
    /// A search that must find nothing.
    pub query: Option<WrittenQuery>,
}

/// A search over the files of a tree: a `rule` or a `regex`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenQuery {
    /// An ast-grep rule file of the repository, which must match nowhere.
    pub rule: Option<String>,
    /// A regular expression (Rust's syntax), which must match no line.
    pub regex: Option<String>,
    /// Globs of the files that are searched. Default: every file that the goal owns.
    pub within: Option<Vec<String>>,
}

/// A check: its command, or more.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum CheckForm {
    /// A command that must exit with 0, within 10 minutes.
    Command(String),
    /// A command with a name or a timeout.
    Written(WrittenCheck),
}

/// A check with a name or a timeout.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenCheck {
    /// Short name, unique in the list. Default: the command.
    pub name: Option<String>,
    /// A command that must exit with 0, run by `sh -c` at the root of a clean worktree.
    pub run: String,
    /// Longest that it may take. Default: 10 minutes.
    pub timeout: Option<DurationForm>,
}

/// How the goal becomes tasks.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenPlan {
    /// The role that plans. Default: `shard`.
    pub planner: Option<String>,
    /// The role that does the tasks. Default: `worker`.
    pub worker: Option<String>,
    /// The role that judges what is done; its lenses, where its agents are sessions, come after the checks.
    pub judge: Option<String>,
    /// The role that judges the run at the end of each iteration: done, continue or restart. Default: none.
    pub run_judge: Option<String>,
    /// The role that brings together what conflicts. Default: none, the task is done again on the new base.
    pub resolver: Option<String>,
    /// ast-grep rule files of the repository, applied in this order.
    pub rules: Option<Vec<String>>,
    /// By what the matching files are split among sub-planners. Default: `folder`.
    pub by: Option<Split>,
    /// Files in one task. Default: 5.
    #[schemars(range(min = 1, max = 10_000))]
    pub files_per_task: Option<u32>,
    /// Tasks that run first; the others start when these have landed. Default: 0, none.
    #[schemars(range(max = 10_000))]
    pub sample: Option<u32>,
    /// Globs of files that are left out.
    pub exclude: Option<Vec<String>>,
    /// What orders the tasks. Default: `none`.
    pub order: Option<Order>,
    /// How often the run may plan anew while a done-condition does not hold. Default: 3.
    #[schemars(range(min = 1, max = 1_000))]
    pub iterations: Option<u32>,
    /// Whether a file whose task once failed is left out of later iterations. Default: true.
    pub stop_list: Option<bool>,
    /// Whether the plan waits for a person's word before the first worker starts. Default: `none`.
    pub approval: Option<ApprovalForm>,
}

/// What the run may use.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenBudget {
    /// Wall time since the run opened.
    pub wall: Option<DurationForm>,
    /// Attempts of all tasks together.
    #[schemars(range(min = 1))]
    pub attempts: Option<u64>,
    /// Processor time of all attempts together.
    pub cpu: Option<DurationForm>,
    /// Money for calls to models, in dollars, such as `5` or `0.25`.
    pub usd: Option<UsdForm>,
    /// Tokens of calls to models, those that are read and those that are written.
    #[schemars(range(min = 1))]
    pub tokens: Option<u64>,
    /// Calls to models.
    #[schemars(range(min = 1))]
    pub calls: Option<u64>,
    /// What all attempts at one task may use of these together.
    pub task: Option<WrittenBounds>,
    /// What all who play a role may use of them together, by its name.
    pub roles: Option<BTreeMap<String, WrittenBounds>>,
}

/// What calls to models may use.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenBounds {
    /// Money, in dollars, such as `5` or `0.25`.
    pub usd: Option<UsdForm>,
    /// Tokens, those that are read and those that are written.
    #[schemars(range(min = 1))]
    pub tokens: Option<u64>,
    /// Calls.
    #[schemars(range(min = 1))]
    pub calls: Option<u64>,
}

/// How accepted work lands.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenLanding {
    /// What the run's branch may hold. Default: `strict`.
    pub policy: Option<Policy>,
    /// Largest number of candidates in one batch. Default: 64.
    #[schemars(range(min = 1, max = 1_000))]
    pub batch: Option<u32>,
    /// How often a candidate that conflicts is tried again on the new base. Default: 2.
    #[schemars(range(max = 100))]
    pub conflicts: Option<u32>,
}

/// What waits for a person's word: a list of gates, or a table of gates and rules.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum ApproveForm {
    /// Gates.
    List(BTreeSet<GateForm>),
    /// Gates and rules.
    Written(WrittenApproval),
}

/// A gate.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum GateForm {
    /// Before the first worker starts, when planning has ended.
    Plan,
    /// After the sample has landed, before the sweep.
    Sweep,
    /// Before each landing.
    Landing,
    /// Before delivery.
    Delivery,
}

/// Gates, and rules by which candidates and spending wait for a person's word.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WrittenApproval {
    /// Before the first worker starts, when planning has ended.
    pub plan: Option<PlanForm>,
    /// After the sample has landed, before the sweep.
    pub sweep: Option<bool>,
    /// Before each landing.
    pub landing: Option<bool>,
    /// Before the run's branch is delivered.
    pub delivery: Option<bool>,
    /// Globs of files: a candidate that changes one waits.
    pub paths: Option<Vec<String>>,
    /// Roles: their candidates wait.
    pub roles: Option<Vec<String>>,
    /// A candidate that changes more lines than this waits.
    #[schemars(range(min = 0))]
    pub lines: Option<u64>,
    /// A candidate that changes more files than this waits.
    #[schemars(range(max = 1_000_000))]
    pub files: Option<u32>,
    /// The run waits each time it has spent so much more, in dollars.
    pub spend: Option<UsdForm>,
    /// How long a word is waited for. Default: without end.
    pub timeout: Option<DurationForm>,
    /// What happens then.
    pub then: Option<Then>,
}

/// Whether the plan waits: yes or no, or `required`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum PlanForm {
    /// Yes or no.
    Flag(bool),
    /// The same in a word.
    Word(ApprovalForm),
}

/// Whether something waits for a person's word.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum ApprovalForm {
    /// It does.
    Required,
    /// It does not.
    None,
}

/// An amount of dollars: `5`, `0.25`, `$12.50`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum UsdForm {
    /// A number of dollars.
    Number(#[schemars(range(min = 0))] f64),
    /// The same, perhaps with its sign.
    Text(#[schemars(regex(pattern = r"^\s*\$?\d+(\.\d{1,9})?\s*$"))] String),
}

/// A duration: `90s`, `10m`, `2h`, `1d`, `1h30m`, or a number of seconds.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum DurationForm {
    /// A whole number of seconds.
    Seconds(#[schemars(range(min = 1))] u64),
    /// A number and its unit.
    Text(#[schemars(regex(pattern = r"^\s*(\d+\s*(s|sec|m|min|h|d)\s*)+$"))] String),
}
