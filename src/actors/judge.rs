//! Owns how a candidate is judged: the ladder over what git says of it, then its checks in a clean worktree. Sees
//! goal, diff and checks; never the worker's own words.

use std::sync::Arc;

use tokio::sync::watch;

use super::checks::{self, NoAnswer, Repeat};
use super::evidence;
use super::order::Judging;
use super::world::World;
use crate::machine::command::Command;
use crate::machine::ladder::{Author, Bounds, Protection, form, ratchet, scope};
use crate::model::attempt::Usage;
use crate::model::check::CheckResult;
use crate::model::task::Work;
use crate::model::verdict::{Finding, Ruling, Rung, Verdict};

/// Judges a candidate; gives the verdict's report, or nothing where it was cancelled.
pub async fn judge(world: &Arc<World>, judging: Judging, cancelled: watch::Receiver<bool>) -> Option<Command> {
    let attempt = judging.attempt;
    let report = |ruling, findings, checks, usage| {
        let verdict = Verdict { ruling, judge: format!("ladder of {attempt}"), findings, checks };
        Some(Command::ReportVerdict { attempt, verdict, usage })
    };
    let judging = Arc::new(judging);
    let (looked, order) = (Arc::clone(world), Arc::clone(&judging));
    let found = match tokio::task::spawn_blocking(move || climb(&looked, &order)).await {
        Ok(Ok(found)) => found,
        Ok(Err(what)) => return Some(Command::ReportTrouble { what }),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    if !found.is_empty() {
        return report(refusal(&judging, &found), found, Vec::new(), Usage::default());
    }
    let name = format!("judge-{attempt}");
    let subject = (name.as_str(), judging.candidate.commit);
    let answers = checks::run(world, subject, &judging.checks, &judging.baseline, Repeat::WhatIsRed, cancelled).await;
    match answers {
        Err(NoAnswer::Cancelled) => None,
        Err(NoAnswer::Trouble(what)) => Some(Command::ReportTrouble { what }),
        Ok((results, usage)) => {
            let found: Vec<Finding> =
                results.iter().flat_map(|result| against(result, judging.baseline.get(&result.name))).collect();
            let ruling = if found.is_empty() { Ruling::Accept } else { refusal(&judging, &found) };
            report(ruling, found, results, usage)
        }
    }
}

/// Climbs the steps that need no process; each can only veto, and the first that does is the last.
fn climb(world: &World, judging: &Judging) -> Result<Vec<Finding>, String> {
    let through = world.instruments()?;
    let evidence = evidence::gather(world, judging)?;
    let limits = &judging.role.limits;
    let bounds = Bounds { owned: &judging.task.paths, owns: through.owns.as_ref(), never: &through.never, limits };
    let found = scope(&evidence, &bounds);
    if !found.is_empty() || matches!(judging.work, Work::Revert(_)) {
        return Ok(found);
    }
    let protection = Protection { always: &through.always, unless_named: &through.unless_named };
    let found = ratchet(&evidence, &judging.task.paths, &protection);
    if !found.is_empty() {
        return Ok(found);
    }
    let author = if judging.role.mechanical { Author::Mechanical } else { Author::Free };
    Ok(form(&evidence, author))
}

/// Says what stands against a check's answer, judged as a difference to the base.
fn against(result: &CheckResult, base: Option<&CheckResult>) -> Option<Finding> {
    let finding = |rule: &str, what: String, advice: &str| Finding {
        rung: Rung::Checks,
        rule: rule.to_owned(),
        path: None,
        what,
        advice: advice.to_owned(),
    };
    if result.is_worse_than(base) {
        let what = format!("the check `{}` is red\n{}", result.name, result.tail.trim_end());
        return Some(finding("check-red", what, "make the check green without weakening it"));
    }
    if result.executed_fewer_than(base) {
        let before = base.and_then(|base| base.executed).unwrap_or(0);
        let after = result.executed.map_or_else(|| "no count of".to_owned(), |count| count.to_string());
        let what = format!("the check `{}` reports {after} executed tests, and {before} on the base", result.name);
        return Some(finding("fewer-tests-executed", what, "have every test run again"));
    }
    None
}

/// Chooses between the same worktree and a fresh one: who is refused twice for the same rules begins anew.
fn refusal(judging: &Judging, found: &[Finding]) -> Ruling {
    let is_repeated = !judging.refused_before.is_empty()
        && found.iter().all(|finding| judging.refused_before.contains(&finding.rule));
    if is_repeated { Ruling::Restart } else { Ruling::Reject }
}
