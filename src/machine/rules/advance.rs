//! Owns what time alone brings: leases lapse, work is handed out, batches form, gates are reached, the run closes.

use crate::machine::event::{End, Event, Lease, Left, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::{self, Loss};
use crate::machine::rules::limit;
use crate::machine::rules::seat;
use crate::machine::rules::word;
use crate::machine::state::{Flow, Planning, Scope, State, Status};
use crate::model::attempt::{Handoff, Usage};
use crate::model::check::CheckResult;
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, BatchId, Oid, ScopeId, TaskId};
use crate::model::means::Holder;
use crate::model::paths::PathSet;
use crate::model::review::{RunRuling, RunVerdict};
use crate::model::role::Role;
use crate::model::seat::Seat;

/// Accepted candidates that may wait to land before no new work is handed out.
const QUEUE_AT_MOST: usize = 128;

/// How many candidates may wait for each judge while more work is handed out: what waits longer only grows old.
const WAITING_A_JUDGE: usize = 4;

/// How many attempts a judge can follow that begin within [`START_MS`] and still run. Many short tasks that begin at one
/// moment would end at one, and wait for their judge together.
const STARTED_A_JUDGE: usize = 16;

/// The time within which attempts count as begun together, in milliseconds.
const START_MS: u64 = 1000;

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
    if let Some(unwanted) = seat::unwanted(state) {
        return vec![unwanted];
    }
    let asked = word::ask(state);
    if !asked.is_empty() {
        return asked;
    }
    let mut events = wake_planners(state);
    events.extend(form_batch(state));
    events.extend(pass_sample(state));
    if state.flow == Flow::Open && state.short.is_none() && over_budget(state, now_ms).is_none() {
        events.extend(begin(state, now_ms, events.is_empty()));
    }
    if events.is_empty() {
        events.extend(come_to_rest(state, now_ms));
    }
    events
}

/// Has agents sit down and tasks handed out, unless so much was spent that a person is asked first.
fn begin(state: &State, now_ms: i64, is_quiet: bool) -> Vec<Event> {
    if state.waits_for_spending() {
        // One gate is reached at a time.
        let has_more = is_quiet && (leasable(state).next().is_some() || state.empty_seats().next().is_some());
        return word::reach_spending(state, has_more).into_iter().collect();
    }
    let mut events = seat::take(state, now_ms).into_iter().collect::<Vec<_>>();
    events.extend(lease_tasks(state, now_ms));
    events
}

fn lapsed_leases(state: &State, now_ms: i64) -> Vec<Event> {
    let lapsed = state.running.iter().filter(|id| state.attempt(**id).is_some_and(|it| it.until_ms < now_ms));
    lapsed.filter_map(|id| attempt::lost(state, *id, "its lease lapsed", Loss::Worker).ok()).flatten().collect()
}

fn stop(state: &State) -> Vec<Event> {
    let running = state.running.iter();
    let mut events: Vec<Event> =
        running.filter_map(|id| attempt::lost(state, *id, "the run was stopped", Loss::Other).ok()).flatten().collect();
    events.extend(seat::cut_all(state, "the run was stopped"));
    events.push(Event::RunParked { why: Rest::Stopped });
    events
}

/// Wakes each planner that had finished and has handoffs before it; a deterministic one learns nothing from them.
fn wake_planners(state: &State) -> Vec<Event> {
    let waking = state.scopes.iter().filter(|(_, scope)| {
        scope.status == Planning::Finished && !scope.inbox.is_empty() && is_worth_a_call(state, scope)
    });
    waking
        .map(|(id, scope)| {
            let mut handoffs: Vec<TaskId> = Vec::new();
            for attempt in &scope.inbox {
                if !handoffs.contains(&attempt.task) {
                    handoffs.push(attempt.task);
                }
            }
            Event::PlannerWoken { scope: *id, wake: scope.wake + 1, handoffs }
        })
        .collect()
}

