//! Owns how attempts change the state: leased, renewed, lost, ended, judged; and a person's word on a task.

use super::asked::withdraw;
use super::plan::set_status;
use super::{limits, money};
use crate::machine::asked::Heard;
use crate::machine::event::{Again, Lease, Next};
use crate::machine::state::{Attempt, Planning, State, Status};
use crate::model::attempt::{Handoff, Outcome, Usage};
use crate::model::check::{Answer, CheckResult};
use crate::model::ids::{AttemptId, TaskId};
use crate::model::means::Means;
use crate::model::review::Review;
use crate::model::spend::Spend;
use crate::model::verdict::{Finding, Rung, Verdict};

pub(super) fn lease(state: &mut State, lease: &Lease, at_ms: i64) {
    state.fences = lease.fence;
    state.running.insert(lease.attempt);
    let landings = state.landings;
    if let Some(task) = state.tasks.get_mut(&lease.attempt.task) {
        let resumed = lease.resumes.and_then(|number| task.attempts.get(number.checked_sub(1)? as usize));
        let made = task.attempts.iter().rev().find(|attempt| attempt.candidate().is_some());
        let earlier = resumed.or(made).filter(|_| lease.from.is_some());
        let stands_after = earlier.map_or(landings, |attempt| attempt.stands_after);
        task.attempts.push(Attempt {
            agent: lease.agent.clone(),
            base: lease.base,
            from: lease.from,
            resumes: lease.resumes,
            fence: lease.fence,
            until_ms: lease.until_ms,
            started_ms: at_ms,
            ended_ms: None,
            outcome: None,
            handoff: None,
            verdict: None,
            reviews: Vec::new(),
            usage: Usage::default(),
            next: None,
            lost: None,
            limited: None,
            parked: None,
            ejected: Vec::new(),
            resolves: task.again.resolves,
            granted: Means::default(),
            spend: Spend::default(),
            heard: Heard::default(),
            landed: None,
            stands_after,
            landing: None,
        });
    }
    set_status(state, lease.attempt.task, Status::Running);
}

pub(super) fn renew(state: &mut State, id: AttemptId, until_ms: i64) {
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.until_ms = until_ms;
    }
}

pub(super) fn lose(state: &mut State, id: AttemptId, (why, counts): (&str, bool), next: &Next, at_ms: i64) {
    state.running.remove(&id);
    money::forfeit(state, id);
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.lost = Some(why.to_owned());
        attempt.ended_ms = Some(at_ms);
    }
    if let Some(task) = state.tasks.get_mut(&id.task).filter(|_| counts) {
        task.lost += 1;
    }
    go_on(state, id, next);
}

pub(super) fn end(
    state: &mut State,
    id: AttemptId,
    (outcome, handoff, usage): (&Outcome, &Handoff, Usage),
    next: &Next,
    at_ms: i64,
) {
    state.running.remove(&id);
    let Some(attempt) = attempt_mut(state, id) else { return };
    attempt.outcome = Some(outcome.clone());
    attempt.handoff = Some(handoff.clone());
    attempt.usage = usage;
    attempt.ended_ms = Some(at_ms);
    let (agent, account, started_ms) = (attempt.agent.to_string(), attempt.agent.account(), attempt.started_ms);
    spend(state, &agent, usage);
    limits::pass(state, &account, started_ms);
    let failed = match outcome {
        Outcome::Failed { why } => Some(why),
        Outcome::Candidate(_) | Outcome::Nothing | Outcome::Blocked { .. } => None,
    };
    if let (Some(why), Some(task)) = (failed, state.tasks.get_mut(&id.task)) {
        task.findings = vec![Finding {
            rung: Rung::Scope,
            rule: "attempt-failed".to_owned(),
            path: None,
            what: format!("attempt {id} by {agent} did not end well: {why}"),
            advice: "mend what made it fail before anything else".to_owned(),
        }];
    }
    if let (Next::Block { .. }, Some(wants)) = (next, &handoff.wants)
        && let Some(task) = state.tasks.get_mut(&id.task)
    {
        task.wants = Some(wants.clone());
        task.asked += 1;
    }
    hand_up(state, id);
    go_on(state, id, next);
}

