//! Owns one plain line for each event, for the log and for progress without a terminal. All text of agents, people
//! and repositories in it is inert. Never shows a time.

use serde::Serialize;

use super::asked;
use super::ended;
use super::task::next;
use super::waiting::{reason, subject};
use super::words;
use crate::machine::command::Link;
use crate::machine::event::{Event, Lease, Left, NewTask, Next, Recorded, Subject, Turn};
use crate::machine::state::State;
use crate::model::attempt::Outcome;
use crate::model::check::{Answer, CheckResult};
use crate::model::egress::EGRESS;
use crate::model::gating::Then;
use crate::model::goal::Budget;
use crate::model::ids::{AttemptId, Oid, ScopeId, TaskId};
use crate::model::inert::{headline, inert};
use crate::model::login::AS_TOLD;
use crate::model::means::Bounds;
use crate::model::review::{Review, RunRuling};
use crate::model::sandbox::Tier;
use crate::model::seat::Seat;
use crate::model::spend::{Call, CallEnd, Usd};
use crate::model::verdict::{Ruling, Verdict};

/// Longest text of an agent's that a line holds, in columns.
const TEXT_AT_MOST: usize = 240;

/// Says who wants to read a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Interest {
    /// Whoever reads the whole log.
    Detail,
    /// Whoever follows the run.
    Progress,
}

/// Says whether a line is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Neither.
    Plain,
    /// It is.
    Good,
    /// It is not, and a person may have to act.
    Bad,
    /// It is not, but the run goes on by itself.
    Warning,
}

/// Tells of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Who wants to read it.
    pub interest: Interest,
    /// Whether it is good news.
    pub tone: Tone,
    /// The line, inert.
    pub text: String,
}

