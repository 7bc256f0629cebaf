//! Owns the laws of attempts: leased within what the run may use, heard once, judged by another, tried a bounded
//! number of times.

use super::asked::is_not_held;
use super::broken::{Broken, Law, broken, law};
use super::landing::held;
use crate::machine::event::{Lease, Next};
use crate::machine::rules::attempt::{LOST_AT_MOST, lease_ms};
use crate::machine::rules::limit;
use crate::machine::state::{Attempt, Flow, State, Status, Task};
use crate::model::attempt::Outcome;
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, TaskId};
use crate::model::role::AgentRef;
use crate::model::task::Work;
use crate::model::verdict::{Ruling, Verdict};

pub(super) fn task(state: &State, id: TaskId) -> Result<&Task, Broken> {
    state.tasks.get(&id).ok_or_else(|| broken(format!("there is no task {id}")))
}

pub(super) fn attempt(state: &State, id: AttemptId) -> Result<&Attempt, Broken> {
    state.attempt(id).ok_or_else(|| broken(format!("there is no attempt {id}")))
}

pub(super) fn leased(state: &State, lease: &Lease) -> Law {
    let (id, task) = (lease.attempt, task(state, lease.attempt.task)?);
    let goal = &state.opening().goal;
    law(state.is_live() && state.flow == Flow::Open, || format!("{id} is leased while no work is handed out"))?;
    law(task.status == Status::Ready, || format!("{} is {} and leased", id.task, task.status.word()))?;
    law(id.number as usize == task.attempts.len() + 1, || format!("{id} follows attempt {}", task.attempts.len()))?;
    law(lease.fence > state.fences, || format!("fence {} follows fence {}", lease.fence, state.fences))?;
    let workers = state.opening().workers.max(1) as usize;
    law(state.running.len() < workers, || format!("{id} is leased and {workers} workers are at work"))?;
    let limit = state.budget.attempts.unwrap_or(u64::MAX);
    law(lease.fence <= limit, || format!("attempt {} is above the budget of {limit}", lease.fence))?;
    let cpu_s = state.total_spent().usage.cpu_ms / 1000;
    law(state.budget.cpu_s.is_none_or(|limit| cpu_s < limit), || format!("{cpu_s} s are spent and {id} is leased"))?;
    law(!state.waits_for_spending(), || format!("{id} is leased before a word on what was spent"))?;
    let is_short = state.role_of(task).is_some_and(|role| state.short_roles.contains(&role.name));
    law(!is_short, || format!("{id} is leased and its role has used up its budget"))?;
    let waits_at_plan = goal.approve.contains(&Gate::Plan) && !state.passed.contains(&Gate::Plan);
    law(!waits_at_plan, || format!("{id} is leased before the plan was approved"))?;
    let is_revert = matches!(task.work, Work::Revert(_));
    law(state.sample_accepted || task.sample || is_revert, || format!("{id} is leased before the sample is in"))?;
    law(is_revert == (lease.agent == AgentRef::Revert), || format!("{id} is played by {}", lease.agent))?;
    law(task.after.iter().all(|it| has_been_in(state, *it)), || format!("{id} is leased before what it waits for"))?;
    is_not_held(state, id)?;
    apart(state, id, task)?;
    let began_ms = lease.until_ms.saturating_sub(lease_ms(state));
    let limit = state.limit_of(task).filter(|(_, limit)| limit.until_ms > began_ms);
    law(limit.is_none(), || format!("{id} is leased while {} waits for a limit", lease.agent))?;
    let agent = state.next_agent(task, began_ms);
    let is_its_turn = agent.is_none_or(|agent| agent == lease.agent);
    law(is_its_turn, || format!("{id} is leased to {}, whose turn it is not", lease.agent))?;
    let resumed = limit::resumed(task, &lease.agent).map(|(number, ..)| number);
    law(lease.resumes == resumed, || format!("{id} takes up {:?}, not {resumed:?}", lease.resumes))?;
    let stands_there = lease.from.is_some() || state.head == Some(lease.base);
    law(stands_there, || format!("{id} stands on {}, which is not the head", lease.base))
}

/// Holds that nobody works on paths that another is at work on, nor who conflicted once on what is about to land. What
/// waits to land for the first time holds nobody up: most of it never conflicts, and checks may take hours.
fn apart(state: &State, id: AttemptId, task: &Task) -> Law {
    let owns = |other: &AttemptId| {
        state.tasks.get(&other.task).is_some_and(|other| other.draft.paths.overlaps(&task.draft.paths))
    };
    let mut at_work = state.running.iter().chain(&state.judging).copied().chain(state.in_review());
    if let Some(other) = at_work.find(owns) {
        return Err(broken(format!("{id} is leased beside {other}, which owns the same paths")));
    }
    let mut landing = state.landable().chain(state.batch.iter().flat_map(|batch| batch.members.iter().copied()));
    law(task.conflicts == 0 || !landing.any(|other| owns(&other)), || format!("{id} is leased to conflict once more"))
}

