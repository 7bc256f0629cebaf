//! Owns what an actor is told when it is sent out: copied from the state, complete, never read back from it.

use std::collections::BTreeSet;

use super::iteration_keys::IterationKeys;
use super::parking::{Resuming, resuming};
use super::seated::Seated;
use crate::machine::asked::Heard;
use crate::machine::state::{BatchStep, Planning, State, Status, Task};
use crate::model::attempt::{Candidate, Handoff};
use crate::model::check::{Baseline, Check, CheckResult};
use crate::model::ids::{AttemptId, BatchId, Oid, ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::review::{Criterion, Lens, RunRuling, RunVerdict};
use crate::model::role::{AgentRef, Part, Role};
use crate::model::seat::Seat;
use crate::model::task::{ScopeDraft, TaskDraft, Work};
use crate::model::verdict::Finding;
use crate::views::asked::{told_to_planners, waits_for_split};

/// Tells a worker what to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// The attempt.
    pub attempt: AttemptId,
    /// The number that its report carries.
    pub fence: u64,
    /// The agent that plays it.
    pub agent: AgentRef,
    /// The task.
    pub task: TaskDraft,
    /// What sort of work it is, with the merge commit that a revert takes back out.
    pub work: WorkOrder,
    /// The role, where the run has it.
    pub role: Role,
    /// The commit that it stands on.
    pub base: Oid,
    /// The candidate from whose files it goes on, or what an attempt that a limit ended had made.
    pub from: Option<Oid>,
    /// The attempt whose session it takes up again.
    pub resumes: Option<Resuming>,
    /// What was wrong before.
    pub findings: Vec<Finding>,
    /// What people have said.
    pub steering: Vec<String>,
    /// How much of what they say that is.
    pub heard: Heard,
    /// What the tasks that it waited for have handed up.
    pub handoffs: Vec<Handoff>,
    /// What it is brought together with, where its resolver does it.
    pub resolves: Option<Resolving>,
    /// Checks that its candidate must pass.
    pub checks: Vec<Check>,
    /// What was decided for the whole run, a line each.
    pub decisions: Vec<String>,
    /// What the run says to it, a line each, which agents have written.
    pub notes: Vec<String>,
}

/// Names what conflicted.
#[derive(Debug, Clone)]
pub struct Resolving {
    /// The candidate that did not merge.
    pub candidate: Candidate,
    /// What had landed in its way: each task with the merge commit that brought it in.
    pub landed: Vec<(TaskDraft, Oid)>,
}

fn resolving(state: &State, task: &Task) -> Option<Resolving> {
    let candidate = task.conflicted()?.candidate()?.clone();
    let landed = state.conflicting_with(task).map(|(other, commit)| (other.draft.clone(), commit));
    Some(Resolving { candidate, landed: landed.collect() })
}

/// Says what sort of work an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkOrder {
    /// An agent does the brief.
    Brief,
    /// This merge commit is taken back out.
    Revert(Oid),
}

/// Gives a worker's order.
pub fn work(state: &State, id: AttemptId, fence: u64) -> Option<Order> {
    let attempt = state.attempt(id)?;
    order(state, (id, fence), attempt.agent.clone(), (attempt.base, attempt.from))
}

/// Gives the order of a task's running attempt, or that of the one that would come next.
pub fn next(state: &State, id: TaskId) -> Option<Order> {
    let task = state.tasks.get(&id)?;
    let number = u32::try_from(task.attempts.len()).ok()?;
    if task.status == Status::Running {
        return work(state, AttemptId { task: id, number }, 0);
    }
    let agent = state.next_agent(task, state.last_ms)?;
    let base = state.head.unwrap_or(state.opening().base);
    order(state, (AttemptId { task: id, number: number + 1 }, 0), agent, (base, task.again.from))
}

fn order(
    state: &State,
    (id, fence): (AttemptId, u64),
    agent: AgentRef,
    (base, from): (Oid, Option<Oid>),
) -> Option<Order> {
    let task = state.tasks.get(&id.task)?;
    let work = match task.work {
        Work::Brief => WorkOrder::Brief,
        Work::Revert(reverted) => {
            let Status::Landed { commit } = state.tasks.get(&reverted)?.status else { return None };
            WorkOrder::Revert(commit)
        }
    };
    let handoffs = task.after.iter().filter_map(|before| state.tasks.get(before)?.attempts.last()?.handoff.clone());
    Some(Order {
        attempt: id,
        fence,
        agent,
        task: task.draft.clone(),
        work,
        role: state.role_of(task)?.clone(),
        base,
        from,
        resumes: resuming(state, id),
        findings: task.held_against(),
        steering: state.steering.iter().chain(&task.steering).cloned().collect(),
        heard: Heard::of(state, Some(task)),
        handoffs: handoffs.collect(),
        resolves: resolving(state, task),
        checks: state.checks_of(task).cloned().collect(),
        decisions: state.decisions_made(),
        notes: state.notes_for(id.task),
    })
}

