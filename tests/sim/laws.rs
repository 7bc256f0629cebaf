//! Owns the laws that hold in every state, and what a decision may answer to a command.

use std::collections::BTreeSet;

use artel::machine::command::{Ask, Command};
use artel::machine::due::Effect;
use artel::machine::event::Event;
use artel::machine::state::{Planning, Scope, State, Status, Task};
use artel::machine::tally::Tally;
use artel::model::gating::Then;
use artel::model::ids::{AttemptId, ScopeId, TaskId};
use artel::model::seat::Seat;
use artel::model::task::Work;

pub use artel::machine::laws::{Broken, Law, broken, law};

pub use crate::ledger::Ledger;

/// Holds a decision against what the command may bring at all.
pub fn answers_to(state: &State, command: &Command, events: &[Event]) -> Law {
    let opens = |event: &Event| matches!(event, Event::GatePassed { .. } | Event::CandidateApproved { .. });
    for (at, _) in events.iter().enumerate().filter(|(_, event)| opens(event)) {
        let is_asked = matches!(command, Command::Request { .. });
        let before = at.checked_sub(1).and_then(|before| events.get(before));
        let is_late = matches!(before, Some(Event::WordOverdue { then: Then::Approve, .. }));
        law(is_asked || is_late, || "a gate opened without a person's word".to_owned())?;
    }
    for (at, _) in events.iter().enumerate().filter(|(_, it)| matches!(it, Event::QuestionAnswered { .. })) {
        let is_asked = matches!(command, Command::Request { .. });
        let before = at.checked_sub(1).and_then(|before| events.get(before));
        let is_late = matches!(before, Some(Event::WordOverdue { then: Then::Approve | Then::Deny, .. }));
        law(is_asked || is_late, || "a question is answered by nobody".to_owned())?;
    }
    match command {
        Command::Request { id, ask } => {
            let is_old = state.answered.contains_key(id);
            law(is_old == events.is_empty(), || format!("request {id} must be answered exactly once"))?;
            means(state, ask, events)
        }
        Command::ReportAttempt { attempt, fence, .. }
        | Command::RenewLease { attempt, fence }
        | Command::ReportLimited { attempt, fence, .. } => holds(state, Seat::Attempt(*attempt), *fence),
        Command::AskAllowance { seat, fence, .. }
        | Command::ReturnAllowance { seat, fence, .. }
        | Command::ReportOutOfMoney { seat, fence, .. }
        | Command::ReportHeard { seat, fence, .. }
        | Command::LeaveSeat { seat, fence, .. } => holds(state, *seat, *fence),
        Command::ReportRunVerdict { iteration, fence, .. } => {
            law(state.conditions.is_some(), || "the run was judged and nobody had looked".to_owned())?;
            holds(state, Seat::RunJudge { iteration: *iteration }, *fence)
        }
        Command::ReportReview { attempt, lens, fence, .. } => {
            law(state.reviewing.contains(attempt), || {
                format!("a review of {attempt} was heard, which waits for none")
            })?;
            holds(state, Seat::Judge { attempt: *attempt, lens: *lens }, *fence)
        }
        Command::ReportVerdict { attempt, .. } => {
            law(state.judging.contains(attempt), || format!("a verdict on {attempt} was heard, which waits for none"))
        }
        Command::ReportPlan { scope, wake, fence, .. } => {
            let plans = state.scopes.get(scope).is_some_and(|it| it.wake == *wake && it.status == Planning::Active);
            law(plans, || format!("{scope} was heard in waking {wake}, in which it does not plan"))?;
            if *fence == 0 { Ok(()) } else { holds(state, Seat::Planner { scope: *scope, wake: *wake }, *fence) }
        }
        Command::Advance => {
            law(state.is_live() || events.is_empty(), || "time alone moved a run that rests or has ended".to_owned())
        }
        Command::LetLapse
        | Command::Open(_)
        | Command::Wake { .. }
        | Command::ReportBranch { .. }
        | Command::ReportBaseline { .. }
        | Command::ReportLost { .. }
        | Command::ReportCall { .. }
        | Command::KeepTranscript { .. }
        | Command::ReportMerge { .. }
        | Command::ReportPrefix { .. }
        | Command::ReportLanding { .. }
        | Command::ReportBranchMoved { .. }
        | Command::ReportConditions { .. }
        | Command::ReportDelivery { .. }
        | Command::ReportSpace { .. }
        | Command::ReportTrouble { .. } => Ok(()),
    }
}