/// Tells of an event; `state` is the fold up to and with it.
#[expect(clippy::too_many_lines, reason = "one short arm for each event keeps the vocabulary readable in one place")]
pub fn line(state: &State, recorded: &Recorded) -> Line {
    match &recorded.event {
        Event::RunOpened(opening) => {
            let goal = text(&opening.goal.name);
            progress(format!("run {} opened on {}: {goal}", opening.run, opening.base.short()))
        }
        Event::CoordinatorWoke { epoch, sandbox: None } => detail(format!("coordinator {epoch} took the run over")),
        Event::CoordinatorWoke { epoch, sandbox: Some(Tier::None) } => {
            let words = "agents and checks run without a sandbox, with your rights";
            progress(format!("coordinator {epoch} took the run over: {words}")).in_tone(Tone::Warning)
        }
        Event::CoordinatorWoke { epoch, sandbox: Some(tier) } => {
            detail(format!("coordinator {epoch} took the run over; sandbox: {tier}"))
        }
        Event::BranchOpened { at } => detail(format!("the run's branch was made at {}", at.short())),
        Event::BaselineTaken { results } => {
            let tone = if all_green(results) { Tone::Plain } else { Tone::Warning };
            progress(format!("on the base: {}", answers(results))).in_tone(tone)
        }
        Event::ScopeOpened { scope, draft, .. } => detail(format!("scope {scope} opened: {}", text(&draft.title))),
        Event::TasksEmitted { scope, tasks } => emitted(*scope, tasks),
        Event::PlannerFinished { scope, .. } => detail(format!("the planner of {scope} has finished")),
        Event::PlannerFailed { scope, why, .. } => {
            progress(format!("the planner of {scope} failed: {}", text(why))).in_tone(Tone::Bad)
        }
        Event::PlannerWoken { scope, wake, handoffs } => {
            let count = words::count(handoffs.len(), "handoff");
            detail(format!("the planner of {scope} was woken with {count} (waking {wake})"))
        }
        Event::DecisionClaimed { scope, decision, value } => {
            progress(format!("{scope} decided {}: {}", text(decision), text(value)))
        }
        Event::ScopeAskRaised { task, to } => asked::raised(titled(state, *task), *to),
        Event::ScopeAnswered { task, granted, paths, reason, by } => {
            asked::answered(titled(state, *task), (*granted, paths), reason, *by)
        }
        Event::SteeringHeard { seat, before_call, .. } => asked::heard(*seat, *before_call),
        Event::AttemptLeased(lease) => leased(state, lease),
        Event::LeaseRenewed { attempt, .. } => detail(format!("{attempt} renewed its lease")),
        Event::AllowanceGranted { seat, means } => detail(format!("{seat} may use {means} more")),
        Event::AllowanceReturned { seat, means } => detail(format!("{seat} gave {means} back")),
        Event::CallMade { seat, call } => called(*seat, call),
        Event::TranscriptKept { seat, record, bytes, sha256 } => {
            let hash = sha256.get(..12).unwrap_or(sha256);
            detail(format!("the transcript {} of {seat} holds {} ({})", text(record), words::size(*bytes), text(hash)))
        }
        Event::MoneyRanOut { seat, of } => {
            let of = text(&of.to_string());
            progress(format!("the budget of {of} is too little for what {seat} would have asked next"))
                .in_tone(Tone::Bad)
        }
        Event::SeatTaken { seat, agent, resumes, .. } => seated(*seat, &agent.to_string(), *resumes),
        Event::SeatLeft { seat, left, turn, .. } => left_seat(recorded.at_ms, *seat, left, *turn),
        Event::RunJudged { judge, verdict, .. } => {
            let (judge, why) = (text(judge), text(&verdict.why));
            match verdict.ruling {
                RunRuling::Done => progress(format!("the run is done by the word of {judge}: {why}")),
                RunRuling::Continue => progress(format!("{judge} has the run go on: {why}")).in_tone(Tone::Warning),
                RunRuling::Restart => progress(format!("{judge} has it planned anew: {why}")).in_tone(Tone::Warning),
            }
        }
        Event::CandidateReviewed { attempt, review, next: then } => reviewed(*attempt, review, then),
        Event::AttemptLost { attempt, why, next: then, .. } => {
            progress(format!("{attempt} was lost: {}; {}", text(why), text(&next(then)))).in_tone(tone_of(then))
        }
        Event::AttemptLimited { attempt, until_ms, why, .. } => {
            let wait = words::about(words::between_ms(recorded.at_ms, *until_ms));
            let line = format!("{attempt} met a limit: {}; goes on in {wait}, at no cost of a try", text(why));
            progress(line).in_tone(Tone::Warning)
        }
        Event::LimitLifted { agent } => {
            progress(format!("a person had what waits for a limit of {} tried at once", text(agent)))
        }
        Event::AttemptEnded { attempt, outcome, next: then, .. } => ended_attempt(*attempt, outcome, then),
        Event::VerdictGiven { attempt, verdict, next: then, .. } => judged(*attempt, verdict, then),
        Event::BatchFormed { batch, members, onto } => {
            let count = words::count(members.len(), "candidate");
            detail(format!("batch {batch} of {count} onto {}: {}", onto.short(), joined(members)))
        }
        Event::BatchMerged { batch, chain, conflicts } => {
            let conflicts = words::count(conflicts.len(), "conflict");
            detail(format!("batch {batch} merged: {} clean, {conflicts}", chain.len()))
        }
        Event::PrefixChecked { batch, upto, results, green, flaky, .. } => {
            let word = if *green { "green" } else { "red" };
            let tone = if *green { Tone::Plain } else { Tone::Warning };
            let flaky = if *flaky { ", flaky" } else { "" };
            detail(format!("batch {batch} up to {upto} is {word}{flaky}: {}", answers(results))).in_tone(tone)
        }
        Event::MemberEjected { batch, attempt, findings, next: then } => {
            let why = findings.first().map(|finding| text(&finding.what)).unwrap_or_default();
            let line = format!("{attempt} was taken out of batch {batch}: {why}; {}", brief_next(then));
            progress(line).in_tone(tone_of(then))
        }
        Event::BatchLanded { landed, head, .. } => landing(state, landed, *head),
        Event::BatchClosed { batch } => detail(format!("batch {batch} is over")),
        Event::GateReached { gate } => {
            let gate = words::gate(*gate);
            progress(format!("the {gate} waits for your word: artel approve {gate}")).in_tone(Tone::Bad)
        }
        Event::GatePassed { gate } => progress(format!("the {} was approved", words::gate(*gate))).in_tone(Tone::Good),
        Event::GateRefused { gate, reason } => {
            progress(format!("the {} was refused: {}", words::gate(*gate), text(reason))).in_tone(Tone::Bad)
        }
        Event::CandidateAsked { attempt, reasons } => {
            let why = reasons.iter().map(|it| text(&reason(it))).collect::<Vec<_>>().join("; ");
            let task = attempt.task;
            progress(format!("{attempt} waits for your word: {why}: artel approve {task}")).in_tone(Tone::Bad)
        }
        Event::CandidateApproved { attempt, commit } => {
            progress(format!("{attempt} may land: {} was approved", commit.short())).in_tone(Tone::Good)
        }
        Event::CandidateDenied { attempt, reason, next: then, .. } => {
            progress(format!("{attempt} was refused: {}; {}", text(reason), brief_next(then))).in_tone(tone_of(then))
        }
        Event::QuestionAnswered { seat, answer, .. } => asked::told(*seat, answer),
        Event::WordOverdue { on, then } => overdue(*on, *then),
        Event::PlanEdited { dropped, changed, added, .. } => {
            let (out, new) = (dropped.len(), added.len());
            let told = format!("{out} out, {} changed, {new} new", changed.len());
            progress(format!("a person edited the plan: {told}"))
        }
        Event::PlanSentBack { reason, dropped } => {
            let count = words::count(dropped.len(), "task");
            let told = format!("a person sent the plan of {count} back, and it is made anew: {}", text(reason));
            progress(told).in_tone(Tone::Warning)
        }
        Event::DeliveryProposed { branch, head, .. } => {
            let (branch, head) = (text(branch), head.short());
            let told = format!("the delivery of {head} into {branch} waits for your word: artel approve delivery");
            progress(told).in_tone(Tone::Bad)
        }
        Event::DeliveryRefused { branch, reason } => {
            progress(format!("the delivery into {} was refused: {}", text(branch), text(reason))).in_tone(Tone::Warning)
        }
        Event::SampleAccepted if state.tasks.is_empty() => detail("there is nothing to take a sample of".to_owned()),
        Event::SampleAccepted => progress("the sample has landed; the sweep begins".to_owned()).in_tone(Tone::Good),
        Event::IterationBegan { iteration } => progress(format!("iteration {iteration} begins")),
        Event::ConditionsChecked { results, .. } => {
            let tone = if all_green(results) { Tone::Good } else { Tone::Warning };
            progress(format!("done-conditions: {}", answers(results))).in_tone(tone)
        }
        Event::TaskOverruled { task } => progress(format!("a person lets {} land", titled(state, *task))),
        Event::TaskDropped { task, reason } => {
            progress(format!("a person gave up {}: {}", titled(state, *task), text(reason)))
        }
        Event::TaskRetried { task } => progress(format!("a person had {} tried again", titled(state, *task))),
        Event::Steered { task, message } => {
            let whom = task.map_or_else(|| "everybody".to_owned(), |task| task.to_string());
            progress(format!("a person told {whom}: {}", text(message)))
        }
        Event::DeliveryAsked { branch } => progress(format!("to be delivered into {}", text(branch))),
        Event::Delivered { branch, result: Ok(at) } => {
            progress(format!("delivered into {} at {}", text(branch), at.short())).in_tone(Tone::Good)
        }
        Event::Delivered { branch, result: Err(why) } => {
            progress(format!("not delivered into {}: {}", text(branch), text(why))).in_tone(Tone::Bad)
        }
        Event::Draining => progress("stopping: what runs is finished, nothing new is begun".to_owned()),
        Event::Stopping => progress("stopping at once".to_owned()),
        Event::Resumed => progress("the run goes on".to_owned()),
        Event::BudgetRaised { budget } => progress(format!("the budget was raised: {}", raised(budget))),
        Event::RequestAnswered { id } => detail(format!("request {id} was carried out")),
        Event::RequestRefused { id, why } => {
            progress(format!("request {id} was refused: {}", text(why))).in_tone(Tone::Warning)
        }
        Event::SpaceRanShort { what } => {
            progress(format!("nothing new is begun until there is space: {}", text(what))).in_tone(Tone::Warning)
        }
        Event::SpaceCameBack => progress("there is space again: the run goes on".to_owned()),
        Event::RunReopened => progress("the run was taken up again".to_owned()),
        Event::RunParked { .. } | Event::RunEnded { .. } => standing(state),
    }
}

