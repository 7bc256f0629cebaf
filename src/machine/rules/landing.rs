//! Owns how accepted candidates land: merged in order, checked as they will stand, searched for the culprit when
//! red, and only the checked tree counts as landed.

use crate::machine::bisect::Want;
use crate::machine::command::{Conflict, Link};
use crate::machine::event::{Again, Event, NewTask, Next, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::again_or_keep;
use crate::machine::rules::plan::{new_task, next_task};
use crate::machine::state::{Batch, BatchStep, State};
use crate::model::check::{Answer, CheckResult};
use crate::model::ids::{AttemptId, BatchId, Oid};
use crate::model::paths::PathSet;
use crate::model::task::{TaskDraft, Work};
use crate::model::verdict::{Finding, Ruling, Rung};

fn batch_of(state: &State, id: BatchId) -> Result<&Batch, Rejection> {
    state.batch.as_ref().filter(|batch| batch.id == id).ok_or(Rejection::StaleBatch(id))
}

pub(in crate::machine) fn merged(
    state: &State,
    id: BatchId,
    chain: &[Link],
    conflicts: &[Conflict],
) -> Result<Vec<Event>, Rejection> {
    let batch = batch_of(state, id)?;
    if batch.step != BatchStep::Merging {
        return Err(Rejection::StaleBatch(id));
    }
    let conflicted = |member: &AttemptId| conflicts.iter().any(|conflict| conflict.attempt == *member);
    let clean = batch.members.iter().filter(|member| !conflicted(member));
    if !clean.eq(chain.iter().map(|link| &link.attempt)) {
        return Err(Rejection::BadChain(id));
    }
    let mut events = vec![Event::BatchMerged { batch: id, chain: chain.to_vec(), conflicts: conflicts.to_vec() }];
    for conflict in conflicts {
        events.push(conflicting(state, id, conflict)?);
    }
    if chain.is_empty() {
        events.push(Event::BatchClosed { batch: id });
    }
    events.extend(known_answer(state, id, chain));
    Ok(events)
}

/// Takes over the judge's answers where a single candidate merged to the very tree that was judged.
fn known_answer(state: &State, batch: BatchId, chain: &[Link]) -> Option<Event> {
    let [link] = chain else { return None };
    let attempt = state.attempt(link.attempt)?;
    let verdict = attempt.verdict.as_ref().filter(|_| !state.opening().goal.checks.is_empty())?;
    let is_same = attempt.candidate()?.tree == link.tree && verdict.ruling == Ruling::Accept;
    if !is_same || !all_held(state, &verdict.checks) {
        return None;
    }
    let results = verdict.checks.clone();
    let flaky = results.iter().any(|result| result.answer == Answer::Flaky);
    Some(Event::PrefixChecked { batch, upto: 1, tree: link.tree, results, green: true, flaky })
}

/// Sends a conflicting candidate back to its own agent on the new base, a bounded number of times.
fn conflicting(state: &State, batch: BatchId, conflict: &Conflict) -> Result<Event, Rejection> {
    let id = conflict.attempt;
    let task = state.tasks.get(&id.task).ok_or(Rejection::NoTask(id.task))?;
    let paths = conflict.paths.join(", ");
    let what = format!("{id} conflicts with what landed before it, in {paths}");
    let findings = vec![Finding {
        rung: Rung::Landing,
        rule: "conflict".to_owned(),
        path: conflict.paths.first().cloned(),
        what: what.clone(),
        advice: "do the task again on the new base; the other change stands".to_owned(),
    }];
    let is_brief = task.work == Work::Brief;
    let next = if is_brief && task.conflicts < state.opening().goal.landing.conflicts {
        Next::Again(Again { from: None, ..task.again.clone() })
    } else {
        Next::Keep { why: what }
    };
    Ok(Event::MemberEjected { batch, attempt: id, findings, next })
}

pub(in crate::machine) fn checked(
    state: &State,
    id: BatchId,
    upto: u32,
    tree: Oid,
    results: &[CheckResult],
) -> Result<Vec<Event>, Rejection> {
    let batch = batch_of(state, id)?;
    let BatchStep::Checking { chain, search, .. } = &batch.step else { return Err(Rejection::StaleBatch(id)) };
    let wanted = match search.want() {
        Want::Check(wanted) | Want::Confirm(wanted) => wanted,
        Want::Eject { .. } | Want::LandAll => return Err(Rejection::StaleBatch(id)),
    };
    let link = chain.get((upto as usize).wrapping_sub(1)).filter(|_| upto == wanted);
    let link = link.ok_or(Rejection::StaleBatch(id))?;
    if link.tree != tree {
        return Err(Rejection::TreeMismatch { batch: id, checked: tree, landed: link.tree });
    }
    let green = all_held(state, results);
    let was_red = search.red == Some(upto);
    let flaky = results.iter().any(|result| result.answer == Answer::Flaky) || (green && was_red);
    Ok(vec![Event::PrefixChecked { batch: id, upto, tree, results: results.to_vec(), green, flaky }])
}

/// Tells whether each check of the run was answered, and none worse than on the base.
fn all_held(state: &State, results: &[CheckResult]) -> bool {
    state.opening().goal.checks.iter().all(|check| {
        let base = state.baseline.as_ref().and_then(|baseline| baseline.get(&check.name));
        results
            .iter()
            .any(|result| result.name == check.name && !result.is_worse_than(base) && !result.executed_fewer_than(base))
    })
}

pub(in crate::machine) fn landed(state: &State, id: BatchId, head: Oid, tree: Oid) -> Result<Vec<Event>, Rejection> {
    let batch = batch_of(state, id)?;
    let BatchStep::Landing { chain, upto, checked, culprit, flaky } = &batch.step else {
        return Err(Rejection::StaleBatch(id));
    };
    let landed: Vec<Link> = chain.iter().take(*upto as usize).cloned().collect();
    if tree != *checked {
        return Err(Rejection::TreeMismatch { batch: id, checked: *checked, landed: tree });
    }
    if landed.last().is_some_and(|last| last.commit != head) {
        return Err(Rejection::StaleBatch(id));
    }
    let mut events = Vec::new();
    if !landed.is_empty() {
        let follow_ups = follow_ups(state, &landed);
        events.push(Event::BatchLanded { batch: id, landed, head, tree, flaky: *flaky });
        events.extend(follow_ups);
    }
    if let Some((culprit, results)) = culprit {
        events.push(eject_culprit(state, id, *culprit, results)?);
    }
    events.push(Event::BatchClosed { batch: id });
    Ok(events)
}

/// Sends the member that made the batch red back to its worker with what the checks said.
fn eject_culprit(state: &State, batch: BatchId, id: AttemptId, results: &[CheckResult]) -> Result<Event, Rejection> {
    let task = state.tasks.get(&id.task).ok_or(Rejection::NoTask(id.task))?;
    let findings: Vec<Finding> = results
        .iter()
        .filter(|result| {
            let base = state.baseline.as_ref().and_then(|baseline| baseline.get(&result.name));
            result.is_worse_than(base) || result.executed_fewer_than(base)
        })
        .map(|result| Finding {
            rung: Rung::Landing,
            rule: "red-on-merge".to_owned(),
            path: None,
            what: format!("`{}` is red when {id} is merged with what landed before it:\n{}", result.name, result.tail),
            advice: "make it green on the present head of the run's branch".to_owned(),
        })
        .collect();
    let why = findings.first().map_or_else(String::new, |finding| finding.what.clone());
    let next = match task.work {
        Work::Brief => again_or_keep(state, task, None, &why),
        Work::Revert(_) => Next::Keep { why },
    };
    Ok(Event::MemberEjected { batch, attempt: id, findings, next })
}

/// Hands what a landed attempt could not do to the next agent of its role, as a task of its own.
fn follow_ups(state: &State, landed: &[Link]) -> Vec<Event> {
    let mut number = next_task(state).0;
    let mut events = Vec::new();
    for link in landed {
        let Some(task) = state.tasks.get(&link.attempt.task) else { continue };
        let Some(handoff) = state.attempt(link.attempt).and_then(|attempt| attempt.handoff.as_ref()) else { continue };
        let agent = task.again.agent + 1;
        let has_next = state.role_of(task).is_some_and(|role| role.agents.len() > agent as usize);
        let key = format!("{}+rest", task.draft.key);
        // The handoff is the agent's word: what it names outside the task's own paths is not handed on.
        let left: Vec<_> = handoff.leftovers.iter().filter(|left| task.draft.paths.holds(&left.path)).collect();
        if left.is_empty() || !has_next || state.task_keys.contains_key(&key) {
            continue;
        }
        let findings = left.iter().map(|left| Finding {
            rung: Rung::Form,
            rule: "leftover".to_owned(),
            path: Some(left.path.clone()),
            what: format!("line {}: {}", left.line, left.why),
            advice: "do by hand what the rule could not".to_owned(),
        });
        let draft = TaskDraft {
            key,
            title: format!("rest of {}", task.draft.title),
            paths: PathSet::of_files(left.iter().map(|left| left.path.clone())),
            after: [task.draft.key.clone()].into(),
            weight: left.len() as u64,
            ..task.draft.clone()
        };
        let id = crate::model::ids::TaskId(number);
        number += 1;
        let rest = NewTask { agent, findings: findings.collect(), ..new_task(id, draft, vec![link.attempt.task]) };
        events.push(Event::TasksEmitted { scope: task.scope, tasks: vec![rest] });
    }
    events
}

pub(in crate::machine) fn branch_moved(state: &State, found: Option<Oid>) -> Vec<Event> {
    if state.rest.is_some() || found == state.head {
        return Vec::new();
    }
    let stands = found.map_or_else(|| "is gone".to_owned(), |found| format!("stands at {found}"));
    let head = state.head.map_or_else(String::new, |head| head.to_string());
    let what = format!(
        "the run's branch {stands}, but the journal has it at {head}; put it back with `git update-ref`, then resume"
    );
    vec![Event::RunParked { why: Rest::Trouble { what } }]
}
