//! Owns what has happened in a run: the vocabulary of the journal. Stored for good: add, never alter.

use serde::{Deserialize, Serialize};

use super::asked::Heard;
use super::command::{Conflict, Link, Opening};
use crate::model::attempt::{Handoff, Outcome, Parked, Usage};
use crate::model::check::CheckResult;
use crate::model::gating::{Reason, Then};
use crate::model::goal::{Budget, Gate};
use crate::model::ids::{AttemptId, BatchId, Oid, RequestId, ScopeId, TaskId};
use crate::model::means::{Holder, Means};
use crate::model::paths::PathSet;
use crate::model::review::{Review, RunVerdict};
use crate::model::role::AgentRef;
use crate::model::sandbox::Tier;
use crate::model::seat::Seat;
use crate::model::spend::Call;
use crate::model::task::{ScopeDraft, TaskDraft, Work};
use crate::model::verdict::{Finding, Verdict};

/// States one thing that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The run was opened; its goal is locked.
    RunOpened(Box<Opening>),
    /// A coordinator took the run over; agents and checks are held in this sandbox from here on.
    CoordinatorWoke {
        epoch: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sandbox: Option<Tier>,
    },
    /// The run's branch was made at the base.
    BranchOpened { at: Oid },
    /// The checks were run on the base.
    BaselineTaken { results: Vec<CheckResult> },
    /// A planner's scope was opened.
    ScopeOpened { scope: ScopeId, parent: Option<ScopeId>, draft: ScopeDraft, iteration: u32 },
    /// A planner handed out tasks.
    TasksEmitted { scope: ScopeId, tasks: Vec<NewTask> },
    /// A planner has nothing more to plan.
    PlannerFinished { scope: ScopeId, wake: u32 },
    /// A planner failed.
    PlannerFailed { scope: ScopeId, wake: u32, why: String },
    /// A planner was woken with what its tasks reported.
    PlannerWoken { scope: ScopeId, wake: u32, handoffs: Vec<TaskId> },
    /// A planner decided something once for the whole run.
    DecisionClaimed { scope: ScopeId, decision: String, value: String },
    /// What a task asks to change lies outside its planner's scope, and was put before a planner above, whose scope holds it.
    ScopeAskRaised { task: TaskId, to: ScopeId },
    /// A task that asked to change what it does not own was answered, by a scope's planner or a person.
    ScopeAnswered { task: TaskId, granted: bool, paths: PathSet, reason: String, by: Option<ScopeId> },
    /// A session was told what people have said, before its call of a tool with that number.
    SteeringHeard { seat: Seat, heard: Heard, before_call: u64 },
    /// A task was leased to a worker.
    AttemptLeased(Lease),
    /// A running attempt's lease was renewed.
    LeaseRenewed { attempt: AttemptId, until_ms: i64 },
    /// Money, tokens and calls were held for a running attempt, or whoever sits at a seat, beside what was held before.
    AllowanceGranted {
        #[serde(rename = "attempt")]
        seat: Seat,
        #[serde(flatten)]
        means: Means,
    },
    /// What was held is held no longer.
    AllowanceReturned {
        #[serde(rename = "attempt")]
        seat: Seat,
        #[serde(flatten)]
        means: Means,
    },
    /// Somebody asked a model.
    CallMade {
        #[serde(rename = "attempt")]
        seat: Seat,
        call: Call,
    },
    /// A session's transcript held these bytes, up to this one, by this hash of them all (SHA-256).
    TranscriptKept { seat: Seat, record: String, bytes: u64, sha256: String },
    /// A budget leaves too little for what somebody would have asked next.
    MoneyRanOut {
        #[serde(rename = "attempt")]
        seat: Seat,
        #[serde(default, skip_serializing_if = "Holder::is_run")]
        of: Holder,
    },
    /// An agent sat down to plan or to judge; `resumes` is the fence of the seating whose session it takes up again.
    SeatTaken {
        seat: Seat,
        agent: AgentRef,
        fence: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resumes: Option<u64>,
    },
    /// An agent that planned or judged is gone; `turn` says whose turn is next, none where the seat is done with.
    SeatLeft { seat: Seat, left: Left, usage: Usage, turn: Option<Turn> },
    /// A judge's session looked at a candidate whose checks held.
    CandidateReviewed { attempt: AttemptId, review: Review, next: Next },
    /// The run's judge said what becomes of the run.
    RunJudged { iteration: u32, head: Oid, judge: String, verdict: RunVerdict },
    /// An attempt ended without a report; the try does not count, and `counts` says whether the loss does.
    AttemptLost { attempt: AttemptId, why: String, counts: bool, next: Next },
    /// An attempt met a limit of its agent's account; the try does not count, and no task of that agent is leased before.
    AttemptLimited {
        attempt: AttemptId,
        until_ms: i64,
        why: String,
        usage: Usage,
        next: Next,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parked: Option<Parked>,
    },
    /// A person had what waits for a limit of an agent tried at once.
    LimitLifted { agent: String },
    /// An attempt ended.
    AttemptEnded { attempt: AttemptId, outcome: Outcome, handoff: Handoff, usage: Usage, next: Next },
    /// A judge gave its verdict.
    VerdictGiven { attempt: AttemptId, verdict: Verdict, usage: Usage, next: Next },
    /// Accepted candidates were put together to land.
    BatchFormed { batch: BatchId, members: Vec<AttemptId>, onto: Oid },
    /// A batch was merged in memory.
    BatchMerged { batch: BatchId, chain: Vec<Link>, conflicts: Vec<Conflict> },
    /// The checks were run on a prefix of a batch.
    PrefixChecked { batch: BatchId, upto: u32, tree: Oid, results: Vec<CheckResult>, green: bool, flaky: bool },
    /// A member was taken out of its batch.
    MemberEjected { batch: BatchId, attempt: AttemptId, findings: Vec<Finding>, next: Next },
    /// The run's branch was moved to a prefix of a batch; these attempts are now its ancestors.
    BatchLanded { batch: BatchId, landed: Vec<Link>, head: Oid, tree: Oid, flaky: bool },
    /// A batch is over; members that neither landed nor were ejected wait again, first in line.
    BatchClosed { batch: BatchId },
    /// A gate waits for a person's word.
    GateReached { gate: Gate },
    /// A gate was passed.
    GatePassed { gate: Gate },
    /// A gate was refused.
    GateRefused { gate: Gate, reason: String },
    /// An accepted candidate waits for a person's word.
    CandidateAsked { attempt: AttemptId, reasons: Vec<Reason> },
    /// A candidate that waited may land.
    CandidateApproved { attempt: AttemptId, commit: Oid },
    /// A candidate that waited was refused.
    CandidateDenied { attempt: AttemptId, commit: Oid, reason: String, next: Next },
    /// A word did not come in time; what follows from that comes after.
    WordOverdue { on: Subject, then: Then },
    /// A person had another plan run than the one that waited.
    PlanEdited { revision: u32, dropped: Vec<TaskId>, changed: Vec<NewTask>, added: Vec<Added> },
    /// A person sent the plan that waited back: nothing of it stands, and it is made anew.
    PlanSentBack { reason: String, dropped: Vec<TaskId> },
    /// The sample's tasks have landed; the others may start.
    SampleAccepted,
    /// Planning began anew, because done-conditions are red.
    IterationBegan { iteration: u32 },
    /// The done-conditions were looked at.
    ConditionsChecked { head: Oid, results: Vec<CheckResult> },
    /// A person let a kept task's candidate land.
    TaskOverruled { task: TaskId },
    /// A person gave a task up.
    TaskDropped { task: TaskId, reason: String },
    /// A person had a task tried again.
    TaskRetried { task: TaskId },
    /// A person told one task, or all, something.
    Steered { task: Option<TaskId>, message: String },
    /// A person answered what was asked at a seat, the question there with that number, from 1; or time did, where the goal
    /// lets it.
    QuestionAnswered { seat: Seat, number: u32, answer: String },
    /// A delivery of what stands there waits for a person's word: into a branch that stood at `onto`. One that had its word
    /// and did not go out waits for another, and says why it `failed`.
    DeliveryProposed {
        branch: String,
        head: Oid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        onto: Option<Oid>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
    /// A delivery that waited was refused.
    DeliveryRefused { branch: String, reason: String },
    /// A person asked for the run's branch to be delivered.
    DeliveryAsked { branch: String },
    /// The run's branch was delivered, or not.
    Delivered { branch: String, result: Result<Oid, String> },
    /// No more work is handed out.
    Draining,
    /// Everything is to stop at once.
    Stopping,
    /// The run goes on.
    Resumed,
    /// What the run may use was raised.
    BudgetRaised { budget: Budget },
    /// The disk is short of space: no new work is handed out.
    SpaceRanShort { what: String },
    /// There is space again.
    SpaceCameBack,
    /// The run came to rest; work may still be open.
    RunParked { why: Rest },
    /// An ended run was taken up again; it is not planned anew by itself.
    RunReopened,
    /// A request was carried out.
    RequestAnswered { id: RequestId },
    /// A request was refused.
    RequestRefused { id: RequestId, why: String },
    /// The run came to its end.
    RunEnded { end: End },
}

