//! Owns the seeded bugs: what goes wrong in the machine or around it if one of its laws were forgotten. Each is put in
//! where the machine meets the world, so that the machine itself knows nothing of them; the laws must find them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use artel::machine::asked::Heard;
use artel::machine::command::{Ask, Command, PlanStep};
use artel::machine::decide;
use artel::machine::due::Effect;
use artel::machine::event::{End, Event, Left, Next, Recorded, Turn};
use artel::machine::evolve::evolve;
use artel::machine::questions::Reply;
use artel::machine::rejection::Rejection;
use artel::machine::state::{BatchStep, Flow, Planning, State, Status, Urgency};
use artel::model::attempt::Outcome;
use artel::model::check::Answer;
use artel::model::goal::Gate;
use artel::model::ids::{AttemptId, ScopeId, TaskId};
use artel::model::means::Bounds;
use artel::model::seat::Seat;
use artel::model::verdict::Ruling;

use crate::repo::{Repo, Swap};

macro_rules! mutants {
    ($($(#[doc = $what:literal])* $name:ident,)*) => {
        /// Names a seeded bug by what is forgotten.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mutant {
            $($(#[doc = $what])* $name,)*
        }

        pub const ALL: &[Mutant] = &[$(Mutant::$name,)*];
    };
}

mutants! {
    /// A report is heard under any fence.
    NoFence,
    /// A report is heard though the lease was lost.
    LateReportHeard,
    /// A lease that lapsed goes on.
    LeaseNeverLapses,
    /// Attempts are handed out beyond the budget.
    AttemptsNotCounted,
    /// Attempts under way are not counted against the budget.
    NotReserved,
    /// Processor time is spent beyond the budget.
    CpuNotCounted,
    /// Tokens are used beyond the budget of the run.
    TokensNotCounted,
    /// Calls are made beyond the budget of the run.
    CallsNotCounted,
    /// A role uses more than its budget.
    RoleNotCounted,
    /// The attempts at a task use more than its budget.
    TaskNotCounted,
    /// More run than there are workers.
    WorkersNotCounted,
    /// The branch is moved without a look at where it stands.
    SwapWithoutCompare,
    /// The answer of the compare-and-swap is not looked at.
    SwapBelieved,
    /// A landing that was done before the crash is not recognised.
    LandingNotReconciled,
    /// What a dead coordinator had running is taken for running still.
    RunningNotReconciled,
    /// What was landing is not taken up again after a crash.
    LandingForgotten,
    /// A coordinator that was passed over can still write.
    EpochNotChecked,
    /// Events are believed and not stored.
    BelievedUnstored,
    /// A candidate waits to land without a verdict.
    NotJudged,
    /// A candidate is accepted though its checks are red.
    AcceptedUnchecked,
    /// The author's own verdict is heard.
    JudgedByAuthor,
    /// A verdict is heard again.
    VerdictHeardTwice,
    /// A candidate stands on another base than its lease.
    CandidateOnAnotherBase,
    /// The answers on one tree count for another.
    CheckedTreeNotCompared,
    /// Another tree lands than the one that was checked.
    LandedTreeNotCompared,
    /// A batch is formed on what is not the head.
    BatchOnOldHead,
    /// Members after the culprit land with those before it.
    LandsBeyondGreen,
    /// Another member than the culprit is ejected.
    WrongMemberEjected,
    /// One red is enough to eject.
    RedBelievedAtOnce,
    /// A merge that leaves members out is taken.
    BadChainTaken,
    /// What was in a batch that closed is forgotten.
    MembersForgotten,
    /// A green after a red is not marked as flaky.
    FlakyNotMarked,
    /// A batch that landed on a flaky green is not marked so.
    FlakyForgotten,
    /// Work is handed to an agent that waits for a limit.
    LimitIgnored,
    /// A limit that was met costs a try.
    LimitCostsATry,
    /// Conflicts are tried again without a bound.
    ConflictsNotCounted,
    /// A task is tried again without a bound.
    TriesNotCounted,
    /// A task that kills its workers is tried again without a bound.
    PoisonNeverKept,
    /// Tasks that own the same paths run side by side.
    OwnersNotCompared,
    /// A task that conflicted starts beside what is about to land on its paths.
    ConflictForgotten,
    /// What touches a file that is being split is begun and lands.
    FreezeIgnored,
    /// Two tasks split a file at one time.
    SplitsNotCompared,
    /// A decision is taken again.
    DecidedAgain,
    /// A task may change more than it asked for.
    GrantedBeyond,
    /// A planner lets a task change what lies outside the planner's own scope.
    GrantedOutsideScope,
    /// What a task asks for is put before a planner whose scope does not hold it.
    AskedElsewhere,
    /// A task asks for more again and again.
    AsksNotCounted,
    /// What was heard is heard again.
    HeardTwice,
    /// A task starts before what it waits for.
    DependencyIgnored,
    /// The sweep starts before the sample is in.
    SampleIgnored,
    /// Work is handed out while the run drains.
    DrainIgnored,
    /// Work starts before the plan was approved.
    PlanNotApproved,
    /// A gate opens by itself.
    GateOpensAlone,
    /// A resting run is moved by time.
    RestIgnored,
    /// Sub-planners get parts that overlap.
    ScopesOverlap,
    /// A planner hands out tasks outside its scope.
    TaskOutsideScope,
    /// A planner that finished is still heard.
    LatePlannerHeard,
    /// What a planner was told is told again.
    HandoffGivenTwice,
    /// A request is carried out again.
    RequestCarriedOutTwice,
    /// A task is taken out twice.
    RevertedTwice,
    /// A delivery is reported that nobody asked for.
    DeliveryUnasked,
    /// Kept tasks are passed over when the run ends.
    KeptIsDone,
    /// Red conditions are passed over when the run ends.
    RedIsDone,
    /// A run ends without the word of its judge.
    RunJudgeSkipped,
    /// The run's judge says done over what does not hold.
    DoneOverRed,
    /// A review is heard of somebody who does not sit there.
    ReviewUnseated,
    /// A planner or judge that was cut off is still heard.
    SeatFenceIgnored,
    /// A candidate waits to land though its judge has not looked at it.
    ReviewSkipped,
    /// A candidate waits to land though not each lens has looked at it.
    LensSkipped,
    /// What was held for a session that was cut off is free again.
    CutNotCounted,
    /// Who failed at a seat sits there again without a bound.
    TurnsNotCounted,
    /// The session of another is taken up.
    SessionOfAnother,
    /// A session that was taken up and has ended is taken up again.
    SessionTakenUpTwice,
    /// A candidate that a rule holds back is not asked about.
    CandidateNotAsked,
    /// What merging makes of a candidate is not held against its word.
    MergedNotMeasured,
    /// A candidate that waits for a word goes on by itself.
    CandidateApprovedAlone,
    /// A word on one candidate counts for another.
    WordOnAnother,
    /// A word counts for what lands after it too.
    WordUsedTwice,
    /// A word that does not come is waited for without end.
    WordNeverOverdue,
    /// A run goes on though it has spent what a person is asked about.
    SpendingNotAsked,
    /// What waits for a word is delivered at once.
    DeliveryNotAsked,
    /// An edit of the plan reaches outside its scopes.
    EditOutsideScope,
    /// An edit of an older plan is taken.
    OldPlanEdited,
    /// A word on a gate counts for what waits there by then.
    OldGateApproved,
    /// A plan is sent back by a word on an older one.
    OldPlanSentBack,
    /// A plan is sent back, and its tasks stand.
    SentBackStands,
    /// Somebody sits down where a question waits for its answer.
    SeatTakenUnanswered,
    /// An answer on one question counts for another.
    AnswerOnAnother,
    /// An answer is believed and brings nothing.
    AnswerForgotten,
}

/// Decides as the machine would with that bug.
pub fn decide(mutant: Option<Mutant>, state: &State, command: &Command, now_ms: i64) -> Result<Vec<Event>, Rejection> {
    let Some(mutant) = mutant.filter(|_| state.opening.is_some()) else {
        return decide::decide(state, command, now_ms);
    };
    let (seen, heard) = (blinded(mutant, state, command), bent(mutant, state, command));
    match decide::decide(&seen, &heard, now_ms) {
        Ok(events) => Ok(spoilt(mutant, state, command, events)),
        Err(why) => forgiven(mutant, state, command).ok_or(why),
    }
}

/// Hides from `decide` what the bug does not look at.
fn blinded<'a>(mutant: Mutant, state: &'a State, command: &Command) -> Cow<'a, State> {
    let mut seen = state.clone();
    let is_time = matches!(command, Command::Advance);
    match (mutant, command) {
        (Mutant::AttemptsNotCounted, _) if is_time => seen.budget.attempts = None,
        (Mutant::NotReserved, _) if is_time => {
            seen.budget.attempts = seen.budget.attempts.map(|limit| limit + state.running.len() as u64);
        }
        (Mutant::CpuNotCounted, _) if is_time => seen.budget.cpu_s = None,
        (Mutant::WorkersNotCounted, _) if is_time => opening(&mut seen).workers += 3,
        (Mutant::OwnersNotCompared, _) if is_time => {
            for id in state.running.iter().chain(&state.judging) {
                task(&mut seen, id.task).draft.paths.files.clear();
                task(&mut seen, id.task).draft.paths.folders.clear();
            }
        }
        (Mutant::ConflictForgotten, _) if is_time => seen.tasks.values_mut().for_each(|task| task.conflicts = 0),
        (Mutant::DependencyIgnored, _) if is_time => {
            let waiting = state.tasks.iter().filter(|(_, task)| task.status == Status::Waiting);
            let urgency = |id: &TaskId, rank| Urgency { after_sample: false, slack: u64::MAX - rank, task: *id };
            seen.ready.extend(waiting.map(|(id, task)| urgency(id, task.rank)));
        }
        (Mutant::SampleIgnored, _) if is_time => seen.sample_accepted = true,
        (Mutant::DrainIgnored, _) if is_time && state.flow == Flow::Draining => seen.flow = Flow::Open,
        (Mutant::PlanNotApproved, _) if is_time => _ = seen.passed.insert(Gate::Plan),
        (Mutant::LimitIgnored, _) if is_time => seen.limits.clear(),
        (Mutant::SessionOfAnother, _) if is_time => {
            for (seat, parked) in &mut seen.parked {
                parked.agent = state.in_turn_at(*seat).last().map_or(parked.agent.clone(), |agent| (*agent).clone());
            }
        }
        (Mutant::RunJudgeSkipped, Command::ReportConditions { .. }) => opening(&mut seen).goal.plan.run_judge = None,
        (Mutant::DoneOverRed, Command::ReportRunVerdict { .. }) => {
            if let Some((_, results)) = &mut seen.conditions {
                results.iter_mut().for_each(|result| result.answer = Answer::Green);
            }
        }
        (Mutant::ReviewSkipped, Command::ReportVerdict { .. }) => {
            opening(&mut seen).roles.get_mut("judge").expect("it judges").agents.truncate(1);
        }
        (Mutant::LensSkipped, Command::ReportReview { .. }) => {
            opening(&mut seen).roles.get_mut("judge").expect("it judges").lenses.truncate(1);
        }
        (Mutant::RestIgnored, _) if is_time => seen.rest = None,
        (Mutant::PoisonNeverKept, _) => seen.tasks.values_mut().for_each(|task| task.lost = 0),
        (Mutant::AcceptedUnchecked, Command::ReportVerdict { attempt, .. }) => {
            opening(&mut seen).goal.checks.clear();
            if let Some(task) = seen.tasks.get_mut(&attempt.task) {
                task.draft.checks.clear();
            }
        }
        (Mutant::TaskOutsideScope, Command::ReportPlan { scope, step: PlanStep::Emit(_), .. }) => {
            let scope = seen.scopes.get_mut(scope).expect("it plans");
            scope.draft.paths = artel::model::paths::PathSet::everything();
        }
        (Mutant::LatePlannerHeard, Command::ReportPlan { scope, .. }) => {
            seen.scopes.get_mut(scope).expect("it planned").status = Planning::Active;
        }
        (Mutant::RequestCarriedOutTwice, Command::Request { .. }) => seen.answered.clear(),
        (Mutant::RevertedTwice, Command::Request { ask: Ask::Revert(_), .. }) => {
            seen.task_keys.retain(|key, _| !key.starts_with("revert"));
        }
        (Mutant::DeliveryUnasked, Command::ReportDelivery { branch, .. }) => seen.delivery = Some(branch.clone()),
        _ if blinded_to_asks(mutant, &mut seen, command) => {}
        _ if blinded_to_means(mutant, &mut seen, command) => {}
        _ if blinded_to_words(mutant, &mut seen, command) => {}
        _ => return Cow::Borrowed(state),
    }
    Cow::Owned(seen)
}

/// Hides what may be used; tells whether it hid anything.
fn blinded_to_means(mutant: Mutant, seen: &mut State, command: &Command) -> bool {
    match (mutant, command) {
        (Mutant::TokensNotCounted, Command::AskAllowance { .. }) => seen.budget.tokens = None,
        (Mutant::CallsNotCounted, Command::AskAllowance { .. }) => seen.budget.calls = None,
        (Mutant::RoleNotCounted, Command::AskAllowance { .. }) => seen.budget.roles.clear(),
        (Mutant::TaskNotCounted, Command::AskAllowance { .. }) => seen.budget.task = Bounds::default(),
        _ => return false,
    }
    true
}

/// Hides what a person's word is needed for; tells whether it hid anything.
fn blinded_to_words(mutant: Mutant, seen: &mut State, command: &Command) -> bool {
    match (mutant, command) {
        (Mutant::SeatTakenUnanswered, Command::Advance) => seen.asked.questions.clear(),
        (Mutant::SpendingNotAsked, Command::Advance) => opening(seen).goal.gating.nano_usd = None,
        (Mutant::EditOutsideScope, Command::Request { ask: Ask::EditPlan(_), .. }) => {
            for scope in seen.scopes.values_mut() {
                scope.draft.paths = artel::model::paths::PathSet::everything();
            }
        }
        (Mutant::MergedNotMeasured, Command::ReportMerge { .. }) | (Mutant::CandidateNotAsked, Command::Advance) => {
            opening(seen).goal.gating = Default::default();
            opening(seen).goal.approve.remove(&Gate::Landing);
        }
        _ => return false,
    }
    true
}

/// Hides what planners and workers have asked for; tells whether it hid anything.
fn blinded_to_asks(mutant: Mutant, seen: &mut State, command: &Command) -> bool {
    match (mutant, command) {
        (Mutant::FreezeIgnored, _) if matches!(command, Command::Advance) => seen.splits.clear(),
        (Mutant::SplitsNotCompared, Command::ReportPlan { step: PlanStep::Emit(_), .. }) => seen.splits.clear(),
        (Mutant::DecidedAgain, Command::ReportPlan { step: PlanStep::Claim { .. }, .. }) => {
            seen.decided.clear();
            seen.decisions.clear();
        }
        (Mutant::GrantedOutsideScope, Command::ReportPlan { scope, step: PlanStep::AnswerScope(_), .. }) => {
            seen.scopes.get_mut(scope).expect("it plans").draft.paths = artel::model::paths::PathSet::everything();
        }
        (Mutant::AsksNotCounted, Command::ReportAttempt { attempt, .. }) => {
            if let Some(task) = seen.tasks.get_mut(&attempt.task) {
                task.asked = 0;
            }
        }
        (Mutant::HeardTwice, Command::ReportHeard { seat: Seat::Attempt(id), .. }) => {
            let attempt = seen.tasks.get_mut(&id.task).and_then(|task| task.attempts.get_mut(id.number as usize - 1));
            if let Some(attempt) = attempt {
                attempt.heard = Heard::default();
            }
        }
        _ => return false,
    }
    true
}

/// Bends a command as far as the bug does not look at it.
fn bent<'a>(mutant: Mutant, state: &State, command: &'a Command) -> Cow<'a, Command> {
    let mut bent = command.clone();
    match (mutant, &mut bent) {
        (Mutant::NoFence, Command::ReportAttempt { attempt, fence, .. } | Command::RenewLease { attempt, fence }) => {
            *fence = state.attempt(*attempt).map_or(*fence, |it| it.fence);
        }
        (Mutant::SeatFenceIgnored, Command::LeaveSeat { seat, fence, .. }) => {
            *fence = state.sitting.get(seat).map_or(*fence, |it| it.fence);
        }
        (Mutant::SeatFenceIgnored, Command::ReportReview { attempt, lens, fence, .. }) => {
            let seat = Seat::Judge { attempt: *attempt, lens: *lens };
            *fence = state.sitting.get(&seat).map_or(*fence, |it| it.fence);
        }
        (Mutant::JudgedByAuthor, Command::ReportVerdict { verdict, .. }) => verdict.judge = "ladder".to_owned(),
        (Mutant::CandidateOnAnotherBase, Command::ReportAttempt { outcome: Outcome::Candidate(candidate), .. }) => {
            candidate.base = state.opening().base;
        }
        (Mutant::LatePlannerHeard, Command::ReportPlan { scope, wake, .. }) => *wake = state.scopes[scope].wake,
        (Mutant::CheckedTreeNotCompared, Command::ReportPrefix { upto, tree, .. }) => {
            if let Some(BatchStep::Checking { chain, .. }) = state.batch.as_ref().map(|batch| &batch.step) {
                *tree = chain.get(*upto as usize - 1).map_or(*tree, |link| link.tree);
            }
        }
        (Mutant::LandedTreeNotCompared, Command::ReportLanding { tree, .. }) => {
            if let Some(BatchStep::Landing { checked, .. }) = state.batch.as_ref().map(|batch| &batch.step) {
                *tree = *checked;
            }
        }
        (Mutant::WordOnAnother, Command::Request { ask: Ask::ApproveCandidate { attempt, commit }, .. }) => {
            *commit = state.asked.candidates.get(attempt).map_or(*commit, |it| it.commit);
        }
        (Mutant::OldGateApproved, Command::Request { ask: Ask::ApproveGate { shown, .. }, .. }) => {
            *shown = state.shown();
        }
        (Mutant::OldPlanSentBack, Command::Request { ask: Ask::SendPlanBack(objection), .. }) => {
            objection.shown = state.shown();
        }
        (Mutant::AnswerOnAnother, Command::Request { ask: Ask::AnswerQuestion { seat, number, .. }, .. }) => {
            *number = state.open_question(*seat).map_or(*number, |(open, _)| open);
        }
        (Mutant::OldPlanEdited, Command::Request { ask: Ask::EditPlan(edit), .. }) => edit.revision = state.asked.edits,
        (Mutant::RedIsDone, Command::ReportConditions { results, .. }) => {
            results.iter_mut().for_each(|result| result.answer = Answer::Green);
        }
        _ => return Cow::Borrowed(command),
    }
    Cow::Owned(bent)
}

