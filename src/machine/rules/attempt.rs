//! Owns what becomes of an attempt that ended or was lost: judged, tried again, handed to the next agent, kept.

use crate::machine::event::{Again, Event, Next};
use crate::machine::rejection::Rejection;
use crate::machine::rules::asked::{self, SCOPE_ASKS_AT_MOST};
use crate::machine::state::{Flow, State, Task};
use crate::model::attempt::{Handoff, Outcome, Usage};
use crate::model::ids::{AttemptId, Oid};
use crate::model::role::AgentRef;
use crate::model::task::Work;

/// How often a task's worker may vanish before the task is taken for the cause and kept.
pub(in crate::machine) const LOST_AT_MOST: u32 = 5;

pub(in crate::machine) fn renew(
    state: &State,
    id: AttemptId,
    fence: u64,
    now_ms: i64,
) -> Result<Vec<Event>, Rejection> {
    leased(state, id, Some(fence))?;
    Ok(vec![Event::LeaseRenewed { attempt: id, until_ms: now_ms + lease_ms(state) }])
}

pub(in crate::machine) fn lease_ms(state: &State) -> i64 {
    i64::try_from(state.opening().config.lease_s.max(1) * 1000).unwrap_or(i64::MAX / 2)
}

pub(in crate::machine) fn report(
    state: &State,
    (id, fence): (AttemptId, u64),
    outcome: &Outcome,
    handoff: &Handoff,
    usage: Usage,
) -> Result<Vec<Event>, Rejection> {
    let task = leased(state, id, Some(fence))?;
    let next = match outcome {
        Outcome::Candidate(_) => Next::Judge,
        Outcome::Nothing => nothing(state, task, handoff),
        Outcome::Failed { why } => again_or_keep(state, task, None, why),
        Outcome::Blocked { missing } if handoff.wants.is_some() && task.asked >= SCOPE_ASKS_AT_MOST => {
            Next::Keep { why: format!("it has asked {SCOPE_ASKS_AT_MOST} times before, and lacks {missing}") }
        }
        Outcome::Blocked { missing } => Next::Block { missing: missing.clone() },
    };
    let asks = handoff.wants.as_ref().filter(|_| matches!(next, Next::Block { .. }));
    let raised = asks.and_then(|wants| asked::raise(state, (id.task, task), wants));
    let (outcome, handoff) = (outcome.clone(), handoff.clone());
    let ended = Event::AttemptEnded { attempt: id, outcome, handoff, usage, next };
    Ok([ended].into_iter().chain(raised).collect())
}

/// Believes that there was nothing to do only where nobody has found that there is: what a judge refused, or an
/// agent left for the next one, is not done by changing nothing.
fn nothing(state: &State, task: &Task, handoff: &Handoff) -> Next {
    if !handoff.leftovers.is_empty() {
        let why = match handoff.leftovers.len() {
            1 => "1 place is left that no agent could change".to_owned(),
            many => format!("{many} places are left that no agent could change"),
        };
        return next_agent(state, task).map_or(Next::Keep { why }, Next::Again);
    }
    // What conflicted may be there by another's hand, and a failed attempt has found nothing.
    let owed = task.findings.iter().find(|it| !["conflict", "attempt-failed"].contains(&it.rule.as_str()));
    owed.map_or(Next::Nothing, |owed| {
        again_or_keep(state, task, None, &format!("its agent changed nothing, though {}", owed.what))
    })
}

/// Says who an attempt was lost with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::machine) enum Loss {
    /// With its worker: the task may be the cause.
    Worker,
    /// With the coordinator, or by a person's stop: that says nothing against the task.
    Other,
}

pub(in crate::machine) fn lost(state: &State, id: AttemptId, why: &str, loss: Loss) -> Result<Vec<Event>, Rejection> {
    let task = leased(state, id, None)?;
    let counts = loss == Loss::Worker && state.flow != Flow::Stopping;
    let next = if counts && task.lost + 1 >= LOST_AT_MOST {
        Next::Keep { why: format!("its worker was lost {LOST_AT_MOST} times, the last time because {why}") }
    } else {
        Next::Again(task.again.clone())
    };
    Ok(vec![Event::AttemptLost { attempt: id, why: why.to_owned(), counts, next }])
}

/// Finds the task of an attempt that is leased, under that fence where one is given.
pub(in crate::machine) fn leased(state: &State, id: AttemptId, fence: Option<u64>) -> Result<&Task, Rejection> {
    let task = state.tasks.get(&id.task).ok_or(Rejection::NoTask(id.task))?;
    let attempt = state.attempt(id).ok_or(Rejection::StaleAttempt(id))?;
    if !state.running.contains(&id) || fence.is_some_and(|fence| fence != attempt.fence) {
        return Err(Rejection::StaleAttempt(id));
    }
    Ok(task)
}