/// Tells a judge what to judge: never what the worker said for itself.
#[derive(Debug, Clone)]
pub struct Judging {
    /// The attempt.
    pub attempt: AttemptId,
    /// The candidate.
    pub candidate: Candidate,
    /// The task.
    pub task: TaskDraft,
    /// What sort of work it is.
    pub work: Work,
    /// The role that did it.
    pub role: Role,
    /// The agent that did it.
    pub agent: AgentRef,
    /// Checks of the run and the task.
    pub checks: Vec<Check>,
    /// What the checks answered on the base.
    pub baseline: Baseline,
    /// The rules of the findings for which the same agent's attempt before was refused.
    pub refused_before: BTreeSet<String>,
}

/// Gives a judge's order.
pub fn judging(state: &State, id: AttemptId) -> Option<Judging> {
    let task = state.tasks.get(&id.task)?;
    let attempt = state.attempt(id)?;
    let own = task.attempts.iter().rev().skip(1).filter(|before| before.agent == attempt.agent);
    let before = own.map(|before| before.verdict.as_ref()).find(Option::is_some).flatten();
    let refused_before = before.map(|verdict| verdict.findings.iter().map(|it| it.rule.clone()).collect());
    Some(Judging {
        attempt: id,
        candidate: attempt.candidate()?.clone(),
        task: task.draft.clone(),
        work: task.work.clone(),
        role: state.role_of(task)?.clone(),
        agent: attempt.agent.clone(),
        checks: state.checks_of(task).cloned().collect(),
        baseline: state.baseline.clone()?,
        refused_before: refused_before.unwrap_or_default(),
    })
}

/// Tells which candidates are merged, in which order, onto what.
#[derive(Debug, Clone)]
pub struct Merging {
    /// The batch.
    pub batch: BatchId,
    /// Where the run's branch stands.
    pub onto: Oid,
    /// The members.
    pub members: Vec<Merged>,
}

/// Names one member of a batch.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its candidate.
    pub candidate: Candidate,
    /// Who wrote it.
    pub agent: String,
    /// In which role.
    pub role: String,
    /// The task in one line.
    pub title: String,
    /// When it was leased: the merge commit's time, so that the same merge gives the same commit.
    pub when_ms: i64,
}

/// Gives the order to merge the present batch.
pub fn merging(state: &State, batch: BatchId) -> Option<Merging> {
    let present = state.batch.as_ref().filter(|present| present.id == batch)?;
    let member = |id: &AttemptId| {
        let (task, attempt) = (state.tasks.get(&id.task)?, state.attempt(*id)?);
        Some(Merged {
            attempt: *id,
            candidate: attempt.candidate()?.clone(),
            agent: attempt.agent.to_string(),
            role: task.draft.role.clone(),
            title: task.draft.title.clone(),
            when_ms: attempt.started_ms,
        })
    };
    let members = present.members.iter().filter_map(member).collect();
    Some(Merging { batch, onto: present.onto, members })
}

/// Tells which prefix of a batch is checked.
#[derive(Debug, Clone)]
pub struct Checking {
    /// The batch.
    pub batch: BatchId,
    /// How many members it holds.
    pub upto: u32,
    /// The commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// The checks that were red on this tree before, where this answer decides.
    pub reds: Option<Vec<String>>,
    /// What the checks answered on the base.
    pub baseline: Baseline,
}

/// Lists the checks that made the shortest red prefix of the present batch red.
pub fn reds(state: &State) -> Vec<String> {
    match state.batch.as_ref().map(|batch| &batch.step) {
        Some(BatchStep::Checking { reds, .. }) => reds.clone(),
        Some(BatchStep::Merging | BatchStep::Landing { .. }) | None => Vec::new(),
    }
}

/// Tells where the run's branch is moved.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The batch.
    pub batch: BatchId,
    /// Where the branch stands.
    pub from: Oid,
    /// Where it goes.
    pub to: Oid,
    /// The tree that was checked.
    pub tree: Oid,
    /// The attempts that land.
    pub landed: Vec<AttemptId>,
}

/// Lists the attempts of the green prefix that lands.
pub fn landing_attempts(state: &State) -> Vec<AttemptId> {
    match state.batch.as_ref().map(|batch| &batch.step) {
        Some(BatchStep::Landing { chain, upto, .. }) => {
            chain.iter().take(*upto as usize).map(|link| link.attempt).collect()
        }
        Some(BatchStep::Merging | BatchStep::Checking { .. }) | None => Vec::new(),
    }
}