impl Event {
    /// Names the event's kind, as it stands in the journal.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunOpened(_) => "RunOpened",
            Self::CoordinatorWoke { .. } => "CoordinatorWoke",
            Self::BranchOpened { .. } => "BranchOpened",
            Self::BaselineTaken { .. } => "BaselineTaken",
            Self::ScopeOpened { .. } => "ScopeOpened",
            Self::TasksEmitted { .. } => "TasksEmitted",
            Self::PlannerFinished { .. } => "PlannerFinished",
            Self::PlannerFailed { .. } => "PlannerFailed",
            Self::PlannerWoken { .. } => "PlannerWoken",
            Self::DecisionClaimed { .. } => "DecisionClaimed",
            Self::ScopeAskRaised { .. } => "ScopeAskRaised",
            Self::ScopeAnswered { .. } => "ScopeAnswered",
            Self::SteeringHeard { .. } => "SteeringHeard",
            Self::AttemptLeased(_) => "AttemptLeased",
            Self::LeaseRenewed { .. } => "LeaseRenewed",
            Self::AllowanceGranted { .. } => "AllowanceGranted",
            Self::AllowanceReturned { .. } => "AllowanceReturned",
            Self::CallMade { .. } => "CallMade",
            Self::TranscriptKept { .. } => "TranscriptKept",
            Self::MoneyRanOut { .. } => "MoneyRanOut",
            Self::SeatTaken { .. } => "SeatTaken",
            Self::SeatLeft { .. } => "SeatLeft",
            Self::CandidateReviewed { .. } => "CandidateReviewed",
            Self::RunJudged { .. } => "RunJudged",
            Self::AttemptLost { .. } => "AttemptLost",
            Self::AttemptLimited { .. } => "AttemptLimited",
            Self::LimitLifted { .. } => "LimitLifted",
            Self::AttemptEnded { .. } => "AttemptEnded",
            Self::VerdictGiven { .. } => "VerdictGiven",
            Self::BatchFormed { .. } => "BatchFormed",
            Self::BatchMerged { .. } => "BatchMerged",
            Self::PrefixChecked { .. } => "PrefixChecked",
            Self::MemberEjected { .. } => "MemberEjected",
            Self::BatchLanded { .. } => "BatchLanded",
            Self::BatchClosed { .. } => "BatchClosed",
            Self::GateReached { .. } => "GateReached",
            Self::GatePassed { .. } => "GatePassed",
            Self::GateRefused { .. } => "GateRefused",
            Self::CandidateAsked { .. } => "CandidateAsked",
            Self::CandidateApproved { .. } => "CandidateApproved",
            Self::CandidateDenied { .. } => "CandidateDenied",
            Self::WordOverdue { .. } => "WordOverdue",
            Self::PlanEdited { .. } => "PlanEdited",
            Self::PlanSentBack { .. } => "PlanSentBack",
            Self::QuestionAnswered { .. } => "QuestionAnswered",
            Self::DeliveryProposed { .. } => "DeliveryProposed",
            Self::DeliveryRefused { .. } => "DeliveryRefused",
            Self::SampleAccepted => "SampleAccepted",
            Self::IterationBegan { .. } => "IterationBegan",
            Self::ConditionsChecked { .. } => "ConditionsChecked",
            Self::TaskOverruled { .. } => "TaskOverruled",
            Self::TaskDropped { .. } => "TaskDropped",
            Self::TaskRetried { .. } => "TaskRetried",
            Self::Steered { .. } => "Steered",
            Self::DeliveryAsked { .. } => "DeliveryAsked",
            Self::Delivered { .. } => "Delivered",
            Self::Draining => "Draining",
            Self::Stopping => "Stopping",
            Self::Resumed => "Resumed",
            Self::BudgetRaised { .. } => "BudgetRaised",
            Self::SpaceRanShort { .. } => "SpaceRanShort",
            Self::SpaceCameBack => "SpaceCameBack",
            Self::RunParked { .. } => "RunParked",
            Self::RunReopened => "RunReopened",
            Self::RequestAnswered { .. } => "RequestAnswered",
            Self::RequestRefused { .. } => "RequestRefused",
            Self::RunEnded { .. } => "RunEnded",
        }
    }
}