/// What was in and was taken back out has let start what waited for it.
fn has_been_in(state: &State, id: TaskId) -> bool {
    let task = state.tasks.get(&id);
    task.is_some_and(|it| it.status.lets_followers_start() || it.attempts.iter().any(|it| it.landed.is_some()))
}

pub(super) fn runs(state: &State, id: AttemptId) -> Result<&Attempt, Broken> {
    law(state.running.contains(&id), || format!("{id} does not run"))?;
    attempt(state, id)
}

pub(super) fn lost(state: &State, id: AttemptId, (counts, next): (bool, &Next)) -> Law {
    runs(state, id)?;
    let task = task(state, id.task)?;
    match next {
        Next::Again(again) => {
            law(*again == task.again, || format!("{id} was lost and its task goes on as {again:?}"))?;
            let is_poison = counts && task.lost + 1 >= LOST_AT_MOST;
            law(!is_poison, || format!("{} has lost {LOST_AT_MOST} workers and is tried again", id.task))
        }
        Next::Keep { .. } => Ok(()),
        Next::Judge | Next::Review | Next::Queue | Next::Nothing | Next::Block { .. } => {
            Err(broken(format!("{id} was lost and becomes {next:?}")))
        }
    }
}

pub(super) fn limited(state: &State, id: AttemptId, next: &Next) -> Law {
    runs(state, id)?;
    let again = Next::Again(task(state, id.task)?.again.clone());
    law(*next == again, || format!("{id} met a limit and becomes {next:?}"))
}

pub(super) fn ended(state: &State, id: AttemptId, outcome: &Outcome, next: &Next) -> Law {
    let attempt = runs(state, id)?;
    if let Outcome::Candidate(candidate) = outcome {
        law(candidate.base == attempt.base, || format!("{id} stands on {}, not on its lease's", candidate.base))?;
        return law(*next == Next::Judge, || format!("the candidate of {id} is not judged: {next:?}"));
    }
    match next {
        Next::Judge | Next::Review | Next::Queue => Err(broken(format!("{id} left no candidate and becomes {next:?}"))),
        Next::Again(_) => tried(state, id, next),
        Next::Nothing | Next::Keep { .. } | Next::Block { .. } => Ok(()),
    }
}

/// Holds that trying again counts: one more try of the same agent, within its role's bound, or the next agent.
pub(super) fn tried(state: &State, id: AttemptId, next: &Next) -> Law {
    let Next::Again(again) = next else { return Ok(()) };
    let task = task(state, id.task)?;
    let bound = state.role_of(task).map_or(1, |role| role.limits.attempts.max(1));
    let (was, is) = (&task.again, again);
    let same = is.agent == was.agent && is.tries == was.tries + 1 && is.tries < bound;
    law(same || (is.agent == was.agent + 1 && is.tries == 0), || format!("{is:?} of {bound} follows {was:?}"))
}

pub(super) fn judged(state: &State, id: AttemptId, verdict: &Verdict, next: &Next) -> Law {
    law(state.judging.contains(&id), || format!("{id} waits for no verdict"))?;
    let is_stranger = !verdict.judge.is_empty() && verdict.judge != id.to_string();
    law(is_stranger, || format!("{id} is judged by its author"))?;
    let is_accepted = verdict.ruling == Ruling::Accept;
    let is_revert = matches!(task(state, id.task)?.work, Work::Revert(_));
    let wanted = if is_revert || state.lenses().is_empty() { Next::Queue } else { Next::Review };
    law(is_accepted == (*next == wanted), || format!("{:?} makes {id} {next:?}", verdict.ruling))?;
    law(is_accepted == verdict.findings.is_empty(), || format!("{:?} of {id} has other findings", verdict.ruling))?;
    if !is_accepted {
        return tried(state, id, next);
    }
    let wanted = state.checks_of(task(state, id.task)?);
    law(held(state, wanted, &verdict.checks), || format!("{id} is accepted without its checks"))
}

pub(super) fn is_kept(state: &State, id: TaskId) -> Law {
    let status = &task(state, id)?.status;
    let is_kept = matches!(status, Status::Kept { .. } | Status::Blocked { .. });
    law(is_kept, || format!("{id} is {} and waits for no person", status.word()))
}

pub(super) fn dropped(state: &State, id: TaskId) -> Law {
    let waits = matches!(task(state, id)?.status, Status::Waiting | Status::Gated);
    let may_be = waits || state.is_asked_about(id);
    if may_be { Ok(()) } else { is_kept(state, id) }
}

pub(super) fn overruled(state: &State, id: TaskId) -> Law {
    is_kept(state, id)?;
    let last = task(state, id)?.attempts.last();
    let has_candidate = last.is_some_and(|it| it.candidate().is_some() && it.landed.is_none());
    law(has_candidate, || format!("{id} is let land without a candidate"))
}
