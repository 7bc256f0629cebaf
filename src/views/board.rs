//! Owns the board: where a run stands, at one look. Never shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{FrozenRow, frozen};
pub use super::counts::Counts;
use super::counts::counts;
use super::ended::{Ended, ended};
use super::limits::{LimitRow, limits};
pub use super::outside::Outside;
use super::pace::{Eta, hopeless};
use super::waiting::{AskedRow, asked};
use super::words;
use crate::machine::awaited::Shown;
use crate::machine::bisect::Want;
use crate::machine::command::Opening;
use crate::machine::seats::Sitting;
use crate::machine::state::{Batch, BatchStep, Planning, Scope, State, Status, Task};
use crate::model::check::{Answer, CheckResult};
use crate::model::goal::{Condition, Gate};
use crate::model::ids::{AttemptId, BatchId, Oid, RunId, ScopeId, TaskId};
use crate::model::sandbox::Tier;
use crate::model::seat::Seat;

/// Shows where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Board {
    /// The run.
    pub run: RunId,
    /// The user's own name for it.
    pub name: Option<String>,
    /// The goal's name.
    pub goal: String,
    /// How it stands.
    pub stands: Ended,
    /// Whether a coordinator lives.
    pub coordinated: bool,
    /// How agents and checks are held apart from the machine, as the last coordinator said.
    pub sandbox: Option<Tier>,
    /// Which planning this is, from 1.
    pub iteration: u32,
    /// The commit that it began from.
    pub base: Oid,
    /// Where its branch stands.
    pub head: Option<Oid>,
    /// Its branch.
    pub branch: String,
    /// The user's branch that it was opened from.
    pub opened_from: Option<String>,
    /// Tasks by state.
    pub counts: Counts,
    /// Scopes in the order of the tree.
    pub scopes: Vec<ScopeRow>,
    /// Running attempts.
    pub running: Vec<RunningRow>,
    /// Sessions that plan or judge.
    #[serde(default)]
    pub sitting: Vec<SittingRow>,
    /// Agents that wait for a limit of their account or provider, where tasks wait with them.
    #[serde(default)]
    pub limits: Vec<LimitRow>,
    /// Files that are being split, with what waits for that.
    #[serde(default)]
    pub frozen: Vec<FrozenRow>,
    /// Attempts whose candidates are being judged, or wait for it.
    pub judging: Vec<AttemptId>,
    /// Accepted attempts that wait to land.
    pub queue: Vec<AttemptId>,
    /// The batch that is landing.
    pub batch: Option<BatchRow>,
    /// The check that was begun last and still runs.
    pub checking: Option<CheckingRow>,
    /// What has landed.
    pub landed: Vec<LandedRow>,
    /// What is left over, and why.
    pub left: Vec<LeftRow>,
    /// Places that should have been changed and were not, as the agents of what landed report them.
    pub places: Vec<PlaceRow>,
    /// Done-conditions and whether they held at the last look.
    pub conditions: Vec<ConditionRow>,
    /// Checks that are red on the base.
    pub baseline_red: Vec<String>,
    /// Checks that gave two answers on one tree.
    pub flakes: BTreeMap<String, u32>,
    /// Planners that failed, and why.
    pub failed_planners: BTreeMap<ScopeId, String>,
    /// The gate that waits.
    pub gate: Option<Gate>,
    /// What is shown of it; a word is given on exactly that.
    #[serde(default)]
    pub shown: Option<Shown>,
    /// Candidates and deliveries that wait for a person's word.
    #[serde(default)]
    pub asked: Vec<AskedRow>,
    /// The last delivery: the branch, and the commit or why not.
    pub delivered: Option<(String, Result<Oid, String>)>,
    /// Whether the run's branch holds something that no delivery has brought to a branch of the user's.
    pub undelivered: bool,
    /// What was noticed about the repository.
    pub notes: Vec<String>,
    /// Attempts made.
    pub attempts: u64,
    /// Wall time since the run opened, in milliseconds; up to its end where it has ended or rests.
    pub elapsed_ms: u64,
    /// The time at which the board was read, in milliseconds since 1970.
    pub now_ms: i64,
    /// Processor time of all attempts and checks, in milliseconds.
    pub cpu_ms: u64,
    /// When it may be through.
    pub eta: Option<Eta>,
}

/// Shows a scope and how far its tasks and those of its sub-scopes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeRow {
    /// The scope.
    pub scope: ScopeId,
    /// Its parent.
    pub parent: Option<ScopeId>,
    /// How deep it lies; the root is 0.
    pub depth: u32,
    /// One line for people.
    pub title: String,
    /// How its planner stands: `planning`, `asks`, `planned`, `failed`.
    pub planner: Cow<'static, str>,
    /// Its tasks.
    pub tasks: u32,
    /// Those that landed or had nothing to do.
    pub through: u32,
    /// Those that are kept, blocked, given up or taken back out.
    pub left: u32,
}