/// Makes of what was decided what the bug makes of it.
#[expect(clippy::wildcard_enum_match_arm, reason = "most bugs spoil no event")]
fn spoilt(mutant: Mutant, state: &State, command: &Command, mut events: Vec<Event>) -> Vec<Event> {
    match mutant {
        Mutant::LeaseNeverLapses => {
            events.retain(|it| !matches!(it, Event::AttemptLost { why, .. } if why == "its lease lapsed"));
        }
        Mutant::RunningNotReconciled if matches!(command, Command::Wake { .. }) => events.truncate(1),
        Mutant::CandidateApprovedAlone => {
            if let Some(Event::CandidateAsked { attempt, .. }) = events.last() {
                let candidate = state.attempt(*attempt).and_then(|it| it.candidate());
                let commit = candidate.expect("it was accepted").commit;
                events.push(Event::CandidateApproved { attempt: *attempt, commit });
            }
        }
        Mutant::SentBackStands => {
            for event in &mut events {
                if let Event::PlanSentBack { dropped, .. } = event {
                    _ = dropped.pop();
                }
            }
        }
        Mutant::WordNeverOverdue => events.retain(|it| !matches!(it, Event::WordOverdue { .. })),
        Mutant::GateOpensAlone => {
            if let Some(Event::GateReached { gate }) = events.last() {
                events.push(Event::GatePassed { gate: *gate });
            }
        }
        _ => {}
    }
    for event in &mut events {
        spoil(mutant, state, command, event);
    }
    events
}