/// Holds an event with its place and time in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number in the run, from 1.
    pub seq: u64,
    /// When it was decided, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub event: Event,
}

/// Describes a task that the law has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Its name.
    pub id: TaskId,
    /// What its planner wrote.
    pub draft: TaskDraft,
    /// What sort of work it is.
    pub work: Work,
    /// The tasks that it waits for.
    pub after: Vec<TaskId>,
    /// Which agent of its role starts, counted from 0.
    pub agent: u32,
    /// Findings that its first attempt is shown.
    pub findings: Vec<Finding>,
}

/// Describes a task that a person added to a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// Whose it is.
    pub scope: ScopeId,
    /// The task.
    pub task: NewTask,
}

/// Names what waits for a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The run, at a gate.
    Gate(Gate),
    /// A candidate.
    Candidate(AttemptId),
    /// A delivery.
    Delivery,
    /// What was asked at a seat.
    Question(Seat),
}

/// Describes the lease of a task to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The attempt.
    pub attempt: AttemptId,
    /// The agent that plays it.
    pub agent: AgentRef,
    /// The commit of the run's branch that it stands on.
    pub base: Oid,
    /// The rejected candidate from whose files it goes on, or what an attempt that a limit ended had made, where it does.
    pub from: Option<Oid>,
    /// The number of the attempt whose session it takes up again, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<u32>,
    /// The number that its report must carry.
    pub fence: u64,
    /// When the lease lapses unless it is renewed, in milliseconds since 1970.
    pub until_ms: i64,
}