/// Holds that a word is taken for what it was given on.
fn means(state: &State, ask: &Ask, events: &[Event]) -> Law {
    for event in events {
        if let (Ask::ApproveCandidate { commit: said, .. }, Event::CandidateApproved { commit, .. }) = (ask, event) {
            law(said == commit, || format!("a word on {said} is taken for one on {commit}"))?;
        }
        if let (Ask::ApproveDelivery { head, .. }, Event::DeliveryAsked { branch }) = (ask, event) {
            let waiting = state.asked.delivery.as_ref().map(|it| it.head);
            law(waiting == Some(*head), || format!("a word on {head} delivers {waiting:?} into {branch}"))?;
        }
        if let (Ask::ApproveGate { shown, .. }, Event::GatePassed { .. }) = (ask, event) {
            let present = state.shown();
            law(*shown == present, || format!("a word on {shown:?} is taken for one on {present:?}"))?;
        }
        if let (Ask::SendPlanBack(objection), Event::PlanSentBack { .. }) = (ask, event) {
            let (shown, present) = (objection.shown, state.shown());
            law(shown == present, || format!("what {shown:?} showed is sent back as {present:?}"))?;
        }
        if let (Ask::AnswerQuestion { seat: of, number: said, .. }, Event::QuestionAnswered { seat, number, .. }) =
            (ask, event)
        {
            law((of, said) == (seat, number), || format!("an answer to {said} of {of} is one to {number} of {seat}"))?;
        }
        if let (Ask::EditPlan(edit), Event::PlanEdited { .. }) = (ask, event) {
            let present = state.asked.edits;
            law(edit.revision == present, || format!("an edit of {} is taken for one of {present}", edit.revision))?;
        }
    }
    Ok(())
}

/// Holds that whoever spoke is at work under that fence.
fn holds(state: &State, seat: Seat, fence: u64) -> Law {
    let is_at_work = match seat {
        Seat::Attempt(id) => state.running.contains(&id) && state.attempt(id).is_some_and(|it| it.fence == fence),
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => {
            state.sitting.get(&seat).is_some_and(|it| it.fence == fence)
        }
    };
    law(is_at_work, || format!("a stale fence of {seat} was heard"))
}

/// Holds what is owed against the state.
pub fn owed(state: &State, owed: &[Effect]) -> Law {
    let different: BTreeSet<&Effect> = owed.iter().collect();
    law(different.len() == owed.len(), || format!("something is owed twice: {owed:?}"))?;
    let only_delivery = owed.iter().all(|effect| matches!(effect, Effect::Deliver { .. }));
    law(state.end.is_none() || only_delivery, || format!("an ended run owes {owed:?}"))
}

/// Holds every law of a state.
pub fn hold(state: &State) -> Law {
    if state.opening.is_none() {
        return Ok(());
    }
    tally(state)?;
    parked(state)?;
    questions(state)?;
    indexes(state)?;
    waiting(state)?;
    ranks(state)?;
    side_by_side(state)?;
    reverts(state)?;
    sent_back(state)?;
    scopes(state)
}

/// Holds that a session waits to be taken up only where somebody is still wanted and nobody sits.
fn parked(state: &State) -> Law {
    for (seat, parked) in &state.parked {
        let is_wanted = match seat {
            Seat::Attempt(_) => false,
            Seat::Planner { scope, wake } => {
                let of = &state.scopes[scope];
                of.wake == *wake && of.status == Planning::Active
            }
            Seat::Judge { attempt, lens } => {
                let reviews = state.attempt(*attempt).map_or(0, |it| it.reviews.len());
                state.reviewing.contains(attempt) && reviews as u32 + 1 == *lens
            }
            Seat::RunJudge { iteration } => *iteration == state.iteration && state.conditions.is_some(),
        };
        let is_free = !state.sitting.contains_key(seat) && parked.fence <= state.seatings;
        law(is_wanted && is_free, || format!("{parked:?} waits at {seat}, where nobody is wanted"))?;
    }
    Ok(())
}