fn spoil(mutant: Mutant, state: &State, command: &Command, event: &mut Event) {
    match (mutant, event) {
        (Mutant::NotJudged, Event::AttemptEnded { next, .. }) if *next == Next::Judge => *next = Next::Queue,
        (Mutant::JudgedByAuthor, Event::VerdictGiven { verdict, .. }) => {
            if let Command::ReportVerdict { verdict: given, .. } = command {
                *verdict = given.clone();
            }
        }
        (
            Mutant::TriesNotCounted,
            Event::AttemptEnded { attempt, next, .. } | Event::VerdictGiven { attempt, next, .. },
        ) if matches!(next, Next::Keep { .. }) => {
            *next = Next::Again(state.tasks[&attempt.task].again.clone());
        }
        (Mutant::TurnsNotCounted, Event::SeatLeft { left: Left::Failed { .. }, turn, .. }) => {
            *turn = Some(turn.map_or_else(Turn::default, |turn| Turn { tries: 0, ..turn }));
        }
        (Mutant::CutNotCounted, Event::SeatLeft { left, .. }) if matches!(left, Left::Cut { .. }) => {
            *left = Left::Failed { why: "it was cut off".to_owned() };
        }
        (Mutant::LimitCostsATry, Event::AttemptLimited { next: Next::Again(again), .. }) => again.tries += 1,
        (Mutant::ConflictsNotCounted, Event::MemberEjected { attempt, findings, next, .. })
            if findings[0].rule == "conflict" =>
        {
            *next = Next::Again(state.tasks[&attempt.task].again.clone());
        }
        (Mutant::WrongMemberEjected, Event::MemberEjected { attempt, findings, .. })
            if findings[0].rule != "conflict" =>
        {
            let members = &state.batch.as_ref().expect("it has members").members;
            *attempt = members.iter().copied().find(|member| member != attempt).unwrap_or(*attempt);
        }
        (Mutant::AskedElsewhere, Event::ScopeAskRaised { task, to }) => *to = state.tasks[task].scope,
        (Mutant::GrantedBeyond, Event::ScopeAnswered { paths, .. }) => _ = paths.folders.insert("z/".to_owned()),
        (Mutant::BatchOnOldHead, Event::BatchFormed { onto, .. }) => *onto = state.opening().base,
        (Mutant::LandsBeyondGreen, Event::BatchLanded { landed, .. }) => {
            if let Some(BatchStep::Landing { chain, .. }) = state.batch.as_ref().map(|batch| &batch.step) {
                landed.clone_from(chain);
            }
        }
        (Mutant::FlakyNotMarked, Event::PrefixChecked { flaky, .. })
        | (Mutant::FlakyForgotten, Event::BatchLanded { flaky, .. }) => *flaky = false,
        (Mutant::DeliveryNotAsked, event @ Event::DeliveryProposed { .. }) => {
            if let Event::DeliveryProposed { branch, .. } = &*event {
                *event = Event::DeliveryAsked { branch: branch.clone() };
            }
        }
        (Mutant::KeptIsDone, Event::RunEnded { end }) => {
            let is_kept_only = matches!(&*end, End::Incomplete { red, .. } if red.is_empty());
            *end = if is_kept_only { End::Done } else { end.clone() };
        }
        _ => {}
    }
}

