//! Owns what becomes of a judged candidate: nobody judges himself, nothing is accepted unchecked.

use crate::machine::event::{Event, Next};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::again_or_keep;
use crate::machine::state::{State, Task};
use crate::model::attempt::Usage;
use crate::model::ids::AttemptId;
use crate::model::task::Work;
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
            if state.lenses().is_empty() || matches!(task.work, Work::Revert(_)) { Next::Queue } else { Next::Review }
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
    let mut wanted = state.checks_of(task);
    wanted.all(|check| {
        let base = state.baseline.as_ref().and_then(|baseline| baseline.get(&check.name));
        verdict
            .checks
            .iter()
            .any(|result| result.name == check.name && !result.is_worse_than(base) && !result.executed_fewer_than(base))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::Command;
    use crate::machine::state::Status;
    use crate::machine::testing::{Scene, attempt, candidate, draft, finding, green, result, verdict};
    use crate::model::check::{Answer, Check, CheckResult};
    use crate::model::ids::TaskId;
    use crate::model::task::TaskDraft;

    fn judging() -> Scene {
        let own = Check { name: "own".into(), run: "true".into(), timeout_s: 1 };
        let tasks = vec![draft("a", "a"), TaskDraft { checks: vec![own], ..draft("b", "b") }];
        let scene = Scene::open().begun().planned(tasks);
        scene.ends(attempt(1, 1), candidate(1)).ends(attempt(2, 1), candidate(2))
    }

    fn accepting(task: u32, checks: Vec<CheckResult>) -> Command {
        let verdict = Verdict { ruling: Ruling::Accept, judge: "ladder".into(), findings: Vec::new(), checks };
        Command::ReportVerdict { attempt: attempt(task, 1), verdict, usage: Usage::default() }
    }

    #[test]
    fn judge_may_not_accept_own_work() {
        for judge in ["t1.1", ""] {
            let Command::ReportVerdict { attempt, mut verdict, usage } = verdict(attempt(1, 1), Ruling::Accept) else {
                panic!("it is a verdict")
            };
            verdict.judge = judge.into();
            let command = Command::ReportVerdict { attempt, verdict, usage };
            assert_eq!(judging().when(&command), Err(Rejection::OwnJudge(attempt)));
        }
    }

    #[test]
    fn nothing_is_accepted_without_a_green_answer_to_each_of_its_checks() {
        let unchecked = |task, checks| {
            assert_eq!(judging().when(&accepting(task, checks)), Err(Rejection::Unchecked(attempt(task, 1))));
        };
        unchecked(1, vec![]);
        unchecked(1, vec![green("other")]);
        unchecked(1, vec![result("tests", Answer::Red)]);
        unchecked(2, vec![green("tests")]);
        assert!(judging().when(&accepting(2, vec![green("tests"), green("own")])).is_ok());
    }

    #[test]
    fn an_accepting_verdict_holds_no_finding() {
        let Command::ReportVerdict { attempt, mut verdict, usage } = verdict(attempt(1, 1), Ruling::Accept) else {
            panic!("it is a verdict")
        };
        verdict.findings.push(finding());
        let command = Command::ReportVerdict { attempt, verdict, usage };
        assert_eq!(judging().when(&command), Err(Rejection::Unchecked(attempt)));
    }

    #[test]
    fn a_refusing_verdict_says_what_is_wrong() {
        for ruling in [Ruling::Reject, Ruling::Restart] {
            let verdict = Verdict { ruling, judge: "ladder".into(), findings: Vec::new(), checks: Vec::new() };
            let command = Command::ReportVerdict { attempt: attempt(1, 1), verdict, usage: Usage::default() };
            assert_eq!(judging().when(&command), Err(Rejection::NoFinding(attempt(1, 1))));
        }
    }

    #[test]
    fn a_verdict_is_heard_once_and_on_a_known_task_only() {
        let scene = judging().accepted(attempt(1, 1));
        assert_eq!(scene.status(1), &Status::Queued);
        let again = verdict(attempt(1, 1), Ruling::Reject);
        assert_eq!(scene.when(&again), Err(Rejection::NotJudged(attempt(1, 1))));
        assert_eq!(scene.when(&verdict(attempt(8, 1), Ruling::Accept)), Err(Rejection::NoTask(TaskId(8))));
    }

    #[test]
    fn a_flaky_check_of_a_candidate_is_counted() {
        let scene = judging().does(accepting(1, vec![result("tests", Answer::Flaky)]));
        assert_eq!(scene.state.flakes["tests"], 1);
    }

    #[test]
    fn a_refused_candidate_s_findings_are_shown_to_the_next_attempt() {
        let scene = judging().does(verdict(attempt(1, 1), Ruling::Reject));
        assert_eq!(scene.task(1).findings, [finding()]);
    }
}
