//! Owns every typed no that `decide` gives. Says what was asked and why it is refused.

use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, BatchId, Oid, ScopeId, TaskId};
use crate::model::means::Holder;
use crate::model::seat::Seat;

/// States why a command is refused; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nothing but opening is possible before a run is open.
    #[error("the run is not open")]
    NotOpen,
    /// A run is opened once.
    #[error("the run is open already")]
    AlreadyOpen,
    /// An older coordinator must not write.
    #[error("coordinator {epoch} was superseded by {current}")]
    StaleEpoch { epoch: u64, current: u64 },
    /// No such task.
    #[error("there is no task {0} in this run")]
    NoTask(TaskId),
    /// No such role.
    #[error("there is no role `{0}` in this run")]
    UnknownRole(String),
    /// No such scope.
    #[error("there is no scope {0} in this run")]
    NoScope(ScopeId),
    /// The lease was lost, or the attempt has ended.
    #[error("attempt {0} is not leased under that fence")]
    StaleAttempt(AttemptId),
    /// Nobody sits there under that fence.
    #[error("nobody sits at {0} under that fence")]
    StaleSeat(Seat),
    /// There may be enough when others have used what is held for them.
    #[error("what is left of the budget is held for what is under way")]
    MoneyIsHeld,
    /// There is not.
    #[error("{holder} has used, or holds, all but less than that of the {most} that it may use")]
    MoneyIsSpent { holder: Holder, most: String },
    /// Nothing waits for that verdict.
    #[error("attempt {0} does not wait for a verdict")]
    NotJudged(AttemptId),
    /// A verdict must not come from the attempt that it is about.
    #[error("attempt {0} may not judge itself")]
    OwnJudge(AttemptId),
    /// A refusal must say what is wrong.
    #[error("the verdict on {0} refuses without a finding")]
    NoFinding(AttemptId),
    /// An accepted candidate has passed its checks.
    #[error("the verdict on {0} accepts without a green answer to each of its checks")]
    Unchecked(AttemptId),
    /// That batch is not where the report says.
    #[error("batch {0} does not wait for that")]
    StaleBatch(BatchId),
    /// What was checked is not what would stand.
    #[error("batch {batch}: tree {landed} was to land, but tree {checked} was checked")]
    TreeMismatch { batch: BatchId, checked: Oid, landed: Oid },
    /// A chain must hold each member once, in order.
    #[error("batch {0}: the merge chain does not hold its members in order")]
    BadChain(BatchId),
    /// The planner is not being asked.
    #[error("scope {scope} is not in waking {wake}")]
    StalePlanner { scope: ScopeId, wake: u32 },
    /// A scope lies in its parent's.
    #[error("scope `{key}` reaches outside its parent {parent}")]
    ScopeOutside { key: String, parent: ScopeId },
    /// Siblings are disjoint.
    #[error("scope `{key}` overlaps `{other}`")]
    ScopesOverlap { key: String, other: String },
    /// One owner for each decision.
    #[error("decision `{decision}` belongs to scope {owner}")]
    DecisionTaken { decision: String, owner: ScopeId },
    /// A decision is taken once.
    #[error("`{decision}` is decided by scope {owner}: {value}")]
    Decided { decision: String, owner: ScopeId, value: String },
    /// A decision has a short name, and is short.
    #[error("a decision has a name of 1 to {key_bytes} bytes and is put into 1 to {value_bytes} bytes")]
    NoDecision { key_bytes: usize, value_bytes: usize },
    /// All briefs show all decisions.
    #[error("the run holds {0} decisions, which is all that it may")]
    TooManyDecisions(usize),
    /// A planner answers its own tasks.
    #[error("scope {scope} has handed out no task `{key}`")]
    NoSuchTask { key: String, scope: ScopeId },
    /// Nothing is granted that nobody asks for.
    #[error("{0} does not ask to change anything beside what it owns")]
    AsksNoScope(TaskId),
    /// No more is granted than was asked for.
    #[error("{0} did not ask to change all of that")]
    AskedForLess(TaskId),
    /// Whoever asks is told why it may, or may not.
    #[error("{0} is to be told why")]
    NoReason(TaskId),
    /// Only what was said is heard.
    #[error("nobody has said to {0} what it is to have heard")]
    Unsaid(Seat),
    /// A task splits what it owns.
    #[error("task `{key}` splits a file that is not among its paths")]
    SplitsOutside { key: String },
    /// One task splits a file at a time.
    #[error("task `{key}` splits what `{by}` is splitting")]
    SplitTwice { key: String, by: String },
    /// Depth, fan-out and tasks are bounded.
    #[error("scope {scope} may not have more: its role allows {limit} {what}")]
    TooMany { scope: ScopeId, what: &'static str, limit: u32 },
    /// A task lies in its planner's scope.
    #[error("task `{key}` reaches outside scope {scope}")]
    TaskOutside { key: String, scope: ScopeId },
    /// A task waits only for tasks that are known.
    #[error("task `{key}` waits for `{after}`, which no planner has emitted")]
    UnknownTask { key: String, after: String },
    /// Tasks do not wait for one another in a ring.
    #[error("task `{key}` waits for itself by way of others")]
    Cycle { key: String },
    /// A task names a worker's role and a scope a planner's, with an agent in it.
    #[error("`{key}` names `{role}`, and this run has no such role with an agent for that part")]
    NoRole { key: String, role: String },
    /// A name is not empty.
    #[error("a planner emitted something without a key")]
    NoKey,
    /// A run is not done while a condition does not hold.
    #[error("the run is not done while this does not hold: {}", .0.join(", "))]
    NotDone(Vec<String>),
    /// No gate waits there.
    #[error("nothing waits at the {0:?} gate")]
    NotWaiting(Gate),
    /// Only a kept or blocked task can be tried again, let land or given up.
    #[error("{task} is {status}, and not kept or blocked")]
    NotKept { task: TaskId, status: &'static str },
    /// Without a candidate nothing can land.
    #[error("{0} was kept without a candidate that its checks could be run on")]
    NoCandidate(TaskId),
    /// A word is given on exactly the candidate that waits.
    #[error("candidate {} of {attempt} does not wait for a word", .commit.short())]
    NotAsked { attempt: AttemptId, commit: Oid },
    /// A word is given on exactly the delivery that waits.
    #[error("no delivery of {} into `{branch}` waits for a word", .head.short())]
    NotProposed { branch: String, head: Oid },
    /// One delivery waits at a time.
    #[error("a delivery into `{0}` waits for a word")]
    DeliveryWaits(String),
    /// An edit is of the plan as it stands.
    #[error("the plan was edited since: revision {present} stands, and this is an edit of {of}")]
    PlanMoved { of: u32, present: u32 },
    /// A word is given on the plan that was shown.
    #[error("the plan was edited since it was shown: look at it again")]
    PlanNotAsShown,
    /// A word is given on the gate that was shown, and not on the next of its name.
    #[error("the {0:?} gate waits anew since it was shown: look at it again")]
    GateNotAsShown(Gate),
    /// Only a session hears why its plan was sent back.
    #[error("the plan was made by rule or is written down, and would be the same again: edit it, or refuse it")]
    NoPlannerHears,
    /// Whoever plans anew is told why.
    #[error("a plan is sent back with the reason that whoever plans anew is told")]
    SentBackForNothing,
    /// A person gives up on a planner at last.
    #[error("plans of this run were sent back {0} times, which is all that may be: edit this one, or refuse it")]
    SentBackTooOften(usize),
    /// What was given up is not planned again under its key.
    #[error("task `{0}` was given up, and its key is not used again")]
    GivenUp(String),
    /// A task stays in its scope.
    #[error("task `{key}` is of scope {scope}, and stays there; add another in its place")]
    OtherScope { key: String, scope: ScopeId },
    /// A key names one task.
    #[error("two tasks have the key `{0}`")]
    SameKey(String),
    /// A candidate waits for a word of another sort.
    #[error("{task} waits for a word on its candidate {}", .commit.short())]
    GiveItOnTheCandidate { task: TaskId, commit: Oid },
    /// An answer is given on the question that was shown, once, in words.
    #[error("no question {number} of {seat} waits for an answer")]
    NoQuestion { seat: Seat, number: u32 },
    /// An answer says something.
    #[error("the answer to {0} is empty: say it in words")]
    EmptyAnswer(Seat),
    /// Only what landed can be taken back out.
    #[error("{task} is {status}, and has not landed")]
    NotLanded { task: TaskId, status: &'static str },
    /// There is no branch to deliver into.
    #[error("no branch was named, and the run was opened from none")]
    NoBranch,
    /// Nothing has landed yet.
    #[error("nothing has landed on the run's branch")]
    NothingLanded,
    /// A delivery is under way.
    #[error("a delivery into `{0}` is under way")]
    DeliveryUnderWay(String),
    /// No delivery is owed.
    #[error("no delivery into `{0}` is owed")]
    NoDelivery(String),
    /// The run does not rest.
    #[error("the run is {0}")]
    NotResting(&'static str),
    /// The report is about another state of the run.
    #[error("the report is about {0}, which is over")]
    Stale(&'static str),
}
