//! Owns how accepted candidates land: merged in order, checked as they will stand, searched for the culprit when
//! red, and only the checked tree counts as landed.

use std::collections::BTreeSet;

use crate::machine::bisect::Want;
use crate::machine::command::{Conflict, Link};
use crate::machine::event::{Again, Event, NewTask, Next, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::again_or_keep;
use crate::machine::rules::plan::{new_task, next_task};
use crate::machine::rules::word;
use crate::machine::state::{Batch, BatchStep, State, Task};
use crate::model::check::{Answer, CheckResult};
use crate::model::ids::{AttemptId, BatchId, Oid};
use crate::model::paths::PathSet;
use crate::model::role::AgentRef;
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
    let named: BTreeSet<AttemptId> = conflicts.iter().map(|conflict| conflict.attempt).collect();
    let is_sound = named.len() == conflicts.len() && named.iter().all(|named| batch.members.contains(named));
    if !is_sound || !clean.eq(chain.iter().map(|link| &link.attempt)) {
        return Err(Rejection::BadChain(id));
    }
    let asked = word::ask_of_merged(state, id, chain);
    if !asked.is_empty() {
        return Ok(asked);
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

/// Sends a conflicting candidate to the resolver, where the goal names one and its own agent does not always give the same
/// answer, or back to its own agent on the new base, a bounded number of times.
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
        Next::Again(match may_be_resolved(state, task) {
            true => Again { agent: 0, tries: 0, from: None, resolves: true },
            false => Again { from: None, ..task.again.clone() },
        })
    } else {
        Next::Keep { why: what }
    };
    Ok(Event::MemberEjected { batch, attempt: id, findings, next })
}

