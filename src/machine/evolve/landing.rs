//! Owns how landing changes the state: batches formed, merged, checked, landed, and members ejected.

use super::attempts::{attempt_mut, go_on, note_flake, spend};
use super::plan::set_status;
use super::word;
use crate::machine::bisect::{Search, Want};
use crate::machine::command::Link;
use crate::machine::event::Next;
use crate::machine::state::{Batch, BatchStep, State, Status};
use crate::model::attempt::Usage;
use crate::model::check::CheckResult;
use crate::model::ids::{AttemptId, BatchId, Oid, TaskId};
use crate::model::task::Work;
use crate::model::verdict::Finding;

pub(super) fn form(state: &mut State, id: BatchId, members: &[AttemptId], onto: Oid) {
    state.queue.retain(|attempt| !members.contains(attempt));
    state.batches = state.batches.max(id.0);
    state.batch = Some(Batch { id, members: members.to_vec(), onto, step: BatchStep::Merging });
}

pub(super) fn merged(state: &mut State, chain: &[Link]) {
    let without_checks = state.opening().goal.checks.is_empty();
    let Some(batch) = &mut state.batch else { return };
    batch.step = match chain.last() {
        Some(last) if without_checks => BatchStep::Landing {
            checked: last.tree,
            upto: chain.len() as u32,
            chain: chain.to_vec(),
            culprit: None,
            flaky: false,
        },
        Some(_) | None => BatchStep::Checking {
            chain: chain.to_vec(),
            search: Search::begin(chain.len() as u32),
            flaky: false,
            reds: Vec::new(),
        },
    };
}

pub(super) fn checked(state: &mut State, upto: u32, tree: Oid, results: &[CheckResult], answer: (bool, bool)) {
    let (is_green, is_flaky) = answer;
    if !is_taken_over(state, results) {
        for result in results {
            spend(state, "checks", Usage { wall_ms: result.wall_ms, ..Usage::default() });
            note_flake(state, result);
        }
        match (is_green, is_flaky) {
            (true, false) => state.flake_rate.learn_sound(),
            (true | false, true) => state.flake_rate.learn_flaky(),
            // Whether this red tells of the tree or of the check is not known.
            (false, false) => {}
        }
    }
    let head_tree = state.head_tree;
    let base = |name: &String| state.baseline.as_ref().and_then(|baseline| baseline.get(name));
    let worse = results.iter().filter(|it| it.is_worse_than(base(&it.name))).map(|it| it.name.clone()).collect();
    let Some(batch) = &mut state.batch else { return };
    let BatchStep::Checking { chain, search, flaky, reds } = &mut batch.step else { return };
    if !is_green {
        *reds = worse;
    }
    search.learn(upto, is_green);
    // Settled once and for all: what is learned while a second look is under way must not make it unwanted.
    if matches!(search.want(), Want::Confirm(_)) && !state.flake_rate.casts_doubt(search, &state.bad_rate) {
        search.believe();
    }
    *flaky |= is_green && is_flaky;
    let landing = match search.want() {
        Want::Check(_) | Want::Confirm(_) => return,
        Want::LandAll => Some((search.whole, None)),
        Want::Eject { land } => {
            let culprit = chain.get(land as usize).map(|link| (link.attempt, results.to_vec()));
            Some((land, culprit))
        }
    };
    if let Some((upto, culprit)) = landing {
        let checked = match upto.checked_sub(1).and_then(|last| chain.get(last as usize)) {
            Some(last) => last.tree,
            None => head_tree.unwrap_or(tree),
        };
        batch.step = BatchStep::Landing { chain: std::mem::take(chain), upto, checked, culprit, flaky: *flaky };
    }
}

/// Tells whether these are the judge's own answers on the tree that is about to land: given once, counted once.
fn is_taken_over(state: &State, results: &[CheckResult]) -> bool {
    let Some(BatchStep::Checking { chain, .. }) = state.batch.as_ref().map(|batch| &batch.step) else { return false };
    let [link] = chain.as_slice() else { return false };
    state.attempt(link.attempt).is_some_and(|attempt| {
        let is_same_tree = attempt.candidate().is_some_and(|candidate| candidate.tree == link.tree);
        is_same_tree && attempt.verdict.as_ref().is_some_and(|verdict| verdict.checks == results)
    })
}

pub(super) fn eject(state: &mut State, id: AttemptId, findings: &[Finding], next: &Next) {
    if let Some(batch) = &mut state.batch {
        batch.members.retain(|member| *member != id);
    }
    word::forget(state, id);
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.ejected = findings.to_vec();
    }
    if let Some(task) = state.tasks.get_mut(&id.task) {
        task.findings = findings.to_vec();
        if findings.iter().any(|finding| finding.rule == "conflict") {
            task.conflicts += 1;
        } else {
            state.bad_rate.learn(0, 1);
        }
    }
    go_on(state, id, next);
}

pub(super) fn land(state: &mut State, landed: &[Link], head: Oid, tree: Oid) {
    state.head = Some(head);
    state.head_tree = Some(tree);
    state.landed_in_iteration += landed.len() as u32;
    state.bad_rate.learn(landed.len() as u32, 0);
    state.conditions = None;
    word::head_moved(state);
    for link in landed {
        state.landings += 1;
        let landing = state.landings;
        if let Some(batch) = &mut state.batch {
            batch.members.retain(|member| *member != link.attempt);
        }
        if let Some(attempt) = attempt_mut(state, link.attempt) {
            attempt.landed = Some(link.commit);
            attempt.landing = Some(landing);
        }
        word::forget(state, link.attempt);
        let id = link.attempt.task;
        set_status(state, id, Status::Landed { commit: link.commit });
        take_out(state, id);
    }
}

/// Says of what a task takes out, where it takes any out, that it does; what that itself had taken out stands again.
fn take_out(state: &mut State, by: TaskId) {
    let Some(Work::Revert(reverted)) = state.tasks.get(&by).map(|task| task.work.clone()) else { return };
    set_status(state, reverted, Status::Reverted { by });
    let Some(Work::Revert(original)) = state.tasks.get(&reverted).map(|task| task.work.clone()) else { return };
    let landed = state.tasks.get(&original).and_then(|task| task.attempts.iter().rev().find_map(|it| it.landed));
    if let Some(commit) = landed {
        set_status(state, original, Status::Landed { commit });
        take_out(state, original);
    }
}

pub(super) fn close(state: &mut State) {
    if let Some(batch) = state.batch.take() {
        for member in batch.members.into_iter().rev() {
            state.queue.push_front(member);
        }
    }
}
