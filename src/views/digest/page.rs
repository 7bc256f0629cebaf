//! Owns the form of a digest: what each of its parts tells. Never gathers it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::ids::{AttemptId, Oid, RunId, ScopeId, TaskId};
use crate::model::spend::Tokens;
use crate::views::counts::Counts;
use crate::views::ended::Ended;
use crate::views::inbox::Item;

/// Tells on one page what a run, or a stretch of it, came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Digest {
    /// The run.
    pub run: RunId,
    /// The user's own name for it.
    pub name: Option<String>,
    /// The goal's name.
    pub goal: String,
    /// The goal in words.
    pub prose: String,
    /// The stretch of the journal that is told of.
    pub span: Span,
    /// How the run stands.
    pub stands: Ended,
    /// The event that made it stand so.
    pub stands_at: u64,
    /// Its tasks by status.
    pub counts: Counts,
    /// Its done-conditions.
    pub conditions: Vec<ConditionTold>,
    /// What waits for a person, whenever it began to.
    pub needs: Vec<NeedTold>,
    /// What landed in the stretch, by scope.
    pub landed: Vec<ScopeLandings>,
    /// What was delivered in the stretch.
    pub delivered: Vec<DeliveryTold>,
    /// What failed, is blocked, was given up or taken back out in the stretch, and why.
    pub left: Vec<LeftTold>,
    /// Planners that failed in the stretch.
    pub planners: Vec<PlannerTold>,
    /// Checks that were red or gave two answers in the stretch.
    pub checks: Vec<CheckTold>,
    /// Candidates that conflicted in the stretch.
    pub conflicts: Vec<ConflictTold>,
    /// The places that most was done at in the stretch, the hottest first.
    pub hottest: Vec<HotPlace>,
    /// What the stretch cost.
    pub spend: SpendTold,
    /// What happened, in words.
    pub story: Vec<Moment>,
    /// How many moments were left out after the first ones.
    pub skipped: usize,
}

/// Says which stretch of a journal is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Span {
    /// The number of the last event before it; 0 where it is the whole run.
    pub after: u64,
    /// The number of its last event.
    pub upto: u64,
    /// When its first event happened, in milliseconds since 1970.
    pub from_ms: i64,
    /// When its last event happened.
    pub to_ms: i64,
}

/// Tells of a done-condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConditionTold {
    /// Its name.
    pub name: String,
    /// Whether it held at the last look; nothing where nobody has looked yet.
    pub holds: Option<bool>,
    /// The event of that look.
    pub at: Option<u64>,
    /// The end of what was printed, where it did not hold.
    pub why: Option<String>,
}

/// Tells of something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NeedTold {
    /// The event since which it waits.
    pub at: u64,
    /// What it is, and what to do.
    pub item: Item,
}

/// Tells what landed of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScopeLandings {
    /// The scope.
    pub scope: ScopeId,
    /// Its title.
    pub title: String,
    /// What landed, in order.
    pub tasks: Vec<LandedTold>,
}

/// Tells of a task that landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LandedTold {
    /// The event.
    pub at: u64,
    /// The task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// The attempt whose candidate it is.
    pub attempt: AttemptId,
    /// The merge commit.
    pub commit: Oid,
    /// The agent whose work it is.
    pub agent: String,
    /// How many files it changed.
    pub files: u32,
    /// How many attempts it took.
    pub attempts: u32,
    /// The task that took it back out since, where one did.
    pub reverted_by: Option<TaskId>,
}

/// Tells of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeliveryTold {
    /// The event.
    pub at: u64,
    /// The user's branch.
    pub branch: String,
    /// Where it stands since, where it was delivered.
    pub commit: Option<Oid>,
    /// Why not, where it was not.
    pub why: Option<String>,
}

/// Tells of a task that is left over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftTold {
    /// The last event about it.
    pub at: u64,
    /// The task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// Its status in one word.
    pub status: &'static str,
    /// Why it stands there.
    pub why: String,
}

/// Tells of a planner that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlannerTold {
    /// The event.
    pub at: u64,
    /// The scope.
    pub scope: ScopeId,
    /// Why.
    pub why: String,
}

/// Tells of a check that was not simply green.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckTold {
    /// The last event at which it was so.
    pub at: u64,
    /// The check's name.
    pub name: String,
    /// Whether it was red on the base already.
    pub red_on_base: bool,
    /// How often it was red on a candidate or a landing.
    pub red: u32,
    /// How often it gave two answers on one tree.
    pub flaky: u32,
}

/// Tells of a candidate that conflicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConflictTold {
    /// The event.
    pub at: u64,
    /// The attempt.
    pub attempt: AttemptId,
    /// The files in which it conflicted.
    pub paths: Vec<String>,
}

/// Tells of a file or folder that much was done at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HotPlace {
    /// The last event about it.
    pub at: u64,
    /// The file; a folder ends in `/`, and the whole repository is `/`.
    pub path: String,
    /// Conflicts in it.
    pub conflicts: u32,
    /// Candidates for it that were refused or taken out of their batch.
    pub refused: u32,
    /// Tasks that own it and landed.
    pub landings: u32,
}

/// Tells what a stretch cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SpendTold {
    /// By role and who played it: an agent's own time, and the models that it asked.
    pub rows: Vec<SpendRow>,
    /// All money of the stretch, in nano-dollars; what was held for attempts that were lost counts as spent.
    pub nano_usd: u64,
    /// What the run may cost, in nano-dollars, where that is limited.
    pub budget_nano_usd: Option<u64>,
}

/// Tells what one role cost with one agent or model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SpendRow {
    /// The last event about it.
    pub at: u64,
    /// The role.
    pub role: String,
    /// The agent, or the model as `provider/model`.
    pub of: String,
    /// Sessions and attempts that ended.
    pub ended: u32,
    /// Wall time of those, in milliseconds.
    pub wall_ms: u64,
    /// Calls to the model.
    pub calls: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// Their money, in nano-dollars.
    pub nano_usd: u64,
}

/// Tells of a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moment {
    /// The event.
    pub at: u64,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened, inert.
    pub text: String,
}