/// Shows a running attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunningRow {
    /// The attempt.
    pub attempt: AttemptId,
    /// The task's title.
    pub title: String,
    /// The agent that plays it.
    pub agent: String,
    /// For how long, in milliseconds.
    pub elapsed_ms: u64,
    /// Its last line of output.
    pub last_line: Option<String>,
}

/// Shows a session that plans or judges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SittingRow {
    /// Whose seat it is.
    pub seat: Seat,
    /// What it is about, in one line.
    pub title: String,
    /// The agent.
    pub agent: String,
    /// For how long, in milliseconds.
    pub elapsed_ms: u64,
}

/// Shows a check that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckingRow {
    /// The check.
    pub check: String,
    /// When it began, in milliseconds since 1970.
    pub since_ms: i64,
    /// Its last line of output; written by what is checked.
    pub last_line: Option<String>,
}

/// Shows the batch that is landing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchRow {
    /// The batch.
    pub batch: BatchId,
    /// Its members.
    pub members: Vec<AttemptId>,
    /// How far it is, in words.
    pub step: String,
}

/// Shows a task that landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LandedRow {
    /// The task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// The merge commit.
    pub commit: Oid,
    /// The agent whose candidate it is.
    pub agent: String,
    /// Files that it changed.
    pub files: u32,
    /// How many attempts it took.
    pub attempts: u32,
}

/// Shows a task that is left over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftRow {
    /// The task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// Its state in one word.
    pub status: Cow<'static, str>,
    /// Why.
    pub why: String,
    /// Whether a candidate of it is kept that can be looked at.
    pub has_candidate: bool,
}

impl LeftRow {
    /// Tells whether a person can have the task tried again.
    pub fn can_be_retried(&self) -> bool {
        matches!(&*self.status, "kept" | "blocked")
    }
}

/// Shows a place that was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceRow {
    /// The task whose agent reports it.
    pub task: TaskId,
    /// The file.
    pub path: String,
    /// The line, from 1; 0 where it is the whole file.
    pub line: u32,
    /// Why.
    pub why: String,
}

/// Shows a done-condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionRow {
    /// Its name.
    pub name: String,
    /// Whether it held at the last look; none before it.
    pub holds: Option<bool>,
    /// What was found where it did not hold.
    pub why: Option<String>,
}

/// Reads the board of an open run; none before the run is open.
pub fn board(state: &State, outside: &Outside) -> Option<Board> {
    let opening = state.opening.as_deref()?;
    let until_ms = match (state.is_live(), outside.coordinated) {
        (true, true) => outside.now_ms,
        (true, false) => state.last_ms,
        // What is noted of a run at rest, such as a delivery, does not make it longer.
        (false, _) => state.rested_ms,
    };
    Some(Board {
        run: opening.run.clone(),
        name: opening.name.clone(),
        goal: opening.goal.name.clone(),
        stands: ended(state),
        coordinated: outside.coordinated,
        sandbox: state.sandbox,
        iteration: state.iteration,
        base: opening.base,
        head: state.head,
        branch: branch(opening),
        opened_from: opening.branch.clone(),
        counts: counts(state.tally),
        scopes: scopes(state),
        sitting: state.sitting.iter().map(|(seat, sitting)| sits(state, *seat, sitting, outside.now_ms)).collect(),
        running: state.running.iter().filter_map(|id| running(state, *id, outside)).collect(),
        limits: limits(state, outside.now_ms),
        frozen: frozen(state),
        judging: state.judging.iter().copied().collect(),
        queue: state.queue.iter().copied().collect(),
        batch: state.batch.as_ref().map(batch),
        checking: outside.checking.clone().filter(|_| state.is_live() && outside.coordinated),
        landed: state.tasks.iter().filter_map(|(id, task)| landed(*id, task)).collect(),
        left: left(state),
        places: state.tasks.iter().flat_map(|(id, task)| places(state, *id, task)).collect(),
        conditions: conditions(state, opening),
        baseline_red: reds(state.baseline.iter().flat_map(BTreeMap::values)),
        flakes: state.flakes.clone(),
        failed_planners: state.scopes.iter().filter_map(|(id, scope)| Some((*id, failure(scope)?))).collect(),
        gate: state.waiting,
        shown: state.waiting.map(|_| state.shown()),
        asked: asked(state, outside.target),
        delivered: state.delivered.clone(),
        undelivered: state.head.is_some_and(|head| head != opening.base) && state.delivered_head != state.head,
        notes: opening.notes.clone(),
        attempts: state.attempts_made(),
        elapsed_ms: words::between_ms(state.opened_ms, until_ms),
        now_ms: outside.now_ms,
        cpu_ms: state.total_spent().usage.cpu_ms,
        eta: outside.pace.eta(state, outside.now_ms).filter(|_| outside.coordinated),
    })
}