/// Tells whether somebody else may bring a task together with what it conflicts with: not for an agent that always gives
/// the same answer, and does it again on the new base.
fn may_be_resolved(state: &State, task: &Task) -> bool {
    let opening = state.opening();
    let resolver = opening.goal.plan.resolver.as_ref().and_then(|role| opening.roles.get(role));
    let is_there = resolver.is_some_and(|role| !role.agents.is_empty());
    is_there && !task.again.resolves && task.attempts.last().is_some_and(|it| it.agent != AgentRef::Codemod)
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
    let worse = |result: &CheckResult| {
        let base = state.baseline.as_ref().and_then(|baseline| baseline.get(&result.name));
        result.is_worse_than(base) || result.executed_fewer_than(base)
    };
    let red_on_merge = |name: &str, tail: &str| Finding {
        rung: Rung::Landing,
        rule: "red-on-merge".to_owned(),
        path: None,
        what: format!("`{name}` is red when {id} is merged with what landed before it\n{tail}"),
        advice: "make it green on the present head of the run's branch".to_owned(),
    };
    let checks = &state.opening().goal.checks;
    let unanswered = checks.iter().filter(|check| !results.iter().any(|result| result.name == check.name));
    let red = results.iter().filter(|result| worse(result)).map(|result| red_on_merge(&result.name, &result.tail));
    let findings: Vec<Finding> =
        red.chain(unanswered.map(|check| red_on_merge(&check.name, "it gave no answer"))).collect();
    let why = findings.first().map_or_else(String::new, |finding| finding.what.clone());
    let next = again_or_keep(state, task, None, &why);
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
        let own = state.opening().roles.get(&task.draft.role).filter(|_| !task.again.resolves);
        let has_next = own.is_some_and(|role| role.agents.len() > agent as usize);
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
            splits: PathSet::default(),
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
    if !state.is_live() || found == state.head {
        return Vec::new();
    }
    let stands = found.map_or_else(|| "is gone".to_owned(), |found| format!("stands at {found}"));
    let head = state.head.map_or_else(String::new, |head| head.to_string());
    let opening = state.opening();
    let branch = format!("refs/heads/{}/{}/main", opening.config.branch_prefix, opening.run);
    let what = format!(
        "the run's branch {stands}, but the journal has it at {head}; put it back with \
         `git update-ref {branch} {head}`, then resume"
    );
    vec![Event::RunParked { why: Rest::Trouble { what } }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::Command;
    use crate::machine::due::Effect;
    use crate::machine::state::Status;
    use crate::machine::testing::{Scene, attempt, batch, candidate, draft, kinds, link, oid, verdict};
    use crate::model::attempt::{Handoff, Leftover, Outcome};
    use crate::model::role::AgentRef;

    /// Forms a batch of two accepted candidates.
    fn two() -> Scene {
        two_of(Scene::open())
    }

    fn two_of(scene: Scene) -> Scene {
        let scene = scene.begun().planned(vec![draft("a", "a"), draft("b", "b")]).queued(1).queued(2).settled();
        assert_eq!(scene.state.batch.as_ref().unwrap().members.len(), 2);
        scene
    }

    fn conflict(task: u32) -> Conflict {
        Conflict { attempt: attempt(task, 1), paths: vec!["a".into()] }
    }

    fn merge(chain: Vec<Link>, conflicts: Vec<Conflict>) -> Command {
        Command::ReportMerge { batch: batch(1), chain, conflicts }
    }

    #[test]
    fn a_batch_lands_as_the_tree_that_was_checked() {
        let scene = two().merged().checked(Answer::Green);
        let last = link(attempt(2, 1));
        let owed = Effect::Land { batch: batch(1), from: oid(1), to: last.commit, tree: last.tree };
        assert!(scene.owes().contains(&owed));
        let scene = scene.landed();
        assert_eq!((scene.state.head, scene.state.head_tree), (Some(last.commit), Some(last.tree)));
        assert_eq!(scene.status(1), &Status::Landed { commit: link(attempt(1, 1)).commit });
        assert!(scene.state.batch.is_none());
    }

    #[test]
    fn only_the_checked_tree_lands() {
        let scene = two().merged();
        let Command::ReportPrefix { batch: id, upto, results, tree } = scene.checking(Answer::Green) else {
            panic!("it is a check's answer")
        };
        let other = Command::ReportPrefix { batch: id, upto, tree: oid(9), results };
        let mismatch = |checked, landed| Rejection::TreeMismatch { batch: id, checked, landed };
        assert_eq!(scene.when(&other), Err(mismatch(oid(9), tree)));
        let scene = scene.checked(Answer::Green);
        let Command::ReportLanding { head, tree, .. } = scene.landing() else { panic!("it is a landing") };
        let other = Command::ReportLanding { batch: id, head, tree: oid(9) };
        assert_eq!(scene.when(&other), Err(mismatch(tree, oid(9))));
        let elsewhere = Command::ReportLanding { batch: id, head: oid(9), tree };
        assert_eq!(scene.when(&elsewhere), Err(Rejection::StaleBatch(id)));
    }

    #[test]
    fn reports_about_another_step_of_a_batch_are_refused() {
        let merging = two();
        let landing = merging.clone().merged().checked(Answer::Green).landing();
        let checking = merging.clone().merged().checking(Answer::Green);
        for early in [&landing, &checking] {
            assert_eq!(merging.when(early), Err(Rejection::StaleBatch(batch(1))));
        }
        let merged = merging.merged();
        let again = merge(vec![link(attempt(1, 1)), link(attempt(2, 1))], vec![]);
        assert_eq!(merged.when(&again), Err(Rejection::StaleBatch(batch(1))));
        let over = merged.checked(Answer::Green).landed();
        for late in [&landing, &checking, &again] {
            assert_eq!(over.when(late), Err(Rejection::StaleBatch(batch(1))));
        }
    }

    #[test]
    fn a_chain_holds_each_member_once_and_in_order() {
        let (one, other) = (link(attempt(1, 1)), link(attempt(2, 1)));
        let stranger = Conflict { attempt: attempt(7, 1), paths: vec![] };
        for command in [
            merge(vec![other.clone(), one.clone()], vec![]),
            merge(vec![one.clone()], vec![]),
            merge(vec![one.clone(), other.clone()], vec![conflict(2)]),
            merge(vec![one.clone(), other.clone()], vec![stranger]),
            merge(vec![one], vec![conflict(2), conflict(2)]),
        ] {
            assert_eq!(two().when(&command), Err(Rejection::BadChain(batch(1))), "{command:?}");
        }
    }

    #[test]
    fn a_conflicting_candidate_is_tried_again_on_the_new_base_and_then_kept() {
        let scene = two().does(merge(vec![link(attempt(1, 1))], vec![conflict(2)]));
        assert_eq!((scene.status(2), scene.task(2).conflicts), (&Status::Ready, 1));
        assert_eq!(scene.task(2).findings[0].rule, "conflict");
        let scene = scene.checked(Answer::Green).landed().settled();
        assert_eq!(scene.task(2).attempts[1].base, link(attempt(1, 1)).commit);
        let again = attempt(2, 2);
        let scene = scene.ends(again, candidate(2)).accepted(again).settled();
        let command = Command::ReportMerge {
            batch: batch(2),
            chain: vec![],
            conflicts: vec![Conflict { attempt: again, paths: vec!["b".into()] }],
        };
        let scene = scene.does(command);
        assert!(matches!(scene.status(2), Status::Kept { .. }), "one conflict is allowed");
        assert!(scene.state.batch.is_none(), "a batch without a clean member is over");
    }

    #[test]
    fn the_first_bad_member_goes_back_with_the_output_and_the_rest_lands() {
        let scene = two().merged().checked(Answer::Red).checked(Answer::Green).checked(Answer::Red);
        let scene = scene.landed();
        assert!(matches!(scene.status(1), Status::Landed { .. }));
        assert_eq!((scene.status(2), scene.task(2).again.tries), (&Status::Ready, 1));
        assert_eq!(scene.task(2).findings[0].rule, "red-on-merge");
        assert!(scene.task(2).findings[0].what.contains("the tail"));
    }

    #[test]
    fn members_after_the_culprit_wait_again_first_in_line() {
        let drafts = vec![draft("a", "a"), draft("b", "b"), draft("c", "c")];
        let scene = Scene::open().begun().planned(drafts).queued(1).queued(2).queued(3).settled().merged();
        let scene = scene.checked(Answer::Red).checked(Answer::Red).checked(Answer::Red).landed();
        assert_eq!(scene.state.queue, [attempt(2, 1), attempt(3, 1)]);
        assert_eq!(scene.state.head, Some(oid(1)), "an empty prefix moves nothing");
    }

    #[test]
    fn a_check_without_an_answer_is_red_and_still_says_what_is_wrong() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]).queued(1).settled().merged();
        let silent = |scene: &Scene| {
            let Command::ReportPrefix { batch, upto, tree, .. } = scene.checking(Answer::Red) else {
                panic!("it is a check's answer")
            };
            Command::ReportPrefix { batch, upto, tree, results: Vec::new() }
        };
        let once = silent(&scene);
        let scene = scene.does(once);
        let twice = silent(&scene);
        let scene = scene.does(twice).landed();
        assert!(scene.task(1).findings[0].what.contains("it gave no answer"));
    }

    #[test]
    fn a_red_that_turns_green_is_flaky_and_lands() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]).queued(1).settled().merged();
        let scene = scene.checked(Answer::Red);
        let Ok(events) = scene.when(&scene.checking(Answer::Green)) else { panic!("it is heard") };
        assert!(matches!(events[0], Event::PrefixChecked { green: true, flaky: true, .. }));
    }

    #[test]
    fn the_judge_s_answers_hold_for_the_very_tree_that_was_judged() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]).queued(1).settled();
        let Outcome::Candidate(it) = candidate(1) else { panic!("it is a candidate") };
        let same = merge(vec![Link { tree: it.tree, ..link(attempt(1, 1)) }], vec![]);
        assert_eq!(kinds(&scene.when(&same).unwrap()), ["BatchMerged", "PrefixChecked"]);
        let other = merge(vec![link(attempt(1, 1))], vec![]);
        assert_eq!(kinds(&scene.when(&other).unwrap()), ["BatchMerged"]);
    }

    #[test]
    fn without_checks_a_merged_batch_lands_as_it_is() {
        let scene = Scene::opened(|opening| opening.goal.checks.clear());
        let at = scene.state.opening().base;
        let scene = scene.does(Command::ReportBranch { at }).planned(vec![draft("a", "a")]).queued(1).settled();
        assert!(matches!(scene.merged().landed().status(1), Status::Landed { .. }));
    }

    #[test]
    fn leftovers_of_a_landed_attempt_go_to_the_next_agent_as_a_task_of_their_own() {
        let agents = vec![AgentRef::Codemod, AgentRef::Command("./fix.sh".into())];
        let scene = Scene::opened(|opening| opening.roles.get_mut("worker").unwrap().agents = agents);
        let left = |path: &str| Leftover { path: path.into(), line: 3, why: "no fix".into() };
        let handoff = Handoff { leftovers: vec![left("a"), left("outside")], ..Handoff::default() };
        let scene = scene.begun().planned(vec![draft("a", "a")]).ends_with(attempt(1, 1), candidate(1), handoff);
        let scene = scene.accepted(attempt(1, 1)).settled().merged().checked(Answer::Green).landed().settled();
        let rest = scene.task(2);
        assert_eq!(rest.draft.paths, PathSet::of_files(["a".to_owned()]), "what lies outside is not handed on");
        assert_eq!(rest.attempts[0].agent, AgentRef::Command("./fix.sh".into()));
        assert_eq!(rest.findings[0].rule, "leftover");
    }

    #[test]
    fn a_branch_that_somebody_moved_rests_the_run_until_it_is_put_back() {
        let scene = two();
        assert_eq!(scene.when(&Command::ReportBranchMoved { found: scene.state.head }), Ok(Vec::new()));
        let scene = scene.does(Command::ReportBranchMoved { found: None });
        assert!(matches!(&scene.state.rest, Some(Rest::Trouble { what }) if what.contains("is gone")));
        assert!(scene.owes().is_empty());
    }

    #[test]
    fn an_ended_run_does_not_rest() {
        let scene = Scene::open().begun().planned(vec![]).looked(Answer::Green);
        assert!(scene.state.end.is_some());
        assert_eq!(scene.when(&Command::ReportBranchMoved { found: None }), Ok(Vec::new()));
    }

    #[test]
    fn a_revert_is_tried_once() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]).lands(1);
        let scene = scene.asks(crate::machine::command::Ask::Revert(attempt(1, 1).task)).settled();
        let id = attempt(2, 1);
        assert_eq!(scene.task(2).attempts[0].agent, AgentRef::Revert);
        let scene = scene.ends(id, candidate(2)).does(verdict(id, Ruling::Reject));
        assert!(matches!(scene.status(2), Status::Kept { .. }), "the same would come of it again");
    }
}