/// Counts a try of the task's agent: it tries again, going on `from` a candidate or afresh, or the next agent
/// does, or the task is kept. What takes a task back out does the same each time, and is tried once.
pub(in crate::machine) fn again_or_keep(state: &State, task: &Task, from: Option<Oid>, why: &str) -> Next {
    let tries = task.again.tries + 1;
    if matches!(task.work, Work::Revert(_)) {
        return Next::Keep { why: why.to_owned() };
    }
    if tries < allowed_tries(state, task) {
        return Next::Again(Again { tries, from, ..task.again.clone() });
    }
    next_agent(state, task).map_or_else(|| Next::Keep { why: why.to_owned() }, Next::Again)
}

/// Gives the next agent in order of escalation, where the role has one.
pub(in crate::machine) fn next_agent(state: &State, task: &Task) -> Option<Again> {
    let agent = task.again.agent + 1;
    let is_there = state.role_of(task)?.agents.len() > agent as usize;
    is_there.then_some(Again { agent, tries: 0, from: None, ..task.again.clone() })
}

/// Tells how often the task's present agent may try: an agent that always gives the same answer, once.
fn allowed_tries(state: &State, task: &Task) -> u32 {
    let attempts = state.role_of(task).map_or(1, |role| role.limits.attempts.max(1));
    if gives_one_answer(state, task) { 1 } else { attempts }
}