/// Names the run's branch.
pub fn branch(opening: &Opening) -> String {
    format!("{}/{}/main", opening.config.branch_prefix, opening.run)
}

/// Lists scopes parents first, each followed by its own, with the tasks below it counted in.
fn scopes(state: &State) -> Vec<ScopeRow> {
    let mut sums: BTreeMap<ScopeId, (u32, u32, u32)> = BTreeMap::new();
    for task in state.tasks.values() {
        let through = u32::from(task.status.lets_followers_start());
        let left = u32::from(task.status.is_settled() && !task.status.lets_followers_start());
        let mut at = Some(task.scope);
        while let Some(id) = at {
            let sum = sums.entry(id).or_default();
            *sum = (sum.0 + 1, sum.1 + through, sum.2 + left);
            at = state.scopes.get(&id).and_then(|scope| scope.parent);
        }
    }
    let mut open: Vec<ScopeId> =
        state.scopes.iter().rev().filter(|(_, scope)| scope.parent.is_none()).map(|(id, _)| *id).collect();
    let mut rows = Vec::with_capacity(state.scopes.len());
    while let Some(id) = open.pop() {
        let Some(scope) = state.scopes.get(&id) else { continue };
        open.extend(scope.children.iter().rev());
        let (tasks, through, left) = sums.get(&id).copied().unwrap_or_default();
        let planner = match scope.status {
            Planning::Active if state.open_question(Seat::Planner { scope: id, wake: scope.wake }).is_some() => "asks",
            Planning::Active => "planning",
            Planning::Finished => "planned",
            Planning::Failed(_) => "failed",
            Planning::SentBack => "sent back",
        }
        .into();
        let (parent, depth, title) = (scope.parent, scope.depth, scope.draft.title.clone());
        rows.push(ScopeRow { scope: id, parent, depth, title, planner, tasks, through, left });
    }
    rows
}

fn failure(scope: &Scope) -> Option<String> {
    match &scope.status {
        Planning::Failed(why) => Some(why.clone()),
        Planning::Active | Planning::Finished | Planning::SentBack => None,
    }
}

fn sits(state: &State, seat: Seat, sitting: &Sitting, now_ms: i64) -> SittingRow {
    let of_task = |id: TaskId| state.tasks.get(&id).map(|task| task.draft.title.clone());
    let title = match seat {
        Seat::Attempt(attempt) | Seat::Judge { attempt, .. } => of_task(attempt.task),
        Seat::Planner { scope, .. } => state.scopes.get(&scope).map(|scope| scope.draft.title.clone()),
        Seat::RunJudge { .. } => Some(state.opening().goal.name.clone()),
    };
    SittingRow {
        seat,
        title: title.unwrap_or_default(),
        agent: sitting.agent.to_string(),
        elapsed_ms: words::between_ms(sitting.since_ms, now_ms),
    }
}

fn running(state: &State, id: AttemptId, outside: &Outside) -> Option<RunningRow> {
    let attempt = state.attempt(id)?;
    Some(RunningRow {
        attempt: id,
        title: state.tasks.get(&id.task)?.draft.title.clone(),
        agent: attempt.agent.to_string(),
        elapsed_ms: words::between_ms(attempt.started_ms, outside.now_ms),
        last_line: outside.last_lines.get(&id).cloned(),
    })
}

fn batch(batch: &Batch) -> BatchRow {
    let size = batch.members.len();
    let step = match &batch.step {
        BatchStep::Merging => format!("merging {size}"),
        BatchStep::Checking { chain, search, .. } => match search.want() {
            Want::Check(upto) if search.red.is_none() => format!("checking {upto} of {}", chain.len()),
            Want::Check(upto) => format!("red: looking for the culprit, checking the first {upto} of {}", chain.len()),
            Want::Confirm(upto) => format!("red at {upto} of {}: checking once more", chain.len()),
            Want::Eject { .. } | Want::LandAll => "deciding".to_owned(),
        },
        BatchStep::Landing { upto, .. } => format!("landing {upto}"),
    };
    BatchRow { batch: batch.id, members: batch.members.clone(), step }
}