/// Tells a planner what to plan.
#[derive(Debug, Clone)]
pub struct PlanOrder {
    /// The scope.
    pub scope: ScopeId,
    /// What it was given.
    pub draft: ScopeDraft,
    /// The waking.
    pub wake: u32,
    /// Which planning this is, from 1.
    pub iteration: u32,
    /// How deep the scope lies.
    pub depth: u32,
    /// The tree that is planned on.
    pub tree: Oid,
    /// The handoffs that woke it.
    pub handoffs: Vec<HandedUp>,
    /// Files that are left out, because a task on them failed or was taken back out.
    pub stop_list: BTreeSet<String>,
}

/// Holds what an attempt has handed up.
#[derive(Debug, Clone)]
pub struct HandedUp {
    /// The key of its task.
    pub task: String,
    /// The key of the scope whose task it is, where that lies below the planner's own.
    pub below: Option<String>,
    /// The scope above whose planner was asked what the planner's own scope does not hold.
    pub asked: Option<ScopeId>,
    /// What it says.
    pub handoff: Handoff,
}

fn handed_up(state: &State, scope: ScopeId, id: AttemptId) -> Option<HandedUp> {
    let task = state.tasks.get(&id.task)?;
    let below = state.scopes.get(&task.scope).filter(|_| task.scope != scope);
    let wants = task.wants.as_ref().filter(|_| below.is_none());
    let asked = wants.and_then(|wants| state.answers_above(scope, &PathSet::parse(wants.paths.iter().cloned())));
    Some(HandedUp {
        task: task.draft.key.clone(),
        below: below.map(|below| below.draft.key.clone()),
        asked,
        // The attempt's own: the task may have been leased again since.
        handoff: state.attempt(id)?.handoff.clone()?,
    })
}

/// Gives a planner's order.
pub fn planning(state: &State, id: ScopeId) -> Option<PlanOrder> {
    let scope = state.scopes.get(&id)?;
    let opening = state.opening();
    let is_stopped = |status: &Status| {
        matches!(
            status,
            Status::Kept { .. } | Status::Blocked { .. } | Status::Dropped { .. } | Status::Reverted { .. }
        )
    };
    let stopped = state.tasks.iter().filter(|(id, task)| is_stopped(&task.status) && !state.was_sent_back(**id));
    let failed = stopped.map(|(_, task)| task).filter(|_| opening.goal.plan.stop_list);
    Some(PlanOrder {
        scope: id,
        draft: scope.draft.clone(),
        wake: scope.wake,
        iteration: state.iteration,
        depth: scope.depth,
        tree: state.plan_tree.unwrap_or(opening.base_tree),
        handoffs: scope.given.iter().filter_map(|attempt| handed_up(state, id, *attempt)).collect(),
        stop_list: failed.flat_map(|task| task.draft.paths.files.iter().cloned()).collect(),
    })
}

/// Tells a planner's session what to plan.
#[derive(Clone)]
pub struct SessionPlan {
    /// The scope.
    pub scope: ScopeId,
    /// What it was given.
    pub draft: ScopeDraft,
    /// The waking.
    pub wake: u32,
    /// Who plans.
    pub seated: Seated,
    /// How what it hands out is named.
    pub keys: IterationKeys,
    /// How deep the scope lies.
    pub depth: u32,
    /// How many tasks it has handed out.
    pub emitted: u32,
    /// How many sub-planners it has in this iteration.
    pub children: u32,
    /// The commit that it sees.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// What it has handed out, a line each.
    pub status: Vec<String>,
    /// What people have said.
    pub steering: Vec<String>,
    /// The handoffs that woke it.
    pub handoffs: Vec<HandedUp>,
    /// Done-conditions that did not hold before this iteration.
    pub red: Vec<CheckResult>,
    /// What the run's judge said at the end of the iteration before.
    pub ruled: Option<RunVerdict>,
    /// Roles that do tasks.
    pub workers: Vec<String>,
    /// What was decided for the whole run, a line each.
    pub decisions: Vec<String>,
}

/// Tells how what a scope has handed out stands, a line each.
pub fn status_of(state: &State, scope: ScopeId) -> Vec<String> {
    let tasks = state.tasks.iter().filter(|(_, task)| task.scope == scope);
    let tasks = tasks.map(|(id, task)| {
        let why = waits_for_split(state, *id).map(|why| format!(" ({why})")).unwrap_or_default();
        let word = if state.was_sent_back(*id) { "sent back and gone" } else { task.status.word() };
        format!("{}: {word}{why}: {}", task.draft.key, task.draft.title)
    });
    let children = state.scopes.get(&scope).map(|scope| scope.children.as_slice()).unwrap_or_default();
    let children = children.iter().filter_map(|child| state.scopes.get(child));
    let children = children.filter(|child| child.status != Planning::SentBack);
    let scopes = children.map(|child| format!("{} (a sub-planner's scope): {}", child.draft.key, child.draft.title));
    tasks.chain(scopes).collect()
}