/// Holds that a question waits only where somebody is still wanted, and nobody sits.
fn questions(state: &State) -> Law {
    for (seat, number, _) in state.open_questions() {
        let is_free = !state.sitting.contains_key(&seat) && state.is_to_be_said(seat);
        law(is_free && number <= 3, || format!("question {number} waits at {seat}"))?;
    }
    Ok(())
}

fn tally(state: &State) -> Law {
    let mut recount = Tally::default();
    for task in state.tasks.values() {
        *recount.of(&task.status) += 1;
    }
    law(recount == state.tally, || format!("the tally is {:?}, a recount gives {recount:?}", state.tally))
}

/// Lists the last attempts of tasks that stand there, in order.
fn last_of(state: &State, is: fn(&Status) -> bool) -> impl Iterator<Item = AttemptId> {
    let tasks = state.tasks.iter().filter(move |(_, task)| is(&task.status));
    tasks.map(|(id, task)| AttemptId { task: *id, number: task.attempts.len() as u32 })
}

fn indexes(state: &State) -> Law {
    for urgency in &state.ready {
        let task = &state.tasks[&urgency.task];
        let is_true = task.status == Status::Ready && urgency.slack == u64::MAX - task.rank;
        law(is_true, || format!("{urgency:?} is {:?} of rank {}", task.status, task.rank))?;
    }
    let ready = last_of(state, |status| *status == Status::Ready).count();
    law(ready == state.ready.len(), || format!("{ready} tasks are ready, and the index has {:?}", state.ready))?;
    let is_running = last_of(state, |status| *status == Status::Running).eq(state.running.iter().copied());
    law(is_running, || format!("{:?} do not run", state.running))?;
    let members = state.batch.iter().flat_map(|batch| &batch.members);
    for (id, scope) in &state.scopes {
        let open = state.tasks.values().filter(|task| task.scope == *id && !task.status.is_settled()).count();
        law(open == scope.open as usize, || format!("{id} has {open} open tasks, and {} are counted", scope.open))?;
    }
    for (index, is) in [(&state.splits, Task::is_open_split as fn(&Task) -> bool), (&state.has_split, Task::has_split)]
    {
        let recount = state.tasks.iter().filter(|(_, task)| is(task)).map(|(id, _)| id);
        law(index.iter().eq(recount), || format!("{index:?} are said to split a file"))?;
    }
    same(state.judging.iter().chain(&state.reviewing), last_of(state, |status| *status == Status::Judging))?;
    same(state.asked.candidates.keys(), last_of(state, |status| *status == Status::Gated))?;
    let granted = state.asked.granted.keys().find(|id| state.tasks[&id.task].status != Status::Queued);
    law(granted.is_none(), || format!("{granted:?} has a word and does not wait to land"))?;
    same(state.queue.iter().chain(members), last_of(state, |status| *status == Status::Queued))
}

/// Holds that an index lists just these, once each, in whatever order.
fn same<'a>(index: impl IntoIterator<Item = &'a AttemptId>, recount: impl Iterator<Item = AttemptId>) -> Law {
    let mut index: Vec<AttemptId> = index.into_iter().copied().collect();
    index.sort_unstable();
    let recount: Vec<AttemptId> = recount.collect();
    law(index == recount, || format!("the index has {index:?}, a recount gives {recount:?}"))
}

fn waiting(state: &State) -> Law {
    for (id, task) in &state.tasks {
        let is_waiting = task.status == Status::Waiting;
        // What was given up while it waited keeps what it waited for.
        let is_given_up = matches!(task.status, Status::Dropped { .. });
        law(is_given_up || is_waiting != task.waits_for.is_empty(), || {
            format!("{id} is {:?}: {:?}", task.status, task.waits_for)
        })?;
        for before in &task.waits_for {
            let status = &state.tasks[before].status;
            let holds = task.after.contains(before) && !status.lets_followers_start();
            law(holds, || format!("{id} waits for {before}, which is {status:?}"))?;
        }
    }
    Ok(())
}

fn ranks(state: &State) -> Law {
    for (id, task) in &state.tasks {
        let longest = task.followers.iter().map(|follower| state.tasks[follower].rank).max().unwrap_or(0);
        let recount = task.draft.weight.max(1) + longest;
        law(task.rank == recount, || format!("{id} has rank {}, a recount gives {recount}", task.rank))?;
    }
    Ok(())
}