/// Tells whether a planner is called for what its tasks have reported: one that plans by rule never, a written part at
/// once, and a session, which costs, when there is something that it may have to act on, or nothing of its own or of the
/// run goes on.
fn is_worth_a_call(state: &State, scope: &Scope) -> bool {
    let Some(role) = state.opening().roles.get(&scope.draft.role) else { return false };
    if state.plans_by_rule(&role.name) {
        return false;
    }
    if !state.plans_by_session(&role.name) {
        return true;
    }
    let mut told = scope.inbox.iter().filter_map(|attempt| state.attempt(*attempt));
    told.any(|attempt| attempt.handoff.as_ref().is_some_and(Handoff::asks_for_something))
        || scope.open == 0
        || is_still(state)
}

/// Tells whether nothing moves but what a planner might still hand out.
fn is_still(state: &State) -> bool {
    !state.has_work_under_way()
        && state.in_review().next().is_none()
        && state.sitting.is_empty()
        && leasable(state).next().is_none()
}

fn form_batch(state: &State) -> Option<Event> {
    let onto = state.head.filter(|_| state.batch.is_none() && state.landable().next().is_some())?;
    let goal = &state.opening().goal;
    let largest = goal.landing.batch.max(1);
    let size = if goal.checks.is_empty() { largest } else { state.bad_rate.batch(largest) };
    let members: Vec<AttemptId> = state.landable().take(size as usize).collect();
    Some(Event::BatchFormed { batch: BatchId(state.batches + 1), members, onto })
}

/// Lets the sweep begin once every task of the sample has landed or found nothing to do, or a person has said so.
fn pass_sample(state: &State) -> Option<Event> {
    let sample = state.opening().goal.plan.sample;
    if state.sample_accepted || state.waiting.is_some() {
        return None;
    }
    if state.passed.contains(&Gate::Sweep) {
        return Some(Event::SampleAccepted);
    }
    let first = state.asked.sent_back_upto as usize;
    let is_known = state.tasks.len() - first >= sample as usize || state.planning.is_empty();
    if !is_known
        || !state.tasks.values().filter(|task| task.sample).all(|task| is_out_of_the_sample_s_way(&task.status))
    {
        return None;
    }
    let is_gated = state.opening().goal.approve.contains(&Gate::Sweep);
    Some(if is_gated { Event::GateReached { gate: Gate::Sweep } } else { Event::SampleAccepted })
}

