//! Owns what may be asked of a run: by people, by the world's reports, and by time. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Heard;
use super::awaited::{Objection, Shown};
pub use super::seats::Leave;
use crate::model::attempt::{Handoff, Outcome, Parked, Usage};
use crate::model::check::CheckResult;
use crate::model::config::Config;
use crate::model::gating::Extent;
use crate::model::goal::{Gate, Goal};
use crate::model::ids::{AttemptId, BatchId, Oid, RequestId, RunId, ScopeId, TaskId};
use crate::model::means::Means;
use crate::model::plan_edit::PlanEdit;
use crate::model::review::{Review, RunVerdict};
use crate::model::role::Role;
use crate::model::sandbox::Tier;
use crate::model::seat::Seat;
use crate::model::spend::Call;
use crate::model::task::{ScopeAnswer, ScopeDraft, TaskDraft};
use crate::model::verdict::Verdict;

/// Asks a run to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens the run.
    Open(Box<Opening>),
    /// Says that a coordinator has taken the run over; what an earlier one had running is lost.
    Wake {
        /// The number under which the journal lets it write.
        epoch: u64,
        /// How it holds agents and checks apart from the machine.
        sandbox: Option<Tier>,
    },
    /// Lets time pass: expires leases, hands out tasks, forms batches, closes iterations.
    Advance,
    /// Lets words be overdue: all that was asked before this time has been brought.
    LetLapse,
    /// Brings what a person or program asked.
    Request {
        /// Its name, so that the same request is answered once.
        id: RequestId,
        /// What is asked.
        ask: Ask,
    },
    /// Reports that the run's branch stands at the base.
    ReportBranch {
        /// Where it stands.
        at: Oid,
    },
    /// Reports what the checks answered on the base.
    ReportBaseline {
        /// One answer for each check of the goal.
        results: Vec<CheckResult>,
    },
    /// Reports a planner's move.
    ReportPlan {
        /// Whose move it is.
        scope: ScopeId,
        /// The waking in which it was made.
        wake: u32,
        /// The fence under which its planner sits; 0 for one that plans by rule.
        fence: u64,
        /// The move.
        step: PlanStep,
    },
    /// Renews the lease of a running attempt.
    RenewLease {
        /// The attempt.
        attempt: AttemptId,
        /// The fence under which it was leased.
        fence: u64,
    },
    /// Reports that an attempt has ended.
    ReportAttempt {
        /// The attempt.
        attempt: AttemptId,
        /// The fence under which it was leased.
        fence: u64,
        /// How it ended.
        outcome: Outcome,
        /// What it reports upward.
        handoff: Handoff,
        /// What it cost.
        usage: Usage,
    },
    /// Asks to hold money, tokens and calls for what somebody is about to ask of models.
    AskAllowance {
        /// Who.
        seat: Seat,
        /// The fence under which it was leased.
        fence: u64,
        /// How much.
        means: Means,
    },
    /// Gives back what is held for somebody who does not need it at present.
    ReturnAllowance {
        /// Who.
        seat: Seat,
        /// The fence under which it was leased.
        fence: u64,
        /// How much.
        means: Means,
    },
    /// Reports a call to a model.
    ReportCall {
        /// Who made it.
        seat: Seat,
        /// The fence under which it was leased.
        fence: u64,
        /// The call.
        call: Call,
    },
    /// Reports how far a session's transcript is written, and what it holds up to there.
    KeepTranscript {
        /// Whose session.
        seat: Seat,
        /// The fence under which it was leased.
        fence: u64,
        /// The name of the transcript.
        record: String,
        /// How many bytes it has.
        bytes: u64,
        /// The SHA-256 of all of them, in hexadecimal digits.
        sha256: String,
    },
    /// Reports that somebody ended because a budget leaves too little.
    ReportOutOfMoney {
        /// Who.
        seat: Seat,
        /// The fence under which it was leased.
        fence: u64,
        /// What the next call would have needed.
        wants: Means,
    },
    /// Reports that an attempt ended by a limit of its agent's account or provider; all its calls are counted.
    ReportLimited {
        /// The attempt.
        attempt: AttemptId,
        /// The fence under which it was leased.
        fence: u64,
        /// When the limit is lifted, in milliseconds since 1970, where that was said.
        until_ms: Option<i64>,
        /// What was said of the limit.
        why: String,
        /// What it cost.
        usage: Usage,
        /// What there is to go on from, where there is anything.
        parked: Option<Parked>,
    },
    /// Reports that a session is about to be told what people have said, before its next call of a tool.
    ReportHeard {
        /// Whose session.
        seat: Seat,
        /// The fence under which it works.
        fence: u64,
        /// How much of it it has heard then.
        heard: Heard,
        /// The call before which it hears it, from 1.
        before_call: u64,
    },
    /// Reports that a planner's or judge's session is over; a judge's that gave its answer brings it along instead.
    LeaveSeat {
        /// Whose session.
        seat: Seat,
        /// The fence under which it sat.
        fence: u64,
        /// How it ended.
        leave: Leave,
        /// What it cost.
        usage: Usage,
    },
    /// Reports what a judge's session says of a candidate.
    ReportReview {
        /// The judged attempt.
        attempt: AttemptId,
        /// The lens, from 1.
        lens: u32,
        /// The fence under which the judge sits.
        fence: u64,
        /// What it says.
        review: Review,
        /// What it cost.
        usage: Usage,
    },
    /// Reports what the run's judge says at the end of an iteration.
    ReportRunVerdict {
        /// The iteration.
        iteration: u32,
        /// The fence under which the judge sits.
        fence: u64,
        /// What it says.
        verdict: RunVerdict,
        /// What it cost.
        usage: Usage,
    },
    /// Reports that the worker of an attempt died without a report.
    ReportLost {
        /// The attempt.
        attempt: AttemptId,
        /// What is known of its end.
        why: String,
    },
    /// Reports a judge's verdict.
    ReportVerdict {
        /// The judged attempt.
        attempt: AttemptId,
        /// The verdict.
        verdict: Verdict,
        /// What judging cost.
        usage: Usage,
    },
    /// Reports how a batch merged.
    ReportMerge {
        /// The batch.
        batch: BatchId,
        /// The merge commits, each on the one before.
        chain: Vec<Link>,
        /// The members that did not merge.
        conflicts: Vec<Conflict>,
    },
    /// Reports what the checks answered on a prefix of a batch.
    ReportPrefix {
        /// The batch.
        batch: BatchId,
        /// How many members the checked tree holds.
        upto: u32,
        /// The tree that was checked.
        tree: Oid,
        /// One answer for each check of the goal.
        results: Vec<CheckResult>,
    },
    /// Reports that the run's branch was moved to a prefix of a batch.
    ReportLanding {
        /// The batch.
        batch: BatchId,
        /// Where the branch now stands.
        head: Oid,
        /// The tree of that commit.
        tree: Oid,
    },
    /// Reports that the run's branch was not where the journal has it.
    ReportBranchMoved {
        /// What was found; none where the branch is gone.
        found: Option<Oid>,
    },
    /// Reports whether the done-conditions hold.
    ReportConditions {
        /// The commit that was looked at.
        head: Oid,
        /// One answer for each condition of the goal.
        results: Vec<CheckResult>,
    },
    /// Reports that the run's branch was delivered.
    ReportDelivery {
        /// The user's branch.
        branch: String,
        /// Where it stands, or why nothing was delivered.
        result: Result<Oid, String>,
    },
    /// Reports how the disk stands.
    ReportSpace {
        /// What is free and what must be, where it is short.
        short: Option<String>,
    },
    /// Reports that an effect could not be carried out for a reason outside the run.
    ReportTrouble {
        /// What was tried, on what, and what to do next.
        what: String,
    },
}