/// Gives the order of a planner that sits.
pub fn session_plan(state: &State, scope: ScopeId, wake: u32, fence: u64) -> Option<SessionPlan> {
    let seated = Seated::of(state, Seat::Planner { scope, wake }, fence)?;
    let planned = planning(state, scope)?;
    let opening = state.opening();
    let found = state.scopes.get(&scope)?;
    let ruled = state.ruled.as_ref().filter(|ruled| ruled.iteration + 1 == state.iteration && planned.depth == 0);
    // Who plans anew knows what was handed over, and nothing of how it came about.
    let is_anew = ruled.is_some_and(|ruled| ruled.verdict.ruling == RunRuling::Restart) && planned.handoffs.is_empty();
    let children = found.children.iter().filter_map(|child| state.scopes.get(child));
    let workers = opening.roles.values().filter(|role| role.part == Part::Worker && !role.agents.is_empty());
    Some(SessionPlan {
        scope,
        draft: planned.draft,
        wake,
        seated,
        keys: IterationKeys::new(planned.iteration, state.task_keys.keys()),
        depth: planned.depth,
        emitted: found.emitted,
        children: u32::try_from(children.filter(|child| child.stands_in(state.iteration)).count()).unwrap_or(u32::MAX),
        commit: state.head.unwrap_or(opening.base),
        tree: state.head_tree.unwrap_or(opening.base_tree),
        status: if is_anew { Vec::new() } else { status_of(state, scope) },
        steering: told_to_planners(state),
        handoffs: planned.handoffs,
        red: state.red.clone(),
        ruled: ruled.map(|ruled| ruled.verdict.clone()),
        workers: workers.map(|role| role.name.clone()).collect(),
        decisions: state.decisions_made(),
    })
}

/// Tells a judge's session what to judge: never what the worker said for itself.
#[derive(Debug, Clone)]
pub struct Reviewing {
    /// The attempt.
    pub attempt: AttemptId,
    /// Which of the judge's lenses it looks through, from 1.
    pub number: u32,
    /// That lens.
    pub lens: Lens,
    /// Who judges.
    pub seated: Seated,
    /// The candidate.
    pub candidate: Candidate,
    /// The task.
    pub task: TaskDraft,
    /// What the checks answered.
    pub checks: Vec<CheckResult>,
    /// What the same lens found in the task's work before.
    pub earlier: Vec<Finding>,
    /// What is scored.
    pub criteria: Vec<Criterion>,
}

/// Gives the order of a judge that sits.
pub fn reviewing(state: &State, id: AttemptId, number: u32, fence: u64) -> Option<Reviewing> {
    let seated = Seated::of(state, Seat::Judge { attempt: id, lens: number }, fence)?;
    let (task, attempt) = (state.tasks.get(&id.task)?, state.attempt(id)?);
    let lens = *state.lenses().get(number.checked_sub(1)? as usize)?;
    let before = task.attempts.iter().rev().flat_map(|attempt| &attempt.reviews).find(|review| review.lens == lens);
    Some(Reviewing {
        attempt: id,
        number,
        lens,
        criteria: seated.role.scored(),
        seated,
        candidate: attempt.candidate()?.clone(),
        task: task.draft.clone(),
        checks: attempt.verdict.as_ref().map(|verdict| verdict.checks.clone()).unwrap_or_default(),
        earlier: before.map(|review| review.findings.clone()).unwrap_or_default(),
    })
}

/// Tells the judge of a run what to judge.
#[derive(Debug, Clone)]
pub struct RunJudging {
    /// The iteration that is over.
    pub iteration: u32,
    /// Who judges.
    pub seated: Seated,
    /// Where the run's branch stands.
    pub head: Oid,
    /// What the done-conditions answered there.
    pub conditions: Vec<CheckResult>,
    /// What people have said.
    pub steering: Vec<String>,
}

/// Gives the order of a run's judge that sits.
pub fn run_judging(state: &State, iteration: u32, fence: u64) -> Option<RunJudging> {
    let seated = Seated::of(state, Seat::RunJudge { iteration }, fence)?;
    let (head, conditions) = state.conditions.clone()?;
    Some(RunJudging { iteration, seated, head, conditions, steering: state.steering.clone() })
}