/// Puts an attempt's handoff before its planner.
fn hand_up(state: &mut State, id: AttemptId) {
    let Some(scope) = state.tasks.get(&id.task).map(|task| task.scope) else { return };
    if let Some(scope) = state.scopes.get_mut(&scope)
        && !matches!(scope.status, Planning::Failed(_))
    {
        scope.inbox.push(id);
    }
}

pub(super) fn judge(state: &mut State, id: AttemptId, verdict: &Verdict, usage: Usage, next: &Next) {
    state.judging.retain(|judged| *judged != id);
    spend(state, "checks", usage);
    for check in &verdict.checks {
        note_flake(state, check);
        if check.answer == Answer::Flaky {
            state.flake_rate.learn_flaky();
        }
    }
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.verdict = Some(verdict.clone());
    }
    if let Some(task) = state.tasks.get_mut(&id.task) {
        task.findings = verdict.findings.clone();
    }
    go_on(state, id, next);
}

pub(super) fn review(state: &mut State, id: AttemptId, review: &Review, next: &Next) {
    state.reviewing.retain(|judged| *judged != id);
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.reviews.push(review.clone());
    }
    if let Some(task) = state.tasks.get_mut(&id.task) {
        task.findings = review.findings.clone();
    }
    go_on(state, id, next);
}

pub(super) fn note_flake(state: &mut State, check: &CheckResult) {
    if check.answer == Answer::Flaky {
        *state.flakes.entry(check.name.clone()).or_default() += 1;
    }
}

/// Carries out what was decided about a task.
pub(super) fn go_on(state: &mut State, id: AttemptId, next: &Next) {
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.next = Some(next.clone());
    }
    let status = match next {
        Next::Judge => {
            state.judging.push_back(id);
            Status::Judging
        }
        Next::Review => {
            state.reviewing.push_back(id);
            Status::Judging
        }
        Next::Queue => {
            state.queue.push_back(id);
            Status::Queued
        }
        Next::Again(again) => {
            if let Some(task) = state.tasks.get_mut(&id.task) {
                task.again = again.clone();
            }
            Status::Ready
        }
        Next::Nothing => Status::Nothing,
        Next::Keep { why } => Status::Kept { why: why.clone() },
        Next::Block { missing } => Status::Blocked { missing: missing.clone() },
    };
    set_status(state, id.task, status);
}

pub(super) fn overrule(state: &mut State, task: TaskId) {
    let number = state.tasks.get(&task).map_or(0, |task| task.attempts.len() as u32);
    go_on(state, AttemptId { task, number }, &Next::Queue);
}

pub(super) fn drop_task(state: &mut State, task: TaskId, reason: &str) {
    withdraw(state, task);
    state.reviewing.retain(|judged| judged.task != task);
    set_status(state, task, Status::Dropped { reason: reason.to_owned() });
}

pub(super) fn retry(state: &mut State, id: TaskId) {
    if let Some(task) = state.tasks.get_mut(&id) {
        task.again = Again { agent: 0, tries: 0, from: None, resolves: false };
        task.lost = 0;
        task.conflicts = 0;
        task.wants = None;
    }
    withdraw(state, id);
    set_status(state, id, Status::Ready);
}

pub(super) fn steer(state: &mut State, task: Option<TaskId>, message: &str) {
    match task {
        None => state.steering.push(message.to_owned()),
        Some(task) => {
            if let Some(task) = state.tasks.get_mut(&task) {
                task.steering.push(message.to_owned());
            }
        }
    }
}

pub(super) fn spend(state: &mut State, on: &str, usage: Usage) {
    let spent = state.spent.entry(on.to_owned()).or_default();
    spent.count += 1;
    spent.usage += usage;
}

pub(super) fn attempt_mut(state: &mut State, id: AttemptId) -> Option<&mut Attempt> {
    state.tasks.get_mut(&id.task)?.attempts.get_mut(id.number.checked_sub(1)? as usize)
}