/// Holds all that a run is opened with; it is not read from anywhere else afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The run.
    pub run: RunId,
    /// The user's own name for it.
    pub name: Option<String>,
    /// The repository's common git directory.
    pub repo: String,
    /// The goal, locked.
    pub goal: Goal,
    /// The goal's text as it was read.
    pub goal_text: String,
    /// The repository's configuration.
    pub config: Config,
    /// Roles by name.
    pub roles: BTreeMap<String, Role>,
    /// Prompts by name.
    pub prompts: BTreeMap<String, String>,
    /// Texts of rule files and parts, by the name that the goal or a role gives them.
    pub assets: BTreeMap<String, String>,
    /// Globs that no attempt may change, beside the configuration's: the goal's file, the checks' own files.
    pub protect: Vec<String>,
    /// Paths of the files that state the goal, where they lie in the repository: the goal, its rules, its parts.
    #[serde(default)]
    pub own: BTreeSet<String>,
    /// The commit that the run starts from.
    pub base: Oid,
    /// Its tree.
    pub base_tree: Oid,
    /// The user's branch at that time.
    pub branch: Option<String>,
    /// Attempts at one time.
    pub workers: u32,
    /// Judgings at one time.
    pub judges: u32,
    /// What all chance in this run is drawn from.
    pub seed: u64,
    /// What was noticed about the repository: submodules, LFS, names that differ in case only.
    pub notes: Vec<String>,
}