/// Tells whether the task's present agent always gives the same answer, whatever it is told.
pub(in crate::machine) fn gives_one_answer(state: &State, task: &Task) -> bool {
    let Some(role) = state.role_of(task) else { return true };
    match role.agents.get(task.again.agent as usize) {
        _ if matches!(task.work, Work::Revert(_)) => true,
        Some(AgentRef::Codemod | AgentRef::Shard | AgentRef::Whole | AgentRef::Ladder | AgentRef::Revert) | None => {
            true
        }
        Some(
            AgentRef::Command(_)
            | AgentRef::Script(_)
            | AgentRef::Claude { .. }
            | AgentRef::Codex { .. }
            | AgentRef::Acp(_)
            | AgentRef::Llm(_),
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Ask, Command};
    use crate::machine::due::{deadline, deadline_beside};
    use crate::machine::state::Status;
    use crate::machine::testing::{Scene, attempt, candidate, draft, failed, verdict};
    use crate::model::attempt::Leftover;
    use crate::model::ids::TaskId;
    use crate::model::verdict::Ruling;

    fn running() -> Scene {
        running_by(vec![AgentRef::Script("part.yml".into())])
    }

    fn running_by(agents: Vec<AgentRef>) -> Scene {
        let scene = Scene::opened(|opening| opening.roles.get_mut("worker").unwrap().agents = agents);
        scene.begun().planned(vec![draft("a", "a")])
    }

    fn left() -> Handoff {
        let leftover = Leftover { path: "a".into(), line: 1, why: "no fix".into() };
        Handoff { leftovers: vec![leftover], ..Handoff::default() }
    }

    #[test]
    fn late_result_of_a_lost_lease_is_refused() {
        let scene = running();
        let late = scene.ending(attempt(1, 1), candidate(1), Handoff::default());
        let scene = scene.later(301_000);
        assert_eq!(scene.when(&late), Err(Rejection::StaleAttempt(attempt(1, 1))));
        assert_eq!(scene.status(1), &Status::Running, "its second attempt runs");
    }

    #[test]
    fn a_wrong_fence_and_an_unknown_task_are_refused() {
        let scene = running();
        let report = |attempt, fence| {
            let (handoff, usage) = (Handoff::default(), Usage::default());
            Command::ReportAttempt { attempt, fence, outcome: Outcome::Nothing, handoff, usage }
        };
        assert_eq!(scene.when(&report(attempt(1, 1), 2)), Err(Rejection::StaleAttempt(attempt(1, 1))));
        assert_eq!(scene.when(&report(attempt(1, 2), 1)), Err(Rejection::StaleAttempt(attempt(1, 2))));
        assert_eq!(scene.when(&report(attempt(9, 1), 1)), Err(Rejection::NoTask(TaskId(9))));
    }

    #[test]
    fn a_result_is_heard_once() {
        let scene = running();
        let end = scene.ending(attempt(1, 1), candidate(1), Handoff::default());
        assert_eq!(scene.does(end.clone()).when(&end), Err(Rejection::StaleAttempt(attempt(1, 1))));
    }

    #[test]
    fn a_renewed_lease_does_not_lapse() {
        let mut scene = running();
        scene.now_ms += 200_000;
        let scene = scene.does(Command::RenewLease { attempt: attempt(1, 1), fence: 1 }).later(200_000);
        assert!(scene.state.running.contains(&attempt(1, 1)));
        assert!(!scene.later(200_000).state.running.contains(&attempt(1, 1)));
    }

    #[test]
    fn time_is_let_pass_for_the_lease_of_an_attempt_that_nobody_plays_and_of_no_other() {
        let (scene, one) = (running(), attempt(1, 1));
        let lapses_at = scene.state.attempt(one).unwrap().until_ms + 1;
        let next = |played: u64| deadline_beside(&scene.state, scene.now_ms, |id, fence| (id, fence) == (one, played));
        assert_eq!(deadline(&scene.state, scene.now_ms), Some(lapses_at));
        assert_eq!((next(1), next(2)), (None, Some(lapses_at)));
    }

    #[test]
    fn an_attempt_that_changed_nothing_never_lands() {
        let scene = running().ends(attempt(1, 1), Outcome::Nothing);
        assert_eq!(scene.status(1), &Status::Nothing);
        assert!(scene.state.queue.is_empty());
    }

    #[test]
    fn what_a_judge_refused_is_not_done_by_changing_nothing() {
        let scene = running().ends(attempt(1, 1), candidate(1)).settled();
        let scene = scene.does(verdict(attempt(1, 1), Ruling::Reject)).settled();
        let scene = scene.ends(attempt(1, 2), Outcome::Nothing);
        assert!(matches!(scene.status(1), Status::Kept { .. }), "{:?}", scene.status(1));
    }

    #[test]
    fn a_blocked_attempt_names_what_is_missing() {
        let scene = running().ends(attempt(1, 1), Outcome::Blocked { missing: "a key".into() });
        assert_eq!(scene.status(1), &Status::Blocked { missing: "a key".into() });
    }

    #[test]
    fn an_agent_tries_as_often_as_its_role_allows_and_then_the_task_is_kept() {
        let scene = running().ends(attempt(1, 1), failed()).settled().ends(attempt(1, 2), failed()).settled();
        assert_eq!(scene.status(1), &Status::Kept { why: "it broke".into() });
        assert_eq!(scene.task(1).findings[0].rule, "attempt-failed");
    }

    #[test]
    fn an_agent_that_always_does_the_same_tries_once_and_the_next_goes_on() {
        let scene = running_by(vec![AgentRef::Codemod, AgentRef::Command("./fix.sh".into())]);
        let scene = scene.ends(attempt(1, 1), failed()).settled();
        assert_eq!(scene.task(1).attempts[1].agent, AgentRef::Command("./fix.sh".into()));
    }

    #[test]
    fn what_an_agent_left_over_goes_to_the_next_or_is_kept() {
        let both = vec![AgentRef::Codemod, AgentRef::Command("./fix.sh".into())];
        let scene = running_by(both).ends_with(attempt(1, 1), Outcome::Nothing, left());
        assert_eq!((scene.status(1), scene.task(1).again.agent), (&Status::Ready, 1));
        let scene = running_by(vec![AgentRef::Codemod]).ends_with(attempt(1, 1), Outcome::Nothing, left());
        assert!(matches!(scene.status(1), Status::Kept { .. }));
    }

    #[test]
    fn a_rejected_candidate_is_gone_on_with_and_a_restarted_one_is_not() {
        let judged = |ruling| {
            let scene = running().ends(attempt(1, 1), candidate(1)).does(verdict(attempt(1, 1), ruling)).settled();
            scene.task(1).attempts[1].from
        };
        let Outcome::Candidate(it) = candidate(1) else { panic!("it is a candidate") };
        assert_eq!(judged(Ruling::Reject), Some(it.commit));
        assert_eq!(judged(Ruling::Restart), None);
    }

    #[test]
    fn a_worker_that_vanishes_again_and_again_is_taken_for_its_task_s_fault() {
        let mut scene = running();
        for number in 1..=LOST_AT_MOST {
            assert_eq!(scene.status(1), &Status::Running);
            let lost = Command::ReportLost { attempt: attempt(1, number), why: "it vanished".into() };
            scene = scene.does(lost).settled();
        }
        assert!(matches!(scene.status(1), Status::Kept { .. }));
    }

    #[test]
    fn the_death_of_a_coordinator_says_nothing_against_a_task() {
        let mut scene = running();
        for epoch in 2..20 {
            scene = scene.does(Command::Wake { epoch, sandbox: None }).settled();
        }
        assert_eq!((scene.status(1), scene.task(1).lost), (&Status::Running, 0));
    }

    #[test]
    fn a_stop_says_nothing_against_a_task() {
        let mut scene = running();
        for _ in 0..=LOST_AT_MOST {
            scene = scene.asks(Ask::Stop).settled().asks(Ask::Resume).settled();
        }
        assert_eq!((scene.status(1), scene.task(1).lost), (&Status::Running, 0));
    }
}
