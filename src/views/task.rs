//! Owns what is told of one task: its brief and every attempt with what came of it. Never shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::asked::waits_for_split;
use super::limits::waits;
use super::waiting::{Waiting, of_candidate, of_question};
use super::words;
use crate::machine::event::Next;
use crate::machine::state::{Attempt, State, Status, Task};
use crate::model::attempt::{Handoff, Outcome, Usage};
use crate::model::check::{Check, CheckResult};
use crate::model::ids::{AttemptId, Oid, RunId, ScopeId, TaskId};
use crate::model::review::Review;
use crate::model::task::Work;
use crate::model::verdict::{Finding, Verdict};

/// Tells of one task.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TaskView {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// The name that its planner gave it.
    pub key: String,
    /// One line for people.
    pub title: String,
    /// Its state in one word.
    pub status: &'static str,
    /// Why it stands there, where that needs a reason.
    pub why: Option<String>,
    /// What its candidate waits for, where that waits for a person's word, or its judge for an answer.
    pub waiting: Option<Waiting>,
    /// The merge commit, once landed.
    pub landed: Option<Oid>,
    /// The task that it takes back out, where it does.
    pub reverts: Option<TaskId>,
    /// Its role.
    pub role: String,
    /// Its scope and the scopes around it, innermost first.
    pub scopes: Vec<(ScopeId, String)>,
    /// Whether it belongs to the sample.
    pub sample: bool,
    /// What is to be done.
    pub brief: String,
    /// What it may change.
    pub paths: Vec<String>,
    /// Rule files.
    pub rules: Vec<String>,
    /// Checks of its own.
    pub checks: Vec<Check>,
    /// What it waited for, with the state of each.
    pub after: Vec<(TaskId, &'static str)>,
    /// What waits for it, with the state of each.
    pub followers: Vec<(TaskId, &'static str)>,
    /// The longest chain of work that hangs on it.
    pub rank: u64,
    /// What it was told by people.
    pub steering: Vec<String>,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptView>,
}

/// Tells of one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AttemptView {
    /// The attempt.
    pub attempt: AttemptId,
    /// The agent that played it.
    pub agent: String,
    /// Where it stood on the run's branch.
    pub base: Oid,
    /// The candidate from whose files it went on.
    pub from: Option<Oid>,
    /// When it was leased, in milliseconds since 1970.
    pub started_ms: i64,
    /// How long it took, or has taken, in milliseconds.
    pub wall_ms: u64,
    /// How it ended in one word: `running`, `lost`, `limited`, `candidate`, `nothing`, `failed`, `blocked`.
    pub outcome: &'static str,
    /// Why, where that needs a reason.
    pub why: Option<String>,
    /// The candidate's commit.
    pub commit: Option<Oid>,
    /// How many files it changed.
    pub files: Option<u32>,
    /// What it reported upward.
    pub handoff: Option<Handoff>,
    /// What its judge said.
    pub verdict: Option<Verdict>,
    /// What sessions of its judge said beside, a lens each.
    pub reviews: Vec<Review>,
    /// Why it did not land.
    pub ejected: Vec<Finding>,
    /// The merge commit, once landed.
    pub landed: Option<Oid>,
    /// What became of it.
    pub next: Option<String>,
    /// What it cost.
    pub usage: Usage,
}

impl AttemptView {
    /// Lists what the checks answered on its candidate.
    pub fn checks(&self) -> &[CheckResult] {
        self.verdict.as_ref().map_or(&[], |verdict| verdict.checks.as_slice())
    }
}

