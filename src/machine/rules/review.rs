//! Owns what becomes of a candidate that a judge's session looked at: each lens can only veto, and judging comes to an
//! end, because after some rounds no new class of fault counts.

use std::collections::BTreeSet;

use crate::machine::event::{Event, Left, Next};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::again_or_keep;
use crate::machine::rules::seat::{lens_of, sits};
use crate::machine::state::{State, Task};
use crate::model::attempt::Usage;
use crate::model::ids::AttemptId;
use crate::model::review::{Criterion, Lens, Review};
use crate::model::role::Role;
use crate::model::seat::Seat;
use crate::model::verdict::{Finding, Ruling, Rung};

pub(in crate::machine) fn report(
    state: &State,
    (id, lens, fence): (AttemptId, u32, u64),
    review: &Review,
    usage: Usage,
) -> Result<Vec<Event>, Rejection> {
    let seat = Seat::Judge { attempt: id, lens };
    let sitting = sits(state, seat, fence)?;
    let task = state.tasks.get(&id.task).ok_or(Rejection::NoTask(id.task))?;
    let attempt = state.attempt(id).filter(|_| state.reviewing.contains(&id)).ok_or(Rejection::NotJudged(id))?;
    let judge = state.judge().ok_or(Rejection::NotJudged(id))?;
    let review = Review { lens: lens_of(state, lens), judge: sitting.agent.to_string(), ..review.clone() };
    let review = converged(task, judge, review);
    let why = || review.findings.first().map(|finding| finding.what.clone()).ok_or(Rejection::NoFinding(id));
    let next = match review.ruling {
        Ruling::Accept if lens as usize >= state.lenses().len() => Next::Queue,
        Ruling::Accept => Next::Review,
        Ruling::Reject => again_or_keep(state, task, attempt.candidate().map(|candidate| candidate.commit), &why()?),
        Ruling::Restart => again_or_keep(state, task, None, &why()?),
    };
    let left = Event::SeatLeft { seat, left: Left::Done, usage, turn: None };
    Ok(vec![Event::CandidateReviewed { attempt: id, review, next }, left])
}

/// Counts what a judge says: a criterion below its least score is a finding, faults of a new class count only in the first
/// rounds, and what is left decides.
fn converged(task: &Task, judge: &Role, mut review: Review) -> Review {
    let findings = std::mem::take(&mut review.findings);
    let (counts, late) = match classes_before(task, review.lens) {
        (rounds, classes) if rounds >= judge.limits.rounds.max(1) => {
            findings.into_iter().partition(|finding| classes.contains(finding.rule.as_str()))
        }
        _ => (findings, Vec::new()),
    };
    review.findings = counts;
    review.notes.extend(late);
    let too_low = too_low(&review, &judge.scored());
    review.findings.extend(too_low);
    review.ruling = match review.ruling {
        _ if review.findings.is_empty() => Ruling::Accept,
        Ruling::Accept | Ruling::Reject => Ruling::Reject,
        Ruling::Restart => Ruling::Restart,
    };
    review
}

/// Counts the rounds in which a lens looked at a task's candidates, and the classes of fault that it named.
fn classes_before(task: &Task, lens: Lens) -> (u32, BTreeSet<&str>) {
    let mut rounds = 0;
    let mut classes = BTreeSet::new();
    for review in task.attempts.iter().flat_map(|attempt| &attempt.reviews).filter(|review| review.lens == lens) {
        rounds += 1;
        classes.extend(review.findings.iter().map(|finding| finding.rule.as_str()));
    }
    (rounds, classes)
}

/// Lists the criteria that are not held, as findings.
fn too_low(review: &Review, criteria: &[Criterion]) -> Vec<Finding> {
    let found = criteria.iter().filter_map(|criterion| {
        let score = review.scores.iter().find(|score| score.criterion == criterion.name);
        let given = score.map_or(0, |score| score.score);
        let evidence = score.map_or("it was not scored", |score| score.evidence.as_str());
        (given < criterion.least).then(|| Finding {
            rung: Rung::Review,
            rule: format!("low-{}", criterion.name),
            path: None,
            what: format!("{}: {given} of 10, and {} are needed: {evidence}", criterion.name, criterion.least),
            advice: format!("make it so that {}", criterion.about),
        })
    });
    found.collect()
}
