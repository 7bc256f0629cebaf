//! Owns what becomes of a judged candidate: nobody judges himself, nothing is accepted unchecked.

use crate::machine::event::{Event, Next};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::again_or_keep;
use crate::machine::state::{State, Task};
use crate::model::attempt::Usage;
use crate::model::ids::AttemptId;
use crate::model::verdict::{Ruling, Verdict};

pub(in crate::machine) fn report(
    state: &State,
    id: AttemptId,
    verdict: &Verdict,
    usage: Usage,
) -> Result<Vec<Event>, Rejection> {
    let task = state.tasks.get(&id.task).ok_or(Rejection::NoTask(id.task))?;
    let attempt = state.attempt(id).filter(|_| state.judging.contains(&id)).ok_or(Rejection::NotJudged(id))?;
    if verdict.judge.is_empty() || verdict.judge == id.to_string() {
        return Err(Rejection::OwnJudge(id));
    }
    let why = || verdict.findings.first().map(|finding| finding.what.clone()).ok_or(Rejection::NoFinding(id));
    let next = match verdict.ruling {
        Ruling::Accept => {
            if !verdict.findings.is_empty() || !all_checks_held(state, task, verdict) {
                return Err(Rejection::Unchecked(id));
            }
            Next::Queue
        }
        Ruling::Reject => {
            let from = attempt.candidate().map(|candidate| candidate.commit);
            again_or_keep(state, task, from, &why()?)
        }
        Ruling::Restart => again_or_keep(state, task, None, &why()?),
    };
    Ok(vec![Event::VerdictGiven { attempt: id, verdict: verdict.clone(), usage, next }])
}

/// Tells whether each check of the run and of the task was answered, and none worse than on the base.
pub(in crate::machine) fn all_checks_held(state: &State, task: &Task, verdict: &Verdict) -> bool {
    let mut wanted = state.opening().goal.checks.iter().chain(&task.draft.checks);
    wanted.all(|check| {
        let base = state.baseline.as_ref().and_then(|baseline| baseline.get(&check.name));
        verdict
            .checks
            .iter()
            .any(|result| result.name == check.name && !result.is_worse_than(base) && !result.executed_fewer_than(base))
    })
}