/// Reads one task; none where there is no such task.
pub fn task(state: &State, id: TaskId, now_ms: i64) -> Option<TaskView> {
    let task = state.tasks.get(&id)?;
    let with_status = |ids: &[TaskId]| {
        let word = |id: &TaskId| state.tasks.get(id).map_or("unknown", |task| task.status.word());
        ids.iter().map(|id| (*id, word(id))).collect()
    };
    let mut scopes = Vec::new();
    let mut at = Some(task.scope);
    while let Some((id, scope)) = at.and_then(|id| Some((id, state.scopes.get(&id)?))) {
        scopes.push((id, scope.draft.title.clone()));
        at = scope.parent;
    }
    let last = AttemptId { task: id, number: task.attempts.len() as u32 };
    let asked = || state.judge_asks(last).then(|| of_question(state, state.review_seat(last))).flatten();
    let waiting = of_candidate(state, last).or_else(asked);
    let (why, landed) = match &task.status {
        Status::Kept { why } => (Some(why.clone()), None),
        Status::Blocked { missing } => (Some(missing.clone()), None),
        Status::Dropped { reason } => (Some(reason.clone()), None),
        Status::Reverted { by } => (Some(format!("by {by}")), None),
        Status::Landed { commit } => (None, Some(*commit)),
        Status::Ready => (waits_for_split(state, id).or_else(|| waits_for_limit(state, task, now_ms)), None),
        Status::Queued => (waits_for_split(state, id), None),
        Status::Gated | Status::Judging => (waiting.as_ref().map(Waiting::words), None),
        Status::Waiting | Status::Running | Status::Nothing => (None, None),
    };
    let attempts = (1..).zip(&task.attempts).map(|(number, it)| attempt(AttemptId { task: id, number }, it, now_ms));
    Some(TaskView {
        run: state.opening().run.clone(),
        task: id,
        key: task.draft.key.clone(),
        title: task.draft.title.clone(),
        status: task.status.word(),
        why,
        waiting,
        landed,
        reverts: match task.work {
            Work::Revert(reverted) => Some(reverted),
            Work::Brief => None,
        },
        role: task.draft.role.clone(),
        scopes,
        sample: task.sample,
        brief: task.draft.brief.clone(),
        paths: task.draft.paths.iter().map(str::to_owned).collect(),
        rules: task.draft.rules.clone(),
        checks: task.draft.checks.clone(),
        after: with_status(&task.after),
        followers: with_status(&task.followers),
        rank: task.rank,
        steering: task.steering.clone(),
        attempts: attempts.collect(),
    })
}

fn waits_for_limit(state: &State, task: &Task, now_ms: i64) -> Option<String> {
    let (agent, limit) = state.limit_of(task).filter(|(_, limit)| limit.until_ms > now_ms)?;
    Some(format!("{}: {}", waits(agent, limit.until_ms), limit.why))
}

fn attempt(id: AttemptId, attempt: &Attempt, now_ms: i64) -> AttemptView {
    let (outcome, why) = match (&attempt.lost, &attempt.outcome) {
        (Some(why), _) => ("lost", Some(why.clone())),
        (None, None) => attempt.limited.as_ref().map_or(("running", None), |why| ("limited", Some(why.clone()))),
        (None, Some(Outcome::Candidate(_))) => ("candidate", None),
        (None, Some(Outcome::Nothing)) => ("nothing", None),
        (None, Some(Outcome::Failed { why })) => ("failed", Some(why.clone())),
        (None, Some(Outcome::Blocked { missing })) => ("blocked", Some(missing.clone())),
    };
    AttemptView {
        attempt: id,
        agent: attempt.agent.to_string(),
        base: attempt.base,
        from: attempt.from,
        started_ms: attempt.started_ms,
        wall_ms: words::between_ms(attempt.started_ms, attempt.ended_ms.unwrap_or(now_ms)),
        outcome,
        why,
        commit: attempt.candidate().map(|candidate| candidate.commit),
        files: attempt.candidate().map(|candidate| candidate.files),
        handoff: attempt.handoff.clone(),
        verdict: attempt.verdict.clone(),
        reviews: attempt.reviews.clone(),
        ejected: attempt.ejected.clone(),
        landed: attempt.landed,
        next: attempt.next.as_ref().map(next),
        usage: attempt.usage,
    }
}

/// Says what becomes of a task next.
pub fn next(next: &Next) -> String {
    match next {
        Next::Judge => "to be judged".to_owned(),
        Next::Review => "its checks held, to be looked at by its judge".to_owned(),
        Next::Queue => "accepted, waits to land".to_owned(),
        Next::Again(again) if again.from.is_some() => "tried again in the same files".to_owned(),
        Next::Again(again) if again.tries == 0 && again.agent > 0 => "handed to the next agent".to_owned(),
        Next::Again(_) => "tried again from fresh".to_owned(),
        Next::Nothing => "nothing to do".to_owned(),
        Next::Keep { why } => format!("kept for a person: {why}"),
        Next::Block { missing } => format!("blocked, missing: {missing}"),
    }
}