fn side_by_side(state: &State) -> Law {
    let workers = state.opening().workers as usize;
    law(state.running.len() <= workers, || format!("{} attempts run for {workers} workers", state.running.len()))?;
    let at_work: Vec<AttemptId> = state.running.iter().chain(&state.judging).copied().collect();
    for (at, one) in at_work.iter().enumerate() {
        for other in &at_work[at + 1..] {
            let paths = |id: &AttemptId| &state.tasks[&id.task].draft.paths;
            law(!paths(one).overlaps(paths(other)), || format!("{one} and {other} own overlapping paths"))?;
        }
    }
    Ok(())
}

fn scopes(state: &State) -> Law {
    let above = |mut id: ScopeId| {
        let mut line = vec![id];
        while let Some(parent) = state.scopes[&id].parent {
            line.push(parent);
            id = parent;
        }
        line
    };
    let stands = |scope: &Scope| scope.status != Planning::SentBack;
    for (id, scope) in state.scopes.iter().filter(|(_, scope)| stands(scope)) {
        if let Some(parent) = scope.parent {
            let parent = &state.scopes[&parent];
            law(parent.draft.paths.covers(&scope.draft.paths), || format!("{id} reaches outside its parent"))?;
        }
        for (other, beside) in state.scopes.range(..id).filter(|(_, beside)| stands(beside)) {
            let siblings = scope.parent == beside.parent && scope.iteration == beside.iteration;
            let overlap = siblings && scope.draft.paths.overlaps(&beside.draft.paths);
            law(!overlap, || format!("{id} overlaps its sibling {other}"))?;
            let shared = scope.draft.decisions.intersection(&beside.draft.decisions).next();
            let related = shared.is_none() || above(*id).contains(other);
            law(related, || format!("{id} and {other} both own {shared:?}"))?;
        }
    }
    Ok(())
}

/// Nothing of a plan that was sent back is to be done, and nothing of another is lost with it.
fn sent_back(state: &State) -> Law {
    for (id, task) in &state.tasks {
        let is_gone = state.was_sent_back(*id);
        law(!is_gone || matches!(task.status, Status::Dropped { .. }), || format!("{id} was sent back and stands"))?;
        let of_old = id.0 <= state.asked.sent_back_upto;
        law(of_old || !is_gone, || format!("{id} is of the plan that stands and has lost its key"))?;
    }
    let old = |id: &TaskId| id.0 <= state.asked.sent_back_upto;
    let waits = state.tasks.iter().filter(|(id, _)| !old(id)).flat_map(|(_, task)| &task.after);
    let gone = waits.copied().find(|before| state.was_sent_back(*before));
    law(gone.is_none(), || format!("{gone:?} was sent back and is waited for"))
}

/// What took a landed task back out says so on that task.
fn reverts(state: &State) -> Law {
    for (id, task) in &state.tasks {
        if let (Work::Revert(out), Status::Landed { .. }) = (&task.work, &task.status) {
            let status = &state.tasks[out].status;
            law(*status == Status::Reverted { by: *id }, || format!("{id} took {out} out, which is {status:?}"))?;
        }
    }
    Ok(())
}

/// Tells whether a run that has ended by itself left nothing that could still have moved.
pub fn all_ended(state: &State) -> Law {
    let refuses = |task: &Task| task.status.is_settled() && !task.status.lets_followers_start();
    let is_held_up = state.tasks.values().any(|task| task.sample && refuses(task));
    law(state.sample_accepted || is_held_up, || "the sweep never began and no task of the sample says why".to_owned())?;
    law(!state.has_work_under_way(), || "the run ended while work was under way".to_owned())?;
    law(state.planning.is_empty(), || "the run ended while planners planned".to_owned())?;
    for (id, task) in &state.tasks {
        let ended = match &task.status {
            Status::Waiting => task.waits_for.iter().all(|before| !state.tasks[before].status.lets_followers_start()),
            Status::Ready => !state.sample_accepted && !task.sample,
            Status::Running | Status::Judging | Status::Gated | Status::Queued => false,
            Status::Landed { .. }
            | Status::Nothing
            | Status::Kept { .. }
            | Status::Blocked { .. }
            | Status::Dropped { .. }
            | Status::Reverted { .. } => true,
        };
        law(ended, || format!("the run ended and {id} is {:?}", task.status))?;
    }
    Ok(())
}