/// States what a person or program asks of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Lets a waiting gate pass, whatever waits there by then.
    Approve(Gate),
    /// Lets a waiting gate pass as it was shown; the plan as it was edited since is not approved by it.
    ApproveGate {
        /// The gate.
        gate: Gate,
        /// What was shown of it: as the inbox has it.
        shown: Shown,
    },
    /// Lets a kept task's candidate land although its judge refused it; its checks still decide.
    ApproveTask(TaskId),
    /// Lets exactly that candidate land, which waits for a word.
    ApproveCandidate {
        /// The attempt.
        attempt: AttemptId,
        /// Its candidate.
        commit: Oid,
    },
    /// Refuses exactly that candidate, which waits for a word.
    DenyCandidate {
        /// The attempt.
        attempt: AttemptId,
        /// Its candidate.
        commit: Oid,
        /// Why; whoever does the task again is told.
        reason: String,
        /// What becomes of the task.
        #[serde(default)]
        then: Refusal,
    },
    /// Lets exactly that be delivered, which waits for a word.
    ApproveDelivery {
        /// The user's branch.
        branch: String,
        /// What is brought into it.
        head: Oid,
    },
    /// Refuses exactly that delivery.
    DenyDelivery {
        /// The user's branch.
        branch: String,
        /// What was to be brought into it.
        head: Oid,
        /// Why.
        reason: String,
    },
    /// Has another plan run than the one that waits for a word.
    EditPlan(PlanEdit),
    /// Ends the run at a waiting gate.
    Deny {
        /// The gate.
        gate: Gate,
        /// Why.
        reason: String,
        /// What was shown of it; none refuses whatever waits there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown: Option<Shown>,
    },
    /// Has the plan that waits made anew, by a planner who is told why.
    SendPlanBack(Objection),
    /// Gives a kept task up.
    DenyTask {
        /// The task.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// Tries a kept or blocked task again, or one that waits for a limit at once.
    Retry(TaskId),
    /// Stops handing out work; what runs is finished.
    Drain,
    /// Stops at once; what runs is lost and tried again later.
    Stop,
    /// Goes on after a stop, or after what halted the run was mended.
    Resume,
    /// Tells one task's next attempt, or everybody's, something.
    Steer {
        /// The task; none is every task.
        task: Option<TaskId>,
        /// What they are told.
        message: String,
    },
    /// Answers a task that asks to change what it does not own.
    AnswerScope {
        /// The task.
        task: TaskId,
        /// Whether it may.
        granted: bool,
        /// Why.
        reason: String,
    },
    /// Answers what was asked at a seat: a planner's question, or a judge's.
    AnswerQuestion {
        /// The seat.
        seat: Seat,
        /// Which question there it was, from 1: as the inbox has it.
        number: u32,
        /// What its asker is told.
        answer: String,
    },
    /// Takes a landed task back out.
    Revert(TaskId),
    /// Brings the run's branch into a branch of the user's.
    Deliver {
        /// The branch; none is the one that the run was opened from.
        branch: Option<String>,
        /// Where that stands: seen by whoever works on the run, and said by nobody who asks.
        #[serde(skip)]
        onto: Option<Oid>,
    },
    /// Raises what the run may use; a limit that is not named stays.
    Raise(crate::model::goal::Budget),
}

/// Says what becomes of a task whose candidate a person refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It is done again, by somebody who is told why.
    #[default]
    Redo,
    /// It is given up.
    Drop,
}

/// States one move of a planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanStep {
    /// Hands out tasks.
    Emit(Vec<TaskDraft>),
    /// Gives parts of the scope to sub-planners.
    Spawn(Vec<ScopeDraft>),
    /// Decides something once for the whole run.
    Claim {
        /// What is decided.
        key: String,
        /// How.
        value: String,
    },
    /// Answers a task that asks to change what it does not own.
    AnswerScope(ScopeAnswer),
    /// Says that there is nothing more to plan until a handoff comes.
    Done,
    /// Says that planning failed.
    Fail(String),
}

/// Names one merge commit of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The member that it merges.
    pub attempt: AttemptId,
    /// The merge commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// How much it changes on what it is merged into, as far as the goal's gates ask.
    #[serde(default)]
    pub extent: Extent,
}

/// Names a member of a batch that did not merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The member.
    pub attempt: AttemptId,
    /// The files in which it conflicts.
    pub paths: Vec<String>,
}