fn landed(id: TaskId, task: &Task) -> Option<LandedRow> {
    let Status::Landed { commit } = task.status else { return None };
    let attempt = task.attempts.iter().rev().find(|attempt| attempt.landed.is_some())?;
    Some(LandedRow {
        task: id,
        title: task.draft.title.clone(),
        commit,
        agent: attempt.agent.to_string(),
        files: attempt.candidate().map_or(0, |candidate| candidate.files),
        attempts: task.attempts.len() as u32,
    })
}

/// Lists what needs a person, and once the run has ended all that is not through.
fn left(state: &State) -> Vec<LeftRow> {
    let stuck = hopeless(state);
    let row = |(id, task): (&TaskId, &Task)| {
        let why = why_left(state, task).or_else(|| {
            let is_over = stuck.contains(id) || (state.end.is_some() && !task.status.is_settled());
            is_over.then(|| why_open(state, task))
        })?;
        Some(LeftRow {
            task: *id,
            title: task.draft.title.clone(),
            status: task.status.word().into(),
            why,
            has_candidate: task.attempts.iter().any(|attempt| attempt.candidate().is_some()),
        })
    };
    state.tasks.iter().filter(|(id, _)| !state.was_sent_back(**id)).filter_map(row).collect()
}

fn why_left(state: &State, task: &Task) -> Option<String> {
    match &task.status {
        Status::Kept { why } => Some(why.clone()),
        Status::Blocked { missing } => Some(format!("missing: {missing}")),
        Status::Dropped { reason } => Some(format!("given up: {reason}")),
        Status::Reverted { by } => {
            let by_commit = state.tasks.get(by).and_then(|task| landed(*by, task)).map(|row| row.commit.short());
            Some(format!("taken back out by {by}{}", by_commit.map(|it| format!(" ({it})")).unwrap_or_default()))
        }
        Status::Landed { .. }
        | Status::Nothing
        | Status::Waiting
        | Status::Ready
        | Status::Running
        | Status::Judging
        | Status::Gated
        | Status::Queued => None,
    }
}

fn why_open(state: &State, task: &Task) -> String {
    let blockers = task.waits_for.iter().map(|id| {
        let word = state.tasks.get(id).map_or("unknown", |task| task.status.word());
        format!("{id} ({word})")
    });
    let blockers: Vec<String> = blockers.collect();
    if blockers.is_empty() { "was not begun".to_owned() } else { format!("waits for {}", blockers.join(", ")) }
}

/// Lists what the last attempt of a landed task left, but for what was handed on as a task of its own.
fn places(state: &State, id: TaskId, task: &Task) -> Vec<PlaceRow> {
    if !task.status.lets_followers_start() {
        return Vec::new();
    }
    let Some(handoff) = task.attempts.iter().rev().find_map(|attempt| attempt.handoff.as_ref()) else {
        return Vec::new();
    };
    let rest = state.task_keys.get(&format!("{}+rest", task.draft.key)).and_then(|rest| state.tasks.get(rest));
    let is_handed_on = |path: &str| rest.is_some_and(|rest| rest.draft.paths.holds(path));
    let left = handoff.leftovers.iter().filter(|left| !is_handed_on(&left.path));
    left.map(|it| PlaceRow { task: id, path: it.path.clone(), line: it.line, why: it.why.clone() }).collect()
}

fn conditions(state: &State, opening: &Opening) -> Vec<ConditionRow> {
    let looked_at = state.conditions.as_ref().map(|(_, results)| results);
    let row = |condition: &Condition| {
        let result = looked_at.and_then(|results| results.iter().find(|result| result.name == condition.name()));
        let holds = looked_at.map(|_| result.is_some_and(|result| result.answer == Answer::Green));
        let why = result.filter(|result| result.answer != Answer::Green).map(|result| why_red(condition, result));
        ConditionRow { name: condition.name().to_owned(), holds, why }
    };
    opening.goal.done.iter().map(row).collect()
}

/// Tells in one line why a condition does not hold: how its command ended, or the first place that its query found.
fn why_red(condition: &Condition, result: &CheckResult) -> String {
    let mut lines = result.tail.lines().filter(|line| !line.trim().is_empty());
    match condition {
        Condition::Query(_) => lines.next().unwrap_or_default().to_owned(),
        Condition::Check(_) => {
            let end = result.code.map_or_else(|| "was ended".to_owned(), |code| format!("exit code {code}"));
            lines.next_back().map_or(end.clone(), |last| format!("{end}: {last}"))
        }
    }
}

fn reds<'a>(results: impl Iterator<Item = &'a CheckResult>) -> Vec<String> {
    results.filter(|result| result.answer == Answer::Red).map(|result| result.name.clone()).collect()
}