/// Hears what the machine refuses, where the bug would.
fn forgiven(mutant: Mutant, state: &State, command: &Command) -> Option<Vec<Event>> {
    match (mutant, command) {
        (Mutant::LateReportHeard, Command::ReportAttempt { attempt, outcome, handoff, usage, .. }) => {
            state.attempt(*attempt).filter(|it| it.lost.is_some())?;
            let (outcome, handoff, next) = (outcome.clone(), handoff.clone(), Next::Judge);
            Some(vec![Event::AttemptEnded { attempt: *attempt, outcome, handoff, usage: *usage, next }])
        }
        (Mutant::VerdictHeardTwice, Command::ReportVerdict { attempt, verdict, usage }) => {
            state.attempt(*attempt).filter(|it| it.verdict.is_some() && verdict.ruling == Ruling::Accept)?;
            let (verdict, next) = (verdict.clone(), Next::Queue);
            Some(vec![Event::VerdictGiven { attempt: *attempt, verdict, usage: *usage, next }])
        }
        (Mutant::ReviewUnseated, Command::ReportReview { attempt, review, .. }) => {
            state.reviewing.contains(attempt).then_some(())?;
            Some(vec![Event::CandidateReviewed { attempt: *attempt, review: review.clone(), next: Next::Queue }])
        }
        (Mutant::BadChainTaken, Command::ReportMerge { batch, chain, conflicts }) => {
            state.batch.as_ref().filter(|it| it.id == *batch && it.step == BatchStep::Merging)?;
            let (chain, conflicts) = (chain.clone(), conflicts.clone());
            Some(vec![Event::BatchMerged { batch: *batch, chain, conflicts }])
        }
        (Mutant::ScopesOverlap, Command::ReportPlan { scope, wake, step: PlanStep::Spawn(drafts), .. }) => {
            let parent = state.scopes.get(scope).filter(|it| it.wake == *wake && it.status == Planning::Active)?;
            let inside = drafts.iter().filter(|it| parent.draft.paths.covers(&it.paths) && !it.key.is_empty());
            let next = state.scopes.len() as u32;
            let opened = inside.zip(next..).map(|(draft, number)| Event::ScopeOpened {
                scope: ScopeId(number),
                parent: Some(*scope),
                draft: draft.clone(),
                iteration: state.iteration,
            });
            Some(opened.collect())
        }
        _ => None,
    }
}