/// Says what becomes of a task next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// Its candidate is judged.
    Judge,
    /// Its candidate, whose checks held, is looked at through the judge's next lens.
    Review,
    /// Its candidate waits to land.
    Queue,
    /// It is tried again.
    Again(Again),
    /// There was nothing to do.
    Nothing,
    /// It is kept for a person.
    Keep { why: String },
    /// It is kept until something is there.
    Block { missing: String },
}

/// Says how a task is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Which agent of the role, counted from 0.
    pub agent: u32,
    /// How many tries of that agent have counted.
    pub tries: u32,
    /// The candidate from whose files it goes on; none is a fresh worktree.
    pub from: Option<Oid>,
    /// Whether the resolver does it, who brings it together with what it conflicted with.
    #[serde(default)]
    pub resolves: bool,
}

/// Says how an agent that planned or judged is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// It gave its answer.
    Done,
    /// It gave none.
    Failed { why: String },
    /// It met a limit of its account; nobody of that account sits down before.
    Limited {
        until_ms: i64,
        why: String,
        /// The agent's own name for the session that it left, where it can be taken up again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// It was cut off, which says nothing against it.
    Cut { why: String },
    /// It lacks what a person has to say, and nobody sits down there before.
    Asks {
        missing: String,
        /// The agent's own name for the session that it left, where it can be taken up again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
}

/// Says whose turn it is at a seat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Which agent of the role's sessions, counted from 0.
    pub agent: u32,
    /// How many tries of that agent have counted.
    pub tries: u32,
}

/// Says why a run rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// A person stopped it.
    Stopped,
    /// It waits for a person's word.
    Gate(Gate),
    /// It has used what it may use.
    Budget { what: String },
    /// Something outside the run must be mended first.
    Trouble { what: String },
    /// It waits for a person's answer to what was asked at a seat.
    Question,
}

/// Says how a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Every done-condition holds and no task is kept.
    Done,
    /// Something is left: kept tasks, red conditions, or both.
    Incomplete {
        kept: Vec<TaskId>,
        red: Vec<String>,
        failed_planners: Vec<ScopeId>,
        /// What the run's judge finds missing, where it does and nothing more is planned.
        #[serde(default)]
        judged: Option<String>,
    },
    /// A person refused it at a gate.
    Denied { reason: String },
}
