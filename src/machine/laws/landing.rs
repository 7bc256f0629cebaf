//! Owns the laws of landing: only what was accepted, only as the tree that was checked, only on the head, only once.

use super::asked::is_not_held;
use super::broken::{Broken, Law, broken, law};
use super::tasks::{attempt, task, tried};
use super::words::{candidate_granted, granted};
use crate::machine::command::Link;
use crate::machine::event::Next;
use crate::machine::state::{Batch, BatchStep, State, Status};
use crate::model::check::{Answer, Check, CheckResult};
use crate::model::ids::{AttemptId, BatchId, Oid};
use crate::model::verdict::Finding;

/// Tells whether each of these checks was answered, and none worse than on the base.
pub(super) fn held<'a>(state: &State, mut wanted: impl Iterator<Item = &'a Check>, results: &[CheckResult]) -> bool {
    wanted.all(|check| {
        let base = state.baseline.as_ref().and_then(|baseline| baseline.get(&check.name));
        let is_good = |it: &CheckResult| !it.is_worse_than(base) && !it.executed_fewer_than(base);
        results.iter().any(|result| result.name == check.name && is_good(result))
    })
}

pub(super) fn batch(state: &State, id: BatchId) -> Result<&Batch, Broken> {
    let batch = state.batch.as_ref().filter(|batch| batch.id == id);
    batch.ok_or_else(|| broken(format!("batch {id} is not landing")))
}

/// Holds that a candidate waits to land by a verdict's or a person's word, and has not landed.
fn may_land(state: &State, id: AttemptId) -> Law {
    let (task, attempt) = (task(state, id.task)?, attempt(state, id)?);
    let is_last = id.number as usize == task.attempts.len();
    law(is_last && task.status == Status::Queued, || format!("{id} is {} and lands", task.status.word()))?;
    let is_accepted = attempt.next == Some(Next::Queue) && attempt.candidate().is_some();
    law(is_accepted, || format!("{id} lands and nobody accepted it"))?;
    law(attempt.landed.is_none(), || format!("{id} lands twice"))
}

pub(super) fn formed(state: &State, members: &[AttemptId], onto: Oid) -> Law {
    law(state.batch.is_none(), || "a batch is formed while another lands".to_owned())?;
    law(state.head == Some(onto), || format!("a batch is formed on {onto}, which is not the head"))?;
    members.iter().try_for_each(|member| may_land(state, *member).and_then(|()| is_not_held(state, *member)))?;
    members.iter().try_for_each(|member| candidate_granted(state, *member))
}

pub(super) fn merged(state: &State, id: BatchId, chain: &[Link]) -> Law {
    let batch = batch(state, id)?;
    law(batch.step == BatchStep::Merging, || format!("batch {id} is merged again"))?;
    let mut members = batch.members.iter();
    let is_in_order = chain.iter().all(|link| members.any(|member| *member == link.attempt));
    law(is_in_order, || format!("the chain of {id} does not hold its members in order"))
}

pub(super) fn checked(
    state: &State,
    id: BatchId,
    (upto, tree): (u32, Oid),
    results: &[CheckResult],
    (green, flaky): (bool, bool),
) -> Law {
    let BatchStep::Checking { chain, search, .. } = &batch(state, id)?.step else {
        return Err(broken(format!("batch {id} waits for no check")));
    };
    let link = (upto as usize).checked_sub(1).and_then(|last| chain.get(last));
    law(link.is_some_and(|link| link.tree == tree), || format!("tree {tree} is not prefix {upto} of {id}"))?;
    let holds = held(state, state.opening().goal.checks.iter(), results);
    law(holds == green, || format!("tree {tree} is taken for {} and is not", if green { "green" } else { "red" }))?;
    let was_doubted = search.red == Some(upto) || results.iter().any(|result| result.answer == Answer::Flaky);
    law(!green || flaky == was_doubted, || format!("tree {tree} is green after a doubt and is not marked flaky"))
}

pub(super) fn ejected(state: &State, id: BatchId, member: AttemptId, findings: &[Finding], next: &Next) -> Law {
    let batch = batch(state, id)?;
    law(batch.members.contains(&member), || format!("{member} is ejected from {id} and is no member"))?;
    law(!findings.is_empty(), || format!("{member} is ejected without a finding"))?;
    law(matches!(next, Next::Again(_) | Next::Keep { .. }), || format!("{member} is ejected and becomes {next:?}"))?;
    if findings.iter().all(|finding| finding.rule == "conflict") {
        let task = task(state, member.task)?;
        let may_go_on = task.conflicts < state.opening().goal.landing.conflicts;
        return law(may_go_on || matches!(next, Next::Keep { .. }), || {
            format!("{} conflicted {} times before and is tried again", member.task, task.conflicts)
        });
    }
    let culprit = match &batch.step {
        BatchStep::Landing { culprit, .. } => culprit.as_ref().map(|(culprit, _)| *culprit),
        BatchStep::Merging | BatchStep::Checking { .. } => None,
    };
    law(culprit == Some(member), || format!("{member} is ejected and {culprit:?} made {id} red"))?;
    tried(state, member, next)
}

pub(super) fn landed(state: &State, id: BatchId, landed: &[Link], (head, tree): (Oid, Oid), is_flaky: bool) -> Law {
    let batch = batch(state, id)?;
    let BatchStep::Landing { chain, upto, checked, flaky, .. } = &batch.step else {
        return Err(broken(format!("{id} lands and was not checked")));
    };
    law(state.head == Some(batch.onto), || format!("{id} lands on another head than it was merged on"))?;
    law(chain.get(..*upto as usize) == Some(landed), || format!("{id} lands more or less than its green prefix"))?;
    let is_tip = landed.last().is_some_and(|last| last.commit == head && last.tree == tree);
    law(is_tip, || format!("{id} lands as {head}, which is not its last merge"))?;
    law(tree == *checked, || format!("tree {tree} lands, and tree {checked} was checked"))?;
    law(is_flaky == *flaky, || format!("{id} lands on a flaky green and is not marked so"))?;
    landed.iter().try_for_each(|link| may_land(state, link.attempt))?;
    landed.iter().try_for_each(|link| granted(state, link.attempt, &link.extent))
}