/// Folds an event in as the machine would with that bug.
pub fn fold(mutant: Option<Mutant>, state: State, recorded: &Recorded) -> State {
    let waiting: BTreeSet<AttemptId> = match mutant {
        Some(Mutant::MembersForgotten) => state.queue.iter().copied().collect(),
        Some(_) | None => BTreeSet::new(),
    };
    let sits = if let Event::SeatLeft { seat, .. } = &recorded.event { state.sitting.get(seat) } else { None };
    let taken_up = sits.and_then(|sitting| sitting.resumes.clone());
    let mut state = evolve(state, recorded);
    match (mutant, &recorded.event) {
        (Some(Mutant::WordUsedTwice), Event::BatchLanded { landed, .. }) => {
            for link in landed {
                state.asked.granted.insert(link.attempt, Vec::new());
            }
        }
        (Some(Mutant::SessionTakenUpTwice), Event::SeatLeft { seat, left: Left::Failed { .. }, turn: Some(_), .. }) => {
            state.parked.extend(taken_up.map(|parked| (*seat, parked)));
        }
        (Some(Mutant::AnswerForgotten), Event::QuestionAnswered { seat, .. }) => {
            if let Some(question) = state.asked.questions.get_mut(seat).and_then(|asked| asked.last_mut()) {
                question.reply = Reply::Waits;
            }
        }
        (Some(Mutant::HandoffGivenTwice), Event::PlannerWoken { scope, .. }) => {
            let scope = state.scopes.get_mut(scope).expect("it was woken");
            scope.inbox.extend(scope.given.clone());
        }
        (Some(Mutant::MembersForgotten), Event::BatchClosed { .. }) => state.queue.retain(|it| waiting.contains(it)),
        (Some(Mutant::RedBelievedAtOnce), Event::PrefixChecked { green: false, .. }) => {
            if let Some(BatchStep::Checking { search, .. }) = state.batch.as_mut().map(|batch| &mut batch.step) {
                search.confirmed = true;
            }
        }
        _ => {}
    }
    state
}