/// Tells whether the sweep need not wait for a task: it is in, or a person has given it up.
fn is_out_of_the_sample_s_way(status: &Status) -> bool {
    status.lets_followers_start() || matches!(status, Status::Dropped { .. })
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
    if let Some(what) = state.account(Holder::Run).and_then(|account| account.used_up()) {
        return Some(what);
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

fn free_workers(state: &State) -> usize {
    (state.opening().workers.max(1) as usize).saturating_sub(state.running.len())
}

/// Lists when the running attempts were leased that are not yet old enough for more to begin beside them.
fn just_started(state: &State, now_ms: i64) -> impl Iterator<Item = i64> {
    let started = state.running.iter().filter_map(|id| state.attempt(*id).map(|it| it.started_ms));
    // A clock that was set back makes nobody young again for longer.
    started.filter(move |at_ms| at_ms.abs_diff(now_ms) < START_MS)
}

/// Tells when more may be leased for no other reason than that time has passed.
pub(in crate::machine) fn next_start(state: &State, now_ms: i64) -> Option<i64> {
    let waits = free_workers(state) > 0 && leasable(state).next().is_some();
    waits.then(|| just_started(state, now_ms).min().map(|at_ms| at_ms.saturating_add(START_MS as i64))).flatten()
}

fn lease_tasks(state: &State, now_ms: i64) -> Vec<Event> {
    let judges = state.opening().judges.max(1) as usize;
    let free = free_workers(state).min((STARTED_A_JUDGE * judges).saturating_sub(just_started(state, now_ms).count()));
    if free == 0
        || state.judging.len() + state.in_review().count() >= WAITING_A_JUDGE * judges
        || state.landable().take(QUEUE_AT_MOST).count() >= QUEUE_AT_MOST
    {
        return Vec::new();
    }
    let attempts_left = state.budget.attempts.map_or(u64::MAX, |limit| limit.saturating_sub(state.attempts_made()));
    let free = free.min(usize::try_from(attempts_left).unwrap_or(usize::MAX));
    let at_work = state.running.iter().chain(&state.judging).copied().chain(state.in_review());
    let at_work = at_work.filter_map(|id| state.tasks.get(&id.task));
    let mut taken: Vec<&PathSet> = at_work.map(|task| &task.draft.paths).collect();
    let landing = state.landable().chain(state.batch.iter().flat_map(|batch| batch.members.iter().copied()));
    let landing: Vec<&PathSet> = landing.filter_map(|id| Some(&state.tasks.get(&id.task)?.draft.paths)).collect();
    let used_up = state.used_up_roles();
    let mut events = Vec::new();
    for id in leasable(state) {
        if events.len() == free {
            break;
        }
        let Some(task) = state.tasks.get(&id) else { continue };
        if state.role_of(task).is_some_and(|role| used_up.contains(role.name.as_str())) {
            continue;
        }
        let overlaps = |others: &[&PathSet]| others.iter().any(|paths| paths.overlaps(&task.draft.paths));
        // Who conflicted once would conflict again with what is about to land beside it, until its tries are used up.
        let has_to_wait = limit::holds(state, task, now_ms).is_some() || state.held_by(id).is_some();
        if has_to_wait || overlaps(&taken) || (task.conflicts > 0 && overlaps(&landing)) {
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
    let agent = state.next_agent(task, now_ms)?;
    let last_base = task.attempts.iter().rev().find(|it| it.candidate().is_some()).map(|it| it.base);
    let resumed = limit::resumed(task, &agent);
    let made = resumed.and_then(|(_, attempt, parked)| Some((parked.files?, attempt.base)));
    let (from, base) = match made {
        Some((files, base)) => (Some(files), base),
        None => (task.again.from, task.again.from.and(last_base).or(state.head)?),
    };
    let number = task.attempts.len() as u32 + 1;
    Some(Lease {
        attempt: AttemptId { task: id, number },
        base,
        from,
        resumes: resumed.map(|(number, ..)| number),
        agent,
        fence,
        until_ms: now_ms + attempt::lease_ms(state),
    })
}

/// Looks for a reason to rest when nothing moves: a drained stop, a gate, a spent budget.
fn come_to_rest(state: &State, now_ms: i64) -> Option<Event> {
    if state.has_work_under_way() || !state.sitting.is_empty() {
        return None;
    }
    if state.flow == Flow::Draining {
        return Some(Event::RunParked { why: Rest::Stopped });
    }
    if let Some(gate) = state.waiting {
        return Some(Event::RunParked { why: Rest::Gate(gate) });
    }
    if state.empty_seats().next().is_some() {
        return budget_reached(state, now_ms);
    }
    if is_planning(state) || state.baseline.is_none() || state.head.is_none() {
        return None;
    }
    // A plan is shown whole: one whose planner waits for an answer is not.
    if !plan_is_approved(state) && state.tally.ready > 0 && state.planning.is_empty() {
        return Some(Event::GateReached { gate: Gate::Plan });
    }
    if leasable(state).next().is_some() {
        return budget_reached(state, now_ms);
    }
    if state.open_questions().next().is_some() {
        return Some(Event::RunParked { why: Rest::Question });
    }
    let is_asked = !state.asked.candidates.is_empty();
    is_asked.then_some(Event::RunParked { why: Rest::Gate(Gate::Landing) })
}

/// Tells whether a planner plans, or comes to: not one that waits for a person's answer.
fn is_planning(state: &State) -> bool {
    let asks = |scope: ScopeId| {
        let wake = state.scopes.get(&scope).map_or(0, |scope| scope.wake);
        state.open_question(Seat::Planner { scope, wake }).is_some()
    };
    state.planning.iter().any(|scope| !asks(*scope))
}

/// Comes to rest where the run has used up what it may, or all who could begin something play roles that have.
fn budget_reached(state: &State, now_ms: i64) -> Option<Event> {
    let of_role = || {
        let mut seats = state.empty_seats().filter_map(|seat| state.role_at(seat));
        // Whoever waits for another task's split begins nothing before it.
        let free = leasable(state).filter(|id| state.held_by(*id).is_none());
        let mut tasks = free.filter_map(|id| state.role_of(state.tasks.get(&id)?));
        let used_up = state.used_up_roles();
        let first = seats.next().or_else(|| tasks.next()).filter(|_| !used_up.is_empty())?;
        let is_used_up = |role: &Role| used_up.contains(role.name.as_str());
        let are_all = is_used_up(first) && seats.all(is_used_up) && tasks.all(is_used_up);
        if are_all { state.role_used_up(&first.name) } else { None }
    };
    over_budget(state, now_ms).or_else(of_role).map(|what| Event::RunParked { why: Rest::Budget { what } })
}

/// Tells whether nothing is left to do but to look at the done-conditions.
pub(in crate::machine) fn is_closing(state: &State) -> bool {
    state.is_live()
        && state.flow == Flow::Open
        && state.waiting.is_none()
        && state.planning.is_empty()
        && state.reviewing.is_empty()
        && state.baseline.is_some()
        && state.head.is_some()
        && !state.has_work_under_way()
        && state.asked.candidates.is_empty()
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
    if state.run_judge().is_some() {
        return Ok(events);
    }
    let red = red_conditions(state, results);
    if !red.is_empty() && state.landed_in_iteration > 0 && may_plan_anew(state) {
        events.extend(plan_anew(state, Vec::new()));
    } else {
        events.push(Event::RunEnded { end: end(state, red, None) });
    }
    Ok(events)
}

/// Tells whether another iteration may begin.
fn may_plan_anew(state: &State) -> bool {
    !state.planning_closed && state.sample_accepted && state.iteration < state.opening().goal.plan.iterations
}

fn plan_anew(state: &State, handoffs: Vec<TaskId>) -> [Event; 2] {
    let wake = state.scopes.get(&ScopeId(0)).map_or(1, |root| root.wake + 1);
    [
        Event::IterationBegan { iteration: state.iteration + 1 },
        Event::PlannerWoken { scope: ScopeId(0), wake, handoffs },
    ]
}

/// Has the run's judge say what follows an iteration: it cannot say done over what does not hold, nor have more planned
/// than the goal allows.
pub(in crate::machine) fn judged(
    state: &State,
    (iteration, fence): (u32, u64),
    verdict: &RunVerdict,
    usage: Usage,
) -> Result<Vec<Event>, Rejection> {
    let seat = Seat::RunJudge { iteration };
    let judge = seat::sits(state, seat, fence)?.agent.to_string();
    let looked = state.conditions.as_ref().filter(|_| state.awaits_run_judge());
    let (head, results) = looked.ok_or(Rejection::Stale("the end of an iteration"))?;
    let red = red_conditions(state, results);
    if verdict.ruling == RunRuling::Done && !red.is_empty() {
        return Err(Rejection::NotDone(red));
    }
    let mut events = vec![
        Event::RunJudged { iteration, head: *head, judge, verdict: verdict.clone() },
        Event::SeatLeft { seat, left: Left::Done, usage, turn: None },
    ];
    match verdict.ruling {
        RunRuling::Done => events.push(Event::RunEnded { end: end(state, red, None) }),
        RunRuling::Continue | RunRuling::Restart if may_plan_anew(state) => {
            events.extend(plan_anew(state, Vec::new()));
        }
        RunRuling::Continue | RunRuling::Restart => {
            events.push(Event::RunEnded { end: end(state, red, Some(verdict.why.clone())) });
        }
    }
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

fn end(state: &State, red: Vec<String>, judged: Option<String>) -> End {
    let kept: Vec<TaskId> = state.tasks.iter().filter(|(_, task)| is_left(&task.status)).map(|(id, _)| *id).collect();
    let failed_planners: Vec<ScopeId> = state
        .scopes
        .iter()
        .filter(|(_, scope)| matches!(scope.status, Planning::Failed(_)))
        .map(|(id, _)| *id)
        .collect();
    if kept.is_empty() && red.is_empty() && failed_planners.is_empty() && judged.is_none() {
        return End::Done;
    }
    End::Incomplete { kept, red, failed_planners, judged }
}

/// Tells whether a task is unfinished business when the run ends.
fn is_left(status: &Status) -> bool {
    match status {
        Status::Landed { .. } | Status::Nothing | Status::Dropped { .. } | Status::Reverted { .. } => false,
        Status::Waiting
        | Status::Ready
        | Status::Running
        | Status::Judging
        | Status::Gated
        | Status::Queued
        | Status::Kept { .. }
        | Status::Blocked { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Command, Conflict, PlanStep};
    use crate::machine::due::Effect;
    use crate::machine::testing::{Scene, after, attempt, batch, draft, green, kinds, oid};
    use crate::model::check::Answer;
    use crate::model::goal::Budget;
    use crate::model::task::TaskDraft;

    fn running(scene: &Scene) -> Vec<u32> {
        scene.state.running.iter().map(|id| id.task.0).collect()
    }

    #[test]
    fn tasks_whose_paths_overlap_do_not_run_side_by_side() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a/"), draft("b", "a/b"), draft("c", "c")]);
        assert_eq!(running(&scene), [1, 3]);
        let scene = scene.ends(attempt(1, 1), crate::machine::testing::candidate(1)).settled();
        assert_eq!(running(&scene), [3], "a candidate that is judged still holds its paths");
        assert_eq!(running(&scene.accepted(attempt(1, 1)).settled()), [2, 3]);
    }

    #[test]
    fn who_conflicted_waits_until_what_overlaps_has_landed() {
        let scene = Scene::open().begun().planned(vec![draft("a", "f"), draft("b", "f"), draft("c", "f")]);
        let scene = scene.queued(1).settled().queued(2).merged().checked(Answer::Green).landed().settled();
        assert_eq!(running(&scene), [3], "it started while its elders were about to land");
        let conflict = Conflict { attempt: attempt(2, 1), paths: vec!["f".into()] };
        let merge = Command::ReportMerge { batch: batch(2), chain: Vec::new(), conflicts: vec![conflict] };
        let scene = scene.does(merge).settled().queued(3).settled();
        assert_eq!(running(&scene), [] as [u32; 0], "the third is about to land");
        let scene = scene.merged().checked(Answer::Green).landed().settled();
        assert_eq!(running(&scene), [2]);
        assert_eq!(Some(scene.task(2).attempts[1].base), scene.state.head);
    }

    #[test]
    fn no_more_run_than_there_are_workers_and_the_longest_chain_goes_first() {
        let scene = Scene::opened(|opening| opening.workers = 1).begun();
        let heavy = TaskDraft { weight: 5, ..after(draft("c", "c"), "b") };
        assert_eq!(running(&scene.planned(vec![draft("a", "a"), draft("b", "b"), heavy])), [2]);
    }

    #[test]
    fn a_task_waits_for_what_it_comes_after_and_for_nothing_else() {
        let scene = Scene::open().begun();
        let scene = scene.planned(vec![draft("a", "a"), after(draft("b", "b"), "a"), draft("c", "c")]);
        assert_eq!(running(&scene), [1, 3]);
        assert_eq!(running(&scene.lands(1)), [2, 3], "a straggler holds nobody else up");
    }

    #[test]
    fn work_starts_while_planners_still_plan() {
        let scene = Scene::open().begun().plans(PlanStep::Emit(vec![draft("a", "a")])).settled();
        assert_eq!(running(&scene), [1]);
        assert!(scene.owes().contains(&Effect::Plan { scope: ScopeId(0), wake: 1, fence: 0 }));
    }

    #[test]
    fn nothing_is_leased_before_the_branch_is_there() {
        assert!(Scene::open().planned(vec![draft("a", "a")]).state.running.is_empty());
    }

    #[test]
    fn a_lapsed_lease_is_lost_and_its_task_tried_again() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]).later(300_001);
        assert_eq!(scene.task(1).attempts[0].lost.as_deref(), Some("its lease lapsed"));
        assert!(scene.state.running.contains(&attempt(1, 2)));
        assert_eq!(scene.task(1).attempts[1].fence, 2);
    }

    #[test]
    fn the_sweep_begins_when_the_sample_is_in() {
        let scene = Scene::opened(|opening| opening.goal.plan.sample = 1).begun();
        let scene = scene.planned(vec![draft("a", "a"), draft("b", "b")]);
        assert_eq!(running(&scene), [1]);
        let scene = scene.lands(1);
        assert!(scene.state.sample_accepted);
        assert_eq!(running(&scene), [2]);
    }

    #[test]
    fn what_the_sample_waits_for_belongs_to_the_sample() {
        let scene = Scene::opened(|opening| opening.goal.plan.sample = 1).begun();
        let scene = scene.planned(vec![after(draft("a", "a"), "b"), draft("b", "b"), draft("c", "c")]);
        assert_eq!(running(&scene), [2]);
        assert_eq!(running(&scene.lands(2)), [1]);
    }

    #[test]
    fn a_run_whose_sample_is_kept_ends_without_a_sweep() {
        let scene = Scene::opened(|opening| opening.goal.plan.sample = 1).begun();
        let scene = scene.planned(vec![draft("a", "a"), draft("b", "b")]);
        let blocked = crate::model::attempt::Outcome::Blocked { missing: "a key".into() };
        let scene = scene.ends(attempt(1, 1), blocked).settled().unplanned();
        let scene = scene.looked(Answer::Red);
        assert!(matches!(&scene.state.end, Some(End::Incomplete { kept, .. }) if kept.len() == 2));
    }

    #[test]
    fn attempts_stop_at_the_budget_and_the_run_rests_with_the_reason() {
        let scene = Scene::opened(|opening| opening.goal.budget.attempts = Some(1)).begun();
        let scene = scene.planned(vec![draft("a", "a"), draft("b", "b")]);
        assert_eq!(scene.state.fences, 1);
        let scene = scene.lands(1).unplanned();
        assert_eq!(scene.state.rest, Some(Rest::Budget { what: "1 attempts".into() }));
    }

    #[test]
    fn wall_time_and_processor_time_are_budgets_too() {
        let spent = |budget: Budget, later| {
            let scene = Scene::opened(|opening| opening.goal.budget = budget).begun();
            let mut scene = scene.plans(PlanStep::Done);
            scene.state.spent.entry("codemod".into()).or_default().usage.cpu_ms = 5000;
            over_budget(&scene.state, scene.now_ms + later)
        };
        let wall = Budget { wall_s: Some(60), ..Budget::default() };
        assert_eq!(spent(wall.clone(), 59_999), None);
        assert_eq!(spent(wall, 60_000), Some("60 s of wall time".into()));
        let cpu = |limit| Budget { cpu_s: Some(limit), ..Budget::default() };
        assert_eq!(spent(cpu(6), 0), None);
        assert_eq!(spent(cpu(5), 0), Some("5 s of processor time".into()));
    }

    #[test]
    fn done_is_said_when_nothing_is_left_and_every_condition_is_green() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]).lands(1).unplanned();
        assert_eq!(scene.looked(Answer::Green).state.end, Some(End::Done));
    }

    #[test]
    fn a_flaky_or_unanswered_condition_is_not_green() {
        let scene = Scene::open().begun().planned(vec![]);
        let flaky = scene.clone().looked(Answer::Flaky);
        assert!(matches!(flaky.state.end, Some(End::Incomplete { .. })));
        let head = scene.state.head.unwrap();
        let unanswered = scene.does(Command::ReportConditions { head, results: vec![green("other")] });
        assert!(matches!(unanswered.state.end, Some(End::Incomplete { .. })));
    }

    #[test]
    fn conditions_are_looked_at_on_the_head_of_a_run_that_closes() {
        let stale = Err(Rejection::Stale("the look at the done-conditions"));
        let look = |head| Command::ReportConditions { head: oid(head), results: vec![green("done")] };
        let busy = Scene::open().begun().planned(vec![draft("a", "a")]);
        assert_eq!(busy.when(&look(1)), stale);
        assert_eq!(Scene::open().begun().planned(vec![]).when(&look(9)), stale);
    }

    #[test]
    fn red_conditions_are_planned_for_anew_within_bounds_and_while_something_lands() {
        let land = |scene: Scene, task: u32, key: &str| {
            let scene = scene.planned(vec![draft(key, "a")]).lands(task);
            scene.unplanned()
        };
        let scene = land(Scene::open().begun(), 1, "a").looked(Answer::Red);
        assert_eq!((scene.state.iteration, scene.state.end.clone()), (2, None));
        assert_eq!(scene.state.scopes[&ScopeId(0)].status, Planning::Active);
        let scene = land(scene, 2, "b").looked(Answer::Red);
        assert!(matches!(scene.state.end, Some(End::Incomplete { .. })), "two iterations are allowed");
        let idle = Scene::open().begun().planned(vec![]).looked(Answer::Red);
        assert!(matches!(idle.state.end, Some(End::Incomplete { .. })), "nothing landed, so nothing would change");
    }

    #[test]
    fn time_alone_does_not_move_a_run_that_rests() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]);
        let mut scene = scene.does(Command::ReportTrouble { what: "x".into() });
        scene.now_ms += 1_000_000;
        assert_eq!(kinds(&scene.when(&Command::Advance).unwrap()), Vec::<&str>::new());
    }

    #[test]
    fn judges_are_bounded_and_wait_for_the_baseline() {
        let drafts = ["a", "b", "c"].map(|name| draft(name, name)).to_vec();
        let scene = Scene::open().does(Command::ReportBranch { at: oid(1) }).planned(drafts);
        let scene =
            (1..4).fold(scene, |scene, task| scene.ends(attempt(task, 1), crate::machine::testing::candidate(task)));
        let judged = |scene: &Scene| scene.owes().iter().filter(|it| matches!(it, Effect::Judge { .. })).count();
        assert_eq!(judged(&scene), 0);
        assert_eq!(judged(&scene.does(Command::ReportBaseline { results: vec![green("tests")] })), 2);
    }

    fn crowd(tasks: usize) -> Scene {
        let drafts = (1..=tasks).map(|number| draft(&format!("t{number}"), &format!("f{number}"))).collect();
        let many = |opening: &mut crate::machine::command::Opening| {
            (opening.workers, opening.judges) = (100, 1);
            opening.roles.values_mut().for_each(|role| role.limits.tasks = 100);
        };
        Scene::opened(many).begun().planned(drafts)
    }

    #[test]
    fn as_many_begin_at_once_as_judges_can_follow_and_more_as_time_passes() {
        let scene = crowd(40);
        assert_eq!(running(&scene).len(), STARTED_A_JUDGE);
        let wakes_at = next_start(&scene.state, scene.now_ms).unwrap();
        assert_eq!(wakes_at, scene.now_ms + 1000);
        assert_eq!(running(&scene.clone().later(999)).len(), STARTED_A_JUDGE);
        assert_eq!(running(&scene.clone().later(1000)).len(), 2 * STARTED_A_JUDGE);
        let set_back = scene.later(-3_600_000);
        assert_eq!(running(&set_back).len(), 2 * STARTED_A_JUDGE, "a clock that is set back holds nobody up");
        let all = set_back.later(1000).later(1000);
        assert_eq!((running(&all).len(), next_start(&all.state, all.now_ms)), (40, None), "nothing is left to begin");
    }

    #[test]
    fn nothing_begins_while_judges_are_behind() {
        let candidate = crate::machine::testing::candidate;
        let scene = (1..=WAITING_A_JUDGE as u32).fold(crowd(40), |scene, task| {
            assert!(scene.state.judging.len() < WAITING_A_JUDGE);
            scene.ends(attempt(task, 1), candidate(task))
        });
        let before = running(&scene);
        assert_eq!(running(&scene.clone().later(5000)), before);
        assert!(running(&scene.accepted(attempt(1, 1)).later(5000)).len() > before.len());
    }
}
