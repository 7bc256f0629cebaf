//! Owns what time alone brings: leases lapse, work is handed out, batches form, gates are reached, the run closes.

use crate::machine::event::{End, Event, Lease, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt;
use crate::machine::state::{Flow, Planning, State, Status};
use crate::model::check::CheckResult;
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, BatchId, Oid, ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::role::AgentRef;
use crate::model::task::Work;

/// Accepted candidates that may wait to land before no new work is handed out.
const QUEUE_AT_MOST: usize = 128;

pub(in crate::machine) fn advance(state: &State, now_ms: i64) -> Vec<Event> {
    if !state.is_live() {
        return Vec::new();
    }
    let lapsed = lapsed_leases(state, now_ms);
    if !lapsed.is_empty() {
        return lapsed;
    }
    if state.flow == Flow::Stopping {
        return stop(state);
    }
    let mut events = wake_planners(state);
    events.extend(form_batch(state));
    events.extend(pass_sample(state));
    if state.flow == Flow::Open && over_budget(state, now_ms).is_none() {
        events.extend(lease_tasks(state, now_ms));
    }
    if events.is_empty() {
        events.extend(come_to_rest(state, now_ms));
    }
    events
}

fn lapsed_leases(state: &State, now_ms: i64) -> Vec<Event> {
    let lapsed = state.running.iter().filter(|id| state.attempt(**id).is_some_and(|it| it.until_ms < now_ms));
    lapsed.filter_map(|id| attempt::lost(state, *id, "its lease lapsed").ok()).flatten().collect()
}

fn stop(state: &State) -> Vec<Event> {
    let running = state.running.iter();
    let mut events: Vec<Event> =
        running.filter_map(|id| attempt::lost(state, *id, "the run was stopped").ok()).flatten().collect();
    events.push(Event::RunParked { why: Rest::Stopped });
    events
}

/// Wakes each planner that had finished and has handoffs before it; a deterministic one learns nothing from them.
fn wake_planners(state: &State) -> Vec<Event> {
    let waking = state.scopes.iter().filter(|(_, scope)| {
        scope.status == Planning::Finished && !scope.inbox.is_empty() && !plans_by_rule(state, &scope.draft.role)
    });
    waking
        .map(|(id, scope)| Event::PlannerWoken { scope: *id, wake: scope.wake + 1, handoffs: scope.inbox.clone() })
        .collect()
}

fn plans_by_rule(state: &State, role: &str) -> bool {
    state.opening().roles.get(role).is_none_or(|role| role.agents.first() == Some(&AgentRef::Shard))
}

fn form_batch(state: &State) -> Option<Event> {
    let onto = state.head.filter(|_| state.batch.is_none() && !state.queue.is_empty())?;
    let goal = &state.opening().goal;
    let largest = goal.landing.batch.max(1);
    let size = if goal.checks.is_empty() { largest } else { state.bad_rate.batch(largest) };
    let members: Vec<AttemptId> = state.queue.iter().take(size as usize).copied().collect();
    Some(Event::BatchFormed { batch: BatchId(state.batches + 1), members, onto })
}

/// Lets the sweep begin once every task of the sample has landed or found nothing to do.
fn pass_sample(state: &State) -> Option<Event> {
    let sample = state.opening().goal.plan.sample;
    if state.sample_accepted || state.waiting.is_some() {
        return None;
    }
    let mut tasks = state.tasks.iter().take_while(|(id, _)| id.0 <= sample).map(|(_, task)| task);
    let is_known = state.tasks.len() >= sample as usize || state.planning.is_empty();
    if !is_known || !tasks.all(|task| task.status.lets_followers_start()) {
        return None;
    }
    let is_gated = state.opening().goal.approve.contains(&Gate::Sweep) && !state.passed.contains(&Gate::Sweep);
    Some(if is_gated { Event::GateReached { gate: Gate::Sweep } } else { Event::SampleAccepted })
}

/// Tells what the run has used up, if anything.
fn over_budget(state: &State, now_ms: i64) -> Option<String> {
    let budget = &state.budget;
    let wall_s = u64::try_from(now_ms - state.opened_ms).unwrap_or(0) / 1000;
    if let Some(limit) = budget.wall_s.filter(|limit| wall_s >= *limit) {
        return Some(format!("{limit} s of wall time"));
    }
    if let Some(limit) = budget.attempts.filter(|limit| state.attempts_made() >= *limit) {
        return Some(format!("{limit} attempts"));
    }
    let cpu_s = state.total_spent().usage.cpu_ms / 1000;
    budget.cpu_s.filter(|limit| cpu_s >= *limit).map(|limit| format!("{limit} s of processor time"))
}

fn plan_is_approved(state: &State) -> bool {
    !state.opening().goal.approve.contains(&Gate::Plan) || state.passed.contains(&Gate::Plan)
}

/// Lists the ready tasks that may be handed out, most urgent first.
fn leasable(state: &State) -> impl Iterator<Item = TaskId> {
    let may_start = state.head.is_some() && plan_is_approved(state);
    state
        .ready
        .iter()
        .take_while(move |urgency| may_start && (state.sample_accepted || !urgency.after_sample))
        .map(|urgency| urgency.task)
}

fn lease_tasks(state: &State, now_ms: i64) -> Vec<Event> {
    let workers = state.opening().workers.max(1) as usize;
    let free = workers.saturating_sub(state.running.len());
    if free == 0 || state.judging.len() >= 2 * workers || state.queue.len() >= QUEUE_AT_MOST {
        return Vec::new();
    }
    let attempts_left = state.budget.attempts.map_or(u64::MAX, |limit| limit.saturating_sub(state.attempts_made()));
    let free = free.min(usize::try_from(attempts_left).unwrap_or(usize::MAX));
    let at_work = state.running.iter().chain(&state.judging).filter_map(|id| state.tasks.get(&id.task));
    let mut taken: Vec<&PathSet> = at_work.map(|task| &task.draft.paths).collect();
    let mut events = Vec::new();
    for id in leasable(state) {
        if events.len() == free {
            break;
        }
        let Some(task) = state.tasks.get(&id) else { continue };
        if taken.iter().any(|paths| paths.overlaps(&task.draft.paths)) {
            continue;
        }
        let fence = state.fences + events.len() as u64 + 1;
        if let Some(lease) = lease(state, id, fence, now_ms) {
            taken.push(&task.draft.paths);
            events.push(Event::AttemptLeased(lease));
        }
    }
    events
}

fn lease(state: &State, id: TaskId, fence: u64, now_ms: i64) -> Option<Lease> {
    let task = state.tasks.get(&id)?;
    let agent = match task.work {
        Work::Revert(_) => AgentRef::Revert,
        Work::Brief => state.role_of(task)?.agents.get(task.again.agent as usize)?.clone(),
    };
    let last_base = task.attempts.iter().rev().find(|it| it.candidate().is_some()).map(|it| it.base);
    let base = task.again.from.and(last_base).or(state.head)?;
    let number = task.attempts.len() as u32 + 1;
    Some(Lease {
        attempt: AttemptId { task: id, number },
        agent,
        base,
        from: task.again.from,
        fence,
        until_ms: now_ms + attempt::lease_ms(state),
    })
}

/// Looks for a reason to rest when nothing moves: a drained stop, a gate, a spent budget.
fn come_to_rest(state: &State, now_ms: i64) -> Option<Event> {
    if state.has_work_under_way() {
        return None;
    }
    if state.flow == Flow::Draining {
        return Some(Event::RunParked { why: Rest::Stopped });
    }
    if let Some(gate) = state.waiting {
        return Some(Event::RunParked { why: Rest::Gate(gate) });
    }
    if !state.planning.is_empty() || state.baseline.is_none() || state.head.is_none() {
        return None;
    }
    if !plan_is_approved(state) && state.tally.ready > 0 {
        return Some(Event::GateReached { gate: Gate::Plan });
    }
    let has_more = leasable(state).next().is_some();
    let spent = over_budget(state, now_ms).filter(|_| has_more);
    spent.map(|what| Event::RunParked { why: Rest::Budget { what } })
}

/// Tells whether nothing is left to do but to look at the done-conditions.
pub(in crate::machine) fn is_closing(state: &State) -> bool {
    state.is_live()
        && state.flow == Flow::Open
        && state.waiting.is_none()
        && state.planning.is_empty()
        && state.baseline.is_some()
        && state.head.is_some()
        && !state.has_work_under_way()
        && leasable(state).next().is_none()
        && (plan_is_approved(state) || state.tally.ready == 0)
        && pass_sample(state).is_none()
        && wake_planners(state).is_empty()
}

pub(in crate::machine) fn conditions(
    state: &State,
    head: Oid,
    results: &[CheckResult],
) -> Result<Vec<Event>, Rejection> {
    if !is_closing(state) || state.head != Some(head) {
        return Err(Rejection::Stale("the look at the done-conditions"));
    }
    let mut events = vec![Event::ConditionsChecked { head, results: results.to_vec() }];
    let red = red_conditions(state, results);
    let goes_on = !red.is_empty()
        && !state.planning_closed
        && state.sample_accepted
        && state.landed_in_iteration > 0
        && state.iteration < state.opening().goal.plan.iterations;
    if goes_on {
        let wake = state.scopes.get(&ScopeId(0)).map_or(1, |root| root.wake + 1);
        events.push(Event::IterationBegan { iteration: state.iteration + 1 });
        events.push(Event::PlannerWoken { scope: ScopeId(0), wake, handoffs: Vec::new() });
        return Ok(events);
    }
    events.push(Event::RunEnded { end: end(state, red) });
    Ok(events)
}

/// Names the conditions that were not answered with green.
fn red_conditions(state: &State, results: &[CheckResult]) -> Vec<String> {
    let holds = |name: &str| {
        results.iter().any(|result| result.name == name && result.answer == crate::model::check::Answer::Green)
    };
    let names = state.opening().goal.done.iter().map(|condition| condition.name());
    names.filter(|name| !holds(name)).map(str::to_owned).collect()
}

fn end(state: &State, red: Vec<String>) -> End {
    let kept: Vec<TaskId> = state.tasks.iter().filter(|(_, task)| is_left(&task.status)).map(|(id, _)| *id).collect();
    let failed_planners: Vec<ScopeId> = state
        .scopes
        .iter()
        .filter(|(_, scope)| matches!(scope.status, Planning::Failed(_)))
        .map(|(id, _)| *id)
        .collect();
    if kept.is_empty() && red.is_empty() && failed_planners.is_empty() {
        return End::Done;
    }
    End::Incomplete { kept, red, failed_planners }
}

/// Tells whether a task is unfinished business when the run ends.
fn is_left(status: &Status) -> bool {
    match status {
        Status::Landed { .. } | Status::Nothing | Status::Dropped { .. } | Status::Reverted { .. } => false,
        Status::Waiting
        | Status::Ready
        | Status::Running
        | Status::Judging
        | Status::Queued
        | Status::Kept { .. }
        | Status::Blocked { .. } => true,
    }
}