/// Tells whether the bug keeps an event from the journal.
pub fn forgets_to_store(mutant: Option<Mutant>, recorded: &Recorded) -> bool {
    mutant == Some(Mutant::BelievedUnstored) && recorded.seq.is_multiple_of(20)
}

/// Tells whether the bug keeps an effect from being started.
pub fn forgets(mutant: Option<Mutant>, effect: &Effect, epoch: u64) -> bool {
    let lands = matches!(effect, Effect::Merge { .. } | Effect::Check { .. } | Effect::Land { .. });
    mutant == Some(Mutant::LandingForgotten) && epoch > 1 && lands
}

/// Moves the run's branch as the merger would with that bug.
pub fn swap(mutant: Option<Mutant>, repo: &mut Repo, from: artel::model::ids::Oid, to: artel::model::ids::Oid) -> Swap {
    match mutant {
        Some(Mutant::SwapWithoutCompare) => {
            repo.branch = Some(to);
            Swap::Done
        }
        Some(Mutant::LandingNotReconciled) if repo.branch == Some(to) && from != to => Swap::Found(repo.branch),
        Some(Mutant::SwapBelieved) => {
            let _ = repo.swap(from, to);
            Swap::Done
        }
        Some(_) | None => repo.swap(from, to),
    }
}

fn opening(state: &mut State) -> &mut artel::machine::command::Opening {
    Arc::make_mut(state.opening.as_mut().expect("it is open"))
}

fn task(state: &mut State, id: TaskId) -> &mut artel::machine::state::Task {
    state.tasks.get_mut(&id).expect("it is known")
}