fn overdue(on: Subject, then: Then) -> Line {
    let on = subject(on);
    let (told, tone) = match then {
        Then::Deny => (format!("no word on {on} came in time: it is refused"), Tone::Bad),
        Then::Approve => (format!("no word on {on} came in time: it goes on"), Tone::Warning),
        Then::Stop => (format!("no word on {on} came in time: the run stops"), Tone::Bad),
        Then::Escalate => (format!("YOUR WORD IS OVERDUE: {on} still waits for it"), Tone::Bad),
    };
    progress(told).in_tone(tone)
}

pub(super) fn progress(text: String) -> Line {
    Line { interest: Interest::Progress, tone: Tone::Plain, text }
}

pub(super) fn detail(text: String) -> Line {
    Line { interest: Interest::Detail, tone: Tone::Plain, text }
}

impl Line {
    pub(super) fn in_tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

pub(super) fn text(raw: &str) -> String {
    headline(raw, TEXT_AT_MOST)
}

fn titled(state: &State, id: TaskId) -> String {
    let title = state.tasks.get(&id).map(|task| text(&task.draft.title)).unwrap_or_default();
    format!("{id} {title}")
}

fn joined<T: ToString>(ids: &[T]) -> String {
    ids.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn answers(results: &[CheckResult]) -> String {
    let word = |answer: Answer| match answer {
        Answer::Green => "green",
        Answer::Red => "red",
        Answer::Flaky => "flaky",
    };
    let told: Vec<String> = results.iter().map(|it| format!("{} {}", text(&it.name), word(it.answer))).collect();
    if told.is_empty() { "no checks".to_owned() } else { told.join(", ") }
}

fn all_green(results: &[CheckResult]) -> bool {
    results.iter().all(|result| result.answer == Answer::Green)
}

/// What a person must look at is bad; what the run mends by itself is a warning.
fn tone_of(next: &Next) -> Tone {
    match next {
        Next::Keep { .. } | Next::Block { .. } => Tone::Bad,
        Next::Again(_) => Tone::Warning,
        Next::Judge | Next::Review | Next::Queue | Next::Nothing => Tone::Plain,
    }
}

fn emitted(scope: ScopeId, tasks: &[NewTask]) -> Line {
    let span = match tasks {
        [only] => format!("{} {}", only.id, text(&only.draft.title)),
        [first, .., last] => format!("{} to {}", first.id, last.id),
        [] => String::new(),
    };
    progress(format!("{scope} handed out {}: {span}", words::count(tasks.len(), "task")))
}

fn leased(state: &State, lease: &Lease) -> Line {
    let agent = text(&lease.agent.to_string());
    progress(format!("{} begins with {agent}: {}", lease.attempt, titled(state, lease.attempt.task)))
}

fn ended_attempt(attempt: AttemptId, outcome: &Outcome, then: &Next) -> Line {
    let told = match outcome {
        Outcome::Candidate(candidate) => {
            let files = words::count(candidate.files as usize, "file");
            format!("left candidate {} with {files}", candidate.commit.short())
        }
        Outcome::Nothing => "changed nothing".to_owned(),
        Outcome::Failed { why } => format!("failed: {}", text(why)),
        Outcome::Blocked { missing } => format!("is blocked, missing: {}", text(missing)),
    };
    progress(format!("{attempt} {told}{}", consequence(outcome, then))).in_tone(tone_of(then))
}

/// Says what follows, where that is not plain from the outcome.
fn consequence(outcome: &Outcome, then: &Next) -> String {
    match (outcome, then) {
        (Outcome::Blocked { .. }, Next::Block { .. }) => String::new(),
        (Outcome::Failed { why }, Next::Keep { why: kept }) if why == kept => "; kept for a person".to_owned(),
        (Outcome::Candidate(_) | Outcome::Nothing | Outcome::Failed { .. } | Outcome::Blocked { .. }, then) => {
            format!("; {}", text(&next(then)))
        }
    }
}

fn judged(attempt: AttemptId, verdict: &Verdict, then: &Next) -> Line {
    let why = verdict.findings.first().map(|finding| text(&finding.what)).unwrap_or_default();
    let told = match verdict.ruling {
        Ruling::Accept => return progress(format!("{attempt} was accepted: {}", answers(&verdict.checks))),
        Ruling::Reject => "was rejected",
        Ruling::Restart => "is to start afresh",
    };
    let more = verdict.findings.len().saturating_sub(1);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    progress(format!("{attempt} {told}: {why}{more}; {}", brief_next(then))).in_tone(match tone_of(then) {
        Tone::Plain | Tone::Good | Tone::Warning => Tone::Warning,
        Tone::Bad => Tone::Bad,
    })
}

/// Says what follows where the reason stands before it already.
fn brief_next(then: &Next) -> String {
    match then {
        Next::Keep { .. } => "kept for a person".to_owned(),
        Next::Judge | Next::Review | Next::Queue | Next::Again(_) | Next::Nothing | Next::Block { .. } => {
            text(&next(then))
        }
    }
}

fn landing(state: &State, landed: &[Link], head: Oid) -> Line {
    let told = match landed {
        [] => return detail(format!("the run's branch stays at {}", head.short())),
        [only] => titled(state, only.attempt.task),
        [_, ..] => joined(&landed.iter().map(|link| link.attempt.task).collect::<Vec<_>>()),
    };
    let (through, total) = (state.tally.landed + state.tally.nothing, state.tally.total());
    progress(format!("landed {told} at {} ({through} of {total})", head.short())).in_tone(Tone::Good)
}

/// Names who sits at a seat.
pub fn whose(seat: Seat) -> String {
    match seat {
        Seat::Attempt(attempt) => attempt.to_string(),
        Seat::Planner { scope, wake: 1 } => format!("the planner of {scope}"),
        Seat::Planner { scope, wake } => format!("the planner of {scope} (waking {wake})"),
        Seat::RunJudge { iteration } => format!("the run's judge (iteration {iteration})"),
        Seat::Judge { attempt, lens } => format!("the judge of {attempt} (lens {lens})"),
    }
}

fn seated(seat: Seat, agent: &str, resumes: Option<u64>) -> Line {
    let begins = if resumes.is_some() { "goes on in its session" } else { "begins" };
    progress(format!("{} {begins} with {}", whose(seat), text(agent)))
}

fn left_seat(at_ms: i64, seat: Seat, left: &Left, turn: Option<Turn>) -> Line {
    let who = whose(seat);
    match left {
        Left::Done => detail(format!("{who} is done")),
        Left::Failed { why } => {
            let next = if turn.is_some() { "tried again" } else { "nobody is left who could" };
            progress(format!("{who} failed: {}; {next}", text(why))).in_tone(Tone::Warning)
        }
        Left::Limited { until_ms, why, .. } => {
            let wait = words::about(words::between_ms(at_ms, *until_ms));
            let line = format!("{who} met a limit: {}; goes on in {wait}", text(why));
            progress(line).in_tone(Tone::Warning)
        }
        Left::Cut { why } => progress(format!("{who} was cut off: {}", text(why))).in_tone(Tone::Warning),
        Left::Asks { missing, .. } => asked::asks(&who, missing),
    }
}

fn reviewed(attempt: AttemptId, review: &Review, then: &Next) -> Line {
    let by = format!("{} (lens {})", text(&review.judge), review.lens.word());
    if review.ruling == Ruling::Accept {
        return progress(format!("{attempt} was accepted by {by}; {}", text(&next(then))));
    }
    let why = review.findings.first().map(|finding| text(&finding.what)).unwrap_or_default();
    let tone = if tone_of(then) == Tone::Bad { Tone::Bad } else { Tone::Warning };
    progress(format!("{attempt} was refused by {by}: {why}; {}", brief_next(then))).in_tone(tone)
}

fn called(seat: Seat, call: &Call) -> Line {
    let Call { provider, model, end, status, tokens, nano_usd, ms, bytes, .. } = call;
    let is_way_out = provider == EGRESS;
    let model = if is_way_out { text(model) } else { text(&format!("{provider}/{model}")) };
    let end = match end {
        CallEnd::Whole => String::new(),
        CallEnd::Cut => ", cut off".to_owned(),
        CallEnd::Failed => format!(", status {status}"),
        CallEnd::Refused { why, policy } => {
            let by = if policy.is_empty() { String::new() } else { format!(" (by the rules {policy})") };
            let verb = if is_way_out { "reach" } else { "ask" };
            let line = detail(format!("{seat} was not let {verb} {model}{by}: {}", text(why)));
            return line.in_tone(Tone::Warning);
        }
    };
    let (read, written, took) = (tokens.read(), tokens.output, words::duration(*ms));
    if is_way_out {
        return detail(format!("{seat} reached {model}: {}, {took}{end}", words::size(*bytes)));
    }
    if call.told {
        if tokens.total() == 0 && *nano_usd == 0 {
            return detail(format!("the session of {seat} told nothing of what it used: counted as nothing ({model})"));
        }
        let price = if *nano_usd > 0 { Usd(*nano_usd).to_string() } else { "no price told".to_owned() };
        return detail(format!(
            "the session of {seat} used {read} tokens in, {written} out, {price}, {AS_TOLD} ({model})"
        ));
    }
    detail(format!("{seat} asked {model}: {read} tokens in, {written} out, {}, {took}{end}", Usd(*nano_usd)))
}

fn raised(budget: &Budget) -> String {
    let parts = [
        budget.wall_s.map(|s| format!("{} of wall time", words::duration(s.saturating_mul(1000)))),
        budget.attempts.map(|n| format!("{n} attempts")),
        budget.cpu_s.map(|s| format!("{} of processor time", words::duration(s.saturating_mul(1000)))),
    ];
    let of =
        |holder: String, bounds: &Bounds| bounds.written().into_iter().map(move |most| format!("{most} for {holder}"));
    let roles = budget.roles.iter().flat_map(|(role, bounds)| of(format!("role {}", text(role)), bounds));
    let each = of("each task".to_owned(), &budget.task);
    let parts = parts.into_iter().flatten().chain(budget.bounds().written()).chain(roles).chain(each);
    parts.collect::<Vec<_>>().join(", ")
}

fn standing(state: &State) -> Line {
    let stands = ended::ended(state);
    let tone = if stands.class == ended::Class::Done { Tone::Good } else { Tone::Bad };
    progress(inert(&stands.words)).in_tone(tone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spend::Tokens;

    #[test]
    fn of_a_session_that_only_its_agent_tells_of_it_is_said_what_it_did_not_tell() {
        let said = |input: u64, nano_usd: u64, end: CallEnd| {
            let (provider, model) = ("acp:gemini --acp".to_owned(), "acp:gemini --acp".to_owned());
            let tokens = Tokens { input, ..Tokens::default() };
            let call =
                Call { number: 1, provider, model, end, status: 0, tokens, nano_usd, ms: 1, bytes: 0, told: true };
            called(Seat::Planner { scope: ScopeId(0), wake: 1 }, &call).text
        };
        let nothing = said(0, 0, CallEnd::Cut);
        assert!(nothing.contains("told nothing of what it used: counted as nothing"), "{nothing}");
        let tokens = said(7, 0, CallEnd::Whole);
        assert!(tokens.contains("7 tokens in") && tokens.contains("no price told, as told by the agent"), "{tokens}");
        let both = said(7, 20_000_000, CallEnd::Whole);
        assert!(both.contains("$0.02, as told by the agent") && !both.contains("no price"), "{both}");
    }
}
